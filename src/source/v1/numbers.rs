//! The numbers of one slice, decoded in pieces when they are asked for.
//!
//! Numbers of fixed width are found by arithmetic. Where varints begin is told by one pass over all of them, made before
//! the first is served, which also counts them.

use std::io;
use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::block::{self, Block};
use super::{Trouble, rebased};
use crate::cache::{Decode, Identity};
use crate::extent::VirtualFile;
use crate::format::v1::{Coding, Form, Starts};
use crate::name::Name;

use std::sync::Arc;

/// Bytes of a piece of raw numbers, and of a run of varints that passes by at once.
const RAW_PIECE: u64 = 4 << 20;
/// A varint has up to ten bytes for each byte of its piece.
const VARINT_PIECE: u64 = 1 << 20;

pub(super) struct Numbers {
    pub(super) name: Name,
    pub(super) block: Arc<Block>,
    /// Where they lie in the block's contents.
    pub(super) run: Range<u64>,
    pub(super) form: Form,
    pub(super) coding: &'static Coding,
    pub(super) elements: u64,
    /// Of varints, where pieces begin.
    pub(super) starts: OnceLock<Vec<u64>>,
    pub(super) was_reported: AtomicBool,
}

impl Numbers {
    /// What is wrong with the length of the run, of which the elements are so many; all that is known before it is read.
    pub(super) fn check_len(&self) -> Result<(), String> {
        let (len, elements) = (self.run.end - self.run.start, self.elements);
        let fits = match self.form {
            Form::Raw => elements.checked_mul(self.coding.width as u64) == Some(len),
            Form::Varint { .. } => len >= elements && len <= elements.saturating_mul(10),
        };
        let (at, file) = (self.block.place(self.run.start), self.block.shard.name());
        match fits {
            true => Ok(()),
            false => Err(format!(
                "its shape has {elements} elements, which {len} bytes cannot be, at byte {at} of {file}"
            )),
        }
    }

    fn piece(&self, at: u64, len: u64) -> Result<Vec<u8>, Trouble> {
        let contents = self.block.contents()?;
        let here = |error| rebased(error, &self.block);
        let run = match self.form {
            Form::Raw => self.run.start + at..self.run.start + at + len,
            Form::Varint { .. } => self.varints(&contents, at).map_err(here)?,
        };
        let bytes = block::read(&contents, run.start, run.end - run.start).map_err(here)?;
        match self.form {
            Form::Raw => Ok(bytes),
            Form::Varint { .. } => self.coding.decode(&bytes, run.start).map_err(|error| here(error.into())),
        }
    }

    /// Where the varints of the piece at `at` lie.
    fn varints(&self, contents: &VirtualFile, at: u64) -> Result<Range<u64>, Trouble> {
        if self.starts.get().is_none() {
            let _ = self.starts.set(self.survey(contents)?);
        }
        let starts = self.starts.get().map(Vec::as_slice).unwrap_or_default();
        let piece = (at / self.piece_len()) as usize;
        match starts.get(piece..) {
            Some([start, end, ..]) => Ok(*start..*end),
            _ => Err(io::Error::other("a piece past the end of a tensor").into()),
        }
    }

    fn survey(&self, contents: &VirtualFile) -> Result<Vec<u64>, Trouble> {
        let mut starts = Starts::every(self.piece_len() / self.coding.width as u64, self.run.start);
        let mut at = self.run.start;
        while at < self.run.end {
            let len = RAW_PIECE.min(self.run.end - at);
            starts.pass(&block::read(contents, at, len)?);
            at += len;
        }
        Ok(starts.finish(self.elements)?)
    }

    /// Logs what is wrong, once, and gives the error a reader gets.
    fn report(&self, trouble: Trouble) -> io::Error {
        let (path, name) = (self.block.shard.path().display(), &self.name);
        match trouble {
            Trouble::Io(error) => error,
            Trouble::Foreign(what) => io::Error::other(what),
            Trouble::Malformed(error) => {
                if !self.was_reported.swap(true, Ordering::Relaxed) {
                    log::error!("{path}: {name}: not readable: {error}");
                }
                io::Error::from_raw_os_error(libc::EIO)
            }
        }
    }
}

impl Decode for Numbers {
    fn identity(&self) -> Identity {
        Identity { of: std::ptr::from_ref(self).addr(), to: "numbers" }
    }

    fn decode(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
        self.piece(at, len as u64).map_err(|trouble| self.report(trouble))
    }

    fn verify(&self) -> io::Result<()> {
        self.block.shard.verify()
    }

    /// What is unpacked whole is best decoded whole.
    fn piece_len(&self) -> u64 {
        let whole = self.elements.saturating_mul(self.coding.width as u64);
        match self.form {
            _ if !self.block.is_plain => whole.max(RAW_PIECE).next_multiple_of(16),
            Form::Raw => RAW_PIECE,
            Form::Varint { .. } => VARINT_PIECE,
        }
    }
}
