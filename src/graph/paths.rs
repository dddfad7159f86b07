//! Several paths to one node, shortest first, in a graph that may have exponentially many.
//!
//! The search builds a path backward from its end to the root, and always extends the partial path that can become
//! the shortest. Only simple paths count (each node at most once), so some partial paths are dead ends. The number of
//! steps is limited in proportion to the number of requested paths.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::format::object_graph::NodeId;
use crate::graph::key::escape;
use crate::graph::walk::MAX_PATH;
use crate::graph::{Graph, ROOT};

/// The maximum number of steps for each requested path.
const PATIENCE: usize = 1024;

/// One node of a partial path. The edge at index `child` leads to `next`, which is nearer the end.
struct Step {
    node: NodeId,
    child: usize,
    next: Option<usize>,
}

impl Graph {
    /// Returns up to `limit` simple paths from the root to the node, escaped, shortest first, and by name within one
    /// length. A node with very many paths may get fewer, but always a shortest one.
    pub(crate) fn paths(&self, node: NodeId, limit: usize) -> Vec<Vec<u8>> {
        let Some(depth) = self.all.depth(node) else { return Vec::new() };
        let mut steps = vec![Step { node, child: 0, next: None }];
        let mut open = BinaryHeap::from([Reverse((depth, 0, 0))]);
        let mut found = Vec::new();
        while let Some(Reverse((_, at, len))) = open.pop().filter(|_| found.len() < limit) {
            if steps[at].node == ROOT {
                found.extend(self.format_path(&steps, at));
                continue;
            }
            for &(parent, child) in self.parents(steps[at].node) {
                let Some(depth) = self.all.depth(parent) else { continue };
                if steps.len() > limit.saturating_mul(PATIENCE) || len > MAX_PATH {
                    break;
                }
                if !visits(&steps, at, parent) {
                    open.push(Reverse((depth + len + 1, steps.len(), len + 1)));
                    steps.push(Step { node: parent, child, next: Some(at) });
                }
            }
        }
        if found.is_empty() && limit > 0 {
            found.extend(self.path(node).map(|path| (depth, path)));
        }
        found.sort();
        found.into_iter().map(|(_, path)| path.into_bytes()).collect()
    }

    /// Returns the edges that lead to a node: the parent, and the position among its children.
    pub(crate) fn parents(&self, node: NodeId) -> &[(NodeId, usize)] {
        let parents = self.parents.get_or_init(|| {
            let mut parents = vec![Vec::new(); self.objects.nodes.len()];
            for (id, node) in self.objects.nodes.iter().enumerate() {
                for (at, child) in node.children.iter().enumerate() {
                    parents[child.node].push((id, at));
                }
            }
            parents
        });
        &parents[node]
    }

    /// Returns the finished path and its number of components, or `None` if the path is too long to use.
    fn format_path(&self, steps: &[Step], mut at: usize) -> Option<(usize, String)> {
        let (mut path, mut len) = (String::new(), 0);
        while let Some(next) = steps[at].next {
            let name = &self.objects.nodes[steps[at].node].children[steps[at].child].local_name;
            path.push_str(if len == 0 { "" } else { "/" });
            path.push_str(&escape(name));
            (at, len) = (next, len + 1);
            if path.len() > MAX_PATH {
                return None;
            }
        }
        Some((len, path))
    }
}

fn visits(steps: &[Step], at: usize, node: NodeId) -> bool {
    std::iter::successors(Some(at), |&at| steps[at].next).any(|at| steps[at].node == node)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::format::object_graph::tests::{any_graph, fixture};
    use crate::format::object_graph::{Child, Node, ObjectGraph};

    fn texts(paths: Vec<Vec<u8>>) -> Vec<String> {
        paths.into_iter().map(|path| String::from_utf8(path).unwrap()).collect()
    }

    #[test]
    fn a_shared_variable_has_all_its_paths_and_a_cycle_adds_none() {
        let graph = Graph::decode(&fixture("modules")).unwrap();
        let shared = graph.resolve("net/shared/w").unwrap();
        assert_eq!(texts(graph.paths(shared, 10)), ["net/shared/w", "net/layers/0/w"]);
        assert_eq!(texts(graph.paths(shared, 1)), ["net/shared/w"]);
        assert_eq!(texts(graph.paths(ROOT, 10)), [""]);
        assert_eq!(graph.resolve("net/me/me/layers/0/w"), Some(shared));
        assert_eq!(
            graph.resolve("net/extra/a.Sb/w").map(|w| texts(graph.paths(w, 2))).unwrap(),
            ["net/extra/a.Sb/w"]
        );
        assert_eq!(graph.resolve("net/nowhere"), None);
    }

    #[test]
    fn a_nameless_edge_of_the_root_has_no_path_but_edges_below_it_do() {
        let edge = |node: NodeId, name: &str| Child { node, local_name: name.into(), ..Child::default() };
        let nodes = [vec![edge(1, "")], vec![edge(2, "x")], vec![]];
        let nodes = nodes.map(|children| Node { children, ..Node::default() }).to_vec();
        let graph = Graph::new(ObjectGraph { nodes, unknown: Vec::new() });
        assert_eq!(
            (graph.path(0).as_deref(), graph.path(1), graph.path(2).as_deref()),
            (Some(""), None, Some("/x"))
        );
        assert_eq!((graph.resolve(""), graph.resolve("/x")), (Some(0), Some(2)));
    }

    /// Builds modules that all refer to each other: the number of simple paths grows faster than exponentially.
    fn cross_linked(modules: usize) -> Graph {
        let edge = |node: NodeId| Child { node, local_name: format!("m{node}").into(), ..Child::default() };
        let children = |own: NodeId| (1..=modules).filter(|&other| other != own).map(edge).collect();
        Graph::new(ObjectGraph {
            nodes: (0..=modules).map(|own| Node { children: children(own), ..Node::default() }).collect(),
            unknown: Vec::new(),
        })
    }

    #[test]
    fn the_shortest_of_very_many_paths_are_found() {
        let graph = cross_linked(300);
        let paths = texts(graph.paths(7, 20));
        assert_eq!(paths[0], "m7");
        assert_eq!(paths.len(), 20);
        assert!(paths[1..].iter().all(|path| path.split('/').count() == 2), "{paths:?}");
    }

    fn all_simple_paths(graph: &Graph, to: NodeId) -> Vec<(usize, String)> {
        let (mut found, mut open) = (Vec::new(), vec![(vec![ROOT], Vec::new())]);
        while let Some((nodes, names)) = open.pop() {
            if nodes.last() == Some(&to) {
                found.push((names.len(), names.join("/")));
                continue;
            }
            for child in &graph.objects.nodes[*nodes.last().unwrap()].children {
                if !nodes.contains(&child.node) {
                    let name = escape(&child.local_name);
                    open.push(([&nodes[..], &[child.node]].concat(), [&names[..], &[name]].concat()));
                }
            }
        }
        found.sort();
        found
    }

    proptest! {
        #[test]
        fn paths_match_an_exhaustive_search(objects in any_graph(), limit in 1usize..8) {
            let graph = Graph::new(objects);
            for node in 0..graph.objects.nodes.len() {
                let all = all_simple_paths(&graph, node);
                let paths = texts(graph.paths(node, limit));
                prop_assert_eq!(paths.len(), all.len().min(limit));
                let lens: Vec<_> = paths.iter().map(|p| if p.is_empty() { 0 } else { p.split('/').count() }).collect();
                prop_assert_eq!(lens, all.iter().map(|(len, _)| *len).take(limit).collect::<Vec<_>>());
                for path in &paths {
                    prop_assert!(all.iter().any(|(_, one)| one == path));
                    prop_assert_eq!(graph.resolve(path), Some(node));
                }
                prop_assert_eq!(graph.path(node).is_some(), !all.is_empty());
            }
        }
    }
}
