use proptest::prelude::*;

use crate::format::object_graph::tests::{FIXTURES, any_graph, fixture};
use crate::format::object_graph::{Child, Node, ObjectGraph};
use crate::graph::names::*;

fn named(name: &str) -> Vec<(String, String, NameRole, bool)> {
    let graph = Graph::decode(&fixture(name)).unwrap();
    let text = std::fs::read_to_string(format!("tests/fixtures/tf-2.21/graphs/{name}.keys")).unwrap();
    let keys: Vec<&[u8]> = text.lines().map(str::as_bytes).collect();
    let names = graph.names(&keys);
    let visible = |name: &Name| String::from_utf8(name.visible.clone()).unwrap();
    text.lines().zip(&names).map(|(k, n)| (k.to_owned(), visible(n), n.role, n.optimizer_state)).collect()
}

/// Returns the name of each key that begins with `keys`.
fn names_of(fixture: &str, keys: &str) -> Vec<String> {
    named(fixture)
        .into_iter()
        .filter(|(key, ..)| key.starts_with(keys))
        .map(|(_, visible, ..)| visible)
        .collect()
}

#[test]
fn the_weights_of_a_compiled_keras_3_model_are_named_by_the_models_path_to_them() {
    assert_eq!(
        names_of("keras3_compiled", "optimizer/_trainable_variables/"),
        ["1/_kernel", "1/bias", "2/gamma", "2/beta", "3/_kernel", "3/bias"]
            .map(|p| format!("model/_functional/_operations/{p}"))
    );
}

#[test]
fn optimizer_state_is_named_by_its_full_name() {
    assert_eq!(
        names_of("keras3_compiled", "optimizer/_variables/10"),
        ["adam/sequential_dense_b_kernel_momentum"]
    );
    assert_eq!(names_of("keras2_weights", "optimizer/iter"), ["Adam/iter"]);
    assert_eq!(names_of("modules", "trainer/beta1"), ["beta1_power"]);
    assert_eq!(names_of("modules", "optimizer/loss_scale/good"), ["good_steps"]);
    assert_eq!(names_of("root_variable", "/"), ["alone"]);
}

#[test]
fn a_shared_full_name_is_replaced_by_the_key() {
    let expected: Vec<_> = (2..6).map(|n| format!("optimizer/_trainable_variables/{n}")).collect();
    assert_eq!(names_of("keras3_subclassed", "optimizer/_trainable_variables/"), expected);
}

#[test]
fn outside_optimizers_the_name_is_the_path_in_the_key() {
    for (fixture, keys) in
        [("modules", "net/"), ("containers", ""), ("keras2_weights", "layer"), ("root_optimizer", "")]
    {
        for (key, visible, ..) in named(fixture).into_iter().filter(|(key, ..)| key.starts_with(keys)) {
            assert_eq!(visible, key.strip_suffix("/.ATTRIBUTES/VARIABLE_VALUE").unwrap_or(&key));
        }
    }
}

#[test]
fn each_key_has_its_role() {
    let roles = |fixture, start: &str| -> Vec<(NameRole, bool)> {
        let named = named(fixture).into_iter().filter(|(key, ..)| key.starts_with(start));
        named.map(|(_, _, role, state)| (role, state)).collect()
    };
    assert_eq!(roles("containers", "table"), [(NameRole::Other, false); 2]);
    assert_eq!(roles("containers", "iterator"), [(NameRole::Other, false)]);
    assert_eq!(
        roles("modules", "net/shared/w"),
        [
            (NameRole::Variable, false),
            (NameRole::Slot { of: Some(9) }, true),
            (NameRole::Slot { of: Some(9) }, true)
        ]
    );
    assert_eq!(roles("keras3_compiled", "optimizer/_trainable"), [(NameRole::Variable, false); 6]);
    assert_eq!(roles("keras3_compiled", "optimizer/_variables"), [(NameRole::Variable, true); 12]);
    assert_eq!(roles("keras3_subclassed", "optimizer/_trainable"), [(NameRole::Variable, false); 4]);
}

#[test]
fn a_slot_is_named_below_its_variable_even_if_the_variable_is_not_named_by_its_key() {
    let graph = Graph::decode(&fixture("modules")).unwrap();
    let mut objects = graph.objects.clone();
    let node = graph.resolve("net/shared/w").unwrap();
    objects.nodes[ROOT].children.push(Child { node, local_name: "short".into(), ..Child::default() });
    let graph = Graph::new(objects);
    let keys: Vec<_> = graph.attributes().map(|(_, a)| a.checkpoint_key.as_bytes()).collect();
    let visible: Vec<_> =
        graph.names(&keys).into_iter().map(|n| String::from_utf8(n.visible).unwrap()).collect();
    for name in ["short", "short/.OPTIMIZER_SLOT/trainer/m", "short/.OPTIMIZER_SLOT/trainer/v"] {
        assert!(visible.iter().any(|v| v == name), "{visible:?}");
    }
    assert!(!visible.iter().any(|v| v.starts_with("net/shared/w")), "{visible:?}");
}

#[test]
fn a_named_path_is_preferred_to_a_numbered_one_of_the_same_length() {
    let mut objects = ObjectGraph::default();
    let edge = |node, name: &str| Child { node, local_name: name.into(), ..Child::default() };
    let node = |children: Vec<Child>| Node { children, ..Node::default() };
    objects.nodes.push(node(vec![edge(1, "_layers"), edge(2, "list"), edge(3, "encoder")]));
    objects.nodes.extend([node(vec![edge(4, "0")]), node(vec![edge(4, "1")]), node(vec![edge(4, "kernel")])]);
    objects.nodes.push(Node { attributes: vec![value("_layers/0")], ..Node::default() });
    let graph = Graph::new(objects);
    assert_eq!(graph.names(&[b"_layers/0/.ATTRIBUTES/VARIABLE_VALUE"])[0].visible, b"encoder/kernel");
    assert_eq!(graph.path(4).as_deref(), Some("_layers/0"));
}

#[test]
fn a_path_too_long_for_a_file_system_is_replaced_by_the_key() {
    let mut objects = ObjectGraph::default();
    for next in 1..50_000 {
        let children = vec![Child { node: next, local_name: "deeper".into(), ..Child::default() }];
        objects.nodes.push(Node { children, ..Node::default() });
    }
    objects.nodes.push(Node { attributes: vec![value("x")], ..Node::default() });
    let graph = Graph::new(objects);
    assert_eq!(graph.names(&[b"x/.ATTRIBUTES/VARIABLE_VALUE"])[0].visible, b"x");
    assert!(graph.paths(49_999, 3).is_empty());
}

pub(super) fn value(path: &str) -> Attribute {
    let checkpoint_key = format!("{path}{ATTRIBUTES}{VARIABLE_VALUE}");
    Attribute { name: VARIABLE_VALUE.into(), checkpoint_key: checkpoint_key.into(), ..Attribute::default() }
}

fn all_names_differ(graph: &Graph, keys: &[&[u8]]) -> bool {
    let names = graph.names(keys);
    let visible: HashSet<_> = names.iter().map(|name| name.visible.as_slice()).collect();
    visible.len() == keys.len() && !visible.contains(&[][..]) && names == graph.names(keys)
}

#[test]
fn all_names_in_real_graphs_differ() {
    for name in FIXTURES {
        let visible: HashSet<_> = named(name).into_iter().map(|(_, visible, ..)| visible).collect();
        assert_eq!(visible.len(), named(name).len(), "{name}");
    }
}

proptest! {
    #[test]
    fn all_names_differ_for_any_graph_and_keys(
        graph in any_graph(),
        extra in prop::collection::btree_set("[abc/.]{1,3}(/.ATTRIBUTES/(VARIABLE_VALUE|X))?|a/.OPTIMIZER_SLOT/a/m", 0..6),
    ) {
        let graph = Graph::new(graph);
        let own: Vec<String> = graph.attributes().map(|(_, a)| a.checkpoint_key.to_string()).collect();
        let all: std::collections::BTreeSet<&[u8]> = own.iter().chain(&extra).map(|key| key.as_bytes()).collect();
        let keys: Vec<&[u8]> = all.into_iter().collect();
        prop_assert!(all_names_differ(&graph, &keys), "{:?}", graph.names(&keys));
    }
}
