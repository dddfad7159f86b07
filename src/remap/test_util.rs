//! Helpers that apply a map to names in tests.

use crate::map::flags::Flag;
use crate::map::test_util::map;
use crate::remap::names::plan_names;
use crate::remap::plan::{MapMismatch, Plan, Planned};
use crate::remap::report::Status;

/// Returns the names of a test in the order of the source.
pub(crate) fn sorted<'a>(names: &[&'a str]) -> Vec<&'a [u8]> {
    let mut names: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
    names.sort_unstable();
    names
}

pub(crate) fn plan(flags: &[Flag], text: &str, names: &[&str]) -> Result<Plan, MapMismatch> {
    plan_names(&map(flags, text), &sorted(names))
}

/// Returns `new <- old` for each variable that is shown.
pub(crate) fn planned(flags: &[Flag], text: &str, names: &[&str]) -> Vec<String> {
    let plan = plan(flags, text, names).unwrap_or_else(|mismatch| panic!("{mismatch}"));
    let (names, text) = (sorted(names), |name: &[u8]| String::from_utf8_lossy(name).into_owned());
    let old = |source: Option<usize>| source.map_or("nothing".into(), |source| text(names[source]));
    let show = |planned: Planned| format!("{} <- {}", text(&planned.name), old(planned.source));
    plan.variables.into_iter().map(show).collect()
}

pub(crate) fn mismatch(flags: &[Flag], text: &str, names: &[&str]) -> MapMismatch {
    plan(flags, text, names).expect_err("a map that does not fit")
}

/// Returns the status of each rule of a map file.
pub(crate) fn statuses(text: &str, names: &[&str]) -> Vec<Status> {
    let report = plan(&[], text, names).map_or_else(|mismatch| *mismatch.report, |plan| plan.report);
    report.rules.into_iter().map(|rule| rule.status).collect()
}
