//! A block of a V1 table: its location in the file, and the access to its contents.
//!
//! A plain block is read in parts, and may be larger than memory. The block has only one checksum, which covers all
//! of it, so the whole block is read once before the first value is served. A compressed block is decompressed whole
//! whenever it is read. TensorFlow does not write compressed blocks.

use std::io;
use std::sync::{Arc, OnceLock};

use crate::cache::Cache;
use crate::extent::{Extent, VirtualFile};
use crate::format::Malformed;
use crate::format::crc::Masked;
use crate::format::table::{self, Handle};
use crate::source::v1::error::FileError;
use crate::source_file::SourceFile;

/// The number of bytes that are read at once to compute the checksum.
const CHUNK: u64 = 1 << 20;

pub(super) struct Block {
    pub(super) shard: Arc<SourceFile>,
    handle: Handle,
    pub(super) is_plain: bool,
    /// The result of checking the checksum, once it is computed.
    verdict: OnceLock<Result<(), Malformed>>,
}

impl Block {
    /// Opens the block at a handle. The handle was already checked against the length of the file.
    pub(super) fn open(shard: &Arc<SourceFile>, handle: Handle) -> Result<Self, FileError> {
        let (mut kind, at) = ([0], handle.offset + handle.size);
        shard.read_exact_at(&mut kind, at)?;
        let is_plain = table::is_plain(kind[0], at)?;
        Ok(Self { shard: shard.clone(), handle, is_plain, verdict: OnceLock::new() })
    }

    /// Returns the contents of the block. The checksum of a plain block is not checked.
    pub(super) fn skim(&self) -> Result<VirtualFile, FileError> {
        let Handle { offset, size } = self.handle;
        match self.is_plain {
            true => Ok([Extent::Range { file: self.shard.clone(), offset, len: size }].into_iter().collect()),
            false => Ok(table::unpack(&self.stored(size + table::BLOCK_TRAILER)?, offset)?.into()),
        }
    }

    /// Returns the contents after the checksum is checked.
    pub(super) fn contents(&self) -> Result<VirtualFile, FileError> {
        if self.is_plain {
            self.check()?;
        }
        self.skim()
    }

    /// Returns the offset in the file for offset `at` of the contents. For a compressed block, returns the offset of
    /// the block.
    pub(super) fn place(&self, at: u64) -> u64 {
        self.handle.offset + if self.is_plain { at } else { 0 }
    }

    fn check(&self) -> Result<(), FileError> {
        if self.verdict.get().is_none() {
            let (actual, stored) = self.checksums()?;
            let verdict = match actual == stored {
                true => Ok(()),
                false => {
                    let what =
                        format!("block checksum {:#010x} where {:#010x} is stored", actual.0, stored.0);
                    Err(Malformed { what: what.into(), at: self.handle.offset })
                }
            };
            // Two concurrent readers compute the same result.
            let _ = self.verdict.set(verdict);
        }
        Ok(self.verdict.get().cloned().unwrap_or(Ok(()))?)
    }

    fn checksums(&self) -> io::Result<(Masked, Masked)> {
        // The checksum also covers the type byte.
        let (start, end) = (self.handle.offset, self.handle.offset + self.handle.size + 1);
        let (mut crc, mut at) = (Masked::of(b""), start);
        let mut buffer = vec![0; CHUNK.min(end - start) as usize];
        while at < end {
            let chunk = &mut buffer[..CHUNK.min(end - at) as usize];
            self.shard.read_exact_at(chunk, at)?;
            crc = crc.extend(chunk);
            at += chunk.len() as u64;
        }
        let mut stored = [0; 4];
        self.shard.read_exact_at(&mut stored, end)?;
        Ok((crc, Masked(u32::from_le_bytes(stored))))
    }

    fn stored(&self, len: u64) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; len as usize];
        self.shard.read_exact_at(&mut bytes, self.handle.offset)?;
        Ok(bytes)
    }
}

/// Reads the bytes `at..at + len` of some contents. Returns an error if they end before.
pub(super) fn read(contents: &VirtualFile, at: u64, len: u64) -> Result<Vec<u8>, FileError> {
    if at.checked_add(len).is_none_or(|end| end > contents.len()) {
        let what = format!("{len} bytes where the block has {}", contents.len());
        return Err(Malformed { what: what.into(), at }.into());
    }
    let mut bytes = vec![0; len as usize];
    contents.read_at(&Cache::new(0), &mut bytes, at)?;
    Ok(bytes)
}

/// Converts a fault's offset in a block's contents to an offset in the file.
pub(crate) fn at_file_offset(trouble: FileError, block: &Block) -> FileError {
    match trouble {
        FileError::Malformed(Malformed { what, at }) => Malformed { what, at: block.place(at) }.into(),
        other => other,
    }
}
