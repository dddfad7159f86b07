//! Errors and warnings about the result of each rule.

use crate::map::Map;
use crate::map::diagnose::unused;
use crate::map::diagnostic::{Error, Errors, Kind, counted};
use crate::map::options::Unused;
use crate::map::rule::{Rule, RuleId};
use crate::name::printable;
use crate::remap::counts::{RuleCount, RuleCounts};
use crate::remap::plan::MapMismatch;
use crate::remap::report::{Example, Report, RuleReport, Status};

/// Returns the report with the result of each rule, or the errors if there are any. `names` are the names that an
/// unused pattern may have meant.
pub(crate) fn conclude(
    map: &Map,
    counts: RuleCounts,
    names: &[&[u8]],
    mut report: Report,
    mut errors: Errors,
) -> Result<Report, MapMismatch> {
    for (id, tally) in map.ids().zip(counts.0) {
        let (rule, total) = (map.rule(id), report.total);
        judge(map, rule, &tally, (names, total), &mut errors, &mut report.warnings);
        report.rules.push(rule_report(rule, tally));
    }
    match errors.is_empty() {
        true => Ok(report),
        false => Err(MapMismatch { errors, report: Box::new(report) }),
    }
}

fn rule_report(rule: &Rule, tally: RuleCount) -> RuleReport {
    let status = status(rule, &tally);
    let RuleCount { hits, followed, example, .. } = tally;
    RuleReport {
        place: rule.span().to_string(),
        text: rule.text().to_owned(),
        hits,
        followed,
        example,
        status,
    }
}

fn status(rule: &Rule, tally: &RuleCount) -> Status {
    match tally {
        RuleCount { hits: 0, followed: 0, matched: 0, .. } if rule.optional => Status::Optional,
        RuleCount { hits: 0, followed: 0, matched: 0, .. } => Status::Unused,
        RuleCount { hits: 0, followed: 0, shadowed_by, .. } => Status::Shadowed { by: *shadowed_by },
        _ => Status::Used,
    }
}

/// Adds the errors and warnings about the result of a rule.
fn judge(
    map: &Map,
    rule: &Rule,
    tally: &RuleCount,
    (names, total): (&[&[u8]], usize),
    errors: &mut Errors,
    warnings: &mut Errors,
) {
    match status(rule, tally) {
        Status::Unused if rule.is_flag() || map.options.unused.or(Unused::Error) == Unused::Error => {
            errors.push_with(Kind::Unused, || unused(rule, names, total));
        }
        Status::Unused => warnings.push_with(Kind::Unused, || unused(rule, names, total).warning()),
        Status::Shadowed { by } if !rule.optional => warnings.push(shadowed(map, rule, tally, by)),
        _ => {}
    }
    if let Some(Example { from, to }) = &tally.example
        && let (Some(old), Some(new)) = (from.first(), to.first())
        && has_empty_component(new)
        && !has_empty_component(old)
    {
        warnings.push(empty_component(rule, old, new));
    }
}

fn shadowed(map: &Map, rule: &Rule, tally: &RuleCount, by: Option<RuleId>) -> Error {
    let matched = counted(tally.matched, "variable");
    let what = format!("`{}` matched {matched}, all already claimed by earlier rules", rule.from().text);
    let error = Error::new(Kind::Shadowed, rule.span(), what).warning();
    match by {
        Some(by) => error.related(map.rule(by).span(), "this one was first"),
        None => error,
    }
}

fn has_empty_component(name: &[u8]) -> bool {
    name.starts_with(b"/") || name.windows(2).any(|pair| pair == b"//")
}

fn empty_component(rule: &Rule, old: &[u8], new: &[u8]) -> Error {
    let what = format!("`{}` becomes `{}`, which has a slash too many", printable(old), printable(new));
    Error::new(Kind::Name, rule.span(), what).help("prefixes and components end in their own slash").warning()
}
