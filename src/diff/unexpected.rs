//! The kinds of the variables that only HAVE has.

use crate::catalog::Variable;
use crate::diff::Diff;
use crate::transform::like::role::Role;

/// The kinds, in the order of the output: the word, and the one for several.
pub(crate) const KINDS: &[(&str, &str)] = &[
    ("weight", "weights"),
    ("average", "averages"),
    ("optimizer state", "optimizer state"),
    ("counter", "counters"),
    ("other", "others"),
];

/// Endings of the names of averages of weights.
const AVERAGES: &[&str] = &["ExponentialMovingAverage", "_average", "/average"];

/// Returns the kind of a variable of HAVE, by its index in [`KINDS`].
pub(crate) fn kind(diff: &Diff<'_>, at: usize) -> usize {
    let ends = |variable: &Variable| {
        let names = [Some(&variable.name), variable.full_name.as_ref()];
        let ends =
            |name: &crate::name::Name| AVERAGES.iter().any(|end| name.as_bytes().ends_with(end.as_bytes()));
        names.into_iter().flatten().any(ends)
    };
    match &diff.have.roles[at] {
        Role::Other => 4,
        Role::Counter => 3,
        _ if ends(diff.have_variable(at)) => 1,
        Role::State(_) => 2,
        Role::Weight => 0,
    }
}
