//! The wanted variables that TensorFlow restores wrongly without an error: it takes another value than the evidence says, or
//! none, or one of another shape.

use crate::diff::Diff;
use crate::diff::restore::{Effect, Restore};
use crate::transform::like::role::Role;

/// The name of the counter of `Checkpoint.save`, which is no value of the program.
const COUNTER: &[u8] = b"save_counter";

/// A wanted variable that TensorFlow restores wrongly without an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// The wanted variable.
    pub(crate) at: usize,
    pub(crate) kind: WrongKind,
    /// The variable of HAVE that TensorFlow takes. `None` if it takes none.
    pub(crate) from: Option<usize>,
    /// False if names and shapes do not say which value is right.
    pub(crate) is_certain: bool,
}

/// The way in which a variable is restored wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WrongKind {
    /// It takes the value of another variable.
    Misplaced,
    /// It stays as it was initialized.
    Initialized,
    /// It takes a value of another shape.
    Shape,
}

/// The words for the ways.
pub(crate) const KINDS: &[(&str, WrongKind)] = &[
    ("misplaced", WrongKind::Misplaced),
    ("initialized", WrongKind::Initialized),
    ("shape", WrongKind::Shape),
];

/// Returns what TensorFlow would restore wrongly. There is nothing if it stops with an error.
pub(super) fn silent(diff: &Diff<'_>) -> Vec<Wrong> {
    let Some(restore) = diff.restore.as_ref().filter(|restore| restore.stops().next().is_none()) else {
        return vec![];
    };
    let used = used(diff);
    let is_variable = |at: &usize| {
        diff.want.roles[*at] != Role::Other && diff.want_variable(*at).name.as_bytes() != COUNTER
    };
    (0..restore.effects.len()).filter(is_variable).filter_map(|at| wrong(diff, restore, &used, at)).collect()
}

/// Returns for each variable of HAVE, true if the evidence says with certainty where it belongs.
fn used(diff: &Diff<'_>) -> Vec<bool> {
    let mut used = vec![false; diff.have.names.len()];
    let certain = diff.evidence.iter().filter(|evidence| evidence.is_certain);
    certain.filter_map(|evidence| evidence.have).for_each(|at| used[at] = true);
    used
}

fn wrong(diff: &Diff<'_>, restore: &Restore, used: &[bool], at: usize) -> Option<Wrong> {
    let evidence = &diff.evidence[at];
    let new = |kind, from, is_certain| Some(Wrong { at, kind, from, is_certain });
    match restore.effects[at] {
        Effect::Stops(_) => None,
        Effect::Stays => new(WrongKind::Initialized, None, true),
        Effect::Takes(from) if evidence.is_certain && evidence.have == Some(from) => {
            let is_same = diff.have.shapes[from] == diff.want.shapes[at];
            if is_same { None } else { new(WrongKind::Shape, Some(from), true) }
        }
        Effect::Takes(from) => {
            // A value without a source of its own may be this one, unless the value belongs elsewhere.
            let is_certain =
                evidence.is_certain && (evidence.have.is_some() || used[from] || !evidence.reason.is_empty());
            new(WrongKind::Misplaced, Some(from), is_certain)
        }
    }
}
