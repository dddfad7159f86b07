//! A plan's names on a catalog's variables. Tensors are shared, never touched.

use std::sync::Arc;

use super::{Map, Plan, Planned, Report, Unfit};
use crate::catalog::{Catalog, Kind, Origin, Variable};
use crate::name::Name;

/// Why a map cannot be applied to a checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum Misfit {
    /// Names live in an object graph.
    #[error(
        "an object-based checkpoint (tf.train.Checkpoint, Keras), whose names this version does not map yet: they \
         live in an object graph, and renaming keys alone would break it\n  \
         help: without a map it mounts, lists and restores unchanged"
    )]
    ObjectBased,
    /// The rules and the names do not go together.
    #[error(transparent)]
    Unfit(#[from] Unfit),
}

/// Gives the variables of a catalog the names that the map gives them.
///
/// # Errors
/// Everything that does not fit. The catalog stays as it is then.
pub fn apply(map: &Map, catalog: &mut Catalog) -> Result<Report, Misfit> {
    if map.is_empty() {
        return Ok(Report::default());
    }
    let plan = plan(map, catalog)?;
    let rules = places(&plan.report);
    let variables =
        plan.variables.into_iter().map(|planned| renamed(&catalog.variables, planned, &rules)).collect();
    catalog.variables = variables;
    catalog.index = None;
    Ok(plan.report)
}

/// Adds the names that the map gives to those that the variables have, and takes none away: for what knows its variables
/// by their old names as well. Where a new name is another variable's old one, the old one stands.
///
/// # Errors
/// As [`apply`].
pub fn add(map: &Map, catalog: &mut Catalog) -> Result<(), Misfit> {
    if map.is_empty() {
        return Ok(());
    }
    let plan = plan(map, catalog)?;
    let rules = places(&plan.report);
    let is_new = |planned: &Planned| catalog.variable(&planned.name).is_none();
    let added = plan.variables.into_iter().filter(is_new);
    let added: Vec<_> = added.map(|planned| renamed(&catalog.variables, planned, &rules)).collect();
    if !added.is_empty() {
        catalog.variables.extend(added);
        catalog.variables.sort_by(|a, b| a.name.cmp(&b.name));
        catalog.index = None;
    }
    Ok(())
}

fn plan(map: &Map, catalog: &Catalog) -> Result<Plan, Misfit> {
    match catalog.kind() {
        Kind::ObjectBased => Err(Misfit::ObjectBased),
        Kind::NameBased => {
            let names: Vec<_> = catalog.variables.iter().map(|variable| variable.name.as_bytes()).collect();
            Ok(map.plan(&names)?)
        }
    }
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
