//! The object graph of a TF2 checkpoint: the names a person knows its variables by live here, not in the keys.
//!
//! A program's objects refer to each other by name; a *path* is a row of such names from the root. One variable may
//! have many paths, or, among cycles, endlessly many. Its key in the bundle is only the path that was shortest when it was
//! saved: in a compiled Keras 3 model that is `optimizer/_trainable_variables/0`. So everything here asks the graph
//! and takes the keys for what they are, handles.
//!
//! Nothing here recurses and no function costs more than the graph's nodes and edges, however many paths there are.

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

/// The key of the graph itself among a bundle's keys. It is not a variable.
pub const KEY: &str = "_CHECKPOINTABLE_OBJECT_GRAPH";

/// The object every path starts from.
pub(crate) const ROOT: NodeId = 0;

/// An object graph, and the best way to each of its nodes.
#[derive(Clone, Debug)]
pub struct Graph {
    objects: ObjectGraph,
    /// As TensorFlow walked when it chose the keys: breadth first, children in their order.
    all: Walk,
    /// The same without going through optimizers, and choosier.
    outside: Walk,
    /// Whether a node is what an optimizer keeps for itself: reached only through optimizers.
    state: Vec<bool>,
    optimizers: Vec<bool>,
    /// For each node the edges that lead to it: whose child, and which. Made when first asked for.
    parents: OnceLock<Vec<Vec<(NodeId, usize)>>>,
    /// For each node its children, by name. Made when first asked for.
    by_name: OnceLock<Vec<Vec<usize>>>,
    /// The nodes that have values, by the paths of their keys. Made when first asked for.
    key_index: OnceLock<KeyIndex>,
    /// The nodes that are slots of others. Made when first asked for.
    slots: OnceLock<Slots>,
}

impl Graph {
    /// Reads a serialized graph.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        Ok(Self::new(object_graph::decode(bytes)?))
    }

    /// The graph of these objects, which must hold what [`object_graph`] promises.
    pub fn new(objects: ObjectGraph) -> Self {
        let optimizers = optimizer::optimizers(&objects);
        let all = Walk::plain(&objects);
        let outside = Walk::outside(&objects, &optimizers);
        let kept = Walk::with_weights(&objects, &optimizers);
        let state = (0..objects.nodes.len()).map(|n| all.reaches(n) && !kept.reaches(n)).collect();
        let (parents, by_name, owners, slots) = Default::default();
        Self { objects, all, outside, state, optimizers, parents, by_name, key_index: owners, slots }
    }

    /// The objects themselves.
    pub fn objects(&self) -> &ObjectGraph {
        &self.objects
    }

    /// The shortest path to a node, escaped; empty for the root, none for what the root does not reach, or reaches by an
    /// edge without a name, whose text would be the root's.
    pub fn path(&self, node: NodeId) -> Option<String> {
        self.all.path(&self.objects, node).filter(|path| path.is_empty() == (node == ROOT))
    }

    /// The edge by which a node's best path arrives, that which its visible name is made of: whose child, and which. It is
    /// an edge outside optimizers if there is one. All these edges are a tree from the root.
    pub(crate) fn home(&self, node: NodeId) -> Option<(NodeId, usize)> {
        self.outside.arrival(node).or_else(|| self.all.arrival(node))
    }

    /// The node at the end of an escaped path.
    pub fn resolve(&self, path: &str) -> Option<NodeId> {
        if path.is_empty() {
            return Some(ROOT);
        }
        path.split('/').try_fold(ROOT, |node, component| self.child(node, &key::unescape(component)?))
    }

    /// The child of a node by its local name.
    pub(crate) fn child(&self, node: NodeId, name: &str) -> Option<NodeId> {
        Some(self.objects.nodes[node].children[self.child_at(node, name)?].node)
    }

    /// Which of a node's children has that local name.
    pub(crate) fn child_at(&self, node: NodeId, name: &str) -> Option<usize> {
        let children = &self.objects.nodes.get(node)?.children;
        if children.len() <= FEW {
            return children.iter().position(|child| child.local_name == name);
        }
        let by_name = self.by_name.get_or_init(|| self.objects.nodes.iter().map(by_name).collect());
        let at = by_name[node].binary_search_by(|&at| children[at].local_name.as_str().cmp(name)).ok()?;
        Some(by_name[node][at])
    }

    /// Whether a path leads to a node that goes through no optimizer.
    pub(crate) fn is_outside_optimizers(&self, node: NodeId) -> bool {
        self.outside.reaches(node)
    }

    /// Whether a node is an optimizer, told by what it has. The root never is.
    pub(crate) fn is_optimizer(&self, node: NodeId) -> bool {
        self.optimizers.get(node).copied().unwrap_or(false)
    }
}

/// So many children are looked through one by one; of more there is an index.
const FEW: usize = 8;

fn by_name(node: &object_graph::Node) -> Vec<usize> {
    if node.children.len() <= FEW {
        return Vec::new();
    }
    let mut order: Vec<usize> = (0..node.children.len()).collect();
    order.sort_unstable_by_key(|&at| node.children[at].local_name.as_str());
    order
}
