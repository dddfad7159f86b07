//! The checkpoint of the first version: a table whose values are the tensors themselves.
//!
//! ```text
//! key ""              SavedTensorSlices { 1 meta { 1 tensor* { 1 name, 2 shape, 3 dtype, 4 slice* }, 2 version } }
//! key of a slice      SavedTensorSlices { 2 data { 1 name, 2 slice, 3 tensor { 4 … 17 values } } }
//! ```
//!
//! Keys are those of [`slice_key`](super::slice_key), shape, slice and version as a bundle has them. A tensor that is not
//! partitioned has one slice, of whole dimensions. Its values stand in one field of the innermost message, which the dtype
//! tells: numbers of fixed width and varints each packed in one run, strings one by one. [`coding`](Coding) says which.
//!
//! A value may be far larger than memory, so a slice is [located](Slice::locate) through a window; only the values that are
//! wanted are then decoded. Stricter than protobuf: a message that is there twice or values in two runs, which no writer
//! writes, are malformed.

mod coding;
mod field_header;
mod meta;
mod slice;
mod varint_index;

pub use coding::{Coding, Form};
pub use meta::{Meta, Saved};
pub use slice::{Slice, encode_numbers, encode_strings, strings};

use crate::format::Malformed;
pub use crate::format::v1::varint_index::VarintIndex;

/// Bytes that are read as they are needed. Offsets may count from anywhere; errors speak of the same ones.
pub trait Window {
    /// What can go wrong.
    type Error: From<Malformed>;

    /// The `len` bytes from `at` on, fewer only where the whole ends.
    ///
    /// # Errors
    /// Those of the source.
    fn bytes(&mut self, at: u64, len: usize) -> Result<&[u8], Self::Error>;
}

impl Window for &[u8] {
    type Error = Malformed;

    fn bytes(&mut self, at: u64, len: usize) -> Result<&[u8], Malformed> {
        let rest = usize::try_from(at).ok().and_then(|at| self.get(at..)).unwrap_or_default();
        Ok(rest.get(..len).unwrap_or(rest))
    }
}

#[cfg(test)]
mod tests;
