//! The report on a plan: the results of each rule, dropped variables, lost names and warnings.

use crate::map::diagnostic::Errors;
use crate::map::rule::RuleId;

/// The report on a plan.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The report on each rule, in the order in which rules apply: flags, then files.
    pub(crate) rules: Vec<RuleReport>,
    /// The variables that are left out, in the order of their names, each with its `drop`. The rule is `None` if no
    /// `keep` matched the variable, or if `unmatched = "drop"` dropped it.
    pub(crate) dropped: Vec<(usize, Option<RuleId>)>,
    /// The names that variables did not get because another variable took precedence.
    pub(crate) lost: Vec<Lost>,
    /// The warnings: unusual results that are not errors.
    pub warnings: Errors,
    /// The warnings about casts to a dtype with a narrower range. They depend on the values, so `check` prints them
    /// and a mount does not.
    pub(crate) casts: Errors,
    /// The number of variables in the source.
    pub(crate) total: usize,
}

impl Report {
    /// Returns true if some rule matched nothing. That is an error for a rule of a flag, and an error or a warning for
    /// a rule of a file.
    pub fn has_unused_rules(&self) -> bool {
        self.rules.iter().any(|rule| rule.status == Status::Unused)
    }
}

/// A name that went to another variable, under `collision = "first"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lost {
    /// The variable that did not get the name.
    pub(crate) source: usize,
    /// The name.
    pub(crate) name: Vec<u8>,
    /// The rule that would have given the name. `None` if it is the variable's own name.
    pub(crate) rule: Option<RuleId>,
    /// The variable that has the name.
    pub(crate) to: usize,
}

/// The report on one rule.
#[derive(Clone, Debug)]
pub(crate) struct RuleReport {
    /// The place of the rule: `fix.toml:12` or `--rename`.
    pub(crate) place: String,
    /// The rule in one line: `rename 'a/**' -> 'b/**'`.
    pub(crate) text: String,
    /// The number of variables that the rule matched directly and acted on.
    pub(crate) hits: usize,
    /// The number of slots that followed their variables by this rule.
    pub(crate) followed: usize,
    /// The result for one of these variables.
    pub(crate) example: Option<Example>,
    /// The status of the rule.
    pub(crate) status: Status,
}

/// The result of a rule for one variable, or for the variables that it joins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Example {
    /// The old names. Empty for a `create`.
    pub(crate) from: Vec<Vec<u8>>,
    /// The new names. Empty for a `drop`.
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

/// The status of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// A rule that acted on something.
    Used,
    /// A rule that matched nothing.
    Unused,
    /// An optional rule that matched nothing.
    Optional,
    /// A rule that matched only variables that other rules had taken or dropped.
    Shadowed {
        /// The rule that took the first of these variables.
        by: Option<RuleId>,
    },
}

#[cfg(test)]
mod tests;
