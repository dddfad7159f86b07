//! The numbers of one slice, decoded in blocks when they are read.
//!
//! The positions of numbers of fixed width are computed. The positions of varints are found by one pass over all of
//! them, before the first is served. This pass also counts them.

use std::hash::{Hash, Hasher};
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use crate::cache::{Decode, Identity};
use crate::extent::{Extent, VirtualFile};
use crate::format::v1::{Coding, Form, VarintIndex};
use crate::name::Name;
use crate::source::v1::block;
use crate::source::v1::block::{Block, at_file_offset};
use crate::source::v1::error::FileError;

/// The number of bytes of a block of raw numbers, and of a run of varints that is read at once.
const RAW_PIECE: u64 = 4 << 20;
/// The number of bytes of a block of numbers that are stored as varints. A varint may take up to ten bytes for each
/// byte of the block.
const VARINT_PIECE: u64 = 1 << 20;
/// The number of bytes of decoded numbers between two recorded varint positions.
const VARINT_GRAIN: u64 = 64 << 10;

/// The numbers of one slice.
pub(crate) struct Decoder {
    name: Name,
    block: Arc<Block>,
    run: NumberRun,
    /// The recorded positions of varints, if the numbers are varints.
    varint_index: OnceLock<Vec<u64>>,
    was_reported: AtomicBool,
}

/// A run of numbers.
pub(crate) struct NumberRun {
    /// The range of the run in the block's contents.
    pub(crate) range: Range<u64>,
    pub(crate) form: Form,
    pub(crate) coding: &'static Coding,
    /// The number of elements, according to the shape.
    pub(crate) elements: u64,
}

impl Decoder {
    /// Returns the numbers of a run as an extent, in the form that they have in memory. Returns an error if the
    /// length of the run does not match the number of elements, as far as that is known before the run is read.
    pub(crate) fn extent(name: Name, block: Arc<Block>, run: NumberRun) -> Result<Extent, String> {
        let len = run.len().ok_or_else(|| {
            let (elements, found) = (run.elements, run.range.end - run.range.start);
            let (at, file) = (block.place(run.range.start), block.shard.name());
            format!(
                "its shape has {elements} elements, which {found} bytes cannot be, at byte {at} of {file}"
            )
        })?;
        let (starts, was_reported) = (OnceLock::new(), AtomicBool::new(false));
        Ok(Extent::Decoded {
            data: Arc::new(Self { name, block, run, varint_index: starts, was_reported }),
            len,
        })
    }

    fn block(&self, at: u64, len: u64) -> Result<Vec<u8>, FileError> {
        let contents = self.block.contents()?;
        let here = |error| at_file_offset(error, &self.block);
        let run = match self.run.form {
            Form::Raw => self.run.range.start + at..self.run.range.start + at + len,
            Form::Varint { .. } => self.varints(&contents, at, len).map_err(here)?,
        };
        let bytes = block::read(&contents, run.start, run.end - run.start).map_err(here)?;
        match self.run.form {
            Form::Raw => Ok(bytes),
            Form::Varint { .. } => {
                self.run.coding.decode(&bytes, run.start).map_err(|error| here(error.into()))
            }
        }
    }

    /// Returns the range of the varints of the numbers from `at` on. `at` is a multiple of the alignment.
    fn varints(&self, contents: &VirtualFile, at: u64, len: u64) -> Result<Range<u64>, FileError> {
        if self.varint_index.get().is_none() {
            let _ = self.varint_index.set(self.index_varints(contents)?);
        }
        let starts = self.varint_index.get().map(Vec::as_slice).unwrap_or_default();
        let grain = |at: u64| starts.get((at / self.alignment()) as usize);
        match (grain(at), grain((at + len).next_multiple_of(self.alignment()))) {
            (Some(start), Some(end)) => Ok(*start..*end),
            _ => Err(io::Error::other("a piece past the end of a tensor").into()),
        }
    }

    fn index_varints(&self, contents: &VirtualFile) -> Result<Vec<u64>, FileError> {
        let mut starts =
            VarintIndex::every(self.alignment() / self.run.coding.width as u64, self.run.range.start);
        let mut at = self.run.range.start;
        while at < self.run.range.end {
            let len = RAW_PIECE.min(self.run.range.end - at);
            starts.pass(&block::read(contents, at, len)?);
            at += len;
        }
        Ok(starts.finish(self.run.elements)?)
    }

    /// Logs the problem, once per slice, and returns the error for the reader.
    fn report(&self, trouble: FileError) -> io::Error {
        let (path, name) = (self.block.shard.path().display(), &self.name);
        match trouble {
            FileError::Io(error) => error,
            FileError::Foreign(what) => io::Error::other(what),
            FileError::Malformed(error) => {
                if !self.was_reported.swap(true, Ordering::Relaxed) {
                    log::error!("{path}: {name}: not readable: {error}");
                }
                io::Error::from_raw_os_error(libc::EIO)
            }
        }
    }
}

impl NumberRun {
    /// Returns the number of bytes of the numbers in memory; `None` if the run cannot hold so many numbers.
    fn len(&self) -> Option<u64> {
        let stored = self.range.end - self.range.start;
        let len = self.elements.checked_mul(self.coding.width as u64)?;
        let fits = match self.form {
            Form::Raw => len == stored,
            Form::Varint { .. } => (self.elements..=self.elements.saturating_mul(10)).contains(&stored),
        };
        fits.then_some(len)
    }
}

impl Decode for Decoder {
    fn identity(&self) -> Identity {
        Identity { of: std::ptr::from_ref(self).addr(), to: "numbers" }
    }

    fn decode(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
        self.block(at, len as u64).map_err(|trouble| self.report(trouble))
    }

    fn verify(&self) -> io::Result<()> {
        self.block.shard.verify()
    }

    fn fingerprint(&self, mut to: &mut dyn Hasher) -> Option<()> {
        let NumberRun { range, coding, elements, .. } = &self.run;
        ("numbers", self.name.as_bytes(), self.block.place(0), range, coding.width, elements).hash(&mut to);
        self.block.shard.fingerprint(to)
    }

    /// Returns the length of a block. The numbers of a compressed block are decoded all at once, because it is
    /// decompressed whole.
    fn block_len(&self) -> u64 {
        let whole = self.run.elements.saturating_mul(self.run.coding.width as u64);
        match self.run.form {
            _ if !self.block.is_plain => whole.max(RAW_PIECE).next_multiple_of(16),
            Form::Raw => RAW_PIECE,
            Form::Varint { .. } => VARINT_PIECE,
        }
    }

    fn alignment(&self) -> u64 {
        match self.run.form {
            _ if !self.block.is_plain => self.block_len(),
            Form::Raw => 1,
            Form::Varint { .. } => VARINT_GRAIN,
        }
    }
}
