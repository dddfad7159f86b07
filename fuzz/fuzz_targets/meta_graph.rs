//! The fuzz target for MetaGraphs: the variables of a program, and the graph nodes that hold them, are read or
//! rejected. Each variable is listed once, and no read goes beyond the end of the file.
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
