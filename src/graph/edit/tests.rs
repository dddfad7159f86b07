use proptest::prelude::*;

use crate::format::object_graph::tests::{FIXTURES, any_graph, fixture};
use crate::format::object_graph::{Attribute, Node, ObjectGraph, Slot};
use crate::graph::edit::*;

const VALUE: &str = "/.ATTRIBUTES/VARIABLE_VALUE";

fn keys_of(name: &str) -> Vec<String> {
    std::fs::read_to_string(format!("tests/fixtures/tf-2.21/graphs/{name}.keys"))
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

/// The result of an edit, and the keys before it.
#[derive(Debug)]
struct Edited {
    rewrite: Rewrite,
    keys: Vec<String>,
}

impl std::ops::Deref for Edited {
    type Target = Rewrite;
    fn deref(&self) -> &Rewrite {
        &self.rewrite
    }
}

fn edited(fixture_name: &str, wish: impl Fn(&mut Edit) -> Result<(), Error>) -> Result<Edited, Vec<Error>> {
    let graph = Graph::decode(&fixture(fixture_name)).unwrap();
    let keys = keys_of(fixture_name);
    let mut edit = Edit::new(&graph);
    wish(&mut edit).map_err(|error| vec![error])?;
    let rewrite = edit.finish(&keys.iter().map(|key| key.as_bytes()).collect::<Vec<_>>())?;
    assert_agrees(&rewrite);
    Ok(Edited { rewrite, keys })
}

/// Checks that every node with keys is reachable, that its keys are in the bundle, and that they match its path.
fn assert_agrees(rewrite: &Rewrite) {
    assert_eq!(Graph::decode(&rewrite.graph_bytes).unwrap().objects, rewrite.graph.objects);
    let slots: HashSet<_> =
        rewrite.graph.objects.nodes.iter().flat_map(|n| &n.slots).map(|s| s.variable).collect();
    let keys: HashSet<_> = all_keys(rewrite).into_iter().collect();
    for (id, node) in rewrite.graph.objects.nodes.iter().enumerate() {
        for attribute in &node.attributes {
            let (path, _) = attribute.checkpoint_key.split_once("/.ATTRIBUTES/").unwrap();
            assert!(slots.contains(&id) || rewrite.graph.resolve(path) == Some(id), "{path}");
            let begins_so = |key: &String| key.starts_with(&format!("{path}/.ATTRIBUTES/"));
            assert!(keys.iter().any(begins_so), "{path}");
        }
    }
}

fn all_keys(rewrite: &Rewrite) -> Vec<String> {
    let keys = rewrite.keys.iter().chain(&rewrite.aliases).chain(&rewrite.made);
    keys.map(|Rekeyed { key, .. }| String::from_utf8(key.clone()).unwrap()).collect()
}

/// Returns a key without the value separator and attribute.
fn stem(key: &[u8]) -> String {
    String::from_utf8(key.to_vec()).unwrap().replace(VALUE, "")
}

/// Returns the keys that changed, without the value suffix. The new key is `None` if the value was removed.
fn changes(edited: &Edited) -> Vec<(String, Option<String>)> {
    let changed = edited.keys.iter().enumerate().map(|(at, old)| {
        let new = edited.rewrite.keys.iter().find(|rekeyed| rekeyed.from == at);
        (stem(old.as_bytes()), new.map(|rekeyed| stem(&rekeyed.key)))
    });
    changed.filter(|(old, new)| Some(old) != new.as_ref()).collect()
}

fn to(old: &str, new: &str) -> (String, Option<String>) {
    (old.to_owned(), Some(new.to_owned()))
}

#[test]
fn an_edit_without_requests_changes_nothing() {
    for name in FIXTURES {
        let rewrite = edited(name, |_| Ok(())).unwrap();
        assert!(rewrite.graph_bytes == fixture(name), "{name}");
        assert_eq!((changes(&rewrite), &rewrite.aliases), (vec![], &vec![]));
    }
}

#[test]
fn a_renamed_attribute_renames_its_keys_and_slots() {
    let rewrite = edited("modules", |edit| edit.rename("net/shared/w", "net/shared/kernel")).unwrap();
    assert_eq!(
        changes(&rewrite),
        [
            to("net/shared/w", "net/shared/kernel"),
            to("net/shared/w/.OPTIMIZER_SLOT/trainer/m", "net/shared/kernel/.OPTIMIZER_SLOT/trainer/m"),
            to("net/shared/w/.OPTIMIZER_SLOT/trainer/v", "net/shared/kernel/.OPTIMIZER_SLOT/trainer/v"),
        ]
    );
    assert_eq!(rewrite.graph.resolve("net/layers/0/kernel"), rewrite.graph.resolve("net/shared/kernel"));
    assert_eq!(rewrite.graph.resolve("net/layers/0/w"), None);
}

#[test]
fn a_renamed_optimizer_changes_the_middle_of_its_slots() {
    let rewrite = edited("modules", |edit| edit.rename("trainer", "state/opt")).unwrap();
    let slot = changes(&rewrite)
        .into_iter()
        .find(|(old, _)| old == "net/shared/b/.OPTIMIZER_SLOT/trainer/m")
        .unwrap();
    assert_eq!(slot.1.unwrap(), "net/shared/b/.OPTIMIZER_SLOT/state/opt/m");
    assert_eq!(changes(&rewrite).len(), 6);
}

#[test]
fn a_key_stays_as_long_as_its_path_exists() {
    let rewrite = edited("keras3_compiled", |edit| edit.rename("model", "net")).unwrap();
    let functional = |name: &str, leaf: &str| format!("{name}/_functional/_operations/2/{leaf}");
    let moved = ["moving_mean", "moving_variance"]
        .map(|leaf| to(&functional("model", leaf), &functional("net", leaf)));
    assert_eq!(changes(&rewrite), moved);
}

#[test]
fn a_claimed_path_becomes_the_path_in_the_key() {
    let (old, new) = ("model/_functional/_operations/1/_kernel", "model/_functional/_operations/1/w");
    let rewrite = edited("keras3_compiled", |edit| {
        let kernel = edit.source.resolve(old).unwrap();
        edit.claim(kernel, new);
        edit.rename(old, new)
    });
    assert_eq!(changes(&rewrite.unwrap()), [to("optimizer/_trainable_variables/0", new)]);
}

#[test]
fn two_layers_swap() {
    let rewrite = edited("keras2_weights", |edit| {
        for (from, to) in [("0", "1"), ("1", "0")] {
            edit.rename(&format!("layer_with_weights-{from}"), &format!("layer_with_weights-{to}"))?;
            edit.rename(&format!("layer-{from}"), &format!("layer-{to}"))?;
        }
        Ok(())
    })
    .unwrap();
    assert!(changes(&rewrite).contains(&to("layer_with_weights-0/kernel", "layer_with_weights-1/kernel")));
    assert!(changes(&rewrite).contains(&to("layer_with_weights-1/kernel", "layer_with_weights-0/kernel")));
    assert_eq!(changes(&rewrite).len(), 12);
}

#[test]
fn an_object_can_move_below_its_own_name() {
    let rewrite = edited("containers", |edit| edit.rename("nested", "nested/deeper/one")).unwrap();
    assert!(changes(&rewrite).contains(&to("nested/y/1/z", "nested/deeper/one/y/1/z")));
    let made = rewrite.graph.resolve("nested/deeper").unwrap();
    assert_eq!(rewrite.graph.objects.nodes[made].has_checkpoint_values, Some(true));
}

#[test]
fn keys_of_tables_and_iterators_get_the_new_path() {
    let rewrite = edited("containers", |edit| {
        edit.rename("table", "lookup/words")?;
        edit.rename("iterator", "input")
    })
    .unwrap();
    let table =
        |name: &str| to(&format!("table/.ATTRIBUTES/{name}"), &format!("lookup/words/.ATTRIBUTES/{name}"));
    let iterator = to("iterator/.ATTRIBUTES/ITERATOR_STATE", "input/.ATTRIBUTES/ITERATOR_STATE");
    assert_eq!(changes(&rewrite), [iterator, table("table-keys"), table("table-values")]);
}

#[test]
fn names_with_dots_and_slashes_are_escaped_on_both_sides() {
    let rewrite = edited("modules", |edit| edit.rename("net/extra/a.Sb", "net/c..d.Se")).unwrap();
    assert_eq!(
        changes(&rewrite),
        [to("net/extra/a.Sb/b", "net/c..d.Se/b"), to("net/extra/a.Sb/w", "net/c..d.Se/w")]
    );
    let net = rewrite.graph.resolve("net").unwrap();
    assert!(rewrite.graph.child(net, "c.d/e").is_some());
}

#[test]
fn dropping_the_optimizer_of_a_compiled_keras_3_model_leaves_the_weights() {
    let rewrite = edited("keras3_compiled", |edit| {
        edit.drop_path("optimizer")?;
        edit.drop_path("model/optimizer")
    })
    .unwrap();
    let changes = changes(&rewrite);
    assert!(
        changes.contains(&to("optimizer/_trainable_variables/0", "model/_functional/_operations/1/_kernel"))
    );
    assert_eq!(changes.iter().filter(|(_, new)| new.is_none()).count(), 14);
    assert!(
        changes.iter().filter(|(_, new)| new.is_none()).all(|(old, _)| !old.contains("_trainable_variables"))
    );
}

#[test]
fn a_dropped_layer_drops_its_slots_and_leaves_no_node_with_values() {
    let rewrite = edited("keras2_weights", |edit| {
        edit.drop_path("layer_with_weights-1")?;
        edit.drop_path("layer-1")
    })
    .unwrap();
    assert_eq!(changes(&rewrite).len(), 6);
    let optimizer = rewrite.graph.resolve("optimizer").unwrap();
    assert_eq!(rewrite.graph.objects.nodes[optimizer].slots.len(), 4);
    let bare = |graph: &Graph| {
        graph
            .objects
            .nodes
            .iter()
            .filter(|node| node.attributes.is_empty() && node.children.is_empty())
            .count()
    };
    let source = Graph::decode(&fixture("keras2_weights")).unwrap();
    assert_eq!(bare(&rewrite.graph), bare(&source) + 1 + 2 + 4);
    assert_eq!(rewrite.graph.objects.nodes.len(), source.objects.nodes.len());
}

#[test]
fn one_path_of_a_shared_object_can_be_dropped() {
    let rewrite = edited("modules", |edit| edit.drop_path("net/shared")).unwrap();
    assert!(changes(&rewrite).contains(&to("net/shared/w", "net/layers/0/w")));
    assert!(changes(&rewrite).iter().all(|(_, new)| new.is_some()));
}

#[test]
fn a_single_slot_can_be_dropped() {
    let rewrite = edited("modules", |edit| {
        let trainer = edit.source.resolve("trainer").unwrap();
        edit.drop_slot(edit.source.objects.nodes[trainer].slots[0].variable);
        Ok(())
    })
    .unwrap();
    assert_eq!(changes(&rewrite), [("net/shared/w/.OPTIMIZER_SLOT/trainer/m".to_owned(), None)]);
}

#[test]
fn an_alias_has_its_own_nodes_keys_and_slots() {
    let rewrite = edited("modules", |edit| edit.alias("net/shared", "copy/of")).unwrap();
    assert_eq!(changes(&rewrite), []);
    let aliases = rewrite.aliases.iter();
    let aliases: Vec<_> =
        aliases.map(|alias| (stem(rewrite.keys[alias.from].as_bytes()), stem(&alias.key))).collect();
    let alias = |rest: &str| (format!("net/shared/{rest}"), format!("copy/of/{rest}"));
    let slots = ["b/.OPTIMIZER_SLOT/trainer/m", "b/.OPTIMIZER_SLOT/trainer/v", "w/.OPTIMIZER_SLOT/trainer/m"];
    assert_eq!(aliases[0], alias("b"));
    assert!(slots.iter().all(|slot| aliases.contains(&alias(slot))), "{aliases:?}");
    assert_eq!(aliases.len(), 6);
    assert_ne!(rewrite.graph.resolve("copy/of/w"), rewrite.graph.resolve("net/shared/w"));
}

#[test]
fn an_aliased_optimizer_keeps_slots_for_the_same_variables() {
    let rewrite = edited("modules", |edit| edit.alias("trainer", "second")).unwrap();
    let keys = all_keys(&rewrite);
    assert!(keys.contains(&format!("net/shared/w/.OPTIMIZER_SLOT/second/m{VALUE}")));
    assert!(keys.contains(&format!("second/beta1_power{VALUE}")));
    assert_eq!(rewrite.aliases.len(), 6);
}

#[test]
fn a_copy_refers_to_the_original_objects_above_it() {
    let rewrite = edited("modules", |edit| edit.alias("net/me", "other")).unwrap();
    assert_eq!(rewrite.graph.resolve("other/layers/1/w").map(|_| ()), Some(()));
    let other = rewrite.graph.resolve("other").unwrap();
    assert_eq!(rewrite.graph.child(other, "me"), Some(other));
    assert_eq!(rewrite.graph.child(ROOT, "net"), rewrite.graph.resolve("net/me"));
}

#[test]
fn copies_do_not_contain_a_dropped_path() {
    let rewrite = edited("modules", |edit| {
        edit.alias("net/shared", "copy")?;
        edit.drop_path("net/shared/b")
    })
    .unwrap();
    assert_eq!(rewrite.graph.resolve("copy/b"), None);
    assert!(rewrite.graph.resolve("copy/w").is_some());
}

#[test]
fn a_new_full_name_renames_the_slots_too() {
    let rewrite = edited("keras2_weights", |edit| {
        let kernel = edit.source.resolve("layer-0/kernel").unwrap();
        edit.rename_full_name(kernel, "encoder/kernel");
        Ok(())
    })
    .unwrap();
    let names: HashSet<_> = rewrite
        .graph
        .objects
        .nodes
        .iter()
        .flat_map(|n| &n.attributes)
        .map(|a| a.full_name.as_str())
        .collect();
    for name in ["encoder/kernel", "Adam/encoder/kernel/m", "Adam/encoder/kernel/v", "dense_a/bias"] {
        assert!(names.contains(name), "{names:?}");
    }
    assert!(!names.contains("dense_a/kernel"));
}

#[test]
fn a_new_variable_has_its_own_path_key_and_slots() {
    let rewrite = edited("modules", |edit| {
        let made = edit.add_variable("net/shared/new/w", "w")?;
        let trainer = edit.source.resolve("trainer").unwrap();
        edit.add_slot_variable(made, trainer, "m");
        edit.link_made(made, "other/w")?;
        edit.rename("trainer", "opt")
    });
    let rewrite = rewrite.unwrap();
    let keys: Vec<_> = rewrite.made.iter().map(|made| (made.from, stem(&made.key), made.node)).collect();
    let node = rewrite.graph.resolve("net/shared/new/w");
    assert_eq!(keys[0], (0, "net/shared/new/w".into(), node));
    assert_eq!(rewrite.graph.resolve("other/w"), node);
    assert_eq!(keys[1].1, "net/shared/new/w/.OPTIMIZER_SLOT/opt/m");
    assert_eq!(rewrite.graph.slots().get(keys[1].2.unwrap()).unwrap().0, node.unwrap());
}

#[test]
fn a_new_variable_can_only_take_a_free_place() {
    let made = |wish: fn(&mut Edit) -> Result<(), Error>| edited("modules", wish);
    let rewrite = made(|edit| {
        edit.rename("net/shared/w", "net/shared/old")?;
        edit.add_variable("net/shared/w", "w").map(|_| ())
    });
    assert_eq!(rewrite.unwrap().made.len(), 1);
    let errors = made(|edit| edit.add_variable("net/shared/w", "w").map(|_| ())).unwrap_err();
    assert_eq!(errors, [Error::Occupied { path: "net/shared/w".into() }]);
}

#[test]
fn error_messages_name_the_path() {
    let said = |wish: fn(&mut Edit) -> Result<(), Error>| edited("modules", wish).unwrap_err()[0].to_string();
    assert_eq!(
        said(|edit| edit.rename("net/share/w", "x")),
        r#"path "net/share/w" does not exist: net has no "share"; nearest: shared"#
    );
    assert_eq!(
        said(|edit| edit.rename("net/shared/w", "net/shared/b")),
        r#"cannot rename "net/shared/w" to "net/shared/b": "net/shared/b" already exists"#
    );
    assert_eq!(said(|edit| edit.drop_path("")), r#"invalid path "": the root has no name"#);
    assert_eq!(said(|edit| edit.rename("net", "a//b")), r#"invalid path "a//b": a name is empty"#);
    assert_eq!(
        said(|edit| edit.rename("net", "a.b")),
        r#"invalid path "a.b": a component is not a valid escaped name"#
    );
    assert!(said(|edit| edit.rename("net", "x..ATTRIBUTES")).contains("TensorFlow cannot restore"));
    assert!(
        said(|edit| edit.rename("net/shared/w/.OPTIMIZER_SLOT/trainer/m", "m")).contains("a slot goes where")
    );
}

#[test]
fn all_taken_names_are_reported_together() {
    let errors = edited("modules", |edit| {
        edit.rename("net/shared", "optimizer")?;
        edit.rename("net/extra", "trainer")
    });
    assert_eq!(errors.unwrap_err().len(), 2);
}

/// Sets keys and flags as TensorFlow would have chosen them, and adds slots.
pub(crate) fn as_saved(
    mut objects: ObjectGraph,
    slots: &[(prop::sample::Index, prop::sample::Index)],
) -> ObjectGraph {
    objects.nodes.iter_mut().for_each(|node| node.slots.clear());
    let graph = Graph::new(objects.clone());
    for (id, node) in objects.nodes.iter_mut().enumerate() {
        let path = graph.path(id);
        node.attributes.retain(|_| path.is_some());
        node.attributes
            .iter_mut()
            .for_each(|a| a.checkpoint_key = format!("{}{VALUE}", path.clone().unwrap()).into());
    }
    let reached: Vec<_> = (0..objects.nodes.len()).filter(|&id| graph.path(id).is_some()).collect();
    let variables: Vec<_> =
        reached.iter().copied().filter(|&id| !objects.nodes[id].attributes.is_empty()).collect();
    for (optimizer, variable) in slots.iter().filter(|_| !variables.is_empty()) {
        let (optimizer, original) = (*optimizer.get(&reached), *variable.get(&variables));
        let (id, name) = (objects.nodes.len(), "m".to_owned());
        if objects.nodes[optimizer].slots.iter().any(|slot| slot.original == original) {
            continue;
        }
        let path = |node| graph.path(node).unwrap();
        let checkpoint_key = format!("{}/.OPTIMIZER_SLOT/{}/m{VALUE}", path(original), path(optimizer));
        objects.nodes[optimizer].slots.push(Slot {
            original,
            name: name.into(),
            variable: id,
            unknown: Vec::new(),
        });
        let attributes = vec![Attribute { checkpoint_key: checkpoint_key.into(), ..Attribute::default() }];
        objects.nodes.push(Node { attributes, ..Node::default() });
    }
    let has: Vec<_> = (0..objects.nodes.len()).map(|id| has_values(&objects, id)).collect();
    objects.nodes.iter_mut().zip(has).for_each(|(node, has)| node.has_checkpoint_values = Some(has));
    objects
}

fn has_values(objects: &ObjectGraph, from: NodeId) -> bool {
    let (mut seen, mut open) = (HashSet::new(), vec![from]);
    while let Some(node) = open.pop() {
        if seen.insert(node) {
            open.extend(objects.nodes[node].children.iter().map(|child| child.node));
        }
    }
    seen.iter().any(|&node| !objects.nodes[node].attributes.is_empty())
}

/// Returns the nodes that the root reaches, numbered in the order of a walk by sorted names, so that equal graphs
/// compare equal.
pub(crate) fn canonical(graph: &Graph) -> Vec<Node> {
    let nodes = &graph.objects.nodes;
    let (mut order, mut number) = (vec![ROOT], HashMap::from_iter([(ROOT, 0)]));
    let mut sorted = nodes.clone();
    sorted.iter_mut().for_each(|node| node.children.sort_by(|a, b| a.local_name.cmp(&b.local_name)));
    for at in 0.. {
        let Some(&node) = order.get(at) else { break };
        for child in &sorted[node].children {
            number.entry(child.node).or_insert_with(|| {
                order.push(child.node);
                order.len() - 1
            });
        }
    }
    for node in order.clone() {
        sorted[node].slots.sort_by_key(|slot| number[&slot.original]);
        for slot in &sorted[node].slots {
            number.entry(slot.variable).or_insert_with(|| {
                order.push(slot.variable);
                order.len() - 1
            });
        }
    }
    let renumbered = |node: NodeId| {
        let mut node = sorted[node].clone();
        node.children.iter_mut().for_each(|child| child.node = number[&child.node]);
        node.slots.iter_mut().for_each(|slot| {
            (slot.original, slot.variable) = (number[&slot.original], number[&slot.variable]);
        });
        node
    };
    order.iter().map(|&node| renumbered(node)).collect()
}

pub(crate) fn bundle_keys(graph: &Graph) -> Vec<String> {
    let reached = canonical(graph);
    let mut keys: Vec<_> =
        reached.iter().flat_map(|n| &n.attributes).map(|a| a.checkpoint_key.to_string()).collect();
    keys.sort();
    keys
}

/// Returns true if a path leads through an object without children: an object that gains and then loses its only
/// child is removed.
pub(crate) fn passes_by_nothing(graph: &Graph, path: &str) -> bool {
    let above = path.match_indices('/').filter_map(|(at, _)| graph.resolve(&path[..at]));
    above.into_iter().any(|node| graph.objects.nodes[node].children.is_empty())
}

fn bytes(keys: &[String]) -> Vec<&[u8]> {
    keys.iter().map(|key| key.as_bytes()).collect()
}

proptest! {
    #[test]
    fn the_inverse_of_a_rename_restores_the_graph_and_the_keys(
        objects in any_graph(),
        slots in prop::collection::vec(any::<(prop::sample::Index, prop::sample::Index)>(), 0..4),
        which in any::<prop::sample::Index>(),
        new in "[a-d]{1,2}(/[a-d]{1,2}){0,2}",
    ) {
        let graph = Graph::new(as_saved(objects, &slots));
        let paths: Vec<_> = (1..graph.objects.nodes.len()).filter_map(|id| graph.path(id)).collect();
        prop_assume!(!paths.is_empty());
        let old = which.get(&paths);
        prop_assume!(!old.split('/').any(str::is_empty) && (*old == new || graph.resolve(&new).is_none()));
        prop_assume!(!passes_by_nothing(&graph, &new));
        let keys = bundle_keys(&graph);
        let mut edit = Edit::new(&graph);
        edit.rename(old, &new).unwrap();
        let there = edit.finish(&bytes(&keys)).unwrap();
        assert_agrees(&there);
        prop_assert_eq!(there.graph.resolve(&new), graph.resolve(old));
        let mut edit = Edit::new(&there.graph);
        edit.rename(&new, old).unwrap();
        let back = edit.finish(&bytes(&all_keys(&there))).unwrap();
        assert_agrees(&back);
        prop_assert_eq!(all_keys(&back), keys);
        prop_assert_eq!(canonical(&back.graph), canonical(&graph));
    }

    #[test]
    fn any_set_of_requests_gives_a_consistent_result(
        objects in any_graph(),
        slots in prop::collection::vec(any::<(prop::sample::Index, prop::sample::Index)>(), 0..4),
        wishes in prop::collection::vec((0..3, any::<prop::sample::Index>(), "[a-d]{1,2}(/[a-d]{1,2}){0,2}"), 1..5),
    ) {
        let graph = Graph::new(as_saved(objects, &slots));
        let paths: Vec<_> = (1..graph.objects.nodes.len()).filter_map(|id| graph.path(id)).collect();
        prop_assume!(!paths.is_empty());
        let keys = bundle_keys(&graph);
        let mut edit = Edit::new(&graph);
        for (verb, which, new) in &wishes {
            let old = which.get(&paths);
            match verb {
                0 => edit.rename(old, new),
                1 => edit.alias(old, new),
                _ => edit.drop_path(old),
            }
            .unwrap();
        }
        match edit.finish(&bytes(&keys)) {
            Ok(rewrite) => {
                assert_agrees(&rewrite);
                let new = all_keys(&rewrite);
                prop_assert_eq!(new.iter().collect::<HashSet<_>>().len(), new.len());
                prop_assert!(rewrite.keys.is_sorted_by(|a, b| a.from < b.from));
                for Rekeyed { from, key, node } in rewrite.keys.iter().chain(&rewrite.aliases) {
                    prop_assert!(*from < keys.len());
                    prop_assert_eq!(rewrite.graph.owner(key), *node);
                }
            }
            Err(errors) => prop_assert!(errors.iter().all(|error| matches!(error, Error::Taken { .. })), "{errors:?}"),
        }
    }
}
