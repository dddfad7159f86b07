//! The sorted table: the format of every bundle's `.index`, and of whole V1 checkpoints.
//!
//! ```text
//! file   := data_block* metaindex_block index_block footer
//! block  := contents[n]  type(1)  masked_crc32c(4)          the checksum covers contents and type
//! footer := varint meta_offset, meta_size, index_offset, index_size; padding to 40 bytes; magic u64
//! ```
//!
//! The index block has one entry for each data block: a separator (last key <= separator < first key of the next
//! block) and the block's handle. Keys increase strictly over the whole table, bytewise. The metaindex is empty in
//! TensorFlow's own files. Only the footer's padding is not covered by a checksum. It is ignored.

mod block;
mod block_list;
mod writer;

use block::Block;
pub(crate) use block::Handle;
pub use writer::encode;

pub(crate) use crate::format::table::block_list::{
    BLOCK_TRAILER, Keys, blocks, entries_len, footer, is_plain, unpack,
};
use crate::format::varint::Reader;
use crate::format::{Malformed, Result};

/// Length of the footer.
pub(crate) const FOOTER: usize = 48;
const MAGIC: [u8; 8] = 0xdb47_7524_8b80_fb57_u64.to_le_bytes();

/// The limit for the size of the rows. Shared key prefixes and compression let a small file hold large rows. Real
/// indexes stay below twenty times their file size. Rows beyond this allowance come from a file that was made to
/// exhaust memory.
const ALLOWANCE: usize = 64 << 20;
const ALLOWANCE_PER_BYTE: usize = 64;

/// One key and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The whole key.
    pub key: Vec<u8>,
    /// The value.
    pub value: Vec<u8>,
    /// Offset in the file of the block that holds it.
    pub at: u64,
}

/// Decodes all rows of a table, in key order.
pub fn decode(file: &[u8]) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    decode_with(file, |key, value, at| -> Result<()> {
        rows.push(Row { key: key.to_vec(), value: value.to_vec(), at });
        Ok(())
    })?;
    Ok(rows)
}

/// Calls `each` for every row, with the key, the value and the block's offset, in key order.
///
/// Rows are passed on while they are read, so a later fault is only found after `each` was called with the rows
/// before it.
pub(crate) fn decode_with<E: From<Malformed>>(
    file: &[u8],
    mut each: impl FnMut(&[u8], &[u8], u64) -> std::result::Result<(), E>,
) -> std::result::Result<(), E> {
    let (body, [metaindex, index]) = split_footer(file)?;
    Block::open(body, metaindex)?.entries(|_, _, _| Ok::<_, Malformed>(()))?;
    let mut walk = Walk::over(body);
    Block::open(body, index)?.entries(|separator, handle, at| {
        let block = walk.open(handle, at)?;
        walk.rows(&block, separator, at, &mut each)
    })?;
    Ok(())
}

/// Splits off the footer. Returns the file without it, and the handles of the metaindex and index blocks.
fn split_footer(file: &[u8]) -> Result<(&[u8], [Handle; 2])> {
    let Some((body, footer)) = file.split_last_chunk::<FOOTER>() else {
        let what = format!("{} bytes are too few for a table, whose footer alone has {FOOTER}", file.len());
        return Err(Malformed::new(what, 0));
    };
    Ok((body, block_list::footer(footer, body.len() as u64)?))
}

/// The state of the checks across data blocks.
struct Walk<'a> {
    body: &'a [u8],
    /// End of the last block. Blocks must follow each other: if a block could be used twice, a small file could be
    /// slow to read.
    end: u64,
    /// The separator after the last block.
    floor: Option<Vec<u8>>,
    allowance: usize,
}

impl<'a> Walk<'a> {
    fn over(body: &'a [u8]) -> Self {
        let allowance = body.len().saturating_mul(ALLOWANCE_PER_BYTE).saturating_add(ALLOWANCE);
        Self { body, end: 0, floor: None, allowance }
    }

    /// Opens the data block of an index entry. The entry's value is at offset `at`.
    fn open(&mut self, handle: &[u8], at: usize) -> Result<Block<'a>> {
        let mut reader = Reader::based(handle, at);
        let handle = Handle::read(&mut reader)?;
        if !reader.is_empty() {
            return Err(Malformed::new("bytes after a block handle", reader.at()));
        }
        if handle.offset < self.end {
            return Err(Malformed::new("blocks overlap or are out of order", at));
        }
        let block = Block::open(self.body, handle)?;
        self.end = handle.offset.saturating_add(handle.size);
        Ok(block)
    }

    /// Passes on the rows of `block`. According to its index entry at offset `at`, they end at `separator`.
    fn rows<E: From<Malformed>>(
        &mut self,
        block: &Block,
        separator: &[u8],
        at: usize,
        each: &mut impl FnMut(&[u8], &[u8], u64) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let last = block.entries(|key, value, at| {
            if self.floor.take().is_some_and(|floor| key <= floor.as_slice()) {
                return Err(Malformed::new("key before the end of the block before", at).into());
            }
            self.spend(key, value, at)?;
            each(key, value, block.at as u64)
        })?;
        if last.as_slice() > separator {
            return Err(Malformed::new("index key before the last key of its block", at).into());
        }
        self.floor = Some(separator.to_vec());
        Ok(())
    }

    fn spend(&mut self, key: &[u8], value: &[u8], at: usize) -> Result<()> {
        let weight = key.len().saturating_add(value.len()).saturating_add(size_of::<Row>());
        let left = self.allowance.checked_sub(weight);
        self.allowance = left.ok_or_else(|| Malformed::new("rows out of all proportion to the file", at))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
