//! The doubts about pairs. Positional names are evidence only where both sides count alike.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::suggest::assignment::Scores;
use crate::suggest::learned::Rule;
use crate::suggest::pool::Pool;
use crate::suggest::problem::{FEW, MARGIN, Match, Problem};
use crate::suggest::side::{Side, Variable};
use crate::suggest::slot::Slot;
use crate::suggest::variables::Assigned;

/// A doubt about a pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// These sources fit about as well.
    Rivals(Vec<usize>),
    /// A variable of the same form has no pair, and could stand here.
    Relatives,
    /// The pairs of the same two forms follow no rule, or this pair does not follow it.
    NoRule,
    /// The names have no word in common, and no rule of many pairs speaks for this one.
    NothingInCommon,
    /// The other variables of both forms have partners of other forms.
    Scattered,
    /// The numbers differ, and a counter has gaps.
    Gaps,
    /// A variable without a pair has a name that is closer.
    CloserName,
    /// The names contradict each other, and both sides have variables of this shape left.
    OtherWords,
    /// Most other variables of a scope with a number come from another scope.
    OtherScope,
    /// The weights that the two belong to are no sure pair.
    OtherWeight,
    /// Nothing shows if the matrix is transposed.
    Orientation,
}

/// The least difference between two likenesses that says something.
const CLOSER: f64 = 1e-6;
/// The share of the pairs of two modules that their rule must explain.
const EXPLAINED: f64 = 0.8;

/// Returns the doubt about each pair that was assigned. `None` if the pair is sure.
pub(crate) fn doubts(problem: &Problem<'_>, settled: &[Match], assigned: &Assigned) -> Vec<Option<Doubt>> {
    let matches = &assigned.matches;
    let count = settled.len() + matches.len();
    let is_whole = count == problem.want.variables.len() && count == problem.have.variables.len();
    let by_want: HashMap<usize, usize> =
        matches.iter().enumerate().map(|(at, pair)| (pair.want, at)).collect();
    let used: HashSet<usize> = matches.iter().map(|pair| pair.have).collect();
    let alone = alone(problem);
    let mut doubts: Vec<Option<Doubt>> = vec![None; matches.len()];
    for (pool, scores) in &assigned.pools {
        let rows = (0..scores.rows).filter(|row| !by_want.contains_key(&pool.want[*row])).collect();
        let columns = (0..scores.columns).filter(|column| !used.contains(&pool.have[*column])).collect();
        let open = Open { problem, pool, scores, rows, columns };
        let places: HashMap<usize, usize> =
            pool.have.iter().enumerate().map(|(column, have)| (*have, column)).collect();
        for (row, want) in pool.want.iter().enumerate() {
            let Some(&at) = by_want.get(want) else { continue };
            doubts[at] = open.doubt(row, places[&matches[at].have], matches[at].margin);
        }
    }
    for (modules, group) in by_modules(problem, matches) {
        for (at, doubt) in group.iter().zip(incoherent(problem, assigned, modules, &group, is_whole)) {
            doubts[*at] = doubts[*at].take().or(doubt);
        }
    }
    let sources = settled.iter().chain(matches).map(|pair| (pair.want, pair.have)).collect();
    for (pair, doubt) in matches.iter().zip(&mut doubts) {
        // Against words that disagree, one shape that no other variable has is not enough.
        let is_about_words = matches!(doubt, Some(Doubt::NothingInCommon | Doubt::OtherWords));
        if alone.contains(&(pair.have, pair.want)) && (!is_about_words || is_layer(problem, &sources, pair)) {
            *doubt = None;
        }
    }
    settle_layers(problem, settled, matches, &mut doubts);
    doubts
}

/// Settles the doubts about numbers for a variable whose layer a sure pair identifies, and that is the only one of its
/// role there.
fn settle_layers(problem: &Problem<'_>, settled: &[Match], matches: &[Match], doubts: &mut [Option<Doubt>]) {
    let (have, want) = (&problem.have.variables, &problem.want.variables);
    let layers = |pair: &Match| (have[pair.have].parent, want[pair.want].parent);
    let sure =
        matches.iter().zip(&*doubts).filter(|(_, doubt)| doubt.is_none()).map(|(pair, _)| layers(pair));
    let known: HashSet<_> = settled.iter().map(layers).chain(sure).collect();
    for (pair, doubt) in matches.iter().zip(doubts) {
        let is_about_numbers = matches!(
            doubt,
            Some(Doubt::NoRule | Doubt::Gaps | Doubt::Relatives | Doubt::Scattered | Doubt::NothingInCommon)
        );
        if is_about_numbers && known.contains(&layers(pair)) && is_only_one(problem, pair) {
            *doubt = None;
        }
    }
}

/// Returns true if no other two variables of the same layers have these roles and could pair.
fn is_only_one(problem: &Problem<'_>, pair: &Match) -> bool {
    let (have, want) = (&problem.have.variables[pair.have], &problem.want.variables[pair.want]);
    let part = |side: &Side, at: usize| {
        side.templates[side.variables[at].template].meaning.role.map(|role| role.part)
    };
    let role = part(problem.want, pair.want);
    let of_have = problem.have.parents[have.parent].iter().filter(|other| {
        part(problem.have, **other) == role && problem.fits.change(**other, pair.want).is_some()
    });
    let of_want = problem.want.parents[want.parent].iter().filter(|other| {
        part(problem.want, **other) == role && problem.fits.change(pair.have, **other).is_some()
    });
    role.is_some() && role == part(problem.have, pair.have) && of_have.count() == 1 && of_want.count() == 1
}

/// Returns true if a pair is one of several that together make one layer of another.
fn is_layer(problem: &Problem<'_>, sources: &HashMap<usize, usize>, pair: &Match) -> bool {
    let (source, layer) =
        (problem.have.variables[pair.have].parent, problem.want.variables[pair.want].parent);
    let is_of_source =
        |want: &usize| sources.get(want).is_some_and(|have| problem.have.variables[*have].parent == source);
    let members = &problem.want.parents[layer];
    members.len() > 1
        && members.len() == problem.have.parents[source].len()
        && members.iter().all(is_of_source)
}

/// Returns the pairs whose shapes no other variable has, so that no number can mean another one.
fn alone(problem: &Problem<'_>) -> HashSet<(usize, usize)> {
    let all = |count: usize| (0..count).collect::<Vec<_>>();
    let pools = problem.fits.pools(&all(problem.have.variables.len()), &all(problem.want.variables.len()));
    let pair = |pool: Pool| match (&*pool.have, &*pool.want) {
        // A number alone is nothing particular.
        ([have], [want]) if problem.want.variables[*want].shape.num_elements() > Some(1) => {
            Some((*have, *want))
        }
        _ => None,
    };
    pools.into_iter().filter_map(pair).collect()
}

/// A pool with the rows and the columns that have no pair.
struct Open<'p> {
    problem: &'p Problem<'p>,
    pool: &'p Pool,
    scores: &'p Scores,
    rows: Vec<usize>,
    columns: Vec<usize>,
}

impl Open<'_> {
    fn doubt(&self, row: usize, column: usize, margin: f64) -> Option<Doubt> {
        if margin < MARGIN {
            return Some(Doubt::Rivals(self.rivals(row, column)));
        }
        if self.has_relatives(row, column) {
            return Some(Doubt::Relatives);
        }
        if self.has_closer(row, column) {
            return Some(Doubt::CloserName);
        }
        self.may_be_another(row, column).then_some(Doubt::OtherWords)
    }

    /// Returns true if a variable without a pair fits one of the two better by its words, numbers apart.
    fn has_closer(&self, row: usize, column: usize) -> bool {
        let by_words = |row: usize, column: usize| match self.scores.is_possible(row, column) {
            true => self.problem.by_words(self.pool.have[column], self.pool.want[row]),
            false => f64::MIN,
        };
        let own = by_words(row, column) + CLOSER;
        self.rows.iter().any(|other| by_words(*other, column) > own)
            || self.columns.iter().any(|other| by_words(row, *other) > own)
    }

    /// Returns the other sources that fit about as well.
    fn rivals(&self, row: usize, column: usize) -> Vec<usize> {
        let least = self.scores.at(row, column) - MARGIN;
        let near = |other: &usize| {
            *other != column && self.scores.is_possible(row, *other) && self.scores.at(row, *other) >= least
        };
        (0..self.scores.columns).filter(near).map(|other| self.pool.have[other]).collect()
    }

    /// Returns true if a variable of the same form as one of the two has no pair and could take its place.
    fn has_relatives(&self, row: usize, column: usize) -> bool {
        let (have, want) = (&self.problem.have.variables, &self.problem.want.variables);
        let module = want[self.pool.want[row]].module;
        if self.problem.want.modules[module].slots.is_empty() {
            return false;
        }
        let of_want = self.rows.iter().filter(|other| want[self.pool.want[**other]].module == module);
        let source = have[self.pool.have[column]].module;
        let of_have = self.columns.iter().filter(|other| have[self.pool.have[**other]].module == source);
        of_want.into_iter().any(|other| self.scores.is_possible(*other, column))
            || of_have.into_iter().any(|other| self.scores.is_possible(row, *other))
    }

    /// Returns true if the names contradict each other, and both could have another partner.
    fn may_be_another(&self, row: usize, column: usize) -> bool {
        let (have, want) = (&self.problem.have.variables, &self.problem.want.variables);
        let (source, wanted) = (have[self.pool.have[column]].template, want[self.pool.want[row]].template);
        self.rows.iter().any(|other| self.scores.is_possible(*other, column))
            && self.columns.iter().any(|other| self.scores.is_possible(row, *other))
            && self.problem.words.contradicts(source, wanted)
    }
}

/// Groups pairs by their modules.
fn by_modules(problem: &Problem<'_>, matches: &[Match]) -> BTreeMap<(usize, usize), Vec<usize>> {
    let mut groups: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
    for (at, pair) in matches.iter().enumerate() {
        let modules = (problem.have.variables[pair.have].module, problem.want.variables[pair.want].module);
        groups.entry(modules).or_default().push(at);
    }
    groups
}

/// Returns the doubt about each pair of two modules, by the rule that their numbers follow.
fn incoherent(
    problem: &Problem<'_>,
    assigned: &Assigned,
    modules: (usize, usize),
    group: &[usize],
    is_whole: bool,
) -> Vec<Option<Doubt>> {
    let pairs = group.iter().map(|at| {
        let Match { have, want, .. } = assigned.matches[*at];
        (&problem.have.variables[have], &problem.want.variables[want], 1.0)
    });
    let pairs: Vec<_> = pairs.collect();
    let (old, new) = (problem.have.template_of(modules.0), problem.want.template_of(modules.1));
    if pairs.len() < FEW && !problem.are_alike(old, new) {
        return vec![Some(Doubt::NothingInCommon); group.len()];
    }
    let (all_have, all_want) =
        (&problem.have.modules[modules.0].members, &problem.want.modules[modules.1].members);
    if group.len() < all_have.len().min(all_want.len()) {
        return vec![Some(Doubt::Scattered); group.len()];
    }
    let map = assigned.maps.get(&modules).and_then(Option::as_ref);
    let is_full = map.is_some_and(|map| map.coverage == 1.0);
    let follows = map.is_some_and(|map| {
        map.is_certain
            && pairs.iter().all(|(source, wanted, _)| map.agreement(&source.numbers, &wanted.numbers) == 1.0)
    });
    let has_gaps = map.is_some_and(|map| {
        let differs =
            |(a, b): &(_, _)| pairs.iter().any(|(source, wanted, _)| number(a, source) != number(b, wanted));
        !map.is_certain && map.pairs.iter().any(differs)
    });
    if has_gaps && !is_whole {
        return vec![Some(Doubt::Gaps); group.len()];
    }
    // Ranks of two or three are chance, and ranks of a part mean nothing.
    let differs = |(source, wanted, _): &(&Variable, &Variable, f64)| source.numbers != wanted.numbers;
    let is_chance =
        group.len() < all_have.len().max(all_want.len()) || group.len() <= FEW && pairs.iter().any(differs);
    if is_full && (follows && !is_chance || is_whole) {
        return vec![None; group.len()];
    }
    // A constant explains one pair as well as a rule does.
    let rule = Rule::elect(&pairs, 0.999);
    let explained: Vec<bool> =
        pairs.iter().map(|(source, wanted, _)| rule.explains(source, wanted)).collect();
    // Any rule explains a pair or two.
    let (have, want) = (&problem.have.modules[modules.0].slots, &problem.want.modules[modules.1].slots);
    if pairs.len() < FEW && !rule.is_plain(have, want) {
        return vec![Some(Doubt::NoRule); group.len()];
    }
    let share = explained.iter().filter(|is| **is).count() as f64 / explained.len() as f64;
    explained.iter().map(|is| (share < EXPLAINED || !is).then_some(Doubt::NoRule)).collect()
}

fn number(slot: &Slot, variable: &Variable) -> Option<u64> {
    variable.numbers.get(slot.at).copied()
}
