//! One best path from the root to every node, stored as a tree of edges.
//!
//! The path with the fewest components is the best. Among those, if the walk counts them, it is the one with the
//! fewest *obscure* components: a number or a name with a leading underscore says less than `kernel`. Among those, it
//! is the first that TensorFlow finds: breadth first, children in the order of the list.

use crate::format::object_graph::{Child, Node, NodeId, ObjectGraph};
use crate::graph::ROOT;
use crate::graph::key::escape;

/// The maximum length of a path in bytes. Longer paths are not built: no file system could open them, and in a
/// hostile graph their total size would be quadratic.
pub(super) const MAX_PATH: usize = 4096;

/// The tree: the last edge of the best path to each node.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    arrivals: Vec<Option<Arrival>>,
}

#[derive(Clone, Copy, Debug)]
struct Arrival {
    /// The parent, and the position among its children. The root is its own parent.
    parent: NodeId,
    child: usize,
    depth: usize,
    obscure: usize,
    /// The order in which arrivals were found. It breaks ties.
    found: usize,
}

impl Walk {
    /// Walks to every node, as TensorFlow does.
    pub(super) fn plain(graph: &ObjectGraph) -> Self {
        Self::new(graph, |_, _| true, |_| 0)
    }

    /// Walks without entering an optimizer below the root.
    pub(super) fn outside(graph: &ObjectGraph, optimizers: &[bool]) -> Self {
        Self::new(graph, |_, child| !optimizers[child.node], |name| usize::from(is_obscure(name)))
    }

    /// Walks through optimizers too, but inside one only to the weights that it trains: Keras 3 lists those there.
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

    /// Returns the number of components of the best path.
    pub(super) fn depth(&self, node: NodeId) -> Option<usize> {
        self.arrivals[node].map(|arrival| arrival.depth)
    }

    /// Returns the last edge of the best path: the parent, and the position among its children. `None` for the root.
    pub(super) fn arrival(&self, node: NodeId) -> Option<(NodeId, usize)> {
        self.arrivals[node].filter(|arrival| arrival.depth > 0).map(|arrival| (arrival.parent, arrival.child))
    }

    /// Returns the best path, escaped, or `None` if it is longer than `MAX_PATH`.
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
