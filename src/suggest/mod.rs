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

mod assignment;
mod change;
mod doubt;
mod keras_vars;
mod leaf_role;
mod learned;
pub(crate) mod map;
mod merge;
pub(crate) mod missing_name;
mod name_system;
mod ops;
mod orientation;
mod pool;
mod problem;
mod replay;
pub(crate) mod rule;
pub(crate) mod rules;
mod side;
mod slot;
mod solution;
mod synonyms;
mod template;
#[cfg(test)]
mod tests;
pub(crate) mod toml;
mod variables;
mod vocabulary;
mod words;

use std::collections::BTreeSet;

use crate::catalog::{Catalog, Variable};
use crate::dtype::Dtype;
use crate::name::Name;
use crate::slot_names::{Slot, slots};
use crate::suggest::name_system::systems;
use crate::tensor::Shape;
use crate::transform::like::role::{Role, roles};

/// A variable of one of the two sides.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// The name, as `ls` shows it and as a map's pattern matches it.
    pub(crate) name: String,
    pub(crate) dtype: Dtype,
    pub(crate) shape: Shape,
    /// The name in the program that saved it, if it is recorded beside the name.
    pub(crate) full_name: Option<String>,
    /// What it is if it is no weight. Only state of the same kind pairs.
    pub(crate) state: Option<State>,
}

/// The state of an optimizer, an average, or a counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    /// The class of the optimizer and the name of the value, as far as they are known: `adam m`, `counter global_step`.
    pub(crate) kind: String,
    /// The weight that it belongs to.
    pub(crate) of: Option<String>,
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

/// Returns the variables of a catalog. Those whose names are not UTF-8 are left out, because no map can name them.
pub(crate) fn items(catalog: &Catalog) -> Vec<Item> {
    both_names(catalog).into_iter().map(|(item, _)| item).collect()
}

/// Returns the same variables under the names that they had before any map.
pub(crate) fn originals(catalog: &Catalog) -> Vec<Item> {
    both_names(catalog).into_iter().map(|(item, name)| Item { name, ..item }).collect()
}

/// Returns each variable, and its name before any map.
fn both_names(catalog: &Catalog) -> Vec<(Item, String)> {
    let text = |name: &Name| str::from_utf8(name.as_bytes()).ok().map(str::to_owned);
    let names: Vec<_> = catalog.variables.iter().map(|variable| variable.name.as_bytes()).collect();
    let slots = slot_forms(&names);
    let item = |((variable, role), slot): ((&Variable, Role), Option<String>)| {
        let (dtype, shape) = (variable.tensor.dtype, variable.tensor.shape.clone());
        let full_name = variable.full_name.as_ref().and_then(text);
        let state = state(variable, role, slot, &names);
        let item = Item { name: text(&variable.name)?, dtype, shape, full_name, state };
        Some((item, text(variable.name_before())?))
    };
    catalog.variables.iter().zip(roles(catalog)).zip(slots).filter_map(item).collect()
}

/// Returns the state that a variable is. `None` for a weight.
fn state(variable: &Variable, role: Role, slot: Option<String>, names: &[&[u8]]) -> Option<State> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let leaf = || text(variable.name.as_bytes().rsplit(|byte| *byte == b'/').next().unwrap_or_default());
    match role {
        Role::State(state) => {
            let known = [state.optimizer, state.name].into_iter().flatten().collect::<Vec<_>>().join(" ");
            let kind = if known.is_empty() { slot.unwrap_or_default() } else { known };
            Some(State { kind, of: state.of.map(|at| text(names[at])) })
        }
        Role::Counter | Role::Other => Some(State { kind: format!("counter {}", leaf()), of: None }),
        Role::Weight => slot.map(|kind| State { kind, of: None }),
    }
}

/// Returns the text around the variable's name, for each slot of an optimizer and each average. A slot whose variable is
/// missing has the form of others.
fn slot_forms(names: &[&[u8]]) -> Vec<Option<String>> {
    let slots = slots(names);
    let around = |(name, slot): (&&[u8], &Option<Slot>)| {
        let (start, end) = slot.as_ref()?.around(name);
        Some((start.to_vec(), end.to_vec()))
    };
    let forms: BTreeSet<_> = names.iter().zip(&slots).filter_map(around).collect();
    let form = |name: &&[u8]| {
        let mut like = forms.iter().filter(|(start, end)| name.starts_with(start) && name.ends_with(end));
        like.next()
            .map(|(start, end)| String::from_utf8_lossy(&[start.as_slice(), end].concat()).into_owned())
    };
    names.iter().map(form).collect()
}

/// Suggests a source for each wanted variable. The state of optimizers in HAVE counts only if WANT has such state.
pub(crate) fn suggest(have: &[Item], want: &[Item]) -> Suggestion {
    let with_state = want.iter().any(|item| item.state.is_some());
    let kept: Vec<usize> = (0..have.len()).filter(|at| with_state || have[*at].state.is_none()).collect();
    let sources: Vec<Item> = kept.iter().map(|at| have[*at].clone()).collect();
    let mut best = by_best_names(&sources, want);
    for pair in &mut best.pairs {
        pair.have = pair.have.map(|at| kept[at]);
        pair.others.iter_mut().for_each(|at| *at = kept[*at]);
    }
    best
}

/// Compares the names of every system with those of every other, and returns the suggestion with the most sure pairs. A
/// pair that another one is sure to be wrong is ambiguous.
fn by_best_names(have: &[Item], want: &[Item]) -> Suggestion {
    let (old, new) = (systems(have), systems(want));
    let both = old.iter().flat_map(|old| new.iter().map(move |new| (old, new)));
    let mut all: Vec<Suggestion> = both.map(|(old, new)| solution::solve((have, old), (want, new))).collect();
    let is_sure = |pair: &&Pair| pair.confidence == Confidence::Sure;
    let num_sure = |found: &Suggestion| found.pairs.iter().filter(is_sure).count();
    // Of equal suggestions the first one counts, which compares the names themselves.
    let Some(at) = (0..all.len()).rev().max_by_key(|at| num_sure(&all[*at])) else {
        return Suggestion::default();
    };
    let mut best = all.swap_remove(at);
    for (at, pair) in best.pairs.iter_mut().enumerate().filter(|(_, pair)| is_sure(&&**pair)) {
        let others = all.iter().map(|other| &other.pairs[at]).filter(is_sure).filter_map(|other| other.have);
        pair.others = others.filter(|other| Some(*other) != pair.have).collect();
        if !pair.others.is_empty() {
            pair.confidence = Confidence::Ambiguous;
            pair.reason = "its path and its full name lead to different variables".into();
        }
    }
    best
}
