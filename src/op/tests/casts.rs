//! Casts compared with those of NumPy and ml_dtypes, which `scripts/cast_fixtures.py` recorded.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::op::tests::*;

/// The dtypes, in the order of the fixture.
const NAMES: [&str; 21] = [
    "float32",
    "float64",
    "float16",
    "bfloat16",
    "float8_e5m2",
    "float8_e4m3fn",
    "float8_e4m3fnuz",
    "float8_e4m3b11fnuz",
    "float8_e5m2fnuz",
    "float4_e2m1fn",
    "int2",
    "uint2",
    "int4",
    "uint4",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
];
const MORE: [&str; 2] = ["uint64", "bool"];

struct Recorded {
    from: Dtype,
    to: Dtype,
    elements: Vec<u8>,
    casts: Vec<u8>,
    fits: Vec<u8>,
}

fn recorded() -> Vec<Recorded> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/numpy-2.4/casts/casts.zip");
    let mut archive = zip::ZipArchive::new(File::open(path).unwrap()).unwrap();
    let mut member = |name: &str| {
        let mut bytes = Vec::new();
        archive.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    };
    let (counts, mut elements) = (member("counts"), member("elements"));
    let (mut casts, mut fits) = (member("casts"), member("fits"));
    let take = |bytes: &mut Vec<u8>, count: usize| bytes.drain(..count).collect::<Vec<u8>>();
    let dtypes = || NAMES.iter().chain(&MORE).map(|name| Dtype::from_name(name).unwrap());
    let mut recorded = Vec::new();
    for (from, count) in dtypes().zip(counts.as_chunks::<4>().0) {
        let count = u32::from_le_bytes(*count) as usize;
        let elements = take(&mut elements, count * from.width().unwrap() as usize);
        for to in dtypes() {
            let casts = take(&mut casts, count * to.width().unwrap() as usize);
            let fits = take(&mut fits, count);
            recorded.push(Recorded { from, to, elements: elements.clone(), casts, fits });
        }
    }
    assert!(elements.is_empty() && casts.is_empty() && fits.is_empty());
    recorded
}

fn vector(dtype: Dtype, bytes: &[u8]) -> Arc<Tensor> {
    let count = bytes.len() as u64 / dtype.width().unwrap();
    Arc::new(Tensor::new(dtype, Shape([count].into()), vec![bytes.to_vec().into()], None))
}

fn cast(dtype: Dtype, saturate: bool, from: &Arc<Tensor>) -> Arc<Tensor> {
    apply(&Op::Cast { dtype, saturate }, from)
}

#[test]
fn every_cast_equals_numpys_bit_for_bit() {
    let recorded = recorded();
    assert_eq!(recorded.len(), 23 * 23);
    for Recorded { from, to, elements, casts, .. } in recorded {
        let made = whole(&cast(to, true, &vector(from, &elements)));
        let (stored, width) = (from.width().unwrap() as usize, to.width().unwrap() as usize);
        let pairs = made.chunks(width).zip(casts.chunks(width)).zip(elements.chunks(stored));
        for ((made, want), element) in pairs {
            let value = (from.value())(element);
            assert_eq!(made, want, "{value:?} ({element:02x?}) of {from} to {to}");
        }
    }
}

#[test]
fn a_value_out_of_range_is_an_error_only_where_it_is_read() {
    let mut lost = 0;
    for Recorded { from, to, elements, casts, fits } in recorded() {
        let (made, width) = (cast(to, false, &vector(from, &elements)), to.width().unwrap() as usize);
        for (i, want) in casts.chunks(width).enumerate() {
            let read = part(&made, &Cache::new(0), (i * width) as u64, width);
            match fits[i] {
                1 => assert_eq!(read.unwrap(), want, "{from} to {to}, element {i}"),
                _ => {
                    lost += 1;
                    assert_eq!(read.unwrap_err().raw_os_error(), Some(libc::ERANGE), "{from} to {to}, {i}");
                }
            }
        }
    }
    assert!(lost > 1000);
}

#[test]
fn the_error_survives_the_cache() {
    let from = vector(Dtype::Int32, &[1000i32.to_le_bytes(), 1i32.to_le_bytes()].concat());
    let error = part(&cast(Dtype::Int8, false, &from), &Cache::new(1 << 20), 0, 2).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ERANGE));
}

#[test]
fn decoding_into_a_reused_buffer_gives_the_same_bytes() {
    let numbers: Vec<u8> = (0..700_001).flat_map(|i| (i as f32).to_le_bytes()).collect();
    let made = cast(Dtype::Float64, false, &vector(Dtype::Float32, &numbers));
    let cache = Cache::new(2 << 20);
    let back_and_forth = (0..6).chain((0..6).rev()).map(|piece| piece << 20);
    for at in back_and_forth {
        let got = part(&made, &cache, at, 1 << 20).unwrap();
        assert_eq!(got, part(&made, &Cache::new(0), at, 1 << 20).unwrap(), "{at}");
    }
    assert!(cache.counters().evictions.load(Ordering::Relaxed) > 0);
}

#[test]
fn a_cast_of_stored_data_skips_the_cache_but_not_one_of_bands() {
    let there = vector(Dtype::Float32, &[0; 64]);
    let table = Arc::new(Op::Reshape(Shape([4, 4].into())).apply(&there).unwrap());
    let turned = Arc::new(Op::Transpose([1, 0].into()).apply(&table).unwrap());
    let casts =
        [&there, &cast(Dtype::Float16, false, &there), &turned].map(|of| cast(Dtype::Bfloat16, false, of));
    assert_eq!(casts.map(|made| made.file().skip_cache()), [true, true, false]);
}

#[test]
fn quantized_dtypes_are_cast_like_their_integers() {
    for (quantized, integer) in [
        (Dtype::Qint8, Dtype::Int8),
        (Dtype::Quint8, Dtype::Uint8),
        (Dtype::Qint16, Dtype::Int16),
        (Dtype::Quint16, Dtype::Uint16),
        (Dtype::Qint32, Dtype::Int32),
    ] {
        let bytes: Vec<u8> = (0..=255).collect();
        let (a, b) = (vector(quantized, &bytes), vector(integer, &bytes));
        assert_eq!(whole(&cast(Dtype::Float32, false, &a)), whole(&cast(Dtype::Float32, false, &b)));
        assert_eq!(whole(&cast(integer, false, &a)), bytes);
        assert_eq!(whole(&cast(quantized, false, &b)), bytes);
    }
}

#[test]
fn complex_numbers_are_cast_part_by_part() {
    let parts = [1.5f32, -0.0, f32::INFINITY, 1.0 / 3.0];
    let narrow: Vec<u8> = parts.iter().flat_map(|x| x.to_le_bytes()).collect();
    let wide: Vec<u8> = parts.iter().flat_map(|x| f64::from(*x).to_le_bytes()).collect();
    assert_eq!(whole(&cast(Dtype::Complex128, false, &vector(Dtype::Complex64, &narrow))), wide);
    assert_eq!(whole(&cast(Dtype::Complex64, false, &vector(Dtype::Complex128, &wide))), narrow);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Long enough for several runs and blocks.
    #[test]
    fn any_part_of_a_cast_equals_that_part_of_the_whole(
        from in dtype(), to in dtype(), count in prop_oneof![0u64..40, 2000u64..40_000], salt: u8, range in range(),
    ) {
        prop_assume!(from.components() == to.components());
        let made = cast(to, true, &tensor(from, &[count], salt));
        holds(&made, &whole(&made), range)?;
    }
}
