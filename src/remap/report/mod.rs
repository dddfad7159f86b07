//! The whole of a plan, and what each rule did in it.

use crate::map::diagnostic::Errors;
use crate::map::rule::RuleId;

/// How a plan came to be.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What each rule did, in the order in which rules apply: flags, then files.
    pub rules: Vec<RuleReport>,
    /// Variables that are left out, in the order of their names: by a `drop`; without a rule, because no `keep` matched
    /// or under `unmatched = "drop"`.
    pub dropped: Vec<(usize, Option<RuleId>)>,
    /// Names that variables did not get because another had more right to them.
    pub lost: Vec<Lost>,
    /// What is odd, but no reason to refuse.
    pub warnings: Errors,
    /// How many variables the source has.
    pub total: usize,
}

/// A name that went to another variable, under `collision = "first"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The variable that did not get it.
    pub source: usize,
    /// The name.
    pub name: Vec<u8>,
    /// The rule that would have given it; none: its own name.
    pub rule: Option<RuleId>,
    /// The variable that has it.
    pub to: usize,
}

/// What one rule did.
#[derive(Clone, Debug)]
pub struct RuleReport {
    /// `fix.toml:12` or `--rename`
    pub place: String,
    /// `rename 'a/**' -> 'b/**'`
    pub text: String,
    /// Variables whose own names it matched, and that it acted on.
    pub hits: usize,
    /// Slots that followed their variables by it.
    pub followed: usize,
    /// One of them.
    pub example: Option<Example>,
    /// Whether it was of use.
    pub status: Status,
}

/// What a rule did to one variable, or to those that it joins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The old names; none for a `create`.
    pub from: Vec<Vec<u8>>,
    /// The new names; none for a `drop`.
    pub to: Vec<Vec<u8>>,
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
pub enum Status {
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
