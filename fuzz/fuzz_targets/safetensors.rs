//! The fuzz target for safetensors: a header or an index of files is decoded or rejected, and a decoded header
//! survives a round trip.
#![no_main]

use ckptfs::format::safetensors::{Header, decode, encode, head_len, index};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    let _ = index::decode(file);
    check(file, decode(file, file.len() as u64));
    // The same bytes as a header, after its correct length.
    let whole = [&(file.len() as u64).to_le_bytes()[..], file].concat();
    check(&whole, decode(&whole, whole.len() as u64));
});

fn check(file: &[u8], decoded: Result<Header, ckptfs::format::Malformed>) {
    let Ok(header) = decoded else { return };
    let data = file.len() as u64 - head_len(file, file.len() as u64).expect("what was decoded has a length");
    assert_eq!(data, header.tensors.last().map_or(0, |last| last.end));
    let again = encode(&header);
    assert!(again.len().is_multiple_of(8));
    assert_eq!(decode(&again, again.len() as u64 + data), Ok(header));
}
