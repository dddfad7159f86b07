//! The whole of a plan, and what each rule did in it.

use crate::map::diagnostic::Errors;
use crate::map::rule::RuleId;

/// How a plan came to be.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What each rule did, in the order in which rules apply: flags, then files.
    pub(crate) rules: Vec<RuleReport>,
    /// Variables that are left out, in the order of their names: by a `drop`; without a rule, because no `keep` matched
    /// or under `unmatched = "drop"`.
    pub(crate) dropped: Vec<(usize, Option<RuleId>)>,
    /// Names that variables did not get because another had more right to them.
    pub(crate) lost: Vec<Lost>,
    /// What is odd, but no reason to refuse.
    pub warnings: Errors,
    /// How many variables the source has.
    pub(crate) total: usize,
}

/// A name that went to another variable, under `collision = "first"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lost {
    /// The variable that did not get it.
    pub(crate) source: usize,
    /// The name.
    pub(crate) name: Vec<u8>,
    /// The rule that would have given it; none: its own name.
    pub(crate) rule: Option<RuleId>,
    /// The variable that has it.
    pub(crate) to: usize,
}

/// What one rule did.
#[derive(Clone, Debug)]
pub(crate) struct RuleReport {
    /// `fix.toml:12` or `--rename`
    pub(crate) place: String,
    /// `rename 'a/**' -> 'b/**'`
    pub(crate) text: String,
    /// Variables whose own names it matched, and that it acted on.
    pub(crate) hits: usize,
    /// Slots that followed their variables by it.
    pub(crate) followed: usize,
    /// One of them.
    pub(crate) example: Option<Example>,
    /// Whether it was of use.
    pub(crate) status: Status,
}

/// What a rule did to one variable, or to those that it joins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Example {
    /// The old names; none for a `create`.
    pub(crate) from: Vec<Vec<u8>>,
    /// The new names; none for a `drop`.
    pub(crate) to: Vec<Vec<u8>>,
}

impl Example {
    pub(crate) fn new(from: &[&[u8]], to: &[&[u8]]) -> Self {
        let names = |names: &[&[u8]]| {
            names.iter().filter(|name| !name.is_empty()).map(|name| name.to_vec()).collect::<Vec<_>>()
        };
        Self { from: names(from), to: names(to) }
    }
}

/// Whether a rule was of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// It acted on something.
    Used,
    /// It matched nothing.
    Unused,
    /// It matched nothing, and says that it may.
    Optional,
    /// It matched only what others had taken or dropped.
    Shadowed {
        /// The rule that took the first of them.
        by: Option<RuleId>,
    },
}

#[cfg(test)]
mod tests;
