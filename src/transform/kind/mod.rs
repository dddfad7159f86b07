//! The conversion of a checkpoint for the other kind of program (`--target`). The values stay.

pub(crate) mod name_based;
pub(crate) mod object_based;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::catalog::Catalog;

/// The kind of program that restores the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A program that uses `tf.train.Checkpoint` or Keras.
    Object,
    /// A program that uses `tf.compat.v1.train.Saver`.
    Name,
}

/// The values of `--target`.
pub const TARGETS: &[(&str, Target)] = &[("object", Target::Object), ("name", Target::Name)];

/// Converts a catalog to the target kind. A catalog that already has this kind stays unchanged. Returns a warning if few
/// optimizers can restore the result.
pub fn convert_kind(catalog: &mut Catalog, target: Target) -> Option<String> {
    match target {
        Target::Object if catalog.objects.is_none() => {
            let slots = object_based::give_graph(catalog);
            legacy_only(&slots)
        }
        Target::Name if catalog.objects.is_some() => {
            name_based::take_graph(catalog);
            None
        }
        _ => None,
    }
}

/// Returns the warning about slots of TF1's optimizers, given their number for each optimizer.
fn legacy_only(slots: &BTreeMap<String, usize>) -> Option<String> {
    let number = match slots.values().sum() {
        0 => return None,
        1 => "1 slot".to_owned(),
        n => format!("{n} slots"),
    };
    let optimizers = slots.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    Some(format!(
        "--target object: only tf.keras.optimizers.legacy can restore the {number} of {optimizers}; tf_keras 2.11 and \
         newer refuse them, and Keras 3 ignores them and begins at iteration 0\n  \
         help: --like WANTED maps them to the program's optimizer, --drop-optimizer leaves them out"
    ))
}
