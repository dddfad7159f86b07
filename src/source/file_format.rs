//! A file format: how its files are recognized and opened.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use crate::directory::Directory;
use crate::source::checkpoint::Checkpoint;
use crate::source::error::Error;
use crate::source::prefix::Prefix;
use crate::source::sniff::Probe;

/// A format other than TensorFlow's V2 bundle.
#[derive(Debug)]
pub(crate) struct SourceFormat {
    /// Returns the stem of the checkpoint whose head, the file that lists what it holds, has this name. Names that many
    /// other files have too are not worth a look.
    pub(crate) stem: fn(&OsStr) -> Option<OsString>,
    /// Returns true if a file of any name is such a head.
    pub(crate) is_head: fn(&Probe) -> bool,
    /// The ending of a head's name, where a mount shows the checkpoint in its own format too, under that name and the map:
    /// for programs that load that file.
    pub(crate) suffix: Option<&'static str>,
    pub(crate) open: fn(&Prefix, &Arc<Directory>) -> Result<Checkpoint, Error>,
}

impl PartialEq for SourceFormat {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for SourceFormat {}

impl SourceFormat {
    /// Returns true if a name has an ending of this format.
    pub(crate) fn has_name(&self, name: &OsStr) -> bool {
        (self.stem)(name).is_some_and(|stem| stem != name)
    }
}

/// Returns the stem of a name that has an ending.
pub(crate) fn without_suffix(name: &OsStr, suffix: &str) -> Option<OsString> {
    let stem = name.as_bytes().strip_suffix(suffix.as_bytes()).filter(|stem| !stem.is_empty())?;
    Some(OsStr::from_bytes(stem).into())
}
