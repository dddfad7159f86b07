//! The `graph/` directory: every path of the object graph that leads to a variable, as directories of edge names.
//!
//! An object has a directory at its best path, which is the path that its variables are named after. Every other edge
//! to the object is a symlink to that directory, including the last edge of a cycle. An edge to a variable is a
//! symlink into `vars/`. So every path can be opened, and there are no more entries than edges. Edges are spelled as
//! in paths and patterns (`a.Sb` is the name `a/b`). Edges that lead to no variable are omitted. An object with
//! several values, or with children and a value, is a directory that contains the values under their attribute names:
//! `table-keys`, `table-values`.

use crate::catalog::Catalog;
use crate::format::object_graph::NodeId;
use crate::graph::{Graph, ROOT, key};
use crate::tree::checkpoint::links::{Links, To, file_name};

/// Returns the link tree of a catalog's object graph.
pub(crate) fn links(catalog: &Catalog, graph: &Graph) -> Links {
    let mut paths = Paths::new(catalog, graph);
    paths.directories[ROOT] = Some(0);
    let mut open = vec![ROOT];
    while let Some(node) = open.pop() {
        paths.list(node, &mut open);
    }
    for (dir, name, node) in std::mem::take(&mut paths.elsewhere) {
        if let Some(to) = paths.directories[node] {
            paths.links.add_link(dir, name, To::Directory(to));
        }
    }
    paths.links.finish()
}

struct Paths<'a> {
    graph: &'a Graph,
    /// The variables of each node: their attributes and ordinals.
    held: Vec<Vec<(&'a [u8], u32)>>,
    /// True for each node from which a variable can be reached, including the node's own variables.
    leads: Vec<bool>,
    /// The directory of each node that has one.
    directories: Vec<Option<u32>>,
    /// The edges to objects whose directory is at another edge: the edge's directory, the edge's name, the object's
    /// node.
    elsewhere: Vec<(u32, String, NodeId)>,
    links: Links,
}

impl<'a> Paths<'a> {
    fn new(catalog: &'a Catalog, graph: &'a Graph) -> Self {
        let count = graph.objects().nodes.len();
        let mut held = vec![Vec::new(); count];
        for (ordinal, variable) in (0..).zip(&catalog.variables) {
            let key = variable.key().as_bytes();
            if let (Some(node), Some((_, attribute))) = (graph.owner(key), key::split(key)) {
                held[node].push((attribute, ordinal));
            }
        }
        let leads = leading(graph, &held);
        let dirs = vec![None; count];
        Self { graph, held, leads, directories: dirs, elsewhere: Vec::new(), links: Links::new() }
    }

    /// Fills the directory of a node. Pushes the child nodes whose directories must still be filled to `open`.
    fn list(&mut self, node: NodeId, open: &mut Vec<NodeId>) {
        let Some(dir) = self.directories[node] else { return };
        let children = &self.graph.objects().nodes[node].children;
        for (at, child) in children.iter().enumerate().filter(|(_, child)| self.leads[child.node]) {
            let name = file_name(key::escape(&child.local_name).as_bytes());
            if let Some(variable) = self.lone_variable(child.node) {
                self.links.add_link(dir, name, To::Variable(variable));
            } else if self.graph.home(child.node) == Some((node, at)) {
                self.directories[child.node] = self.links.add_directory(dir, name);
                open.push(child.node);
            } else {
                self.elsewhere.push((dir, name, child.node));
            }
        }
        for (attribute, variable) in std::mem::take(&mut self.held[node]) {
            let taken = children.iter().any(|child| child.local_name.as_bytes() == attribute);
            let name = file_name(attribute) + if taken { "%" } else { "" };
            self.links.add_link(dir, name, To::Variable(variable));
        }
    }

    /// Returns the node's variable if the node consists of a single variable and nothing else.
    fn lone_variable(&self, node: NodeId) -> Option<u32> {
        let [(attribute, variable)] = self.held[node][..] else { return None };
        let children = &self.graph.objects().nodes[node].children;
        let goes_on = children.iter().any(|child| child.node != node && self.leads[child.node]);
        (attribute == key::VARIABLE_VALUE.as_bytes() && !goes_on && node != ROOT).then_some(variable)
    }
}

/// Returns for each node true if a variable can be reached from it.
fn leading(graph: &Graph, held: &[Vec<(&[u8], u32)>]) -> Vec<bool> {
    let mut leads: Vec<bool> = held.iter().map(|held| !held.is_empty()).collect();
    let mut open: Vec<NodeId> = (0..leads.len()).filter(|&node| leads[node]).collect();
    while let Some(node) = open.pop() {
        for &(parent, _) in graph.parents(node) {
            if !std::mem::replace(&mut leads[parent], true) {
                open.push(parent);
            }
        }
    }
    leads
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::catalog::{Objects, Variable};
    use crate::dtype::Dtype;
    use crate::format::object_graph::tests::{FIXTURES, any_graph, fixture};
    use crate::format::object_graph::{Attribute, Child, Node, ObjectGraph};
    use crate::name::Name;
    use crate::tensor::{Shape, Tensor};
    use crate::tree::checkpoint::links::Item;

    /// Creates a catalog with a variable for each key of the graph.
    fn catalog(graph: Graph) -> Catalog {
        let tensor = Arc::new(Tensor::new(Dtype::Float32, Shape::default(), Vec::new(), None));
        let attributes = graph.objects().nodes.iter().flat_map(|node| &node.attributes);
        let keys: Vec<_> = attributes.map(|attribute| attribute.checkpoint_key.clone()).collect();
        let keys: Vec<_> = keys.iter().map(|key| key.as_bytes()).collect();
        let variable = |(name, key): (crate::graph::names::Name, &&[u8])| Variable {
            name: Name::from(name.visible),
            key: Some(Name::from(*key)),
            plain_key: None,
            full_name: name.full_name.map(Name::from),
            tensor: tensor.clone(),
            origin: None,
        };
        let variables = graph.names(&keys).into_iter().zip(&keys).map(variable).collect();
        let objects = Some(Objects { graph: Some(Arc::new(graph)), tensor: tensor.clone() });
        Catalog { variables, objects, ..Catalog::default() }
    }

    /// Returns the variable at the end of a path, following symlinks as the kernel does.
    fn open(links: &Links, path: &str) -> Option<u32> {
        let mut at = 0;
        for component in path.split('/') {
            let mut item = links.lookup(at, &file_name(component.as_bytes()))?;
            if let Item::Link(link) = item {
                match links.to(link) {
                    To::Variable(variable) => return Some(variable),
                    To::Directory(dir) => item = Item::Directory(dir),
                }
            }
            let Item::Directory(dir) = item else { return None };
            at = dir;
        }
        let value = links.lookup(at, "VARIABLE_VALUE%").or_else(|| links.lookup(at, key::VARIABLE_VALUE));
        match value.or_else(|| links.entries(at).first().map(|(_, item)| *item))? {
            Item::Link(link) => match links.to(link) {
                To::Variable(variable) => Some(variable),
                To::Directory(_) => None,
            },
            Item::Directory(_) => None,
        }
    }

    fn count(links: &Links, dir: u32) -> usize {
        let below = links.entries(dir).iter().map(|(_, item)| match item {
            Item::Directory(below) => 1 + count(links, *below),
            Item::Link(_) => 1,
        });
        below.sum()
    }

    fn bound(graph: &Graph) -> usize {
        graph.objects().nodes.iter().map(|node| node.children.len() + node.attributes.len()).sum()
    }

    fn check(graph: Graph) {
        let catalog = catalog(graph);
        let graph = catalog.graph().unwrap();
        let links = links(&catalog, graph);
        assert!(count(&links, 0) <= bound(graph));
        for variable in &catalog.variables {
            let node = graph.owner(variable.key().as_bytes()).unwrap();
            for path in graph.paths(node, 20).into_iter().filter(|path| !path.is_empty()) {
                let path = String::from_utf8(path).unwrap();
                let found = open(&links, &path).map(|ordinal| &catalog.variables[ordinal as usize]);
                let found = found.unwrap_or_else(|| panic!("{path} does not open"));
                assert_eq!(graph.owner(found.key().as_bytes()), Some(node), "{path}");
            }
        }
    }

    #[test]
    fn every_path_of_a_real_graph_can_be_opened() {
        FIXTURES.iter().for_each(|name| check(Graph::decode(&fixture(name)).unwrap()));
    }

    #[test]
    fn a_fully_connected_graph_has_no_more_entries_than_edges() {
        let edge = |node: NodeId| Child { node, local_name: format!("m{node}").into(), ..Child::default() };
        let value = |node: NodeId| Attribute {
            name: key::VARIABLE_VALUE.into(),
            checkpoint_key: format!("m{node}/.ATTRIBUTES/VARIABLE_VALUE").into(),
            ..Attribute::default()
        };
        let mut nodes: Vec<Node> = (0..=30)
            .map(|own| Node {
                children: (1..=30).filter(|&other| other != own).map(edge).collect(),
                ..Node::default()
            })
            .collect();
        nodes[1..].iter_mut().zip(1..).for_each(|(node, own)| node.attributes.push(value(own)));
        let graph = Graph::new(ObjectGraph { nodes, unknown: Vec::new() });
        let catalog = catalog(graph);
        let links = links(&catalog, catalog.graph().unwrap());
        assert_eq!(count(&links, 0), 30 + 30 * 29 + 30);
        assert_eq!(links.subdirectories(0), 30);
    }

    proptest! {
        #[test]
        fn every_path_can_be_opened_and_there_are_no_more_entries_than_edges(objects in any_graph()) {
            check(Graph::new(objects));
        }
    }
}
