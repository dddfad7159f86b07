//! The suggestion of a map: from two lists of names, shapes and dtypes to pairs, with the reason for each and an honest
//! doubt.
//!
//! ```text
//! HAVE ─► Item ─┐
//!               ├─ suggest ─► Suggestion: one Pair for each wanted variable ─► rules ─► TOML
//! WANT ─► Item ─┘
//! ```
//!
//! Only pairs of which the suggestion is [sure](Confidence::Sure) are ever applied.

use crate::catalog::Catalog;
use crate::dtype::Dtype;
use crate::tensor::Shape;

/// A variable of one of the two sides.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// The name, as `ls` shows it and as a map's pattern matches it.
    pub(crate) name: String,
    pub(crate) dtype: Dtype,
    pub(crate) shape: Shape,
    /// The name in the program that saved it, if it is recorded beside the name.
    pub(crate) full_name: Option<String>,
}

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

/// Returns the variables of a catalog. Those whose names are not UTF-8 are left out, because no map can name them.
pub(crate) fn items(catalog: &Catalog) -> Vec<Item> {
    let text = |name: &crate::name::Name| str::from_utf8(name.as_bytes()).ok().map(str::to_owned);
    let item = |variable: &crate::catalog::Variable| {
        let (dtype, shape) = (variable.tensor.dtype, variable.tensor.shape.clone());
        let full_name = variable.full_name.as_ref().and_then(text);
        Some(Item { name: text(&variable.name)?, dtype, shape, full_name })
    };
    catalog.variables.iter().filter_map(item).collect()
}

/// Suggests a source for each wanted variable.
pub(crate) fn suggest(have: &[Item], want: &[Item]) -> Suggestion {
    let pair = |wanted: &Item| {
        let have = have.iter().position(|item| item.name == wanted.name && item.shape == wanted.shape);
        let (confidence, reason) = match have {
            Some(_) => (Confidence::Sure, "by name"),
            None => (Confidence::Missing, "nothing fits"),
        };
        Pair { have, change: None, confidence, reason: reason.into(), others: vec![] }
    };
    Suggestion { pairs: want.iter().map(pair).collect() }
}
