//! The evidence about the source of each wanted variable: that of `--like`, and where it has none, that of a suggestion.

use std::collections::{BTreeSet, HashSet};

use crate::diff::items;
use crate::suggest::{Confidence, suggest};
use crate::transform::like::Choices;
use crate::transform::like::align::Group;
use crate::transform::like::candidates::{Candidates, Checkpoint, How};
use crate::transform::like::find::find;
use crate::transform::like::number::Numbered;

/// The evidence about the source of a wanted variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Evidence {
    /// The variable of HAVE, or `None` if it is missing there.
    pub(crate) have: Option<usize>,
    /// The reason: `by path`, `by full name`.
    pub(crate) reason: String,
    /// True if nothing speaks for another variable, or for none.
    pub(crate) is_certain: bool,
}

/// The evidence about all wanted variables.
pub(super) struct Found {
    pub(super) evidence: Vec<Evidence>,
    pub(super) groups: Vec<Group>,
    /// The variables of HAVE that may be each missing one.
    pub(super) candidates: Vec<Vec<usize>>,
}

/// The maximum number of variables of a side that a suggestion is asked for.
const ASKED: usize = 20_000;
/// The reason why a value of an optimizer has no source.
const OTHER_OPTIMIZER: &str = "of another optimizer";
/// The reason of a pair in a group that the two sides do not count alike.
const BY_NAMES: &str = "their names only count";

/// Finds the source of each wanted variable.
pub(super) fn evidence(have: &Checkpoint<'_>, want: &Checkpoint<'_>) -> Found {
    let found = find(have, want, &Choices::default(), None);
    let mut evidence: Vec<_> = found
        .candidates
        .iter()
        .enumerate()
        .map(|(at, one)| read((have, want), at, one, &found.groups))
        .collect();
    disown(want, &found.candidates, &mut evidence);
    let is_open = |(evidence, found): (&Evidence, &Candidates)| {
        evidence.have.is_none() && *found == Candidates::None || matches!(found, Candidates::Group(_))
    };
    let open: Vec<_> = evidence.iter().zip(&found.candidates).map(is_open).collect();
    let is_askable = have.names.len().max(want.names.len()) <= ASKED;
    let candidates =
        if is_askable && open.contains(&true) { ask(have, want, &open, &mut evidence) } else { vec![] };
    let candidates = if candidates.is_empty() { vec![vec![]; evidence.len()] } else { candidates };
    Found { evidence, groups: found.groups, candidates }
}

/// Takes the sources of an optimizer's numbers away if other values show that HAVE's optimizer is of another class. Keras 2 does
/// not write the class before the numbers.
fn disown(want: &Checkpoint<'_>, found: &[Candidates], evidence: &mut [Evidence]) {
    let others = found.iter().enumerate().filter(|(_, found)| matches!(found, Candidates::OtherOptimizer(_)));
    let others: HashSet<_> = others.filter_map(|(at, _)| optimizer(want, at)).collect();
    let is_state = |at: &usize| want.roles[*at].state().is_some_and(|state| state.of.is_none());
    for at in (0..evidence.len()).filter(is_state) {
        if optimizer(want, at).is_some_and(|optimizer| others.contains(optimizer)) {
            evidence[at] = Evidence { have: None, reason: OTHER_OPTIMIZER.into(), is_certain: true };
        }
    }
}

/// Returns the path of the optimizer that a value belongs to: what is before its private edges.
fn optimizer<'n>(want: &'n Checkpoint<'_>, at: usize) -> Option<&'n [u8]> {
    let path = want.names[at].paths.first()?;
    let private = path.windows(2).position(|pair| pair == b"/_")?;
    Some(&path[..private])
}

/// Returns what the evidence of `--like` says about a wanted variable.
fn read(
    (have, want): (&Checkpoint<'_>, &Checkpoint<'_>),
    at: usize,
    found: &Candidates,
    groups: &[Group],
) -> Evidence {
    let new = |have, reason: &str, is_certain| Evidence { have, reason: reason.into(), is_certain };
    match found {
        Candidates::One(source, how) => new(Some(*source), how.text(), true),
        Candidates::Many(several) => match several.iter().find(|(_, how)| *how == How::FullName) {
            Some((source, how)) if several.len() == 2 && has_own_name(want, at) => {
                new(Some(*source), how.text(), true)
            }
            _ => new(several.first().map(|(source, _)| *source), "several fit", false),
        },
        Candidates::Group(group) => {
            let variable = &want.catalog.variables[at];
            let same = have.catalog.variables.binary_search_by(|other| other.name.cmp(&variable.name)).ok();
            let is_chosen = want.catalog.objects.is_none() && has_gap(&groups[*group]);
            new(same.filter(|same| have.shapes[*same] == want.shapes[at]), BY_NAMES, is_chosen)
        }
        Candidates::OtherState(own, _) => new(*own, How::FullName.text(), true),
        Candidates::OtherOptimizer(_) => new(None, OTHER_OPTIMIZER, true),
        Candidates::None | Candidates::New => new(None, "", true),
    }
}

/// Returns true if the numbers of the wanted names have a gap: then the program does not count, but chose the names.
fn has_gap(group: &Group) -> bool {
    let last = |(name, _): &(Vec<u8>, Vec<usize>)| {
        let component = name.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        let Numbered { stem, number } = Numbered::parse(component);
        (!stem.is_empty() && !stem.ends_with(b"-")).then_some(number.unwrap_or(0))
    };
    let numbers: Option<BTreeSet<_>> = group.want.iter().map(last).collect();
    let Some((first, last)) = numbers.as_ref().and_then(|all| Some((all.first()?, all.last()?))) else {
        return false;
    };
    last - first >= group.want.len() as u64
}

/// Returns true if a wanted variable's full name does not only count.
fn has_own_name(want: &Checkpoint<'_>, at: usize) -> bool {
    let components = |name: &Vec<u8>| {
        let layer = name.split(|&byte| byte == b'/').rev().nth(1).unwrap_or(name).to_vec();
        Numbered::parse(&layer).number.is_none()
    };
    want.names[at].full_name.as_ref().is_some_and(components)
}

/// Asks for a suggestion about the variables that are open. Returns the candidates of each wanted variable.
fn ask(
    have: &Checkpoint<'_>,
    want: &Checkpoint<'_>,
    open: &[bool],
    evidence: &mut [Evidence],
) -> Vec<Vec<usize>> {
    let (have_items, have_at) = items(have.catalog);
    let (want_items, want_at) = items(want.catalog);
    let mut used = vec![false; have.names.len()];
    let taken = evidence.iter().filter(|one| one.is_certain).filter_map(|one| one.have);
    taken.for_each(|at| used[at] = true);
    let mut candidates = vec![vec![]; evidence.len()];
    for (pair, at) in
        suggest(&have_items, &want_items).pairs.into_iter().zip(want_at).filter(|(_, at)| open[*at])
    {
        let source = pair.have.map(|at| have_at[at]).filter(|at| !used[*at]);
        let is_same = |source: usize| have.catalog.variables[source].name == want.catalog.variables[at].name;
        match (pair.confidence, source) {
            // The same name in a group that only counts is no evidence.
            (Confidence::Sure, Some(source)) if !is_same(source) => {
                used[source] = true;
                evidence[at] = Evidence { have: Some(source), reason: pair.reason, is_certain: true };
            }
            _ if evidence[at].have.is_some() => {}
            (_, source) => {
                let others = pair.others.into_iter().map(|at| have_at[at]).filter(|at| !used[*at]);
                candidates[at] = source.into_iter().chain(others).collect();
            }
        }
    }
    candidates
}
