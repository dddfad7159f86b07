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
pub(crate) mod item;
mod keras_vars;
mod leaf_role;
mod learned;
pub(crate) mod map;
mod merge;
pub(crate) mod missing_name;
mod name_system;
mod numbered_scope;
mod ops;
mod orientation;
pub(crate) mod pair;
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

pub(crate) use item::{Item, items, originals};
pub(crate) use pair::{CHANGES, CONFIDENCES, Change, Confidence, Pair, Suggestion};

use crate::suggest::name_system::systems;

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
