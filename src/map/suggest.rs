//! Suggestions of the nearest match: for keys and names of the map language, and for patterns that matched nothing.

use std::collections::BTreeSet;

use regex::bytes::Regex;
use strsim::osa_distance;

use crate::map::escape::{escape, split_unescaped};
use crate::map::pattern::Pattern;
use crate::name::sample;

/// The maximum number of suggestions.
const SUGGESTIONS: usize = 3;
/// The maximum number of different components that are compared at one position.
const COMPONENTS: usize = 1000;
/// Returns ``did you mean `unused`?``, or `None` if no candidate is near enough.
pub(crate) fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let near = candidates.into_iter().map(|candidate| (osa_distance(word, candidate), candidate));
    let (_, nearest) = near.filter(|(distance, candidate)| is_near(*distance, word, candidate)).min()?;
    Some(format!("did you mean `{nearest}`?"))
}

/// Returns true if the distance is at most a third of the longer word's length, or 1.
fn is_near(distance: usize, a: &str, b: &str) -> bool {
    distance <= (a.chars().count().max(b.chars().count()) / 3).max(1)
}

/// Returns similar patterns that do match, nearest first, each with its number of matching names. With `scopes`, they
/// may be scopes.
pub(crate) fn near_patterns(pattern: &Pattern, names: &[&[u8]], scopes: bool) -> Vec<(String, usize)> {
    let text = pattern.text.as_str();
    let mut edits: Vec<String> = edits(pattern, &sample(names)).into_iter().collect();
    edits.sort_by_cached_key(|edit| osa_distance(text, edit));
    let hits = |edit: &str| {
        let in_scope = || {
            matches(&format!("{edit}/**"), pattern.ignore_case, names).filter(|_| scopes && is_plain(edit))
        };
        matches(edit, pattern.ignore_case, names).or_else(in_scope)
    };
    let near = edits.into_iter().filter_map(|edit| Some((hits(&edit)?, edit)));
    near.take(SUGGESTIONS).map(|(hits, edit)| (edit, hits)).collect()
}

/// Returns true if a pattern has no wildcards.
fn is_plain(pattern: &str) -> bool {
    Pattern::parse(pattern, false).is_ok_and(|pattern| pattern.literal().is_some())
}

/// Returns the number of names that a pattern matches. `None` if it matches no name.
fn matches(pattern: &str, ignore_case: bool, names: &[&[u8]]) -> Option<usize> {
    let pattern = Pattern::parse(pattern, ignore_case).ok()?;
    let hits = names.iter().filter(|name| pattern.is_match(name)).count();
    (hits > 0).then_some(hits)
}

/// Returns small changes that often correct a pattern: another component, an added prefix or tail, the other
/// separator.
fn edits(pattern: &Pattern, names: &[&[u8]]) -> BTreeSet<String> {
    let text = pattern.text.as_str();
    if text.starts_with("re:") {
        return BTreeSet::new();
    }
    let whole = [format!("{text}/**"), format!("**/{text}"), text.replace('/', "."), text.replace('.', "/")];
    let components = split_unescaped(text, '/');
    let components: Vec<&str> = components.into_iter().map(|span| &text[span]).collect();
    let parts =
        (0..components.len()).flat_map(|at| component_edits(&components, at, pattern.ignore_case, names));
    whole.into_iter().chain(parts).filter(|edit| edit != text).collect()
}

/// Returns the pattern with its `at`-th component replaced by similar components, which follow the components before
/// it in `names`.
fn component_edits(components: &[&str], at: usize, ignore_case: bool, names: &[&[u8]]) -> Vec<String> {
    let (before, rest) = (&components[..at], &components[at + 1..]);
    let (literal, wild) = literal_head(components[at]);
    if literal.is_empty() {
        return vec![];
    }
    let near = found_there(before, ignore_case, names).into_iter().map(|found| match wild {
        "" => found,
        _ => found.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned(),
    });
    let near: BTreeSet<String> = near.filter(|found| is_like(literal, found)).collect();
    let with = |found: &String| {
        let component = format!("{}{wild}", escape(found));
        [before, &[component.as_str()], rest].concat().join("/")
    };
    near.iter().map(with).collect()
}

/// Returns true if two components are near each other, regardless of case.
fn is_like(a: &str, b: &str) -> bool {
    is_near(osa_distance(&a.to_lowercase(), &b.to_lowercase()), a, b)
}

/// Splits a component before its first star, hole or backslash.
fn literal_head(component: &str) -> (&str, &str) {
    component.split_at(component.find(['*', '{', '\\']).unwrap_or(component.len()))
}

/// Returns the different components that follow in `names` after a match of the components `before`.
fn found_there(before: &[&str], ignore_case: bool, names: &[&[u8]]) -> BTreeSet<String> {
    let prefix = before.iter().map(|component| format!("{component}/")).collect::<String>();
    let Some(regex) = prefix_regex(&prefix, ignore_case) else { return BTreeSet::new() };
    let mut found = BTreeSet::new();
    for name in names {
        let Some(hit) = regex.find(name) else { continue };
        let component = name[hit.end()..].split(|byte| *byte == b'/').next().unwrap_or_default();
        if let Ok(text) = std::str::from_utf8(component)
            && !found.contains(text)
        {
            found.insert(text.to_owned());
        }
        if found.len() == COMPONENTS {
            break;
        }
    }
    found
}

/// Returns a regular expression for the beginning of names: the pattern `bert/*/` without the end anchor.
fn prefix_regex(prefix: &str, ignore_case: bool) -> Option<Regex> {
    if prefix.is_empty() {
        return Regex::new("^").ok();
    }
    let whole = Pattern::parse(prefix, ignore_case).ok()?;
    Regex::new(whole.as_regex().strip_suffix('$')?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::near_names;

    const NAMES: [&[u8]; 6] = [
        b"bert/encoder/layer_0/attention/kernel",
        b"bert/encoder/layer_1/attention/kernel",
        b"bert/encoder/layer_1/output/kernel",
        b"bert/pooler/kernel",
        b"cls/bias",
        b"global_step",
    ];

    fn near(pattern: &str) -> Vec<(String, usize)> {
        near_patterns(&Pattern::parse(pattern, false).unwrap(), &NAMES, false)
    }

    fn first(pattern: &str) -> (String, usize) {
        near(pattern).into_iter().next().unwrap()
    }

    #[test]
    fn a_mistyped_component_is_corrected_at_any_position() {
        assert_eq!(first("ber/**"), ("bert/**".into(), 4));
        assert_eq!(first("bert/encoder/lyer_{i:int}/**"), ("bert/encoder/layer_{i:int}/**".into(), 3));
        assert_eq!(
            first("bert/encoder/layer_{i:int}/atention/{x}"),
            ("bert/encoder/layer_{i:int}/attention/{x}".into(), 2)
        );
        assert_eq!(first("globl_step"), ("global_step".into(), 1));
    }

    #[test]
    fn case_differences_do_not_count_as_distance() {
        assert_eq!(first("BERT/**"), ("bert/**".into(), 4));
    }

    #[test]
    fn a_forgotten_prefix_tail_or_separator_is_found() {
        assert_eq!(first("cls"), ("cls/**".into(), 1));
        assert_eq!(first("pooler/kernel"), ("**/pooler/kernel".into(), 1));
        assert_eq!(first("bert.pooler.kernel"), ("bert/pooler/kernel".into(), 1));
    }

    #[test]
    fn a_mistyped_scope_is_a_scope() {
        let near = near_patterns(&Pattern::parse("bert/encodr", false).unwrap(), &NAMES, true);
        assert_eq!(near[0], ("bert/encoder".into(), 3));
    }

    #[test]
    fn a_very_different_name_has_no_suggestion() {
        assert_eq!(near("resnet/**"), []);
        assert_eq!(near_names("zzzz", &NAMES), Vec::<String>::new());
        assert_eq!(near_names("bert/pooler/kernl", &NAMES)[0], "bert/pooler/kernel");
    }

    #[test]
    fn words_are_near_within_a_third_of_their_letters() {
        assert_eq!(did_you_mean("unusd", ["unused", "unmatched"]).unwrap(), "did you mean `unused`?");
        assert_eq!(did_you_mean("tp", ["to", "ops"]).unwrap(), "did you mean `to`?");
        assert_eq!(did_you_mean("xyz", ["to", "ops"]), None);
    }
}
