//! The difference of values: its counts, at any place of a large tensor, and for values that are computed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;

use crate::dtype::Dtype;
use crate::op::Op;
use crate::op::value_diff::{ValueDiff, diff_values};
use crate::tensor::{Shape, Tensor};

fn tensor(dtype: Dtype, bytes: Vec<u8>) -> Arc<Tensor> {
    let shape = Shape([bytes.len() as u64 / dtype.width().unwrap()].into());
    Arc::new(Tensor::new(dtype, shape, vec![bytes.into()], None))
}

fn floats(values: &[f32]) -> Arc<Tensor> {
    tensor(Dtype::Float32, values.iter().flat_map(|value| value.to_le_bytes()).collect())
}

fn diff(have: &Arc<Tensor>, want: &Arc<Tensor>, tolerance: Option<f64>) -> ValueDiff {
    let mut found = diff_values(&[(have.clone(), want.clone())], tolerance, &|_| ());
    found.remove(0).unwrap()
}

#[test]
fn the_measures_are_those_of_the_definition() {
    let found = diff(&floats(&[1.0, 2.0, f32::NAN, 4.0]), &floats(&[1.0, 2.5, f32::NAN, 3.0]), None);
    assert_eq!((found.elements, found.equal, found.nan, found.max_abs), (4, 2, [1, 1], 1.0));
    assert_eq!(found.relative_norm(), (1.25_f64 / (1.0 + 6.25 + 9.0)).sqrt());
    assert_eq!(diff(&floats(&[0.0]), &floats(&[0.0]), None).relative_norm(), 0.0);
    assert_eq!(diff(&floats(&[1.0]), &floats(&[0.0]), None).relative_norm(), f64::INFINITY);
    assert_eq!(diff(&floats(&[]), &floats(&[]), None).share_equal(), 1.0);
}

#[test]
fn a_tolerance_is_relative_to_want_and_does_not_reach_infinity_or_nan() {
    let have = floats(&[1.01, -1.01, f32::INFINITY, f32::NAN, 0.0]);
    let want = floats(&[1.0, -1.0, 1.0, 1.0, -0.0]);
    let equal = |tolerance| diff(&have, &want, tolerance).equal;
    assert_eq!([None, Some(0.0), Some(0.001), Some(0.1), Some(1e300)].map(equal), [0, 1, 1, 3, 3]);
}

#[test]
fn one_change_is_found_at_any_place_of_a_large_tensor() {
    const LEN: usize = (16 << 20) + 5;
    let zeros = tensor(Dtype::Uint8, vec![0; LEN]);
    for at in [0, (1 << 20) - 1, 16 << 20] {
        let mut bytes = vec![0; LEN];
        bytes[at] = 7;
        let read = AtomicU64::new(0);
        let pairs = [(zeros.clone(), tensor(Dtype::Uint8, bytes))];
        let found = diff_values(&pairs, None, &|n| _ = read.fetch_add(n, Ordering::Relaxed));
        let found = found[0].as_ref().unwrap();
        assert_eq!((found.elements - found.equal, found.max_abs), (1, 7.0), "{at}");
        assert_eq!(read.into_inner(), LEN as u64, "every byte is read once");
    }
}

#[test]
fn numbers_of_different_dtypes_are_compared_as_numbers() {
    let have = floats(&[1.0, 2.0, 0.1]);
    let half: Vec<u8> = [0x3c00_u16, 0x4000, 0x2e66].iter().flat_map(|bits| bits.to_le_bytes()).collect();
    let found = diff(&have, &tensor(Dtype::Float16, half), None);
    assert_eq!((found.elements, found.equal), (3, 2));
    assert!(found.max_abs > 0.0 && found.max_abs < 1e-4);
    let large = |value: u64| tensor(Dtype::Uint64, value.to_le_bytes().to_vec());
    let signed = tensor(Dtype::Int64, (1_i64 << 62).to_le_bytes().to_vec());
    assert_eq!(diff(&signed, &large((1 << 62) + 1), None).max_abs, 1.0);
    assert_eq!(diff(&signed, &large(1 << 62), None).equal, 1);
}

#[test]
fn a_computed_value_is_compared_with_its_input() {
    let values: Vec<f32> = (0..600_000).map(|value| value as f32).collect();
    let square = Tensor::new(Dtype::Float32, Shape([200, 3000].into()), floats(&values).data.to_vec(), None);
    let square = Arc::new(square);
    let turned = Arc::new(Op::Transpose([1, 0].into()).apply(&square).unwrap());
    let back = Arc::new(Op::Transpose([1, 0].into()).apply(&turned).unwrap());
    for (have, want) in [(&square, &back), (&back, &square)] {
        assert!(diff(have, want, None).is_equal());
    }
}

proptest! {
    #[test]
    fn equal_are_those_of_the_same_bits(pairs in prop::collection::vec((any::<u32>(), any::<u32>(), any::<bool>()), 0..3000)) {
        let bits = |which: fn(&(u32, u32, bool)) -> u32| {
            tensor(Dtype::Float32, pairs.iter().flat_map(|pair| which(pair).to_le_bytes()).collect())
        };
        let (have, want) = (bits(|pair| pair.0), bits(|pair| if pair.2 { pair.0 } else { pair.1 }));
        let found = diff(&have, &want, None);
        let same = pairs.iter().filter(|(a, b, copied)| *copied || a == b).count();
        prop_assert_eq!((found.elements, found.equal), (pairs.len() as u64, same as u64));
        prop_assert!(diff(&have, &have, None).is_equal());
    }
}
