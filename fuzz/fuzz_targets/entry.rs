//! The fuzz target for headers and entries: each is decoded or rejected, and a decoded one survives a round trip.
#![no_main]

use ckptfs::format::bundle::{Entry, Header};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|message: &[u8]| {
    if let Ok(entry) = Entry::decode(message) {
        assert_eq!(Entry::decode(&entry.encode()), Ok(entry));
    }
    if let Ok(header) = Header::decode(message) {
        let _ = header.check_version();
        assert_eq!(Header::decode(&header.encode()), Ok(header));
    }
});
