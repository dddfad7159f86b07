//! Visible names: the names of an object-based checkpoint's variables in `ls`, in `vars/` and in every message.
//!
//! A key gets the first of these names that is still free:
//!
//! 1. The best path outside optimizers to the node that owns the key. The best path has the fewest components; among
//!    those paths, it has the fewest components that are numbers or begin with `_` (so `encoder/kernel` comes before
//!    `_layers/0`); among those, it is the first in TensorFlow's own order. That order gives the path in the key,
//!    unless the key's path leads through an optimizer.
//! 2. The full name, if no other attribute of the graph has it (twelve Keras variables may all be called `kernel`).
//! 3. The key.
//!
//! A final `/.ATTRIBUTES/VARIABLE_VALUE` is removed; any other attribute stays: `table/.ATTRIBUTES/table-keys`. The
//! name of a slot is the variable's name, `/.OPTIMIZER_SLOT/`, the optimizer's path, `/` and the slot's name. No name
//! equals another key's spelling, so the last choice, the whole key, is always free: all names differ.

use std::cell::OnceCell;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use foldhash::{HashMap, HashMapExt, HashSet};
use hashbrown::HashTable;
use smol_str::SmolStr;

use crate::format::object_graph::{Attribute, NodeId};
use crate::graph::key::{ATTRIBUTES, VARIABLE_VALUE};
use crate::graph::{Graph, ROOT, key};

/// The name and the role of a key of the bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name<'g> {
    /// The visible name. No other key has it.
    pub visible: Vec<u8>,
    /// The variable's full name in the program that saved it. Other variables may share it.
    pub(crate) full_name: Option<&'g str>,
    /// The node that owns it. `None` if the graph does not know the key.
    pub(crate) node: Option<NodeId>,
    /// The role of the key.
    pub(crate) role: NameRole,
    /// True if it is an optimizer's own state: slots, moments, the iteration count, but not the weights that it
    /// trains.
    pub(crate) optimizer_state: bool,
}

/// The role of a key of the bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameRole {
    /// A variable.
    Variable,
    /// A slot: a value that an optimizer keeps for a variable.
    Slot {
        /// The variable, as an index into the keys. `None` if it is not among them.
        of: Option<usize>,
    },
    /// A table, an iterator, an object's configuration, the save counter, the graph.
    Other,
}

/// The node and the role of a key, without its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// The node that owns it. `None` if the graph does not know the key.
    pub(crate) node: Option<NodeId>,
    /// The role of the key.
    pub(crate) role: NameRole,
    /// True if it is an optimizer's own state.
    pub(crate) optimizer_state: bool,
}

impl Graph {
    /// Returns the name of each key of a bundle, in the order of `keys`.
    pub fn names(&self, keys: &[&[u8]]) -> Vec<Name<'_>> {
        let keys: Vec<_> = keys.iter().map(|key| Key::new(key, |path| self.owner_at(path))).collect();
        self.names_of(&keys, &HashMap::new())
    }

    /// Like [`Graph::names`], with the node that owns each key. A path in `preferred` wins over any other path of its
    /// node.
    pub(crate) fn names_with(
        &self,
        keys: &[(&[u8], Option<NodeId>)],
        preferred: &HashMap<NodeId, SmolStr>,
    ) -> Vec<Name<'_>> {
        let keys: Vec<_> = keys.iter().map(|(key, node)| Key::new(key, |_| *node)).collect();
        self.names_of(&keys, preferred)
    }

    /// Returns the node and the role of each key of a bundle.
    pub(crate) fn roles(&self, keys: &[&[u8]]) -> Vec<Known> {
        let keys: Vec<_> = keys.iter().map(|key| Key::new(key, |path| self.owner_at(path))).collect();
        self.known(&keys).0
    }

    fn names_of(&self, keys: &[Key<'_>], preferred: &HashMap<NodeId, SmolStr>) -> Vec<Name<'_>> {
        let mut naming = Naming::new(self, keys, preferred);
        for resort in [Naming::preferred, Naming::path, Naming::full_name, Naming::stem, Naming::key] {
            naming.claim(false, resort);
        }
        for resort in [Naming::below_variable, Naming::stem, Naming::key] {
            naming.claim(true, resort);
        }
        let name = |(visible, Known { node, role, optimizer_state })| {
            let full_name = node.and_then(|node| self.full_name(node));
            Name { visible, full_name, node, role, optimizer_state }
        };
        naming.visible.into_iter().zip(naming.known).map(name).collect()
    }

    /// Returns the role of each key, and for each slot the part of its name after the variable's.
    fn known<'a>(&'a self, keys: &[Key<'a>]) -> (Vec<Known>, Vec<&'a str>) {
        let counter = self.child(ROOT, "save_counter");
        let mut known: Vec<_> = keys.iter().map(|key| self.known_of(key, counter)).collect();
        let mut key_of = vec![None; self.objects.nodes.len()];
        for (i, Known { node, .. }) in known.iter().enumerate().filter(|(_, k)| k.role == NameRole::Variable)
        {
            node.map(|node| key_of[node].get_or_insert(i));
        }
        let (slots, mut below) = (self.slots(), vec![""; keys.len()]);
        for (i, key) in keys.iter().enumerate() {
            let in_graph = key.node.and_then(|node| slots.get(node));
            if let Some((original, text)) = in_graph.or_else(|| self.slot_in(key)) {
                let of = key_of[original].filter(|of| *of != i);
                (known[i].role, known[i].optimizer_state, below[i]) = (NameRole::Slot { of }, true, text);
            }
        }
        (known, below)
    }

    fn known_of(&self, key: &Key<'_>, counter: Option<NodeId>) -> Known {
        let node = key.node;
        let is_variable = key.is_value() && (node.is_none() || node != counter);
        let role = if is_variable { NameRole::Variable } else { NameRole::Other };
        Known { node, role, optimizer_state: node.is_some_and(|node| self.state[node]) }
    }

    /// Returns the variable of a key that has the form of a slot's key, and the part after the variable's path.
    fn slot_in<'a>(&self, key: &Key<'a>) -> Option<(NodeId, &'a str)> {
        let (path, _) = key.parts?;
        let variable = key::slot_of(path)?;
        Some((self.owner_at(variable)?, std::str::from_utf8(&path[variable.len()..]).ok()?))
    }

    /// Returns the full name of a variable: its name in the program that saved it.
    fn full_name(&self, node: NodeId) -> Option<&str> {
        let mut full_names = self.objects.nodes[node].attributes.iter().map(|a| a.full_name.as_str());
        full_names.find(|full_name| !full_name.is_empty())
    }

    fn attributes(&self) -> impl Iterator<Item = (NodeId, &Attribute)> {
        self.objects
            .nodes
            .iter()
            .enumerate()
            .flat_map(|(id, node)| node.attributes.iter().map(move |a| (id, a)))
    }
}

/// A key of the bundle.
struct Key<'a> {
    whole: &'a [u8],
    /// The path and the attribute. `None` if it is not an object's key.
    parts: Option<(&'a [u8], &'a [u8])>,
    /// The node that owns the key.
    node: Option<NodeId>,
}

impl<'a> Key<'a> {
    fn new(whole: &'a [u8], owner: impl Fn(&[u8]) -> Option<NodeId>) -> Self {
        let parts = key::split(whole);
        Self { whole, parts, node: parts.and_then(|(path, _)| owner(path)) }
    }

    /// Returns true if it is the key of a variable's value.
    fn is_value(&self) -> bool {
        self.parts.is_some_and(|(_, attribute)| attribute == VARIABLE_VALUE.as_bytes())
    }

    fn stem(&self) -> &'a [u8] {
        match self.parts {
            Some((path, _)) if self.is_value() && !path.is_empty() => path,
            _ => self.whole,
        }
    }
}

/// The assignment of names to keys.
struct Naming<'a> {
    graph: &'a Graph,
    keys: &'a [Key<'a>],
    preferred: &'a HashMap<NodeId, SmolStr>,
    known: Vec<Known>,
    /// The part after the variable's name, for each slot.
    below: Vec<&'a str>,
    visible: Vec<Vec<u8>>,
    /// The number of attributes with each full name. Counted on first use.
    full_names: OnceCell<HashMap<&'a str, usize>>,
    /// Keys that a name could equal: all except those of variables' values.
    spelled: HashSet<&'a [u8]>,
    /// The indices of the keys that have a name, hashed by the name.
    taken: HashTable<usize>,
    hasher: RandomState,
}

impl<'a> Naming<'a> {
    fn new(graph: &'a Graph, keys: &'a [Key<'a>], preferred: &'a HashMap<NodeId, SmolStr>) -> Self {
        let (known, below) = graph.known(keys);
        let spelled = keys.iter().filter(|key| key.stem() == key.whole).map(|key| key.whole).collect();
        let (visible, taken) = (vec![Vec::new(); keys.len()], HashTable::with_capacity(keys.len()));
        let (full_names, hasher) = (OnceCell::new(), RandomState::default());
        Self { graph, keys, preferred, known, below, visible, full_names, spelled, taken, hasher }
    }

    /// Tries one source of names for each slot, or for each other key, that has no name yet.
    fn claim(&mut self, slots: bool, resort: fn(&Self, usize) -> Option<Vec<u8>>) {
        for i in 0..self.keys.len() {
            let is_slot = matches!(self.known[i].role, NameRole::Slot { .. });
            if !self.visible[i].is_empty() || is_slot != slots {
                continue;
            }
            if let Some(visible) = resort(self, i).filter(|visible| !visible.is_empty()) {
                self.take(i, visible);
            }
        }
    }

    /// Gives a key the name if the name is free.
    fn take(&mut self, i: usize, visible: Vec<u8>) {
        let is_free =
            visible == self.keys[i].whole || !is_value(&visible) && !self.spelled.contains(&visible[..]);
        let hash = self.hasher.hash_one(&visible);
        if is_free && self.taken.find(hash, |other| self.visible[*other] == visible).is_none() {
            self.visible[i] = visible;
            self.taken.insert_unique(hash, i, |other| self.hasher.hash_one(&self.visible[*other]));
        }
    }

    fn preferred(&self, i: usize) -> Option<Vec<u8>> {
        self.with_attribute(i, self.preferred.get(&self.known[i].node?)?.as_bytes().to_vec())
    }

    fn path(&self, i: usize) -> Option<Vec<u8>> {
        let path = self.graph.outside.path(&self.graph.objects, self.known[i].node?)?;
        self.with_attribute(i, path.into_bytes())
    }

    fn full_name(&self, i: usize) -> Option<Vec<u8>> {
        let full_name = self.graph.full_name(self.known[i].node?)?;
        let full_names = self.full_names.get_or_init(|| {
            let mut full_names = HashMap::new();
            for (_, attribute) in self.graph.attributes() {
                *full_names.entry(attribute.full_name.as_str()).or_default() += 1;
            }
            full_names
        });
        let alone = full_names.get(full_name) == Some(&1);
        self.with_attribute(i, full_name.into()).filter(|_| alone)
    }

    fn below_variable(&self, i: usize) -> Option<Vec<u8>> {
        let NameRole::Slot { of: Some(of) } = self.known[i].role else { return None };
        let variable = &self.visible[of];
        self.with_attribute(i, [variable, self.below[i].as_bytes()].concat()).filter(|_| !variable.is_empty())
    }

    fn stem(&self, i: usize) -> Option<Vec<u8>> {
        Some(self.keys[i].stem().to_vec())
    }

    fn key(&self, i: usize) -> Option<Vec<u8>> {
        Some(self.keys[i].whole.to_vec())
    }

    /// Appends the key's attribute to a name, unless the attribute is the value. Returns `None` if the name is empty.
    fn with_attribute(&self, i: usize, mut name: Vec<u8>) -> Option<Vec<u8>> {
        let (_, attribute) = self.keys[i].parts.filter(|_| !name.is_empty())?;
        if attribute != VARIABLE_VALUE.as_bytes() {
            name.extend_from_slice(ATTRIBUTES.as_bytes());
            name.extend_from_slice(attribute);
        }
        Some(name)
    }
}

fn is_value(key: &[u8]) -> bool {
    key.strip_suffix(VARIABLE_VALUE.as_bytes()).is_some_and(|path| path.ends_with(ATTRIBUTES.as_bytes()))
}

#[cfg(test)]
mod tests;
