//! Slot variables: the state that optimizers keep for a variable.
//!
//! The visible name of a slot is the variable's name, `/.OPTIMIZER_SLOT/`, the optimizer's path, `/` and the slot's
//! name. The part after the variable's name takes only a few values, so each is stored once.

use foldhash::{HashMap, HashMapExt};

use crate::format::object_graph::NodeId;
use crate::graph::key::OPTIMIZER_SLOT;
use crate::graph::{Graph, key};

/// The slot variables of a graph.
#[derive(Clone, Debug)]
pub(crate) struct Slots {
    /// For each node that is a slot: the variable that it belongs to, and the index in `texts` of the part after the
    /// variable's name.
    of: Vec<Option<(NodeId, usize)>>,
    texts: Vec<String>,
}

impl Slots {
    fn new(graph: &Graph) -> Self {
        let nodes = &graph.objects.nodes;
        let (mut of, mut texts) = (vec![None; nodes.len()], Vec::new());
        for (optimizer, node) in nodes.iter().enumerate().filter(|(_, node)| !node.slots.is_empty()) {
            let Some(path) = graph.path(optimizer) else { continue };
            let mut by_name = HashMap::new();
            for slot in &node.slots {
                let text = *by_name.entry(slot.name.as_str()).or_insert_with(|| {
                    texts.push(format!("{OPTIMIZER_SLOT}{path}/{}", key::escape(&slot.name)));
                    texts.len() - 1
                });
                of[slot.variable].get_or_insert((slot.original, text));
            }
        }
        Self { of, texts }
    }

    /// Returns the variable that a slot belongs to and the part of the slot's name after the variable's, or `None` if
    /// the node is not a slot.
    pub(crate) fn get(&self, node: NodeId) -> Option<(NodeId, &str)> {
        let (original, text) = (*self.of.get(node)?)?;
        Some((original, &self.texts[text]))
    }

    /// Iterates over all slots: the node, its variable, and the index in [`Slots::texts`] of the part after the
    /// variable's name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (NodeId, NodeId, usize)> {
        self.of.iter().enumerate().filter_map(|(node, of)| of.map(|(original, text)| (node, original, text)))
    }

    /// Returns the parts of slot names that follow the variable's name.
    pub(crate) fn texts(&self) -> &[String] {
        &self.texts
    }
}

impl Graph {
    /// Returns the slot variables.
    pub(crate) fn slots(&self) -> &Slots {
        self.slots.get_or_init(|| Slots::new(self))
    }
}
