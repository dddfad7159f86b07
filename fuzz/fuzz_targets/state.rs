//! The fuzz target for state files: each is decoded or rejected, and a decoded one survives a round trip.
#![no_main]

use ckptfs::format::checkpoint_state;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    let Ok(state) = checkpoint_state::decode(file) else { return };
    let written = checkpoint_state::encode(&state);
    // The texts are compared instead of the structs, because a time may be NaN.
    assert_eq!(
        checkpoint_state::encode(&checkpoint_state::decode(&written).expect("what was written decodes")),
        written
    );
});
