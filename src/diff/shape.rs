//! The meaning of another shape, in words.

use std::collections::HashSet;

use crate::diff::Diff;
use crate::transform::like::builder::fitting;
use crate::transform::like::problem::Fitting;

/// A size before and after.
type Change = (u64, u64);

/// The changes of the variables of another shape.
pub(super) struct Changes {
    /// The changes of first axes, which are the inputs of layers.
    inputs: HashSet<Change>,
    /// The changes of last axes, which are the units of layers.
    units: HashSet<Change>,
}

impl Changes {
    pub(super) fn new(diff: &Diff<'_>) -> Self {
        let shapes = || diff.other_shape.iter().filter_map(|(at, _)| shapes(diff, *at));
        let input = |(old, new): (&[u64], &[u64])| match (old, new) {
            ([old, _, ..], [new, _, ..]) if old != new => Some((*old, *new)),
            _ => None,
        };
        let units = |(old, new): (&[u64], &[u64])| match (old, new) {
            ([.., old], [.., new]) if old != new => Some((*old, *new)),
            _ => None,
        };
        Self { inputs: shapes().filter_map(input).collect(), units: shapes().filter_map(units).collect() }
    }

    /// Returns what the other shape of a wanted variable means.
    pub(super) fn meaning(&self, diff: &Diff<'_>, at: usize) -> String {
        let Some((old, new)) = shapes(diff, at) else { return String::new() };
        match (old, new) {
            (old, new) if old.len() != new.len() => same_elements(old, new),
            (old, new) if is_swapped(old, new) => "axes swapped".into(),
            ([old, rest @ ..], [new, others @ ..]) if rest == others && !rest.is_empty() => {
                let is_input = !is_embedding(diff, at) && self.units.contains(&(*old, *new));
                match is_input {
                    true => format!("its input changed, from {old} to {new}"),
                    false => more_or_fewer(*old, *new, "row"),
                }
            }
            ([rest @ .., old], [others @ .., new]) if rest == others => {
                match self.inputs.contains(&(*old, *new)) {
                    true => more_or_fewer(*old, *new, "unit") + ", and the next layer takes them",
                    false => format!("a head of {new}, which was of {old}"),
                }
            }
            _ => same_elements(old, new),
        }
    }
}

/// Returns the shapes of a wanted variable and of its source, the source's first.
fn shapes<'d>(diff: &'d Diff<'_>, at: usize) -> Option<(&'d [u64], &'d [u64])> {
    Some((&diff.have.shapes[diff.evidence[at].have?].0, &diff.want.shapes[at].0))
}

fn is_embedding(diff: &Diff<'_>, at: usize) -> bool {
    let fits = |have: usize| {
        let (wanted, have) = (diff.want_variable(at), diff.have_variable(have));
        fitting(wanted, &have.tensor, &wanted.tensor) == Fitting::Rows
    };
    diff.evidence[at].have.is_some_and(fits)
}

/// Returns true if the axes are the same in another order. Equal axes cannot be told apart.
fn is_swapped(old: &[u64], new: &[u64]) -> bool {
    let sorted = |dims: &[u64]| {
        let mut dims = dims.to_vec();
        dims.sort_unstable();
        dims
    };
    old.len() > 1 && sorted(old) == sorted(new)
}

fn same_elements(old: &[u64], new: &[u64]) -> String {
    let without_ones = |dims: &[u64]| dims.iter().copied().filter(|dim| *dim != 1).collect::<Vec<_>>();
    let elements = |dims: &[u64]| dims.iter().map(|dim| u128::from(*dim)).fold(1, u128::saturating_mul);
    match () {
        () if without_ones(old) == without_ones(new) => "axes of size 1 added or removed".into(),
        () if elements(old) == elements(new) => "the same number of elements".into(),
        () if old.len() != new.len() => "another rank".into(),
        () => "several axes changed".into(),
    }
}

fn more_or_fewer(old: u64, new: u64, noun: &str) -> String {
    let (count, word) = if new > old { (new - old, "more") } else { (old - new, "fewer") };
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{s} {word}")
}
