//! Rules: the verbs, the keys each may have, and a rule once it is parsed and compiled.

use super::{
    error::{Error, Errors, Kind},
    pattern::{Caught, Fault, Pattern},
    place::{Place, Written},
    table::Table,
    template::Template,
};

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Gives a variable another name. The first that matches takes.
    Rename,
    /// Gives it one more name.
    Alias,
    /// Leaves it out.
    Drop,
    /// Leaves out all that no `keep` matches.
    Keep,
}

/// How many targets (`to`) a verb has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Targets {
    None,
    One,
    Many,
}

/// A row of the language.
pub(super) struct VerbRow {
    pub(super) name: &'static str,
    /// None: it computes values, which is not done yet.
    pub(super) verb: Option<Verb>,
    pub(super) targets: Targets,
    /// Keys of its own, beside `to` and [`COMMON_KEYS`].
    pub(super) keys: &'static [&'static str],
}

#[rustfmt::skip]
pub(super) const VERBS: &[VerbRow] = &[
    VerbRow { name: "rename",  verb: Some(Verb::Rename), targets: Targets::One,  keys: &["ops"] },
    VerbRow { name: "alias",   verb: Some(Verb::Alias),  targets: Targets::Many, keys: &["ops"] },
    VerbRow { name: "drop",    verb: Some(Verb::Drop),   targets: Targets::None, keys: &[] },
    VerbRow { name: "keep",    verb: Some(Verb::Keep),   targets: Targets::None, keys: &[] },
    VerbRow { name: "convert", verb: None,               targets: Targets::None, keys: &["ops"] },
    VerbRow { name: "join",    verb: None,               targets: Targets::One,  keys: &["axis", "ops"] },
    VerbRow { name: "split",   verb: None,               targets: Targets::Many, keys: &["axis", "sizes", "ops"] },
    VerbRow { name: "create",  verb: None,               targets: Targets::None, keys: &["dtype", "shape", "value"] },
];

/// Keys that every rule may have.
pub(super) const COMMON_KEYS: &[&str] = &["optional", "ignore_case", "follow_slots", "match"];

/// Which of a variable's names a pattern is held against. For a name-based checkpoint they are all its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchOn {
    /// The key in the index.
    Key,
    /// A path of the object graph.
    Path,
    /// The name that the variable had in its program.
    FullName,
}

pub(super) const MATCH_ON: &[(&str, MatchOn)] =
    &[("key", MatchOn::Key), ("path", MatchOn::Path), ("full_name", MatchOn::FullName)];

/// Which variables a rule means.
#[derive(Clone, Debug)]
pub(super) enum Matcher {
    Pattern(Pattern),
    /// Optimizer state by its role, whatever its names: `--drop-optimizer`, `drop = { role = "optimizer" }`.
    Optimizer,
}

/// The key that says a role instead of a pattern, and the one role there is.
pub(super) const ROLE: &str = "role";
pub(super) const OPTIMIZER: &str = "optimizer";

/// A rule of the map, with the place it was written at.
#[derive(Clone, Debug)]
pub struct Rule {
    pub(super) verb: Verb,
    pub(super) matcher: Matcher,
    /// What was written as its pattern.
    pub(super) from: Written,
    pub(super) targets: Vec<(Template, Written)>,
    pub(super) optional: bool,
    pub(super) follow_slots: bool,
    pub(super) match_on: Option<MatchOn>,
    pub(super) text: String,
}

/// The keys of a rule that are not its verb, pattern and targets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    pub(super) optional: bool,
    pub(super) ignore_case: bool,
    pub(super) follow_slots: bool,
    pub(super) match_on: Option<MatchOn>,
}

impl Default for Manner {
    fn default() -> Self {
        Self { optional: false, ignore_case: false, follow_slots: true, match_on: None }
    }
}

impl Rule {
    /// Compiles a rule, or says all that is wrong with its pattern and targets.
    pub(super) fn new(
        verb: Verb,
        from: Written,
        targets: Vec<Written>,
        manner: Manner,
        tables: &[Table],
        errors: &mut Errors,
    ) -> Option<Self> {
        let pattern = match Pattern::parse(&from.text, manner.ignore_case) {
            Ok(pattern) => pattern,
            Err(fault) => {
                errors.push(fault.place_in(&from));
                return None;
            }
        };
        let text = rule_text(verb, &from, &targets);
        let mut compiled = vec![];
        for target in targets {
            match Template::parse(&target.text, &pattern, tables) {
                Ok(template) => compiled.push((template, target)),
                Err(faults) => {
                    faults.into_iter().for_each(|fault| errors.push(fault.place_in(&target)));
                    return None;
                }
            }
        }
        let Manner { optional, follow_slots, match_on, .. } = manner;
        let matcher = Matcher::Pattern(pattern);
        Some(Self { verb, matcher, from, targets: compiled, optional, follow_slots, match_on, text })
    }

    /// A rule that drops optimizer state. `from` is where it was written.
    pub(super) fn drop_optimizer(from: Written, manner: Manner) -> Self {
        let Manner { optional, follow_slots, match_on, .. } = manner;
        let (verb, matcher, text) = (Verb::Drop, Matcher::Optimizer, "drop-optimizer".into());
        Self { verb, matcher, from, targets: vec![], optional, follow_slots, match_on, text }
    }

    /// What it does.
    pub fn verb(&self) -> Verb {
        self.verb
    }

    /// Where it was written: `fix.toml:12`, `--rename`.
    pub fn place(&self) -> &Place {
        &self.from.place
    }

    /// The rule in one line: `rename 'a/**' -> 'b/**'`.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Which of a variable's names it looks at; none: all of them.
    pub fn match_on(&self) -> Option<MatchOn> {
        self.match_on
    }

    pub(super) fn is_flag(&self) -> bool {
        self.place().source.is_flag
    }

    pub(super) fn pattern(&self) -> Option<&Pattern> {
        match &self.matcher {
            Matcher::Pattern(pattern) => Some(pattern),
            Matcher::Optimizer => None,
        }
    }

    pub(super) fn captures<'n>(&self, name: &'n [u8]) -> Option<Caught<'n>> {
        self.pattern()?.captures(name)
    }
}

fn rule_text(verb: Verb, from: &Written, targets: &[Written]) -> String {
    let row = VERBS.iter().find(|row| row.verb == Some(verb)).map_or("", |row| row.name);
    let targets: Vec<_> = targets.iter().map(|target| format!("'{}'", target.text)).collect();
    let arrow = if targets.is_empty() { "" } else { " -> " };
    format!("{row} '{}'{arrow}{}", from.text, targets.join(", "))
}

impl Fault {
    /// The fault as an error at its place.
    pub(super) fn place_in(self, written: &Written) -> Error {
        Error::new(Kind::Pattern, &written.part(self.at), self.what).helps(self.help)
    }
}
