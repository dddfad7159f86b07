//! The fuzz target for the keys of slices: each is rejected, or survives a round trip.
#![no_main]

use ckptfs::format::slice_key;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|key: &[u8]| {
    if let Ok((name, extents)) = slice_key::decode(key) {
        assert_eq!(slice_key::encode(&name, &extents), key);
    }
});
