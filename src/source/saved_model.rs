//! A SavedModel: a directory with a program and the checkpoint of its variables.

use std::ffi::OsStr;

use crate::directory::Directory;

/// The subdirectory of a SavedModel that holds its checkpoint, and the checkpoint's stem.
pub(crate) const VARIABLES: &str = "variables";

/// Returns true if a directory is a SavedModel that has variables.
pub(crate) fn is_saved_model(directory: &Directory) -> bool {
    let has = |name: &str| directory.metadata(OsStr::new(name)).is_ok_and(|meta| meta.is_file());
    (has("saved_model.pb") || has("saved_model.pbtxt")) && has("variables/variables.index")
}
