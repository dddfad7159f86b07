//! The index of a table that is too large for memory: the locations of its blocks and of the values in them.
//!
//! The caller reads the pieces of the file: the footer, the index block, then the trailer and the heads of the
//! entries of each data block. A checksum is not checked here unless all bytes that it covers were read.

use crate::format::table::block::{Block, Entry, Handle, RAW, SNAPPY, TRAILER};
use crate::format::table::{FOOTER, MAGIC};
use crate::format::varint::Reader;
use crate::format::{Malformed, Result};

/// The length of the trailer after a block's contents: its type and its checksum.
pub(crate) const BLOCK_TRAILER: u64 = TRAILER;

/// Returns the handles of the metaindex and index blocks, from the footer at offset `at`.
pub(crate) fn footer(footer: &[u8; FOOTER], at: u64) -> Result<[Handle; 2]> {
    let at = usize::try_from(at).unwrap_or(usize::MAX);
    let (handles, magic) = footer.split_at(FOOTER.saturating_sub(MAGIC.len()));
    if magic != MAGIC {
        return Err(Malformed::new("not a table (bad magic number)", at.saturating_add(handles.len())));
    }
    let mut reader = Reader::based(handles, at);
    Ok([Handle::read(&mut reader)?, Handle::read(&mut reader)?])
}

impl Handle {
    /// Returns the length of the block with its trailer. Returns an error if the block does not end before `end`.
    pub(crate) fn len_within(self, end: u64) -> Result<u64> {
        let len = self.size.checked_add(TRAILER);
        match len.and_then(|len| self.offset.checked_add(len)) {
            Some(stop) if stop <= end => Ok(stop.saturating_sub(self.offset)),
            _ => {
                let what = format!("block of {} bytes reaches past the {end} that blocks have", self.size);
                Err(Malformed { what: what.into(), at: self.offset })
            }
        }
    }
}

/// Returns the handles of the data blocks, from the index block with its trailer, which begins at offset `at`. The
/// data blocks must follow each other and end before `end`.
pub(crate) fn blocks(index: &[u8], at: u64, end: u64) -> Result<Vec<Handle>> {
    let at = usize::try_from(at).unwrap_or(usize::MAX);
    let mut blocks: Vec<Handle> = Vec::new();
    Block::decode(index, at)?.entries(|_, handle, at| {
        let handle = Handle::read(&mut Reader::based(handle, at))?;
        handle.len_within(end)?;
        if blocks.last().is_some_and(|last| handle.offset < last.offset.saturating_add(last.size)) {
            return Err(Malformed::new("blocks overlap or are out of order", at));
        }
        blocks.push(handle);
        Ok(())
    })?;
    Ok(blocks)
}

/// Returns true if a block of this type is not compressed. The type is the first byte of the trailer.
pub(crate) fn is_plain(kind: u8, at: u64) -> Result<bool> {
    match kind {
        RAW => Ok(true),
        SNAPPY => Ok(false),
        _ => {
            Err(Malformed { what: format!("block type {kind}, neither 0 (plain) nor 1 (snappy)").into(), at })
        }
    }
}

/// Returns the contents of a block, after checking its checksum. `block` includes the trailer.
pub(crate) fn unpack(block: &[u8], at: u64) -> Result<Vec<u8>> {
    let at = usize::try_from(at).unwrap_or(usize::MAX);
    Ok(Block::decode(block, at)?.into_contents().into_owned())
}

/// Returns the length of the entries in contents of `len` bytes, from the last four bytes of the contents. The rest
/// is restarts.
pub(crate) fn entries_len(last: [u8; 4], len: u64) -> Result<u64> {
    let restarts = u64::from(u32::from_le_bytes(last)).saturating_add(1).saturating_mul(4);
    len.checked_sub(restarts)
        .ok_or(Malformed { what: "restart array longer than its block".into(), at: len.saturating_sub(4) })
}

/// The iterator over the keys of a table, in order.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    key: Vec<u8>,
    is_past_first: bool,
}

impl Keys {
    /// Reads the head of the next entry. `window` begins with the entry, and `at` is the entry's offset in its
    /// block's contents. Returns the lengths of the head and of the value after it. If it fails because `window` is
    /// too short, it can be called again with a longer one.
    pub(crate) fn advance(&mut self, window: &[u8], at: u64) -> Result<(u64, u64)> {
        let mut reader = Reader::based(window, usize::try_from(at).unwrap_or(usize::MAX));
        let (entry, value_len) = Entry::head(&mut reader)?;
        let fault = |what| Malformed { what, at };
        if at == 0 && entry.shared != 0 {
            return Err(fault("first key of a block shares with none".into()));
        }
        entry.follow(&mut self.key, !self.is_past_first).map_err(fault)?;
        self.is_past_first = true;
        Ok((window.len().saturating_sub(reader.rest().len()) as u64, value_len.into()))
    }

    /// Returns the key of the entry that was read last.
    pub(crate) fn key(&self) -> &[u8] {
        &self.key
    }
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may panic"
)]
mod tests {
    use super::*;
    use crate::format::table::decode;
    use crate::format::table::writer::encode;

    fn rows() -> Vec<(Vec<u8>, Vec<u8>)> {
        let row = |n: usize| (format!("key{n:04}").into_bytes(), vec![n.to_le_bytes()[0]; n * 37]);
        (0..300).map(row).collect()
    }

    /// Returns every key with its value, found without decoding the whole table.
    fn outlined(file: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let (body, last) = file.split_last_chunk::<FOOTER>().ok_or(Malformed::new("short", 0))?;
        let end = body.len() as u64;
        let [_, index] = footer(last, end)?;
        let block = |handle: Handle| -> Result<&[u8]> {
            let len = handle.len_within(end)?;
            Ok(&body[usize::try_from(handle.offset).unwrap()..][..usize::try_from(len).unwrap()])
        };
        let (mut keys, mut found) = (Keys::default(), Vec::new());
        for handle in blocks(block(index)?, index.offset, end)? {
            let contents = unpack(block(handle)?, handle.offset)?;
            let (_, count) = contents.split_last_chunk().ok_or(Malformed::new("short", 0))?;
            let (mut at, end) = (0, entries_len(*count, handle.size)?);
            while at < end {
                let window = &contents[usize::try_from(at).unwrap()..];
                let (head, len) = keys.advance(window, at)?;
                let value = Reader::new(&window[usize::try_from(head).unwrap()..]).take(len)?;
                found.push((keys.key().to_vec(), value.to_vec()));
                at += head + len;
            }
        }
        Ok(found)
    }

    #[test]
    fn every_row_is_found_without_decoding_the_whole_table() {
        let rows = rows();
        let file = encode(rows.iter().map(|(key, value)| (&key[..], &value[..])));
        assert_eq!(outlined(&file).unwrap(), rows);
        assert!(decode(&file).unwrap().iter().map(|row| row.at).max() > Some(0), "one block only");
    }

    #[test]
    fn a_table_with_any_bit_flipped_is_malformed_or_the_same() {
        let rows = [(&b"a"[..], &b"1"[..]), (b"ab", b"22"), (b"b", b"")];
        let file = encode(rows);
        let sound = outlined(&file).unwrap();
        for bit in 0..file.len() * 8 {
            let mut bytes = file.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(outlined(&bytes).is_err() || outlined(&bytes) == Ok(sound.clone()), "bit {bit}");
        }
    }

    #[test]
    fn a_head_that_is_too_short_can_be_read_again_with_more_bytes() {
        let mut keys = Keys::default();
        let head = b"\x00\x03\x02key";
        for len in 0..head.len() {
            assert!(keys.advance(&head[..len], 0).is_err());
        }
        assert_eq!(keys.advance(head, 0), Ok((6, 2)));
        assert_eq!(keys.key(), b"key");
        assert!(keys.advance(head, 8).unwrap_err().what.contains("twice"));
    }
}
