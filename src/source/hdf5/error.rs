//! What stops a dataset from being shown, and whether the rest can be.

use std::io;

use hdf5_reader::error::Error;

use crate::format::Malformed;

/// Why a dataset is not shown.
#[derive(Debug)]
pub(crate) enum DatasetError {
    /// It is of a kind that ckptfs does not read: a warning.
    LeftOut(String),
    /// It is damaged: an error.
    Damaged(String),
    /// The file cannot be read.
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
    /// The same, with the place of the object's header.
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
