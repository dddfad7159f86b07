//! The V1 checkpoint: a table whose values are the tensors themselves.
//!
//! ```text
//! key ""              SavedTensorSlices { 1 meta { 1 tensor* { 1 name, 2 shape, 3 dtype, 4 slice* }, 2 version } }
//! key of a slice      SavedTensorSlices { 2 data { 1 name, 2 slice, 3 tensor { 4 … 17 values } } }
//! ```
//!
//! Keys are those of [`slice_key`](super::slice_key). Shape, slice and version are encoded as in a bundle. A tensor
//! that is not partitioned has one slice, which covers whole dimensions. Its values are in one field of the innermost
//! message. The dtype determines the field: numbers of fixed width and varints are each packed in one run, and
//! strings are stored one by one. [`Coding`] describes the fields.
//!
//! A value may be far larger than memory, so a slice is [located](Slice::locate) through a window. Only the values
//! that are read are then decoded. The decoder is stricter than protobuf: a repeated message, or values in two runs,
//! are malformed. No writer writes them.

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

/// Bytes that are read when they are needed. Offsets may have any base. Errors report offsets with the same base.
pub trait Window {
    /// The error of a read.
    type Error: From<Malformed>;

    /// Returns the `len` bytes from `at` on, or fewer at the end of the window.
    ///
    /// # Errors
    /// An error of the source.
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
