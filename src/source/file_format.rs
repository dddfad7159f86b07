//! A file format: the functions that recognize and open its files.

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
    /// Returns the stem of the checkpoint whose head has this name. The head is the file that lists what the
    /// checkpoint holds. Returns `None` for a name that many other files have too: such a file is not probed.
    pub(crate) stem: fn(&OsStr) -> Option<OsString>,
    /// Returns true if the content of a file, regardless of its name, is that of such a head.
    pub(crate) is_head: fn(&Probe) -> bool,
    /// The suffix of the head's name, for programs that load that file. If set, a mount also shows the checkpoint in
    /// its own format under this name, with the map applied.
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
    /// Returns true if a name has a suffix of this format.
    pub(crate) fn has_name(&self, name: &OsStr) -> bool {
        (self.stem)(name).is_some_and(|stem| stem != name)
    }
}

/// Returns the stem of a name that has the suffix.
pub(crate) fn without_suffix(name: &OsStr, suffix: &str) -> Option<OsString> {
    let stem = name.as_bytes().strip_suffix(suffix.as_bytes()).filter(|stem| !stem.is_empty())?;
    Some(OsStr::from_bytes(stem).into())
}
