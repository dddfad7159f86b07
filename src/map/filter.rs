//! Patterns without a map, which select names: `ckptfs ls SOURCE PATTERN…`.

use std::sync::Arc;

use crate::map::diagnose::unused;
use crate::map::diagnostic::Errors;
use crate::map::rule::{Rule, RuleFlags, Verb};
use crate::map::span::{Source, SpannedStr};

/// Returns the indices of the `names` that match at least one pattern.
///
/// # Errors All patterns that do not parse or that match nothing, reported at once.
pub(crate) fn filter_names(patterns: &[String], names: &[&[u8]]) -> Result<Vec<usize>, Errors> {
    let mut errors = Errors::default();
    let rules: Vec<_> = patterns.iter().filter_map(|text| rule(text, names, &mut errors)).collect();
    let mut hits = vec![0; rules.len()];
    let mut any = |name: &[u8]| {
        let matches =
            rules.iter().zip(&mut hits).filter(|(rule, _)| rule.pattern().is_some_and(|p| p.is_match(name)));
        matches.map(|(_, hits)| *hits += 1).count() > 0
    };
    let found = (0..names.len()).filter(|&i| any(names[i])).collect();
    rules
        .iter()
        .zip(hits)
        .filter(|(_, hits)| *hits == 0)
        .for_each(|(rule, _)| errors.push(unused(rule, names, names.len())));
    if errors.is_empty() { Ok(found) } else { Err(errors) }
}

/// Compiles a pattern to a rule. `names` must be sorted, because a pattern may be a scope.
fn rule(text: &str, names: &[&[u8]], errors: &mut Errors) -> Option<Rule> {
    let source = Arc::new(Source { name: "PATTERN".into(), text: text.into(), is_flag: true });
    let from = SpannedStr::in_flag(&source, 0..text.len());
    let rule = Rule::new(Verb::Keep, from, vec![], RuleFlags::default(), &[], errors)?;
    Some(rule.of_scope(names).unwrap_or(rule))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &[&[u8]] = &[b"a/kernel", b"a/kernel/Adam", b"b/kernel"];

    #[test]
    fn names_that_any_pattern_matches_are_chosen_once() {
        let found = |patterns: &[&str]| {
            filter_names(&patterns.iter().map(|&p| p.to_owned()).collect::<Vec<_>>(), NAMES)
        };
        assert_eq!(found(&["a/**", "*/kernel"]).unwrap(), [0, 1, 2]);
        assert_eq!(found(&["*/kernel"]).unwrap(), [0, 2]);
        assert_eq!(found(&["a"]).unwrap(), [0, 1]);
    }

    #[test]
    fn each_pattern_that_matches_nothing_is_named() {
        let errors = filter_names(&["*/kernel".into(), "c/**".into(), "d/**".into()], NAMES).unwrap_err();
        assert_eq!(errors.len(), 2);
    }
}
