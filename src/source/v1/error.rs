//! The errors in one file of a V1 checkpoint.

use std::io;
use std::path::PathBuf;

use crate::format::Malformed;
use crate::source::error::Error;

/// An error in one file.
#[derive(Debug)]
pub(crate) enum FileError {
    Io(io::Error),
    Malformed(Malformed),
    /// A table that is not a V1 checkpoint.
    Foreign(&'static str),
}

impl FileError {
    pub(crate) fn of(self, path: PathBuf) -> Error {
        match self {
            Self::Io(error) => Error::Io(path, error),
            Self::Malformed(error) => Error::Malformed(path, error),
            Self::Foreign(what) => Error::Unsupported(path, what.into()),
        }
    }
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Malformed> for FileError {
    fn from(error: Malformed) -> Self {
        Self::Malformed(error)
    }
}
