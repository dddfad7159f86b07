//! The reasons why a dataset cannot be shown, and whether the other datasets can.

use std::io;

use hdf5_reader::error::Error;

use crate::format::Malformed;

/// The reason why a dataset cannot be shown.
#[derive(Debug)]
pub(crate) enum DatasetError {
    /// A dataset of a kind that ckptfs does not support: a warning.
    LeftOut(String),
    /// A damaged dataset: an error.
    Damaged(String),
    /// A file that cannot be read.
    Io(io::Error),
}

impl From<Error> for DatasetError {
    fn from(error: Error) -> Self {
        use Error::*;
        match error {
            Context { source, .. } => Self::from(*source),
            Io(error) => Self::Io(error),
            UnsupportedDatatypeClass(class) => {
                Self::LeftOut(format!("its elements are of HDF5 class {class}"))
            }
            UnsupportedLayoutClass(3) => {
                Self::LeftOut("a virtual dataset, whose values are in others".into())
            }
            UnsupportedLayoutClass(class) => Self::LeftOut(format!("stored in layout {class}")),
            UnsupportedFilter(what) => Self::LeftOut(format!("compressed in a way unknown here ({what})")),
            UnsupportedEncoding(what) => Self::LeftOut(what),
            error => Self::Damaged(error.to_string()),
        }
    }
}

impl DatasetError {
    /// Adds the address of the object's header to a `Damaged` error.
    pub(crate) fn of_header_at(self, address: u64) -> Self {
        match self {
            Self::Damaged(what) => Self::Damaged(format!("{what} (its header is at byte {address})")),
            other => other,
        }
    }
}

impl From<Malformed> for DatasetError {
    fn from(error: Malformed) -> Self {
        Self::Damaged(format!("its datatype does not parse: {error} of it"))
    }
}

impl From<DatasetError> for io::Error {
    fn from(trouble: DatasetError) -> Self {
        match trouble {
            DatasetError::Io(error) => error,
            DatasetError::LeftOut(what) => Self::new(io::ErrorKind::Unsupported, what),
            DatasetError::Damaged(what) => Self::new(io::ErrorKind::InvalidData, what),
        }
    }
}
