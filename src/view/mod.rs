//! Views: the presentation of a variable, or of a whole checkpoint, as files. A view arranges extents and reads no
//! data. Strings are an exception, because their lengths are in their data.
//!
//! A new view is a separate source file and a row in a table here. The tree, `info.json` and `ckptfs cat` use the
//! tables.

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
pub(crate) use crate::view::xattr::{xattr, xattrs};

/// The formats, in the order in which they are listed.
pub(crate) const FORMATS: &[Format] = &[npy::FORMAT, raw::FORMAT, text::FORMAT];

/// The small files of each variable.
pub(crate) const VARIABLE_FILES: &[VariableFile] = &[
    VariableFile { name: "dtype", file: |_, variable| line(&variable.tensor.dtype), reads_values: false },
    VariableFile {
        name: "info.json",
        file: |catalog, variable| info::text(catalog, variable).into_bytes().into(),
        reads_values: false,
    },
    VariableFile {
        name: "shape",
        file: |_, variable| line(&variable.tensor.shape.spaced()),
        reads_values: false,
    },
    VariableFile { name: "stats", file: |_, variable| stats::fact(variable), reads_values: true },
];

/// The files about the whole checkpoint.
pub const CHECKPOINT_VIEWS: &[CheckpointView] = &[
    safetensors::WHOLE,
    weights_h5::LEGACY,
    weights_h5::KERAS3,
    CheckpointView {
        name: "object_graph.json",
        is_there: |catalog| catalog.objects.is_some(),
        file: object_graph::file,
        reads_values: false,
        left_out: nothing,
    },
    CheckpointView {
        name: "remap.tsv",
        is_there: |_| true,
        file: table::remap,
        reads_values: false,
        left_out: nothing,
    },
    CheckpointView {
        name: "stats.tsv",
        is_there: |_| true,
        file: stats::table,
        reads_values: true,
        left_out: nothing,
    },
    CheckpointView {
        name: "variables.tsv",
        is_there: |_| true,
        file: table::variables,
        reads_values: false,
        left_out: nothing,
    },
];

fn nothing(_: &Catalog) -> Vec<String> {
    Vec::new()
}

fn line(text: &impl std::fmt::Display) -> VirtualFile {
    format!("{text}\n").into_bytes().into()
}

/// The names in a variable's directory that are, or will be, used by per-variable files and links. A variable
/// component with such a name is shown escaped there, so that a new per-variable file changes no path.
pub(crate) const RESERVED: &[&str] =
    &["array.npy", "dtype", "info.json", "raw", "shape", "stats", "values.txt"];

/// Returns the checkpoint in the source's own format, if that is not TensorFlow's: the suffix after the stem, and the
/// file. It is the source's file as long as the variables are unchanged.
pub(crate) fn native_file(catalog: &Arc<Catalog>) -> Option<(&'static str, VirtualFile)> {
    let own = catalog.native.as_ref()?;
    let has = |whole: &&CheckpointView| {
        whole.name.strip_prefix("model") == Some(own.suffix) && (whole.is_there)(catalog)
    };
    let unchanged = own.file.clone().map(VirtualFile::whole);
    let file = unchanged.or_else(|| CHECKPOINT_VIEWS.iter().find(has).map(|whole| (whole.file)(catalog)))?;
    Some((own.suffix, file))
}

/// Returns the format with a name.
pub fn format(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}

/// Returns everything known about a variable as one JSON object.
pub fn info(catalog: &Catalog, variable: &Variable) -> serde_json::Value {
    info::json(catalog, variable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_file_and_link_has_a_reserved_name() {
        for name in
            VARIABLE_FILES.iter().map(|fact| fact.name).chain(FORMATS.iter().map(|format| format.link))
        {
            assert!(RESERVED.contains(&name), "{name}");
        }
    }
}
