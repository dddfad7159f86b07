//! A tensor: its dtype and shape, and the location of its bytes.

mod big_endian;
mod checksum;
mod damage;
mod memory;
mod scan;
pub mod slices;
pub(crate) mod strings;

use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::dtype::Dtype;
use crate::extent::{Extent, VirtualFile};
use crate::format::crc::Masked;
use crate::source_file::SourceFile;
pub(crate) use crate::tensor::checksum::mismatch;
pub use crate::tensor::damage::Damage;
use crate::tensor::slices::Part;
use crate::tensor::strings::Strings;

/// The sizes of the dimensions, outermost first; empty for a scalar.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Shape(pub Box<[u64]>);

impl Shape {
    /// Returns the product of the dimensions, 1 for a scalar. Returns `None` if the product of the nonzero dimensions
    /// exceeds `i64::MAX`: TensorFlow applies this limit even if another dimension is 0.
    pub(crate) fn num_elements(&self) -> Option<u64> {
        let nonzero = self.0.iter().filter(|&&dim| dim != 0);
        let product = nonzero.into_iter().try_fold(1u64, |n, &dim| n.checked_mul(dim))?;
        let product = i64::try_from(product).ok()?.unsigned_abs();
        Some(if self.0.contains(&0) { 0 } else { product })
    }

    /// Returns the form for the `shape` file and TSV files: `784 128`; empty for a scalar.
    pub(crate) fn spaced(&self) -> String {
        self.0.iter().map(u64::to_string).collect::<Vec<_>>().join(" ")
    }
}

/// The form that Python prints: `[784, 128]`.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:?}", self.0))
    }
}

/// A tensor: elements in row-major order, little-endian.
#[derive(Clone)]
pub struct Tensor {
    /// The element type.
    pub dtype: Dtype,
    /// The dimensions.
    pub shape: Shape,
    /// The extents of the stored bytes. A tensor without elements has one empty extent that keeps its offset.
    pub data: Box<[Extent]>,
    /// The checksum of these bytes, if the source recorded one.
    pub crc32c: Option<Masked>,
    /// The origins of `data`; `None` if it is the source's. Boxed, because it is rare.
    made: Option<Box<Origins>>,
    /// The layout of a tensor of strings. Set when the tensor is read; contains `None` if reading failed.
    strings: OnceLock<Option<Arc<Strings>>>,
}

/// The tensors that a tensor is computed from.
#[derive(Clone)]
enum Origins {
    /// The slices of a tensor that was saved in several.
    Slices(Arc<[Part]>),
    /// The same tensor with the other byte order.
    Turned(Arc<Tensor>),
    /// The inputs of an operation.
    Computed(Box<[Arc<Tensor>]>),
    /// Bytes that the source has lost.
    Damaged(Damage),
}

impl Tensor {
    /// Creates a tensor with the bytes `data` and their checksum.
    pub fn new(dtype: Dtype, shape: Shape, data: Vec<Extent>, crc32c: Option<Masked>) -> Self {
        let data = data.into_boxed_slice();
        Self { dtype, shape, data, crc32c, made: None, strings: OnceLock::new() }
    }

    /// Sets the sources that the tensor is computed from. A tensor with its own checksum does not need them.
    pub(crate) fn computed_of(self, sources: impl IntoIterator<Item = Arc<Self>>) -> Self {
        match self.crc32c {
            Some(_) => self,
            None => Self { made: Some(Box::new(Origins::Computed(sources.into_iter().collect()))), ..self },
        }
    }

    /// Returns the slices of a tensor that was saved in several.
    pub(crate) fn parts(&self) -> Option<&Arc<[Part]>> {
        if let Some(Origins::Slices(parts)) = self.made.as_deref() { Some(parts) } else { None }
    }

    /// Returns the stored tensor if the source has it with the other byte order.
    pub(crate) fn stored(&self) -> Option<&Arc<Self>> {
        if let Some(Origins::Turned(stored)) = self.made.as_deref() { Some(stored) } else { None }
    }

    /// Returns the tensors that this one is computed from; empty if it is the source's own.
    pub(crate) fn sources(&self) -> impl Iterator<Item = &Arc<Self>> {
        let (parts, others) = match self.made.as_deref() {
            Some(Origins::Slices(parts)) => (&parts[..], &[][..]),
            Some(Origins::Turned(stored)) => (&[][..], std::slice::from_ref(stored)),
            Some(Origins::Computed(sources)) => (&[][..], &sources[..]),
            Some(Origins::Damaged(_)) | None => (&[][..], &[][..]),
        };
        parts.iter().map(|part| &part.tensor).chain(others)
    }

    /// Returns the length of the data in bytes.
    pub fn len(&self) -> u64 {
        self.data.iter().map(Extent::len).sum()
    }

    /// Returns true if the length is 0.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns true if every data file that contains a part of the tensor could be opened.
    pub fn is_there(&self) -> bool {
        let own = || self.data.iter().filter_map(Extent::range).all(|(shard, ..)| shard.fault().is_none());
        own() && self.sources().all(|source| source.is_there())
    }

    /// Returns the locations of the saved bytes in the source: each a data file, an offset and a length.
    pub fn ranges(&self) -> Vec<(&Arc<SourceFile>, u64, u64)> {
        match self.made.as_deref() {
            Some(Origins::Slices(_) | Origins::Turned(_)) => {
                self.sources().flat_map(|source| source.ranges()).collect()
            }
            Some(Origins::Damaged(damage)) => {
                damage.range.iter().map(|(file, at, len)| (file, *at, *len)).collect()
            }
            Some(Origins::Computed(_)) | None => self.data.iter().filter_map(Extent::range).collect(),
        }
    }

    /// Returns the data as a file.
    pub fn file(&self) -> VirtualFile {
        self.data.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(dims: &[u64]) -> Shape {
        Shape(dims.into())
    }

    #[test]
    fn the_product_is_limited_even_if_a_dimension_is_zero() {
        assert_eq!(shape(&[]).num_elements(), Some(1));
        assert_eq!(shape(&[3, 4]).num_elements(), Some(12));
        assert_eq!(shape(&[3, 0]).num_elements(), Some(0));
        assert_eq!(shape(&[1 << 32, 1 << 31]).num_elements(), None);
        assert_eq!(shape(&[0, 1 << 32, 1 << 32]).num_elements(), None);
    }

    #[test]
    fn a_shape_is_formatted_as_in_python() {
        assert_eq!(shape(&[784, 128]).to_string(), "[784, 128]");
        assert_eq!(shape(&[]).to_string(), "[]");
        assert_eq!(shape(&[784, 128]).spaced(), "784 128");
    }
}
