//! Variable names as a tree of components. Each node has one parent, an optional variable, and children sorted by
//! file name.

use std::cmp::Ordering;
use std::ops::Range;

use crate::tree::escape::escape;

/// The number of a node. The root, which has no component, is 0.
pub(crate) type NodeId = u32;

/// A tree of name components. The children of a node have consecutive numbers.
pub(crate) struct Names {
    nodes: Vec<Node>,
}

/// A component of one or more names.
pub(crate) struct Node {
    /// The component as a file name.
    pub(crate) component: Box<str>,
    pub(crate) parent: NodeId,
    /// The ordinal of the variable whose name ends here.
    pub(crate) variable: Option<u32>,
    pub(crate) children: Range<NodeId>,
    /// The number of children that have children.
    pub(crate) branches: u32,
}

/// A node whose children are still to be created: its names as a range of the sorted names, and the length of the
/// prefix that these names share.
struct Pending {
    node: NodeId,
    run: Range<usize>,
    from: usize,
}

impl Names {
    /// Builds the tree of `names`, which are unique. The position of a name in the list is the ordinal of its
    /// variable.
    pub(crate) fn new(names: &[&[u8]]) -> Self {
        let mut order: Vec<u32> = (0..names.len() as u32).collect();
        order.sort_unstable_by(|&a, &b| by_components(names[a as usize], names[b as usize]));
        let mut tree = Self { nodes: vec![Node::new(String::new(), 0, None)] };
        let mut pending =
            std::collections::VecDeque::from([Pending { node: 0, run: 0..order.len(), from: 0 }]);
        while let Some(parent) = pending.pop_front() {
            tree.grow(&parent, names, &order, &mut pending);
        }
        tree.nodes.shrink_to_fit();
        tree.count_branches();
        tree
    }

    pub(crate) fn len(&self) -> u32 {
        self.nodes.len() as u32
    }

    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id as usize]
    }

    /// Returns the child with the given file name.
    pub(crate) fn child(&self, of: NodeId, name: &str) -> Option<NodeId> {
        let children = self.node(of).children.clone();
        let nodes = &self.nodes[children.start as usize..children.end as usize];
        let at = nodes.binary_search_by(|node| (*node.component).cmp(name)).ok()?;
        Some(children.start + at as NodeId)
    }

    /// Returns the nodes on the path from the root to `id`, without the root.
    pub(crate) fn path(&self, id: NodeId) -> Vec<NodeId> {
        let up = std::iter::successors(Some(id), |&id| Some(self.node(id).parent)).take_while(|&id| id != 0);
        let mut path: Vec<_> = up.collect();
        path.reverse();
        path
    }

    /// Returns the node of each of `count` variables.
    pub(crate) fn nodes_of(&self, count: usize) -> Vec<NodeId> {
        let mut nodes = vec![0; count];
        for (id, node) in (0..).zip(&self.nodes) {
            if let Some(variable) = node.variable {
                nodes[variable as usize] = id;
            }
        }
        nodes
    }

    /// Creates the children of one node.
    fn grow(&mut self, parent: &Pending, names: &[&[u8]], order: &[u32], pending: &mut impl Extend<Pending>) {
        let rest = |i: usize| &names[order[i] as usize][parent.from..];
        let mut groups = Vec::new();
        let mut at = parent.run.start;
        while at < parent.run.end {
            let component = first(rest(at));
            let end = (at..parent.run.end).find(|&i| first(rest(i)) != component).unwrap_or(parent.run.end);
            groups.push((escape(component).into_owned(), at..end, component.len()));
            at = end;
        }
        groups.sort_by(|a, b| a.0.cmp(&b.0));
        let start = self.len();
        for (name, run, len) in groups {
            let node = self.len();
            // Among names with these components, the one that ends here sorts first.
            let ends = rest(run.start).len() == len;
            self.nodes.push(Node::new(name, parent.node, ends.then(|| order[run.start])));
            let run = run.start + usize::from(ends)..run.end;
            pending.extend((!run.is_empty()).then_some(Pending { node, run, from: parent.from + len + 1 }));
        }
        self.nodes[parent.node as usize].children = start..self.len();
    }

    fn count_branches(&mut self) {
        for id in 1..self.nodes.len() {
            if !self.nodes[id].children.is_empty() {
                let parent = self.nodes[id].parent as usize;
                self.nodes[parent].branches += 1;
            }
        }
    }
}

impl Node {
    fn new(component: String, parent: NodeId, variable: Option<u32>) -> Self {
        Self { component: component.into(), parent, variable, children: 0..0, branches: 0 }
    }
}

fn first(name: &[u8]) -> &[u8] {
    name.split(|&byte| byte == b'/').next().unwrap_or_default()
}

fn by_components(a: &[u8], b: &[u8]) -> Ordering {
    let slash = |byte: &u8| *byte == b'/';
    a.split(slash).cmp(b.split(slash))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn find(tree: &Names, name: &[u8]) -> Option<u32> {
        let mut components = name.split(|&b| b == b'/');
        let node = components.try_fold(0, |node, component| tree.child(node, &escape(component)))?;
        tree.node(node).variable
    }

    #[test]
    fn a_variable_may_have_variables_below_it() {
        let names: Vec<&[u8]> = vec![b"a", b"a.b", b"a/Adam", b"a/b/c", b"x//y"];
        let tree = Names::new(&names);
        for (ordinal, name) in names.iter().enumerate() {
            assert_eq!(find(&tree, name), Some(ordinal as u32));
        }
        assert_eq!(find(&tree, b"a/b"), None);
        let a = tree.child(0, "a").unwrap();
        assert_eq!((tree.node(a).children.len(), tree.node(a).branches), (2, 1));
    }

    proptest! {
        #[test]
        fn exactly_the_given_names_are_found(names in prop::collection::btree_set("[ab./%]{1,6}", 0..30)) {
            let bytes: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
            let tree = Names::new(&bytes);
            for (ordinal, name) in bytes.iter().enumerate() {
                prop_assert_eq!(find(&tree, name), Some(ordinal as u32));
            }
            let variables = (0..tree.len()).filter(|&id| tree.node(id).variable.is_some()).count();
            prop_assert_eq!(variables, names.len());
        }
    }
}
