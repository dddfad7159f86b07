//! Layers that count from another number: `dense_12` for `dense`.

use std::collections::BTreeSet;

use crate::map::Flag;
use crate::map::escape::escape;
use crate::name::Name;
use crate::suggest::Confidence;
use crate::suggest::missing_name::have::Have;
use crate::suggest::missing_name::{Guess, MissingName, SEPARATORS};

/// A name around a counting component: `model/`, `dense`, `/bias`.
#[derive(PartialEq, Eq)]
struct Around<'a> {
    before: &'a str,
    base: &'a str,
    after: &'a str,
}

/// Splits a text at the number at its end: `dense_12` is `dense` and 12, `dense` has none.
pub(crate) fn without_number(text: &str) -> (&str, Option<u64>) {
    let base = text.trim_end_matches(|c: char| c.is_ascii_digit());
    match (base.strip_suffix('_'), text[base.len()..].parse()) {
        (Some(base), Ok(number)) if !base.is_empty() => (base, Some(number)),
        _ => (text, None),
    }
}

/// Returns true if two scopes differ only in the number of their last component.
pub(crate) fn counts(from: &str, to: &str) -> bool {
    let [from, to] = [from, to].map(|scope| without_number(scope.trim_end_matches(SEPARATORS)));
    from.0 == to.0 && from.1 != to.1
}

/// Guesses for layers that count from another number. Several fit if TensorFlow's first missing name can come from several.
pub(crate) fn numbers(have: &Have<'_>, missing: &[MissingName]) -> Vec<Guess> {
    let Some(first) = missing.first() else { return Vec::new() };
    let mut found = Vec::new();
    for (around, _) in splits(&first.name) {
        let numbers = numbers_around(have.fitting(first).map(|(name, _)| name), &around);
        let wanted = numbers_around(missing.iter().map(|missing| missing.name.as_str()), &around);
        let moves: Vec<_> = moves(&around, &numbers, &wanted);
        let is_alone = moves.len() == 1;
        for by in moves {
            let gives = (0..missing.len()).filter(|at| wants(&missing[*at], &around)).collect();
            let evidence = format!(
                "{} is not there; {} is: the program counts {} from another number",
                Name::from(first.name.as_str()),
                Name::from(spelled(&around, numbers.first().copied().flatten()).as_str()),
                Name::from(around.base)
            );
            let doubt = match is_alone {
                true => "numbers only count: it is right if the program has these layers and no other",
                false => {
                    "numbers only count: the program may have built other layers before, or has a new one"
                }
            };
            let confidence = if is_alone { Confidence::Likely } else { Confidence::Ambiguous };
            let flags = flags(&around, &numbers, by);
            found.push(Guess { flags, evidence, confidence, doubt: Some(doubt.into()), gives });
        }
        if !found.is_empty() {
            break;
        }
    }
    found
}

/// Splits a name at each of its components.
fn splits(name: &str) -> impl Iterator<Item = (Around<'_>, Option<u64>)> {
    let starts = std::iter::once(0).chain(name.match_indices(SEPARATORS).map(|(at, _)| at + 1));
    starts.map(|start| {
        let end = name[start..].find(SEPARATORS).map_or(name.len(), |at| start + at);
        let (base, number) = without_number(&name[start..end]);
        (Around { before: &name[..start], base, after: &name[end..] }, number)
    })
}

fn wants(missing: &MissingName, around: &Around<'_>) -> bool {
    splits(&missing.name).any(|(other, _)| other == *around)
}

/// Returns the numbers of a counting component in names that are the same around it. `None` stands for no number.
fn numbers_around<'n>(names: impl Iterator<Item = &'n str>, around: &Around<'_>) -> BTreeSet<Option<u64>> {
    let number = |name: &'n str| splits(name).find(|(other, _)| other == around).map(|(_, number)| number);
    names.filter_map(number).collect()
}

/// Returns the distances by which the numbers in the checkpoint can be moved, so that exactly the wanted ones are missing.
/// If one is known, it is the first by the alphabet.
fn moves(around: &Around<'_>, have: &BTreeSet<Option<u64>>, wanted: &BTreeSet<Option<u64>>) -> Vec<i64> {
    let value = |number: &Option<u64>| number.unwrap_or(0) as i64;
    let (there, want): (BTreeSet<_>, BTreeSet<_>) =
        (have.iter().map(value).collect(), wanted.iter().map(value).collect());
    let Some(first) = want.first() else { return Vec::new() };
    let fits = |by: &i64| {
        let moved: BTreeSet<_> = there.iter().map(|number| number + by).collect();
        let new: BTreeSet<_> = moved.difference(&there).copied().collect();
        let by_name = |number: &&i64| spelled(around, number_of(**number, have, wanted));
        *moved.first().unwrap_or(&0) >= 0
            && if want.len() == 1 { new.iter().min_by_key(by_name) == Some(first) } else { new == want }
    };
    let all: BTreeSet<_> = there.iter().map(|number| first - number).filter(|by| *by != 0).collect();
    all.into_iter().filter(fits).collect()
}

/// Returns a number as names spell it: 0 is none where a name without a number is known.
fn number_of(value: i64, have: &BTreeSet<Option<u64>>, wanted: &BTreeSet<Option<u64>>) -> Option<u64> {
    let has_zero = have.contains(&Some(0)) || wanted.contains(&Some(0));
    u64::try_from(value).ok().filter(|value| *value > 0 || has_zero)
}

fn spelled(around: &Around<'_>, number: Option<u64>) -> String {
    let number = number.map(|number| format!("_{number}")).unwrap_or_default();
    format!("{}{}{number}{}", around.before, around.base, around.after)
}

/// Returns the flags that move all numbers of a layer. A layer without a number has a rule of its own.
fn flags(around: &Around<'_>, have: &BTreeSet<Option<u64>>, by: i64) -> Vec<Flag> {
    let (scope, base) = (around.before, around.base);
    let (from, to) = (escape(&format!("{scope}{base}")), escape(&format!("{scope}{base}")));
    let below = if around.after.is_empty() { ["", ""] } else { ["/{x:**}", "/{x}"] };
    let one =
        |old: String, new: String| Flag::Rename(format!("{from}{old}{}={to}{new}{}", below[0], below[1]));
    let plain = have.contains(&None).then(|| one(String::new(), format!("_{by}")));
    // Names begin to count without a number.
    let first =
        u64::try_from(-by).ok().filter(|first| have.contains(&Some(*first)) && !have.contains(&Some(0)));
    let first = first.map(|first| one(format!("_{first}"), String::new()));
    let has_others = have.iter().flatten().any(|number| *number as i64 + by != 0 || have.contains(&Some(0)));
    let others = has_others.then(|| one("_{i:int}".into(), format!("_{{i{by:+}}}")));
    plain.into_iter().chain(first).chain(others).collect()
}
