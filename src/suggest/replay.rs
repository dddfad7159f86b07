//! The trial of a map: it is applied to HAVE, as `mount` would apply it, and the result is compared with the pairs.

use std::collections::HashMap;
use std::sync::Arc;

use crate::catalog::Catalog;
use crate::map::{Flag, Map, MapText};
use crate::remap;
use crate::suggest::rules::Renames;
use crate::tensor::Tensor;
use crate::transform::like::fill::constant;
use crate::transform::like::neutral::Neutral;

/// The failures of a map.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It does not parse, or does not fit HAVE. The text is the error.
    Map(String),
    /// These sure pairs do not come out with the wanted name and shape.
    Pairs(Vec<usize>),
    /// A wanted name comes out with a source that is not sure.
    Unsure,
}

/// Returns the catalog with zeros for the values that a table does not have, so that a map can be applied to it.
pub(crate) fn with_values(catalog: &Catalog) -> Catalog {
    let (mut catalog, mut known) = (catalog.clone(), HashMap::new());
    for variable in catalog.variables.iter_mut().filter(|variable| variable.tensor.data.is_empty()) {
        let Tensor { dtype, shape, .. } = &*variable.tensor;
        // The checksum of zeros takes a while, and few shapes differ.
        let zeros = known.entry((dtype.name(), shape.clone()));
        let zeros = zeros.or_insert_with(|| constant(*dtype, shape, Neutral::Zeros).map(Arc::new)).clone();
        variable.tensor = zeros.unwrap_or_else(|| variable.tensor.clone());
    }
    catalog
}

/// Applies the text of a map to HAVE, and checks every wanted variable.
pub(crate) fn file(text: &str, catalog: &Catalog, renames: &Renames<'_>) -> Result<(), Failure> {
    replay(&[], &[MapText { name: "suggested".into(), text: text.into() }], catalog, renames)
}

/// Applies flags to HAVE, and checks every wanted variable.
pub(crate) fn flags(flags: &[Flag], catalog: &Catalog, renames: &Renames<'_>) -> Result<(), Failure> {
    replay(flags, &[], catalog, renames)
}

fn replay(
    flags: &[Flag],
    files: &[MapText],
    catalog: &Catalog,
    renames: &Renames<'_>,
) -> Result<(), Failure> {
    let map = Map::parse(flags, files).map_err(|errors| Failure::Map(errors.to_string()))?;
    let mut after = catalog.clone();
    remap::apply(&map, &mut after).map_err(|mismatch| Failure::Map(mismatch.to_string()))?;
    let found: HashMap<&[u8], _> =
        after.variables.iter().map(|variable| (variable.name.as_bytes(), variable)).collect();
    let source: HashMap<usize, usize> = renames.sure().collect();
    let (mut failed, mut is_unsure) = (Vec::new(), false);
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
            (None, Some(_)) => is_unsure = true,
            (None, None) => {}
        }
    }
    match (failed.is_empty(), is_unsure) {
        (false, _) => Err(Failure::Pairs(failed)),
        (true, true) => Err(Failure::Unsure),
        (true, false) => Ok(()),
    }
}
