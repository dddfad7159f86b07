//! A finding: what is wrong, the evidence, and what mends it.

use crate::doctor::kinds::{KINDS, Severity};

/// A line that mends what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mend {
    /// A command line for a POSIX shell. It was tried, or it only looks.
    Command(String),
    /// A line of Python for the program.
    Python(String),
    /// Advice that no line can follow.
    Advice(String),
}

/// Something that an examination found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The id of a row of [`KINDS`].
    pub(crate) id: &'static str,
    pub(crate) severity: Severity,
    /// The evidence in one or more lines.
    pub(crate) evidence: String,
    /// The lines that mend it, the best first.
    pub(crate) mends: Vec<Mend>,
}

/// Returns a finding of a kind. Its severity is in the table of kinds.
pub(super) fn finding(id: &'static str, evidence: impl Into<String>, mends: Vec<Mend>) -> Finding {
    let kind = KINDS.iter().find(|kind| kind.id == id);
    debug_assert!(kind.is_some(), "no kind {id}");
    let severity = kind.map_or(Severity::Error, |kind| kind.severity);
    Finding { id, severity, evidence: evidence.into(), mends }
}
