//! The kinds of files: a form of every variable, a small file beside a variable, a file about the whole checkpoint.

use std::sync::Arc;

use crate::catalog::{Catalog, Variable};
use crate::dtype::Dtype;
use crate::extent::VirtualFile;

/// A format in which every variable has a file of its own: `npy/dense/kernel.npy`.
pub struct Format {
    /// The folder that holds the files, and the format's name on the command line.
    pub(crate) name: &'static str,
    /// What the files' names end in.
    pub(crate) suffix: &'static str,
    /// The name of the link to the file among the variable's facts.
    pub(crate) link: &'static str,
    /// The file; an error says why a variable has none.
    pub file: fn(&Variable) -> Result<VirtualFile, String>,
}

/// A small file beside a variable, made when it is asked for.
pub(crate) struct VariableFile {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its content.
    pub(crate) file: fn(&Catalog, &Variable) -> VirtualFile,
}

/// A file about the whole checkpoint, at the top of its directory.
pub struct CheckpointView {
    /// Its name.
    pub name: &'static str,
    /// Whether the checkpoint has it.
    pub is_there: fn(&Catalog) -> bool,
    /// Its content. To learn the length may take some work, so ask once.
    pub file: fn(&Arc<Catalog>) -> VirtualFile,
    /// The variables that it cannot hold, each with the reason.
    pub left_out: fn(&Catalog) -> Vec<String>,
}

/// Why a variable of that type is in no format.
pub(crate) fn no_form(dtype: Dtype) -> String {
    format!("a {dtype} has no form but the program's own")
}
