//! The flags for each kind of difference.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::Variable;
use crate::diff::commands::{MOST, text};
use crate::diff::{Diff, words};
use crate::map::escape::escape;
use crate::transform::like::advice;
use crate::transform::like::advice::Flag;
use crate::transform::like::builder::fitting;
use crate::transform::like::candidates::How;
use crate::transform::like::problem::Fitting;

/// Returns the renames of the variables whose source a suggestion found: whole scopes where several agree. `with_groups` includes
/// the layers that only count.
pub(super) fn renames(diff: &Diff<'_>, with_groups: bool) -> Vec<Flag> {
    const KNOWN: &[How] = &[How::Path, How::FullName, How::Position];
    let is_suggested = |at: &&usize| {
        let evidence = &diff.evidence[**at];
        let is_open = with_groups || !diff.is_in_group(**at);
        evidence.is_certain && is_open && !KNOWN.iter().any(|how| how.text() == evidence.reason)
    };
    let mut scopes: BTreeMap<(String, String), Vec<(String, String)>> = BTreeMap::new();
    for at in diff.renamed.iter().filter(is_suggested) {
        let Some(have) = diff.evidence[*at].have else { continue };
        let names = (text(&diff.have_variable(have).name), text(&diff.want_variable(*at).name));
        let (Some(old), Some(new)) = names else { continue };
        scopes.entry(scopes_of(&old, &new)).or_default().push((old, new));
    }
    let mut flags = Vec::new();
    for ((from, to), pairs) in scopes {
        match pairs.as_slice() {
            [(old, new)] => flags.push(rename(old, new)),
            _ if from.is_empty() => flags.push(("add-prefix", format!("{to}/"))),
            _ if to.is_empty() => flags.push(("strip-prefix", format!("{from}/"))),
            _ => flags.push(("rename", format!("{}/**={}/**", escape(&from), escape(&to)))),
        }
    }
    if flags.len() > MOST { vec![] } else { flags }
}

pub(super) fn rename(old: &str, new: &str) -> Flag {
    ("rename", format!("{}={}", escape(old), escape(new)))
}

/// Returns the scopes of two names before the components that both end in.
fn scopes_of(old: &str, new: &str) -> (String, String) {
    let pairs = old.rsplit('/').zip(new.rsplit('/'));
    let len: usize = pairs.take_while(|(old, new)| old == new).map(|(old, _)| old.len() + 1).sum();
    let scope = |name: &str| name[..name.len().saturating_sub(len)].to_owned();
    (scope(old), scope(new))
}

/// Returns the casts to the wanted dtypes.
pub(super) fn casts(diff: &Diff<'_>) -> Vec<Flag> {
    let mut by_dtype: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for at in &diff.other_dtype {
        let dtype = diff.want_variable(*at).tensor.dtype.name();
        let have = diff.evidence[*at].have.and_then(|have| text(&diff.have_variable(have).name));
        by_dtype.entry(dtype).or_default().extend(have);
    }
    let all = all_names(diff.have.catalog.variables.iter());
    let flags = by_dtype.iter().flat_map(|(dtype, names)| {
        patterns(names, &all).into_iter().map(move |pattern| ("cast", format!("{pattern}={dtype}")))
    });
    limited(flags.collect())
}

/// Returns the flags for variables of another shape: rows of embeddings are kept, other variables are new.
pub(super) fn shapes(diff: &Diff<'_>, has_values: bool) -> Vec<Flag> {
    let (mut fits, mut drops, mut fills) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (at, _) in diff.other_shape.iter().filter(|_| has_values) {
        let Some(have) = diff.evidence[*at].have else { continue };
        let (old, new) = (diff.have_variable(have), diff.want_variable(*at));
        match fitting(new, &old.tensor, &new.tensor) {
            Fitting::Rows => fits.extend(text(&words(new))),
            _ => {
                drops.extend(text(&old.name));
                fills.extend(text(&words(new)));
            }
        }
    }
    let (have, want) = (all_names(diff.have.catalog.variables.iter()), wanted_names(diff));
    let like = |pattern: String| format!("{pattern}=like");
    let fits = patterns(&fits, &want).into_iter().map(|pattern| ("fit", like(pattern)));
    let drops = patterns(&drops, &have).into_iter().map(|pattern| ("drop", pattern));
    let fills = patterns(&fills, &want).into_iter().map(|pattern| ("missing", like(pattern)));
    limited(fits.chain(drops).chain(fills).collect())
}

/// Returns the flags that fill what is missing with WANT's values, except what `rest` renames and groups of layers.
pub(super) fn missing(diff: &Diff<'_>, rest: &[Flag]) -> Vec<Flag> {
    let is_new = |name: &String| {
        rest.iter().any(|(flag, value)| *flag == "rename" && value.ends_with(&format!("={name}")))
    };
    let missing = diff.missing.iter().map(|(at, _)| *at).filter(|at| !diff.is_in_group(*at));
    let names = missing.filter_map(|at| text(&diff.wanted_name(at)));
    let names: BTreeSet<_> = names.filter(|name| !is_new(name)).collect();
    let all = wanted_names(diff);
    limited(
        patterns(&names, &all).into_iter().map(|pattern| ("missing", format!("{pattern}=like"))).collect(),
    )
}

/// Returns patterns of exactly `names` among `all`.
fn patterns(names: &BTreeSet<String>, all: &[String]) -> Vec<String> {
    let all: Vec<_> = all.iter().map(String::as_str).collect();
    advice::patterns(&names.iter().map(String::as_str).collect(), &all)
}

fn limited(flags: Vec<Flag>) -> Vec<Flag> {
    if flags.len() > MOST { vec![] } else { flags }
}

fn all_names<'v>(variables: impl Iterator<Item = &'v Variable>) -> Vec<String> {
    variables.filter_map(|variable| text(&variable.name)).collect()
}

/// Returns the names of WANT's variables that a pattern can match: as ckptfs shows them, and in the program's words.
fn wanted_names(diff: &Diff<'_>) -> Vec<String> {
    let variables = &diff.want.catalog.variables;
    let names = variables.iter().flat_map(|variable| [text(&variable.name), text(&words(variable))]);
    names.flatten().collect::<BTreeSet<_>>().into_iter().collect()
}
