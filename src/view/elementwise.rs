//! Files that are generated from a tensor's elements one by one. Each element takes the same number of bytes, so any
//! part of the file is computed from the corresponding part of the tensor alone.

use std::io;
use std::sync::Arc;

use crate::cache::{Cache, Decode, Identity};
use crate::dtype::Value;
use crate::extent::Extent;
use crate::tensor::Tensor;

/// A tensor, and the function that converts each of its numbers.
pub(super) struct Elementwise {
    /// The tensor. Its dtype has a fixed width.
    pub(super) tensor: Arc<Tensor>,
    /// The number of bytes that `put` writes for an element with all its components.
    pub(super) width: u64,
    /// The function that appends one number.
    pub(super) put: fn(Value, &mut Vec<u8>),
}

/// The approximate length of a block in bytes of the result.
const PIECE: u64 = 4 << 20;

impl Elementwise {
    /// Returns the result as an extent. Its length is known.
    pub(super) fn extent(self) -> Extent {
        let len = self.tensor.len() / self.stored_width() * self.width;
        Extent::Decoded { data: Arc::new(self), len }
    }

    fn stored_width(&self) -> u64 {
        self.tensor.dtype.width().expect("elementwise files are made of fixed-width elements")
    }
}

impl Decode for Elementwise {
    fn identity(&self) -> Identity {
        Identity { of: Arc::as_ptr(&self.tensor) as usize, to: "text" }
    }

    fn decode(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
        let (stored, first, count) = (self.stored_width(), at / self.width, len as u64 / self.width);
        let mut bytes = vec![0; (count * stored) as usize];
        self.tensor.file().read_at(&Cache::new(0), &mut bytes, first * stored)?;
        let (value, component) = (self.tensor.dtype.value(), stored / self.tensor.dtype.components());
        let mut out = Vec::with_capacity(len);
        bytes.chunks_exact(component as usize).for_each(|number| (self.put)(value(number), &mut out));
        Ok(out)
    }

    fn verify(&self) -> io::Result<()> {
        self.tensor.file().verify()
    }

    fn block_len(&self) -> u64 {
        PIECE / self.width * self.width
    }

    fn alignment(&self) -> u64 {
        self.width
    }

    fn reads_whole_bands(&self) -> bool {
        self.tensor.file().reads_whole_bands()
    }
}
