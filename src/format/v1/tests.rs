//! Tests of the codec: with bytes that TensorFlow wrote, by round trips, and with damaged bytes.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may panic"
)]

use proptest::collection::vec;
use proptest::prelude::*;

use crate::format::Result;
use crate::format::bundle::{Extent, Version};
use crate::format::v1::*;

const WHOLE: Extent = Extent { start: 0, length: None };
const DTYPES: [u32; 20] = [1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 22, 23];

/// The list of tensors and the slice of `Variable` in a checkpoint from the tests of TensorFlow Serving.
const REAL_META: &[u8] = b"\x0a\x2a\x0a\x10\x0a\x08Variable\x12\x00\x18\x01\x22\x00\
    \x0a\x12\x0a\x0aVariable_1\x12\x00\x18\x01\x22\x00\x12\x02\x08\x01";
const REAL_SLICE: &[u8] = b"\x12\x14\x0a\x08Variable\x12\x00\x1a\x06\x2a\x04\x00\x00\x00\x3f";

fn saved(name: &str, dtype: u32, shape: &[u64]) -> Saved {
    let slices = vec![vec![WHOLE; shape.len()]];
    Saved { name: name.into(), dtype, shape: shape.to_vec(), slices }
}

fn version() -> Version {
    Version { producer: 1, ..Version::default() }
}

/// Returns the slice of a value and its numbers, as they are in memory.
fn numbers(value: &[u8], coding: &Coding) -> Result<(Slice, Vec<u8>)> {
    let mut window = value;
    let slice = Slice::locate(&mut window, 0..value.len() as u64)?;
    let (run, form) = slice.run(&mut window, coding)?;
    let bytes = &value[usize::try_from(run.start).unwrap()..usize::try_from(run.end).unwrap()];
    let elements = match form {
        Form::Raw => bytes.to_vec(),
        Form::Varint { .. } => coding.decode(bytes, run.start)?,
    };
    Ok((slice, elements))
}

fn value(name: &str, coding: &Coding, elements: &[u8]) -> Vec<u8> {
    Slice::encode(name.as_bytes(), &[WHOLE], &encode_numbers(coding, elements))
}

#[test]
fn bytes_that_tensorflow_wrote_are_decoded_and_encoded() {
    let meta =
        Meta { tensors: vec![saved("Variable", 1, &[]), saved("Variable_1", 1, &[])], version: version() };
    assert_eq!(Meta::decode(REAL_META).unwrap(), meta);
    assert_eq!(meta.encode(), REAL_META);
    let float = Coding::of(1).unwrap();
    let (slice, elements) = numbers(REAL_SLICE, float).unwrap();
    assert_eq!(
        (&slice.name[..], &slice.extents[..], &elements[..]),
        (&b"Variable"[..], &[][..], &0.5f32.to_le_bytes()[..])
    );
    assert_eq!(Slice::encode(b"Variable", &[], &encode_numbers(float, &elements)), REAL_SLICE);
}

#[test]
fn negative_numbers_take_ten_bytes_and_halves_are_their_bits() {
    let cases: [(u32, &[u8], &[u8]); 5] = [
        (3, &(-1i32).to_le_bytes(), &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
        (4, &[200, 1], &[0xc8, 0x01, 0x01]),
        (19, &[0x00, 0x3c, 0x00, 0xc0], &[0x80, 0x78, 0x80, 0x80, 0x03]),
        (10, &[1, 0], &[1, 0]),
        (23, &u64::MAX.to_le_bytes(), &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
    ];
    for (dtype, elements, run) in cases {
        let coding = Coding::of(dtype).unwrap();
        assert_eq!(coding.encode(elements), run, "{dtype}");
        assert_eq!(coding.decode(run, 0).unwrap(), elements, "{dtype}");
    }
}

#[test]
fn a_number_out_of_the_range_of_its_dtype_is_malformed() {
    for (dtype, number) in [
        (3, 1i64 << 31),
        (3, -1 - (1 << 31)),
        (4, 256),
        (4, -1),
        (6, 128),
        (10, 2),
        (17, 65536),
        (19, -1),
        (22, 1 << 32),
    ] {
        let mut run = vec![0];
        super::super::varint::put(&mut run, number.cast_unsigned());
        let error = Coding::of(dtype).unwrap().decode(&run, 100).unwrap_err();
        assert!(error.what.starts_with(&number.to_string()) && error.at == 101, "{dtype}: {error}");
    }
    assert!([0, 7, 20, 21, 24, 29, 101].iter().all(|&dtype| Coding::of(dtype).is_none()));
}

#[test]
fn the_raw_content_of_a_tensor_is_read_for_any_dtype() {
    let coding = Coding::of(3).unwrap();
    let value = Slice::encode(b"x", &[WHOLE], b"\x08\x03\x22\x04\xff\xff\xff\xff");
    assert_eq!(numbers(&value, coding).unwrap().1, (-1i32).to_le_bytes());
}

#[test]
fn values_of_another_dtype_or_in_two_runs_or_not_packed_are_malformed() {
    let float = Coding::of(1).unwrap();
    for (tensor, what) in [
        (&b"\x3a\x01\x05"[..], "field 7: values, where this dtype has them in field 5"),
        (b"\x2a\x04\0\0\0\0\x2a\x04\0\0\0\0", "field 5: a second time"),
        (b"\x2a\x04\0\0\0\0\x22\x04\0\0\0\0", "field 4: a second time"),
        (b"\x2d\0\0\0\0", "field 5: not of bytes"),
    ] {
        let error = numbers(&Slice::encode(b"x", &[], tensor), float).unwrap_err();
        assert_eq!(error.what, what);
    }
    assert!(strings(b"\x42\x01a\x2a\x04\0\0\0\0", 0).is_err());
}

#[test]
fn a_missing_or_repeated_message_is_malformed() {
    assert_eq!(Meta::decode(b"").unwrap_err().what, "no list of tensors");
    assert!(Meta::decode(&[REAL_META, REAL_META].concat()).is_err());
    let float = Coding::of(1).unwrap();
    assert_eq!(numbers(REAL_META, float).unwrap_err().what, "no slice of a tensor");
    assert_eq!(
        numbers(&[REAL_SLICE, REAL_SLICE].concat(), float).unwrap_err().what,
        "field 2: a second time"
    );
    assert_eq!(numbers(b"\x12\x03\x0a\x01a", float).unwrap_err().what, "a slice without values");
}

#[test]
fn values_truncated_at_any_length_are_malformed() {
    for dtype in DTYPES {
        let coding = Coding::of(dtype).unwrap();
        let value = value("kernel", coding, &vec![1; coding.width * 3]);
        assert!(numbers(&value, coding).is_ok());
        for len in 0..value.len() {
            assert!(numbers(&value[..len], coding).is_err(), "dtype {dtype}, {len} bytes");
        }
    }
    for len in 0..REAL_META.len() {
        assert!(Meta::decode(&REAL_META[..len]).is_err(), "{len} bytes");
    }
    let strings_of = encode_strings(&["one", "", "three"]);
    let whole: Vec<_> = (0..strings_of.len()).filter(|&len| strings(&strings_of[..len], 0).is_ok()).collect();
    assert_eq!(whole, [0, 5, 7], "cut elsewhere than between strings");
}

#[test]
fn a_flipped_bit_is_malformed_or_read_within_bounds() {
    for dtype in DTYPES {
        let coding = Coding::of(dtype).unwrap();
        let sound = value("kernel", coding, &vec![1; coding.width * 3]);
        for bit in 0..sound.len() * 8 {
            let mut bytes = sound.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Ok((slice, elements)) = numbers(&bytes, coding) {
                assert!(slice.tensor.end <= bytes.len() as u64 && elements.len() <= bytes.len() * 8);
            }
        }
    }
    for bit in 0..REAL_META.len() * 8 {
        let mut bytes = REAL_META.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        if let Ok(meta) = Meta::decode(&bytes) {
            assert_eq!(Meta::decode(&meta.encode()), Ok(meta));
        }
    }
}

#[test]
fn a_length_that_is_merely_claimed_is_refused() {
    let claims = b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
    assert!(
        numbers(claims, Coding::of(1).unwrap()).unwrap_err().what.contains("bytes claimed where 0 are left")
    );
}

#[test]
fn a_run_that_is_truncated_or_has_another_count_is_malformed() {
    let starts = |run: &[u8], elements| {
        let mut starts = VarintIndex::every(2, 10);
        starts.pass(run);
        starts.finish(elements)
    };
    assert_eq!(starts(&[1, 0x80, 1, 2, 3, 4], 5), Ok(vec![10, 13, 15, 16]));
    assert_eq!(starts(&[], 0), Ok(vec![10]));
    assert_eq!(starts(&[1, 2], 3).unwrap_err().to_string(), "2 values, but the shape has 3 at byte 12");
    assert_eq!(starts(&[1, 0x80], 2).unwrap_err().to_string(), "truncated varint at byte 12");
}

/// Generates a dtype, and bytes that are elements of it.
fn elements() -> impl Strategy<Value = (u32, Vec<u8>)> {
    let bytes = |dtype| {
        let width = Coding::of(dtype).unwrap().width;
        let byte = if dtype == 10 { (0..2u8).boxed() } else { any::<u8>().boxed() };
        (Just(dtype), vec(vec(byte, width), 0..50).prop_map(|elements| elements.concat()))
    };
    prop::sample::select(&DTYPES[..]).prop_flat_map(bytes)
}

proptest! {
    #[test]
    fn numbers_survive_a_round_trip((dtype, elements) in elements(), name in ".{0,20}") {
        let coding = Coding::of(dtype).unwrap();
        let (slice, found) = numbers(&value(&name, coding, &elements), coding).unwrap();
        prop_assert_eq!(&slice.name, name.as_bytes());
        prop_assert_eq!(&slice.extents, &[WHOLE]);
        prop_assert_eq!(found, elements);
    }

    #[test]
    fn numbers_are_found_by_the_starts_of_their_blocks((dtype, elements) in elements(), step in 1u64..10, chunk in 1usize..30) {
        let coding = Coding::of(dtype).unwrap();
        prop_assume!(coding.form != Form::Raw);
        let run = coding.encode(&elements);
        let mut starts = VarintIndex::every(step, 0);
        run.chunks(chunk).for_each(|chunk| starts.pass(chunk));
        let starts = starts.finish((elements.len() / coding.width) as u64).unwrap();
        let pieces = elements.chunks(coding.width * usize::try_from(step).unwrap());
        prop_assert_eq!(pieces.len() + 1, starts.len());
        for (piece, ends) in pieces.zip(starts.windows(2)) {
            let run = &run[usize::try_from(ends[0]).unwrap()..usize::try_from(ends[1]).unwrap()];
            prop_assert_eq!(coding.decode(run, 0).unwrap(), piece);
        }
    }

    #[test]
    fn strings_survive_a_round_trip(elements in vec(vec(any::<u8>(), 0..100), 0..20)) {
        let tensor = encode_strings(&elements);
        prop_assert_eq!(strings(&tensor, 0).unwrap(), elements);
    }

    #[test]
    fn lists_of_tensors_survive_a_round_trip(rows in vec(("[a-z/]{1,9}", 1u32..40, vec(0u64..1 << 40, 0..4)), 0..9)) {
        let tensors = rows.iter().map(|(name, dtype, shape)| saved(name, *dtype, shape)).collect();
        let meta = Meta { tensors, version: version() };
        prop_assert_eq!(Meta::decode(&meta.encode()).unwrap(), meta);
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(bytes: Vec<u8>) {
        let _ = Meta::decode(&bytes);
        let _ = strings(&bytes, 0);
        for dtype in DTYPES {
            let _ = numbers(&bytes, Coding::of(dtype).unwrap());
        }
    }
}
