use proptest::prelude::*;

use crate::extent::Extent;
use crate::tensor::Shape;
use crate::view::summary::*;

fn of<const N: usize>(dtype: Dtype, numbers: impl IntoIterator<Item = [u8; N]>) -> Summary {
    let bytes: Vec<u8> = numbers.into_iter().flatten().collect();
    let elements = bytes.len() as u64 / dtype.width().unwrap();
    let tensor = Tensor::new(dtype, Shape([elements].into()), vec![Extent::from(bytes)], None);
    Summary::of(&tensor).unwrap()
}

fn floats(numbers: &[f32]) -> Summary {
    of(Dtype::Float32, numbers.iter().map(|x| x.to_le_bytes()))
}

#[test]
fn known_numbers_have_known_statistics() {
    let summary = floats(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]);
    assert_eq!((summary.min, summary.max), (Some(Value::Float32(2.0)), Some(Value::Float32(9.0))));
    assert_eq!((summary.mean, summary.std), (Some(5.0), Some(2.0)));
    assert_eq!((summary.zeros, summary.nan, summary.inf), (0, 0, 0));
}

#[test]
fn numbers_that_are_not_finite_are_only_counted() {
    let summary = floats(&[f32::NAN, 1.0, f32::INFINITY, -0.0, f32::NEG_INFINITY, 0.0, -4.0]);
    assert_eq!((summary.min, summary.max), (Some(Value::Float32(-4.0)), Some(Value::Float32(1.0))));
    assert_eq!((summary.mean, summary.zeros, summary.nan, summary.inf), (Some(-0.75), 2, 1, 2));
    let none = floats(&[f32::NAN, f32::INFINITY]);
    assert_eq!(none, Summary { nan: 1, inf: 1, ..Summary::default() });
    assert_eq!(floats(&[]), Summary::default());
}

#[test]
fn integer_extremes_keep_all_digits() {
    let summary = of(Dtype::Int64, [i64::MIN + 1, 0, i64::MAX - 1].map(i64::to_le_bytes));
    let extremes = (Some(Value::Signed(i64::MIN + 1)), Some(Value::Signed(i64::MAX - 1)));
    assert_eq!((summary.min, summary.max), extremes);
    let summary = of(Dtype::Uint64, [u64::MAX, 3].map(u64::to_le_bytes));
    assert_eq!((summary.min, summary.max), (Some(Value::Signed(3)), Some(Value::Unsigned(u64::MAX))));
    let summary = of(Dtype::Bool, [[1u8], [0], [1], [1]]);
    assert_eq!((summary.min, summary.mean, summary.zeros), (Some(Value::Signed(0)), Some(0.75), 1));
    assert_eq!(of(Dtype::Int4, [[0x0fu8], [0x07]]).mean, Some(3.0));
}

#[test]
fn narrow_types_are_counted_by_value_with_the_same_result() {
    let halves = [0x3c00u16, 0xc000, 0x3c00, 0x8000, 0x7c00, 0x7e00];
    let summary = of(Dtype::Float16, halves.map(u16::to_le_bytes));
    assert_eq!((summary.min, summary.max), (Some(Value::Float32(-2.0)), Some(Value::Float32(1.0))));
    assert_eq!(summary.mean, Some(0.0));
    assert!((summary.std.unwrap() - 1.5f64.sqrt()).abs() < 1e-15);
    assert_eq!((summary.zeros, summary.nan, summary.inf), (1, 1, 1));
    let bytes = of(Dtype::Int8, (0..1000).map(|i| [if i % 4 == 0 { 0xfeu8 } else { 2 }]));
    assert_eq!((bytes.min, bytes.max), (Some(Value::Signed(-2)), Some(Value::Signed(2))));
    assert_eq!(bytes.mean, Some(1.0));
    assert!((bytes.std.unwrap() - 3f64.sqrt()).abs() < 1e-15);
}

#[test]
fn a_complex_number_is_represented_by_its_magnitude() {
    let parts = [3.0f32, 4.0, 0.0, 0.0, f32::NAN, f32::INFINITY, f32::INFINITY, 0.0];
    let summary = of(Dtype::Complex64, parts.map(f32::to_le_bytes));
    assert_eq!((summary.min, summary.max), (Some(Value::Float64(0.0)), Some(Value::Float64(5.0))));
    assert_eq!((summary.mean, summary.zeros, summary.nan, summary.inf), (Some(2.5), 1, 1, 1));
}

#[test]
fn a_large_offset_does_not_reduce_the_precision_of_the_deviation() {
    let summary = of(Dtype::Float64, (0..100_000).map(|i| (1e9 + f64::from(i % 2)).to_le_bytes()));
    assert_eq!((summary.mean, summary.std), (Some(1e9 + 0.5), Some(0.5)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_result_does_not_depend_on_blocks_and_chunks(seed: u32, len in 0usize..200_000) {
        let number = |i: u32| (seed.wrapping_add(i).wrapping_mul(2_654_435_761) >> 8) as f32 / 1e4 - 700.0;
        let numbers: Vec<f32> = (0..len as u32).map(number).collect();
        let summary = floats(&numbers);
        prop_assert_eq!(summary.min.is_some(), len > 0);
        if len > 0 {
            let exact = |f: &dyn Fn(f64) -> f64| numbers.iter().map(|&x| f(x.into())).sum::<f64>() / len as f64;
            let mean = exact(&|x| x);
            let std = exact(&|x| (x - mean) * (x - mean)).sqrt();
            let least = numbers.iter().copied().fold(f32::INFINITY, f32::min);
            let greatest = numbers.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let extremes = (Some(Value::Float32(least)), Some(Value::Float32(greatest)));
            prop_assert_eq!((summary.min, summary.max), extremes);
            prop_assert!((summary.mean.unwrap() - mean).abs() <= 1e-9 && (summary.std.unwrap() - std).abs() <= 1e-9);
        }
    }
}
