//! Views: how a variable, or a whole checkpoint, is presented as files. A view lays extents out and reads no data,
//! strings apart, whose lengths are among their data.
//!
//! A new view is a file of its own and a row in a table here; the tree, `info.json` and `ckptfs cat` follow the tables.

pub mod bundle;
mod elementwise;
mod form;
mod info;
mod npy;
mod object_graph;
mod raw;
mod safetensors;
mod stats;
mod strings;
mod summary;
pub(crate) mod table;
mod text;
mod weights_h5;
mod xattr;

use std::sync::Arc;

use crate::catalog::{Catalog, Variable};
use crate::extent::VirtualFile;
pub(crate) use crate::view::form::{CheckpointView, Format, VariableFile};
pub(crate) use crate::view::xattr::{attribute, attributes};

/// The formats, in the order in which they are listed.
pub(crate) const FORMATS: &[Format] = &[npy::FORMAT, raw::FORMAT, text::FORMAT];

/// The facts.
pub(crate) const VARIABLE_FILES: &[VariableFile] = &[
    VariableFile { name: "dtype", file: |_, variable| line(&variable.tensor.dtype) },
    VariableFile {
        name: "info.json",
        file: |catalog, variable| info::text(catalog, variable).into_bytes().into(),
    },
    VariableFile { name: "shape", file: |_, variable| line(&variable.tensor.shape.spaced()) },
    VariableFile { name: "stats", file: |_, variable| stats::fact(variable) },
];

/// The files about the whole.
pub const CHECKPOINT_VIEWS: &[CheckpointView] = &[
    safetensors::WHOLE,
    weights_h5::LEGACY,
    weights_h5::KERAS3,
    CheckpointView {
        name: "object_graph.json",
        is_there: |catalog| catalog.objects.is_some(),
        file: object_graph::file,
        left_out: nothing,
    },
    CheckpointView { name: "remap.tsv", is_there: |_| true, file: table::remap, left_out: nothing },
    CheckpointView { name: "stats.tsv", is_there: |_| true, file: stats::table, left_out: nothing },
    CheckpointView { name: "variables.tsv", is_there: |_| true, file: table::variables, left_out: nothing },
];

fn nothing(_: &Catalog) -> Vec<String> {
    Vec::new()
}

fn line(text: &impl std::fmt::Display) -> VirtualFile {
    format!("{text}\n").into_bytes().into()
}

/// Names below a variable that are, or will be, facts: a variable of such a name is shown escaped there, so that adding
/// a fact moves no path.
pub(crate) const RESERVED: &[&str] =
    &["array.npy", "dtype", "info.json", "raw", "shape", "stats", "values.txt"];

/// A checkpoint in the source's own format, where that is not TensorFlow's: what follows the stem in its name, and the
/// file. It is the source's file, as long as that says the same.
pub(crate) fn own(catalog: &Arc<Catalog>) -> Option<(&'static str, VirtualFile)> {
    let own = catalog.native.as_ref()?;
    let has = |whole: &&CheckpointView| {
        whole.name.strip_prefix("model") == Some(own.suffix) && (whole.is_there)(catalog)
    };
    let unchanged = own.file.clone().map(VirtualFile::whole);
    let file = unchanged.or_else(|| CHECKPOINT_VIEWS.iter().find(has).map(|whole| (whole.file)(catalog)))?;
    Some((own.suffix, file))
}

/// The format of that name.
pub fn format(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}

/// Everything known about a variable, as JSON in one line.
pub fn info(catalog: &Catalog, variable: &Variable) -> serde_json::Value {
    info::json(catalog, variable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fact_and_link_has_a_reserved_name() {
        for name in
            VARIABLE_FILES.iter().map(|fact| fact.name).chain(FORMATS.iter().map(|format| format.link))
        {
            assert!(RESERVED.contains(&name), "{name}");
        }
    }
}
