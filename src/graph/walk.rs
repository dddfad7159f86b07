//! One best path from the root to every node, as a tree of edges.
//!
//! Shortest first, in components. Among the shortest, the one with the fewest *obscure* components, if the walk minds: a
//! number or a name with a leading underscore says less than `kernel`. Among those, the one TensorFlow finds
//! first: breadth first, children in the order they are listed.

use crate::format::object_graph::{Child, Node, NodeId, ObjectGraph};
use crate::graph::ROOT;
use crate::graph::key::escape;

/// Longer paths are not spelled out: no file system could open them, and in a hostile graph their sum would be
/// quadratic.
pub(super) const MAX_PATH: usize = 4096;

/// The tree: for each node the edge by which its best path arrives.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    arrivals: Vec<Option<Arrival>>,
}

#[derive(Clone, Copy, Debug)]
struct Arrival {
    /// The node it comes from, and which of its children this is; the root comes from itself.
    parent: NodeId,
    child: usize,
    depth: usize,
    obscure: usize,
    /// When this arrival was found, which settles what is otherwise equal.
    found: usize,
}

impl Walk {
    /// To every node, as TensorFlow goes.
    pub(super) fn plain(graph: &ObjectGraph) -> Self {
        Self::new(graph, |_, _| true, |_| 0)
    }

    /// Without entering an optimizer below the root.
    pub(super) fn outside(graph: &ObjectGraph, optimizers: &[bool]) -> Self {
        Self::new(graph, |_, child| !optimizers[child.node], |name| usize::from(is_obscure(name)))
    }

    /// Through optimizers too, but in them only to the weights they train: Keras 3 lists those there.
    pub(super) fn with_weights(graph: &ObjectGraph, optimizers: &[bool]) -> Self {
        Self::new(graph, |node, child| !optimizers[node] || child.local_name == "_trainable_variables", |_| 0)
    }

    fn new(
        graph: &ObjectGraph,
        follow: impl Fn(NodeId, &Child) -> bool,
        obscure: impl Fn(&str) -> usize,
    ) -> Self {
        let mut arrivals: Vec<Option<Arrival>> = vec![None; graph.nodes.len()];
        arrivals[ROOT] = Some(Arrival { parent: ROOT, child: 0, depth: 0, obscure: 0, found: 0 });
        let (mut level, mut found) = (vec![(ROOT, 0)], 0);
        for depth in 1.. {
            let mut next = Vec::new();
            for &(parent, so_far) in &level {
                for (at, child) in graph.nodes[parent].children.iter().enumerate() {
                    if !follow(parent, child) {
                        continue;
                    }
                    found += 1;
                    let obscure = so_far + obscure(&child.local_name);
                    let new = Arrival { parent, child: at, depth, obscure, found };
                    match &mut arrivals[child.node] {
                        Some(old) if old.depth < depth || old.obscure <= obscure => {}
                        Some(old) => *old = new,
                        none => {
                            *none = Some(new);
                            next.push(child.node);
                        }
                    }
                }
            }
            if next.is_empty() {
                return Self { arrivals };
            }
            let rank = |node: NodeId| arrivals[node].map_or((0, 0), |a| (a.obscure, a.found));
            next.sort_by_key(|&node| rank(node));
            level = next.into_iter().map(|node| (node, rank(node).0)).collect();
        }
        unreachable!("a level of new nodes is empty at last")
    }

    pub(super) fn reaches(&self, node: NodeId) -> bool {
        self.arrivals[node].is_some()
    }

    /// How many components the best path has.
    pub(super) fn depth(&self, node: NodeId) -> Option<usize> {
        self.arrivals[node].map(|arrival| arrival.depth)
    }

    /// The edge by which the best path arrives: whose child, and which. None for the root.
    pub(super) fn arrival(&self, node: NodeId) -> Option<(NodeId, usize)> {
        self.arrivals[node].filter(|arrival| arrival.depth > 0).map(|arrival| (arrival.parent, arrival.child))
    }

    /// The best path, escaped, unless it is longer than anyone could use.
    pub(super) fn path(&self, graph: &ObjectGraph, mut node: NodeId) -> Option<String> {
        let depth = self.depth(node)?;
        let (mut names, mut len) = (Vec::with_capacity(depth), 0);
        loop {
            let arrival = self.arrivals[node]?;
            if arrival.depth == 0 {
                names.reverse();
                return Some(names.join("/"));
            }
            let Node { children, .. } = &graph.nodes[arrival.parent];
            let name = escape(&children[arrival.child].local_name);
            len += name.len() + 1;
            if len > MAX_PATH {
                return None;
            }
            names.push(name);
            node = arrival.parent;
        }
    }
}

fn is_obscure(name: &str) -> bool {
    name.starts_with('_') || name.bytes().all(|byte| byte.is_ascii_digit())
}
