//! Helpers that parse a map in tests.

use crate::map::Map;
use crate::map::diagnostic::Errors;
use crate::map::flags::Flag;
use crate::map::toml::file::MapText;

pub(crate) fn file(text: &str) -> MapText {
    MapText { name: "fix.toml".into(), text: text.into() }
}

pub(crate) fn map(flags: &[Flag], text: &str) -> Map {
    Map::parse(flags, &[file(text)]).unwrap_or_else(|errors| panic!("{errors}"))
}

/// Returns `line:column what` for each mistake of a map file that does not parse.
pub(crate) fn faults(text: &str) -> Vec<String> {
    let errors: Errors = Map::parse(&[], &[file(text)]).expect_err("a map that does not parse");
    errors.iter().map(|error| format!("{}:{} {}", error.line(), error.column(), error.what())).collect()
}
