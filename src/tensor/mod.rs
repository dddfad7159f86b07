//! A tensor: what it is, and where its bytes are.

mod big_endian;
mod checksum;
mod memory;
pub mod slices;
pub(crate) mod strings;

use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::dtype::Dtype;
use crate::extent::{Extent, VirtualFile};
use crate::format::crc::Masked;
use crate::source_file::SourceFile;
pub(crate) use crate::tensor::checksum::mismatch;
use crate::tensor::slices::Part;
use crate::tensor::strings::Strings;

/// Sizes of the dimensions, outermost first; empty for a scalar.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Shape(pub Box<[u64]>);

impl Shape {
    /// The product of the dimensions, 1 for a scalar; `None` past `i64::MAX`, TensorFlow's limit, which it also
    /// applies to what a zero would make of the product.
    pub(crate) fn num_elements(&self) -> Option<u64> {
        let nonzero = self.0.iter().filter(|&&dim| dim != 0);
        let product = nonzero.into_iter().try_fold(1u64, |n, &dim| n.checked_mul(dim))?;
        let product = i64::try_from(product).ok()?.unsigned_abs();
        Some(if self.0.contains(&0) { 0 } else { product })
    }

    /// `784 128`: the form of the `shape` fact and of the TSVs; empty for a scalar.
    pub(crate) fn spaced(&self) -> String {
        self.0.iter().map(u64::to_string).collect::<Vec<_>>().join(" ")
    }
}

/// `[784, 128]`, as Python writes it.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:?}", self.0))
    }
}

/// Elements in row-major order, little-endian.
#[derive(Clone)]
pub struct Tensor {
    /// Element type.
    pub dtype: Dtype,
    /// Dimensions.
    pub shape: Shape,
    /// The stored bytes, wherever they are. A zero-element tensor has one empty extent that keeps its place.
    pub data: Box<[Extent]>,
    /// Checksum of those bytes, where the source recorded one.
    pub crc32c: Option<Masked>,
    /// What `data` is made of, where that is not just what the source has. In a box, for it is rare.
    made: Option<Box<Origins>>,
    /// Of a tensor of strings, once that was read: what the reading told.
    strings: OnceLock<Option<Arc<Strings>>>,
}

/// Of what a tensor is made.
#[derive(Clone)]
enum Origins {
    /// Of slices: it was saved in several.
    Slices(Arc<[Part]>),
    /// Of the same bytes in another order.
    Turned(Arc<Tensor>),
    /// Of all of these, by some operation.
    Computed(Box<[Arc<Tensor>]>),
}

impl Tensor {
    /// A tensor of these elements, whose bytes are `data` and have that checksum.
    pub fn new(dtype: Dtype, shape: Shape, data: Vec<Extent>, crc32c: Option<Masked>) -> Self {
        let data = data.into_boxed_slice();
        Self { dtype, shape, data, crc32c, made: None, strings: OnceLock::new() }
    }

    /// The same, computed of `sources`. What has a checksum of its own needs none of theirs.
    pub(crate) fn computed_of(self, sources: impl IntoIterator<Item = Arc<Self>>) -> Self {
        match self.crc32c {
            Some(_) => self,
            None => Self { made: Some(Box::new(Origins::Computed(sources.into_iter().collect()))), ..self },
        }
    }

    /// Of a tensor that was saved in several slices, those: what `data` was put together of.
    pub(crate) fn parts(&self) -> Option<&Arc<[Part]>> {
        if let Some(Origins::Slices(parts)) = self.made.as_deref() { Some(parts) } else { None }
    }

    /// Of a tensor whose bytes the source has in another order, as it has them.
    pub(crate) fn stored(&self) -> Option<&Arc<Self>> {
        if let Some(Origins::Turned(stored)) = self.made.as_deref() { Some(stored) } else { None }
    }

    /// The tensors that it is made of; none if it is the source's own.
    pub(crate) fn sources(&self) -> impl Iterator<Item = &Arc<Self>> {
        let (parts, others) = match self.made.as_deref() {
            Some(Origins::Slices(parts)) => (&parts[..], &[][..]),
            Some(Origins::Turned(stored)) => (&[][..], std::slice::from_ref(stored)),
            Some(Origins::Computed(sources)) => (&[][..], &sources[..]),
            None => (&[][..], &[][..]),
        };
        parts.iter().map(|part| &part.tensor).chain(others)
    }

    /// Length of the data in bytes.
    pub fn len(&self) -> u64 {
        self.data.iter().map(Extent::len).sum()
    }

    /// Whether there are no bytes at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether every data file that holds some of it could be opened.
    pub fn is_there(&self) -> bool {
        let own = || self.data.iter().filter_map(Extent::range).all(|(shard, ..)| shard.fault().is_none());
        own() && self.sources().all(|source| source.is_there())
    }

    /// Where the bytes that it was saved as stand in the source: each a data file, an offset in it and a length.
    pub fn ranges(&self) -> Vec<(&Arc<SourceFile>, u64, u64)> {
        match self.made.as_deref() {
            Some(Origins::Slices(_) | Origins::Turned(_)) => {
                self.sources().flat_map(|source| source.ranges()).collect()
            }
            Some(Origins::Computed(_)) | None => self.data.iter().filter_map(Extent::range).collect(),
        }
    }

    /// The data as one file.
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
    fn the_product_is_refused_where_it_passes_the_limit_even_beside_a_zero() {
        assert_eq!(shape(&[]).num_elements(), Some(1));
        assert_eq!(shape(&[3, 4]).num_elements(), Some(12));
        assert_eq!(shape(&[3, 0]).num_elements(), Some(0));
        assert_eq!(shape(&[1 << 32, 1 << 31]).num_elements(), None);
        assert_eq!(shape(&[0, 1 << 32, 1 << 32]).num_elements(), None);
    }

    #[test]
    fn a_shape_prints_as_python_prints_it() {
        assert_eq!(shape(&[784, 128]).to_string(), "[784, 128]");
        assert_eq!(shape(&[]).to_string(), "[]");
        assert_eq!(shape(&[784, 128]).spaced(), "784 128");
    }
}
