//! `--target`: the same values for the other kind of program.

mod name;
mod object;

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
pub fn retarget(catalog: &mut Catalog, target: Target) {
    match target {
        Target::Object if catalog.objects.is_none() => object::give_graph(catalog),
        Target::Name if catalog.objects.is_some() => name::take_graph(catalog),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
