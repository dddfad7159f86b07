//! The safetensors format: a header in JSON, then the bytes of the tensors, without gaps.
//!
//! ```text
//! file   := length(u64)  header  data
//! header := {"__metadata__"?: {text: text, …}, NAME: tensor, …}  spaces
//! tensor := {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}       offsets count from the data's beginning
//! ```
//!
//! A decoded header has these invariants. The reference implementation checks all of them except that names are
//! unique. The first tensor begins at 0, each tensor begins where the one before it ends, the last one ends with the
//! file, and each tensor is as long as its type and shape require. Tensors are in the order of their bytes,
//! regardless of their order in the JSON.

pub mod index;
mod json;
mod kind;

pub use kind::Kind;

use crate::format::{Malformed, Result};

/// The number of bytes of the length at the beginning of a file.
pub(crate) const LENGTH: usize = 8;
/// The maximum length of a header in the reference implementation.
pub(crate) const MAX_HEADER: u64 = 100_000_000;
/// The reserved name, which no tensor can have.
pub(crate) const METADATA: &str = "__metadata__";

/// A header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Texts by name, in the order of the file.
    pub metadata: Vec<(String, String)>,
    /// The tensors, in the order of their bytes.
    pub tensors: Vec<Entry>,
}

/// The header entry of a tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its element type.
    pub kind: Kind,
    /// Its dimensions, outermost first.
    pub shape: Vec<u64>,
    /// The offset in the data at which it begins.
    pub start: u64,
    /// The offset in the data at which it ends.
    pub end: u64,
}

/// Returns the number of bytes of the length and the header together, which is the offset of the data. `file` is the
/// file or its beginning, and `file_len` the length of the file.
pub fn head_len(file: &[u8], file_len: u64) -> Result<u64> {
    let Some(length) = file.first_chunk::<LENGTH>() else {
        return Err(Malformed::new(format!("{} bytes, too few for the header's length", file.len()), 0));
    };
    let len = u64::from_le_bytes(*length);
    if len > MAX_HEADER {
        return Err(Malformed::new(format!("a header of {len} bytes, but {MAX_HEADER} are the most"), 0));
    }
    let end = len.saturating_add(LENGTH as u64);
    if end > file_len {
        return Err(Malformed::new(format!("a header of {len} bytes in a file of {file_len}"), 0));
    }
    Ok(end)
}

/// Decodes the header of a file of `file_len` bytes. `file` is its beginning and contains the whole header.
pub fn decode(file: &[u8], file_len: u64) -> Result<Header> {
    let header = decode_truncated(file, file_len)?;
    let data_len = file_len.saturating_sub(head_len(file, file_len)?);
    match header.data_len() > data_len {
        true => Err(other_end(file_len.saturating_sub(data_len), data_len, header.data_len())),
        false => Ok(header),
    }
}

/// Like [`decode`], but the file may end before its data.
pub(crate) fn decode_truncated(file: &[u8], file_len: u64) -> Result<Header> {
    let data_at = head_len(file, file_len)?;
    let header = usize::try_from(data_at).ok().and_then(|end| file.get(LENGTH..end));
    let header = header.ok_or_else(|| Malformed::new("the header is cut off", file.len()))?;
    let text = str::from_utf8(header)
        .map_err(|error| Malformed::new("not UTF-8", LENGTH.saturating_add(error.valid_up_to())))?;
    let header = json::decode(text).map_err(|fault| behind_length(fault.what, fault.at))?;
    check_order(text, &header.tensors)?;
    let data_len = file_len.saturating_sub(data_at);
    match header.data_len() < data_len {
        true => Err(other_end(data_at, data_len, header.data_len())),
        false => Ok(header),
    }
}

/// Checks that the tensors cover the data without gaps and overlaps.
fn check_order(text: &str, tensors: &[Entry]) -> Result<()> {
    let mut end = 0;
    for entry in tensors {
        if entry.start != end {
            let what = if entry.start > end { "a gap before" } else { "others over" };
            let what = format!("{what} {:?}: it begins at {}, not at {end}", entry.name, entry.start);
            let at = text.find(&json::text(&entry.name)).unwrap_or(0);
            return Err(behind_length(what.into(), at as u64));
        }
        end = entry.end;
    }
    Ok(())
}

/// Returns the error that the data ends elsewhere than the last tensor.
fn other_end(at: u64, data_len: u64, end: u64) -> Malformed {
    Malformed { what: format!("{data_len} bytes of data, but the header has {end}").into(), at }
}

fn behind_length(what: std::borrow::Cow<'static, str>, at: u64) -> Malformed {
    Malformed { what, at: at.saturating_add(LENGTH as u64) }
}

/// Encodes the beginning of a file: the length, and the header padded with spaces, so that the data begins at a
/// multiple of 8. The result equals that of the reference implementation byte for byte.
pub fn encode(header: &Header) -> Vec<u8> {
    let mut text = json::encode(header).into_bytes();
    text.resize(text.len().next_multiple_of(LENGTH), b' ');
    let mut out = (text.len() as u64).to_le_bytes().to_vec();
    out.append(&mut text);
    out
}

impl Header {
    /// Returns the number of bytes of all tensors.
    pub(crate) fn data_len(&self) -> u64 {
        self.tensors.last().map_or(0, |last| last.end)
    }
}

impl Entry {
    /// Returns the number of bytes of the tensor; `None` if it overflows or is not a whole number.
    fn size(&self) -> Option<u64> {
        let elements = self.shape.iter().try_fold(1u64, |n, &dim| n.checked_mul(dim))?;
        let bits = elements.checked_mul(self.kind.bits())?;
        bits.is_multiple_of(8).then_some(bits >> 3)
    }
}

#[cfg(test)]
mod tests;
