//! The recognition of a failed restore by the words of TensorFlow, Keras and PyTorch. It only reads text.
//!
//! ```text
//! bytes ─ text.rs ─► lines ─ rows.rs ─► Failure { row, captures }     a path, names, shapes, dtypes
//!                        └─ script.rs ─► the program of a traceback
//! ```
//!
//! The text is hostile: a name in it may hold anything. Whatever prints a part of it escapes control characters, and quotes
//! it in a command.

mod rows;
mod script;
mod text;

use std::collections::HashSet;
use std::ops::Range;
use std::sync::LazyLock;

use regex::{Captures, Regex, RegexSet};
pub(crate) use rows::{ROWS, Row, Treatment};
pub(crate) use script::script;
pub(crate) use text::{clean, read};

use crate::tensor::Shape;

/// A failure that a text reports.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) row: &'static Row,
    /// The words that were recognized.
    pub(crate) words: String,
    /// The captured parts of the words, by the names of the row's groups.
    captured: Vec<(&'static str, String)>,
}

/// A variable that a failure is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) shape: Option<Shape>,
}

/// The names of the groups of all rows.
const GROUPS: &[&str] =
    &["path", "key", "names", "quoted", "have", "want", "shape", "stored", "layer", "why", "object"];

/// The suffix that an object-based checkpoint adds to the keys of its variables.
const VALUE: &str = "/.ATTRIBUTES/VARIABLE_VALUE";

/// The words of all rows, which are sought at once. Only the pattern of a row whose words stand in a line is tried there.
static WORDS: LazyLock<RegexSet> = LazyLock::new(|| {
    RegexSet::new(ROWS.iter().map(|row| regex::escape(row.words))).expect("the table is sound")
});

/// Finds all failures that a text reports, each once.
pub(crate) fn recognize(text: &str) -> Vec<Failure> {
    let mut patterns: Vec<Option<Regex>> = ROWS.iter().map(|_| None).collect();
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    for line in text::lines(text) {
        let mut taken: Vec<Range<usize>> = Vec::new();
        for at in &WORDS.matches(&line) {
            let row = &ROWS[at];
            let pattern =
                patterns[at].get_or_insert_with(|| Regex::new(row.pattern).expect("the table is sound"));
            let is_free = |range: &Range<usize>| {
                taken.iter().all(|other| range.end <= other.start || other.end <= range.start)
            };
            let of = |captures: &Captures<'_>| captures.get(0).map(|whole| whole.range()).unwrap_or_default();
            let free: Vec<_> =
                pattern.captures_iter(&line).filter(|captures| is_free(&of(captures))).collect();
            taken.extend(free.iter().map(of));
            let failures = free.iter().map(|captures| Failure::new(row, captures));
            found.extend(failures.filter(|failure| seen.insert((at, failure.words.clone()))));
        }
    }
    found
}

impl Failure {
    fn new(row: &'static Row, captures: &Captures<'_>) -> Self {
        let part = |group: &&'static str| Some((*group, captures.name(group)?.as_str().trim().to_owned()));
        Self { row, words: captures[0].to_owned(), captured: GROUPS.iter().filter_map(part).collect() }
    }

    /// Returns the part of the words that a group of the row captured.
    pub(crate) fn get(&self, group: &str) -> Option<&str> {
        self.captured.iter().find(|(known, _)| *known == group).map(|(_, text)| text.as_str())
    }

    /// Iterates over the captured parts.
    pub(crate) fn captured(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.captured.iter().map(|(group, text)| (*group, text.as_str()))
    }

    /// Returns the variables that the failure is about, as a checkpoint would call them.
    pub(crate) fn variables(&self) -> Vec<Named> {
        let shape = self.get("shape").and_then(shape);
        let one = self.get("key").map(|name| Named { name: plain(name), shape });
        let named = |name: &str| Named { name: plain(name), shape: None };
        let listed = self.get("names").into_iter().flat_map(|names| names.split(", ")).map(named);
        // In a list of quoted names, every other part is a name.
        let quoted = self.get("quoted").into_iter().flat_map(|names| names.split('"').skip(1).step_by(2));
        one.into_iter()
            .chain(listed)
            .chain(quoted.map(named))
            .filter(|named| !named.name.is_empty())
            .collect()
    }
}

/// Parses a shape as Python or TensorFlow writes it: `(3, 4)`, `[3,4]`, `3, 4`.
pub(crate) fn shape(text: &str) -> Option<Shape> {
    let inner = text.trim().trim_start_matches(['(', '[']).trim_end_matches([')', ']']);
    let sizes = inner.split(',').map(str::trim).filter(|size| !size.is_empty());
    Some(Shape(sizes.map(|size| size.parse().ok()).collect::<Option<_>>()?))
}

/// Returns the name without what TensorFlow adds to it: `dense/kernel:0`.
fn plain(name: &str) -> String {
    let name = name.strip_suffix(VALUE).unwrap_or(name);
    name.strip_suffix(":0").unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests;
