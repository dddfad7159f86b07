//! Pure codecs: they decode bytes into structs and encode structs into bytes. They do no I/O, and use no paths, no
//! tensors and no other module of this project.
//!
//! The codecs process untrusted bytes. So they must not panic, index without a check, or allocate memory for a length
//! that a field merely claims: every length is first checked against the bytes that are really there.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation
)]

pub mod bundle;
pub mod checkpoint_state;
pub(crate) mod checksums;
pub mod crc;
pub(crate) mod hdf5_image;
pub(crate) mod hdf5_type;
pub(crate) mod lzf;
pub mod meta_graph;
pub(crate) mod npy;
pub mod object_graph;
#[cfg(test)]
mod real;
pub mod safetensors;
pub mod slice_key;
pub mod string_tensor;
pub mod table;
pub mod v1;
pub mod varint;
mod wire;

/// A fault in some bytes, and its offset.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at}")]
pub struct Malformed {
    /// The fault, in the words of the format.
    pub(crate) what: std::borrow::Cow<'static, str>,
    /// Offset of the fault in the bytes that were decoded.
    pub(crate) at: u64,
}

impl Malformed {
    /// Returns the fault `what` at offset `at`.
    pub(crate) fn new(what: impl Into<std::borrow::Cow<'static, str>>, at: usize) -> Self {
        Self { what: what.into(), at: at as u64 }
    }
}

/// The result of decoding.
pub(crate) type Result<T> = std::result::Result<T, Malformed>;
