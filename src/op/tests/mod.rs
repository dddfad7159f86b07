//! Every operation on every dtype, compared with simple loops over indices. Results are read whole and in parts.

mod casts;
mod concat;
mod messages;
mod moves;
mod numbers;
mod value_audit;
mod value_diff;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;

use crate::cache::{Cache, Decode, Identity};
use crate::extent::Extent;
use crate::format::crc::Masked;
use crate::op::*;

/// Returns every dtype with fixed-size elements.
fn dtypes() -> Vec<Dtype> {
    (0..40).filter_map(Dtype::from_tensorflow).filter(|dtype| dtype.width().is_some()).collect()
}

fn dtype() -> impl Strategy<Value = Dtype> {
    prop::sample::select(dtypes())
}

fn dims() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(0u64..6, 0..=4)
}

/// Generates dimensions with at least one axis, and the choice of an axis.
fn with_axis() -> impl Strategy<Value = (Vec<u64>, usize)> {
    prop::collection::vec(0u64..6, 1..=4).prop_flat_map(|dims| {
        let rank = dims.len();
        (Just(dims), 0..rank)
    })
}

/// Builds a tensor of bytes that differ as much as bytes can, stored in one of three ways.
fn tensor(dtype: Dtype, dims: &[u64], salt: u8) -> Arc<Tensor> {
    let shape = Shape(dims.into());
    let len = shape.num_elements().unwrap() * dtype.width().unwrap();
    let bytes: Vec<u8> = (0..len).map(|i| salt.wrapping_add((i * 37 + i / 251) as u8)).collect();
    let sum = Some(Masked::of(&bytes));
    let data = match salt % 3 {
        _ if len == 0 => vec![Extent::from(vec![])],
        0 => vec![bytes.into()],
        1 => bytes.chunks(7).map(|chunk| Extent::from(chunk.to_vec())).collect(),
        _ => vec![Extent::Decoded { data: Arc::new(Given::new(bytes)), len }],
    };
    Arc::new(Tensor::new(dtype, shape, data, sum))
}

/// A decoder that counts its reads. Its block length is not aligned with anything.
struct Given {
    bytes: Vec<u8>,
    read: AtomicU64,
}

impl Given {
    fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, read: AtomicU64::new(0) }
    }
}

impl Decode for Given {
    fn identity(&self) -> Identity {
        Identity { of: std::ptr::from_ref(self).addr(), to: "given" }
    }

    fn decode(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
        self.read.fetch_add(len as u64, Ordering::Relaxed);
        Ok(self.bytes[at as usize..at as usize + len].to_vec())
    }

    fn block_len(&self) -> u64 {
        13
    }
}

fn whole(tensor: &Tensor) -> Vec<u8> {
    part(tensor, &Cache::new(1 << 20), 0, usize::MAX).unwrap()
}

fn part(tensor: &Tensor, cache: &Cache, at: u64, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; len.min((tensor.len() - at.min(tensor.len())) as usize)];
    let read = tensor.file().read_at(cache, &mut bytes, at)?;
    assert_eq!(read, bytes.len());
    Ok(bytes)
}

/// Checks that the tensor has the length of its shape, has these bytes (read whole and in a part), and has their
/// checksum if any.
fn holds(tensor: &Tensor, want: &[u8], (from, len): (usize, usize)) -> Result<(), TestCaseError> {
    let width = tensor.dtype.width().unwrap();
    prop_assert_eq!(tensor.len(), tensor.shape.num_elements().unwrap() * width);
    prop_assert!(!tensor.data.is_empty());
    prop_assert_eq!(&whole(tensor)[..], want);
    prop_assert!(tensor.crc32c.is_none_or(|sum| sum == Masked::of(want)));
    let from = from % (want.len() + 1);
    let end = want.len().min(from + len);
    for cache in [Cache::new(0), Cache::new(1 << 20), Cache::new(1 << 20).second()] {
        let read = part(tensor, &cache, from as u64, end - from).unwrap();
        prop_assert_eq!(&read[..], &want[from..end], "{}..{} with a cache of {}", from, end, cache.budget());
    }
    Ok(())
}

fn range() -> impl Strategy<Value = (usize, usize)> {
    (any::<u16>().prop_map(usize::from), 0usize..300)
}

/// Returns all indices of a shape, in order.
fn indices(dims: &[u64]) -> Vec<Vec<u64>> {
    dims.iter().fold(vec![vec![]], |before, &dim| {
        let longer = |index: &Vec<u64>| (0..dim).map(|i| [&index[..], &[i]].concat()).collect::<Vec<_>>();
        before.iter().flat_map(longer).collect()
    })
}

/// Returns the element at an index of a tensor with these bytes.
fn at<'a>(bytes: &'a [u8], tensor: &Tensor, index: &[u64]) -> &'a [u8] {
    let number = index.iter().zip(&tensor.shape.0).fold(0, |number, (i, dim)| number * dim + i) as usize;
    let width = tensor.dtype.width().unwrap() as usize;
    &bytes[number * width..(number + 1) * width]
}

/// Builds the bytes of a tensor of that shape from its elements by index.
fn loops<'a>(dims: &[u64], element: impl Fn(&[u64]) -> &'a [u8]) -> Vec<u8> {
    indices(dims).iter().flat_map(|index| element(index).to_vec()).collect()
}

fn apply(op: &Op, tensor: &Arc<Tensor>) -> Arc<Tensor> {
    Arc::new(op.apply(tensor).unwrap())
}
