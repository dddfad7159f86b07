//! The steps of a suggestion: templates, variables, doubts, orientations.

use std::collections::{HashMap, HashSet};

use crate::suggest::doubt::{Doubt, doubts};
use crate::suggest::numbered_scope::contradictions;
use crate::suggest::orientation::Witnesses;
use crate::suggest::problem::{Match, Problem};
use crate::suggest::side::Side;
use crate::suggest::variables::assign;
use crate::suggest::{Change, Confidence, Item, Pair, Suggestion, template};

/// A pair with its reason, or the doubt about it.
struct Found {
    pair: Match,
    verdict: Result<String, Doubt>,
}

/// Suggests a source for each wanted variable, by one system of names for each side.
pub(crate) fn solve((have, old): (&[Item], &[String]), (want, new): (&[Item], &[String])) -> Suggestion {
    if let Some(same) = identity((have, old), (want, new)) {
        return same;
    }
    let (sources, wanted) = (Side::new(have, old), Side::new(want, new));
    let problem = Problem::new(&sources, &wanted);
    let mut found: Vec<Found> =
        template::pairs(&problem).into_iter().flat_map(|members| by_template(&problem, members)).collect();
    let settled: Vec<Match> = found.iter().map(|found| found.pair).collect();
    let assigned = assign(&problem, &settled);
    let doubts = doubts(&problem, &settled, &assigned);
    let reason = || "by name and number".to_owned();
    found.extend(
        assigned
            .matches
            .iter()
            .zip(doubts)
            .map(|(pair, doubt)| Found { pair: *pair, verdict: doubt.map_or_else(|| Ok(reason()), Err) }),
    );
    let mut pairs: Vec<Pair> = want.iter().map(|_| missing()).collect();
    for at in &assigned.untried {
        pairs[wanted.variables[*at].item].reason = "not compared: too many variables have this shape".into();
    }
    check_scopes(&problem, old, new, &mut found);
    check_owners(&problem, have, want, &mut found);
    let changes = orient(&problem, have, want, &mut found);
    for (found, change) in found.into_iter().zip(changes) {
        let Match { have: j, want: i, .. } = found.pair;
        let item = |at: &usize| sources.variables[*at].item;
        let others = match &found.verdict {
            Err(Doubt::Rivals(others)) => others.iter().map(item).collect(),
            _ => vec![],
        };
        let confidence = match &found.verdict {
            Ok(_) => Confidence::Sure,
            Err(Doubt::Rivals(_)) => Confidence::Ambiguous,
            Err(_) => Confidence::Likely,
        };
        let reason = found.verdict.unwrap_or_else(|doubt| doubt.reason().to_owned());
        pairs[wanted.variables[i].item] = Pair { have: Some(item(&j)), change, confidence, reason, others };
    }
    Suggestion { pairs }
}

/// Returns the pairs of equal names, if both sides have the same names with the same shapes.
fn identity((have, old): (&[Item], &[String]), (want, new): (&[Item], &[String])) -> Option<Suggestion> {
    let known: HashMap<&str, usize> = old.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
    if known.len() != want.len() || old.len() != want.len() {
        return None;
    }
    let pair = |(item, name): (&Item, &String)| {
        let at = *known.get(name.as_str())?;
        let (confidence, reason) = (Confidence::Sure, "by name: both sides have the same names".to_owned());
        (have[at].shape == item.shape && have[at].state == item.state).then_some(Pair {
            have: Some(at),
            change: None,
            confidence,
            reason,
            others: vec![],
        })
    };
    let pairs: Vec<Pair> = want.iter().zip(new).map(pair).collect::<Option<_>>()?;
    let distinct: HashSet<Option<usize>> = pairs.iter().map(|pair| pair.have).collect();
    (distinct.len() == pairs.len()).then_some(Suggestion { pairs })
}

fn missing() -> Pair {
    Pair {
        have: None,
        change: None,
        confidence: Confidence::Missing,
        reason: "nothing fits".into(),
        others: vec![],
    }
}

/// Returns the pairs of two templates.
fn by_template(problem: &Problem<'_>, members: template::Members) -> Vec<Found> {
    let numbers = |pair: &(usize, usize)| {
        (&problem.have.variables[pair.1].numbers, &problem.want.variables[pair.0].numbers)
    };
    let is_same = members.iter().map(numbers).all(|(old, new)| new.iter().all(|number| old.contains(number)));
    let reason = match is_same {
        true => "by name".to_owned(),
        false => format!("by number: {} there and here, in one order", members.len()),
    };
    let found =
        |(want, have)| Found { pair: Match { have, want, margin: f64::MAX }, verdict: Ok(reason.clone()) };
    members.into_iter().map(found).collect()
}

/// Doubts each pair that contradicts most others of a scope with a number. Sure pairs have two votes.
fn check_scopes(problem: &Problem<'_>, old: &[String], new: &[String], found: &mut [Found]) {
    let named = |found: &Found| {
        let (source, wanted) =
            (&problem.have.variables[found.pair.have], &problem.want.variables[found.pair.want]);
        (old[source.item].as_str(), new[wanted.item].as_str(), 1 + usize::from(found.verdict.is_ok()))
    };
    let pairs: Vec<_> = found.iter().map(named).collect();
    for (found, contradicts) in found.iter_mut().zip(contradictions(&pairs)) {
        if contradicts && found.verdict.is_ok() {
            found.verdict = Err(Doubt::OtherScope);
        }
    }
}

/// Doubts each pair of states whose weights are no sure pair.
fn check_owners(problem: &Problem<'_>, have: &[Item], want: &[Item], found: &mut [Found]) {
    let items = |pair: &Match| {
        (&have[problem.have.variables[pair.have].item], &want[problem.want.variables[pair.want].item])
    };
    let sure = found.iter().filter(|found| found.verdict.is_ok()).map(|found| items(&found.pair));
    let sure: HashMap<&str, &str> =
        sure.map(|(have, want)| (want.name.as_str(), have.name.as_str())).collect();
    for Found { pair, verdict } in found.iter_mut().filter(|found| found.verdict.is_ok()) {
        let (source, wanted) = items(pair);
        let of = |item: &Item| item.state.as_ref().and_then(|state| state.of.clone());
        let (Some(old), Some(new)) = (of(source), of(wanted)) else { continue };
        if sure.get(new.as_str()) != Some(&old.as_str()) {
            *verdict = Err(Doubt::OtherWeight);
        }
    }
}

/// Returns the change of each pair. A square matrix whose orientation nothing shows is a doubt.
fn orient(problem: &Problem<'_>, have: &[Item], want: &[Item], found: &mut [Found]) -> Vec<Option<Change>> {
    let items = |pair: &Match| {
        let (source, wanted) = (&problem.have.variables[pair.have], &problem.want.variables[pair.want]);
        (&have[source.item], &want[wanted.item])
    };
    let change = |pair: &Match| problem.fits.change(pair.have, pair.want).cloned().flatten();
    let mut witnesses = Witnesses::default();
    for Found { pair, .. } in found.iter().filter(|found| found.verdict.is_ok()) {
        let (source, wanted) = items(pair);
        witnesses.add(source, wanted, change(pair).as_ref());
    }
    let oriented = found.iter_mut().map(|found| {
        let (source, wanted) = items(&found.pair);
        let plain = change(&found.pair);
        witnesses.orient(source, wanted, plain.clone()).unwrap_or_else(|| {
            if found.verdict.is_ok() {
                found.verdict = Err(Doubt::Orientation);
            }
            plain
        })
    });
    oriented.collect()
}

impl Doubt {
    fn reason(&self) -> &'static str {
        match self {
            Self::Rivals(_) => "others fit about as well",
            Self::Relatives => "another of its form is left over: one side has more of them",
            Self::NothingInCommon => "the names have no word in common: only the shape speaks for it",
            Self::Scattered => "the others of its form have sources of another form",
            Self::NoRule => "its numbers follow no rule",
            Self::Gaps => {
                "the numbers differ and are not consecutive, so their order may mean other variables"
            }
            Self::CloserName => "a variable without a pair has a closer name",
            Self::OtherWords => {
                "the names differ in a word that both sides know, and others of this shape are left over"
            }
            Self::OtherScope => "most others of its scope come from another one",
            Self::OtherWeight => "the weights that they belong to are no sure pair",
            Self::Orientation => {
                "orientation unknown: the matrix is square, and no other shows if it is transposed"
            }
        }
    }
}
