//! The result of a suggestion: the source of each wanted variable, the trust in it, and the reason.

/// The trust in a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Confidence {
    /// No variable of the source fits.
    Missing,
    /// Several variables of the source fit about as well.
    Ambiguous,
    /// One variable of the source fits best, and a doubt is left.
    Likely,
    /// Nothing speaks for another variable.
    Sure,
}

/// The words for the trust in a pair.
pub(crate) const CONFIDENCES: &[(&str, Confidence)] = &[
    ("sure", Confidence::Sure),
    ("likely", Confidence::Likely),
    ("ambiguous", Confidence::Ambiguous),
    ("missing", Confidence::Missing),
];

impl Confidence {
    /// Returns the word for it.
    pub(crate) fn word(self) -> &'static str {
        CONFIDENCES.iter().find(|(_, known)| *known == self).map_or("", |(word, _)| *word)
    }
}

/// The change of a value's layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The two axes are swapped.
    Transpose,
    /// Axes of size 1 are removed or added.
    Squeeze,
    /// The elements keep their order under another shape.
    Reshape,
}

/// The words for the changes: the names of the map's ops.
pub(crate) const CHANGES: &[(&str, Change)] =
    &[("transpose", Change::Transpose), ("squeeze", Change::Squeeze), ("reshape", Change::Reshape)];

/// The source of one wanted variable.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    /// The variable of the source, by its index. `None` if it is missing.
    pub(crate) have: Option<usize>,
    /// The change that the value needs.
    pub(crate) change: Option<Change>,
    pub(crate) confidence: Confidence,
    /// The reason for the pair, or for the doubt: `by name`, `by number: 12 layers there and here`.
    pub(crate) reason: String,
    /// The other variables of the source that fit about as well.
    pub(crate) others: Vec<usize>,
}

/// The sources of all wanted variables.
#[derive(Clone, Debug, Default)]
pub(crate) struct Suggestion {
    /// The source of each wanted variable, in WANT's order.
    pub(crate) pairs: Vec<Pair>,
}
