//! The fields of a message that stays in its file: each by its first bytes, so that the long ones can be passed over.

use crate::format::varint::Reader;
use crate::format::{Malformed, Result};

/// Gives the bytes `at..at + len` of the file.
pub(super) type Read<'r, E> = dyn FnMut(u64, usize) -> std::result::Result<Vec<u8>, E> + 'r;

/// Looks at a field.
type Visit<'v, E> = dyn FnMut(&mut Read<'_, E>, Part<'_>) -> std::result::Result<(), E> + 'v;

/// A field.
pub(super) struct Part<'a> {
    /// Its first bytes, all if there are few.
    pub(super) head: &'a [u8],
    /// Where it begins in the file.
    pub(super) at: u64,
    /// Bytes of all of it, its tag among them.
    pub(super) len: u64,
}

/// Bytes that are looked at to see what a field is.
const HEAD: u64 = 64;
/// Fields of one message; each is a look at the file.
const MAX_FIELDS: usize = 10_000_000;

/// Calls `visit` with each field of the message that lies in `from..to`.
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

/// All bytes of a field, of which there may be `most`.
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

/// A fault that was found in bytes which begin at `at`.
pub(super) fn behind(at: u64, fault: Malformed) -> Malformed {
    Malformed { at: fault.at.saturating_add(at), ..fault }
}

fn count(len: u64) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}

/// Bytes of the field that begins so, which are at most `left`.
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
