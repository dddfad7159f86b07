//! A tensor: what it is, and where its bytes are.

pub mod strings;

use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};

use crate::cache::Cache;
use crate::dtype::Dtype;
use crate::extent::{Extent, VirtualFile};
use crate::format::crc::Masked;

use strings::Strings;

/// Bytes that are summed at once.
const CHUNK: u64 = 4 << 20;

/// Sizes of the dimensions, outermost first; empty for a scalar.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Shape(pub Box<[u64]>);

impl Shape {
    /// The product of the dimensions, 1 for a scalar; `None` past `i64::MAX`, TensorFlow's limit, which it also
    /// applies to what a zero would make of the product.
    pub fn num_elements(&self) -> Option<u64> {
        let nonzero = self.0.iter().filter(|&&dim| dim != 0);
        let product = nonzero.into_iter().try_fold(1u64, |n, &dim| n.checked_mul(dim))?;
        let product = i64::try_from(product).ok()?.unsigned_abs();
        Some(if self.0.contains(&0) { 0 } else { product })
    }

    /// `784 128`: the form of the `shape` fact and of the TSVs; empty for a scalar.
    pub fn spaced(&self) -> String {
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
    pub data: Vec<Extent>,
    /// Checksum of those bytes, where the source recorded one.
    pub crc32c: Option<Masked>,
    /// Of a tensor of strings, once that was read: what the reading told.
    strings: OnceLock<Option<Arc<Strings>>>,
}

impl Tensor {
    /// A tensor of these elements, whose bytes are `data` and have that checksum.
    pub fn new(dtype: Dtype, shape: Shape, data: Vec<Extent>, crc32c: Option<Masked>) -> Self {
        Self { dtype, shape, data, crc32c, strings: OnceLock::new() }
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
        !self
            .data
            .iter()
            .any(|extent| matches!(extent, Extent::Range { shard, .. } if shard.fault().is_some()))
    }

    /// Reads all the bytes, and sums them.
    ///
    /// # Errors
    /// Those of reading.
    pub fn checksum(&self) -> io::Result<Masked> {
        let (file, cache, mut crc32c, mut at) = (self.file(), Cache::new(0), Masked::of(b""), 0);
        let mut buffer = vec![0; CHUNK.min(file.len()) as usize];
        while at < file.len() {
            let n = file.read_at(&cache, &mut buffer, at)?;
            crc32c = crc32c.extend(&buffer[..n]);
            at += n as u64;
        }
        Ok(crc32c)
    }

    /// Whether the bytes are those that the source recorded the checksum of. Where there is none this cannot tell, nor of
    /// strings, whose checksum is over more than their bytes and is held against them whenever they are decoded.
    ///
    /// # Errors
    /// Those of reading.
    pub fn is_intact(&self) -> io::Result<bool> {
        match self.crc32c.filter(|_| self.dtype.width().is_some()) {
            Some(recorded) => Ok(self.checksum()? == recorded),
            None => Ok(true),
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
