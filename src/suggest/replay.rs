//! The trial of a map: it is applied to HAVE, as `mount` would apply it, and the result is compared with the pairs.

use std::collections::HashMap;

use crate::catalog::Catalog;
use crate::map::{Flag, Map, MapText};
use crate::remap;
use crate::suggest::rules::Renames;

/// The failures of a map.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It does not parse, or does not fit HAVE. The text is the error.
    Map(String),
    /// These sure pairs do not come out with the wanted name and shape.
    Pairs(Vec<usize>),
    /// These wanted names come out with a source that is not sure.
    Unsure(Vec<usize>),
}

/// Applies the text of a map to HAVE, and checks every wanted variable.
pub(crate) fn file(text: &str, catalog: &Catalog, renames: &Renames<'_>) -> Result<(), Failure> {
    replay(&[], &[MapText { name: "suggested".into(), text: text.into() }], catalog, renames)
}

/// Applies flags to HAVE, and checks every wanted variable.
pub(crate) fn flags(flags: &[Flag], catalog: &Catalog, renames: &Renames<'_>) -> Result<(), Failure> {
    replay(flags, &[], catalog, renames)
}

fn replay(flags: &[Flag], files: &[MapText], catalog: &Catalog, renames: &Renames<'_>) -> Result<(), Failure> {
    let map = Map::parse(flags, files).map_err(|errors| Failure::Map(errors.to_string()))?;
    let mut after = catalog.clone();
    remap::apply(&map, &mut after).map_err(|mismatch| Failure::Map(mismatch.to_string()))?;
    let found: HashMap<&[u8], _> = after.variables.iter().map(|variable| (variable.name.as_bytes(), variable)).collect();
    let source: HashMap<usize, usize> = renames.sure().collect();
    let (mut failed, mut unsure) = (Vec::new(), Vec::new());
    for (at, wanted) in renames.want.iter().enumerate() {
        let variable = found.get(wanted.name.as_bytes());
        match (source.get(&at), variable) {
            (Some(have), Some(variable)) => {
                let is_source = variable.name_before().as_bytes() == renames.have[*have].name.as_bytes();
                if !is_source || variable.tensor.shape != wanted.shape {
                    failed.push(at);
                }
            }
            (Some(_), None) => failed.push(at),
            (None, Some(_)) => unsure.push(at),
            (None, None) => {}
        }
    }
    match (failed.is_empty(), unsure.is_empty()) {
        (false, _) => Err(Failure::Pairs(failed)),
        (true, false) => Err(Failure::Unsure(unsure)),
        (true, true) => Ok(()),
    }
}
