//! The bytes of an HDF5 file: a file of the source, a member stored in an archive, or a member that had to be inflated.
//!
//! The reader of the format asks for ranges, which are read with `pread`: nothing is mapped, and nothing is read whole but
//! what it asks for. Lengths that a damaged file claims are held against the file first.

use std::hash::{Hash, Hasher};
use std::io;
use std::sync::Arc;

use hdf5_reader::error::{Error, Result};
use hdf5_reader::{Storage, StorageBuffer};

use crate::extent::Extent;
use crate::source_file::SourceFile;

/// More than any piece of metadata has, and as large as a chunk may be.
pub(crate) const MAX_READ: usize = 256 << 20;

/// Where the bytes of an HDF5 file are.
#[derive(Clone)]
pub(crate) enum FileStorage {
    /// `len` bytes of `shard` from `offset`.
    Part { shard: Arc<SourceFile>, offset: u64, len: u64 },
    /// In memory.
    Memory(Arc<[u8]>),
}

impl FileStorage {
    /// All of a file.
    pub(crate) fn whole(shard: &Arc<SourceFile>) -> Self {
        Self::Part { shard: shard.clone(), offset: 0, len: shard.size().unwrap_or(0) }
    }

    /// `at..at + len` as an extent; `None` past the end.
    pub(crate) fn extent(&self, at: u64, len: u64) -> Option<Extent> {
        let end = at.checked_add(len).filter(|&end| end <= self.len())?;
        Some(match self {
            Self::Part { shard, offset, .. } => {
                Extent::Range { shard: shard.clone(), offset: offset + at, len }
            }
            Self::Memory(bytes) => Extent::Inline(bytes[at as usize..end as usize].into()),
        })
    }

    /// `at..at + len`, which must be there.
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

    /// Tells `to` which bytes these are, as [`Shard::recipe`].
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

    /// As [`Shard::verify`].
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
