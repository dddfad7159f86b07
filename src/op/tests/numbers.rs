//! Tests of operations that compute numbers, and of tensors created from nothing.

use half::{bf16, f16};

use crate::extent::VirtualFile;
use crate::format::{npy, string_tensor};
use crate::op::tests::*;

fn of<T: Copy, const N: usize>(
    dtype: Dtype,
    dims: &[u64],
    numbers: &[T],
    bytes: fn(T) -> [u8; N],
) -> Arc<Tensor> {
    let data: Vec<u8> = numbers.iter().flat_map(|x| bytes(*x)).collect();
    Arc::new(Tensor::new(dtype, Shape(dims.into()), vec![data.into()], None))
}

fn floats(dims: &[u64], numbers: &[f32]) -> Arc<Tensor> {
    of(Dtype::Float32, dims, numbers, f32::to_le_bytes)
}

fn read<T, const N: usize>(tensor: &Tensor, number: fn([u8; N]) -> T) -> Vec<T> {
    whole(tensor).as_chunks::<N>().0.iter().map(|bytes| number(*bytes)).collect()
}

proptest! {
    #[test]
    fn float_arithmetic_uses_the_tensors_own_dtype(numbers: Vec<u16>, by in -10.0f64..10.0) {
        let (scale, add) = (Op::Scale(by), Op::Add(by));
        let dims = [numbers.len() as u64];
        let halves: Vec<_> = numbers.iter().map(|bits| f16::from_bits(*bits)).filter(|x| !x.is_nan()).collect();
        let from = of(Dtype::Float16, &[halves.len() as u64], &halves, f16::to_le_bytes);
        let small = f16::from_f64(by).to_f32();
        let want: Vec<_> = halves.iter().map(|x| f16::from_f32(x.to_f32() * small)).collect();
        prop_assert_eq!(read(&apply(&scale, &from), f16::from_le_bytes), want);
        let want: Vec<_> = halves.iter().map(|x| f16::from_f32(x.to_f32() + small)).collect();
        prop_assert_eq!(read(&apply(&add, &from), f16::from_le_bytes), want);

        let brains: Vec<_> = halves.iter().map(|x| bf16::from_f32(x.to_f32())).collect();
        let from = of(Dtype::Bfloat16, &[brains.len() as u64], &brains, bf16::to_le_bytes);
        let want: Vec<_> = brains.iter().map(|x| bf16::from_f32(x.to_f32() * by as f32)).collect();
        prop_assert_eq!(read(&apply(&scale, &from), bf16::from_le_bytes), want);

        let doubles: Vec<_> = numbers.iter().map(|x| f64::from(*x) / 7.0).collect();
        let from = of(Dtype::Float64, &dims, &doubles, f64::to_le_bytes);
        prop_assert_eq!(read(&apply(&add, &from), f64::from_le_bytes), doubles.iter().map(|x| x + by).collect::<Vec<_>>());

        let singles: Vec<_> = numbers.iter().map(|x| f32::from(*x) / 7.0).collect();
        let from = floats(&dims, &singles);
        let want: Vec<_> = singles.iter().map(|x| x * by as f32).collect();
        prop_assert_eq!(read(&apply(&scale, &from), f32::from_le_bytes), want);
    }

    #[test]
    fn integer_arithmetic_is_exact_and_never_wraps(numbers: Vec<i16>, by in -300i64..300) {
        let from = of(Dtype::Int16, &[numbers.len() as u64], &numbers, i16::to_le_bytes);
        for (op, compute) in [
            (Op::Scale(by as f64), (|x, by| x * by) as fn(i64, i64) -> i64),
            (Op::Add(by as f64), |x, by| x + by),
        ] {
            let want: Option<Vec<_>> = numbers.iter().map(|x| i16::try_from(compute((*x).into(), by)).ok()).collect();
            let made = part(&apply(&op, &from), &Cache::new(0), 0, usize::MAX);
            match want {
                Some(want) => prop_assert_eq!(made.unwrap(), want.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>()),
                None => prop_assert_eq!(made.unwrap_err().raw_os_error(), Some(libc::ERANGE)),
            }
        }
    }

    #[test]
    fn new_rows_are_the_mean_of_their_axis(
        (dims, axis) in prop::collection::vec(1u64..5, 1..=4).prop_flat_map(|dims| (Just(dims.clone()), 0..dims.len())),
        more in 1u64..4, range in range(),
    ) {
        let count: u64 = dims.iter().product();
        let numbers: Vec<_> = (0..count).map(|i| ((i * 37 % 101) as f64).sqrt()).collect();
        let from = of(Dtype::Float64, &dims, &numbers, f64::to_le_bytes);
        let mut shape = Shape(dims.clone().into());
        shape.0[axis] += more;
        let made = apply(&Op::Pad { shape: shape.clone(), fill: Fill::Mean }, &from);
        let bytes = whole(&from);
        let number = |index: &[u64]| f64::from_le_bytes(at(&bytes, &from, index).try_into().unwrap());
        for (index, got) in indices(&shape.0).into_iter().zip(read(&made, f64::from_le_bytes)) {
            let want = if index[axis] < dims[axis] { number(&index) } else {
                let rows = (0..dims[axis]).map(|i| { let mut index = index.clone(); index[axis] = i; number(&index) });
                rows.sum::<f64>() / dims[axis] as f64
            };
            prop_assert_eq!(got, want, "at {:?}", index);
        }
        holds(&made, &whole(&made), range)?;
    }

    #[test]
    fn a_constant_fills_every_element(dims in dims(), dtype in dtype(), range in range()) {
        let shape = Shape(dims.into());
        let made = create(dtype, &shape, &Create::Value(Literal::Integer(1))).unwrap();
        let one = Literal::Integer(1).encode(dtype).unwrap();
        holds(&made, &one.repeat(shape.num_elements().unwrap() as usize), range)?;
        prop_assert!(made.crc32c.is_some());
    }

    #[test]
    fn any_part_of_random_numbers_equals_that_part_of_the_whole(count in 0u64..300, seed: u64, range in range()) {
        let what = Create::Normal { std: 2.0, seed };
        for dtype in [Dtype::Float32, Dtype::Bfloat16, Dtype::Float8E4m3fn] {
            let made = create(dtype, &Shape([count].into()), &what).unwrap();
            let again = create(dtype, &Shape([count].into()), &what).unwrap();
            holds(&made, &whole(&again), range)?;
        }
    }
}

#[test]
fn a_real_summand_changes_only_the_real_part() {
    let from = of(Dtype::Complex64, &[2], &[1.0f32, 2.0, 3.0, 4.0], f32::to_le_bytes);
    assert_eq!(read(&apply(&Op::Add(10.0), &from), f32::from_le_bytes), [11.0, 2.0, 13.0, 4.0]);
    assert_eq!(read(&apply(&Op::Scale(2.0), &from), f32::from_le_bytes), [2.0, 4.0, 6.0, 8.0]);
    assert_eq!(
        part(&apply(&Op::Add(10.0), &from), &Cache::new(0), 9, 7).unwrap(),
        whole(&apply(&Op::Add(10.0), &from))[9..]
    );
}

#[test]
fn a_mean_of_many_columns_or_rows_is_right_and_reads_about_once() {
    for dims in [[3u64, 70_000], [100_000, 3]] {
        let numbers: Vec<_> = (0..dims[0] * dims[1]).map(|i| (i % 1000) as f32).collect();
        let from = floats(&dims, &numbers);
        for axis in [0, 1] {
            let mut shape = from.shape.clone();
            shape.0[axis] += 2;
            let made = apply(&Op::Pad { shape, fill: Fill::Mean }, &from);
            let all = read(&made, f32::from_le_bytes);
            let (rows, columns) = (dims[0] as usize, dims[1] as usize);
            for (row, column) in [(0, 0), (rows - 1, columns - 1), (rows / 2, columns / 2)] {
                let (at, lines): (usize, Vec<f32>) = match axis {
                    0 => (
                        (rows + 1) * columns + column,
                        (0..rows).map(|row| numbers[row * columns + column]).collect(),
                    ),
                    _ => (
                        row * (columns + 2) + columns + 1,
                        numbers[row * columns..(row + 1) * columns].to_vec(),
                    ),
                };
                let mean = lines.iter().map(|x| f64::from(*x)).sum::<f64>() / lines.len() as f64;
                assert_eq!(all[at], mean as f32, "{dims:?} axis {axis}");
            }
        }
    }
}

#[test]
fn random_numbers_have_their_mean_and_deviation_and_differ_with_the_seed() {
    let count = 40_000;
    let numbers = |seed| {
        let made =
            create(Dtype::Float64, &Shape([count].into()), &Create::Normal { std: 0.5, seed }).unwrap();
        read(&made, f64::from_le_bytes)
    };
    let a = numbers(1);
    let mean = a.iter().sum::<f64>() / count as f64;
    let deviation = (a.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count as f64).sqrt();
    assert!(mean.abs() < 0.01 && (deviation - 0.5).abs() < 0.01, "{mean} {deviation}");
    let within = a.iter().filter(|x| x.abs() < 0.5).count() as f64 / count as f64;
    assert!((within - 0.6827).abs() < 0.01, "{within}");
    let b = numbers(2);
    let related = a.iter().zip(&b).map(|(x, y)| x * y).sum::<f64>() / count as f64;
    assert!(related.abs() < 0.01 && a.iter().zip(&b).filter(|(x, y)| x == y).count() < 3);
}

#[test]
fn a_huge_constant_needs_no_memory() {
    let made = create(Dtype::Int64, &Shape([1 << 40].into()), &Create::Value(Literal::Integer(-7))).unwrap();
    assert_eq!(made.len(), 1 << 43);
    let last = part(&made, &Cache::new(8 << 20), (1 << 43) - 8, 8).unwrap();
    assert_eq!(last, (-7i64).to_le_bytes());
}

#[test]
fn values_are_exact_or_rejected() {
    let value = |dtype, literal: Literal| {
        create(dtype, &Shape::default(), &Create::Value(literal)).map(|made| whole(&made))
    };
    let big = (1i64 << 53) + 1;
    assert_eq!(value(Dtype::Int64, Literal::Integer(big)).unwrap(), big.to_le_bytes());
    assert_eq!(value(Dtype::Int64, Literal::Float(3.0)).unwrap(), 3i64.to_le_bytes());
    assert_eq!(value(Dtype::Float32, Literal::Integer(3)).unwrap(), 3f32.to_le_bytes());
    assert_eq!(value(Dtype::Bool, Literal::Bool(true)).unwrap(), [1]);
    assert_eq!(
        value(Dtype::Complex64, Literal::Float(0.5)).unwrap(),
        [0.5f32.to_le_bytes(), [0; 4]].concat()
    );
    assert!(value(Dtype::Float32, Literal::Float(f64::INFINITY)).is_ok());
    for (dtype, literal, said) in [
        (Dtype::Int8, Literal::Integer(300), "300 is not a number that int8 holds"),
        (Dtype::Int32, Literal::Float(0.5), "0.5 is not a number that int32 holds"),
        (Dtype::Float16, Literal::Float(1e9), "1000000000.0 is not a number that float16 holds"),
        (
            Dtype::Float8E4m3fnuz,
            Literal::Float(f64::INFINITY),
            "inf is not a number that float8_e4m3fnuz holds",
        ),
        (Dtype::Float32, Literal::Bool(true), "true is not of dtype float32"),
        (Dtype::Float32, Literal::Text("x".into()), "\"x\" is not of dtype float32"),
        (Dtype::String, Literal::Integer(1), "1 is not of dtype string"),
        (Dtype::Bool, Literal::Integer(2), "2 is not a number that bool holds"),
        (Dtype::Bool, Literal::Float(1.0), "1.0 is not a number that bool holds"),
    ] {
        assert_eq!(value(dtype, literal).unwrap_err(), said);
    }
}

#[test]
fn values_are_in_row_major_order_and_as_many_as_elements() {
    let values: Vec<_> = (0..4).map(Literal::Integer).collect();
    let made = create(Dtype::Uint16, &Shape([2, 2].into()), &Create::Values(values.clone())).unwrap();
    assert_eq!(read(&made, u16::from_le_bytes), [0, 1, 2, 3]);
    assert_eq!(made.crc32c, Some(Masked::of(&whole(&made))));
    let error = create(Dtype::Uint16, &Shape([3].into()), &Create::Values(values)).err().unwrap();
    assert_eq!(error, "4 values for 3 elements of shape [3]");
    let texts = Create::Values(["a", "", "long"].map(|text| Literal::Text(text.into())).into());
    let made = create(Dtype::String, &Shape([3].into()), &texts).unwrap();
    assert_eq!(string_tensor::decode(&whole(&made), 3).unwrap(), [&b"a"[..], b"", b"long"]);
}

fn array(descr: &str, shape: &[u64], bytes: &[u8]) -> Create {
    Create::Npy(VirtualFile::from([&npy::header(descr, shape)[..], bytes].concat()))
}

#[test]
fn an_array_file_is_its_elements() {
    let bytes: Vec<u8> = (0..24).collect();
    let shape = Shape([2, 3].into());
    let made = create(Dtype::Float32, &shape, &array("<f4", &[2, 3], &bytes)).unwrap();
    assert_eq!(whole(&made), bytes);
    let columns = npy::header("<f4", &[2, 3]);
    let columns = String::from_utf8_lossy(&columns[10..]).replace("False", "True ");
    let file = [&npy::header("<f4", &[2, 3])[..10], columns.as_bytes(), &bytes].concat();
    let made = create(Dtype::Float32, &shape, &Create::Npy(VirtualFile::from(file))).unwrap();
    let rows: Vec<u8> = [0, 2, 4, 1, 3, 5].iter().flat_map(|i| bytes[i * 4..][..4].to_vec()).collect();
    assert_eq!(whole(&made), rows);
    let one =
        create(Dtype::Bfloat16, &Shape([1].into()), &array("<f4", &[1], &1.5f32.to_le_bytes())).unwrap();
    assert_eq!(whole(&one), bf16::from_f32(1.5).to_le_bytes());
    let raw = create(Dtype::Bfloat16, &Shape([1].into()), &array("<V2", &[1], &[1, 2])).unwrap();
    assert_eq!(whole(&raw), [1, 2]);
}

#[test]
fn a_mismatched_or_invalid_array_file_is_rejected() {
    let shape = Shape([2].into());
    for (what, said) in [
        (array("<f4", &[3], &[0; 12]), "the file's array has shape [3], not [2]"),
        (array(">f4", &[2], &[0; 8]), "the file's array is >f4, not float32"),
        (array("<f4", &[2], &[0; 7]), "the file has 7 bytes of elements, its array takes 8"),
        (Create::Npy(VirtualFile::from(b"PK".to_vec())), "not a NumPy file: another magic at byte 0"),
    ] {
        assert_eq!(create(Dtype::Float32, &shape, &what).err().unwrap(), said);
    }
}

fn strings(dims: &[u64], texts: &[&str]) -> Arc<Tensor> {
    let (bytes, crc32c) = string_tensor::encode(texts);
    Arc::new(Tensor::new(Dtype::String, Shape(dims.into()), vec![bytes.into()], Some(crc32c)))
}

fn texts(tensor: &Tensor) -> Vec<String> {
    let bytes = whole(tensor);
    let texts = string_tensor::decode(&bytes, tensor.shape.num_elements().unwrap()).unwrap();
    assert_eq!(tensor.crc32c, Some(string_tensor::checksum(&texts)));
    texts.iter().map(|text| String::from_utf8(text.to_vec()).unwrap()).collect()
}

#[test]
fn strings_are_rearranged_like_numbers() {
    let from = strings(&[2, 3], &["a", "bb", "", "dddd", "e", "ff"]);
    assert_eq!(texts(&apply(&Op::Transpose([1, 0].into()), &from)), ["a", "dddd", "bb", "e", "", "ff"]);
    assert_eq!(texts(&apply(&Op::Slice([0..2, 1..2].into()), &from)), ["bb", "e"]);
    assert_eq!(texts(&apply(&Op::Flip(0), &from)), ["dddd", "e", "ff", "a", "bb", ""]);
    assert_eq!(texts(&apply(&Op::Reshape(Shape([6].into())), &from)), texts(&from));
    let padded = Op::Pad { shape: Shape([2, 4].into()), fill: Fill::Value(0.0) };
    assert_eq!(texts(&apply(&padded, &from)), ["a", "bb", "", "", "dddd", "e", "ff", ""]);
    let joined = Arc::new(join(&[from.clone(), strings(&[2, 1], &["x", "y"])], 1, &Layout::Blocked).unwrap());
    assert_eq!(texts(&joined), ["a", "bb", "", "x", "dddd", "e", "ff", "y"]);
    let parts = split(&joined, 1, &[3, 1], &Layout::Blocked).unwrap();
    assert_eq!((texts(&parts[0]), texts(&parts[1])), (texts(&from), vec!["x".to_owned(), "y".to_owned()]));
    assert_eq!(parts[0].crc32c, from.crc32c);
}

#[test]
fn damaged_strings_are_not_rearranged() {
    let mut from = Arc::unwrap_or_clone(strings(&[2], &["ab", "cd"]));
    from.crc32c = Some(Masked(7));
    let error = Op::Flip(0).apply(&Arc::new(from)).err().unwrap();
    assert_eq!(error, "its strings are damaged: its checksum is not the one that is recorded");
}
