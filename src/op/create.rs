//! Tensors that no source has: constants, random numbers, and the array of a NumPy file.

use std::hash::{Hash, Hasher};
use std::io;
use std::sync::Arc;

use crate::dtype::{Dtype, Numpy};
use crate::extent::{Extent, VirtualFile};
use crate::format::crc::Masked;
use crate::format::{npy, string_tensor};
use crate::op::Op;
use crate::op::check::elements;
use crate::op::compute::{Compute, computed};
use crate::op::literal::Literal;
use crate::op::normal::normal;
use crate::tensor::{Shape, Tensor};

/// The contents of a new tensor.
#[derive(Clone)]
pub(crate) enum Create {
    /// One value for all elements.
    Value(Literal),
    /// The elements, in row-major order.
    Values(Vec<Literal>),
    /// Random numbers, normally distributed around 0. The same seed gives the same numbers.
    #[allow(missing_docs, reason = "as above")]
    Normal { std: f64, seed: u64 },
    /// The array of an `.npy` file, which must have the dtype and shape. Its header is read immediately.
    Npy(VirtualFile),
}

/// The limits on the number of constant strings and on their total bytes. Real checkpoints stay below them.
const MOST_STRINGS: u64 = 1 << 20;
const MOST_TEXT: usize = 64 << 20;

/// Creates a tensor.
///
/// # Errors
/// A message, if the values do not match the dtype or the shape.
pub(crate) fn create(dtype: Dtype, shape: &Shape, what: &Create) -> Result<Tensor, String> {
    let count = elements(shape)?;
    match what {
        Create::Value(value) if dtype == Dtype::String => {
            let text = value.encode(dtype)?;
            if count > MOST_STRINGS || text.len().saturating_mul(count as usize) > MOST_TEXT {
                return Err(format!("{count} strings of {} bytes are too many", text.len()));
            }
            Ok(strings(shape, &vec![text; count as usize]))
        }
        Create::Value(value) => constant(dtype, shape, value.encode(dtype)?),
        Create::Values(values) if values.len() as u64 != count => {
            Err(format!("{} values for {count} elements of shape {shape}", values.len()))
        }
        Create::Values(values) => {
            let encoded: Vec<_> = values.iter().map(|value| value.encode(dtype)).collect::<Result<_, _>>()?;
            Ok(if dtype == Dtype::String {
                strings(shape, &encoded)
            } else {
                inline(dtype, shape, encoded.concat())
            })
        }
        Create::Normal { std, seed } => {
            Ok(Tensor::new(dtype, shape.clone(), normal(dtype, count, *std, *seed)?, None))
        }
        Create::Npy(file) => array(dtype, shape, file),
    }
}

fn inline(dtype: Dtype, shape: &Shape, bytes: Vec<u8>) -> Tensor {
    let crc32c = Masked::of(&bytes);
    Tensor::new(dtype, shape.clone(), vec![bytes.into()], Some(crc32c))
}

/// Builds a tensor of these strings.
pub(super) fn strings<T: AsRef<[u8]>>(shape: &Shape, elements: &[T]) -> Tensor {
    let (bytes, crc32c) = string_tensor::encode(elements);
    Tensor::new(Dtype::String, shape.clone(), vec![bytes.into()], Some(crc32c))
}

/// Builds a tensor that repeats one element. Its checksum is computed without the bytes.
pub(super) fn constant(dtype: Dtype, shape: &Shape, element: Vec<u8>) -> Result<Tensor, String> {
    let (count, width) = (elements(shape)?, element.len());
    let len = count.checked_mul(width as u64).ok_or("too many bytes")?;
    let crc32c = Masked::of(&element).repeated(width, count);
    Ok(Tensor::new(dtype, shape.clone(), computed(Constant { element }, len), Some(crc32c)))
}

struct Constant {
    element: Vec<u8>,
}

impl Compute for Constant {
    const NAME: &'static str = "constant";

    fn fingerprint(&self, mut to: &mut dyn Hasher) {
        self.element.hash(&mut to);
    }

    fn fill(&self, buf: &mut [u8], at: u64) -> io::Result<()> {
        let mut done = buf.len().min(self.element.len());
        let first = (at % self.element.len() as u64) as usize;
        let turned = self.element[first..].iter().chain(&self.element[..first]);
        buf.iter_mut().zip(turned).for_each(|(out, byte)| *out = *byte);
        while done < buf.len() {
            let more = done.min(buf.len() - done);
            buf.copy_within(..more, done);
            done += more;
        }
        Ok(())
    }
}

/// The maximum length in bytes of an `.npy` header.
const HEADER: u64 = 1 << 16;

fn array(dtype: Dtype, shape: &Shape, file: &VirtualFile) -> Result<Tensor, String> {
    let mut start = vec![0; HEADER.min(file.len()) as usize];
    let cache = crate::cache::Cache::new(0);
    file.read_at(&cache, &mut start, 0).map_err(|error| format!("not readable: {error}"))?;
    let header = npy::Header::decode(&start).map_err(|error| format!("not a NumPy file: {error}"))?;
    if header.shape != *shape.0 {
        return Err(format!("the file's array has shape {}, not {shape}", Shape(header.shape.into())));
    }
    let stored = stored_dtype(&header.descr, dtype)
        .ok_or_else(|| format!("the file's array is {}, not {dtype}", header.descr))?;
    let len = elements(shape)?.checked_mul(stored.width().unwrap_or(0)).ok_or("too many bytes")?;
    if file.len() - header.len as u64 != len {
        let has = file.len() - header.len as u64;
        return Err(format!("the file has {has} bytes of elements, its array takes {len}"));
    }
    let data = match len {
        0 => vec![Extent::from(vec![])],
        _ => file.cut(header.len as u64..file.len()),
    };
    let mut dims = shape.0.clone();
    if header.fortran_order {
        dims.reverse();
    }
    let mut tensor = Tensor::new(stored, Shape(dims), data, None);
    if header.fortran_order {
        let axes = (0..shape.0.len()).rev().collect();
        tensor = Op::Transpose(axes).apply(&Arc::new(tensor))?;
    }
    Op::Cast { dtype, saturate: false }.apply(&Arc::new(tensor))
}

/// Returns the dtype of the file's elements: the wanted dtype in NumPy's form or in ml_dtypes' form, or the dtype
/// that it widens to without loss.
fn stored_dtype(descr: &str, dtype: Dtype) -> Option<Dtype> {
    match dtype.numpy() {
        Numpy::Same(same) => (descr == same).then_some(dtype),
        Numpy::Widened(_) if descr.get(1..) == Some(&format!("V{}", dtype.width()?)) => Some(dtype),
        Numpy::Widened(dtype) => stored_dtype(descr, dtype),
        _ => None,
    }
}
