//! Fast lookup of many paths, most of which share a prefix with the one before.

use crate::format::object_graph::NodeId;
use crate::graph::key::unescape;
use crate::graph::{Graph, ROOT};

/// A cursor that resolves paths in a graph, starting from the prefix shared with the last path.
#[derive(Clone, Debug)]
pub(crate) struct PathCursor<'g> {
    graph: &'g Graph,
    path: String,
    /// For each component of the path: the byte offset of its end, and its edge.
    steps: Vec<(usize, (NodeId, usize))>,
}

impl<'g> PathCursor<'g> {
    /// Creates a cursor at the root.
    pub(crate) fn new(graph: &'g Graph) -> Self {
        Self { graph, path: String::new(), steps: Vec::new() }
    }

    /// Returns the edges along an escaped path, each a node and the position among its children; the root's path has
    /// none. Returns `None` if the path does not exist.
    pub(crate) fn edges(
        &mut self,
        path: &str,
    ) -> Option<impl ExactSizeIterator<Item = (NodeId, usize)> + '_> {
        self.follow(path)?;
        Some(self.steps.iter().map(|(_, edge)| *edge))
    }

    /// Returns the node at the end of an escaped path.
    pub(crate) fn resolve(&mut self, path: &str) -> Option<NodeId> {
        self.follow(path)?;
        Some(self.here())
    }

    fn here(&self) -> NodeId {
        self.steps.last().map_or(ROOT, |(_, edge)| self.end(*edge))
    }

    fn end(&self, (node, child): (NodeId, usize)) -> NodeId {
        self.graph.objects.nodes[node].children[child].node
    }

    fn follow(&mut self, path: &str) -> Option<()> {
        let left = self.back_to_fork(path);
        let known = self.steps.last().map_or(0, |(end, _)| *end);
        self.path.truncate(known);
        let (mut at, mut left) = (known, left);
        if path.is_empty() || at == path.len() && !self.steps.is_empty() {
            return Some(());
        }
        loop {
            let start = if self.steps.is_empty() { 0 } else { at + 1 };
            let end = path[start..].find('/').map_or(path.len(), |len| start + len);
            let edge = self.edge(&path[start..end], left.take())?;
            self.path.push_str(&path[at..end]);
            self.steps.push((end, edge));
            at = end;
            if at == path.len() {
                return Some(());
            }
        }
    }

    /// Goes back to the common prefix of the last path and `path`. Returns the first edge that was removed.
    fn back_to_fork(&mut self, path: &str) -> Option<(NodeId, usize)> {
        let (mine, yours) = (self.path.as_bytes(), path.as_bytes());
        let same = mine.iter().zip(yours).take_while(|(a, b)| a == b).count();
        let is_end = |end: usize| end <= same && (end == yours.len() || yours[end] == b'/');
        let keep = self.steps.iter().take_while(|(end, _)| is_end(*end)).count();
        let left = self.steps.get(keep).map(|(_, edge)| *edge);
        self.steps.truncate(keep);
        left
    }

    /// Returns the edge with that name from the current node. It is often the one after the edge that was left.
    fn edge(&self, component: &str, left: Option<(NodeId, usize)>) -> Option<(NodeId, usize)> {
        let (node, name) = (self.here(), unescape(component)?);
        let next = left.filter(|(parent, _)| *parent == node).map(|(_, child)| child + 1);
        let children = &self.graph.objects.nodes[node].children;
        let next = next.filter(|next| children.get(*next).is_some_and(|child| *child.local_name == *name));
        Some((node, next.or_else(|| self.graph.child_at(node, &name))?))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::format::object_graph::tests::any_graph;

    proptest! {
        #[test]
        fn a_cursor_finds_the_same_nodes_as_a_walk_from_the_root(
            objects in any_graph(),
            paths in prop::collection::vec("[a-c]{0,2}(/[a-c]{0,2}){0,3}", 1..20),
        ) {
            let graph = Graph::new(objects);
            let known = (0..graph.objects.nodes.len()).flat_map(|node| graph.paths(node, 3));
            let known: Vec<String> = known.map(|path| String::from_utf8(path).unwrap()).collect();
            let mut guide = PathCursor::new(&graph);
            for path in paths.iter().chain(&known).chain(&paths) {
                prop_assert_eq!(guide.resolve(path), graph.resolve(path), "{}", path);
            }
        }
    }
}
