//! The fuzz target for V1 checkpoints: the list of tensors is decoded or rejected, and a decoded one survives a round
//! trip. The values of a slice are decoded as each dtype or rejected, and decoded values survive a round trip.
#![no_main]

use std::ops::Range;

use ckptfs::format::v1::{Coding, Form, Meta, Slice, VarintIndex, encode_numbers, encode_strings, strings};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|value: &[u8]| {
    if let Ok(meta) = Meta::decode(value) {
        assert_eq!(Meta::decode(&meta.encode()), Ok(meta));
    }
    let mut window = value;
    let Ok(slice) = Slice::locate(&mut window, 0..value.len() as u64) else { return };
    (0..34).filter_map(Coding::of).for_each(|coding| numbers(value, &slice, coding));
    if let Ok(found) = strings(&value[within(&slice.tensor)], slice.tensor.start) {
        assert_eq!(strings(&encode_strings(&found), 0), Ok(found));
    }
});

fn numbers(value: &[u8], slice: &Slice, coding: &Coding) {
    let mut window = value;
    let Ok((run, form)) = slice.run(&mut window, coding) else { return };
    let bytes = &value[within(&run)];
    let Ok(elements) = coding.decode(bytes, run.start) else { return };
    if form == coding.form && elements.len() % coding.width == 0 {
        let again = Slice::encode(&slice.name, &slice.extents, &encode_numbers(coding, &elements));
        assert_eq!(decoded(&again, coding), elements);
    }
    if form != Form::Raw {
        let mut starts = VarintIndex::every(3, run.start);
        starts.pass(bytes);
        starts.finish((elements.len() / coding.width) as u64).expect("what decodes is whole");
    }
}

fn decoded(value: &[u8], coding: &Coding) -> Vec<u8> {
    let mut window = value;
    let slice = Slice::locate(&mut window, 0..value.len() as u64).expect("what was written is found");
    let (run, _) = slice.run(&mut window, coding).expect("its numbers too");
    coding.decode(&value[within(&run)], run.start).expect("and decoded")
}

fn within(range: &Range<u64>) -> Range<usize> {
    range.start as usize..range.end as usize
}
