use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::Index;

use crate::cache::Cache;
use crate::catalog::{Kind, Variable};
use crate::dtype::Dtype;
use crate::extent::Extent;
use crate::format::object_graph::tests::{any_graph, fixture};
use crate::format::object_graph::{Attribute, Child, Node, NodeId, ObjectGraph};
use crate::format::string_tensor;
use crate::graph::ROOT;
use crate::graph::edit::tests::{as_saved, bundle_keys, canonical, passes_by_nothing};
use crate::map::flags::Flag;
use crate::map::test_util::map;
use crate::name::Name;
use crate::remap::objects::graph_tensor::{objects, tensor};
use crate::remap::objects::*;
use crate::remap::report::Status;
use crate::remap::test_util::plan;
use crate::tensor::{Shape, Tensor};

const VALUE: &str = "/.ATTRIBUTES/VARIABLE_VALUE";

/// Returns a catalog in which the value of each key is the key itself.
fn catalog(graph: Graph, keys: &[String]) -> Catalog {
    let bytes: Vec<_> = keys.iter().map(|key| key.as_bytes()).collect();
    let variable = |(key, name): (&String, crate::graph::names::Name)| Variable {
        name: Name::from(name.visible),
        key: Some(Name::from(key.as_str())),
        plain_key: None,
        full_name: name.full_name.map(Name::from),
        tensor: Arc::new(tensor(key.as_bytes())),
        origin: None,
    };
    let mut variables: Vec<_> = keys.iter().zip(graph.names(&bytes)).map(variable).collect();
    variables.sort_by(|a, b| a.name.cmp(&b.name));
    Catalog { variables, objects: Some(objects(graph, b"")), ..Catalog::default() }
}

fn of_fixture(name: &str) -> Catalog {
    let keys = std::fs::read_to_string(format!("tests/fixtures/tf-2.21/graphs/{name}.keys")).unwrap();
    catalog(Graph::decode(&fixture(name)).unwrap(), &keys.lines().map(str::to_owned).collect::<Vec<_>>())
}

fn flags(flags: &[&str]) -> Vec<Flag> {
    let flag = |flag: &&str| match flag.split_once(' ').unwrap_or((flag, "")) {
        ("drop", pattern) => Flag::Drop(pattern.into()),
        ("keep", pattern) => Flag::Keep(pattern.into()),
        ("alias", rule) => Flag::Alias(rule.into()),
        ("drop-optimizer", _) => Flag::DropOptimizer,
        ("first", _) => Flag::CollisionFirst,
        _ => Flag::Rename(flag.to_string()),
    };
    flags.iter().map(flag).collect()
}

fn applied(name: &str, rules: &[&str]) -> (Catalog, Report) {
    let mut catalog = of_fixture(name);
    let report = apply(&map(&flags(rules), ""), &mut catalog).unwrap_or_else(|mismatch| panic!("{mismatch}"));
    assert_agrees(&catalog);
    (catalog, report)
}

fn refused(name: &str, rules: &[&str]) -> String {
    apply(&map(&flags(rules), ""), &mut of_fixture(name)).unwrap_err().to_string()
}

/// Checks that the graph in the catalog knows every key, and that each variable is shown once.
fn assert_agrees(catalog: &Catalog) {
    let objects = catalog.objects.as_ref().unwrap();
    let graph = objects.graph.as_ref().unwrap();
    let keys: Vec<_> = catalog.variables.iter().map(|variable| variable.key().as_bytes()).collect();
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len());
    assert!(catalog.variables.is_sorted_by(|a, b| a.name < b.name));
    assert!(graph.roles(&keys).iter().all(|name| name.node.is_some()));
    assert_eq!((catalog.kind(), catalog.index.is_none()), (Kind::ObjectBased, true));
}

/// Returns `new <- key in the source` for each variable except slots.
fn shown(catalog: &Catalog) -> Vec<String> {
    let variables = catalog.variables.iter().filter(|v| !v.name.to_string().contains(".OPTIMIZER_SLOT"));
    variables.map(|v| format!("{} <- {}", v.name, value(v).replace(VALUE, ""))).collect()
}

fn value(variable: &Variable) -> String {
    let Extent::Inline(bytes) = &variable.tensor.data[0] else { panic!("not inline") };
    String::from_utf8(string_tensor::decode(bytes, 1).unwrap()[0].to_vec()).unwrap()
}

fn bytes_of(tensor: &Tensor) -> Vec<u8> {
    let mut bytes = vec![0; tensor.len() as usize];
    assert_eq!(tensor.file().read_at(&Cache::new(0), &mut bytes, 0).unwrap(), bytes.len());
    bytes
}

/// Returns the variables that differ from those without any rule.
fn changed(name: &str, catalog: &Catalog) -> Vec<String> {
    let before = shown(&of_fixture(name));
    shown(catalog).into_iter().filter(|line| !before.contains(line)).collect()
}

#[test]
fn an_object_is_renamed_by_its_path_by_its_content_and_by_what_is_in_it() {
    for rule in ["net/shared=net/first", "net/shared/**=net/first/**", "net/shared/{x}=net/first/{x}"] {
        let (catalog, report) = applied("modules", &[rule]);
        assert_eq!(
            changed("modules", &catalog),
            ["net/first/b <- net/shared/b", "net/first/w <- net/shared/w"],
            "{rule}"
        );
        assert_eq!((report.rules[0].hits, report.rules[0].followed > 0), (2, true), "{rule}");
    }
}

#[test]
fn each_of_two_paths_to_one_variable_may_be_moved_by_its_own_rule() {
    let (catalog, _) = applied("modules", &["net/layers/0=net/list", "net/shared=net/one"]);
    let graph = catalog.objects.as_ref().unwrap().graph.as_ref().unwrap();
    assert_eq!(graph.resolve("net/list/w"), graph.resolve("net/one/w"));
    assert!(graph.resolve("net/list").is_some() && graph.resolve("net/shared").is_none());
    assert_eq!(changed("modules", &catalog), ["net/list/b <- net/shared/b", "net/list/w <- net/shared/w"]);
}

#[test]
fn the_first_rule_takes_a_path_with_all_that_is_below() {
    let (catalog, report) = applied("modules", &["net/shared=a", "net/shared/w=b", "net/**=c/**"]);
    let names = shown(&catalog);
    assert!(names.contains(&"a/w <- net/shared/w".into()), "{names:?}");
    assert!(names.iter().all(|name| !name.starts_with("b ") && !name.starts_with("net/")));
    assert!(matches!(report.rules[1].status, Status::Shadowed { .. }));
    assert_eq!(report.warnings.len(), 1);
}

#[test]
fn dropping_a_keras_3_optimizer_leaves_the_weights_under_their_visible_paths() {
    for rule in ["drop optimizer/**", "drop-optimizer"] {
        let (catalog, report) = applied("keras3_compiled", &[rule]);
        assert!(
            shown(&catalog).iter().all(|name| name.starts_with("model/") || name.starts_with("save_counter"))
        );
        assert_eq!(
            report.dropped.len() + catalog.variables.len(),
            of_fixture("keras3_compiled").variables.len()
        );
        assert!(report.dropped.iter().all(|(_, rule)| rule.is_some()));
    }
}

/// Returns a compiled model whose layers are in a list that TensorFlow does not see.
fn unseen_layers() -> Catalog {
    let graph = tree(&[
        "optimizer/_variables/0",
        "optimizer/_iterations",
        "optimizer/_trainable_variables/0",
        "optimizer/_trainable_variables/1",
        "model/head",
        "save_counter",
    ]);
    let keys = bundle_keys(&graph);
    catalog(graph, &keys)
}

#[test]
fn a_drop_that_takes_weights_with_no_other_path_than_an_optimizers_is_refused() {
    let applied = |rules: &[&str]| {
        let mut catalog = unseen_layers();
        apply(&map(&flags(rules), ""), &mut catalog).map(|_| shown(&catalog).len())
    };
    for rules in [&["drop optimizer/**"][..], &["drop optimizer"], &["drop **"], &["drop *timizer/*/*"]] {
        let said = applied(rules).unwrap_err().to_string();
        assert!(said.contains("2 weights have no other path than the optimizer's list"), "{said}");
        assert!(
            said.contains("`optimizer/_trainable_variables/0`, `optimizer/_trainable_variables/1`"),
            "{said}"
        );
        assert!(said.contains("help: --drop-optimizer drops"), "{said}");
        assert!(said.contains("help: --drop 'optimizer/_trainable_variables/**' takes them"), "{said}");
    }
    for (rules, left) in [
        (&["drop-optimizer"][..], 4),
        (&["drop optimizer/**", "drop optimizer/_trainable_variables/**"], 2),
        (&["drop optimizer/_trainable_variables/*"], 4),
        (&["drop optimizer/_variables/**"], 5),
        (&["keep model/**"], 2),
    ] {
        assert_eq!(applied(rules).unwrap(), left, "{rules:?}");
    }
}

#[test]
fn the_save_counter_stays_unless_a_rule_contains_its_name() {
    let counted = |rules: &[&str]| {
        let mut catalog = counter();
        apply(&map(&flags(rules), ""), &mut catalog).unwrap();
        shown(&catalog).into_iter().find(|line| line.ends_with("<- save_counter"))
    };
    for rules in [&["**=m/**"][..], &["drop a"], &["keep a"], &["{x}=m/{x}"]] {
        assert_eq!(counted(rules).as_deref(), Some("save_counter <- save_counter"), "{rules:?}");
    }
    assert_eq!(counted(&["save_counter=n"]).as_deref(), Some("n <- save_counter"));
    assert_eq!(counted(&["drop save_counter"]), None);
}

fn counter() -> Catalog {
    let graph = tree(&["a", "b/w", "save_counter"]);
    let keys = bundle_keys(&graph);
    catalog(graph, &keys)
}

/// Returns a graph in which each of these paths leads to a variable.
fn tree(paths: &[&str]) -> Graph {
    let mut objects = ObjectGraph { nodes: vec![Node::default()], unknown: vec![] };
    for path in paths {
        let mut node = ROOT;
        for name in path.split('/') {
            let there = objects.nodes[node].children.iter().find(|child| child.local_name == name);
            node = there.map(|child| child.node).unwrap_or_else(|| {
                let new: NodeId = objects.nodes.len();
                objects.nodes.push(Node::default());
                let child = Child { node: new, local_name: name.into(), unknown: vec![] };
                objects.nodes[node].children.push(child);
                new
            });
        }
        let (name, checkpoint_key) = ("VARIABLE_VALUE".into(), format!("{path}{VALUE}"));
        objects.nodes[node].attributes.push(Attribute {
            name,
            checkpoint_key: checkpoint_key.into(),
            ..Attribute::default()
        });
    }
    Graph::new(objects)
}

#[test]
fn the_content_of_an_object_merges_into_an_existing_one() {
    let names = |rules: &[&str], paths: &[&str]| {
        let graph = tree(paths);
        let keys = bundle_keys(&graph);
        let mut catalog = catalog(graph, &keys);
        apply(&map(&flags(rules), ""), &mut catalog).unwrap_or_else(|mismatch| panic!("{mismatch}"));
        shown(&catalog)
    };
    assert_eq!(
        names(&["a/**=b/**"], &["a/x", "a/c/y", "b/z", "b/c/w"]),
        ["b/c/w <- b/c/w", "b/c/y <- a/c/y", "b/x <- a/x", "b/z <- b/z"]
    );
    assert_eq!(names(&["a/**=**"], &["a/x", "a/c/y"]), ["c/y <- a/c/y", "x <- a/x"]);
    assert_eq!(names(&["a/**=a/b/**"], &["a/x", "a/b/y"]), ["a/b/b/y <- a/b/y", "a/b/x <- a/x"]);
    assert_eq!(names(&["a/**=b/**", "b/**=a/**"], &["a/x", "b/y"]), ["a/y <- b/y", "b/x <- a/x"]);
    assert_eq!(names(&["a/**=c/**", "b/**=c/**"], &["a/x", "b/y"]), ["c/x <- a/x", "c/y <- b/y"]);
}

#[test]
fn all_impossible_names_are_reported_at_once_with_their_places() {
    let message = refused("modules", &["net/share=x", "net/extra=net/shared", "trainer=a.b"]);
    assert!(message.contains("`net/share` matched none") && message.contains("`net/shared`"), "{message}");
    assert!(
        message.contains("invalid path \"a.b\": a component is not a valid escaped name")
            && message.contains("written `..`")
    );
    let message = refused("modules", &["net/extra=net/shared"]);
    assert!(message.contains("already exists") && message.contains("--rename 'net/extra"), "{message}");
}

#[test]
fn without_the_graph_a_map_is_refused() {
    let mut catalog = of_fixture("modules");
    catalog.objects.as_mut().unwrap().graph = None;
    let mismatch = apply(&map(&flags(&["a=b"]), ""), &mut catalog).unwrap_err();
    assert!(mismatch.to_string().contains("in a data file that is missing"), "{mismatch}");
}

fn inner() -> impl Strategy<Value = String> {
    "[a-c](/[a-c]){0,2}"
}

fn rule() -> impl Strategy<Value = String> {
    let container = (inner(), "[a-d](/[a-d]){0,2}")
        .prop_map(|(from, to)| format!("rename = '{from}/**'\nto = '{to}/**'"));
    let leaf = (inner(), "[x-z]", inner(), "[x-z]")
        .prop_map(|(a, x, b, y)| format!("rename = '{a}/{x}'\nto = '{b}/{y}'"));
    let any_leaf = ("[x-z]", "[x-z]").prop_map(|(x, y)| format!("rename = '**/{x}'\nto = '**/{y}'"));
    let anywhere = ("[a-c]", "[a-d]").prop_map(|(a, b)| format!("rename = '**/{a}/**'\nto = '**/{b}/**'"));
    let lift = inner().prop_map(|from| format!("rename = '{from}/**'\nto = '**'"));
    let regex = inner().prop_map(|from| format!("rename = 're:{from}/(?<r>.*)'\nto = 'd/{{r}}'"));
    let drop = prop_oneof![
        inner().prop_map(|from| format!("drop = '{from}/**'")),
        "[x-z]".prop_map(|x| format!("drop = '**/{x}'"))
    ];
    let keep = inner().prop_map(|from| format!("keep = '{from}/**'"));
    prop_oneof![4 => container, 2 => leaf, 1 => any_leaf, 2 => anywhere, 1 => lift, 1 => regex, 1 => drop, 1 => keep]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Checks that the result is that of the name-based rules if every object has one path.
    #[test]
    fn on_a_tree_paths_are_renamed_like_names(
        names in prop::collection::btree_set("[a-c](/[a-c]){0,2}/[x-z]", 1..8),
        rules in prop::collection::vec(rule(), 1..4),
    ) {
        let text: String = rules.iter().map(|rule| format!("[[rule]]\noptional = true\n{rule}\n")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let Ok(plan) = plan(&[], &text, &names) else { return Ok(()) };
        let graph = tree(&names);
        let mut catalog = catalog(graph, &names.iter().map(|name| format!("{name}{VALUE}")).collect::<Vec<_>>());
        apply(&map(&[], &text), &mut catalog).map_err(|mismatch| TestCaseError::fail(format!("{text}{mismatch}")))?;
        assert_agrees(&catalog);
        let text_of = |name: &[u8]| String::from_utf8(name.to_vec()).unwrap();
        let expected: Vec<_> = plan.variables.iter().map(|planned| format!("{} <- {}", text_of(&planned.name), names[planned.source.unwrap()])).collect();
        prop_assert_eq!(shown(&catalog), expected, "{}", text);
        for variable in &catalog.variables {
            prop_assert_eq!(format!("{}{VALUE}", variable.name), variable.key().to_string());
        }
    }

    #[test]
    fn a_rename_and_its_inverse_give_an_equal_graph_and_equal_values(
        objects in any_graph(),
        slots in prop::collection::vec(any::<(Index, Index)>(), 0..4),
        which in any::<Index>(),
        new in "[a-d]{1,2}(/[a-d]{1,2}){0,2}",
    ) {
        let graph = Graph::new(as_saved(objects, &slots));
        let paths: Vec<_> = (1..graph.objects().nodes.len()).filter_map(|id| graph.path(id)).collect();
        prop_assume!(!paths.is_empty());
        let old = which.get(&paths);
        prop_assume!(!old.split('/').any(str::is_empty) && (*old == new || graph.resolve(&new).is_none()));
        prop_assume!(!passes_by_nothing(&graph, &new));
        let keys = bundle_keys(&graph);
        let before = catalog(graph, &keys);
        let mut catalog = before.clone();
        for (from, to) in [(old, &new), (&new, old)] {
            let rename = Flag::Rename(format!("{}={to}", crate::map::escape::escape(from)));
            apply(&map(&[rename], ""), &mut catalog).map_err(|mismatch| TestCaseError::fail(mismatch.to_string()))?;
            assert_agrees(&catalog);
        }
        prop_assert_eq!(by_value(&catalog), by_value(&before));
    }
}

/// Returns a graph regardless of the order of its nodes, with each key replaced by its value.
fn by_value(catalog: &Catalog) -> Vec<Node> {
    let values: BTreeMap<_, _> = catalog.variables.iter().map(|v| (v.key().to_string(), value(v))).collect();
    let mut nodes = canonical(catalog.objects.as_ref().unwrap().graph.as_ref().unwrap());
    for attribute in nodes.iter_mut().flat_map(|node| &mut node.attributes) {
        attribute.checkpoint_key = values[attribute.checkpoint_key.as_str()].clone().into();
        attribute.full_name = "".into();
    }
    nodes
}

/// Returns a fixture whose variables named `w`, and their slots, are matrices. The other values are scalars.
fn with_matrices(name: &str) -> Catalog {
    let mut catalog = of_fixture(name);
    for variable in &mut catalog.variables {
        let name = variable.name.to_string();
        let dims: &[u64] = if name.ends_with("/w") || name.contains("/w/") { &[2, 3] } else { &[] };
        let shape = Shape(dims.into());
        let bytes = vec![0; 4 * shape.num_elements().unwrap() as usize];
        variable.tensor = Arc::new(Tensor::new(Dtype::Float32, shape, vec![bytes.into()], None));
    }
    catalog
}

/// Returns the variables that are no longer the same float32 matrices or scalars, and the report.
fn changed_values(text: &str) -> (Vec<String>, Report) {
    let line = |v: &Variable| format!("{} {} {}", v.name, v.tensor.shape, v.tensor.dtype);
    let mut catalog = with_matrices("modules");
    let before: BTreeSet<_> = catalog.variables.iter().map(line).collect();
    let report = apply(&map(&[], text), &mut catalog).unwrap_or_else(|mismatch| panic!("{mismatch}"));
    assert_agrees(&catalog);
    (catalog.variables.iter().map(line).filter(|line| !before.contains(line)).collect(), report)
}

const TRANSPOSED: &str = "ops = [{ transpose = [1, 0] }, { cast = 'float16' }]";

#[test]
fn the_slots_of_a_converted_variable_follow_and_it_keeps_its_name() {
    let expected = [
        "net/shared/w [3, 2] float16",
        "net/shared/w/.OPTIMIZER_SLOT/trainer/m [3, 2] float32",
        "net/shared/w/.OPTIMIZER_SLOT/trainer/v [3, 2] float32",
    ];
    for pattern in ["net/shared/w", "net/shared/{x:w|v}", "net/layers/0/w"] {
        let (changed, report) = changed_values(&format!("[[rule]]\nconvert = '{pattern}'\n{TRANSPOSED}"));
        assert_eq!(changed, expected, "{pattern}");
        assert_eq!((report.rules[0].hits, report.rules[0].followed), (1, 2), "{pattern}");
    }
    let alone = format!("[[rule]]\nconvert = 'net/shared/w'\n{TRANSPOSED}\nfollow_slots = false");
    assert_eq!(changed_values(&alone).0, expected[..1]);
    let below = changed_values("[[rule]]\nconvert = 'net/shared/**'\nops = [{ cast = 'float16' }]");
    assert_eq!(below.0.iter().filter(|line| line.ends_with("float16")).count(), 6, "{:?}", below.0);
}

#[test]
fn the_ops_of_a_rule_apply_to_all_that_it_takes_or_copies() {
    let (changed, _) = changed_values(&format!(
        "[[rule]]\nrename = 'net/shared/w'\nto = 'net/first'\n{TRANSPOSED}\n[[rule]]\nconvert = 'net/layers/1/w'\nops = [{{ flip = 0 }}]"
    ));
    assert_eq!(
        changed,
        [
            "net/first [3, 2] float16",
            "net/first/.OPTIMIZER_SLOT/trainer/m [3, 2] float32",
            "net/first/.OPTIMIZER_SLOT/trainer/v [3, 2] float32",
        ]
    );
    let (changed, _) =
        changed_values(&format!("[[rule]]\nalias = 'net/shared/w'\nto = 'copy'\n{TRANSPOSED}"));
    assert_eq!(
        changed,
        [
            "copy [3, 2] float16",
            "copy/.OPTIMIZER_SLOT/trainer/m [3, 2] float32",
            "copy/.OPTIMIZER_SLOT/trainer/v [3, 2] float32",
        ]
    );
}

#[test]
fn impossible_values_are_refused_at_their_places() {
    let text = "[[rule]]\nconvert = 'net/shared/w'\nops = [{ squeeze = 0 }]\n\
                [[rule]]\nsplit = 'net/shared/w'\nto = ['a', 'b', 'c']\naxis = 0";
    let mismatch = apply(&map(&[], text), &mut with_matrices("modules")).unwrap_err();
    let whats: Vec<_> = mismatch.errors.iter().map(|error| (error.line(), error.what())).collect();
    assert_eq!(whats, [(3, "axis 0 has the size 2, not 1")]);
    assert!(mismatch.to_string().contains("for `net/shared/w` [2, 3] float32"));
}

#[test]
fn a_split_variable_leaves_its_path_and_its_slots_are_split_alike() {
    let text = "[[rule]]\nsplit = 'net/shared/{x:w|v}'\nto = ['parts/{x}1', 'net/shared/{x}']\naxis = 0";
    let (changed, report) = changed_values(text);
    let with_slots = |name: &str| {
        ["", "/.OPTIMIZER_SLOT/trainer/m", "/.OPTIMIZER_SLOT/trainer/v"]
            .map(|slot| format!("{name}{slot} [1, 3] float32"))
    };
    let expected = [with_slots("net/shared/w"), with_slots("parts/w1")].concat();
    assert_eq!(changed, expected);
    assert_eq!((report.rules[0].hits, report.rules[0].followed, report.dropped.len()), (1, 2, 0));
}

#[test]
fn a_slot_that_some_joined_variable_lacks_is_dropped_with_a_warning() {
    let text = "[[rule]]\ndrop = 'net/shared/w/.OPTIMIZER_SLOT/trainer/v'\n\
                [[rule]]\njoin = ['net/shared/w', 'net/extra/a.Sb/w']\nto = 'all'\naxis = -2";
    let (changed, report) = changed_values(text);
    assert_eq!(changed[0], "all [4, 3] float32");
    assert!(
        report.warnings.iter().any(|warning| warning.what().contains("does not follow")),
        "{}",
        report.warnings
    );
}

#[test]
fn the_first_rule_takes_a_variable_as_a_whole_or_in_parts() {
    let rename = "[[rule]]\nrename = 'net/shared/w'\nto = 'net/shared/kernel'\n";
    let split = "[[rule]]\nsplit = 'net/shared/w'\nto = ['a', 'b']\naxis = 0\n";
    let rules = |text: &str| {
        let mut catalog = with_matrices("modules");
        let report = apply(&map(&[], text), &mut catalog).unwrap();
        (catalog.variable(b"a").is_some(), report.rules.iter().map(|rule| rule.hits).collect::<Vec<_>>())
    };
    assert_eq!(rules(&format!("{split}{rename}")), (true, vec![1, 0]));
    assert_eq!(rules(&format!("{rename}{split}")), (false, vec![1, 0]));
}

#[test]
fn an_alias_of_a_split_variable_has_the_whole_value() {
    let text = "[[rule]]\nalias = 'net/shared/w'\nto = 'whole'\n[[rule]]\nsplit = 'net/shared/w'\nto = ['a', 'b']\naxis = 0";
    let (changed, _) = changed_values(text);
    for line in ["a [1, 3] float32", "b [1, 3] float32", "whole [2, 3] float32"] {
        assert!(changed.iter().any(|other| other == line), "{changed:?}");
    }
}

#[test]
fn a_variable_matched_by_its_full_name_is_split_under_all_its_paths() {
    let mut catalog = with_matrices("modules");
    let variable = catalog.variables.iter_mut().find(|variable| variable.name.as_bytes() == b"net/shared/w");
    variable.unwrap().full_name = Some("alone:0".into());
    let text = "[[rule]]\nsplit = 'alone:0'\nmatch = 'full_name'\nto = ['x/a', 'x/b']\naxis = 0";
    apply(&map(&[], text), &mut catalog).unwrap_or_else(|mismatch| panic!("{mismatch}"));
    assert_agrees(&catalog);
    assert!(catalog.variable(b"x/a").is_some() && catalog.variable(b"x/b").is_some());
    assert_eq!(catalog.graph().unwrap().resolve("net/shared/w"), None);
}

proptest! {
    /// Checks that values that are joined along their first axis and split again are unchanged, in an equivalent
    /// graph.
    #[test]
    fn a_join_and_its_split_restore_the_values(paths in proptest::collection::btree_set("[a-c]/[a-c]{1,2}/[a-c]", 2..6)) {
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let prefix_free = paths.iter().all(|a| paths.iter().all(|b| a == b || !b.starts_with(&format!("{a}/"))));
        prop_assume!(prefix_free);
        let keys: Vec<_> = paths.iter().map(|path| format!("{path}{VALUE}")).collect();
        let mut before = catalog(tree(&paths), &keys);
        for (at, variable) in before.variables.iter_mut().enumerate() {
            let data = vec![vec![at as u8; at + 1].into()];
            variable.tensor = Arc::new(Tensor::new(Dtype::Int8, Shape([at as u64 + 1].as_slice().into()), data, None));
        }
        let list = paths.iter().map(|path| format!("'{path}'")).collect::<Vec<_>>().join(", ");
        let sizes = (1..=paths.len()).map(|size| size.to_string()).collect::<Vec<_>>().join(", ");
        let mut there = before.clone();
        let join = format!("[[rule]]\njoin = [{list}]\nto = 'all/of/them'\naxis = 0");
        apply(&map(&[], &join), &mut there).unwrap_or_else(|mismatch| panic!("{mismatch}"));
        assert_agrees(&there);
        prop_assert_eq!(there.variables.len(), 1);
        let split = format!("[[rule]]\nsplit = 'all/of/them'\nto = [{list}]\nsizes = [{sizes}]\naxis = 0");
        apply(&map(&[], &split), &mut there).unwrap_or_else(|mismatch| panic!("{mismatch}"));
        assert_agrees(&there);
        for (old, new) in before.variables.iter().zip(&there.variables) {
            prop_assert_eq!((&old.name, &old.tensor.shape), (&new.name, &new.tensor.shape));
            prop_assert_eq!(bytes_of(&old.tensor), bytes_of(&new.tensor));
        }
    }
}

#[test]
fn one_rule_that_gives_many_variables_one_name_is_one_error_with_a_working_target() {
    let mut catalog = of_fixture("modules");
    let errors = apply(&map(&flags(&["net/**=a"]), ""), &mut catalog).unwrap_err().errors;
    assert_eq!(errors.len(), 1, "{errors}");
    let message = errors.to_string();
    assert!(message.contains("variables cannot be renamed") && message.contains("write `a/**`"), "{message}");
    assert!(message.lines().count() <= 12, "{message}");
}

#[test]
fn a_scope_of_full_names_selects_all_that_is_in_it_and_an_object_of_that_name_wins() {
    let full_names = |rule: &str| {
        let (catalog, report) = applied("keras2_weights", &[rule]);
        let names = catalog.variables.iter().filter_map(|variable| variable.full_name.clone());
        (names.map(|name| name.to_string()).collect::<BTreeSet<_>>(), report.rules[0].text.clone())
    };
    let scope = scope_of_full_names("keras2_weights");
    let (short, text) = full_names(&format!("{scope}=renamed"));
    assert_eq!(short, full_names(&format!("{scope}/**=renamed/**")).0);
    assert_eq!(text, format!("rename '{scope}/**' -> 'renamed/**'"));
    assert!(short.iter().any(|name| name.starts_with("renamed/")), "{short:?}");
    let (_, report) = applied("modules", &["net=model"]);
    assert_eq!(report.rules[0].text, "rename 'net' -> 'model'");
}

#[test]
fn a_layer_is_selected_by_its_name_below_that_of_the_model() {
    let layered = |rule: &str| {
        let mut catalog = with_matrices("modules");
        for (variable, full_name) in catalog.variables.iter_mut().zip(["model/dense_1/w", "model/dense/w"]) {
            variable.full_name = Some(full_name.into());
        }
        let report =
            apply(&map(&flags(&[rule]), ""), &mut catalog).map_err(|mismatch| mismatch.to_string())?;
        Ok::<_, String>(report.rules[0].text.clone())
    };
    assert_eq!(layered("dense_1=dense_7").unwrap(), "rename 'model/dense_1/**' -> 'model/dense_7/**'");
    assert!(layered("dense_2=x").unwrap_err().contains("`dense_2` matched none"));
}

/// Returns a first component of full names that no path begins with.
fn scope_of_full_names(name: &str) -> String {
    let catalog = of_fixture(name);
    let graph = catalog.objects.as_ref().unwrap().graph.clone().unwrap();
    let names = catalog.variables.iter().filter_map(|variable| variable.full_name.clone());
    let scopes = names.filter_map(|name| Some(name.to_string().split_once('/')?.0.to_owned()));
    scopes.filter(|scope| graph.resolve(scope).is_none()).min().unwrap()
}
