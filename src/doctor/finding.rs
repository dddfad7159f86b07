//! A finding: what is wrong, the evidence, and what mends it.

/// The weight of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// The checkpoint cannot be restored, or not all of it, or not by this path.
    Error,
    /// It can be restored, but something is wrong that shows later.
    Warning,
    /// Nothing is wrong.
    Note,
}

/// The words for the weight of a finding.
pub(crate) const SEVERITIES: &[(&str, Severity)] =
    &[("error", Severity::Error), ("warning", Severity::Warning), ("note", Severity::Note)];

/// The kind of a finding. Its id is stable: programs may compare it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) id: &'static str,
    pub(crate) severity: Severity,
    /// The explanation in one line, for the documentation.
    pub(crate) meaning: &'static str,
}

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

/// The kinds of findings.
#[rustfmt::skip]
pub(crate) const KINDS: &[Kind] = &[
];
