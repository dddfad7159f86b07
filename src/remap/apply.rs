//! The application of a plan to a catalog's variables: their names, and their values where rules change them. No data
//! is read.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use crate::catalog::{Catalog, Kind, Origin, Variable};
use crate::map::Map;
use crate::map::scope::{replaced, with_scopes};
use crate::name::Name;
use crate::remap::names::NamePlanner;
use crate::remap::objects;
use crate::remap::plan::{MapMismatch, Planned};
use crate::remap::report::Report;
use crate::remap::values::{Values, described};

/// Renames the variables of a catalog according to the map. In an object-based checkpoint, the object graph is
/// rewritten to match.
///
/// # Errors All mismatches between the map and the catalog, which is then unchanged.
pub fn apply(map: &Map, catalog: &mut Catalog) -> Result<Report, MapMismatch> {
    if map.is_empty() {
        return Ok(Report::default());
    }
    let map = &*with_damaged(map, catalog);
    if catalog.kind() == Kind::ObjectBased {
        return objects::apply(map, catalog);
    }
    let names: Vec<_> = catalog.variables.iter().map(|variable| variable.name.as_bytes()).collect();
    let shapes: Vec<_> = catalog.variables.iter().map(|variable| &variable.tensor.shape).collect();
    let map = &*with_scopes(map, &names);
    let mut draft = NamePlanner::new(map, &names, &shapes);
    let rules: Vec<_> = map.rules.iter().map(|rule| rule.span().to_string().as_str().into()).collect();
    let mut values = Values::new(map, &catalog.variables);
    let planned = std::mem::take(&mut draft.variables);
    // The number of variables may be large, so exactly the needed capacity is allocated.
    let mut variables = Vec::with_capacity(planned.len());
    let planned = planned.into_iter();
    variables.extend(
        planned.filter_map(|planned| planned_variable(map, &catalog.variables, planned, &rules, &mut values)),
    );
    let casts = values.finish(&mut draft.errors, &mut draft.warnings);
    let report = Report { casts, ..draft.conclude(map, &names)?.report };
    catalog.variables = variables;
    catalog.changed();
    Ok(report)
}

/// Returns the map with the positions of the variables without values.
fn with_damaged<'m>(map: &'m Map, catalog: &Catalog) -> Cow<'m, Map> {
    let variables = catalog.variables.iter().enumerate();
    let positions: Vec<_> = match map.salvages() {
        true => variables.filter(|(_, variable)| variable.tensor.is_lost()).map(|(at, _)| at).collect(),
        false => Vec::new(),
    };
    replaced(map, |_, rule| rule.of_damaged(&positions))
}

/// Adds the map's names to the variables and keeps the old names, for a caller that also uses the old names. If a new
/// name is the old name of another variable, the old one wins. The object graph does not change.
///
/// # Errors The errors of [`apply`].
pub fn add(map: &Map, catalog: &mut Catalog) -> Result<(), MapMismatch> {
    if map.is_empty() {
        return Ok(());
    }
    let mut mapped = catalog.clone();
    apply(map, &mut mapped)?;
    let keys: HashSet<_> = catalog.variables.iter().map(|variable| variable.key().clone()).collect();
    let is_new = |variable: &Variable| {
        !keys.contains(variable.key()) && catalog.variable(variable.name.as_bytes()).is_none()
    };
    let added: Vec<_> = mapped.variables.into_iter().filter(is_new).collect();
    if !added.is_empty() {
        catalog.variables.extend(added);
        catalog.variables.sort_by(|a, b| a.name.cmp(&b.name));
        catalog.changed();
    }
    Ok(())
}

/// Builds a planned variable. `None` if its value is impossible; the error is then recorded in `values`.
fn planned_variable(
    map: &Map,
    variables: &[Variable],
    planned: Planned,
    rules: &[Arc<str>],
    values: &mut Values<'_>,
) -> Option<Variable> {
    let Planned { name, source, rule, value } = planned;
    let source = source.map(|source| &variables[source]);
    let tensor = match &value {
        Some(derived) => values.tensor(derived)?,
        None => source?.tensor.clone(),
    };
    let rule = rule.or_else(|| Some(value.as_ref()?.inputs.first()?.steps.first()?.rule));
    let old = || source.map_or(Name::from(""), |source| source.name.clone());
    let done = value.as_ref().map(|derived| described(map, derived, variables).as_str().into());
    let origin = rule.map(|rule| Origin { name: old(), rule: rules[rule.index()].clone(), value: done });
    let name = Name::from(name);
    let same = |part: fn(&Variable) -> &Option<Name>| source.and_then(|source| part(source).clone());
    let (key, plain_key) = (same(|variable| &variable.key), same(|variable| &variable.plain_key));
    Some(Variable { name, key, plain_key, full_name: same(|variable| &variable.full_name), tensor, origin })
}
