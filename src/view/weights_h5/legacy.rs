//! The layout of Keras 2, which finds weights with lists in attributes:
//!
//! ```text
//! /           layer_names = ["dense", …]   backend = "tensorflow"   keras_version = "2.15.0"
//! /dense      weight_names = ["dense/kernel:0", "dense/bias:0"]
//! /dense/dense/kernel:0
//! ```
//!
//! A variable's layer is the first component of its name. Its path in the layer is its whole name, with the `:0` that
//! TensorFlow appends. Variables below another variable (optimizer slots) and names without a slash are in no layer.
//!
//! tf_keras identifies layers and weights by their positions in the lists. When it loads by name, it identifies
//! layers by their names. If the order of the layers is unknown, a last layer is added that no model has. Then the
//! number of layers is wrong, and only loading by name works.

use std::collections::BTreeMap;

use crate::catalog::{Catalog, Variable};
use crate::format::hdf5_image::{Attribute, Dataset, FLOAT32, MAX_DEPTH, MAX_STRING};
use crate::view::weights_h5::order::{Layer, Order, Weight};
use crate::view::weights_h5::{Contents, left_out, utf8};

/// The last version of Keras 2, whose layout this is.
const KERAS_VERSION: &str = "2.15.0";
/// The group of the weights that a model has outside its layers; it is not among the layers' names.
const TOP_LEVEL: &str = "top_level_model_weights";
/// The layer that no model has, and its weight.
const BY_NAME_ONLY: (&str, &str) = ("load_by_name", "order_of_layers_is_unknown:0");
/// The suffix that TensorFlow appends to a variable's name.
const OUTPUT: &str = ":0";

/// Adds all layers. Returns the variables that were left out, with the reasons.
pub(super) fn add_all(contents: &mut Contents, catalog: &Catalog) -> Vec<String> {
    let (mut layers, mut left) = layers(catalog);
    let order = Order::of(catalog);
    layers.retain_mut(|(name, weights)| match order.sort_weights(weights) {
        Ok(()) => {
            weights.retain(|weight| match add(contents, name, weight) {
                Ok(()) => true,
                Err(why) => {
                    left.push(why);
                    false
                }
            });
            list_weights(contents, name, weights);
            !weights.is_empty()
        }
        Err(why) => {
            left.extend(weights.iter().map(|(_, variable)| left_out(variable, why)));
            false
        }
    });
    let is_known = order.sort_layers(&mut layers);
    list_layers(contents, layers.iter().map(|(name, _)| *name), is_known);
    left
}

/// Returns the layers by name, and the variables that are in no layer, with the reasons.
fn layers(catalog: &Catalog) -> (Vec<Layer<'_>>, Vec<String>) {
    let (mut layers, mut left) = (BTreeMap::<_, Vec<_>>::new(), vec![]);
    for (id, variable) in catalog.variables.iter().enumerate() {
        match layer(catalog, variable) {
            Ok(layer) => layers.entry(layer).or_default().push((id, variable)),
            Err(why) => left.push(left_out(variable, why)),
        }
    }
    (layers.into_iter().collect(), left)
}

fn layer<'a>(catalog: &Catalog, variable: &'a Variable) -> Result<&'a str, String> {
    let name = utf8(variable)?;
    let (layer, _) = name.split_once('/').ok_or("it is in no layer, for its name has no slash")?;
    let above = name.match_indices('/').take(MAX_DEPTH).map(|(at, _)| &name[..at]);
    match above.into_iter().find(|above| catalog.variable(above.as_bytes()).is_some()) {
        Some(above) => Err(format!("it is below the variable {above}")),
        None if name.len() > MAX_STRING => Err("its name is longer than Keras allows".into()),
        None => Ok(layer),
    }
}

/// Adds a weight. The error is the reason why it is left out.
fn add(contents: &mut Contents, layer: &str, (id, variable): &Weight<'_>) -> Result<(), String> {
    let path = utf8(variable).map(|name| format!("{layer}/{}", output(name)));
    let added = path.and_then(|path| contents.add(*id, variable, &path));
    added.map_err(|why| left_out(variable, why))
}

/// Returns the name of the tensor that is a variable's value.
fn output(name: &str) -> String {
    format!("{}{OUTPUT}", name.strip_suffix(OUTPUT).unwrap_or(name))
}

fn list_weights(contents: &mut Contents, layer: &str, weights: &[Weight<'_>]) {
    let names = weights.iter().filter_map(|(_, variable)| utf8(variable).ok()).map(output);
    list(contents, layer, names.collect::<Vec<_>>());
}

fn list(contents: &mut Contents, layer: &str, weights: impl IntoIterator<Item = String>) {
    if let Some(group) = contents.root.group(layer) {
        group.attributes.extend(Attribute::list("weight_names", weights));
    }
}

fn list_layers<'a>(contents: &mut Contents, names: impl Iterator<Item = &'a str>, is_known: bool) {
    let mut names: Vec<_> = names.filter(|name| *name != TOP_LEVEL).map(str::to_owned).collect();
    if !is_known {
        names.push(BY_NAME_ONLY.0.into());
        let weight = BY_NAME_ONLY.1;
        let none = Dataset { id: usize::MAX, datatype: FLOAT32, shape: vec![0], len: 0, attributes: vec![] };
        if contents.root.insert(&format!("{}/{weight}", BY_NAME_ONLY.0), none).is_ok() {
            list(contents, BY_NAME_ONLY.0, [weight.into()]);
        }
    }
    let root = &mut contents.root.attributes;
    root.extend(Attribute::list("layer_names", names));
    root.push(Attribute::bytes("backend", "tensorflow"));
    root.push(Attribute::bytes("keras_version", KERAS_VERSION));
}
