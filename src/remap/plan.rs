//! The plan: every variable under its new name.

use std::fmt;

use crate::map::diagnostic::Errors;
use crate::map::rule::RuleId;
use crate::remap::report::Report;
use crate::remap::steps::ValuePlan;
/// What a map makes of a checkpoint's names.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Sorted by new name; no name twice.
    pub variables: Vec<Planned>,
    /// How it came to be.
    pub report: Report,
}

/// One variable under its new name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The new name; the old one if nothing renames it.
    pub name: Vec<u8>,
    /// The source's variable, as an index into the names that were planned; of several that are joined the first. None
    /// for what a rule makes of nothing.
    pub source: Option<usize>,
    /// The rule that gave the name; none if it is the old one.
    pub rule: Option<RuleId>,
    /// How its value is made; none: it is the source's.
    pub(crate) value: Option<Box<ValuePlan>>,
}

/// A map that does not fit a checkpoint: everything that is wrong, and what the rules did all the same.
#[derive(Clone, Debug)]
pub struct MapMismatch {
    /// All misfits at once.
    pub errors: Errors,
    /// What each rule did.
    pub(crate) report: Box<Report>,
}

impl fmt::Display for MapMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.errors.fmt(f)
    }
}

impl std::error::Error for MapMismatch {}
