//! The renames that the names do not prove.

use crate::catalog::Variable;
use crate::diff::commands::flags::rename;
use crate::diff::commands::{Attempt, MOST, text};
use crate::diff::{Diff, words};
use crate::name::Name;
use crate::transform::like::advice;
use crate::transform::like::advice::Described;

/// Returns the renames of unexpected weights to missing ones that the names do not prove: of a scope, if all below it fits, or of
/// a variable within its layer.
pub(super) fn guesses(diff: &Diff<'_>) -> Vec<Attempt> {
    let unused = diff
        .unexpected
        .iter()
        .filter(|at| diff.have.roles[**at].is_weight())
        .map(|at| diff.have_variable(*at));
    let missing = diff.missing.iter().map(|(at, _)| *at).filter(|at| diff.want.roles[*at].is_weight());
    let (unused, missing): (Vec<_>, Vec<_>) =
        (unused.collect(), missing.map(|at| diff.want_variable(at)).collect());
    if let Some((flag, _)) = advice::rename(&described(&unused), &described(&missing)) {
        return vec![Attempt::new(vec![flag], "if these are the same values")];
    }
    let few = unused.len() <= MOST && missing.len() <= MOST;
    let pairs = unused.iter().filter(|_| few).flat_map(|old| missing.iter().map(move |new| (*old, *new)));
    pairs.filter(|(old, new)| is_same_layer(old, new)).filter_map(|(old, new)| guess(old, new)).collect()
}

/// Returns true if two variables have the same scope, dtype and shape.
fn is_same_layer(old: &Variable, new: &Variable) -> bool {
    let scope = |name: &Name| name.to_string().rsplit_once('/').map(|(scope, _)| scope.to_owned());
    (old.tensor.dtype, &old.tensor.shape) == (new.tensor.dtype, &new.tensor.shape)
        && scope(&old.name).is_some()
        && scope(&old.name) == scope(&new.name)
}

fn guess(old: &Variable, new: &Variable) -> Option<Attempt> {
    let remark = format!("if {} is {}", words(new), words(old));
    Some(Attempt::new(vec![rename(&text(&old.name)?, &text(&new.name)?)], &remark))
}

fn described<'v>(variables: &[&'v Variable]) -> Vec<Described<'v>> {
    let one = |variable: &&'v Variable| {
        let name = str::from_utf8(variable.name.as_bytes()).ok()?;
        Some((name, variable.tensor.dtype, &variable.tensor.shape))
    };
    variables.iter().filter_map(one).collect()
}
