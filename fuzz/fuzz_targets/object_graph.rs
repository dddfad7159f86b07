//! The fuzz target for object graphs: each is decoded or rejected. A decoded graph survives a round trip, and it
//! gives each checkpoint key in it a different name.
#![no_main]

use std::collections::{BTreeSet, HashSet};

use ckptfs::format::object_graph::{self, ObjectGraph};
use ckptfs::graph::Graph;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(objects) = object_graph::decode(bytes) else { return };
    let written = object_graph::encode(&objects);
    let again = object_graph::decode(&written).expect("what was written decodes");
    assert_eq!(again, objects);
    assert_eq!(object_graph::encode(&again), written);
    check_names(&objects);
});

fn check_names(objects: &ObjectGraph) {
    let graph = Graph::new(objects.clone());
    let attributes = objects.nodes.iter().flat_map(|node| &node.attributes);
    let mut keys: BTreeSet<&[u8]> = attributes.map(|attribute| attribute.checkpoint_key.as_bytes()).collect();
    keys.insert(b"a/.ATTRIBUTES/VARIABLE_VALUE");
    keys.insert(b"a/.OPTIMIZER_SLOT/optimizer/m/.ATTRIBUTES/VARIABLE_VALUE");
    keys.remove(&b""[..]);
    let keys: Vec<&[u8]> = keys.into_iter().collect();
    let names = graph.names(&keys);
    let visible: HashSet<&[u8]> = names.iter().map(|name| &name.visible[..]).collect();
    assert_eq!(visible.len(), keys.len());
    for node in 0..objects.nodes.len() {
        if let Some(path) = graph.path(node) {
            assert_eq!(graph.resolve(&path), Some(node), "{path}");
        }
    }
}
