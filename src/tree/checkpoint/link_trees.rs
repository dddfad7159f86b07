//! The link trees of one checkpoint, built on first access, and their ordinals in the upper half of the range.

use std::sync::OnceLock;

use crate::catalog::Catalog;
use crate::graph::Graph;
use crate::tree::checkpoint::links::{Item, Links};
use crate::tree::checkpoint::{full_names, graph_paths};

/// A link tree: its name and the function that builds it.
type Row = (&'static str, fn(&Catalog, &Graph) -> Links);

const ROWS: [Row; 2] = [("graph", graph_paths::links), ("names", full_names::links)];

/// The names of the link trees.
pub(crate) const NAMES: [&str; ROWS.len()] = [ROWS[0].0, ROWS[1].0];

/// The first ordinal of the first tree. Each tree has `1 << BITS` ordinals.
const FIRST: u32 = 1 << 31;
/// The number of bits of an ordinal within a tree.
const BITS: u32 = 30;

/// The link trees that have been built so far. Checkpoints without an object graph have none.
#[derive(Default)]
pub(crate) struct LinkTrees([OnceLock<Links>; ROWS.len()]);

/// Returns the indexes and names of a checkpoint's link trees.
pub(crate) fn of(catalog: &Catalog) -> impl Iterator<Item = (usize, &'static str)> {
    let count = if catalog.graph().is_some() { NAMES.len() } else { 0 };
    NAMES[..count].iter().copied().enumerate()
}

pub(crate) fn ordinal(tree: usize, item: Item) -> u32 {
    FIRST + ((tree as u32) << BITS) + item.number()
}

/// Returns the tree and the item of an ordinal, if it is in the upper half.
pub(crate) fn place(ordinal: u32) -> Option<(usize, Item)> {
    let n = ordinal.checked_sub(FIRST)?;
    Some(((n >> BITS) as usize, Item::of(n & ((1 << BITS) - 1))))
}

impl LinkTrees {
    pub(crate) fn is_made(&self, tree: usize) -> bool {
        self.0.get(tree).is_none_or(|links| links.get().is_some())
    }

    pub(crate) fn tree(&self, catalog: &Catalog, tree: usize) -> Option<&Links> {
        let ((_, make), graph) = (ROWS.get(tree)?, catalog.graph()?);
        Some(self.0[tree].get_or_init(|| make(catalog, graph)))
    }
}
