//! The examination of what is in a checkpoint: its kind, who wrote it, its optimizer, and if there are weights at all.

use std::collections::BTreeSet;

use crate::catalog::{Catalog, Kind};
use crate::doctor::finding::{Finding, Mend, finding};
use crate::doctor::line::literal;
use crate::doctor::path::shown;
use crate::doctor::restore_calls;
use crate::graph::ROOT;
use crate::map::diagnostic::counted;
use crate::name::printable;
use crate::source::Checkpoint;
use crate::transform::like::problem::no_weights;
use crate::transform::like::role::roles;

/// A writer of object graphs, recognized by the names of children that only it gives.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Writer {
    pub(super) name: &'static str,
    /// The names, or their beginnings if they end in `*`.
    children: &'static [&'static str],
}

/// The writers, the first that matches.
pub(super) const WRITERS: &[Writer] = &[
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
    Writer {
        name: "Keras 2 (tf_keras)",
        children: &["layer_with_weights-*", "keras_api", "_index_dict", "layer-*"],
    },
];

/// Examines what is in a checkpoint that is whole.
pub(super) fn examine(checkpoint: &Checkpoint) -> Vec<Finding> {
    match bare(checkpoint) {
        Some(bare) => vec![bare],
        None => vec![contents(checkpoint), restore_calls::of(checkpoint)],
    }
}

/// Returns the finding about a checkpoint without weights.
fn bare(checkpoint: &Checkpoint) -> Option<Finding> {
    let said = no_weights(&checkpoint.catalog)?;
    let (what, advice) = said.split_once("\n  help: ").unwrap_or((&said, ""));
    let prefix = checkpoint.prefix.path();
    let mut weights = prefix.clone().into_os_string();
    weights.push(".weights.h5");
    let save = Mend::Python(format!("model.save_weights({})", literal(weights.as_ref())));
    Some(finding(
        "no-weights",
        format!("{}: {what}", shown(&prefix)),
        vec![Mend::Advice(advice.into()), save],
    ))
}

/// Returns the note about a checkpoint's kind, writer, size and optimizer.
fn contents(checkpoint: &Checkpoint) -> Finding {
    let catalog = &checkpoint.catalog;
    let kind = match (&checkpoint.prefix.is_bundle(), catalog.kind()) {
        (true, Kind::ObjectBased) => "object-based (tf.train.Checkpoint)",
        (true, Kind::NameBased) => "name-based (a Saver of TensorFlow 1)",
        (false, _) if catalog.native.is_some() => "one file with names",
        (false, _) => "name-based (TensorFlow 1, the format before V2)",
    };
    let by = writer(catalog).map(|writer| format!(", written by {}", writer.name)).unwrap_or_default();
    let optimizer = optimizers(catalog);
    let optimizer =
        if optimizer.is_empty() { String::new() } else { format!(", optimizer {}", optimizer.join(" and ")) };
    let evidence = format!(
        "{}: {kind}{by}, {}, {} bytes{optimizer}. Its files are whole.",
        shown(&checkpoint.prefix.path()),
        counted(catalog.variables.len(), "variable"),
        catalog.len()
    );
    finding("contents", evidence, Vec::new())
}

/// Returns the writer of an object graph, if its objects show it.
pub(super) fn writer(catalog: &Catalog) -> Option<&'static Writer> {
    let nodes = &catalog.graph()?.objects().nodes;
    let names: BTreeSet<_> =
        nodes.iter().flat_map(|node| &node.children).map(|child| child.local_name.as_str()).collect();
    let is_child = |wanted: &&str| match wanted.strip_suffix('*') {
        Some(start) => names.iter().any(|name| name.starts_with(start)),
        None => names.contains(wanted),
    };
    WRITERS.iter().find(|writer| writer.children.iter().any(|child| is_child(child)))
}

/// Returns the names of the root's children, in the order of the graph.
pub(super) fn root_children(catalog: &Catalog) -> Vec<(String, bool)> {
    let root = catalog.graph().and_then(|graph| graph.objects().nodes.first());
    let children = root.map(|root| root.children.as_slice()).unwrap_or_default();
    children.iter().map(|child| (child.local_name.to_string(), child.node == ROOT)).collect()
}

/// Returns the optimizers whose state is in a checkpoint: their classes, or the names of their values.
fn optimizers(catalog: &Catalog) -> Vec<String> {
    let roles = roles(catalog);
    let states: Vec<_> = roles.iter().filter_map(|role| role.state()).collect();
    let classes: BTreeSet<_> = states.iter().filter_map(|state| state.optimizer.clone()).collect();
    let slots = states.iter().filter(|state| state.of.is_some()).filter_map(|state| state.name.clone());
    let slots: BTreeSet<_> = slots.collect();
    match (classes.is_empty(), slots.is_empty()) {
        (false, _) => classes.iter().map(|class| printable(class.as_bytes())).collect(),
        (true, false) => {
            let slots: Vec<_> = slots.iter().map(|slot| printable(slot.as_bytes())).collect();
            vec![format!("with the slots {}", slots.join(", "))]
        }
        (true, true) => Vec::new(),
    }
}
