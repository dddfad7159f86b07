#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may panic"
)]

use proptest::prelude::*;

use crate::format::object_graph::*;

/// The object graphs of real checkpoints. `scripts/make_graph_fixtures.py` explains the purpose of each.
pub(crate) const FIXTURES: &[&str] = &[
    "containers",
    "keras2_weights",
    "keras3_compiled",
    "keras3_subclassed",
    "modules",
    "root_optimizer",
    "root_variable",
];

pub(crate) fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("tests/fixtures/tf-2.21/graphs/{name}.pb")).unwrap()
}

/// Generates any graph that has the invariants. Most of its nodes are reachable.
pub(crate) fn any_graph() -> impl Strategy<Value = ObjectGraph> {
    (2usize..12).prop_flat_map(|count| {
        let name = || "[a-c_.]{1,2}|[0-3]|optimizer|_trainable_variables|_variables|_iterations";
        let tree: Vec<_> = (1..count).map(|node| (0..node, (Just(node), name()))).collect();
        let edge = (0..count, name());
        let edges = prop::collection::vec((0..count, edge), 0..count * 2);
        let owned = prop::collection::vec(("[a-c]?", "[a-c/]{0,3}", any::<bool>()), count);
        let slots = prop::collection::vec((0..count, 0..count, "[mv]", 0..count), 0..3);
        (tree, edges, owned, slots)
            .prop_map(|(tree, edges, owned, slots)| build([tree, edges].concat(), owned, slots))
    })
}

type Edge = (NodeId, (NodeId, String));

fn build(
    edges: Vec<Edge>,
    owned: Vec<(String, String, bool)>,
    slots: Vec<(NodeId, NodeId, String, NodeId)>,
) -> ObjectGraph {
    let mut nodes = vec![Node::default(); owned.len()];
    for (parent, (node, local_name)) in edges {
        if nodes[parent].children.iter().all(|child| child.local_name != local_name) {
            nodes[parent].children.push(Child { node, local_name: local_name.into(), ..Child::default() });
        }
    }
    for (id, (path, full_name, is_variable)) in owned.into_iter().enumerate().filter(|(_, (_, _, is))| *is) {
        let attribute = Attribute {
            name: "VARIABLE_VALUE".into(),
            full_name: full_name.into(),
            checkpoint_key: format!("{path}{id}/.ATTRIBUTES/VARIABLE_VALUE").into(),
            unknown: Vec::new(),
        };
        nodes[id].attributes.push(attribute);
        nodes[id].has_checkpoint_values = Some(is_variable);
    }
    for (optimizer, original, name, variable) in slots {
        nodes[optimizer].slots.push(Slot { original, name: name.into(), variable, unknown: Vec::new() });
    }
    ObjectGraph { nodes, unknown: Vec::new() }
}

#[test]
fn graphs_of_tensorflow_survive_a_round_trip_byte_for_byte() {
    for name in FIXTURES {
        let bytes = fixture(name);
        assert!(encode(&decode(&bytes).unwrap()) == bytes, "{name}");
    }
}

#[test]
fn every_fixture_is_listed() {
    let files = std::fs::read_dir("tests/fixtures/tf-2.21/graphs").unwrap().map(|file| file.unwrap().path());
    let mut stems: Vec<_> =
        files.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    stems.sort();
    stems.dedup();
    assert_eq!(stems, FIXTURES);
}

#[test]
fn fields_are_read_in_any_order_and_written_in_field_order() {
    let node = [0x0a, 5, 0x12, 1, b'a', 0x08, 1];
    let bytes = [&[0x0a, 7][..], &node, &[0x0a, 0]].concat();
    let graph = decode(&bytes).unwrap();
    assert_eq!(graph.nodes[0].children[0], Child { node: 1, local_name: "a".into(), unknown: Vec::new() });
    assert_eq!(encode(&graph), [&[0x0a, 7, 0x0a, 5, 0x08, 1, 0x12, 1, b'a'][..], &[0x0a, 0]].concat());
}

#[test]
fn unknown_fields_are_kept_in_every_message() {
    let unknown = [0xa2, 0x06, 2, b'n', b'o'];
    let message = |number: u32, inner: &[u8]| {
        let mut out = Vec::new();
        put_bytes(&mut out, number, &[inner, &unknown].concat());
        out
    };
    let parts =
        [message(1, &[]), message(2, &[0x0a, 1, b'V']), message(3, &[0x12, 1, b'm']), message(4, &[])];
    let bytes = [message(1, &[&parts.concat()[..], &[0x2a, 0]].concat()), unknown.to_vec()].concat();
    let graph = decode(&bytes).unwrap();
    assert_eq!(graph.nodes[0].has_checkpoint_values, Some(false));
    assert_eq!(encode(&graph), bytes);
}

#[test]
fn a_graph_tensorflow_would_misread_is_malformed_and_the_node_is_named() {
    let graph = |children: &[(u64, &str)]| {
        let mut node = Vec::new();
        for (id, name) in children {
            let mut child = Vec::new();
            put_int(&mut child, 1, *id);
            put_bytes(&mut child, 2, name.as_bytes());
            put_bytes(&mut node, 1, &child);
        }
        let mut out = Vec::new();
        put_bytes(&mut out, 1, &[]);
        put_bytes(&mut out, 1, &node);
        out
    };
    for (bytes, what) in [
        (graph(&[(2, "a")]), "node 1: node id 2 of 2 nodes"),
        (graph(&[(u64::MAX, "a")]), "node 1: node id -1 of 2 nodes"),
        (graph(&[((1 << 32) + 1, "a")]), "node 1: node id 4294967297 of 2 nodes"),
        (graph(&[(0, "a"), (1, "b"), (1, "a")]), "node 1: two children called \"a\""),
        (vec![0x0a, 6, 0x0a, 4, 0x12, 2, 0xff, 0xff], "node 0: field 2: not UTF-8"),
        (vec![], "object graph without a root"),
    ] {
        assert_eq!(decode(&bytes).unwrap_err().what, what);
    }
}

#[test]
fn a_graph_truncated_at_any_length_is_another_graph_or_malformed() {
    let bytes = fixture("modules");
    let whole = decode(&bytes).unwrap();
    for len in 0..bytes.len() {
        assert!(
            decode(&bytes[..len]).is_ok_and(|graph| graph != whole) || decode(&bytes[..len]).is_err(),
            "{len}"
        );
    }
}

proptest! {
    #[test]
    fn decode_undoes_encode(graph in any_graph()) {
        prop_assert_eq!(decode(&encode(&graph)).unwrap(), graph);
    }

    #[test]
    fn a_flipped_bit_is_refused_or_read_but_never_a_panic(at in 0usize..2161, bit in 0u8..8) {
        let mut bytes = fixture("modules");
        bytes[at] ^= 1 << bit;
        if let Ok(graph) = decode(&bytes) {
            prop_assert!(decode(&encode(&graph)).unwrap() == graph);
        }
    }
}
