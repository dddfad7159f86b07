//! The inference from one or a few names that a checkpoint does not have: the rename that gives them.
//!
//! ```text
//! missing names ─┬─ STRATEGIES ─► Guess: flags, evidence ─► tried in memory ─► Proposal: flags, counts, confidence
//! catalog ───────┘   the first that finds something
//! ```
//!
//! A guess counts only if the map engine accepts it and the missing names come out of it. It is [sure](Confidence::Sure)
//! only if nothing in the checkpoint speaks for another one.

mod averages;
mod have;
mod leaves;
mod numbers;
mod scopes;
mod spelling;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use crate::catalog::{Catalog, Variable};
use crate::dtype::Dtype;
use crate::map::{Flag, Map};
use crate::name::Name;
use crate::remap;
use crate::suggest::Confidence;
use crate::suggest::missing_name::have::Have;
use crate::tensor::Shape;

/// A name that a program wants and a checkpoint does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MissingName {
    pub(crate) name: String,
    pub(crate) dtype: Option<Dtype>,
    pub(crate) shape: Option<Shape>,
}

/// A rename that gives missing names, tried in memory.
#[derive(Clone, Debug)]
pub(crate) struct Proposal {
    pub(crate) flags: Vec<Flag>,
    /// The evidence in one line.
    pub(crate) evidence: String,
    /// The number of variables that get another name, without optimizer slots.
    pub(crate) variables: usize,
    /// The number of optimizer slots that follow them.
    pub(crate) slots: usize,
    pub(crate) confidence: Confidence,
    /// The reason for the doubt, if it is not sure.
    pub(crate) doubt: Option<String>,
}

/// An idea for a rename, which is not tried yet.
#[derive(Clone, Debug)]
struct Guess {
    flags: Vec<Flag>,
    evidence: String,
    confidence: Confidence,
    doubt: Option<String>,
    /// The missing names that it must give, by their indices.
    gives: Vec<usize>,
}

/// The characters between the components of a name.
const SEPARATORS: [char; 2] = ['/', '.'];

type Strategy = fn(&Have<'_>, &[MissingName]) -> Vec<Guess>;

/// The ways in which names differ, the strictest first. The first that finds something decides.
const STRATEGIES: &[Strategy] = &[
    averages::averages,
    scopes::whole,
    spelling::spelling,
    numbers::numbers,
    scopes::scopes,
    scopes::separators,
    scopes::last_components,
    leaves::leaves,
];

/// The maximum number of renames that together give several missing names.
const RENAMES: usize = 8;
/// The maximum number of missing names that are looked at.
const NAMES: usize = 500;

/// Infers the rename that gives the missing names. Several proposals mean that they fit about equally well. None means that
/// nothing fits.
pub(crate) fn infer(catalog: &Catalog, missing: &[MissingName]) -> Vec<Proposal> {
    let mut rest: Vec<_> =
        missing.iter().filter(|name| !is_there(catalog, name)).take(NAMES).cloned().collect();
    let have = Have::new(catalog);
    let mut whole: Option<Proposal> = None;
    for _ in 0..RENAMES {
        let mut found = first(catalog, &have, &rest);
        if found.len() != 1 || found[0].0.confidence == Confidence::Ambiguous {
            let is_partial = whole.is_some() && !rest.is_empty();
            return match whole {
                Some(whole) => vec![if is_partial { partial(whole, &rest) } else { whole }],
                None => found.into_iter().map(|(proposal, _)| proposal).collect(),
            };
        }
        let (proposal, given) = found.remove(0);
        rest = rest
            .into_iter()
            .enumerate()
            .filter(|(at, _)| !given.contains(at))
            .map(|(_, name)| name)
            .collect();
        let joined = match &whole {
            None => Some(proposal),
            Some(before) => together(catalog, before, &proposal),
        };
        let Some(joined) = joined else { return whole.into_iter().collect() };
        whole = Some(joined);
        if rest.is_empty() {
            break;
        }
    }
    whole.into_iter().collect()
}

/// Returns the proposals of the first strategy that has any, each with the missing names that it gives.
fn first(catalog: &Catalog, have: &Have<'_>, missing: &[MissingName]) -> Vec<(Proposal, Vec<usize>)> {
    let tried = |strategy: &Strategy| {
        let guesses = strategy(have, missing);
        guesses.into_iter().filter_map(|guess| tried(catalog, guess, missing)).collect::<Vec<_>>()
    };
    if missing.is_empty() {
        return Vec::new();
    }
    STRATEGIES.iter().map(tried).find(|found| !found.is_empty()).unwrap_or_default()
}

fn is_there(catalog: &Catalog, missing: &MissingName) -> bool {
    catalog.variable(missing.name.as_bytes()).is_some_and(|found| fits(found, missing))
}

/// Returns true if a variable has the dtype and the shape that are known of a missing one.
fn fits(found: &Variable, missing: &MissingName) -> bool {
    missing.dtype.is_none_or(|dtype| dtype == found.tensor.dtype)
        && missing.shape.as_ref().is_none_or(|shape| *shape == found.tensor.shape)
}

/// Tries a guess. `None` if the map engine refuses it, or if a name that it must give does not come out.
fn tried(catalog: &Catalog, guess: Guess, missing: &[MissingName]) -> Option<(Proposal, Vec<usize>)> {
    let mapped = mapped(catalog, &guess.flags)?;
    let gives = |at: &usize| is_there(&mapped, &missing[*at]);
    if !guess.gives.iter().all(gives) {
        return None;
    }
    let given = (0..missing.len()).filter(|at| gives(at)).collect();
    let (variables, slots) = moved(catalog, &mapped);
    let Guess { flags, evidence, confidence, doubt, .. } = guess;
    Some((Proposal { flags, evidence, variables, slots, confidence, doubt }, given))
}

fn mapped(catalog: &Catalog, flags: &[Flag]) -> Option<Catalog> {
    let map = Map::parse(flags, &[]).ok()?;
    let mut mapped = catalog.clone();
    remap::apply(&map, &mut mapped).ok()?;
    Some(mapped)
}

/// Returns the numbers of variables and of slots that have another name.
fn moved(catalog: &Catalog, mapped: &Catalog) -> (usize, usize) {
    let slots: HashSet<&Name> = have::slots(catalog).into_iter().collect();
    let old = mapped.variables.iter().filter(|variable| variable.name_before() != &variable.name);
    let (slots, variables): (Vec<_>, Vec<_>) =
        old.partition(|variable| slots.contains(variable.name_before()));
    (variables.len(), slots.len())
}

/// Joins two proposals for different missing names. `None` if their flags do not fit together.
fn together(catalog: &Catalog, a: &Proposal, b: &Proposal) -> Option<Proposal> {
    let flags = [&a.flags[..], &b.flags].concat();
    let (variables, slots) = moved(catalog, &mapped(catalog, &flags)?);
    let evidence = format!("{}\n{}", a.evidence, b.evidence);
    let doubt = a.doubt.clone().or_else(|| b.doubt.clone());
    Some(Proposal { flags, evidence, variables, slots, confidence: a.confidence.min(b.confidence), doubt })
}

/// Returns a proposal that leaves some names missing.
fn partial(whole: Proposal, rest: &[MissingName]) -> Proposal {
    let names: Vec<_> = rest.iter().map(|missing| Name::from(missing.name.as_str())).collect();
    let doubt = format!("still missing: {}", crate::name::listed(&names, 5));
    Proposal { confidence: whole.confidence.min(Confidence::Likely), doubt: Some(doubt), ..whole }
}
