//! The subtrees below the objects that a rule matches: the variables that move with these objects.

use foldhash::{HashSet, HashSetExt};

use crate::format::object_graph::NodeId;
use crate::graph::ROOT;
use crate::remap::objects::matching::Matches;
use crate::remap::objects::matching::search::{Edge, Meaning, PathMatch};

/// The objects that were added, and all objects below them. A reference back to an object on the path from the root
/// is not followed.
pub(crate) struct Subtree<'a> {
    matches: &'a Matches<'a>,
    seen: HashSet<NodeId>,
    slots: HashSet<NodeId>,
    /// The slots that belong to the objects whose content was added.
    content: HashSet<NodeId>,
}

impl<'a> Subtree<'a> {
    pub(crate) fn new(matches: &'a Matches<'a>) -> Self {
        Self { matches, seen: HashSet::new(), slots: HashSet::new(), content: HashSet::new() }
    }

    /// Adds the object at the end of a path and everything below it, except edges for which `is_blocked` returns
    /// true.
    pub(crate) fn add(&mut self, found: &PathMatch, meaning: Meaning, is_blocked: impl Fn(Edge) -> bool) {
        if let Some(slot) = found.leaf.as_ref().and_then(|leaf| leaf.slot) {
            self.slots.insert(slot);
            return;
        }
        let way: HashSet<NodeId> =
            found.edges.iter().map(|edge| edge.0).filter(|node| *node != found.node).chain([ROOT]).collect();
        let start = match meaning {
            Meaning::Paths => self.seen.insert(found.node),
            Meaning::Containers => true,
        };
        if meaning == Meaning::Containers
            && self.matches.slot_values.below(found.node).iter().any(|l| l.slot.is_none())
        {
            self.seen.insert(found.node);
        }
        if meaning == Meaning::Containers {
            self.content.extend(self.matches.node(found.node).slots.iter().map(|slot| slot.variable));
        }
        let mut open = if start { vec![found.node] } else { vec![] };
        while let Some(node) = open.pop() {
            for edge in (0..self.matches.node(node).children.len()).map(|child| (node, child)) {
                let child = self.matches.child(edge);
                let is_open = !way.contains(&child) && !self.matches.is_counter(edge) && !is_blocked(edge);
                if is_open && self.seen.insert(child) {
                    open.push(child);
                }
            }
        }
    }

    /// Returns the values of these objects, in the order of their names.
    pub(crate) fn entries(&self) -> Vec<usize> {
        let nodes = self.seen.iter().chain(&self.slots);
        let mut entries: Vec<_> = nodes.flat_map(|node| self.matches.of_node.get(*node)).copied().collect();
        entries.sort_unstable();
        entries
    }

    /// Returns the slots that follow these objects: the slots for one of them, and the slots that one of them keeps.
    pub(crate) fn followers(&self) -> HashSet<NodeId> {
        let slot_values = self.seen.iter().flat_map(|node| self.matches.slot_values.below(*node));
        let own = self.seen.iter().flat_map(|node| &self.matches.node(*node).slots);
        slot_values
            .filter_map(|leaf| leaf.slot)
            .chain(own.map(|slot| slot.variable))
            .chain(self.content.iter().copied())
            .collect()
    }
}
