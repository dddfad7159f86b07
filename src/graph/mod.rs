//! The object graph of a TF2 checkpoint. It holds the names by which users know the variables; the keys do not.
//!
//! A program's objects refer to each other by name. A *path* is a sequence of such names from the root. One variable
//! may have many paths, or infinitely many if there are cycles. Its key in the bundle is only the path that was
//! shortest at save time: in a compiled Keras 3 model that is `optimizer/_trainable_variables/0`. So all code here
//! resolves names through the graph and treats a key as an opaque handle.
//!
//! Nothing here recurses, and no function costs more than the graph's nodes and edges, even with many paths.

pub(crate) mod edit;
pub(crate) mod import;
pub(crate) mod key;
mod key_index;
pub(crate) mod names;
mod optimizer;
mod path_cursor;
mod paths;
mod slots;
pub mod synthesize;
mod walk;

use std::sync::OnceLock;

pub(crate) use slots::Slots;
use walk::Walk;

pub(crate) use crate::format::object_graph::{NodeId, ObjectGraph};
use crate::format::{Malformed, object_graph};
use crate::graph::key_index::KeyIndex;
pub(crate) use crate::graph::names::{Known, NameRole};
pub(crate) use crate::graph::path_cursor::PathCursor;

/// The key of the graph itself in a bundle. It is not a variable.
pub const KEY: &str = "_CHECKPOINTABLE_OBJECT_GRAPH";

/// The object where every path starts.
pub(crate) const ROOT: NodeId = 0;

/// An object graph, with the best path to each of its nodes.
#[derive(Clone, Debug)]
pub struct Graph {
    objects: ObjectGraph,
    /// The walk that TensorFlow used to choose the keys: breadth first, children in their order.
    all: Walk,
    /// A walk that does not enter optimizers and avoids obscure names.
    outside: Walk,
    /// True for each node that is an optimizer's own state: it is reachable only through optimizers.
    state: Vec<bool>,
    optimizers: Vec<bool>,
    /// The edges that lead to each node: the parent, and the position among its children. Built on first use.
    parents: OnceLock<Vec<Vec<(NodeId, usize)>>>,
    /// The children of each node, sorted by name. Built on first use.
    by_name: OnceLock<Vec<Vec<usize>>>,
    /// The nodes that have values, by the paths of their keys. Built on first use.
    key_index: OnceLock<KeyIndex>,
    /// The nodes that are slots of others. Built on first use.
    slots: OnceLock<Slots>,
}

impl Graph {
    /// Decodes a serialized graph.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        Ok(Self::new(object_graph::decode(bytes)?))
    }

    /// Builds a graph from objects that satisfy the invariants of [`object_graph`].
    pub fn new(objects: ObjectGraph) -> Self {
        let optimizers = optimizer::optimizers(&objects);
        let all = Walk::plain(&objects);
        let outside = Walk::outside(&objects, &optimizers);
        let kept = Walk::with_weights(&objects, &optimizers);
        let state = (0..objects.nodes.len()).map(|n| all.reaches(n) && !kept.reaches(n)).collect();
        let (parents, by_name, owners, slots) = Default::default();
        Self { objects, all, outside, state, optimizers, parents, by_name, key_index: owners, slots }
    }

    /// Returns the objects.
    pub fn objects(&self) -> &ObjectGraph {
        &self.objects
    }

    /// Returns the shortest path to a node, escaped; empty for the root. Returns `None` for a node that the root does
    /// not reach, and for one that it reaches by a nameless edge, whose path would equal the root's.
    pub fn path(&self, node: NodeId) -> Option<String> {
        self.all.path(&self.objects, node).filter(|path| path.is_empty() == (node == ROOT))
    }

    /// Returns the last edge of the best path to a node, from which its visible name is made: the parent, and the
    /// position among its children. It is an edge outside optimizers if there is one. Together these edges form a
    /// tree from the root.
    pub(crate) fn home(&self, node: NodeId) -> Option<(NodeId, usize)> {
        self.outside.arrival(node).or_else(|| self.all.arrival(node))
    }

    /// Returns the node at the end of an escaped path.
    pub fn resolve(&self, path: &str) -> Option<NodeId> {
        if path.is_empty() {
            return Some(ROOT);
        }
        path.split('/').try_fold(ROOT, |node, component| self.child(node, &key::unescape(component)?))
    }

    /// Returns the child of a node with that local name.
    pub(crate) fn child(&self, node: NodeId, name: &str) -> Option<NodeId> {
        Some(self.objects.nodes[node].children[self.child_at(node, name)?].node)
    }

    /// Returns the position of the child with that local name.
    pub(crate) fn child_at(&self, node: NodeId, name: &str) -> Option<usize> {
        let children = &self.objects.nodes.get(node)?.children;
        if children.len() <= FEW {
            return children.iter().position(|child| child.local_name == name);
        }
        let by_name = self.by_name.get_or_init(|| self.objects.nodes.iter().map(by_name).collect());
        let at = by_name[node].binary_search_by(|&at| children[at].local_name.as_str().cmp(name)).ok()?;
        Some(by_name[node][at])
    }

    /// Returns true if some path to the node leads through no optimizer.
    pub(crate) fn is_outside_optimizers(&self, node: NodeId) -> bool {
        self.outside.reaches(node)
    }

    /// Returns true if a node is an optimizer, judged by its contents. The root never is.
    pub(crate) fn is_optimizer(&self, node: NodeId) -> bool {
        self.optimizers.get(node).copied().unwrap_or(false)
    }
}

/// The maximum number of children that are searched linearly. Larger nodes get an index.
const FEW: usize = 8;

fn by_name(node: &object_graph::Node) -> Vec<usize> {
    if node.children.len() <= FEW {
        return Vec::new();
    }
    let mut order: Vec<usize> = (0..node.children.len()).collect();
    order.sort_unstable_by_key(|&at| node.children[at].local_name.as_str());
    order
}
