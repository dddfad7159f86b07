//! The nearest thing to what was written: for keys and names of the language, and for patterns that matched nothing.

use std::collections::BTreeSet;

use regex::bytes::Regex;
use strsim::osa_distance;

use crate::map::escape::{escape, split_unescaped};
use crate::map::pattern::Pattern;
use crate::name::sample;

/// How many suggestions are worth reading.
const SUGGESTIONS: usize = 3;
/// How many different components are looked at in one place.
const COMPONENTS: usize = 1000;
/// ``did you mean `unused`?``, if some candidate is near enough.
pub(crate) fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let near = candidates.into_iter().map(|candidate| (osa_distance(word, candidate), candidate));
    let (_, nearest) = near.filter(|(distance, candidate)| is_near(*distance, word, candidate)).min()?;
    Some(format!("did you mean `{nearest}`?"))
}

/// A third of the letters, or one, may be wrong.
fn is_near(distance: usize, a: &str, b: &str) -> bool {
    distance <= (a.chars().count().max(b.chars().count()) / 3).max(1)
}

/// Patterns like this one that do match, with how many names each; the nearest first. With `scopes` they may be scopes.
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

/// How many names a pattern matches; none if none.
fn matches(pattern: &str, ignore_case: bool, names: &[&[u8]]) -> Option<usize> {
    let pattern = Pattern::parse(pattern, ignore_case).ok()?;
    let hits = names.iter().filter(|name| pattern.is_match(name)).count();
    (hits > 0).then_some(hits)
}

/// Small changes that people need: a component mistyped, a prefix forgotten, the other separator.
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

/// The pattern with its `at`-th component replaced by what stands there in the names that match so far.
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

/// Near, or the same in other letters.
fn is_like(a: &str, b: &str) -> bool {
    is_near(osa_distance(&a.to_lowercase(), &b.to_lowercase()), a, b)
}

/// A component's text up to its first star or hole, and the rest.
fn literal_head(component: &str) -> (&str, &str) {
    component.split_at(component.find(['*', '{', '\\']).unwrap_or(component.len()))
}

/// The different components that follow the parts of names that the components before match.
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

/// Matches the beginning of names: the pattern `bert/*/` without the end of the whole.
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
    fn a_mistyped_component_is_mended_wherever_it_stands() {
        assert_eq!(first("ber/**"), ("bert/**".into(), 4));
        assert_eq!(first("bert/encoder/lyer_{i:int}/**"), ("bert/encoder/layer_{i:int}/**".into(), 3));
        assert_eq!(
            first("bert/encoder/layer_{i:int}/atention/{x}"),
            ("bert/encoder/layer_{i:int}/attention/{x}".into(), 2)
        );
        assert_eq!(first("globl_step"), ("global_step".into(), 1));
    }

    #[test]
    fn case_makes_no_distance() {
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
    fn nothing_is_near_what_is_strange() {
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
