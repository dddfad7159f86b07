//! A plan on a catalog's variables: their names, and their values where rules change those. No data is read.

use std::collections::HashSet;
use std::sync::Arc;

use crate::catalog::{Catalog, Kind, Origin, Variable};
use crate::map::Map;
use crate::map::scope::with_scopes;
use crate::name::Name;
use crate::remap::names::NamePlanner;
use crate::remap::objects;
use crate::remap::plan::{MapMismatch, Planned};
use crate::remap::report::Report;
use crate::remap::values::{Values, described};

/// Gives the variables of a catalog the names that the map gives them, and with an object graph one that leads to them.
///
/// # Errors
/// Everything that does not fit. The catalog stays as it is then.
pub fn apply(map: &Map, catalog: &mut Catalog) -> Result<Report, MapMismatch> {
    if map.is_empty() {
        return Ok(Report::default());
    }
    if catalog.kind() == Kind::ObjectBased {
        return objects::apply(map, catalog);
    }
    let names: Vec<_> = catalog.variables.iter().map(|variable| variable.name.as_bytes()).collect();
    let shapes: Vec<_> = catalog.variables.iter().map(|variable| &variable.tensor.shape).collect();
    let map = &*with_scopes(map, &names);
    let mut draft = NamePlanner::new(map, &names, &shapes);
    let rules: Vec<_> = map.rules.iter().map(|rule| rule.place().to_string().as_str().into()).collect();
    let mut values = Values::new(map, &catalog.variables);
    let planned = std::mem::take(&mut draft.variables);
    // There may be very many: no more room than they take.
    let mut variables = Vec::with_capacity(planned.len());
    let planned = planned.into_iter();
    variables.extend(
        planned.filter_map(|planned| planned_variable(map, &catalog.variables, planned, &rules, &mut values)),
    );
    values.finish(&mut draft.errors, &mut draft.warnings);
    let report = draft.conclude(map, &names)?.report;
    catalog.variables = variables;
    catalog.changed();
    Ok(report)
}

/// Adds the names that the map gives to those that the variables have, and takes none away: for what knows its variables
/// by their old names as well. Where a new name is another variable's old one, the old one stands. An object graph stays as
/// it is.
///
/// # Errors
/// As [`apply`].
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

/// A variable as it is planned; none if its value cannot be, which is noted.
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
