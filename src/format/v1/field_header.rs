//! The header of one field of a message that is not in memory. The header is read, but the value is not.

use std::ops::Range;

use crate::format::v1::Window;
use crate::format::varint::Reader;
use crate::format::{Malformed, wire};

/// The length of the longest header: a tag of five bytes and a length of ten.
const LONGEST_HEAD: usize = 15;

/// The location of a field.
#[derive(Debug)]
pub(crate) struct FieldHeader {
    pub(crate) number: u32,
    kind: u32,
    /// The range of its value. It is empty for a varint.
    pub(crate) value: Range<u64>,
}

impl FieldHeader {
    /// Reads the first field of `message`, and moves the start of `message` behind it.
    pub(crate) fn next<W: Window>(
        window: &mut W,
        message: &mut Range<u64>,
    ) -> Result<Option<Self>, W::Error> {
        if message.is_empty() {
            return Ok(None);
        }
        let room = usize::try_from(message.end.saturating_sub(message.start)).unwrap_or(LONGEST_HEAD);
        let head = window.bytes(message.start, room.min(LONGEST_HEAD))?;
        let base = usize::try_from(message.start).unwrap_or(usize::MAX);
        let frame = Self::read(&mut Reader::based(head, base), message.end)?;
        message.start = frame.value.end;
        Ok(Some(frame))
    }

    fn read(reader: &mut Reader, end: u64) -> crate::format::Result<Self> {
        let at = reader.at();
        let tag = reader.varint32()?;
        let (number, kind) = (tag >> 3, tag & 7);
        if number == 0 {
            return Err(Malformed::new("protobuf field number 0", at));
        }
        let len = match kind {
            wire::VARINT => reader.varint().map(|_| 0)?,
            wire::FIXED32 => 4,
            wire::FIXED64 => 8,
            wire::BYTES => reader.varint()?,
            _ => return Err(Malformed::new(format!("protobuf wire type {kind}"), at)),
        };
        let start = reader.at() as u64;
        match start.checked_add(len) {
            Some(stop) if stop <= end => Ok(Self { number, kind, value: start..stop }),
            _ => {
                let left = end.saturating_sub(start);
                Err(Malformed::new(format!("{len} bytes claimed where {left} are left"), reader.at()))
            }
        }
    }

    /// Returns the range of its bytes. Returns an error if it is not a field of bytes.
    pub(crate) fn bytes(&self) -> crate::format::Result<Range<u64>> {
        match self.kind {
            wire::BYTES => Ok(self.value.clone()),
            _ => Err(self.malformed("not of bytes")),
        }
    }

    /// Returns the fault `what` in this field.
    pub(crate) fn malformed(&self, what: impl std::fmt::Display) -> Malformed {
        Malformed { what: format!("field {}: {what}", self.number).into(), at: self.value.start }
    }
}
