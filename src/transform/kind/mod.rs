//! `--target`: the same values for the other kind of program.

pub(crate) mod name_based;
pub(crate) mod object_based;
#[cfg(test)]
mod tests;

use crate::catalog::Catalog;

/// The kind of program that is to restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// `tf.train.Checkpoint`, Keras.
    Object,
    /// `tf.compat.v1.train.Saver`.
    Name,
}

/// The targets, as they are written.
pub const TARGETS: &[(&str, Target)] = &[("object", Target::Object), ("name", Target::Name)];

/// Makes the catalog what such a program reads. One that is that already stays as it is.
pub fn convert_kind(catalog: &mut Catalog, target: Target) {
    match target {
        Target::Object if catalog.objects.is_none() => object_based::give_graph(catalog),
        Target::Name if catalog.objects.is_some() => name_based::take_graph(catalog),
        _ => {}
    }
}
