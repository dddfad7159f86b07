//! Patterns, which select names and capture parts of them.
//!
//! | written | matches |
//! |---|---|
//! | text | itself; dots are ordinary |
//! | `*`, `{x}` | zero or more, one or more characters other than `/` |
//! | `**`, `{x:**}` | inside a component: zero or more of anything. As a whole component: zero or more whole components, with the slash that follows; as the last component, the rest of the name after the slash |
//! | `{x:int}`, `{x:a\|b}`, `{a\|b}` | digits; one of these; the same without a name |
//! | `re:…` | a regular expression, which is the rest of the text; its named groups are captured |
//! | `\` | makes the next character literal |
//!
//! A pattern matches the whole name, as bytes, leftmost and greedy. A pattern keeps its list of tokens as well as the
//! regular expression that they compile to, so that a graph can be matched token by token.

mod parser;

use std::ops::Range;

use regex::bytes::{Regex, RegexBuilder};

use crate::map::pattern::parser::Parser;

/// A mistake in a pattern or a target, and the part of the text that it is in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) at: Range<usize>,
    pub(crate) what: String,
    pub(crate) help: Option<String>,
}

impl Fault {
    pub(crate) fn new(at: Range<usize>, what: impl Into<String>) -> Self {
        Self { at, what: what.into(), help: None }
    }

    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

/// A part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// Text that matches itself.
    Literal(String),
    /// The hole with this index.
    Capture(usize),
    /// The whole of a `re:` pattern. Its holes are its named groups.
    Regex(String),
}

/// The kind of text that a hole matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `*`: zero or more characters other than `/`.
    Star,
    /// `{x}`: one or more characters other than `/`.
    Word,
    /// `**`: zero or more of anything.
    Deep,
    /// `**/`: zero or more whole components, with the slash that follows them. It captures nothing if there are none.
    Components,
    /// `{x:int}`.
    Int,
    /// `{a|b}`.
    OneOf(Vec<String>),
    /// A named group of a `re:` pattern.
    Group,
}

/// A hole: a part of a name that a pattern leaves open and captures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Capture {
    pub(crate) kind: Kind,
    pub(crate) name: Option<String>,
    /// True if it is written as a bare `*` or `**`.
    pub(crate) is_star: bool,
    group: usize,
}

impl Capture {
    /// Returns the hole as it is written. If it has a name, its kind is left out.
    pub(crate) fn text(&self) -> String {
        match (&self.name, &self.kind) {
            (Some(name), _) => format!("{{{name}}}"),
            (None, Kind::Star) => "*".into(),
            (None, Kind::OneOf(choices)) => format!("{{{}}}", choices.join("|")),
            (None, _) => "**".into(),
        }
    }
}

/// The text that each hole of a pattern captured.
pub(crate) type Captures<'n> = Vec<Option<&'n [u8]>>;

/// A pattern, parsed and compiled.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    pub(crate) text: String,
    pub(crate) tokens: Vec<Token>,
    pub(crate) captures: Vec<Capture>,
    pub(crate) ignore_case: bool,
    regex: Regex,
}

impl Pattern {
    pub(crate) fn parse(text: &str, ignore_case: bool) -> Result<Self, Fault> {
        let (tokens, captures) = match text.strip_prefix("re:") {
            Some(regex) => groups(regex)?,
            None => Parser::new(text).parse()?,
        };
        let expression = expression(&tokens, &captures, ignore_case);
        let regex = Regex::new(&expression).map_err(|error| regex_fault(&error, 0, text.len()))?;
        Ok(Self { text: text.to_owned(), tokens, captures, ignore_case, regex })
    }

    /// Returns the regular expression of the whole pattern.
    pub(crate) fn as_regex(&self) -> &str {
        self.regex.as_str()
    }

    /// Returns the part before a final `/**` as a regular expression. It matches the objects whose whole content the
    /// pattern selects. For `**` alone this is the root, whose path is empty.
    pub(crate) fn container(&self) -> Option<String> {
        let (Token::Capture(last), before) = self.tokens.split_last()? else { return None };
        let (before, slash) = match before {
            [] => (before, ""),
            [before @ .., Token::Literal(text)] if text != "/" || !before.is_empty() => {
                (before, text.strip_suffix('/')?)
            }
            _ => return None,
        };
        let tokens = [before, &[Token::Literal(slash.into())]].concat();
        let is_deep = self.captures[*last].kind == Kind::Deep;
        is_deep.then(|| expression(&tokens, &self.captures, self.ignore_case))
    }

    /// Returns the only name that the pattern matches, if it has no wildcards.
    pub(crate) fn literal(&self) -> Option<&str> {
        match self.tokens.as_slice() {
            [Token::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// Returns the bare stars, as indices of holes.
    pub(crate) fn stars(&self) -> impl Iterator<Item = usize> {
        self.captures.iter().enumerate().filter(|(_, capture)| capture.is_star).map(|(at, _)| at)
    }

    /// Returns the text that every match begins with. It is empty if the pattern ignores case.
    pub(crate) fn literal_head(&self) -> &str {
        match self.tokens.first() {
            Some(Token::Literal(text)) if !self.ignore_case => text,
            _ => "",
        }
    }

    pub(crate) fn is_match(&self, name: &[u8]) -> bool {
        self.regex.is_match(name)
    }

    /// Returns the number of bare stars, and the sorted names of the named holes.
    pub(crate) fn has_capture(&self) -> (usize, Vec<&str>) {
        let mut names: Vec<_> = self.captures.iter().filter_map(|capture| capture.name.as_deref()).collect();
        names.sort_unstable();
        (self.stars().count(), names)
    }

    /// Returns the text that stars and named holes captured, in the order of [`Self::has_capture`]. The keys are
    /// equal for the members of one group.
    pub(crate) fn key<'n>(&self, captures: &Captures<'n>) -> Vec<Option<&'n [u8]>> {
        let stars =
            self.captures.iter().zip(captures).filter(|(capture, _)| capture.is_star).map(|(_, part)| *part);
        let mut named: Vec<_> =
            self.captures.iter().zip(captures).filter(|(capture, _)| capture.name.is_some()).collect();
        named.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
        stars.chain(named.into_iter().map(|(_, part)| *part)).collect()
    }

    /// Returns the name whose key is `key`. Parts that the key does not determine are shown as `{...}`.
    pub(crate) fn spelled(&self, key: &[Option<&[u8]>]) -> Vec<u8> {
        let (stars, names) = self.has_capture();
        let (mut star, mut name) = (0, Vec::new());
        for token in &self.tokens {
            let capture = match token {
                Token::Literal(text) | Token::Regex(text) => {
                    name.extend_from_slice(text.as_bytes());
                    continue;
                }
                Token::Capture(capture) => &self.captures[*capture],
            };
            let at = match &capture.name {
                Some(name) => names.iter().position(|known| known == name).map(|at| stars + at),
                None => capture.is_star.then_some(star),
            };
            star += usize::from(capture.is_star);
            let part = at.map_or(Some(&b"{...}"[..]), |at| key.get(at).copied().flatten());
            name.extend_from_slice(part.unwrap_or_default());
            if part.is_some() && capture.kind == Kind::Components {
                name.push(b'/');
            }
        }
        name
    }

    /// Returns the text that the holes capture in `name`, if the pattern matches.
    pub(crate) fn captures<'n>(&self, name: &'n [u8]) -> Option<Captures<'n>> {
        let groups = self.regex.captures(name)?;
        Some(self.captures.iter().map(|capture| Some(groups.get(capture.group)?.as_bytes())).collect())
    }
}

/// Returns the named groups of a `re:` pattern. The expression must be valid on its own, which `a)(b` is not.
fn groups(regex: &str) -> Result<(Vec<Token>, Vec<Capture>), Fault> {
    const PREFIX: usize = "re:".len();
    let built = RegexBuilder::new(regex).unicode(false).build();
    let built = built.map_err(|error| regex_fault(&error, PREFIX, PREFIX + regex.len()))?;
    let named = built.capture_names().enumerate().filter_map(|(group, name)| Some((group, name?)));
    let captures = named.map(|(group, name)| Capture {
        kind: Kind::Group,
        name: Some(name.into()),
        is_star: false,
        group,
    });
    Ok((vec![Token::Regex(regex.to_owned())], captures.collect()))
}

/// Returns the fault for a regular expression that does not compile. The regex crate gives the offset only as a caret
/// in its message, under the expression that the message repeats.
fn regex_fault(error: &regex::Error, start: usize, end: usize) -> Fault {
    let message = error.to_string();
    let what = message.lines().last().unwrap_or_default().trim_start_matches("error: ");
    let caret =
        message.lines().find(|line| line.trim_start().starts_with('^')).and_then(|line| line.find('^'));
    let at = caret.and_then(|column| (start + column).checked_sub(4)).filter(|at| *at < end);
    let help = "this is the syntax of Rust's regex crate: https://docs.rs/regex/latest/regex/#syntax";
    Fault::new(at.map_or(start..end, |at| at..at + 1), format!("bad regular expression: {what}")).help(help)
}

fn expression(tokens: &[Token], captures: &[Capture], ignore_case: bool) -> String {
    let parts = tokens.iter().map(|token| match token {
        Token::Literal(text) => regex::escape(text),
        Token::Capture(capture) => hole_expression(&captures[*capture].kind),
        Token::Regex(text) => format!("(?:{text})"),
    });
    format!("(?s{}-u)^{}$", if ignore_case { "i" } else { "" }, parts.collect::<String>())
}

fn hole_expression(kind: &Kind) -> String {
    match kind {
        Kind::Star => "([^/]*)".into(),
        Kind::Word => "([^/]+)".into(),
        Kind::Deep | Kind::Group => "(.*)".into(),
        Kind::Components => "(?:(.*)/)?".into(),
        Kind::Int => "([0-9]+)".into(),
        Kind::OneOf(choices) => {
            // The longest choice is first, because the regex takes the first choice that fits and a pattern is
            // greedy.
            let mut choices: Vec<_> = choices.iter().map(|choice| regex::escape(choice)).collect();
            choices.sort_by_key(|choice| std::cmp::Reverse(choice.len()));
            format!("({})", choices.join("|"))
        }
    }
}

/// Returns true if `text` is a valid name of a hole, a table or a number.
pub(crate) fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn captures(pattern: &str, name: &str) -> Option<Vec<Option<String>>> {
        let pattern = Pattern::parse(pattern, false).unwrap();
        let text = |part: &[u8]| String::from_utf8(part.to_vec()).unwrap();
        Some(pattern.captures(name.as_bytes())?.into_iter().map(|part| part.map(text)).collect())
    }

    #[track_caller]
    fn catches(pattern: &str, name: &str, parts: &[&str]) {
        let parts = parts.iter().map(|part| Some(part.to_string())).collect();
        assert_eq!(captures(pattern, name), Some(parts), "{pattern} on {name}");
    }

    #[track_caller]
    fn misses(pattern: &str, names: &[&str]) {
        names.iter().for_each(|name| assert_eq!(captures(pattern, name), None, "{pattern} on {name}"));
    }

    #[track_caller]
    fn fault(pattern: &str) -> (Range<usize>, String) {
        let fault = Pattern::parse(pattern, false).unwrap_err();
        (fault.at, fault.what)
    }

    #[test]
    fn text_matches_itself_and_the_whole_name() {
        catches("layer_1", "layer_1", &[]);
        misses("layer_1", &["layer_11", "xlayer_1", "layer_1\n", "Layer_1"]);
        misses("a.b", &["axb"]);
        catches("a?[b]$^+()", "a?[b]$^+()", &[]);
    }

    #[test]
    fn a_star_stays_in_its_component_and_may_be_empty() {
        catches("a/*/c", "a/b/c", &["b"]);
        catches("a/x*", "a/x", &[""]);
        misses("a/*", &["a/b/c", "a"]);
    }

    #[test]
    fn a_named_hole_is_never_empty() {
        catches("a/{x}", "a/b", &["b"]);
        misses("a/{x}", &["a/", "a/b/c"]);
    }

    #[test]
    fn two_stars_match_whole_components_with_their_slash() {
        catches("a/**/b", "a/x/y/b", &["x/y"]);
        assert_eq!(captures("a/**/b", "a/b"), Some(vec![None]));
        catches("a/**/b", "a//b", &[""]);
        misses("a/**/b", &["a/xb", "ab", "a"]);
        catches("bert/**", "bert/x/y", &["x/y"]);
        misses("bert/**", &["bert", "bertx"]);
        catches("**", "a/b", &["a/b"]);
        assert_eq!(captures("{v:**}/w", "w"), Some(vec![None]));
        assert_eq!(captures("a/**/**/b", "a/x/b"), Some(vec![Some("x".into()), None]));
    }

    #[test]
    fn two_stars_inside_a_component_match_anything() {
        catches("module.**", "module.a/b", &["a/b"]);
        catches("module.**", "module.", &[""]);
        catches("a**/b", "ax/y/b", &["x/y"]);
        misses("a**/b", &["b", "a"]);
    }

    #[test]
    fn digits_and_choices() {
        catches("layer_{i:int}/{p:query|key}/{kernel|bias}", "layer_07/key/bias", &["07", "key", "bias"]);
        misses("layer_{i:int}", &["layer_", "layer_x", "layer_٣"]);
        misses("{a|b}", &["c", "ab"]);
        catches("{s:Adam|Adam_1}*", "Adam_1", &["Adam_1", ""]);
        catches("w{x:|_1}", "w", &[""]);
    }

    #[test]
    fn a_backslash_makes_the_next_character_literal() {
        catches("\\*\\{x\\}\\\\", "*{x}\\", &[]);
        catches("{x:a\\|b|c\\}}", "a|b", &["a|b"]);
        catches("{x:a\\|b|c\\}}", "c}", &["c}"]);
        catches("{kernel\\:0|bias\\:0}", "bias:0", &["bias:0"]);
        catches("\\re:x", "re:x", &[]);
    }

    #[test]
    fn a_regular_expression_captures_its_named_groups() {
        catches("re:(?<a>x+)(y)(?P<b>.*)", "xxyz/w", &["xx", "z/w"]);
        misses("re:a|b", &["ab", "xa"]);
        assert_eq!(captures("re:a(?<x>b)?", "a"), Some(vec![None]));
        assert!(Pattern::parse(r"re:\xff", false).unwrap().is_match(b"\xff"));
    }

    #[test]
    fn case_matters_unless_it_is_ignored() {
        misses("Bert/*", &["bert/x"]);
        assert!(Pattern::parse("Bert/*", true).unwrap().is_match(b"bERT/x"));
        assert!(Pattern::parse("re:Bert", true).unwrap().is_match(b"bERT"));
    }

    #[test]
    fn names_are_bytes() {
        let pattern = Pattern::parse("é/{x}", false).unwrap();
        let captures = pattern.captures(b"\xc3\xa9/\xff\n").unwrap();
        assert_eq!(captures, [Some(&b"\xff\n"[..])]);
    }

    #[test]
    fn faults_say_what_and_where() {
        assert_eq!(fault(""), (0..0, "the pattern is empty".into()));
        assert_eq!(fault("a/{x/b"), (2..6, "`{` is never closed".into()));
        assert_eq!(fault("a{}"), (1..3, "a hole needs a name".into()));
        assert_eq!(fault("{:int}"), (0..2, "a hole needs a name".into()));
        assert_eq!(fault("{x}/{x:int}"), (5..10, "`x` is captured twice".into()));
        assert_eq!(fault("{x:integer}"), (3..10, "unknown kind of capture `integer`".into()));
        assert_eq!(fault("{x y}"), (1..4, "`x y` is not a name".into()));
        assert_eq!(fault("a}"), (1..2, "`}` without `{`".into()));
        assert_eq!(fault("ab\\"), (2..3, "`\\` with nothing after it".into()));
        assert_eq!(fault("re:a(b").0, 4..5);
        assert_eq!(fault("re:a)(b").0, 4..5);
        assert!(fault("re:(a{1000}){1000}").1.contains("size limit"));
    }

    /// Matches by the table of the module's comment, by trying every split. Supports only literals, `*` and `**`.
    fn slow(pattern: &[char], name: &[char], at_component: bool) -> bool {
        match pattern {
            [] => name.is_empty(),
            ['*', '*', '/', rest @ ..] if at_component => {
                slow(rest, name, true)
                    || (0..name.len()).any(|at| name[at] == '/' && slow(rest, &name[at + 1..], true))
            }
            ['*', '*', rest @ ..] => (0..=name.len()).any(|at| slow(rest, &name[at..], false)),
            ['*', rest @ ..] => (0..=name.len())
                .take_while(|at| !name[..*at].contains(&'/'))
                .any(|at| slow(rest, &name[at..], false)),
            [c, rest @ ..] => name.first() == Some(c) && slow(rest, &name[1..], *c == '/'),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn matching_agrees_with_a_slow_reference(pattern in "[ab/*]{1,8}", name in "[ab/]{0,8}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            let expected = slow(&chars(&pattern), &chars(&name), true);
            prop_assert_eq!(Pattern::parse(&pattern, false).unwrap().is_match(name.as_bytes()), expected);
        }

        #[test]
        fn any_text_is_a_pattern_or_a_fault_within_the_text(text in "\\PC{0,20}|[a*{}:|/\\\\re()+?\\[\\]é]{0,20}") {
            if let Err(fault) = Pattern::parse(&text, false) {
                prop_assert!(fault.at.start <= fault.at.end && fault.at.end <= text.len());
            }
        }

        #[test]
        fn escaped_text_means_itself(text in "[a-z*{}:|/\\\\é]{1,12}") {
            let pattern = Pattern::parse(&crate::map::escape::escape(&text), false).unwrap();
            prop_assert!(pattern.is_match(text.as_bytes()) && pattern.captures.is_empty());
        }
    }
}
