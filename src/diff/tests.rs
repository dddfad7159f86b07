use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::catalog::{H5Layout, NativeFormat, Objects};
use crate::diff::restore::{Api, Effect, Stop};
use crate::diff::silent::WrongKind;
use crate::dtype::Dtype;
use crate::format::object_graph::{Attribute, Child, Node, ObjectGraph, Slot};
use crate::graph::Graph;
use crate::tensor::{Shape, Tensor};

fn variable(name: &str, dtype: Dtype, dims: &[u64]) -> Variable {
    let tensor = Arc::new(Tensor::new(dtype, Shape(dims.into()), vec![], None));
    Variable { name: name.into(), key: None, plain_key: None, full_name: None, tensor, origin: None }
}

fn catalog(mut variables: Vec<Variable>) -> Catalog {
    variables.sort_by(|a, b| a.name.cmp(&b.name));
    Catalog { variables, ..Catalog::default() }
}

fn floats(variables: &[(&str, &[u64])]) -> Catalog {
    catalog(variables.iter().map(|(name, dims)| variable(name, Dtype::Float32, dims)).collect())
}

/// Builds a file of weights: each variable with its shape and its full name.
fn weights_file(variables: &[(&str, &[u64], &str)]) -> Catalog {
    let one = |(name, dims, full_name): &(&str, &[u64], &str)| {
        let full_name = (!full_name.is_empty()).then(|| (*full_name).into());
        Variable { full_name, ..variable(name, Dtype::Float32, dims) }
    };
    let native = Some(NativeFormat { suffix: ".weights.h5", file: None });
    Catalog { native, h5_layout: H5Layout::Keras3, ..catalog(variables.iter().map(one).collect()) }
}

/// Builds an object-based catalog from edges `parent name node`. A variable is `node name full_name`: the node that has it, the
/// path that is its name, and its full name.
fn objects(
    edges: &[(usize, &str, usize)],
    values: &[(usize, &str, &str)],
    slots: &[(usize, Slot)],
) -> Catalog {
    let ends = edges.iter().map(|(_, _, node)| *node).chain(values.iter().map(|(node, ..)| *node));
    let mut graph =
        ObjectGraph { nodes: vec![Node::default(); ends.max().unwrap_or(0) + 1], unknown: vec![] };
    for (parent, name, node) in edges {
        let child = Child { node: *node, local_name: (*name).into(), unknown: vec![] };
        graph.nodes[*parent].children.push(child);
    }
    for (optimizer, slot) in slots {
        graph.nodes[*optimizer].slots.push(slot.clone());
    }
    let mut variables = vec![];
    for (node, path, full_name) in values {
        let key = format!("{path}/.ATTRIBUTES/VARIABLE_VALUE");
        let attribute = Attribute {
            name: "VARIABLE_VALUE".into(),
            full_name: (*full_name).into(),
            checkpoint_key: key.as_str().into(),
            unknown: vec![],
        };
        graph.nodes[*node].attributes.push(attribute);
        let full_name = (!full_name.is_empty()).then(|| (*full_name).into());
        variables.push(Variable {
            key: Some(key.as_str().into()),
            full_name,
            ..variable(path, Dtype::Float32, &[2, 2])
        });
    }
    let tensor = Arc::new(Tensor::new(Dtype::String, Shape::default(), vec![], None));
    let objects = Some(Objects { graph: Some(Arc::new(Graph::new(graph))), tensor });
    Catalog { objects, ..catalog(variables) }
}

/// Returns the wanted names with the names of the values that TensorFlow takes.
fn taken(have: &Catalog, want: &Catalog) -> Vec<(String, Option<String>)> {
    let diff = Diff::new(have, want);
    let effects = diff.restore.as_ref().unwrap().effects.iter().enumerate();
    let name = |at: usize| have.variables[at].name.to_string();
    let one = |(at, effect): (usize, &Effect)| {
        let from = match effect {
            Effect::Takes(from) => Some(name(*from)),
            Effect::Stays => None,
            Effect::Stops(stop) => panic!("{stop:?}"),
        };
        (want.variables[at].name.to_string(), from)
    };
    effects.map(one).collect()
}

fn takes(pairs: &[(&str, &str)]) -> Vec<(String, Option<String>)> {
    let one = |(name, from): &(&str, &str)| {
        ((*name).to_owned(), Some((*from).to_owned()).filter(|from| !from.is_empty()))
    };
    pairs.iter().map(one).collect()
}

fn silent(have: &Catalog, want: &Catalog) -> Vec<(String, WrongKind, bool)> {
    let diff = Diff::new(have, want);
    let one = |wrong: &Wrong| (diff.wanted_name(wrong.at).to_string(), wrong.kind, wrong.is_certain);
    diff.silent.iter().map(one).collect()
}

#[test]
fn each_difference_has_a_section() {
    let have = catalog(vec![
        variable("same", Dtype::Float32, &[2, 3]),
        variable("dtype", Dtype::Float32, &[4]),
        variable("shape", Dtype::Float32, &[10, 4]),
        variable("onlyhave", Dtype::Float32, &[7]),
        variable("same/Adam", Dtype::Float32, &[2, 3]),
        variable("same/ExponentialMovingAverage", Dtype::Float32, &[2, 3]),
        variable("global_step", Dtype::Int64, &[]),
    ]);
    let want = catalog(vec![
        variable("same", Dtype::Float32, &[2, 3]),
        variable("dtype", Dtype::Float16, &[4]),
        variable("shape", Dtype::Float32, &[12, 4]),
        variable("onlywant", Dtype::Float32, &[7]),
    ]);
    let diff = Diff::new(&have, &want);
    let wanted = |at: usize| diff.wanted_name(at).to_string();
    assert_eq!(diff.matched().map(|(_, want)| wanted(want)).collect::<Vec<_>>(), ["same"]);
    assert_eq!(diff.other_dtype.iter().map(|at| wanted(*at)).collect::<Vec<_>>(), ["dtype"]);
    let shapes: Vec<_> =
        diff.other_shape.iter().map(|(at, meaning)| (wanted(*at), meaning.clone())).collect();
    assert_eq!(shapes, [("shape".to_owned(), "2 rows more".to_owned())]);
    let missing: Vec<_> = diff.missing.iter().map(|(at, names)| (wanted(*at), names.clone())).collect();
    assert_eq!(missing, [("onlywant".to_owned(), vec!["onlyhave".to_owned()])]);
    let unexpected =
        diff.unexpected.iter().map(|at| (diff.own_name(*at).to_string(), unexpected::kind(&diff, *at)));
    let kinds = unexpected.map(|(name, kind)| (name, unexpected::KINDS[kind].0)).collect::<Vec<_>>();
    assert_eq!(
        kinds,
        [
            ("global_step".to_owned(), "counter"),
            ("onlyhave".to_owned(), "weight"),
            ("same/Adam".to_owned(), "optimizer state"),
            ("same/ExponentialMovingAverage".to_owned(), "average"),
        ]
    );
    assert!(!diff.is_equal());
}

#[test]
fn another_shape_has_a_meaning() {
    let meaning = |old: &[(&str, &[u64])], new: &[(&str, &[u64])]| {
        let (have, want) = (floats(old), floats(new));
        let diff = Diff::new(&have, &want);
        diff.other_shape.iter().map(|(_, meaning)| meaning.clone()).collect::<Vec<_>>()
    };
    for (old, new, expected) in [
        (&[10, 4][..], &[12, 4][..], "2 rows more"),
        (&[10, 4], &[9, 4], "1 row fewer"),
        (&[4, 2], &[4, 5], "a head of 5, which was of 2"),
        (&[2], &[5], "a head of 5, which was of 2"),
        (&[4, 2], &[2, 4], "axes swapped"),
        (&[3, 3, 8, 4], &[4, 8, 3, 3], "axes swapped"),
        (&[1, 1, 8, 4], &[8, 4], "axes of size 1 added or removed"),
        (&[7, 7, 8, 4], &[392, 4], "the same number of elements"),
        (&[7], &[4, 4], "another rank"),
        (&[4, 5], &[6, 7], "several axes changed"),
        (&[u64::MAX, 2], &[3, u64::MAX], "several axes changed"),
    ] {
        assert_eq!(meaning(&[("w", old)], &[("w", new)]), [expected], "{old:?} -> {new:?}");
    }
    let old: &[(&str, &[u64])] = &[("a/bias", &[6]), ("a/kernel", &[4, 6]), ("b/kernel", &[6, 3])];
    let new: &[(&str, &[u64])] = &[("a/bias", &[8]), ("a/kernel", &[4, 8]), ("b/kernel", &[8, 3])];
    let units = "2 units more, and the next layer takes them";
    assert_eq!(meaning(old, new), [units, units, "its input changed, from 6 to 8"]);
}

#[test]
fn a_saver_takes_keys_then_full_names_and_stops_at_what_is_not_there() {
    let have = floats(&[("a", &[2, 2]), ("b", &[2])]);
    assert_eq!(taken(&have, &floats(&[("a", &[2, 2])])), takes(&[("a", "a")]));
    let want = catalog(vec![variable("a", Dtype::Float16, &[2, 2]), variable("c", Dtype::Float32, &[2])]);
    let diff = Diff::new(&have, &want);
    let stops: Vec<_> = diff.restore.as_ref().unwrap().stops().collect();
    assert_eq!(stops, [(0, Stop::Dtype(0)), (1, Stop::NoKey)]);
    assert!(diff.silent.is_empty(), "it is not silent");

    let graph = objects(&[(0, "x", 1)], &[(1, "x", "dense/kernel")], &[]);
    assert_eq!(taken(&graph, &floats(&[("dense/kernel", &[2, 2])])), takes(&[("dense/kernel", "x")]));
    let paths = floats(&[("x", &[2, 2])]);
    assert_eq!(Diff::new(&graph, &paths).restore.unwrap().api, Api::Checkpoint, "a table of paths");
}

#[test]
fn a_resource_variable_takes_another_shape_without_a_word() {
    let (have, want) = (floats(&[("emb", &[10, 4]), ("w", &[2])]), floats(&[("emb", &[12, 4]), ("w", &[2])]));
    assert_eq!(silent(&have, &want), [("emb".to_owned(), WrongKind::Shape, true)]);
}

#[test]
fn the_walk_binds_by_edges_and_the_shortest_path_decides() {
    // The optimizer lists b, c in HAVE and a, b, c in WANT: shorter paths than those of the model.
    let model = |names: &[(&str, usize)]| -> Vec<(usize, String, usize)> {
        let mut edges = vec![
            (0, "model".to_owned(), 1),
            (0, "opt".into(), 2),
            (1, "layers".into(), 3),
            (2, "t".into(), 4),
        ];
        edges.extend(names.iter().map(|(name, node)| (3, (*name).to_owned(), *node)));
        edges
    };
    let build = |listed: &[usize]| {
        let mut edges = model(&[("a", 5), ("b", 6), ("c", 7)]);
        edges.extend(listed.iter().enumerate().map(|(at, node)| (4, at.to_string(), *node)));
        let edges: Vec<_> =
            edges.iter().map(|(parent, name, node)| (*parent, name.as_str(), *node)).collect();
        let values =
            [(5, "model/layers/a", "a/w"), (6, "model/layers/b", "b/w"), (7, "model/layers/c", "c/w")];
        objects(&edges, &values, &[])
    };
    let (have, want) = (build(&[6, 7]), build(&[5, 6, 7]));
    let (a, b, c) = ("model/layers/a", "model/layers/b", "model/layers/c");
    // All paths are of the same length here, and those of the model come first.
    assert_eq!(taken(&have, &want), takes(&[(a, a), (b, b), (c, c)]));
    let deep = |catalog: Catalog| {
        let mut graph = catalog.graph().unwrap().objects().clone();
        let layers = graph.nodes.len();
        graph.nodes.push(Node { children: graph.nodes[3].children.clone(), ..Node::default() });
        graph.nodes[3].children = vec![Child { node: layers, local_name: "all".into(), unknown: vec![] }];
        let tensor = catalog.objects.as_ref().unwrap().tensor.clone();
        Catalog { objects: Some(Objects { graph: Some(Arc::new(Graph::new(graph))), tensor }), ..catalog }
    };
    let (have, want) = (deep(have), deep(want));
    assert_eq!(taken(&have, &want), takes(&[(a, b), (b, c), (c, "")]));
    let wrong = silent(&have, &want);
    assert_eq!(
        wrong.iter().map(|(_, kind, _)| *kind).collect::<Vec<_>>(),
        [WrongKind::Misplaced, WrongKind::Misplaced, WrongKind::Initialized]
    );
}

#[test]
fn slots_are_bound_by_optimizer_variable_and_name() {
    let edges = [(0, "x", 1), (0, "opt", 2)];
    let slot = |name: &str, variable| Slot { original: 1, name: name.into(), variable, unknown: vec![] };
    let key = |name: &str| format!("x/.OPTIMIZER_SLOT/opt/{name}");
    let (m, v, n) = (key("m"), key("v"), key("n"));
    let have =
        objects(&edges, &[(1, "x", "x"), (3, &m, ""), (4, &v, "")], &[(2, slot("m", 3)), (2, slot("v", 4))]);
    let want =
        objects(&edges, &[(1, "x", "x"), (3, &n, ""), (4, &v, "")], &[(2, slot("n", 3)), (2, slot("v", 4))]);
    assert_eq!(taken(&have, &want), takes(&[("x", "x"), (&n, ""), (&v, &v)]));
}

#[test]
fn a_name_that_means_something_proves_a_swap() {
    let build = |first: &str, second: &str| {
        let (first, second) = (format!("{first}/kernel"), format!("{second}/kernel"));
        objects(&[(0, "0", 1), (0, "1", 2)], &[(1, "0", &first), (2, "1", &second)], &[])
    };
    let (have, want) = (build("left", "right"), build("right", "left"));
    let diff = Diff::new(&have, &want);
    assert!(diff.silent.iter().all(|wrong| wrong.is_certain && wrong.kind == WrongKind::Misplaced));
    assert_eq!(diff.silent.len(), 2);
    assert!(diff.restore.as_ref().unwrap().is_consumed && !diff.is_equal());
    assert!(silent(&build("left", "right"), &build("left", "right")).is_empty());
}

#[test]
fn keras_takes_the_variables_of_a_layer_in_order_up_to_the_first_that_does_not_fit() {
    let have = weights_file(&[
        ("layers/dense/vars/0", &[4, 4], ""),
        ("layers/dense/vars/1", &[4], ""),
        ("layers/other/vars/0", &[4], ""),
    ]);
    let want = weights_file(&[
        ("layers/dense/vars/0", &[4, 5], ""),
        ("layers/dense/vars/1", &[4], ""),
        ("layers/other/vars/0", &[4], ""),
        ("layers/other/vars/1", &[4], ""),
    ]);
    let stays = ["layers/dense/vars/0", "layers/dense/vars/1", "layers/other/vars/0", "layers/other/vars/1"];
    assert_eq!(taken(&have, &want), takes(&stays.map(|name| (name, ""))));
    let ten = |dims: [u64; 2]| {
        let name = |at: usize| format!("l/vars/{at}");
        let names: Vec<_> = (0..11).map(name).collect();
        let variables: Vec<_> =
            names.iter().enumerate().map(|(at, name)| (name.as_str(), &dims[at / 10..][..1], "")).collect();
        weights_file(&variables)
    };
    let found = taken(&ten([2, 3]), &ten([2, 4]));
    assert_eq!(
        found.iter().filter(|(_, from)| from.is_none()).map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        ["l/vars/10"]
    );
}

#[test]
fn formats_that_tensorflow_does_not_restore_into_each_other_have_no_verdict() {
    let file = weights_file(&[("layers/dense/vars/0", &[2, 2], "dense/0")]);
    let graph = objects(&[(0, "x", 1)], &[(1, "x", "dense/kernel")], &[]);
    assert!(Diff::new(&file, &graph).restore.is_none());
    assert!(Diff::new(&floats(&[("x", &[2, 2])]), &file).restore.is_none());
}

#[test]
fn layers_of_one_shape_whose_names_only_count_are_uncertain() {
    let layers = |count: usize| {
        let names: Vec<_> =
            (0..count).map(|at| if at == 0 { "dense/w".into() } else { format!("dense_{at}/w") }).collect();
        floats(&names.iter().map(|name| (name.as_str(), &[4, 4][..])).collect::<Vec<_>>())
    };
    let (have, want) = (layers(3), layers(2));
    assert_eq!(
        silent(&have, &want),
        [
            ("dense/w".to_owned(), WrongKind::Misplaced, false),
            ("dense_1/w".to_owned(), WrongKind::Misplaced, false)
        ]
    );
    let diff = Diff::new(&have, &want);
    assert_eq!(diff.layers[0].heading(), "a layer less in WANT than in HAVE");
    let chosen = floats(&[("dense/w", &[4, 4]), ("dense_2/w", &[4, 4])]);
    assert!(silent(&have, &chosen).is_empty(), "numbers with a gap are chosen, not counted");
}

fn names() -> impl Strategy<Value = Vec<(String, Vec<u64>)>> {
    let component = prop_oneof!["[a-c]", "dense(_[0-3])?", "[0-4]", "layer-[0-2]", "Adam(_1)?", "vars"];
    let name = prop::collection::vec(component, 1..4).prop_map(|components| components.join("/"));
    prop::collection::vec((name, prop::collection::vec(1_u64..4, 0..3)), 0..12)
}

proptest! {
    #[test]
    fn a_catalog_equals_itself(all in names()) {
        let unique: std::collections::BTreeMap<_, _> = all.iter().map(|(name, dims)| (name.as_str(), dims.as_slice())).collect();
        let plain = floats(&unique.into_iter().collect::<Vec<_>>());
        let diff = Diff::new(&plain, &plain);
        prop_assert!(diff.is_equal() && diff.silent.is_empty() && diff.layers.is_empty());
        let mut other = plain.clone();
        if let Some(last) = other.variables.pop() {
            prop_assert!(!Diff::new(&plain, &other).is_equal());
            prop_assert!(!Diff::new(&other, &plain).is_equal());
            other.variables.push(Variable { tensor: variable("", Dtype::Float64, &last.tensor.shape.0).tensor, ..last });
            prop_assert!(!Diff::new(&plain, &other).is_equal());
        }
    }

    #[test]
    fn each_wanted_variable_is_in_one_section(have in names(), want in names()) {
        let build = |all: &[(String, Vec<u64>)]| {
            let unique: std::collections::BTreeMap<_, _> = all.iter().map(|(name, dims)| (name.as_str(), dims.as_slice())).collect();
            floats(&unique.into_iter().collect::<Vec<_>>())
        };
        let (have, want) = (build(&have), build(&want));
        let diff = Diff::new(&have, &want);
        let paired = diff.pairs().count();
        prop_assert_eq!(paired + diff.missing.len(), want.variables.len());
        prop_assert_eq!(diff.matched().count() + diff.other_shape.len(), paired);
        let mut sources: Vec<_> = diff.pairs().map(|(have, _)| have).collect();
        sources.sort_unstable();
        sources.dedup();
        prop_assert_eq!(sources.len() + diff.unexpected.len(), have.variables.len());
    }
}
