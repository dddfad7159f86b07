//! The kinds of files: a form of every variable, a small file for each variable, a file about the whole checkpoint.

use std::sync::Arc;

use crate::catalog::{Catalog, Variable};
use crate::dtype::Dtype;
use crate::extent::VirtualFile;

/// A format in which every variable has its own file: `npy/dense/kernel.npy`.
///
/// # Examples
///
/// ```
/// use ckptfs::{source, view};
///
/// let catalog = source::open("tests/fixtures/tf-2.21/ddp/ckpt-9".as_ref())?.catalog;
/// let kernel = catalog.variable(b"module.encoder/kernel").expect("the checkpoint has it");
/// let npy = (view::format("npy").expect("a form").file)(kernel).expect("float32 has this form");
/// assert_eq!(npy.len(), 128 + kernel.tensor.len());
/// # Ok::<(), source::Error>(())
/// ```
pub struct Format {
    /// The directory that contains the files, and the format's name on the command line.
    pub(crate) name: &'static str,
    /// The suffix of the files' names.
    pub(crate) suffix: &'static str,
    /// The name of the symlink to the file in a variable's directory under `vars/`.
    pub(crate) link: &'static str,
    /// The function that generates the file. Its error is the reason why a variable has none.
    pub file: fn(&Variable) -> Result<VirtualFile, String>,
}

/// A small file in each variable's directory, generated on demand.
pub(crate) struct VariableFile {
    /// The file name.
    pub(crate) name: &'static str,
    /// The function that generates the content.
    pub(crate) file: fn(&Catalog, &Variable) -> VirtualFile,
    /// True if the content depends on the variable's values.
    pub(crate) reads_values: bool,
}

/// A file about the whole checkpoint, directly in the checkpoint's directory.
pub struct CheckpointView {
    /// The file name.
    pub name: &'static str,
    /// The function that returns true if the checkpoint has this file.
    pub is_there: fn(&Catalog) -> bool,
    /// The function that generates the content. Computing the length may be expensive, so call it once.
    pub file: fn(&Arc<Catalog>) -> VirtualFile,
    /// True if the content depends on the variables' values.
    pub(crate) reads_values: bool,
    /// The function that returns the variables that the file cannot contain, each with the reason.
    pub left_out: fn(&Catalog) -> Vec<String>,
}

/// Returns the reason why variables of a dtype are in no format.
pub(crate) fn no_form(dtype: Dtype) -> String {
    format!("only the program itself can decode a {dtype}")
}
