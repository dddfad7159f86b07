//! The agreement of pairs about scopes with a number: if nearly all variables of `layer.3` come from `layer_3`, one from
//! `layer_4` is a mistake. It happens where both sides lack variables, so that the order of a form is shifted.

use std::collections::{HashMap, HashSet};

/// The least number of votes for a scope that say something.
const VOTES: usize = 3;
/// The share of the votes, in percent, from which on a scope means another one.
const MAJORITY: usize = 60;

/// A scope with a number at its end: its text, and the text before the number, in which each number is a `#`.
type Scope<'n> = (&'n str, String);

/// The votes for the scopes of the other side, by the form of the other scope.
type Votes<'n> = HashMap<&'n str, HashMap<String, HashMap<&'n str, usize>>>;

/// Returns for each pair of names whether it contradicts most pairs of one of its scopes. Each pair has a weight.
pub(crate) fn contradictions(pairs: &[(&str, &str, usize)]) -> Vec<bool> {
    let (old, new) = (counting(pairs.iter().map(|pair| pair.0)), counting(pairs.iter().map(|pair| pair.1)));
    let scopes: Vec<_> = old.into_iter().zip(new).collect();
    let (mut forth, mut back) = (Votes::new(), Votes::new());
    for ((old, new), (.., weight)) in scopes.iter().zip(pairs) {
        vote(&mut forth, new, old, *weight);
        vote(&mut back, old, new, *weight);
    }
    let (forth, back) = (meanings(forth), meanings(back));
    scopes.iter().map(|(old, new)| contradicts(&forth, new, old) || contradicts(&back, old, new)).collect()
}

/// Returns the scopes of each name, without those whose number is the same in all names.
fn counting<'n>(names: impl Iterator<Item = &'n str>) -> Vec<Vec<Scope<'n>>> {
    let mut all: Vec<_> = names.map(scopes).collect();
    let mut first = HashMap::new();
    let mut count = HashSet::new();
    for (scope, form) in all.iter().flatten() {
        if first.entry(form.clone()).or_insert(*scope) != scope {
            count.insert(form.clone());
        }
    }
    all.iter_mut().for_each(|scopes| scopes.retain(|(_, form)| count.contains(form)));
    all
}

/// Returns the scopes of a name.
fn scopes(name: &str) -> Vec<Scope<'_>> {
    let (mut scopes, mut form, mut rest) = (Vec::new(), String::new(), 0);
    while let Some(start) = name[rest..].find(|c: char| c.is_ascii_digit()).map(|start| rest + start) {
        let end = name[start..].find(|c: char| !c.is_ascii_digit()).map_or(name.len(), |end| start + end);
        form.push_str(&name[rest..start]);
        form.push('#');
        scopes.push((&name[..end], form.clone()));
        rest = end;
    }
    scopes
}

fn vote<'n>(votes: &mut Votes<'n>, from: &[Scope<'n>], to: &[Scope<'n>], weight: usize) {
    for (scope, _) in from {
        let forms = votes.entry(scope).or_default();
        for (other, form) in to {
            *forms.entry(form.clone()).or_default().entry(other).or_default() += weight;
        }
    }
}

/// Returns the one scope that each scope means, with its form.
fn meanings(votes: Votes<'_>) -> HashMap<&str, (String, &str)> {
    votes.into_iter().filter_map(|(scope, forms)| Some((scope, meaning(forms)?))).collect()
}

/// Returns the scope with a clear majority of the votes. Of several forms, the one with the most votes counts.
fn meaning(forms: HashMap<String, HashMap<&str, usize>>) -> Option<(String, &str)> {
    let best = forms.into_iter().filter_map(|(form, others)| {
        let all: usize = others.values().sum();
        let (other, most) = others.into_iter().max_by_key(|(other, votes)| (*votes, *other))?;
        Some((most, form.len(), form, other, all))
    });
    let (most, _, form, other, all) = best.max()?;
    (most >= VOTES && most * 100 >= all * MAJORITY).then_some((form, other))
}

fn contradicts(meanings: &HashMap<&str, (String, &str)>, from: &[Scope<'_>], to: &[Scope<'_>]) -> bool {
    from.iter()
        .filter_map(|(scope, _)| meanings.get(scope))
        .any(|(form, meant)| to.iter().any(|(other, of)| of == form && other != meant))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_that_contradicts_the_others_of_its_scope_is_found() {
        let pairs: Vec<_> = ["a", "b", "c", "d"]
            .iter()
            .flat_map(|leaf| {
                (0..3).map(move |i| (format!("m/layer_{i}/{leaf}"), format!("m.layer.{}.{leaf}", i + 5)))
            })
            .chain([("m/layer_1/e".to_owned(), "m.layer.5.e".to_owned())])
            .collect();
        let pairs: Vec<_> = pairs.iter().map(|(old, new)| (old.as_str(), new.as_str(), 1)).collect();
        let found = contradictions(&pairs);
        assert!(found[..12].iter().all(|is_wrong| !is_wrong) && found[12]);
    }

    #[test]
    fn a_scope_that_becomes_several_is_no_contradiction() {
        let pair = |part: &str, block: usize, leaf: &str| {
            (format!("blocks_{block}/{leaf}"), format!("block2{part}_{leaf}"))
        };
        let pairs: Vec<_> =
            ["x", "y", "z"].iter().flat_map(|leaf| [pair("a", 1, leaf), pair("b", 2, leaf)]).collect();
        let pairs: Vec<_> = pairs.iter().map(|(old, new)| (old.as_str(), new.as_str(), 1)).collect();
        assert!(!contradictions(&pairs).contains(&true));
    }
}
