//! The writer of an object graph, and the objects that its program gave to the checkpoint.

use std::collections::BTreeSet;

use crate::catalog::Catalog;
use crate::graph::ROOT;

/// A writer of object graphs, recognized by the names of children that only it gives.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Writer {
    pub(super) name: &'static str,
    /// The names, or their beginnings if they end in `*`.
    children: &'static [&'static str],
}

const KERAS_2: &str = "Keras 2 (tf_keras)";

/// The writers, the first that matches.
const WRITERS: &[Writer] = &[
    Writer {
        name: "Keras 3",
        children: &[
            "_functional",
            "_operations",
            "_trainable_variables_indices",
            "_losses_override",
            "_call_has_context_arg",
        ],
    },
    Writer { name: KERAS_2, children: &["layer_with_weights-*", "keras_api", "_index_dict", "layer-*"] },
];

/// Returns the writer of an object graph, if its objects show it.
pub(super) fn writer(catalog: &Catalog) -> Option<&'static Writer> {
    let nodes = &catalog.graph()?.objects().nodes;
    let names: BTreeSet<_> =
        nodes.iter().flat_map(|node| &node.children).map(|child| child.local_name.as_str()).collect();
    let is_child = |wanted: &&'static str| match wanted.strip_suffix('*') {
        Some(start) => names.iter().any(|name| name.starts_with(start)),
        None => names.contains(wanted),
    };
    WRITERS.iter().find(|writer| writer.children.iter().any(is_child))
}

/// Returns the names of the root's children, in the order of the graph.
pub(super) fn root_children(catalog: &Catalog) -> Vec<(String, bool)> {
    let root = catalog.graph().and_then(|graph| graph.objects().nodes.first());
    let children = root.map(|root| root.children.as_slice()).unwrap_or_default();
    children.iter().map(|child| (child.local_name.to_string(), child.node == ROOT)).collect()
}

/// Returns true if Keras 2 wrote the objects.
pub(super) fn is_keras_2(catalog: &Catalog) -> bool {
    writer(catalog).is_some_and(|writer| writer.name == KERAS_2)
}
