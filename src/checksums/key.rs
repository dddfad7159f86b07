//! The key of the checksums of some tensors. It identifies everything that determines their bytes, including this
//! program.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::{env, fs};

use crate::tensor::Tensor;

/// Returns the key of the checksums of these tensors; `None` if something that determines the bytes is unknown.
pub(crate) fn of(tensors: &[Arc<Tensor>]) -> Option<u128> {
    let mut wide = Wide::default();
    program(&mut wide)?;
    tensors.len().hash(&mut wide);
    for tensor in tensors {
        (tensor.dtype, &tensor.shape).hash(&mut wide);
        tensor.file().fingerprint(&mut wide)?;
    }
    Some(wide.key())
}

/// Hashes the identity of this program, because another build may compute different bytes.
fn program(to: &mut Wide) -> Option<()> {
    let meta = fs::metadata(env::current_exe().ok()?).ok()?;
    (env!("CARGO_PKG_VERSION"), meta.len(), meta.modified().ok()?).hash(to);
    Some(())
}

/// A hash of 128 bits, so wide that collisions do not occur in practice.
struct Wide([DefaultHasher; 2]);

impl Default for Wide {
    fn default() -> Self {
        Self([0u8, 1].map(|first| {
            let mut hasher = DefaultHasher::new();
            hasher.write_u8(first);
            hasher
        }))
    }
}

impl Wide {
    fn key(&self) -> u128 {
        let [high, low] = self.0.each_ref().map(Hasher::finish);
        u128::from(high) << 64 | u128::from(low)
    }
}

impl Hasher for Wide {
    fn finish(&self) -> u64 {
        self.0[0].finish()
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.iter_mut().for_each(|hasher| hasher.write(bytes));
    }
}
