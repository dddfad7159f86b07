//! Rules that differ in one word of the pattern and one of the new name become one rule.
//!
//! ```text
//! layer_{i:int}/query/kernel -> {i}.q.weight  ┐
//! layer_{i:int}/key/kernel   -> {i}.k.weight  ┴ layer_{i:int}/{part:key|query}/kernel -> {i}.{part[part]}.weight
//! ```

use std::collections::{BTreeMap, BTreeSet};

use crate::suggest::rule::{Piece, Rule, Target};

/// The greatest number of rules that are compared. More than that follow no scheme.
const MOST: usize = 2000;

/// A rule with a hole in place of a word, on both sides.
type Shape<'r> = (&'r Option<String>, Vec<Option<&'r Piece>>, Vec<Option<&'r Target>>);

/// Merges rules until no two can be.
pub(crate) fn merged(mut rules: Vec<Rule>) -> Vec<Rule> {
    if rules.len() > MOST {
        return rules;
    }
    while let Some((members, from, to)) = largest(&rules) {
        let one = joined(&rules, &members, from, to);
        rules[members[0]] = one;
        let gone: BTreeSet<usize> = members[1..].iter().copied().collect();
        let mut at = 0..;
        rules.retain(|_| !gone.contains(&at.next().unwrap_or_default()));
    }
    rules
}

/// Returns the largest set of rules that can be one, and the places of the words that differ.
fn largest(rules: &[Rule]) -> Option<(Vec<usize>, usize, usize)> {
    let mut sets: BTreeMap<(Shape<'_>, usize, usize), Vec<usize>> = BTreeMap::new();
    for (at, rule) in rules.iter().enumerate() {
        for (from, to) in places(rule) {
            let shape = (&rule.ops, without(&rule.from, from), without(&rule.to, to));
            sets.entry((shape, from, to)).or_default().push(at);
        }
    }
    let is_pair = |members: &Vec<usize>| members.len() > 1;
    let largest = sets.into_iter().filter(|(_, members)| is_pair(members)).rev();
    let ((_, from, to), members) = largest.max_by_key(|(_, members)| members.len())?;
    Some((members, from, to))
}

/// Iterates over the places of a word of the pattern with one of the new name.
fn places(rule: &Rule) -> impl Iterator<Item = (usize, usize)> {
    let from =
        (0..rule.from.len()).filter(|at| matches!(&rule.from[*at], Piece::Text(text) if is_word(text)));
    let to = |at: usize| matches!(&rule.to[at], Target::Text(text) if !["/", "."].contains(&text.as_str()));
    from.flat_map(move |from| (0..rule.to.len()).filter(move |at| to(*at)).map(move |to| (from, to)))
}

/// Returns true if a text can stand among others in a choice.
fn is_word(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
}

fn without<P>(pieces: &[P], hole: usize) -> Vec<Option<&P>> {
    pieces.iter().enumerate().map(|(at, piece)| (at != hole).then_some(piece)).collect()
}

/// Joins rules that differ in the words at these places.
fn joined(rules: &[Rule], members: &[usize], from: usize, to: usize) -> Rule {
    let mut table = BTreeMap::new();
    for rule in members.iter().map(|at| &rules[*at]) {
        if let (Piece::Text(old), Target::Text(new)) = (&rule.from[from], &rule.to[to]) {
            table.insert(old.clone(), new.clone());
        }
    }
    let mut rule = rules[members[0]].clone();
    let mut words: Vec<String> = table.keys().cloned().collect();
    words.sort_by_key(|word| word.parse::<u64>().ok());
    rule.from[from] = Piece::Word(words);
    rule.to[to] = match table.iter().all(|(old, new)| old == new) {
        true => Target::Capture { at: from, add: 0 },
        false => Target::Entry { at: from, table },
    };
    rule.members = members.iter().flat_map(|at| rules[*at].members.iter().copied()).collect();
    rule
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(from: &[&str], to: &[&str], member: usize) -> Rule {
        let number = |text: &&str| match *text {
            "#" => Piece::Number(None),
            text => Piece::Text(text.into()),
        };
        let target = |text: &&str| match *text {
            "#" => Target::Capture { at: 1, add: 0 },
            text => Target::Text(text.into()),
        };
        let (from, to) = (from.iter().map(number).collect(), to.iter().map(target).collect());
        Rule { from, to, ops: None, members: vec![member] }
    }

    #[test]
    fn rules_that_differ_in_a_word_are_one() {
        let rules = vec![
            rule(&["a", "#", "query", "/", "kernel"], &["b", "#", "q", "/", "w"], 0),
            rule(&["a", "#", "query", "/", "bias"], &["b", "#", "q", "/", "b"], 1),
            rule(&["a", "#", "key", "/", "kernel"], &["b", "#", "k", "/", "w"], 2),
            rule(&["a", "#", "key", "/", "bias"], &["b", "#", "k", "/", "b"], 3),
            rule(&["c"], &["d"], 4),
        ];
        let merged = merged(rules);
        assert_eq!(merged.len(), 2);
        assert_eq!(merged[0].pattern(), "a{i:int}{part:key|query}/{leaf:bias|kernel}");
        assert_eq!(merged[0].target(|table| format!("t{}", table.len())), "b{i}{t2[part]}/{t2[leaf]}");
        assert_eq!(merged[0].members, [0, 2, 1, 3].map(|at| at));
        assert_eq!(merged[1].pattern(), "c");
    }

    #[test]
    fn a_word_that_a_choice_cannot_hold_stays() {
        let rules = vec![rule(&["x", "a:b"], &["y", "a"], 0), rule(&["x", "c|d"], &["y", "b"], 1)];
        assert_eq!(merged(rules.clone()), rules);
    }
}
