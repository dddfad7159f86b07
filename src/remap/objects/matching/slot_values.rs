//! Values that are shown below an object but are not objects of the graph: the slots that optimizers keep for a
//! variable, and values that do not belong to a variable (`table/.ATTRIBUTES/table-keys`).

use std::rc::Rc;

use crate::format::object_graph::NodeId;
use crate::graph::key::{ATTRIBUTES, VARIABLE_VALUE};
use crate::graph::{Graph, key};

/// A value below an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SlotValue {
    /// The text after the object's path and a slash.
    pub(crate) text: Rc<str>,
    /// The slot variable. `None` if the value belongs to the object itself.
    pub(crate) slot: Option<NodeId>,
}

/// The leaves of each object.
#[derive(Debug, Default)]
pub(crate) struct SlotValues(Vec<Vec<SlotValue>>);

impl SlotValues {
    /// Collects the values below the objects of a graph. `keys` are the keys of its bundle, each with its object.
    pub(crate) fn new<'k>(graph: &Graph, keys: impl Iterator<Item = (&'k [u8], Option<NodeId>)>) -> Self {
        let mut slot_values = vec![Vec::new(); graph.objects().nodes.len()];
        let slots = graph.slots();
        let texts: Vec<Rc<str>> =
            slots.texts().iter().map(|text| text.trim_start_matches('/').into()).collect();
        for (slot, variable, text) in slots.iter() {
            slot_values[variable].push(SlotValue { text: texts[text].clone(), slot: Some(slot) });
        }
        for (key, node) in keys {
            let attribute = key::split(key).and_then(|(_, attribute)| std::str::from_utf8(attribute).ok());
            if let (Some(attribute), Some(node)) = (attribute.filter(|a| *a != VARIABLE_VALUE), node) {
                let text = format!("{}{attribute}", ATTRIBUTES.trim_start_matches('/'));
                slot_values[node].push(SlotValue { text: text.into(), slot: None });
            }
        }
        Self(slot_values)
    }

    pub(crate) fn below(&self, node: NodeId) -> &[SlotValue] {
        self.0.get(node).map_or(&[], Vec::as_slice)
    }
}
