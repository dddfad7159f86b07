//! The application of a map to the names of a name-based checkpoint.

pub(crate) mod assignment;
pub(crate) mod collision;
pub(crate) mod matching;
pub(crate) mod moves;
pub(crate) mod new_values;
pub(crate) mod selection;
#[cfg(test)]
mod tests;

use crate::map::Map;
use crate::map::diagnostic::Errors;
use crate::map::rule::RuleId;
use crate::map::scope::with_scopes;
use crate::remap::counts::RuleCounts;
use crate::remap::judge::conclude;
use crate::remap::names::assignment::Assignment;
use crate::remap::names::collision::resolve_collisions;
use crate::remap::names::matching::Matches;
use crate::remap::names::moves::assign_names;
use crate::remap::names::new_values::{created, of_group};
use crate::remap::names::selection::{Selection, select};
use crate::remap::plan::{MapMismatch, Plan, Planned};
use crate::remap::report::Report;
use crate::remap::steps::{Input, Output, ValuePlan, ValuePlanner};
use crate::tensor::Shape;

/// Applies a map to the names of a checkpoint's variables. `names` are sorted bytewise and unique.
pub fn plan_names(map: &Map, names: &[&[u8]]) -> Result<Plan, MapMismatch> {
    let map = &*with_scopes(map, names);
    NamePlanner::new(map, names, &[]).conclude(map, names)
}

/// The planned names, before it is known whether all of them are possible.
pub(crate) struct NamePlanner {
    pub(crate) variables: Vec<Planned>,
    pub(crate) errors: Errors,
    pub(crate) warnings: Errors,
    report: Report,
    counts: RuleCounts,
}

impl NamePlanner {
    /// Applies a map to names, and to the shapes of their variables. `shapes` is empty if they are unknown.
    pub(crate) fn new(map: &Map, names: &[&[u8]], shapes: &[&Shape]) -> Self {
        debug_assert!(names.is_sorted_by(|a, b| a < b), "names come sorted, each once");
        let matches = Matches::new(map, names, shapes);
        let (mut counts, mut errors, mut warnings) =
            (RuleCounts::new(map), Errors::default(), Errors::default());
        let selections = select(&matches, &mut counts);
        let (assignments, joined) =
            assign_names(&matches, &selections, &mut counts, &mut errors, &mut warnings);
        let dropped = dropped(&selections, &assignments);
        let takers: Vec<_> = assignments.iter().map(|assignments| assignments.taker).collect();
        let planner = ValuePlanner::new(&matches, &takers);
        let mut wanted = wanted(&planner, assignments, &mut counts, &mut warnings);
        wanted.extend(joined.into_iter().map(|joined| of_group(&planner, joined, &mut counts)));
        wanted.extend(created(map, &mut counts));
        let (variables, lost) = resolve_collisions(&matches, wanted, &mut errors);
        let report = Report { lost, dropped, total: names.len(), ..Report::default() };
        Self { variables, errors, warnings, report, counts }
    }

    /// Returns the plan, or the errors if there are any.
    pub(crate) fn conclude(self, map: &Map, names: &[&[u8]]) -> Result<Plan, MapMismatch> {
        let Self { variables, errors, warnings, report, counts } = self;
        let report = conclude(map, counts, names, Report { warnings, ..report }, errors)?;
        Ok(Plan { variables, report })
    }
}

/// Returns every name that some variable should have.
fn wanted(
    planner: &ValuePlanner<'_>,
    assignments: Vec<Assignment>,
    counts: &mut RuleCounts,
    warnings: &mut Errors,
) -> Vec<Planned> {
    let mut wanted = Vec::with_capacity(assignments.len());
    for (variable, Assignment { name, aliases, parts, taker, .. }) in assignments.into_iter().enumerate() {
        let mut planned = |name: Vec<u8>, rule, value| {
            wanted.push(Planned { name, source: Some(variable), rule, value });
        };
        if let Some((name, rule)) = name {
            let steps = planner.possible(variable, planner.steps(variable, None), warnings);
            planner.count(variable, &steps, &name, counts);
            planned(name, rule, ValuePlan::whole(variable, steps));
            planner.warn_of_torn(variable, warnings);
        }
        if let (false, Some(rule)) = (parts.is_empty(), taker) {
            let steps = planner.steps(variable, None);
            planner.count(variable, &steps, &parts[0], counts);
            for (at, part) in parts.into_iter().enumerate() {
                let inputs = vec![Input { source: variable, steps: steps.clone() }];
                planned(part, Some(rule), Some(Box::new(ValuePlan { inputs, end: Output::Part(rule, at) })));
            }
        }
        for (name, rule) in aliases {
            let steps = planner.possible(variable, planner.steps(variable, Some(rule)), warnings);
            planned(name, Some(rule), ValuePlan::whole(variable, steps));
        }
    }
    wanted
}

fn dropped(selections: &[Selection], assignments: &[Assignment]) -> Vec<(usize, Option<RuleId>)> {
    let gone = |(source, (fate, assignments)): (usize, (&Selection, &Assignment))| match fate {
        Selection::Dropped(rule) => Some((source, *rule)),
        Selection::Kept => assignments.is_gone().then_some((source, None)),
    };
    selections.iter().zip(assignments).enumerate().filter_map(gone).collect()
}
