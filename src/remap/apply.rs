//! A plan's names on a catalog's variables. Tensors are shared, never touched.

use std::sync::Arc;

use super::{Map, Planned, Report, Unfit, objects};
use crate::catalog::{Catalog, Kind, Origin, Variable};
use crate::name::Name;

/// Gives the variables of a catalog the names that the map gives them, and with an object graph one that leads to them.
///
/// # Errors
/// Everything that does not fit. The catalog stays as it is then.
pub fn apply(map: &Map, catalog: &mut Catalog) -> Result<Report, Unfit> {
    if catalog.kind() == Kind::ObjectBased {
        return objects::apply(map, catalog);
    }
    let names: Vec<_> = catalog.variables.iter().map(|variable| variable.name.as_bytes()).collect();
    let plan = map.plan(&names)?;
    let rules: Vec<Arc<str>> = plan.report.rules.iter().map(|rule| rule.place.as_str().into()).collect();
    let variables =
        plan.variables.into_iter().map(|planned| renamed(&catalog.variables, planned, &rules)).collect();
    catalog.variables = variables;
    catalog.index = None;
    Ok(plan.report)
}

fn renamed(variables: &[Variable], planned: Planned, rules: &[Arc<str>]) -> Variable {
    let source = &variables[planned.source];
    let origin =
        planned.rule.map(|rule| Origin { name: source.name.clone(), rule: rules[rule.index()].clone() });
    Variable { name: Name::from(planned.name), origin, ..source.clone() }
}
