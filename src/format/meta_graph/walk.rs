//! The fields of a message that stays in its file. Only the first bytes of each field are read, so that long fields
//! can be skipped.

use crate::format::varint::Reader;
use crate::format::{Malformed, Result};

/// A function that returns the bytes `at..at + len` of the file.
pub(super) type Read<'r, E> = dyn FnMut(u64, usize) -> std::result::Result<Vec<u8>, E> + 'r;

/// A function that visits a field.
type Visit<'v, E> = dyn FnMut(&mut Read<'_, E>, Part<'_>) -> std::result::Result<(), E> + 'v;

/// A field.
pub(super) struct Part<'a> {
    /// Its first bytes, or all of them if there are few.
    pub(super) head: &'a [u8],
    /// Its offset in the file.
    pub(super) at: u64,
    /// Its length in bytes, including its tag.
    pub(super) len: u64,
}

/// The number of bytes that are read to identify a field.
const HEAD: u64 = 64;
/// The maximum number of fields of a message. Each field is a read of the file.
const MAX_FIELDS: usize = 10_000_000;

/// Calls `visit` with each field of the message at `from..to`.
pub(super) fn walk<E: From<Malformed>>(
    read: &mut Read<'_, E>,
    (from, to): (u64, u64),
    visit: &mut Visit<'_, E>,
) -> std::result::Result<(), E> {
    let mut at = from;
    for _ in 0..MAX_FIELDS {
        let left = to.saturating_sub(at);
        if left == 0 {
            return Ok(());
        }
        let head = read(at, count(left.min(HEAD)))?;
        let len = field_len(&head, left).map_err(|fault| behind(at, fault))?;
        visit(read, Part { head: &head, at, len })?;
        at = at.saturating_add(len);
    }
    Err(behind(at, Malformed::new(format!("more than {MAX_FIELDS} fields"), 0)).into())
}

/// Reads all bytes of a field. Returns an error if there are more than `most`.
pub(super) fn whole<E: From<Malformed>>(
    read: &mut Read<'_, E>,
    part: &Part<'_>,
    most: u64,
) -> std::result::Result<Vec<u8>, E> {
    match part.len <= most {
        true => read(part.at, count(part.len)),
        false => {
            Err(behind(part.at, Malformed::new(format!("{} bytes in a place for {most}", part.len), 0))
                .into())
        }
    }
}

/// Returns the fault with an offset in the file. It was found in bytes that begin at `at`.
pub(super) fn behind(at: u64, fault: Malformed) -> Malformed {
    Malformed { at: fault.at.saturating_add(at), ..fault }
}

fn count(len: u64) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}

/// Returns the length in bytes of the field that begins with `head`. Returns an error if it is more than `left`.
fn field_len(head: &[u8], left: u64) -> Result<u64> {
    let mut reader = Reader::new(head);
    let value = match reader.varint32()? & 7 {
        0 => reader.varint().map(|_| 0)?,
        1 => 8,
        2 => reader.varint()?,
        5 => 4,
        kind => return Err(Malformed::new(format!("protobuf wire type {kind}"), 0)),
    };
    let len = value.saturating_add(reader.at() as u64);
    match len <= left {
        true => Ok(len),
        false => Err(Malformed::new(format!("a field of {len} bytes where {left} are left"), 0)),
    }
}
