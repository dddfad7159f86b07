//! The plan of a map: every variable under its new name.

use std::fmt;

use crate::map::diagnostic::Errors;
use crate::map::rule::RuleId;
use crate::remap::report::Report;
use crate::remap::steps::ValuePlan;

/// The result of a map for a checkpoint's names.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The variables, sorted by new name. The names are unique.
    pub variables: Vec<Planned>,
    /// The report on the rules.
    pub report: Report,
}

/// A variable under its new name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The new name, or the old one if no rule renames the variable.
    pub name: Vec<u8>,
    /// The source's variable, as an index into the names that were planned. For joined variables, this is the first.
    /// `None` if a rule creates the variable.
    pub source: Option<usize>,
    /// The rule that gave the name. `None` if the name is the old one.
    pub rule: Option<RuleId>,
    /// The plan for the value. `None` if the value does not change.
    pub(crate) value: Option<Box<ValuePlan>>,
}

/// The error for a map that does not fit a checkpoint: all mismatches, and the results of the rules.
#[derive(Clone, Debug)]
pub struct MapMismatch {
    /// All mismatches.
    pub errors: Errors,
    /// The report with the result of each rule.
    pub(crate) report: Box<Report>,
}

impl fmt::Display for MapMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.errors.fmt(f)
    }
}

impl std::error::Error for MapMismatch {}
