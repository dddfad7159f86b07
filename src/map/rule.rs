//! Rules: the verbs, the keys that each verb may have, and parsed and compiled rules.

use crate::map::diagnostic::{Error, Errors, Kind, counted};
use crate::map::lookup::Table;
use crate::map::ops::concat::Division;
use crate::map::ops::create::Creation;
use crate::map::ops::{WrittenOp, concat as division, create as creation};
use crate::map::pattern::{Captures, Fault, Pattern};
use crate::map::span::{Span, SpannedStr};
use crate::map::template::Template;

/// The action of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Gives a variable another name. The first rule that matches takes the variable.
    Rename,
    /// Gives a variable an additional name.
    Alias,
    /// Leaves a variable out.
    Drop,
    /// Leaves out every variable that no `keep` matches.
    Keep,
    /// Changes a variable's value, under any name.
    Convert,
    /// Makes one variable of several, and takes them.
    Join,
    /// Makes several variables of one, and takes it.
    Split,
    /// Adds a variable that the source does not have.
    Create,
}

/// The number of targets (`to`) that a verb has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Targets {
    None,
    One,
    Many,
}

/// A verb of the map language: a row of [`VERBS`].
pub(crate) struct VerbRow {
    pub(crate) name: &'static str,
    pub(crate) verb: Verb,
    pub(crate) targets: Targets,
    /// True if the rule may have `ops`.
    pub(crate) ops: bool,
    /// The keys that are specific to the verb, in addition to `to`, `ops` and [`COMMON_KEYS`].
    pub(crate) keys: &'static [&'static [&'static str]],
}

#[rustfmt::skip]
pub(crate) const VERBS: &[VerbRow] = &[
    VerbRow { name: "rename",  verb: Verb::Rename,  targets: Targets::One,  ops: true,  keys: &[] },
    VerbRow { name: "alias",   verb: Verb::Alias,   targets: Targets::Many, ops: true,  keys: &[] },
    VerbRow { name: "drop",    verb: Verb::Drop,    targets: Targets::None, ops: false, keys: &[] },
    VerbRow { name: "keep",    verb: Verb::Keep,    targets: Targets::None, ops: false, keys: &[] },
    VerbRow { name: "convert", verb: Verb::Convert, targets: Targets::None, ops: true,  keys: &[] },
    VerbRow { name: "join",    verb: Verb::Join,    targets: Targets::One,  ops: true,  keys: &[division::KEYS] },
    VerbRow { name: "split",   verb: Verb::Split,   targets: Targets::Many, ops: true,  keys: &[division::KEYS, &["sizes"]] },
    VerbRow { name: "create",  verb: Verb::Create,  targets: Targets::None, ops: false, keys: &[creation::KEYS] },
];

/// The key of the operations on values.
pub(crate) const OPS: &str = "ops";

/// Keys that every rule may have.
pub(crate) const COMMON_KEYS: &[&str] = &["optional", "ignore_case", "follow_slots", "match"];

/// The name of a variable that a pattern is compared with. In a name-based checkpoint, all of these are the
/// variable's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchOn {
    /// The key in the index.
    Key,
    /// A path of the object graph.
    Path,
    /// The name that the variable had in the program that saved it.
    FullName,
}

pub(crate) const MATCH_ON: &[(&str, MatchOn)] =
    &[("key", MatchOn::Key), ("path", MatchOn::Path), ("full_name", MatchOn::FullName)];

/// The selection of the variables that a rule applies to.
#[derive(Clone, Debug)]
pub(crate) enum Matcher {
    Pattern(Pattern),
    /// The variables that a `join` joins, one pattern for each. All patterns capture the same stars and names.
    Members(Vec<Pattern>),
    /// Optimizer state, selected by its role instead of its names: `--drop-optimizer`, `drop = { role = "optimizer"
    /// }`.
    Optimizer,
    /// The variables without values, by their positions: `--salvage`, `drop = { role = "damaged" }`. The positions are
    /// filled in when the map is applied.
    Damaged(Vec<usize>),
    /// The empty selection: the rule creates a variable.
    Nothing,
}

/// The way in which a rule makes values that do not come from exactly one variable.
#[derive(Clone, Debug)]
pub(crate) enum NewValue {
    Join(Division),
    Split(Division),
    Create(Creation),
}

/// The key that selects by role instead of by pattern.
pub(crate) const ROLE: &str = "role";
pub(crate) const OPTIMIZER: &str = "optimizer";
pub(crate) const DAMAGED: &str = "damaged";

/// A function that returns the rule for a role, from the place where it was written.
pub(crate) type DropByRole = fn(SpannedStr, RuleFlags) -> Rule;

/// The roles that a `drop` can select.
pub(crate) const ROLES: &[(&str, DropByRole)] =
    &[(OPTIMIZER, Rule::drop_optimizer), (DAMAGED, Rule::drop_damaged)];

/// A rule of the map, with the place where it was written.
#[derive(Clone, Debug)]
pub struct Rule {
    pub(crate) verb: Verb,
    pub(crate) matcher: Matcher,
    /// The text of its pattern. A `join` has several.
    pub(crate) from: Vec<SpannedStr>,
    pub(crate) targets: Vec<(Template, SpannedStr)>,
    pub(crate) optional: bool,
    pub(crate) follow_slots: bool,
    pub(crate) match_on: Option<MatchOn>,
    /// The operations on the value.
    pub(crate) ops: Vec<WrittenOp>,
    pub(crate) new_value: Option<NewValue>,
    /// The keys about values, as they are written.
    pub(crate) given: Vec<(&'static str, toml::Value)>,
    pub(crate) text: String,
}

/// The keys of a rule that are not its verb, pattern and targets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RuleFlags {
    pub(crate) optional: bool,
    pub(crate) ignore_case: bool,
    pub(crate) follow_slots: bool,
    pub(crate) match_on: Option<MatchOn>,
}

impl Default for RuleFlags {
    fn default() -> Self {
        Self { optional: false, ignore_case: false, follow_slots: true, match_on: None }
    }
}

impl Rule {
    /// Compiles a rule. Reports all faults of its pattern, or of the first faulty target.
    pub(crate) fn new(
        verb: Verb,
        from: SpannedStr,
        targets: Vec<SpannedStr>,
        manner: RuleFlags,
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
        let compiled = templates(&pattern, &targets, tables, errors)?;
        let matcher = Matcher::Pattern(pattern);
        Some(Self::made(verb, matcher, vec![from], compiled, manner))
    }

    /// Compiles a rule that joins the variables that the `members` patterns match.
    pub(crate) fn join(
        members: Vec<SpannedStr>,
        target: SpannedStr,
        manner: RuleFlags,
        tables: &[Table],
        errors: &mut Errors,
    ) -> Option<Self> {
        let parsed: Vec<_> = members
            .iter()
            .map(|member| {
                let pattern = Pattern::parse(&member.text, manner.ignore_case);
                pattern.map_err(|fault| errors.push(fault.place_in(member))).ok()
            })
            .collect();
        let patterns = parsed.into_iter().collect::<Option<Vec<_>>>()?;
        let first = patterns.first()?;
        for (pattern, member) in patterns.iter().zip(&members) {
            if pattern.has_capture() != first.has_capture() {
                let what =
                    format!("{} where `{}` catches {}", captures(pattern), first.text, captures(first));
                let what = format!("`{}` catches {what}", pattern.text);
                let error = Error::new(Kind::Pattern, &member.span, what);
                errors.push(error.help("the members of a group are those that catch the same"));
                return None;
            }
        }
        let compiled = templates(first, &[target], tables, errors)?;
        Some(Self::made(Verb::Join, Matcher::Members(patterns), members, compiled, manner))
    }

    /// Returns a rule that drops optimizer state. `from` is the place where it was written.
    pub(crate) fn drop_optimizer(from: SpannedStr, manner: RuleFlags) -> Self {
        let rule = Self::made(Verb::Drop, Matcher::Optimizer, vec![from], vec![], manner);
        Self { text: "drop-optimizer".into(), ..rule }
    }

    /// Returns a rule that drops the variables without values, but not their slots. Mostly there are none.
    pub(crate) fn drop_damaged(from: SpannedStr, manner: RuleFlags) -> Self {
        let manner = RuleFlags { optional: true, follow_slots: false, ..manner };
        let rule = Self::made(Verb::Drop, Matcher::Damaged(Vec::new()), vec![from], vec![], manner);
        Self { text: "salvage".into(), ..rule }
    }

    /// Returns the rule for the variables without values, whose positions are given. `None` if it selects others.
    pub(crate) fn of_damaged(&self, positions: &[usize]) -> Option<Self> {
        let is_damaged = matches!(self.matcher, Matcher::Damaged(_));
        is_damaged.then(|| Self { matcher: Matcher::Damaged(positions.to_vec()), ..self.clone() })
    }

    /// Returns a rule that creates a variable with this name.
    pub(crate) fn create(name: SpannedStr, creation: Creation, manner: RuleFlags) -> Self {
        let rule = Self::made(Verb::Create, Matcher::Nothing, vec![name], vec![], manner);
        Self { new_value: Some(NewValue::Create(creation)), ..rule }
    }

    fn made(
        verb: Verb,
        matcher: Matcher,
        from: Vec<SpannedStr>,
        targets: Vec<(Template, SpannedStr)>,
        manner: RuleFlags,
    ) -> Self {
        let text = rule_text(verb, &from, &targets);
        let RuleFlags { optional, follow_slots, match_on, .. } = manner;
        let (ops, new_value, given) = Default::default();
        Self { verb, matcher, from, targets, optional, follow_slots, match_on, ops, new_value, given, text }
    }

    /// Returns the same rule with the texts of another pattern and other targets.
    pub(crate) fn spelled(self, from: Vec<SpannedStr>, targets: Vec<(Template, SpannedStr)>) -> Self {
        let text = rule_text(self.verb, &from, &targets);
        Self { from, targets, text, ..self }
    }

    /// Returns the verb.
    pub(crate) fn verb(&self) -> Verb {
        self.verb
    }

    /// Returns the place where the rule was written: `fix.toml:12`, `--rename`.
    pub(crate) fn span(&self) -> &Span {
        &self.from().span
    }

    /// Returns the rule in one line: `rename 'a/**' -> 'b/**'`.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Returns the text of its first pattern.
    pub(crate) fn from(&self) -> &SpannedStr {
        &self.from[0]
    }

    pub(crate) fn is_flag(&self) -> bool {
        self.span().source.is_flag
    }

    pub(crate) fn pattern(&self) -> Option<&Pattern> {
        match &self.matcher {
            Matcher::Pattern(pattern) => Some(pattern),
            Matcher::Members(_) | Matcher::Optimizer | Matcher::Damaged(_) | Matcher::Nothing => None,
        }
    }

    /// Returns all its patterns.
    pub(crate) fn patterns(&self) -> &[Pattern] {
        match &self.matcher {
            Matcher::Pattern(pattern) => std::slice::from_ref(pattern),
            Matcher::Members(patterns) => patterns,
            Matcher::Optimizer | Matcher::Damaged(_) | Matcher::Nothing => &[],
        }
    }

    /// Returns the captures of the first of its patterns that matches.
    pub(crate) fn captures<'n>(&self, name: &'n [u8]) -> Option<Captures<'n>> {
        self.patterns().iter().find_map(|pattern| pattern.captures(name))
    }

    /// Returns true if one of its patterns matches the name.
    pub(crate) fn is_match(&self, name: &[u8]) -> bool {
        self.patterns().iter().any(|pattern| pattern.is_match(name))
    }

    /// Returns true if the rule takes a variable. The first such rule that matches takes it.
    pub(crate) fn takes(&self) -> bool {
        matches!(self.verb, Verb::Rename | Verb::Split | Verb::Join)
    }

    /// Returns true if the rule selects every variable: `**`.
    pub(crate) fn means_all(&self) -> bool {
        self.pattern().is_some_and(|pattern| pattern.text == "**")
    }
}

fn templates(
    pattern: &Pattern,
    targets: &[SpannedStr],
    tables: &[Table],
    errors: &mut Errors,
) -> Option<Vec<(Template, SpannedStr)>> {
    let mut compiled = vec![];
    for target in targets {
        match Template::parse(&target.text, pattern, tables) {
            Ok(template) => compiled.push((template, target.clone())),
            Err(faults) => {
                faults.into_iter().for_each(|fault| errors.push(fault.place_in(target)));
                return None;
            }
        }
    }
    Some(compiled)
}

/// Describes the stars and names that a pattern captures.
fn captures(pattern: &Pattern) -> String {
    let (stars, names) = pattern.has_capture();
    let stars = (stars > 0).then(|| counted(stars, "star"));
    let all: Vec<_> = stars.into_iter().chain(names.iter().map(|name| format!("`{name}`"))).collect();
    if all.is_empty() { "nothing".into() } else { all.join(", ") }
}

fn rule_text(verb: Verb, from: &[SpannedStr], targets: &[(Template, SpannedStr)]) -> String {
    let row = VERBS.iter().find(|row| row.verb == verb).map_or("", |row| row.name);
    let list = |texts: &mut dyn Iterator<Item = &SpannedStr>| {
        texts.map(|written| format!("'{}'", written.text)).collect::<Vec<_>>().join(", ")
    };
    let (from, to) = (list(&mut from.iter()), list(&mut targets.iter().map(|(_, target)| target)));
    let arrow = if to.is_empty() { "" } else { " -> " };
    format!("{row} {from}{arrow}{to}")
}

impl Fault {
    /// Converts the fault to an error at its place.
    pub(crate) fn place_in(self, written: &SpannedStr) -> Error {
        Error::new(Kind::Pattern, &written.part(self.at), self.what).helps(self.help)
    }
}

/// The identifier of a rule: its position in the order in which rules apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(u32);

impl RuleId {
    pub(crate) fn at(index: usize) -> Self {
        Self(index as u32)
    }

    /// Returns the rule's index in the report's list of rules, which is the order in which rules apply.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}
