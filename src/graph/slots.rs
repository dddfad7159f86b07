//! Slot variables: what optimizers keep for a variable.
//!
//! A slot is shown below its variable: the variable's name, `/.OPTIMIZER_SLOT/`, the optimizer's path, the slot's name. What
//! follows the variable's name is one of few texts, which are spelled once.

use foldhash::{HashMap, HashMapExt};

use crate::format::object_graph::NodeId;
use crate::graph::key::OPTIMIZER_SLOT;
use crate::graph::{Graph, key};

/// The slot variables of a graph.
#[derive(Clone, Debug)]
pub(crate) struct Slots {
    /// For each node, if it is a slot, the variable it is kept for and which text follows that one's name in its own.
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

    /// If a node is a slot, the variable it is kept for, and what follows that one's name in its own.
    pub(crate) fn get(&self, node: NodeId) -> Option<(NodeId, &str)> {
        let (original, text) = (*self.of.get(node)?)?;
        Some((original, &self.texts[text]))
    }

    /// All slots: the node, the variable it is kept for, and which of the texts follows that one's name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (NodeId, NodeId, usize)> {
        self.of.iter().enumerate().filter_map(|(node, of)| of.map(|(original, text)| (node, original, text)))
    }

    /// What follows the names of variables in those of their slots.
    pub(crate) fn texts(&self) -> &[String] {
        &self.texts
    }
}

impl Graph {
    /// The slot variables.
    pub(crate) fn slots(&self) -> &Slots {
        self.slots.get_or_init(|| Slots::new(self))
    }
}
