//! The restore by `Model.load_weights` of Keras 3: the variables of each layer by the layer's path, which counts the layers of a
//! class. A layer with another number of variables takes none. The variables of a layer are taken in order, up to the first of
//! another shape. Another dtype is converted.

use std::collections::{BTreeMap, HashMap};

use crate::catalog::Catalog;
use crate::diff::restore::{Api, Effect, Restore};
use crate::transform::like::candidates::Checkpoint;

/// The directory of a layer's variables.
const VARS: &str = "/vars/";

pub(super) fn restore(have: &Checkpoint<'_>, want: &Checkpoint<'_>) -> Restore {
    let (old, new) = (layers(have.catalog), layers(want.catalog));
    let mut effects = vec![Effect::Stays; want.names.len()];
    for (layer, variables) in new {
        let Some(saved) = old.get(layer).filter(|saved| saved.len() == variables.len()) else { continue };
        let saved: HashMap<_, _> = saved.iter().map(|(number, at)| (*number, *at)).collect();
        for (number, at) in variables {
            let source = saved.get(&number).filter(|source| have.shapes[**source] == want.shapes[at]);
            let Some(source) = source else { break };
            effects[at] = Effect::Takes(*source);
        }
    }
    Restore { api: Api::Keras, effects, is_consumed: false }
}

/// Returns true if every name is that of a layer's variable: `layers/dense/vars/0`.
pub(super) fn has_layers(catalog: &Catalog) -> bool {
    let is_one = |name: &[u8]| split(name).is_some();
    !catalog.is_empty() && catalog.variables.iter().all(|variable| is_one(variable.name.as_bytes()))
}

/// Returns the variables of each layer by number, in the order of the numbers.
fn layers(catalog: &Catalog) -> BTreeMap<&str, BTreeMap<u64, usize>> {
    let mut layers: BTreeMap<&str, BTreeMap<u64, usize>> = BTreeMap::new();
    for (at, variable) in catalog.variables.iter().enumerate() {
        if let Some((layer, number)) = split(variable.name.as_bytes()) {
            layers.entry(layer).or_default().insert(number, at);
        }
    }
    layers
}

/// Splits a name into the layer's path and the number of the variable.
fn split(name: &[u8]) -> Option<(&str, u64)> {
    let (layer, number) = str::from_utf8(name).ok()?.rsplit_once(VARS)?;
    Some((layer, number.parse().ok()?))
}
