#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "a test may panic"
)]

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors, serialize};

use crate::format::safetensors::kind::KINDS;
use crate::format::safetensors::*;

/// The names, types and shapes of tensors that take a whole number of bytes.
type Tensors = Vec<(String, Kind, Vec<u64>)>;

fn tensors() -> impl Strategy<Value = Tensors> {
    let shape = vec(0u64..5, 0..4);
    let kind = (0..KINDS.len()).prop_map(|i| KINDS[i]);
    btree_map(".{0,12}", (kind, shape), 0..8).prop_map(|tensors| {
        let whole = |(name, (kind, mut shape)): (String, (Kind, Vec<u64>))| {
            // Four elements of 4 or 6 bits take a whole number of bytes.
            shape.extend((kind.bits() < 8).then_some(4));
            (name, kind, shape)
        };
        tensors.into_iter().filter(|(name, _)| name != METADATA).map(whole).collect()
    })
}

/// Returns a file's header, in the order in which the reference implementation writes.
fn header(mut tensors: Tensors, metadata: Option<(String, String)>) -> Header {
    tensors.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let mut end = 0;
    let entry = |(name, kind, shape)| {
        let mut entry = Entry { name, kind, shape, start: end, end };
        entry.end += entry.size().unwrap();
        end = entry.end;
        entry
    };
    Header { tensors: tensors.into_iter().map(entry).collect(), metadata: metadata.into_iter().collect() }
}

fn file(header: &Header) -> Vec<u8> {
    let mut file = encode(header);
    let data = header.tensors.last().map_or(0, |last| last.end);
    file.extend((0..data).map(|i| i as u8));
    file
}

fn decode_whole(file: &[u8]) -> Result<Header> {
    decode(file, file.len() as u64)
}

fn theirs(kind: Kind) -> Dtype {
    serde_json::from_value(kind.name().into()).unwrap()
}

/// Returns the file that the reference implementation writes for the same tensors.
fn written_by_them(header: &Header) -> Vec<u8> {
    let data: Vec<u8> = (0..header.tensors.last().map_or(0, |last| last.end)).map(|i| i as u8).collect();
    let view = |entry: &Entry| {
        let shape = entry.shape.iter().map(|&dim| dim as usize).collect();
        let bytes = &data[entry.start as usize..entry.end as usize];
        (entry.name.clone(), TensorView::new(theirs(entry.kind), shape, bytes).unwrap())
    };
    let metadata = (!header.metadata.is_empty()).then(|| header.metadata.iter().cloned().collect());
    serialize(header.tensors.iter().map(view), metadata).unwrap()
}

proptest! {
    #[test]
    fn a_header_is_written_as_the_reference_writes_it_and_read_back(
        tensors in tensors(), metadata in prop::option::of((".{0,9}", ".{0,9}"))
    ) {
        let header = header(tensors, metadata);
        let file = file(&header);
        prop_assert_eq!(&file, &written_by_them(&header));
        prop_assert_eq!(file.len() as u64 - header.tensors.last().map_or(0, |last| last.end), head_len(&file, u64::MAX).unwrap());
        prop_assert_eq!(decode_whole(&file), Ok(header));
    }

    #[test]
    fn any_header_that_is_read_is_read_the_same_by_the_reference(tensors in tensors(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut file = file(&header(tensors, None));
        let at = at.index(file.len());
        file[at] = byte;
        if let Ok(header) = decode_whole(&file) {
            let read = SafeTensors::deserialize(&file).unwrap();
            prop_assert_eq!(read.len(), header.tensors.len());
            let data = &file[head_len(&file, file.len() as u64).unwrap() as usize..];
            for entry in &header.tensors {
                let view = read.tensor(&entry.name).unwrap();
                let shape: Vec<_> = view.shape().iter().map(|&dim| dim as u64).collect();
                prop_assert_eq!((view.dtype(), &shape), (theirs(entry.kind), &entry.shape));
                prop_assert_eq!(view.data(), &data[entry.start as usize..entry.end as usize]);
            }
        }
    }

    #[test]
    fn any_text_is_a_header_or_malformed(text in ".{0,200}", data in 0u64..20) {
        let file = [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat();
        let _ = decode(&file, file.len() as u64 + data);
    }
}

fn small() -> Header {
    let kind = |name| Kind::from_name(name).unwrap();
    let tensors = vec![
        ("w".into(), kind("F32"), vec![2, 3]),
        ("é\n".into(), kind("BF16"), vec![1]),
        ("".into(), kind("BOOL"), vec![]),
    ];
    header(tensors, Some(("format".into(), "pt".into())))
}

#[test]
fn a_file_truncated_at_any_length_is_malformed() {
    let file = file(&small());
    for len in 0..file.len() {
        assert!(decode_whole(&file[..len]).is_err(), "{len}");
    }
}

#[test]
fn a_flipped_bit_of_a_header_is_malformed_or_read_as_by_the_reference() {
    let file = file(&small());
    let head = head_len(&file, file.len() as u64).unwrap() as usize;
    for bit in 0..head * 8 {
        let mut file = file.clone();
        file[bit / 8] ^= 1 << (bit % 8);
        match (decode_whole(&file), SafeTensors::deserialize(&file)) {
            (Err(fault), _) => assert!(fault.at <= file.len() as u64, "{fault}"),
            (Ok(header), Ok(read)) => {
                assert!(header.tensors.iter().all(|entry| read.tensor(&entry.name).is_ok()))
            }
            (Ok(header), Err(error)) => panic!("bit {bit}: {error}, but read as {header:?}"),
        }
    }
}

#[test]
fn a_fault_names_the_tensor_its_numbers_and_its_offset() {
    let tensor = |name, dtype, shape, offsets| {
        format!("\"{name}\":{{\"dtype\":\"{dtype}\",\"shape\":{shape},\"data_offsets\":{offsets}}}")
    };
    let a = tensor("a", "F32", "[1]", "[0,4]");
    for (members, told) in [
        (tensor("a", "F32", "[2]", "[0,4]"), "\"a\": F32 [2] takes 8 bytes, but it has 4 at byte 62"),
        (tensor("a", "F33", "[2]", "[0,4]"), "\"a\": no dtype is called \"F33\" at byte 62"),
        (tensor("a", "F32", "[1]", "[4,0]"), "\"a\": its end 0 is before its start 4 at byte 62"),
        (tensor("a", "F4", "[3]", "[0,2]"), "\"a\": F4 [3] takes no number of bytes that can be at byte 61"),
        (
            tensor("a", "U8", "[4294967296,4294967296]", "[0,4]"),
            "\"a\": U8 [4294967296, 4294967296] takes no number of bytes that can be at byte 81",
        ),
        (format!("{a},{a}"), "\"a\" a second time at byte 65"),
        (
            format!("{a},{}", tensor("b", "U8", "[4]", "[2,6]")),
            "others over \"b\": it begins at 2, not at 4 at byte 62",
        ),
        (
            format!("{a},{}", tensor("b", "U8", "[4]", "[6,10]")),
            "a gap before \"b\": it begins at 6, not at 4 at byte 62",
        ),
        (a.clone(), "8 bytes of data, but the header has 4 at byte 62"),
        ("\"__metadata__\":{\"a\":1}".into(), "invalid type: integer `1`, expected a string at byte 30"),
        ("\"__metadata__\":{\"a\":\"\",\"a\":\"\"}".into(), "\"a\" a second time at byte 35"),
        ("\"a\":{}".into(), "missing field `dtype` at byte 15"),
    ] {
        let text = format!("{{{members}}}");
        let file = [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat();
        assert_eq!(decode(&file, file.len() as u64 + 8).unwrap_err().to_string(), told);
    }
}

#[test]
fn a_length_is_checked_against_the_file_and_the_maximum() {
    let told = |len: u64| head_len(&len.to_le_bytes(), 100).map_err(|fault| fault.to_string());
    assert_eq!(told(92), Ok(100));
    assert_eq!(told(93), Err("a header of 93 bytes in a file of 100 at byte 0".into()));
    assert_eq!(
        told(100_000_001),
        Err("a header of 100000001 bytes, but 100000000 are the most at byte 0".into())
    );
    assert_eq!(
        told(u64::MAX),
        Err(format!("a header of {} bytes, but 100000000 are the most at byte 0", u64::MAX))
    );
}

#[test]
fn kinds_are_ordered_as_the_reference_orders_them() {
    for pair in KINDS.windows(2) {
        assert!(pair[0] < pair[1] && theirs(pair[0]) < theirs(pair[1]), "{pair:?}");
    }
    assert!(KINDS.iter().all(|&kind| theirs(kind).bitsize() as u64 == kind.bits()));
}

#[test]
fn a_header_without_tensors_or_with_null_metadata_is_valid() {
    let file = |text: &str| [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat();
    for text in ["{}", "{}   ", "{\"__metadata__\":null}"] {
        assert_eq!(decode_whole(&file(text)), Ok(Header::default()));
    }
}
