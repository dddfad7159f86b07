//! One file of a V1 checkpoint: its list of tensors, and the locations of the slices.
//!
//! Opening a file reads its metadata and the keys between the values, but never a value.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::ops::Range;
use std::sync::Arc;

use crate::directory::Directory;
use crate::extent::VirtualFile;
use crate::format::bundle::Header;
use crate::format::table::{FOOTER, Handle, Keys};
use crate::format::v1::{Meta, Window};
use crate::format::{Malformed, table};
use crate::source::v1::block;
use crate::source::v1::block::{Block, at_file_offset};
use crate::source::v1::error::FileError;
use crate::source::v1::sparse_reader::SparseReader;
use crate::source_file::SourceFile;

/// The maximum length of a list of tensors or blocks, far above any real one. These are read into memory whole.
const MAX_META: u64 = 1 << 30;
/// The numbers of bytes in which the head of an entry is searched: few at first, then more. The last is far above any
/// real name.
const HEADS: [usize; 4] = [256, 4 << 10, 64 << 10, 1 << 20];

pub(super) struct File {
    pub(super) shard: Arc<SourceFile>,
    pub(super) meta: Meta,
    slices: HashMap<Vec<u8>, ValueRange>,
    /// The contents of the block that was read last. If the block is compressed, they were expensive to compute.
    last: RefCell<Option<(Arc<Block>, VirtualFile)>>,
}

/// The location of a value in the contents of a block.
#[derive(Clone)]
pub(super) struct ValueRange {
    pub(super) block: Arc<Block>,
    pub(super) value: Range<u64>,
}

impl File {
    pub(super) fn open(directory: &Arc<Directory>, name: &OsStr) -> Result<Self, FileError> {
        let shard = Arc::new(SourceFile::open_in(directory, name));
        if let Some(fault) = shard.fault() {
            return Err(std::io::Error::new(fault.kind(), fault.to_string()).into());
        }
        let (mut meta, mut slices) = (None, HashMap::new());
        let mut keys = Keys::default();
        for handle in blocks(&shard)? {
            let block = Arc::new(Block::open(&shard, handle)?);
            walk(&block, &mut keys, |key, value| {
                let place = ValueRange { block: block.clone(), value };
                match &meta {
                    None => meta = Some(place.meta(key)?),
                    Some(_) => drop(slices.insert(key.to_vec(), place)),
                }
                Ok(())
            })?;
        }
        let meta = meta.ok_or(Malformed::new("no rows, not even a list of tensors", 0))?;
        Ok(Self { shard, meta, slices, last: RefCell::new(None) })
    }

    /// Returns the location of the slice with this key.
    pub(super) fn place(&self, key: &[u8]) -> Option<&ValueRange> {
        self.slices.get(key)
    }

    /// Returns the contents of a block of this file, like [`Block::skim`].
    pub(super) fn skim(&self, block: &Arc<Block>) -> Result<VirtualFile, FileError> {
        let mut last = self.last.borrow_mut();
        match &*last {
            Some((held, contents)) if Arc::ptr_eq(held, block) => Ok(contents.clone()),
            _ => {
                let contents = block.skim()?;
                *last = Some((block.clone(), contents.clone()));
                Ok(contents)
            }
        }
    }

    /// Returns the number of slices.
    pub(super) fn num_slices(&self) -> usize {
        self.slices.len()
    }
}

/// Returns the handles of a table's data blocks.
fn blocks(shard: &SourceFile) -> Result<Vec<Handle>, FileError> {
    let len = shard.size().unwrap_or(0);
    let end = len.checked_sub(FOOTER as u64).ok_or_else(|| {
        Malformed::new(format!("{len} bytes are too few for a table, whose footer alone has {FOOTER}"), 0)
    })?;
    let mut footer = [0; FOOTER];
    shard.read_exact_at(&mut footer, end)?;
    let [_, index] = table::footer(&footer, end)?;
    let index_len = index.len_within(end)?;
    if index_len > MAX_META {
        return Err(Malformed { what: "an index of blocks larger than any".into(), at: index.offset }.into());
    }
    let mut block = vec![0; index_len as usize];
    shard.read_exact_at(&mut block, index.offset)?;
    Ok(table::blocks(&block, index.offset, end)?)
}

/// Calls `each` for every entry, with the key and the range of the value in the block's contents.
fn walk(
    block: &Block,
    keys: &mut Keys,
    mut each: impl FnMut(&[u8], Range<u64>) -> Result<(), FileError>,
) -> Result<(), FileError> {
    let contents = block.skim()?;
    let len = contents.len();
    let here = |error| at_file_offset(error, block);
    let last = block::read(&contents, len.saturating_sub(4), len.min(4)).map_err(here)?;
    let last = last.try_into().map_err(|_| Malformed { what: "empty block".into(), at: block.place(0) })?;
    let end = table::entries_len(last, len).map_err(|error| here(error.into()))?;
    let (mut pages, mut at) = (SparseReader::of(contents), 0);
    while at < end {
        let value = value(keys, &mut pages, at, end).map_err(here)?;
        at = value.end;
        each(keys.key(), value)?;
    }
    Ok(())
}

/// Reads the head of the entry at `at`. Returns the range of the value.
fn value(keys: &mut Keys, pages: &mut SparseReader, at: u64, end: u64) -> Result<Range<u64>, FileError> {
    let left = usize::try_from(end - at).unwrap_or(usize::MAX);
    let mut found = keys.advance(pages.bytes(at, HEADS[0].min(left))?, at);
    for window in &HEADS[1..] {
        if found.is_err() && left > HEADS[0] {
            found = keys.advance(pages.bytes(at, left.min(*window))?, at);
        }
    }
    let (head, len) = found?;
    let start = at + head;
    match start + len {
        stop if stop <= end => Ok(start..stop),
        _ => {
            let what = format!("value of {len} bytes where its block has {} more", end - start);
            Err(Malformed { what: what.into(), at: start }.into())
        }
    }
}

impl ValueRange {
    fn meta(&self, key: &[u8]) -> Result<Meta, FileError> {
        let at = self.block.place(self.value.start);
        let here = |what: String| FileError::from(Malformed { what: what.into(), at });
        let len = self.value.end - self.value.start;
        if !key.is_empty() {
            return Err(here(format!("the first key is \"{}\" instead of an empty one", key.escape_ascii())));
        }
        if len > MAX_META {
            return Err(here(format!("a list of tensors of {len} bytes, larger than any")));
        }
        let value = block::read(&self.block.contents()?, self.value.start, len)?;
        Meta::decode(&value).map_err(|error| match Header::decode(&value) {
            Ok(_) => FileError::Foreign("this is the index of a V2 checkpoint\n  help: give it a name that ends in `.index`, as its data files are called"),
            Err(_) => here(format!("the list of tensors does not parse: {error} of it")),
        })
    }
}
