//! A lead: a checkpoint that the user may mean by a path with nothing there.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::name::{printable, quoted};

/// The reason why a path does not lead to the checkpoint that the user means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeadKind {
    /// A `~` that only a shell expands.
    Home,
    /// Backslashes where a `/` belongs.
    Backslash,
    /// A prefix without its step.
    Step,
    /// A prefix that is used as a directory.
    DirectoryAsPrefix,
    /// A path that begins in another directory.
    Elsewhere,
}

/// A checkpoint that the user may mean, with the reason why the given path does not lead there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lead {
    pub(crate) kind: LeadKind,
    /// The reason.
    pub(crate) why: String,
    /// The path that leads there; `None` if only the fault of the given path is known.
    pub(crate) path: Option<PathBuf>,
}

/// Returns a path as a word of a shell, which no command takes for a flag.
pub(crate) fn word(path: &Path) -> String {
    let text = path.to_string_lossy();
    if text.starts_with('-') { quoted(&format!("./{text}")) } else { quoted(&text) }
}

/// Returns a path for a message.
pub(crate) fn shown(path: &(impl AsRef<OsStr> + ?Sized)) -> String {
    printable(path.as_ref().as_encoded_bytes())
}

/// Format: the reason, and in a second line the path that leads there.
impl fmt::Display for Lead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)?;
        let Some(path) = &self.path else { return Ok(()) };
        write!(f, "\n  help: ckptfs ls {}", word(path))?;
        match std::path::absolute(path) {
            Ok(absolute) if absolute != *path => write!(f, "    # absolute: {}", shown(&absolute)),
            _ => Ok(()),
        }
    }
}
