//! A header or an entry is decoded or refused, and what was decoded is written so that it decodes to the same.
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
