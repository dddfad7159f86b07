//! Short ways for tests to try a map on names.

use super::{Errors, Flag, Map, MapText, Plan, Status, Unfit};

/// The names of a test, as the source has them.
pub(super) fn sorted<'a>(names: &[&'a str]) -> Vec<&'a [u8]> {
    let mut names: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
    names.sort_unstable();
    names
}

pub(super) fn file(text: &str) -> MapText {
    MapText { name: "fix.toml".into(), text: text.into() }
}

pub(super) fn map(flags: &[Flag], text: &str) -> Map {
    Map::parse(flags, &[file(text)]).unwrap_or_else(|errors| panic!("{errors}"))
}

pub(super) fn plan(flags: &[Flag], text: &str, names: &[&str]) -> Result<Plan, Unfit> {
    map(flags, text).plan(&sorted(names))
}

/// `new <- old` for each variable that is shown.
pub(super) fn planned(flags: &[Flag], text: &str, names: &[&str]) -> Vec<String> {
    let plan = plan(flags, text, names).unwrap_or_else(|unfit| panic!("{unfit}"));
    let (names, text) = (sorted(names), |name: &[u8]| String::from_utf8_lossy(name).into_owned());
    let old = |source: Option<usize>| source.map_or("nothing".into(), |source| text(names[source]));
    let show = |planned: super::Planned| format!("{} <- {}", text(&planned.name), old(planned.source));
    plan.variables.into_iter().map(show).collect()
}

pub(super) fn unfit(flags: &[Flag], text: &str, names: &[&str]) -> Unfit {
    plan(flags, text, names).expect_err("a map that does not fit")
}

/// What the rules of a map file come to.
pub(super) fn statuses(text: &str, names: &[&str]) -> Vec<Status> {
    let report = plan(&[], text, names).map_or_else(|unfit| *unfit.report, |plan| plan.report);
    report.rules.into_iter().map(|rule| rule.status).collect()
}

/// `line:column what` for each mistake of a map file that does not parse.
pub(super) fn faults(text: &str) -> Vec<String> {
    let errors: Errors = Map::parse(&[], &[file(text)]).expect_err("a map that does not parse");
    errors.iter().map(|error| format!("{}:{} {}", error.line(), error.column(), error.what())).collect()
}
