//! Templates first: a wanted template takes a source's template whose numbers map by rank. These pairs are already the
//! rules of a map.

use std::collections::HashMap;

use crate::suggest::assignment::{IMPOSSIBLE, Scores};
use crate::suggest::change::{cost, without_ones};
use crate::suggest::leaf_role;
use crate::suggest::problem::{FEW, MARGIN, Problem};
use crate::suggest::side::{Group, Side};
use crate::suggest::slot::SlotMap;

/// The pairs of a template: the wanted variables and their sources.
pub(crate) type Members = Vec<(usize, usize)>;

/// Pairs the variables of templates whose words fit best and whose numbers map.
pub(crate) fn pairs(problem: &Problem<'_>) -> Vec<Members> {
    let (have, want) = (problem.have, problem.want);
    let is_whole = same_shapes(have, want);
    let mut found = Vec::new();
    for pool in problem.fits.template_pools(have, want) {
        let rows: Vec<usize> = pool.want.iter().map(|at| want.variables[*at].template).collect();
        let columns: Vec<usize> = pool.have.iter().map(|at| have.variables[*at].template).collect();
        if !problem.is_affordable(rows.len(), columns.len()) {
            continue;
        }
        let scores =
            Scores::new(rows.len(), columns.len(), |row, column| score(problem, columns[column], rows[row]));
        let cost = |row: usize, column: usize| {
            least_cost(problem, columns[column], rows[row]).map_or(0.0, |cost| -cost)
        };
        let assigned = scores.plus(cost).assign();
        let margins = scores.margins(&assigned);
        for ((row, column), margin) in rows.iter().zip(assigned).zip(margins) {
            // A better match by words that does not map bars a worse one that does.
            let sure = column.filter(|_| margin >= MARGIN).map(|column| columns[column]);
            let speaks =
                |have: usize, members: &Members| members.len() >= FEW || problem.are_alike(have, *row);
            let members = sure.and_then(|have| {
                members(problem, have, *row, is_whole).filter(|members| speaks(have, members))
            });
            found.extend(members);
        }
    }
    found
}

/// Returns the score of two templates by words alone.
fn score(problem: &Problem<'_>, have: usize, want: usize) -> f64 {
    let (a, b) = (&problem.have.templates[have], &problem.want.templates[want]);
    let Some(role) = leaf_role::score(a.meaning.role, b.meaning.role) else { return IMPOSSIBLE };
    let fits = least_cost(problem, have, want).is_some();
    if fits { problem.words.likeness(have, want) + role } else { IMPOSSIBLE }
}

/// Returns the least cost of a change between two members. `None` if no two fit.
fn least_cost(problem: &Problem<'_>, have: usize, want: usize) -> Option<f64> {
    let (have, want) = (&problem.have.templates[have], &problem.want.templates[want]);
    let firsts = |side: &Side, group: &Group| {
        let mut seen: Vec<usize> = Vec::new();
        for at in &group.members {
            if seen.iter().all(|other| side.variables[*other].shape != side.variables[*at].shape) {
                seen.push(*at);
            }
        }
        seen
    };
    let wanted = firsts(problem.want, want);
    let costs = firsts(problem.have, have).into_iter().flat_map(|have| {
        let fits = wanted.iter().filter_map(move |want| problem.fits.change(have, *want));
        fits.map(|change| cost(change.as_ref()))
    });
    costs.min_by(f64::total_cmp)
}

/// Returns the pairs of two templates, if their numbers map one to one and all shapes fit.
fn members(problem: &Problem<'_>, have: usize, want: usize, is_whole: bool) -> Option<Members> {
    let (a, b) = (&problem.have.templates[have], &problem.want.templates[want]);
    if a.members.len() != b.members.len() || a.slots.len() != b.slots.len() {
        return None;
    }
    let map = SlotMap::new(&a.slots, &b.slots);
    let pairs = map.as_ref().map_or(&[][..], |map| &map.pairs);
    let is_certain = is_whole || map.as_ref().is_none_or(|map| map.is_certain);
    if pairs.len() != b.slots.len() || !is_certain {
        return None;
    }
    let sources = &problem.have.variables;
    let old = |at: usize| pairs.iter().map(|(slot, _)| slot.rank(&sources[at].numbers)).collect::<Vec<_>>();
    let wanted = &problem.want.variables;
    let new = |at: usize| pairs.iter().map(|(_, slot)| slot.rank(&wanted[at].numbers)).collect::<Vec<_>>();
    let by_rank: HashMap<_, usize> = a.members.iter().map(|at| (old(*at), *at)).collect();
    let found = b.members.iter().map(|at| {
        let source = *by_rank.get(&new(*at))?;
        problem.fits.change(source, *at).map(|_| (*at, source))
    });
    let found = found.collect::<Option<Members>>()?;
    let mut distinct: Vec<usize> = found.iter().map(|(_, source)| *source).collect();
    distinct.sort_unstable();
    distinct.dedup();
    (distinct.len() == found.len()).then_some(found)
}

/// Returns true if both sides have the same shapes, each as often, apart from axes of size 1.
fn same_shapes(have: &Side, want: &Side) -> bool {
    let shapes = |side: &Side| {
        let mut shapes: Vec<_> =
            side.variables.iter().map(|variable| without_ones(&variable.shape)).collect();
        shapes.sort();
        shapes
    };
    shapes(have) == shapes(want)
}
