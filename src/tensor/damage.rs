//! The damage of a tensor: its bytes are not in the source, or not as its entry says.
//!
//! A damaged tensor has a name, and mostly a dtype and a shape, so that a map can drop it and an overlay can replace it.
//! Every read of it is an error. A tensor that is computed from a damaged one is damaged too.

use std::io;
use std::sync::Arc;

use crate::cache::{Decode, Identity};
use crate::dtype::Dtype;
use crate::extent::Extent;
use crate::source_file::SourceFile;
use crate::tensor::checksum::damaged;
use crate::tensor::{Origins, Shape, Tensor};

/// The largest length that a damaged tensor keeps, in bytes, and the largest number of its elements. Entries may claim
/// anything, and sums over all variables must not overflow.
const MAX_CLAIM: u64 = 1 << 38;

/// The damage of a tensor in the source.
#[derive(Clone)]
pub struct Damage {
    /// A description, with the file, the offset and both numbers.
    pub what: Arc<str>,
    /// The data file, offset and length that the entry claims. `None` if it claims none.
    pub(crate) range: Option<(Arc<SourceFile>, u64, u64)>,
    /// False if dtype and shape are unknown too.
    pub(crate) is_described: bool,
}

impl Damage {
    /// Returns the damage of a tensor about which only its name is known.
    pub(crate) fn undescribed(what: &str) -> Self {
        Self { what: what.into(), range: None, is_described: false }
    }

    /// Returns the damage of a tensor whose dtype and shape are known.
    pub(crate) fn described(what: &str, range: Option<(Arc<SourceFile>, u64, u64)>) -> Self {
        Self { what: what.into(), range, is_described: true }
    }
}

impl Tensor {
    /// Creates a tensor that cannot be read.
    pub(crate) fn damaged(dtype: Dtype, shape: Shape, damage: Damage) -> Self {
        if shape.num_elements().is_none_or(|elements| elements > MAX_CLAIM) {
            return Self::damaged(Dtype::Variant, Shape::default(), Damage { is_described: false, ..damage });
        }
        let claimed = damage.range.as_ref().map(|(_, _, len)| *len);
        let size = || Some(shape.num_elements()?.saturating_mul(dtype.width()?));
        let len = size().or(claimed).unwrap_or(1).clamp(1, MAX_CLAIM);
        let data = vec![Extent::Decoded { data: Arc::new(Lost(damage.what.clone())), len }];
        Self { made: Some(Box::new(Origins::Damaged(damage))), ..Self::new(dtype, shape, data, None) }
    }

    /// Creates a tensor that cannot be read, and whose dtype and shape are unknown.
    pub(crate) fn undescribed(what: &str) -> Self {
        Self::damaged(Dtype::Variant, Shape::default(), Damage::undescribed(what))
    }

    /// Returns the damage of the tensor, or of the first damaged tensor that it is computed from.
    pub fn damage(&self) -> Option<&Damage> {
        match self.made.as_deref() {
            Some(Origins::Damaged(damage)) => Some(damage),
            _ => self.sources().find_map(|source| source.damage()),
        }
    }

    /// Returns true if the tensor has no values: it is damaged, or its data file is missing.
    pub(crate) fn is_lost(&self) -> bool {
        self.damage().is_some() || !self.is_there()
    }
}

/// Bytes that are lost. Every use is an error.
struct Lost(Arc<str>);

impl Decode for Lost {
    fn identity(&self) -> Identity {
        Identity { of: std::ptr::from_ref(self).addr(), to: "lost" }
    }

    fn decode(&self, _at: u64, _len: usize) -> io::Result<Vec<u8>> {
        Err(damaged(&self.0))
    }

    fn verify(&self) -> io::Result<()> {
        Err(io::Error::from_raw_os_error(libc::EIO))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::Op;

    #[test]
    fn a_damaged_tensor_and_all_that_is_computed_from_it_cannot_be_read() {
        let damage = Damage { what: "bytes 8+8 past the end".into(), range: None, is_described: true };
        let tensor = Arc::new(Tensor::damaged(Dtype::Float32, Shape([2].into()), damage));
        let cast = Op::Cast { dtype: Dtype::Float64, saturate: false }.apply(&tensor).unwrap();
        let reshaped = Op::Reshape(Shape([1, 2].into())).apply(&tensor).unwrap();
        for tensor in [&*tensor, &cast, &reshaped] {
            assert_eq!(&*tensor.damage().unwrap().what, "bytes 8+8 past the end");
            assert!(tensor.is_lost() && tensor.checksum().is_err());
        }
    }
}
