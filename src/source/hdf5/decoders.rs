//! The decoders of values that the file does not store as they are shown: big-endian values, and values that were
//! never written.

use std::hash::{Hash, Hasher};
use std::io;
use std::sync::Arc;

use crate::cache::{Decode, Identity};
use crate::extent::Extent;
use crate::source::hdf5::storage::FileStorage;

/// Contiguous big-endian numbers.
pub(super) struct Swapped {
    pub(super) storage: FileStorage,
    /// The offset at which they begin.
    pub(super) at: u64,
    /// The number of bytes of a component, a power of two.
    pub(super) width: usize,
}

impl Swapped {
    pub(super) fn extent(self, len: u64) -> Extent {
        Extent::Decoded { data: Arc::new(self), len }
    }
}

impl Decode for Swapped {
    fn identity(&self) -> Identity {
        Identity { of: std::ptr::from_ref(self).addr(), to: "swapped" }
    }

    fn decode(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = self.storage.read(self.at + at, len)?;
        swap(&mut bytes, Some(self.width));
        Ok(bytes)
    }

    fn verify(&self) -> io::Result<()> {
        self.storage.verify()
    }

    fn fingerprint(&self, mut to: &mut dyn Hasher) -> Option<()> {
        ("swapped", self.at, self.width).hash(&mut to);
        self.storage.fingerprint(to)
    }

    fn alignment(&self) -> u64 {
        self.width as u64
    }
}

/// Reverses the bytes of each component.
pub(super) fn swap(bytes: &mut [u8], width: Option<usize>) {
    if let Some(width) = width {
        bytes.chunks_exact_mut(width).for_each(<[u8]>::reverse);
    }
}

/// An element that is repeated.
pub(super) struct Fill {
    /// The bytes of the element. Their number divides that of a block.
    pub(super) element: Vec<u8>,
}

impl Fill {
    pub(super) fn extent(self, len: u64) -> Extent {
        Extent::Decoded { data: Arc::new(self), len }
    }
}

impl Decode for Fill {
    fn identity(&self) -> Identity {
        Identity { of: std::ptr::from_ref(self).addr(), to: "fill" }
    }

    fn decode(&self, _at: u64, len: usize) -> io::Result<Vec<u8>> {
        Ok(self.element.iter().copied().cycle().take(len).collect())
    }

    fn fingerprint(&self, mut to: &mut dyn Hasher) -> Option<()> {
        ("fill", &self.element).hash(&mut to);
        Some(())
    }

    fn alignment(&self) -> u64 {
        self.element.len() as u64
    }
}
