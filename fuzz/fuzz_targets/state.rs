//! A state file is decoded or refused, and what was decoded is written so that it is written the same again.
#![no_main]

use ckptfs::format::checkpoint_state;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    let Ok(state) = checkpoint_state::decode(file) else { return };
    let written = checkpoint_state::encode(&state);
    // Not the structs: a time may be NaN.
    assert_eq!(
        checkpoint_state::encode(&checkpoint_state::decode(&written).expect("what was written decodes")),
        written
    );
});
