//! The names that Keras gives to the datasets of its files.
//!
//! * Keras 3's own layout (`.weights.h5`): the path, `layers/dense/vars/0`. The group `vars` has the layer's name in
//!   its attribute `name`. With the number, it makes a full name, `dense/0`.
//! * The legacy layout: `layer_names` lists groups. It is at the root, or at `model_weights` in the file of a whole
//!   model. In each group, `weight_names` lists datasets below the group. The listed name is the name of the
//!   variable, `dense/kernel:0`. A list that is too long for one attribute is split into `layer_names0`,
//!   `layer_names1`…
//! * All other datasets, including the optimizer's state in `optimizer_weights`: the path.
//!
//! If two datasets would have the same name, both are named by their paths.

use std::collections::{BTreeMap, HashMap};

use hdf5_reader::{Attribute, Hdf5File};

use crate::source::hdf5::error::DatasetError;
use crate::source::hdf5::walk::{Tree, below, normal};

/// The names of a dataset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct VariableName {
    pub(super) name: String,
    pub(super) full_name: Option<String>,
}

/// The group of weights that belong to no layer. It looks like the group of a layer.
const OF_THE_MODEL: &str = "top_level_model_weights";

/// Returns the names of all datasets, by path, and warnings for listed weights that are missing.
pub(super) fn names(
    file: &Hdf5File,
    tree: &Tree,
) -> Result<(BTreeMap<String, VariableName>, Vec<String>), DatasetError> {
    let mut warnings = Vec::new();
    let mut names: BTreeMap<String, VariableName> = BTreeMap::new();
    for path in tree.datasets.keys() {
        let full_name = full_name(file, tree, path);
        names.insert(path.clone(), VariableName { name: path.clone(), full_name });
    }
    for base in ["", "model_weights"] {
        for (path, weight) in legacy(file, tree, base)? {
            match names.get_mut(&path) {
                Some(named) => named.name = weight,
                None => warnings.push(format!("{path}: listed as the weight {weight} and not there")),
            }
        }
    }
    tell_apart(&mut names);
    Ok((names, warnings))
}

/// Returns the path and the name of each weight in the lists below a group.
fn legacy(file: &Hdf5File, tree: &Tree, base: &str) -> Result<Vec<(String, String)>, DatasetError> {
    if !tree.groups.contains_key(base) {
        return Ok(vec![]);
    }
    let Some(mut layers) = list(&file.group(base)?.attributes()?, "layer_names")? else { return Ok(vec![]) };
    layers.push(OF_THE_MODEL.into());
    let mut weights = Vec::new();
    for layer in layers {
        let group = normal(&below(base, &layer));
        if tree.groups.contains_key(&group) {
            let listed = list(&file.group(&group)?.attributes()?, "weight_names")?;
            let listed = listed.unwrap_or_default().into_iter();
            weights.extend(listed.map(|weight| (normal(&below(&group, &weight)), normal(&weight))));
        }
    }
    Ok(weights)
}

/// Reads a list of texts from one attribute or several.
fn list(attributes: &[Attribute], name: &str) -> Result<Option<Vec<String>>, DatasetError> {
    let find = |name: &str| attributes.iter().find(|attribute| attribute.name == name);
    let texts = |attribute: &Attribute| match attribute.num_elements()? {
        // An empty list has no texts, so its type is often a number.
        0 => Ok(vec![]),
        _ => attribute.read_strings().map_err(DatasetError::from),
    };
    if let Some(attribute) = find(name) {
        return texts(attribute).map(Some);
    }
    let parts: Vec<_> = (0..).map_while(|part| find(&format!("{name}{part}"))).collect();
    let parts = parts.into_iter().map(texts).collect::<Result<Vec<_>, DatasetError>>()?;
    Ok((!parts.is_empty()).then(|| parts.concat()))
}

/// Returns the full name of a variable: `dense/0` for `layers/dense_1/vars/0`, if the layer is called `dense`.
fn full_name(file: &Hdf5File, tree: &Tree, path: &str) -> Option<String> {
    let (group, number) = path.rsplit_once('/')?;
    if group.rsplit('/').next() != Some("vars") || !tree.groups.contains_key(group) {
        return None;
    }
    let layer = file.group(group).ok()?.attribute("name").ok()?.read_string().ok()?;
    (!layer.is_empty()).then(|| format!("{layer}/{number}"))
}

/// Replaces each shared name by the path, until all names are unique. Paths are unique.
fn tell_apart(names: &mut BTreeMap<String, VariableName>) {
    loop {
        let mut count = HashMap::<String, usize>::new();
        names.values().for_each(|named| *count.entry(named.name.clone()).or_default() += 1);
        let shared = names.iter_mut().filter(|(path, named)| count[&named.name] > 1 && named.name != **path);
        let changed = shared.map(|(path, named)| named.name.clone_from(path)).count();
        if changed == 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apart(names: &[(&str, &str)]) -> Vec<String> {
        let named = |name: &str| VariableName { name: name.into(), full_name: None };
        let mut names = names.iter().map(|(path, name)| ((*path).to_owned(), named(name))).collect();
        tell_apart(&mut names);
        names.into_values().map(|named| named.name).collect()
    }

    #[test]
    fn weights_that_share_a_name_are_named_by_their_paths() {
        assert_eq!(apart(&[("a/k:0", "k:0"), ("b/k:0", "k:0"), ("c/b:0", "b:0")]), ["a/k:0", "b/k:0", "b:0"]);
    }

    #[test]
    fn a_path_that_equals_another_name_stays_a_path() {
        assert_eq!(apart(&[("a", "a"), ("b", "a"), ("c", "b")]), ["a", "b", "c"]);
    }
}
