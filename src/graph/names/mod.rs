//! The visible names: what `ls`, `vars/` and every message call a variable of an object-based checkpoint.
//!
//! Of these, the first that nothing else has taken:
//!
//! 1. the best path outside optimizers to the node that owns the key. Best: the fewest components; then the fewest that
//!    are numbers or begin with `_` (so `encoder/kernel` before `_layers/0`); then TensorFlow's own order, which
//!    gives the key's path wherever no optimizer came in between;
//! 2. the full name, if it is the only one of its kind in the graph (twelve Keras variables may all be called `kernel`);
//! 3. the key.
//!
//! They lose a final `/.ATTRIBUTES/VARIABLE_VALUE` and keep any other attribute: `table/.ATTRIBUTES/table-keys`. A slot is shown
//! below its variable: the variable's name, `/.OPTIMIZER_SLOT/`, the optimizer's path, the slot's name.
//! No name is another key's spelling, so that the last resort, the whole key, is always free: all names differ.

use std::cell::OnceCell;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use foldhash::{HashMap, HashMapExt, HashSet};
use hashbrown::HashTable;
use smol_str::SmolStr;

use crate::format::object_graph::{Attribute, NodeId};
use crate::graph::key::{ATTRIBUTES, VARIABLE_VALUE};
use crate::graph::{Graph, ROOT, key};

/// What a key of the bundle is called and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name<'g> {
    /// What a person calls it; no other key has this name.
    pub visible: Vec<u8>,
    /// The variable's own name in the program that saved it, which others may share.
    pub(crate) full_name: Option<&'g str>,
    /// The node that owns it, if the graph knows the key.
    pub(crate) node: Option<NodeId>,
    /// What it is.
    pub(crate) role: NameRole,
    /// Whether an optimizer keeps it for itself: slots, moments, the iteration count, but not the weights it trains.
    pub(crate) optimizer_state: bool,
}

/// What a key of the bundle is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameRole {
    /// A variable.
    Variable,
    /// What an optimizer keeps for a variable.
    Slot {
        /// That variable, as an index into the keys, if it is among them.
        of: Option<usize>,
    },
    /// A table, an iterator, an object's configuration, the save counter, the graph.
    Other,
}

/// What is known of a key without its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// The node that owns it, if the graph knows the key.
    pub(crate) node: Option<NodeId>,
    /// What it is.
    pub(crate) role: NameRole,
    /// Whether an optimizer keeps it for itself.
    pub(crate) optimizer_state: bool,
}

impl Graph {
    /// The name of each key of a bundle, in the order of `keys`.
    pub fn names(&self, keys: &[&[u8]]) -> Vec<Name<'_>> {
        let keys: Vec<_> = keys.iter().map(|key| Key::new(key, |path| self.owner_at(path))).collect();
        self.names_of(&keys, &HashMap::new())
    }

    /// The same when it is known whose the keys are; these paths are better than any other for the nodes that have one.
    pub(crate) fn names_with(
        &self,
        keys: &[(&[u8], Option<NodeId>)],
        preferred: &HashMap<NodeId, SmolStr>,
    ) -> Vec<Name<'_>> {
        let keys: Vec<_> = keys.iter().map(|(key, node)| Key::new(key, |_| *node)).collect();
        self.names_of(&keys, preferred)
    }

    /// What each key of a bundle is.
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

    /// What the keys are, and what follows the variable's name in that of each slot.
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

    /// The variable that a key is a slot of by its form, and what follows that one's name.
    fn slot_in<'a>(&self, key: &Key<'a>) -> Option<(NodeId, &'a str)> {
        let (path, _) = key.parts?;
        let variable = key::slot_of(path)?;
        Some((self.owner_at(variable)?, std::str::from_utf8(&path[variable.len()..]).ok()?))
    }

    /// The name that a variable has in its program.
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
    /// Its path and its attribute, if it is an object's key.
    parts: Option<(&'a [u8], &'a [u8])>,
    /// The node that owns it.
    node: Option<NodeId>,
}

impl<'a> Key<'a> {
    fn new(whole: &'a [u8], owner: impl Fn(&[u8]) -> Option<NodeId>) -> Self {
        let parts = key::split(whole);
        Self { whole, parts, node: parts.and_then(|(path, _)| owner(path)) }
    }

    /// Whether it is of a variable's value.
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

/// The names so far.
struct Naming<'a> {
    graph: &'a Graph,
    keys: &'a [Key<'a>],
    preferred: &'a HashMap<NodeId, SmolStr>,
    known: Vec<Known>,
    /// What follows the variable's name in each slot's.
    below: Vec<&'a str>,
    visible: Vec<Vec<u8>>,
    /// How many attributes have a full name; counted when first asked for.
    full_names: OnceCell<HashMap<&'a str, usize>>,
    /// Keys that a name could be: those that are no variable's value.
    spelled: HashSet<&'a [u8]>,
    /// Which keys have which names.
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

    /// Gives each slot, or each other key, that has no name yet the one it now resorts to, unless that is taken.
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

    /// Gives a key a name that is free.
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

    /// A name with the key's attribute after it, unless that goes without saying. Nothing can be hung below no name.
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
