//! One block of a table: sorted entries, then the restart array.
//!
//! ```text
//! contents := entry*  restart u32 *  count u32
//! entry    := varint32 shared, non_shared, value_len; key[shared..]; value
//! ```
//!
//! A restart is the offset of an entry that shares no prefix with the entry before it. TensorFlow does a binary
//! search over the restarts, so they must be correct: each one is the offset of such an entry, they are in order, and
//! the first is the first entry.

use std::borrow::Cow;

use crate::format::crc::Masked;
use crate::format::varint::Reader;
use crate::format::{Malformed, Result};

pub(super) const TRAILER: u64 = 5;
pub(super) const RAW: u8 = 0;
pub(super) const SNAPPY: u8 = 1;

/// The maximum growth factor of Snappy. Its longest copy produces 64 bytes from 3, and its other elements grow less.
const SNAPPY_GROWTH: usize = 22;

/// The location of a block's contents in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Handle {
    /// The offset of the contents.
    pub(crate) offset: u64,
    /// The length of the contents, without the trailer that follows them.
    pub(crate) size: u64,
}

impl Handle {
    pub(super) fn read(reader: &mut Reader) -> Result<Self> {
        Ok(Self { offset: reader.varint()?, size: reader.varint()? })
    }
}

/// A decompressed block whose checksum is correct.
pub(super) struct Block<'a> {
    /// Offset of the block in the file.
    pub(super) at: usize,
    contents: Cow<'a, [u8]>,
}

impl<'a> Block<'a> {
    /// Opens the block at `handle` of `body`, which is the file without its footer.
    pub(super) fn open(body: &'a [u8], handle: Handle) -> Result<Self> {
        let Handle { offset, size } = handle;
        let end = size.checked_add(TRAILER).and_then(|len| offset.checked_add(len));
        let end = end.and_then(|end| usize::try_from(end).ok());
        let at = usize::try_from(offset).unwrap_or(usize::MAX);
        let Some(block) = end.and_then(|end| body.get(at..end)) else {
            let what = format!("block of {size} bytes reaches past the {} that blocks have", body.len());
            return Err(Malformed::new(what, at));
        };
        Self::decode(block, at)
    }

    /// Decodes a block, including its trailer, that begins at offset `at` of the file.
    pub(super) fn decode(block: &'a [u8], at: usize) -> Result<Self> {
        let contents = contents(block).map_err(|what| Malformed::new(what, at))?;
        Ok(Self { at, contents })
    }

    /// Returns the contents of the block.
    pub(super) fn into_contents(self) -> Cow<'a, [u8]> {
        self.contents
    }

    /// Calls `each` for every entry, with the key, the value and the value's offset in the file. Returns the last
    /// key.
    pub(super) fn entries<E: From<Malformed>>(
        &self,
        mut each: impl FnMut(&[u8], &[u8], usize) -> std::result::Result<(), E>,
    ) -> std::result::Result<Vec<u8>, E> {
        let fault = |what: Cow<'static, str>, at| Malformed::new(what, self.offset(at));
        let (entries, mut restarts) = self.split_restarts()?;
        let mut reader = Reader::new(entries);
        let mut key = Vec::new();
        while !reader.is_empty() {
            let at = reader.at();
            let entry =
                Entry::read(&mut reader).map_err(|e| fault(e.what, usize::try_from(e.at).unwrap_or(at)))?;
            restarts.meet(at, entry.shared).map_err(|what| fault(what.into(), at))?;
            entry.follow(&mut key, at == 0).map_err(|what| fault(what, at))?;
            each(&key, entry.value, self.offset(reader.at().saturating_sub(entry.value.len())))?;
        }
        restarts.finish(entries.is_empty()).map_err(|what| fault(what.into(), entries.len()))?;
        Ok(key)
    }

    fn split_restarts(&self) -> Result<(&[u8], Restarts<'_>)> {
        let split = || {
            let (rest, count) = self.contents.split_last_chunk()?;
            let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
            let start = rest.len().checked_sub(count.checked_mul(size_of::<u32>())?)?;
            rest.split_at_checked(start)
        };
        let Some((entries, offsets)) = split() else {
            return Err(Malformed::new(
                "restart array longer than its block",
                self.offset(self.contents.len()),
            ));
        };
        Ok((entries, Restarts::new(offsets)))
    }

    /// Returns the offset in the file of offset `at` in the contents. If the contents were compressed, returns the
    /// offset of the block.
    fn offset(&self, at: usize) -> usize {
        match self.contents {
            Cow::Borrowed(_) => self.at.saturating_add(at),
            Cow::Owned(_) => self.at,
        }
    }
}

/// Checks and decompresses a block with its trailer. Returns its contents.
fn contents(block: &[u8]) -> std::result::Result<Cow<'_, [u8]>, Cow<'static, str>> {
    let (sealed, crc) = block.split_last_chunk().ok_or("block without a trailer")?;
    let (stored, actual) = (Masked(u32::from_le_bytes(*crc)), Masked::of(sealed));
    if stored != actual {
        return Err(format!("block checksum {:#010x} where {:#010x} is stored", actual.0, stored.0).into());
    }
    match sealed.split_last().ok_or("block without a type")? {
        (&RAW, contents) => Ok(Cow::Borrowed(contents)),
        (&SNAPPY, packed) => decompress(packed).map(Cow::Owned),
        (kind, _) => Err(format!("block type {kind}, neither 0 (plain) nor 1 (snappy)").into()),
    }
}

fn decompress(packed: &[u8]) -> std::result::Result<Vec<u8>, Cow<'static, str>> {
    let corrupted = |e: snap::Error| format!("corrupted compressed block: {e}");
    let claimed = snap::raw::decompress_len(packed).map_err(corrupted)?;
    if claimed > packed.len().saturating_mul(SNAPPY_GROWTH) {
        return Err(format!("{} compressed bytes cannot hold the {claimed} they claim", packed.len()).into());
    }
    Ok(snap::raw::Decoder::new().decompress_vec(packed).map_err(corrupted)?)
}

pub(super) struct Entry<'a> {
    pub(super) shared: usize,
    suffix: &'a [u8],
    value: &'a [u8],
}

impl<'a> Entry<'a> {
    #[inline]
    fn read(reader: &mut Reader<'a>) -> Result<Self> {
        let (entry, value) = Self::head(reader)?;
        Ok(Self { value: reader.take(value.into())?, ..entry })
    }

    /// Reads the part of an entry before the value. Returns it and the value's length.
    #[inline]
    pub(super) fn head(reader: &mut Reader<'a>) -> Result<(Self, u32)> {
        let [shared, non_shared, value] = [reader.varint32()?, reader.varint32()?, reader.varint32()?];
        let shared = usize::try_from(shared).unwrap_or(usize::MAX);
        Ok((Self { shared, suffix: reader.take(non_shared.into())?, value: &[] }, value))
    }

    /// Turns `key`, the key of the entry before, into the key of this entry. For the `first` entry, `key` need not
    /// sort before it.
    #[inline]
    pub(super) fn follow(
        &self,
        key: &mut Vec<u8>,
        first: bool,
    ) -> std::result::Result<(), Cow<'static, str>> {
        let replaced = key.get(self.shared..).ok_or("key shares more than the key before it has")?;
        if !first && self.suffix <= replaced {
            return Err(self.out_of_order(key).into());
        }
        key.truncate(self.shared);
        key.extend_from_slice(self.suffix);
        Ok(())
    }

    #[cold]
    fn out_of_order(&self, before: &[u8]) -> String {
        let key = [before.get(..self.shared).unwrap_or_default(), self.suffix].concat();
        match key == before {
            true => format!("key \"{}\" twice", key.escape_ascii()),
            false => {
                format!("key \"{}\" after \"{}\", out of order", key.escape_ascii(), before.escape_ascii())
            }
        }
    }
}

/// The restart array, checked against the entries while they are read.
struct Restarts<'a> {
    offsets: std::slice::Iter<'a, [u8; size_of::<u32>()]>,
    next: Option<usize>,
}

impl<'a> Restarts<'a> {
    fn new(offsets: &'a [u8]) -> Self {
        let mut restarts = Self { offsets: offsets.as_chunks().0.iter(), next: None };
        restarts.advance();
        restarts
    }

    fn advance(&mut self) {
        self.next = self.offsets.next().and_then(|bytes| usize::try_from(u32::from_le_bytes(*bytes)).ok());
    }

    /// Checks the entry at `at` of the contents.
    #[inline]
    fn meet(&mut self, at: usize, shared: usize) -> std::result::Result<(), &'static str> {
        match self.next {
            Some(restart) if restart == at && shared != 0 => Err("restart at an entry that shares its key"),
            Some(restart) if restart == at => {
                self.advance();
                Ok(())
            }
            _ if at == 0 => Err("first restart is not at the first entry"),
            Some(restart) if restart < at => Err("restart that is not an entry's offset, or out of order"),
            _ => Ok(()),
        }
    }

    /// Checks that no restarts are left after the last entry. A block without entries may have its end, 0, as a
    /// restart. Every writer writes it.
    fn finish(&self, empty: bool) -> std::result::Result<(), &'static str> {
        let left = self.offsets.len().saturating_add(usize::from(self.next.is_some()));
        let spare = empty && left == 1 && self.next == Some(0);
        if left == 0 || spare { Ok(()) } else { Err("restart past the last entry") }
    }
}
