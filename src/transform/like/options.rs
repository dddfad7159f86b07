//! The flags that decide what `--like` leaves open: `--missing`, `--fit`, `--pair`, `--new`.

use crate::map::escape::find_unescaped;
use crate::map::pattern::Pattern;
use crate::transform::like::names::Names;

/// The values for a missing variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// The neutral value: zeros, ones for a scale, or empty strings.
    Zeros,
    /// WANTED's own values.
    Like,
}

/// The values of `--missing`.
pub(crate) const MISSING: &[(&str, Missing)] = &[("zeros", Missing::Zeros), ("like", Missing::Like)];

/// The values for the rest of a variable that is too short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// WANTED's own values.
    Like,
}

/// The values of `--fit`.
pub(crate) const FIT: &[(&str, Fit)] = &[("like", Fit::Like)];

/// The evidence that pairs the variables of two checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Matching {
    /// The full names, which the programs that saved the checkpoints gave.
    Name,
    /// The paths and keys, also where they only count.
    Position,
}

/// The values of `--match`.
pub(crate) const MATCHINGS: &[(&str, Matching)] =
    &[("name", Matching::Name), ("position", Matching::Position)];

/// One occurrence of `--missing` or `--fit`: `[PATTERN=]WORD`.
#[derive(Clone, Debug)]
pub(crate) struct Rule<T> {
    /// The pattern of WANTED's names. `None` if the rule is for all.
    pub(crate) names: Option<Selector>,
    /// The value.
    pub(crate) value: T,
}

/// A selection of variables: a pattern, a name, or a scope or layer in the program's own words.
#[derive(Clone, Debug)]
pub(crate) struct Selector {
    /// The text as typed.
    pub(crate) text: String,
    pattern: Pattern,
}

/// One `--pair HAVE=WANTED`.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) have: Selector,
    pub(crate) want: Selector,
}

/// What the flags decide.
#[derive(Clone, Debug, Default)]
pub(crate) struct Choices {
    /// The values of variables without a match. The first rule that matches counts.
    pub(crate) missing: Vec<Rule<Missing>>,
    /// The treatment of variables that are too short. The first rule that matches counts.
    pub(crate) fit: Vec<Rule<Fit>>,
    /// The variables and layers that belong together.
    pub(crate) pairs: Vec<Pair>,
    /// The variables and layers that the source does not have.
    pub(crate) new: Vec<Selector>,
}

impl<T: Copy> Rule<T> {
    /// Parses `[PATTERN=]WORD`, split at the last `=`.
    ///
    /// # Errors
    /// The known words, or the fault of the pattern.
    pub(crate) fn parse(text: &str, words: &[(&str, T)]) -> Result<Self, String> {
        let (names, word) = text.rsplit_once('=').map_or((None, text), |(names, word)| (Some(names), word));
        let value = words.iter().find(|(known, _)| *known == word).map(|(_, value)| *value);
        let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        let value = value.ok_or_else(|| format!("it is {}, or PATTERN={}", known.join(" or "), known[0]))?;
        Ok(Self { names: names.map(Selector::parse).transpose()?, value })
    }
}

impl Selector {
    /// Parses a pattern.
    ///
    /// # Errors
    /// The fault of the pattern.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let pattern = Pattern::parse(text, false).map_err(|fault| fault.what)?;
        match text.is_empty() {
            true => Err("the pattern is empty".into()),
            false => Ok(Self { text: text.to_owned(), pattern }),
        }
    }

    /// Returns the variables that it selects, each with the rest of its name after the selected scope or layer.
    /// `names` has the names of each variable.
    pub(crate) fn select<'n>(&self, names: &'n [Names]) -> Vec<(usize, &'n [u8])> {
        let by = |rest: &dyn Fn(&'n [u8]) -> Option<&'n [u8]>| {
            let found =
                names.iter().enumerate().filter_map(|(at, names)| Some((at, names.all().find_map(rest)?)));
            found.collect::<Vec<_>>()
        };
        let Some(literal) = self.pattern.literal() else {
            return by(&|name| self.pattern.is_match(name).then_some(name));
        };
        let (literal, empty): (_, &[u8]) = (literal.trim_end_matches('/').as_bytes(), &[]);
        let exact = by(&|name| (name == literal).then_some(empty));
        if !exact.is_empty() {
            return exact;
        }
        let scope = by(&|name| name.strip_prefix(literal)?.strip_prefix(b"/"));
        if scope.is_empty() { by(&|name| below_layer(name, literal)) } else { scope }
    }
}

/// Returns the rest of a name after the layer `layer`, which is a component or several in the middle of the name.
fn below_layer<'n>(name: &'n [u8], layer: &[u8]) -> Option<&'n [u8]> {
    let starts = name.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at + 1);
    let mut rests = starts.filter_map(|start| name[start..].strip_prefix(layer)?.strip_prefix(b"/"));
    rests.next()
}

impl Pair {
    /// Parses `HAVE=WANTED`, split at the first `=` without a backslash before it.
    ///
    /// # Errors
    /// The form, or the fault of a name.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let at =
            find_unescaped(text, '=').ok_or("it is HAVE=WANTED: a name in the source and one in WANTED")?;
        let side = |text: &str| Selector::parse(text);
        Ok(Self { have: side(&text[..at])?, want: side(&text[at + 1..])? })
    }

    /// Returns the pair as typed.
    pub(crate) fn text(&self) -> String {
        format!("{}={}", self.have.text, self.want.text)
    }
}

impl Choices {
    /// Returns true if a flag is given that needs `--like`.
    pub(crate) fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.fit.is_empty() && self.pairs.is_empty() && self.new.is_empty()
    }
}

/// Returns for each variable the first rule that names it, or else the first rule for all: its value, and true if a
/// pattern names the variable.
pub(crate) fn chosen<T: Copy>(rules: &[Rule<T>], names: &[Names]) -> Vec<Option<(T, bool)>> {
    let mut chosen = vec![None; names.len()];
    let (named, rest): (Vec<_>, Vec<_>) = rules.iter().partition(|rule| rule.names.is_some());
    for rule in named.into_iter().chain(rest) {
        let is_named = rule.names.is_some();
        let selected: Vec<usize> = match &rule.names {
            Some(selector) => selector.select(names).into_iter().map(|(at, _)| at).collect(),
            None => (0..names.len()).collect(),
        };
        for at in selected {
            chosen[at].get_or_insert((rule.value, is_named));
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[(&str, &str)]) -> Vec<Names> {
        let one = |(path, full_name): &(&str, &str)| Names {
            paths: vec![path.as_bytes().to_vec()],
            full_name: Some(full_name.as_bytes().to_vec()).filter(|name| !name.is_empty()),
        };
        names.iter().map(one).collect()
    }

    fn selected(text: &str, all: &[(&str, &str)]) -> Vec<(usize, String)> {
        let names = names(all);
        let found = Selector::parse(text).unwrap().select(&names);
        found.into_iter().map(|(at, rest)| (at, String::from_utf8(rest.to_vec()).unwrap())).collect()
    }

    #[test]
    fn a_selector_is_a_name_a_scope_a_layer_or_a_pattern() {
        let all = [
            ("model/_operations/1/kernel", "net/dense/kernel"),
            ("model/_operations/2/kernel", "net/dense_1/kernel"),
            ("emb", ""),
        ];
        assert_eq!(selected("emb", &all), [(2, String::new())]);
        assert_eq!(selected("model/_operations/2", &all), [(1, "kernel".into())]);
        assert_eq!(selected("net/dense", &all), [(0, "kernel".into())]);
        assert_eq!(selected("dense_1", &all), [(1, "kernel".into())]);
        assert_eq!(selected("**/kernel", &all).len(), 2);
        assert!(selected("dens", &all).is_empty());
    }

    #[test]
    fn the_first_rule_that_names_a_variable_counts() {
        let rules = ["a=like", "zeros", "b=like"].map(|text| Rule::parse(text, MISSING).unwrap());
        let found = chosen(&rules, &names(&[("a", ""), ("b", ""), ("c", "")]));
        assert_eq!(
            found,
            [Some((Missing::Like, true)), Some((Missing::Like, true)), Some((Missing::Zeros, false))]
        );
    }

    #[test]
    fn an_invalid_flag_is_an_error_that_says_the_form() {
        assert!(Rule::parse("ones", MISSING).unwrap_err().contains("zeros or like"));
        assert!(Rule::parse("=like", MISSING).is_err());
        assert!(Rule::parse("{=like", MISSING).is_err());
        assert!(Pair::parse("a").unwrap_err().contains("HAVE=WANTED"));
        assert_eq!(Pair::parse(r"a\=b=c").unwrap().have.text, r"a\=b");
    }
}
