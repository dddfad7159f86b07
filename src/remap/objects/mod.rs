//! The application of a map to an object graph. Rules match paths. The graph, the keys, the slots and the full names
//! change together.
//!
//! ```text
//! rules ─► matching ──────────► selection.rs ─► moves.rs ──────► edit ──► graph::edit ─► the catalog, its graph
//!          (search.rs:          drop, keep      aliases.rs       one edit                and the report (result)
//!           automaton × graph)                  rename, alias
//!                                               new_values.rs
//!                                               join, split, create
//! ```
//!
//! A rule may select a variable or any object above it: a layer, an optimizer, an attribute of the root. A rule
//! matches a path, and changes the last edge of that path. An object that loses a name therefore loses it in all
//! paths. A variable is removed when it has no path left.

pub(crate) mod edit;
pub(crate) mod graph_tensor;
pub(crate) mod matching;
pub(crate) mod plan;
pub(crate) mod result;
#[cfg(test)]
mod tests;

use crate::catalog::{Catalog, Variable};
use crate::graph::Graph;
use crate::map::Map;
use crate::map::diagnostic::{Error, Errors, Kind};
use crate::remap::counts::RuleCounts;
use crate::remap::judge::conclude;
use crate::remap::objects::edit::ObjectEdit;
use crate::remap::objects::matching::Matches;
use crate::remap::objects::matching::scopes::with_scopes;
use crate::remap::objects::plan::aliases::Aliases;
use crate::remap::objects::plan::moves::Moves;
use crate::remap::objects::plan::new_values::NewValues;
use crate::remap::objects::plan::selection::select;
use crate::remap::objects::result::{MappedObjects, unmatched};
use crate::remap::plan::MapMismatch;
use crate::remap::rejected_names::RejectedNames;
use crate::remap::report::Report;

/// Renames the variables of an object-based checkpoint according to the map, and rewrites the object graph to match.
pub(crate) fn apply(map: &Map, catalog: &mut Catalog) -> Result<Report, MapMismatch> {
    let Some(graph) = catalog.objects.as_ref().and_then(|objects| objects.graph.clone()) else {
        return Err(without_graph(map, catalog));
    };
    let scoped = with_scopes(map, &graph, &catalog.variables);
    let map = &*scoped;
    let (mut counts, mut errors) = (RuleCounts::new(map), Errors::default());
    let matches = Matches::new(map, &graph, &catalog.variables, &mut errors);
    let mut selected = select(&matches, &mut counts);
    unmatched(&matches, &mut selected, &mut errors);
    let mut rejected = RejectedNames::default();
    let moves = Moves::new(&matches, &selected, &mut counts, &mut rejected);
    let aliases = Aliases::new(&matches, &moves, &mut counts, &mut rejected);
    let mut warnings = Errors::default();
    let new_values =
        NewValues::new(&matches, &moves, &mut counts, &mut rejected, (&mut errors, &mut warnings));
    rejected.into_errors(map, &mut errors);
    moves.errors.iter().for_each(|error| errors.push(error.clone()));
    let edit = ObjectEdit::new(&matches, &moves, &aliases, &new_values, &mut errors);
    let rewrite = edit.finish(&matches, &mut errors);
    let outcome = MappedObjects::new(&matches, &moves, (&aliases, &new_values), &edit, rewrite);
    let (report, variables, objects) = outcome.conclude(counts, errors, warnings)?;
    catalog.variables = variables;
    catalog.objects = Some(objects);
    catalog.changed();
    Ok(report)
}

/// Names the variables by the graph, as for every checkpoint with a graph.
pub(crate) fn name_by_graph(variables: &mut [Variable], graph: Option<&Graph>) {
    let keys: Vec<_> = variables.iter().map(|variable| variable.key().as_bytes()).collect();
    let names = graph.map_or_else(Vec::new, |graph| graph.names(&keys));
    for (variable, name) in variables.iter_mut().zip(names) {
        let key = variable.key().clone();
        variable.name = name.visible.into();
        variable.key = Some(key).filter(|key| *key != variable.name);
    }
    variables.sort_by(|a, b| a.name.cmp(&b.name));
}

fn without_graph(map: &Map, catalog: &Catalog) -> MapMismatch {
    let mut errors = Errors::default();
    if let Some(rule) = map.rules.first() {
        let what = "the object graph, in which the names live, is in a data file that is missing";
        errors.push(Error::new(Kind::Unsupported, rule.span(), what));
    }
    let total = catalog.variables.len();
    let report = Report { total, ..Report::default() };
    let report = match conclude(map, RuleCounts::new(map), &[], report, Errors::default()) {
        Ok(report) => report,
        Err(mismatch) => *mismatch.report,
    };
    MapMismatch { errors, report: Box::new(report) }
}
