//! Values that the source does not have: zeros and ones, and the rest of an axis that is too short.

use std::hash::{Hash, Hasher};
use std::io;
use std::sync::Arc;

use crate::cache::{Cache, Decode, Identity};
use crate::dtype::Dtype;
use crate::extent::Extent;
use crate::format::crc::Masked;
use crate::format::string_tensor;
use crate::tensor::{Shape, Tensor};
use crate::transform::like::neutral::Neutral;

/// The maximum number of empty strings to create. Real checkpoints have fewer.
const MAX_STRINGS: u64 = 1 << 20;

/// Creates a tensor of zeros, ones or empty strings. Returns `None` if the dtype has no such value, or if there are too
/// many elements.
pub(crate) fn constant(dtype: Dtype, shape: &Shape, value: Neutral) -> Option<Tensor> {
    let count = shape.num_elements()?;
    let (data, crc32c) = match (dtype.width(), value) {
        (Some(width), _) => {
            let element = element(dtype, value)?;
            let (len, crc32c) =
                (count.checked_mul(width)?, Masked::of(&element).repeated(element.len(), count));
            (Extent::Decoded { data: Arc::new(Constant { element, len }), len }, crc32c)
        }
        (None, Neutral::Zeros) if dtype == Dtype::String && count <= MAX_STRINGS => {
            let (bytes, crc32c) = string_tensor::encode(&vec![""; count as usize]);
            (bytes.into(), crc32c)
        }
        (None, _) => return None,
    };
    Some(Tensor::new(dtype, shape.clone(), vec![data], Some(crc32c)))
}

/// Returns the bytes of one element.
fn element(dtype: Dtype, value: Neutral) -> Option<Vec<u8>> {
    match value {
        Neutral::Zeros => Some(vec![0; dtype.width()? as usize]),
        Neutral::Ones => Some(one(dtype)?.to_vec()),
    }
}

/// Returns the bytes of 1 in a dtype that scales have.
fn one(dtype: Dtype) -> Option<&'static [u8]> {
    Some(match dtype {
        Dtype::Float32 => &[0, 0, 0x80, 0x3f],
        Dtype::Float64 => &[0, 0, 0, 0, 0, 0, 0xf0, 0x3f],
        Dtype::Float16 => &[0, 0x3c],
        Dtype::Bfloat16 => &[0x80, 0x3f],
        _ => return None,
    })
}

/// One element, repeated.
struct Constant {
    element: Vec<u8>,
    len: u64,
}

impl Decode for Constant {
    fn identity(&self) -> Identity {
        Identity { of: std::ptr::from_ref(self).addr(), to: "constant" }
    }

    fn decode(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
        let start = (at % self.element.len() as u64) as usize;
        Ok(self.element.iter().cycle().skip(start).take(len).copied().collect())
    }

    fn fingerprint(&self, mut to: &mut dyn Hasher) -> Option<()> {
        ("constant", &self.element, self.len).hash(&mut to);
        Some(())
    }

    fn alignment(&self) -> u64 {
        1
    }
}

/// Returns true if `have` can fill a part of `want` that begins at its first element.
pub(crate) fn fits(have: &Tensor, want: &Tensor) -> bool {
    let (have, want) = ((have.dtype, &have.shape.0), (want.dtype, &want.shape.0));
    have.0 == want.0
        && have.0.width().is_some()
        && have.1.len() == want.1.len()
        && have.1.iter().zip(want.1).all(|(have, want)| have <= want)
}

/// Builds a tensor of `want`'s shape with `have`'s elements at the start of every axis and `want`'s own around them.
/// `fits` must be true.
pub(crate) fn fitted(have: &Arc<Tensor>, want: &Arc<Tensor>) -> Tensor {
    let lengthened = have.shape.0.iter().zip(&want.shape.0).skip(1).all(|(have, want)| have == want);
    let rest = if lengthened { after(&want.data, have.len()) } else { None };
    let data = match rest {
        Some(rest) => have.data.iter().cloned().chain(rest).filter(|extent| !extent.is_empty()).collect(),
        None => {
            let fitted = Fitted { have: have.clone(), want: want.clone() };
            vec![Extent::Decoded { data: Arc::new(fitted), len: want.len() }]
        }
    };
    Tensor::new(want.dtype, want.shape.clone(), data, None).computed_of([have.clone(), want.clone()])
}

/// Returns the bytes after the first `at` bytes, if the data is one range of a file.
fn after(data: &[Extent], at: u64) -> Option<[Extent; 1]> {
    match data {
        [Extent::Range { file: shard, offset, len }] => {
            Some([Extent::Range { file: shard.clone(), offset: offset + at, len: len.checked_sub(at)? }])
        }
        _ => None,
    }
}

/// A tensor laid over another from the first element of every axis.
struct Fitted {
    have: Arc<Tensor>,
    want: Arc<Tensor>,
}

impl Decode for Fitted {
    fn identity(&self) -> Identity {
        Identity { of: std::ptr::from_ref(self).addr(), to: "fit" }
    }

    fn decode(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = read(&self.want, at, len)?;
        let runs = self.runs(at, len as u64);
        let (Some(first), Some(last)) = (runs.first(), runs.last()) else { return Ok(bytes) };
        // A single read suffices: the runs follow each other in the smaller tensor.
        let start = first.from;
        let have = read(&self.have, start, (last.from + last.len - start) as usize)?;
        for RowRun { from, to, len } in runs {
            let (from, to, len) = ((from - start) as usize, (to - at) as usize, len as usize);
            bytes[to..to + len].copy_from_slice(&have[from..from + len]);
        }
        Ok(bytes)
    }

    fn verify(&self) -> io::Result<()> {
        self.have.file().verify()?;
        self.want.file().verify()
    }

    fn fingerprint(&self, mut to: &mut dyn Hasher) -> Option<()> {
        ("fit", &self.have.shape, &self.want.shape, self.have.dtype).hash(&mut to);
        self.have.file().fingerprint(to)?;
        self.want.file().fingerprint(to)
    }

    fn alignment(&self) -> u64 {
        1
    }

    fn reads_whole_bands(&self) -> bool {
        self.have.file().reads_whole_bands() || self.want.file().reads_whole_bands()
    }
}

/// A run of bytes of the smaller tensor that are contiguous in the larger one too.
struct RowRun {
    from: u64,
    to: u64,
    len: u64,
}

impl Fitted {
    /// Returns the runs within `at..at + len` of the larger tensor, in order.
    fn runs(&self, at: u64, len: u64) -> Vec<RowRun> {
        let (have, want) = (&*self.have.shape.0, &*self.want.shape.0);
        let width = self.have.dtype.width().unwrap_or(0);
        // The last axis that differs. Below it, rows are whole.
        let axis = have.iter().zip(want).rposition(|(have, want)| have != want).unwrap_or(0);
        let size = |dims: &[u64]| dims[axis..].iter().product::<u64>() * width;
        let (run, stride) = (size(have), size(want));
        if run == 0 {
            return Vec::new();
        }
        let rows = at / stride..(at + len).div_ceil(stride);
        let within = |row: u64| {
            let (from, to) = (Self::row_of(row, &have[..axis], &want[..axis])? * run, row * stride);
            let (start, end) = (to.max(at), (to + run).min(at + len));
            (start < end).then(|| RowRun { from: from + (start - to), to: start, len: end - start })
        };
        rows.filter_map(within).collect()
    }

    /// Returns the number in the smaller tensor of a row of the larger one, or `None` if it is outside.
    fn row_of(mut row: u64, have: &[u64], want: &[u64]) -> Option<u64> {
        let (mut number, mut weight) = (0, 1);
        for (have, want) in have.iter().zip(want).rev() {
            let index = row % want;
            if index >= *have {
                return None;
            }
            number += index * weight;
            (row, weight) = (row / want, weight * have);
        }
        Some(number)
    }
}

fn read(tensor: &Tensor, at: u64, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; len];
    tensor.file().read_at(&Cache::new(0), &mut bytes, at)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tensor(dims: &[u64], first: u8) -> Arc<Tensor> {
        let shape = Shape(dims.into());
        let count = shape.num_elements().unwrap();
        let bytes: Vec<u8> = (0..count).map(|i| first.wrapping_add(i as u8)).collect();
        Arc::new(Tensor::new(Dtype::Uint8, shape, vec![bytes.into()], None))
    }

    fn all(tensor: &Tensor) -> Vec<u8> {
        read(tensor, 0, tensor.len() as usize).unwrap()
    }

    #[test]
    fn zeros_have_the_checksum_of_their_bytes() {
        for count in [0, 1, 2, 3, 7, 8, 1000, 70_001] {
            let tensor = constant(Dtype::Float32, &Shape([count].into()), Neutral::Zeros).unwrap();
            assert_eq!(tensor.len(), count * 4);
            assert_eq!(tensor.crc32c, Some(Masked::of(&vec![0; count as usize * 4])));
            assert!(all(&tensor).iter().all(|&byte| byte == 0));
        }
        let large = constant(Dtype::Float32, &Shape([1 << 40].into()), Neutral::Zeros).unwrap();
        assert_eq!(large.len(), 1 << 42);
    }

    #[test]
    fn ones_are_ones_from_any_offset() {
        let tensor = constant(Dtype::Float64, &Shape([5].into()), Neutral::Ones).unwrap();
        let bytes: Vec<u8> = [1.0f64; 5].iter().flat_map(|one| one.to_le_bytes()).collect();
        assert_eq!((all(&tensor), tensor.crc32c), (bytes.clone(), Some(Masked::of(&bytes))));
        let data = Constant { element: 1.0f64.to_le_bytes().into(), len: 40 };
        assert_eq!(data.decode(11, 20).unwrap(), bytes[11..31]);
        for (dtype, len) in [(Dtype::Float32, 4), (Dtype::Float16, 2), (Dtype::Bfloat16, 2)] {
            assert_eq!(one(dtype).unwrap().len(), len);
        }
        assert_eq!(one(Dtype::Float32).unwrap(), 1.0f32.to_le_bytes());
        assert!(constant(Dtype::Int64, &Shape::default(), Neutral::Ones).is_none());
    }

    #[test]
    fn strings_are_empty_and_variants_have_no_zero() {
        let zeros = |dtype, shape: &Shape| constant(dtype, shape, Neutral::Zeros);
        let tensor = zeros(Dtype::String, &Shape([3].into())).unwrap();
        assert_eq!(string_tensor::decode(&all(&tensor), 3).unwrap(), [b"", b"", b""]);
        assert!(zeros(Dtype::Variant, &Shape::default()).is_none());
        assert!(zeros(Dtype::String, &Shape([1 << 40].into())).is_none());
    }

    #[test]
    fn a_longer_tensor_or_one_of_another_rank_does_not_fit() {
        assert!(fits(&tensor(&[2, 3], 0), &tensor(&[2, 4], 0)));
        assert!(!fits(&tensor(&[3, 3], 0), &tensor(&[2, 4], 0)));
        assert!(!fits(&tensor(&[3], 0), &tensor(&[3, 1], 0)));
    }

    fn shapes() -> impl Strategy<Value = (Vec<u64>, Vec<u64>)> {
        prop::collection::vec((0u64..4, 0u64..3), 0..4)
            .prop_map(|dims| (dims.iter().map(|d| d.0).collect(), dims.iter().map(|d| d.0 + d.1).collect()))
    }

    /// Computes the result element by element in a loop.
    fn reference(have: &Tensor, want: &Tensor) -> Vec<u8> {
        let (small, large) = (&have.shape.0, &want.shape.0);
        let (have, mut bytes) = (all(have), all(want));
        for (at, byte) in bytes.iter_mut().enumerate() {
            let (mut rest, mut number, mut weight, mut inside) = (at as u64, 0, 1, true);
            for (small, large) in small.iter().zip(large).rev() {
                inside &= rest % large < *small;
                number += rest % large * weight;
                (rest, weight) = (rest / large, weight * small);
            }
            if inside {
                *byte = have[number as usize];
            }
        }
        bytes
    }

    proptest! {
        #[test]
        fn any_part_of_a_fitted_tensor_matches_a_loop((small, large) in shapes(), from in 0usize..40, len in 0usize..40) {
            let (have, want) = (tensor(&small, 0), tensor(&large, 100));
            let expected = reference(&have, &want);
            prop_assert_eq!(all(&fitted(&have, &want)), expected.clone());
            let whole = Fitted { have, want };
            let (from, end) = (from.min(expected.len()), (from + len).min(expected.len()));
            if from < end {
                prop_assert_eq!(whole.decode(from as u64, end - from).unwrap(), &expected[from..end]);
            }
        }
    }
}
