//! The evidence that sure pairs give for others: the rule between two modules, and pairs of the same layers.

use std::collections::{BTreeMap, HashMap};

use crate::suggest::assignment::Scores;
use crate::suggest::pool::Pool;
use crate::suggest::problem::{Match, Problem};
use crate::suggest::side::Variable;
use crate::suggest::slot::Slot;

/// The evidence of sure pairs.
#[derive(Default)]
pub(crate) struct Learned {
    /// The rules and their bonus, for two modules.
    rules: HashMap<(usize, usize), (Rule, f64)>,
    /// The bonus for two layers.
    layers: HashMap<(usize, usize), f64>,
}

/// The rule for the numbers of a wanted variable: one origin for each number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule(Vec<Origin>);

/// The origin of a number in a wanted name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// The number of the source at this position, and what is added to it.
    Slot(usize, i128),
    /// Always the same.
    Constant(u64),
}

/// A pair, the source first, and the weight of its vote.
pub(crate) type Vote<'v> = (&'v Variable, &'v Variable, f64);

/// The greatest bonus for a pair that follows a rule.
const BY_RULE: f64 = 0.5;
/// The number of sure pairs for which a bonus is at its greatest, if no rule has more.
const MANY: f64 = 8.0;
/// The greatest bonus for a pair in the same layers as sure pairs.
const BY_LAYER: f64 = 0.15;
/// The margin at which a pair has a whole vote.
const WHOLE_VOTE: f64 = 0.1;
/// The weight of a vote for a constant, since any one pair has one.
const CONSTANT: f64 = 0.8;

impl Rule {
    /// Finds the rule that most votes are for. Each pair comes with the weight of its vote.
    pub(crate) fn elect(pairs: &[Vote<'_>], constant: f64) -> Self {
        let count = pairs.first().map_or(0, |(_, wanted, _)| wanted.numbers.len());
        let origin = |at: usize| {
            let mut votes: BTreeMap<Origin, f64> = BTreeMap::new();
            for (source, wanted, vote) in pairs {
                let number = wanted.numbers[at];
                *votes.entry(Origin::Constant(number)).or_default() += constant * vote;
                for (slot, from) in source.numbers.iter().enumerate() {
                    // Of equal rules, the one that changes nothing and keeps the place is the better one.
                    let tie = 0.02 * f64::from(*from == number) - 0.001 * slot.abs_diff(at) as f64;
                    *votes.entry(Origin::Slot(slot, i128::from(number) - i128::from(*from))).or_default() +=
                        vote * (1.0 + tie);
                }
            }
            let best = votes.into_iter().rev().max_by(|(_, a), (_, b)| a.total_cmp(b));
            best.map_or(Origin::Constant(0), |(origin, _)| origin)
        };
        Self((0..count).map(origin).collect())
    }

    /// Returns true if a pair follows the rule.
    pub(crate) fn explains(&self, source: &Variable, wanted: &Variable) -> bool {
        let is_right = |(origin, number): (&Origin, &u64)| match origin {
            Origin::Constant(constant) => constant == number,
            Origin::Slot(slot, offset) => source
                .numbers
                .get(*slot)
                .is_some_and(|from| i128::from(*from) + offset == i128::from(*number)),
        };
        self.0.iter().zip(&wanted.numbers).all(is_right)
    }
}

impl Rule {
    /// Returns true if the rule only keeps numbers: every number that counts in the wanted names is one that counts in the
    /// source's.
    pub(crate) fn is_plain(&self, have: &[Slot], want: &[Slot]) -> bool {
        let counts = |at: &usize| have.iter().any(|slot| slot.at == *at);
        want.iter().all(|slot| matches!(self.0.get(slot.at), Some(Origin::Slot(at, 0)) if counts(at)))
    }
}

impl Learned {
    /// Learns from pairs. Only sure pairs have votes.
    pub(crate) fn from<'m>(problem: &Problem<'_>, pairs: impl Iterator<Item = &'m Match>) -> Self {
        let mut modules: BTreeMap<(usize, usize), Vec<Vote<'_>>> = BTreeMap::new();
        let mut layers: HashMap<(usize, usize), f64> = HashMap::new();
        for pair in pairs {
            let (source, wanted) = (&problem.have.variables[pair.have], &problem.want.variables[pair.want]);
            let vote = (pair.margin / WHOLE_VOTE).clamp(0.0, 1.0);
            modules.entry((source.module, wanted.module)).or_default().push((source, wanted, vote));
            *layers.entry((source.parent, wanted.parent)).or_default() += vote;
        }
        let elected = modules.into_iter().filter(|(_, pairs)| !pairs[0].1.numbers.is_empty());
        let elected: Vec<_> = elected
            .map(|(modules, pairs)| {
                let rule = Rule::elect(&pairs, CONSTANT);
                let all: f64 = pairs.iter().map(|(.., vote)| vote).sum();
                let of_rule = pairs.iter().filter(|(source, wanted, _)| rule.explains(source, wanted));
                let votes: f64 = of_rule.map(|(.., vote)| vote).sum();
                (modules, rule, votes, all)
            })
            .collect();
        let most = elected.iter().map(|(.., all)| *all).fold(MANY, f64::max);
        let bonus = |votes: f64, all: f64| BY_RULE * votes / all.max(1e-9) * votes.ln_1p() / most.ln_1p();
        let rules =
            elected.into_iter().map(|(modules, rule, votes, all)| (modules, (rule, bonus(votes, all))));
        layers.retain(|(parent, wanted), _| {
            problem.have.parents[*parent].len() > 1 && problem.want.parents[*wanted].len() > 1
        });
        let share = |wanted: usize, votes: f64| (votes / problem.want.parents[wanted].len() as f64).min(1.0);
        let layers = layers.into_iter().map(|(layers, votes)| (layers, BY_LAYER * share(layers.1, votes)));
        Self { rules: rules.collect(), layers: layers.collect() }
    }

    /// Returns the scores of a pool with the bonus of what was learned.
    pub(crate) fn improved(&self, problem: &Problem<'_>, pool: &Pool, base: &Scores) -> Scores {
        base.plus(|row, column| {
            let (source, wanted) =
                (&problem.have.variables[pool.have[column]], &problem.want.variables[pool.want[row]]);
            let rule = self.rules.get(&(source.module, wanted.module));
            let by_rule =
                rule.filter(|(rule, _)| rule.explains(source, wanted)).map_or(0.0, |(_, bonus)| *bonus);
            by_rule + self.layers.get(&(source.parent, wanted.parent)).copied().unwrap_or_default()
        })
    }
}
