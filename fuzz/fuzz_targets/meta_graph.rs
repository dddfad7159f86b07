//! The variables of a program, and the nodes of its graph that hold them, are read or refused: each variable once, and
//! never is more asked for than there is.
#![no_main]

use std::collections::HashSet;

use ckptfs::format::{Malformed, meta_graph};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    let read = |at: u64, len: usize| Ok::<_, Malformed>(file[at as usize..][..len].to_vec());
    let _ = meta_graph::nodes::decode(file.len() as u64, read);
    let Ok(variables) = meta_graph::decode(file.len() as u64, read) else { return };
    let names: HashSet<_> = variables.iter().map(|variable| &variable.name).collect();
    assert_eq!(names.len(), variables.len());
});
