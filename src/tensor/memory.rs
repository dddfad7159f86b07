//! Bytes that can only be generated all at once: generated in memory on first read, and kept as long as their tensor.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use crate::cache::{Decode, Identity};
use crate::extent::Extent;
use crate::tensor::Tensor;

type Make = Box<dyn Fn() -> io::Result<Vec<u8>> + Send + Sync>;

/// Returns an extent of the `len` bytes that `make` generates from these tensors.
pub(super) fn extent(len: u64, of: Vec<Arc<Tensor>>, make: Make) -> Extent {
    Extent::Decoded { data: Arc::new(Memory { of, make, bytes: Mutex::default() }), len }
}

struct Memory {
    of: Vec<Arc<Tensor>>,
    make: Make,
    bytes: Mutex<Option<Vec<u8>>>,
}

impl Decode for Memory {
    fn identity(&self) -> Identity {
        Identity { of: std::ptr::from_ref(self).addr(), to: "memory" }
    }

    fn decode(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        if bytes.is_none() {
            *bytes = Some((self.make)().inspect_err(|error| log::error!("not readable: {error}"))?);
        }
        let piece = bytes.as_deref().unwrap_or_default().get(at as usize..).and_then(|rest| rest.get(..len));
        Ok(piece.ok_or(io::ErrorKind::UnexpectedEof)?.to_vec())
    }

    fn verify(&self) -> io::Result<()> {
        self.of.iter().try_for_each(|tensor| tensor.file().verify())
    }

    fn alignment(&self) -> u64 {
        1
    }
}
