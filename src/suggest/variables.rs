//! The assignment of the variables that no pair of templates has settled, pool by pool. Rules are learned from the sure
//! pairs, and the assignment is repeated until it stays.

use std::collections::{BTreeSet, HashMap};

use crate::suggest::assignment::{IMPOSSIBLE, Scores};
use crate::suggest::change::cost;
use crate::suggest::leaf_role;
use crate::suggest::learned::Learned;
use crate::suggest::pool::Pool;
use crate::suggest::problem::{Match, Problem};
use crate::suggest::side::Side;
use crate::suggest::slot::SlotMap;

/// The pairs of variables, and what was left out.
pub(crate) struct Assigned {
    pub(crate) matches: Vec<Match>,
    /// The final scores of each pool.
    pub(crate) pools: Vec<(Pool, Scores)>,
    /// The wanted variables that were not compared, because there are too many of one shape.
    pub(crate) untried: Vec<usize>,
    pub(crate) maps: SlotMaps,
}

/// The maps between numbers, for each two modules that were compared.
pub(crate) type SlotMaps = HashMap<(usize, usize), Option<SlotMap>>;

/// The weight of numbers that agree.
const NUMBERS: f64 = 0.35;
/// The weight of numbers that agree without any order among them.
const SAME_NUMBERS: f64 = 0.1;
/// The weight of the relative position. It only breaks ties.
const ORDER: f64 = 0.15;
/// The greatest number of rounds.
const ROUNDS: usize = 6;

/// Assigns the variables that `settled` lacks.
pub(crate) fn assign(problem: &Problem<'_>, settled: &[Match]) -> Assigned {
    let (mut have, mut want) =
        (vec![true; problem.have.variables.len()], vec![true; problem.want.variables.len()]);
    settled.iter().for_each(|pair| (have[pair.have], want[pair.want]) = (false, false));
    let open = |side: Vec<bool>| {
        side.iter().enumerate().filter(|(_, is)| **is).map(|(at, _)| at).collect::<Vec<_>>()
    };
    let pools = problem.fits.pools(&open(have), &open(want));
    let (pools, large): (Vec<_>, Vec<_>) =
        pools.into_iter().partition(|pool| problem.is_affordable(pool.want.len(), pool.have.len()));
    let untried = large.into_iter().flat_map(|pool| pool.want).collect();
    let mut maps = SlotMaps::new();
    let base: Vec<Scores> = pools.iter().map(|pool| scores(problem, pool, &mut maps)).collect();
    let mut learned = Learned::default();
    let mut matches: Vec<Match> = Vec::new();
    let mut current = base.clone();
    for round in 0..=ROUNDS {
        current = pools.iter().zip(&base).map(|(pool, base)| learned.improved(problem, pool, base)).collect();
        let found: Vec<Match> =
            pools.iter().zip(&current).flat_map(|(pool, scores)| solve(problem, pool, scores)).collect();
        let is_stable = found
            .iter()
            .map(|pair| (pair.have, pair.want))
            .eq(matches.iter().map(|pair| (pair.have, pair.want)));
        matches = found;
        if is_stable || round == ROUNDS {
            break;
        }
        learned = Learned::from(problem, settled.iter().chain(&matches));
    }
    Assigned { matches, pools: pools.into_iter().zip(current).collect(), untried, maps }
}

/// Solves one pool. Order and changes of layout break ties, and do not count in a margin.
fn solve(problem: &Problem<'_>, pool: &Pool, scores: &Scores) -> Vec<Match> {
    let place = |at: usize, count: usize| (at as f64 + 0.5) / count as f64;
    let order = |row, column| ORDER * (1.0 - (place(row, scores.rows) - place(column, scores.columns)).abs());
    let change = |row: usize, column: usize| {
        problem.fits.change(pool.have[column], pool.want[row]).map_or(0.0, |change| cost(change.as_ref()))
    };
    let assigned = scores.plus(|row, column| order(row, column) - change(row, column)).assign();
    let margins = scores.margins(&assigned);
    let pairs = assigned.iter().zip(margins).enumerate();
    let found = pairs.filter_map(|(row, (column, margin))| {
        Some(Match { have: pool.have[(*column)?], want: pool.want[row], margin })
    });
    found.collect()
}

/// Returns the scores of a pool, by words, roles, numbers and shapes.
fn scores(problem: &Problem<'_>, pool: &Pool, maps: &mut SlotMaps) -> Scores {
    let (have, want) = (problem.have, problem.want);
    let modules =
        |of: &[usize], side: &Side| of.iter().map(|at| side.variables[*at].module).collect::<BTreeSet<_>>();
    let mut words: HashMap<(usize, usize), f64> = HashMap::new();
    for b in modules(&pool.want, want) {
        for a in modules(&pool.have, have) {
            maps.entry((a, b)).or_insert_with(|| slot_map(problem, a, b));
            words.insert((a, b), by_words(problem, a, b));
        }
    }
    Scores::new(pool.want.len(), pool.have.len(), |row, column| {
        let (j, i) = (pool.have[column], pool.want[row]);
        let modules = (have.variables[j].module, want.variables[i].module);
        let by_words = words[&modules];
        match problem.fits.change(j, i) {
            Some(_) if by_words > IMPOSSIBLE => {
                by_words + by_numbers(problem, (j, i), maps[&modules].as_ref())
            }
            _ => IMPOSSIBLE,
        }
    })
}

/// Returns the score of two modules' words and roles.
fn by_words(problem: &Problem<'_>, a: usize, b: usize) -> f64 {
    let (one, other) = (&problem.have.modules[a].meaning, &problem.want.modules[b].meaning);
    let likeness = problem.words.likeness(problem.have.template_of(a), problem.want.template_of(b));
    leaf_role::score(one.role, other.role).map_or(IMPOSSIBLE, |role| likeness + role)
}

/// Returns the better map of numbers: of the templates, or of the modules.
fn slot_map(problem: &Problem<'_>, a: usize, b: usize) -> Option<SlotMap> {
    let (have, want) = (problem.have, problem.want);
    let of_templates =
        SlotMap::new(&have.templates[have.template_of(a)].slots, &want.templates[want.template_of(b)].slots);
    let of_modules = SlotMap::new(&have.modules[a].slots, &want.modules[b].slots);
    match (of_templates, of_modules) {
        (Some(one), Some(other)) => Some(if other.coverage > one.coverage { other } else { one }),
        (one, other) => one.or(other),
    }
}

/// Returns the score of two variables' numbers: by rank, where both sides count alike, else by their values.
fn by_numbers(problem: &Problem<'_>, (j, i): (usize, usize), map: Option<&SlotMap>) -> f64 {
    let (source, wanted) = (&problem.have.variables[j], &problem.want.variables[i]);
    let (old, new) =
        (problem.have.modules[source.module].slots.len(), problem.want.modules[wanted.module].slots.len());
    match map {
        Some(map) => {
            let trust = if map.is_certain { 1.0 } else { 0.5 };
            NUMBERS * map.coverage * map.agreement(&source.numbers, &wanted.numbers) * trust
        }
        None if new == 0 && old == 0 => NUMBERS * 0.5,
        None if new <= old + 2 && (new > 1 || old < 2) => {
            let most = source.numbers.len().max(wanted.numbers.len()).max(1);
            SAME_NUMBERS * common(&source.numbers, &wanted.numbers) as f64 / most as f64
        }
        None => 0.0,
    }
}

/// Returns the number of values that both have, in any order.
fn common(a: &[u64], b: &[u64]) -> usize {
    let mut rest = b.to_vec();
    let take = |number: &u64| rest.iter().position(|other| other == number).map(|at| rest.swap_remove(at));
    a.iter().filter_map(take).count()
}
