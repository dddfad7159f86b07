//! What is shown below an object and is no object of the graph: the slots that optimizers keep for a variable, and values
//! that are not a variable's (`table/.ATTRIBUTES/table-keys`).

use foldhash::{HashMap, HashMapExt};

use crate::format::object_graph::NodeId;
use crate::graph::Graph;
use crate::graph::key::{self, ATTRIBUTES, VARIABLE_VALUE};

/// Something below an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    /// What follows the object's path and a slash.
    pub(super) text: String,
    /// The variable that is the slot; none: a value of the object's own.
    pub(super) slot: Option<NodeId>,
}

/// The leaves of all objects.
#[derive(Debug, Default)]
pub(super) struct Leaves(HashMap<NodeId, Vec<Leaf>>);

impl Leaves {
    /// Those of a graph whose bundle has these keys, each with the object it belongs to.
    pub(super) fn new<'k>(graph: &Graph, keys: impl Iterator<Item = (&'k [u8], Option<NodeId>)>) -> Self {
        let mut leaves: HashMap<NodeId, Vec<Leaf>> = HashMap::new();
        let mut slots: Vec<_> = graph.slots().into_iter().collect();
        slots.sort_unstable();
        for (slot, (variable, below)) in slots {
            let text = below.trim_start_matches('/').to_owned();
            leaves.entry(variable).or_default().push(Leaf { text, slot: Some(slot) });
        }
        for (key, node) in keys {
            let attribute = key::split(key).and_then(|(_, attribute)| std::str::from_utf8(attribute).ok());
            if let (Some(attribute), Some(node)) = (attribute.filter(|a| *a != VARIABLE_VALUE), node) {
                let text = format!("{}{attribute}", ATTRIBUTES.trim_start_matches('/'));
                leaves.entry(node).or_default().push(Leaf { text, slot: None });
            }
        }
        Self(leaves)
    }

    pub(super) fn below(&self, node: NodeId) -> &[Leaf] {
        self.0.get(&node).map_or(&[], Vec::as_slice)
    }
}
