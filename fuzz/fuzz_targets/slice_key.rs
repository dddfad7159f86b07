//! The key of a slice is refused, or decoded to what is written as the same key again.
#![no_main]

use ckptfs::format::slice_key;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|key: &[u8]| {
    if let Ok((name, extents)) = slice_key::decode(key) {
        assert_eq!(slice_key::encode(&name, &extents), key);
    }
});
