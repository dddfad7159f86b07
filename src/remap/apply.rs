//! A plan's names on a catalog's variables. Tensors are shared, never touched.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Map, Plan, Planned, Report, Unfit, objects};
use crate::catalog::{Catalog, Kind, Origin, Variable};
use crate::name::Name;

/// Gives the variables of a catalog the names that the map gives them, and with an object graph one that leads to them.
///
/// # Errors
/// Everything that does not fit. The catalog stays as it is then.
pub fn apply(map: &Map, catalog: &mut Catalog) -> Result<Report, Unfit> {
    if map.is_empty() {
        return Ok(Report::default());
    }
    if catalog.kind() == Kind::ObjectBased {
        return objects::apply(map, catalog);
    }
    let plan = plan(map, catalog)?;
    let rules = places(&plan.report);
    let variables =
        plan.variables.into_iter().map(|planned| renamed(&catalog.variables, planned, &rules)).collect();
    catalog.variables = variables;
    catalog.changed();
    Ok(plan.report)
}

/// Adds the names that the map gives to those that the variables have, and takes none away: for what knows its variables
/// by their old names as well. Where a new name is another variable's old one, the old one stands. An object graph stays as
/// it is.
///
/// # Errors
/// As [`apply`].
pub fn add(map: &Map, catalog: &mut Catalog) -> Result<(), Unfit> {
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

fn plan(map: &Map, catalog: &Catalog) -> Result<Plan, Unfit> {
    let names: Vec<_> = catalog.variables.iter().map(|variable| variable.name.as_bytes()).collect();
    map.plan(&names)
}

fn places(report: &Report) -> Vec<Arc<str>> {
    report.rules.iter().map(|rule| rule.place.as_str().into()).collect()
}

fn renamed(variables: &[Variable], planned: Planned, rules: &[Arc<str>]) -> Variable {
    let source = &variables[planned.source];
    let origin =
        planned.rule.map(|rule| Origin { name: source.name.clone(), rule: rules[rule.index()].clone() });
    Variable { name: Name::from(planned.name), origin, ..source.clone() }
}
