//! Scopes in an object graph. A pattern without wildcards that names no object and no variable may be a scope: a part
//! before a `/` that full names begin with, or keys if the rule matches keys; or a layer, which full names have after the
//! name of the model.

use std::borrow::Cow;

use crate::catalog::Variable;
use crate::graph::{Graph, key};
use crate::map::Map;
use crate::map::diagnostic::Errors;
use crate::map::rule::{MatchOn, Rule};
use crate::map::scope::replaced;
use crate::remap::objects::matching::{Entry, Matches};

/// Returns the map with scopes expanded for this graph.
pub(crate) fn with_scopes<'m>(map: &'m Map, graph: &Graph, variables: &[Variable]) -> Cow<'m, Map> {
    if !map.rules.iter().any(may_be_scope) {
        return Cow::Borrowed(map);
    }
    // The matches that are built after this report the faults of patterns, so they are ignored here.
    let matches = Matches::new(map, graph, variables, &mut Errors::default());
    replaced(map, |at, rule| {
        let is_unmatched = matches.by_rule[at].found.is_empty() && matches.by_rule[at].entries.is_empty();
        if !is_unmatched || !may_be_scope(rule) {
            return None;
        }
        let mut names: Vec<_> =
            matches.entries.iter().flat_map(|entry| names(entry, rule.match_on)).collect();
        names.sort_unstable();
        let layer = || {
            let names: Vec<_> = matches.entries.iter().filter_map(|entry| entry.full_name).collect();
            rule.of_layer(&names).filter(|_| matches!(rule.match_on, None | Some(MatchOn::FullName)))
        };
        rule.of_scope(&names).or_else(layer)
    })
}

fn may_be_scope(rule: &Rule) -> bool {
    rule.may_be_scope() && rule.pattern().is_some_and(|pattern| pattern.literal().is_some())
}

/// Returns the names of a value that a rule matches.
fn names<'a>(entry: &Entry<'a>, on: Option<MatchOn>) -> Vec<&'a [u8]> {
    match on {
        Some(MatchOn::Key) => vec![key::stem(entry.key)],
        Some(MatchOn::FullName) => entry.full_name.into_iter().collect(),
        Some(MatchOn::Path) => vec![entry.visible],
        None => entry.full_name.into_iter().chain([entry.visible]).collect(),
    }
}
