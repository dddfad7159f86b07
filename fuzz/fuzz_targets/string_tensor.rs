//! The fuzz target for string tensors, after a byte with the number of strings: each is decoded or rejected, and a
//! decoded one survives a round trip.
#![no_main]

use ckptfs::format::string_tensor;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((count, bytes)) = input.split_first() else { return };
    let _ = string_tensor::decode(bytes, u64::MAX);
    let Ok(elements) = string_tensor::decode(bytes, (*count).into()) else { return };
    let (again, _) = string_tensor::encode(&elements);
    assert_eq!(string_tensor::decode(&again, (*count).into()), Ok(elements));
});
