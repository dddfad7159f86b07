//! The orientation of square matrices, which no shape shows. They follow the matrices that are not square and whose
//! names end in the same two components: `kernel` becomes `weight` transposed, `output_weights` becomes `weight` as it
//! is.

use std::collections::HashMap;

use crate::suggest::change::{is_square, without_ones};
use crate::suggest::words::Parts;
use crate::suggest::{Change, Item};

/// The orientations of the matrices that are not square, by the last components of both names.
#[derive(Default)]
pub(crate) struct Witnesses<'n>(HashMap<(&'n str, &'n str), Seen>);

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    transposed: bool,
    upright: bool,
}

impl<'n> Witnesses<'n> {
    /// Adds a sure pair.
    pub(crate) fn add(&mut self, have: &'n Item, want: &'n Item, change: Option<&Change>) {
        if want.shape.0.len() != 2 || without_ones(&want.shape).len() != 2 || is_square(&want.shape) {
            return;
        }
        let seen = self.0.entry((leaf(&have.name), leaf(&want.name))).or_default();
        match change {
            Some(Change::Transpose) => seen.transposed = true,
            None | Some(Change::Squeeze) => seen.upright = true,
            Some(Change::Reshape) => {}
        }
    }

    /// Returns the change of a square matrix. `None` if nothing shows its orientation.
    pub(crate) fn orient(&self, have: &Item, want: &Item, change: Option<Change>) -> Option<Option<Change>> {
        if want.shape.0.len() != 2 || !is_square(&want.shape) {
            return Some(change);
        }
        let leaves = (leaf(&have.name), leaf(&want.name));
        match (self.0.get(&leaves).copied().unwrap_or_default(), &change) {
            (Seen { transposed: true, upright: true }, _) => None,
            (Seen { transposed: true, .. }, None) => Some(Some(Change::Transpose)),
            (Seen { transposed: true, .. }, Some(_)) => None,
            (Seen { upright: true, .. }, _) => Some(change),
            // One program, or two of one framework: they store a matrix alike.
            _ => (words(leaves.0) == words(leaves.1)).then_some(change),
        }
    }
}

/// Returns a component without its numbers.
fn words(leaf: &str) -> String {
    Parts::of(leaf).template
}

/// Returns the last component of a name.
fn leaf(name: &str) -> &str {
    name.rsplit(['/', '.']).next().unwrap_or_default()
}
