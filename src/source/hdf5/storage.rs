//! The bytes of an HDF5 file: a source file, a member stored in an archive, or a member that was inflated.
//!
//! The HDF5 library asks for ranges, and each range is read with `pread`. Nothing is mapped, and nothing else is
//! read. Lengths that a damaged file claims are first checked against the file.

use std::hash::{Hash, Hasher};
use std::io;
use std::sync::Arc;

use hdf5_reader::error::{Error, Result};
use hdf5_reader::{Storage, StorageBuffer};

use crate::extent::Extent;
use crate::source_file::SourceFile;

/// The maximum length of one read. No metadata is longer, and no chunk may be longer.
pub(crate) const MAX_READ: usize = 256 << 20;

/// The location of the bytes of an HDF5 file.
#[derive(Clone)]
pub(crate) enum FileStorage {
    /// `len` bytes of `shard` from `offset`.
    Part { shard: Arc<SourceFile>, offset: u64, len: u64 },
    /// Bytes in memory.
    Memory(Arc<[u8]>),
}

impl FileStorage {
    /// Returns the storage of a whole file.
    pub(crate) fn whole(shard: &Arc<SourceFile>) -> Self {
        Self::Part { shard: shard.clone(), offset: 0, len: shard.size().unwrap_or(0) }
    }

    /// Returns `at..at + len` as an extent; `None` if the range goes past the end.
    pub(crate) fn extent(&self, at: u64, len: u64) -> Option<Extent> {
        let end = at.checked_add(len).filter(|&end| end <= self.len())?;
        Some(match self {
            Self::Part { shard, offset, .. } => {
                Extent::Range { file: shard.clone(), offset: offset + at, len }
            }
            Self::Memory(bytes) => Extent::Inline(bytes[at as usize..end as usize].into()),
        })
    }

    /// Reads `at..at + len`. The range must lie within the file.
    pub(crate) fn read(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
        let past = || io::Error::new(io::ErrorKind::UnexpectedEof, "past the end of the HDF5 file");
        let end = at.checked_add(len as u64).filter(|&end| end <= self.len()).ok_or_else(past)?;
        match self {
            Self::Part { shard, offset, .. } => {
                let mut bytes = vec![0; len];
                shard.read_exact_at(&mut bytes, offset + at)?;
                Ok(bytes)
            }
            Self::Memory(bytes) => Ok(bytes[at as usize..end as usize].to_vec()),
        }
    }

    /// Hashes the identity and the state of the bytes into `to`, like [`SourceFile::fingerprint`].
    pub(crate) fn fingerprint(&self, mut to: &mut dyn Hasher) -> Option<()> {
        match self {
            Self::Part { shard, offset, len } => {
                (offset, len).hash(&mut to);
                shard.fingerprint(to)
            }
            Self::Memory(bytes) => {
                bytes.hash(&mut to);
                Some(())
            }
        }
    }

    /// Checks the file, like [`SourceFile::verify`].
    pub(crate) fn verify(&self) -> io::Result<()> {
        match self {
            Self::Part { shard, .. } => shard.verify(),
            Self::Memory(_) => Ok(()),
        }
    }
}

impl Storage for FileStorage {
    fn len(&self) -> u64 {
        match self {
            Self::Part { len, .. } => *len,
            Self::Memory(bytes) => bytes.len() as u64,
        }
    }

    fn read_range(&self, offset: u64, len: usize) -> Result<StorageBuffer> {
        let available = self.len().saturating_sub(offset);
        if len as u64 > available {
            return Err(Error::UnexpectedEof { offset, needed: len as u64, available });
        }
        if len > MAX_READ {
            return Err(Error::ResourceLimit(format!("{len} bytes at {offset} in one piece")));
        }
        Ok(StorageBuffer::from_vec(self.read(offset, len)?))
    }
}
