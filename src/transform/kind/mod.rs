//! The conversion of a checkpoint for the other kind of program (`--target`). The values stay.

pub(crate) mod name_based;
pub(crate) mod object_based;
#[cfg(test)]
mod tests;

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

/// Converts a catalog to the target kind. A catalog that already has this kind stays unchanged.
pub fn convert_kind(catalog: &mut Catalog, target: Target) {
    match target {
        Target::Object if catalog.objects.is_none() => object_based::give_graph(catalog),
        Target::Name if catalog.objects.is_some() => name_based::take_graph(catalog),
        _ => {}
    }
}
