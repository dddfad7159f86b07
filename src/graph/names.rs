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

use foldhash::{HashMap, HashMapExt, HashSet, HashSetExt};

use crate::format::object_graph::{Attribute, NodeId};

use super::key::{self, ATTRIBUTES, OPTIMIZER_SLOT, VARIABLE_VALUE};
use super::{Graph, ROOT};

/// What a key of the bundle is called and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// What a person calls it; no other key has this name.
    pub visible: Vec<u8>,
    /// The variable's own name in the program that saved it, which others may share.
    pub full_name: Option<Vec<u8>>,
    /// The node that owns it, if the graph knows the key.
    pub node: Option<NodeId>,
    /// What it is.
    pub role: Role,
    /// Whether an optimizer keeps it for itself: slots, moments, the iteration count, but not the weights it trains.
    pub optimizer_state: bool,
}

/// What a key of the bundle is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
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

impl Graph {
    /// The name of each key of a bundle, in the order of `keys`.
    pub fn names(&self, keys: &[&[u8]]) -> Vec<Name> {
        self.names_with(keys, &HashMap::new())
    }

    /// The same, but these paths are better than any other for the nodes that have one.
    pub fn names_with(&self, keys: &[&[u8]], preferred: &HashMap<NodeId, String>) -> Vec<Name> {
        let mut naming = Naming::new(self, keys, preferred);
        for resort in [Naming::preferred, Naming::path, Naming::full_name, Naming::stem, Naming::key] {
            naming.claim(false, resort);
        }
        for resort in [Naming::below_variable, Naming::stem, Naming::key] {
            naming.claim(true, resort);
        }
        naming.names
    }

    /// What each key of a bundle is, its name apart, which is left empty.
    pub fn roles(&self, keys: &[&[u8]]) -> Vec<Name> {
        Naming::new(self, keys, &HashMap::new()).names
    }

    /// The node whose keys begin with a path. Of two nodes with one key, which no writer makes, the first.
    pub(super) fn owners(&self) -> HashMap<&[u8], NodeId> {
        let mut owners = HashMap::new();
        for (id, attribute) in self.attributes() {
            if let Some((path, _)) = key::split(attribute.checkpoint_key.as_bytes()) {
                owners.entry(path).or_insert(id);
            }
        }
        owners
    }

    fn attributes(&self) -> impl Iterator<Item = (NodeId, &Attribute)> {
        self.objects
            .nodes
            .iter()
            .enumerate()
            .flat_map(|(id, node)| node.attributes.iter().map(move |a| (id, a)))
    }

    /// For each slot variable, the variable it is kept for, and what follows that one's name in its own.
    pub fn slots(&self) -> HashMap<NodeId, (NodeId, String)> {
        let mut slots = HashMap::new();
        for (optimizer, node) in
            self.objects.nodes.iter().enumerate().filter(|(_, node)| !node.slots.is_empty())
        {
            let Some(path) = self.path(optimizer) else { continue };
            for slot in &node.slots {
                let below = || format!("{OPTIMIZER_SLOT}{path}/{}", key::escape(&slot.name));
                slots.entry(slot.variable).or_insert_with(|| (slot.original, below()));
            }
        }
        slots
    }
}

/// The names so far.
struct Naming<'a> {
    graph: &'a Graph,
    keys: &'a [&'a [u8]],
    preferred: &'a HashMap<NodeId, String>,
    names: Vec<Name>,
    /// What follows the variable's name in each slot's.
    below: Vec<String>,
    /// How many attributes have a full name; counted when first asked for.
    full_names: OnceCell<HashMap<&'a str, usize>>,
    /// Keys that a name could be: those that are no variable's value.
    spelled: HashSet<&'a [u8]>,
    taken: HashSet<Vec<u8>>,
}

impl<'a> Naming<'a> {
    fn new(graph: &'a Graph, keys: &'a [&'a [u8]], preferred: &'a HashMap<NodeId, String>) -> Self {
        let owners = graph.owners();
        let owner = |path: &[u8]| owners.get(path).copied();
        let counter = graph.child(ROOT, "save_counter");
        let owned = |key: &[u8]| key::split(key).and_then(|(path, _)| owner(path));
        let names = keys.iter().map(|key| graph.facts(key, owned(key), counter));
        let (names, spelled) =
            (names.collect(), keys.iter().copied().filter(|key| key::stem(key) == *key).collect());
        let (below, full_names) = (vec![String::new(); keys.len()], OnceCell::new());
        let taken = HashSet::with_capacity(keys.len());
        let mut naming = Self { graph, keys, preferred, names, below, full_names, spelled, taken };
        naming.find_slots(owner);
        naming
    }

    fn find_slots(&mut self, owner: impl Fn(&[u8]) -> Option<NodeId>) {
        let slots = self.graph.slots();
        let mut key_of = HashMap::new();
        for (i, name) in self.names.iter().enumerate().filter(|(_, name)| name.role == Role::Variable) {
            key_of.entry(name.node).or_insert(i);
        }
        for (i, key) in self.keys.iter().enumerate() {
            let Some((path, _)) = key::split(key) else { continue };
            let in_graph = self.names[i].node.and_then(|node| slots.get(&node).cloned());
            let in_key = || Some((owner(key::slot_of(path)?)?, text(&path[key::slot_of(path)?.len()..])?));
            if let Some((original, below)) = in_graph.or_else(in_key) {
                let of = key_of.get(&Some(original)).copied().filter(|&of| of != i);
                self.names[i].role = Role::Slot { of };
                self.names[i].optimizer_state = true;
                self.below[i] = below;
            }
        }
    }

    /// Gives each slot, or each other key, that has no name yet the one it now resorts to, unless that is taken.
    fn claim(&mut self, slots: bool, resort: fn(&Self, usize) -> Option<Vec<u8>>) {
        for (i, key) in self.keys.iter().enumerate() {
            let Name { visible, role, .. } = &self.names[i];
            if !visible.is_empty() || matches!(role, Role::Slot { .. }) != slots {
                continue;
            }
            let Some(visible) = resort(self, i).filter(|visible| !visible.is_empty()) else { continue };
            let free = visible == *key || !is_value(&visible) && !self.spelled.contains(visible.as_slice());
            if free && self.taken.insert(visible.clone()) {
                self.names[i].visible = visible;
            }
        }
    }

    fn preferred(&self, i: usize) -> Option<Vec<u8>> {
        self.with_attribute(i, self.preferred.get(&self.names[i].node?)?.clone().into_bytes())
    }

    fn path(&self, i: usize) -> Option<Vec<u8>> {
        self.with_attribute(
            i,
            self.graph.outside.path(&self.graph.objects, self.names[i].node?)?.into_bytes(),
        )
    }

    fn full_name(&self, i: usize) -> Option<Vec<u8>> {
        let full_name = self.names[i].full_name.clone()?;
        let full_names = self.full_names.get_or_init(|| {
            let mut full_names = HashMap::new();
            for (_, attribute) in self.graph.attributes() {
                *full_names.entry(attribute.full_name.as_str()).or_default() += 1;
            }
            full_names
        });
        let alone = full_names.get(std::str::from_utf8(&full_name).ok()?) == Some(&1);
        self.with_attribute(i, full_name).filter(|_| alone)
    }

    fn below_variable(&self, i: usize) -> Option<Vec<u8>> {
        let Role::Slot { of: Some(of) } = self.names[i].role else { return None };
        let variable = &self.names[of].visible;
        self.with_attribute(i, [variable, self.below[i].as_bytes()].concat()).filter(|_| !variable.is_empty())
    }

    fn stem(&self, i: usize) -> Option<Vec<u8>> {
        Some(key::stem(self.keys[i]).to_vec())
    }

    fn key(&self, i: usize) -> Option<Vec<u8>> {
        Some(self.keys[i].to_vec())
    }

    /// A name with the key's attribute after it, unless that goes without saying. Nothing can be hung below no name.
    fn with_attribute(&self, i: usize, mut name: Vec<u8>) -> Option<Vec<u8>> {
        let (_, attribute) = key::split(self.keys[i]).filter(|_| !name.is_empty())?;
        if attribute != VARIABLE_VALUE.as_bytes() {
            name.extend_from_slice(ATTRIBUTES.as_bytes());
            name.extend_from_slice(attribute);
        }
        Some(name)
    }
}

impl Graph {
    /// What is known of a key before it has a name.
    fn facts(&self, key: &[u8], node: Option<NodeId>, counter: Option<NodeId>) -> Name {
        let is_value = key::split(key).is_some_and(|(_, attribute)| attribute == VARIABLE_VALUE.as_bytes());
        let is_variable = is_value && (node.is_none() || node != counter);
        let attributes = node.map_or(&[][..], |node| &self.objects.nodes[node].attributes);
        let full_name = attributes.iter().map(|a| &a.full_name).find(|full_name| !full_name.is_empty());
        Name {
            visible: Vec::new(),
            full_name: full_name.map(|full_name| full_name.clone().into_bytes()),
            node,
            role: if is_variable { Role::Variable } else { Role::Other },
            optimizer_state: node.is_some_and(|node| self.state[node]),
        }
    }
}

fn is_value(key: &[u8]) -> bool {
    key.strip_suffix(VARIABLE_VALUE.as_bytes()).is_some_and(|path| path.ends_with(ATTRIBUTES.as_bytes()))
}

fn text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

#[cfg(test)]
mod tests;
