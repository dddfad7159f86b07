//! The search for the matches of a pattern in an object graph.
//!
//! The search reads the pattern along the edges, breadth first, and visits each pair of an object and a state of the
//! pattern once. The first path to such a pair is a shortest one, and the continuations are the same for all paths to
//! it. The cost is therefore edges times states, regardless of the number of paths, and the search ends even in a
//! graph with cycles.

use foldhash::HashSet;

use crate::format::object_graph::NodeId;
use crate::graph::key::{escape, unescape};
use crate::graph::{Graph, ROOT};
use crate::map::pattern::Pattern;
use crate::remap::objects::matching::automaton::{Automaton, State, TooComplex};
use crate::remap::objects::matching::slot_values::{SlotValue, SlotValues};

/// An edge of the graph: the parent, and the index of the child in it.
pub(crate) type Edge = (NodeId, usize);

/// A path that a pattern matches.
#[derive(Clone, Debug)]
pub(crate) struct PathMatch {
    /// The escaped path, with the leaf's text if it ends in a leaf.
    pub(crate) path: String,
    /// The edges along the path.
    pub(crate) edges: Vec<Edge>,
    /// The object at the end of the path, or the object that the leaf belongs to.
    pub(crate) node: NodeId,
    /// The value below the object that is not an object itself.
    pub(crate) leaf: Option<SlotValue>,
}

/// The kind of match to search for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The paths that match the whole pattern.
    Paths,
    /// The objects whose whole content the pattern selects: those before its final `/**`.
    Containers,
}

/// Returns all matches of a pattern, shorter paths first.
pub(crate) fn search(
    graph: &Graph,
    slot_values: &SlotValues,
    pattern: &Pattern,
    meaning: Meaning,
) -> Result<Vec<PathMatch>, TooComplex> {
    let mut search =
        Search { graph, slot_values, steps: vec![Step { node: ROOT, from: 0, child: 0 }], hits: vec![] };
    let container = (meaning == Meaning::Containers).then(|| pattern.container()).flatten();
    match (known_edges(pattern, meaning), container) {
        (KnownWay::Whole(path), _) if search.descend(path) == Descent::Arrived => search.hit_last(),
        (KnownWay::Whole(path) | KnownWay::Begins(path), _) if search.descend(path) == Descent::Lost => {}
        (_, container) => {
            search.walk(Automaton::new(container.as_deref().unwrap_or(pattern.as_regex()))?)?;
        }
    }
    Ok(search.hits.iter().map(|hit| search.path_match(hit)).collect())
}

/// The part of a pattern that does not need an automaton.
enum KnownWay<'p> {
    /// The whole pattern.
    Whole(&'p str),
    /// The components that every match begins with.
    Begins(&'p str),
}

fn known_edges(pattern: &Pattern, meaning: Meaning) -> KnownWay<'_> {
    let head = pattern.literal_head();
    let components = head.rfind('/').map_or("", |slash| &head[..slash]);
    match (meaning, pattern.tokens.len()) {
        (Meaning::Paths, 1) if !head.is_empty() => KnownWay::Whole(head),
        (Meaning::Containers, 2) if !head.is_empty() => KnownWay::Whole(components),
        (Meaning::Containers, 1) => KnownWay::Whole(""),
        _ => KnownWay::Begins(components),
    }
}

#[derive(PartialEq, Eq)]
enum Descent {
    Arrived,
    /// The path does not exist.
    Lost,
    /// The path may continue below an object, because a component is not a valid name.
    Unsure,
}

struct Step {
    node: NodeId,
    /// The index of the previous step. The first step has its own index.
    from: usize,
    child: usize,
}

/// A match: the object of a step, a child of it, or a leaf of it.
struct Hit {
    at: usize,
    child: Option<usize>,
    leaf: Option<SlotValue>,
}

struct Search<'a> {
    graph: &'a Graph,
    slot_values: &'a SlotValues,
    steps: Vec<Step>,
    hits: Vec<Hit>,
}

impl Search<'_> {
    /// Follows a path of known names.
    fn descend(&mut self, path: &str) -> Descent {
        self.steps.truncate(1);
        for component in path.split('/').filter(|_| !path.is_empty()) {
            let Some(name) = unescape(component) else {
                self.steps.truncate(1);
                return Descent::Unsure;
            };
            let from = self.steps.len() - 1;
            let parent = self.steps[from].node;
            let Some(child) = self.graph.child_at(parent, &name) else { return Descent::Lost };
            let node = self.graph.objects().nodes[parent].children[child].node;
            self.steps.push(Step { node, from, child });
        }
        Descent::Arrived
    }

    fn hit_last(&mut self) {
        self.hits.push(Hit { at: self.steps.len() - 1, child: None, leaf: None });
    }

    /// Runs the automaton from the last step.
    fn walk(&mut self, mut automaton: Automaton) -> Result<(), TooComplex> {
        let first = self.steps.len() - 1;
        self.hit_last();
        let so_far = self.hits.pop().map(|hit| self.path_match(&hit).path).unwrap_or_default();
        let Some(start) = automaton.read(automaton.start(), so_far.as_bytes())? else { return Ok(()) };
        let (mut seen, mut states) = (HashSet::from_iter([(self.steps[first].node, start)]), vec![start]);
        for at in first.. {
            let Some(&Step { node, .. }) = self.steps.get(at) else { break };
            let slash: &[u8] = if at == 0 { b"" } else { b"/" };
            let Some(state) = automaton.read(states[at - first], slash)? else { continue };
            self.read_leaves(&mut automaton, state, at)?;
            for (child, edge) in self.graph.objects().nodes[node].children.iter().enumerate() {
                let name = escape(&edge.local_name);
                let Some(state) = automaton.read(state, name.as_bytes())? else { continue };
                if automaton.accepts(state)? {
                    self.hits.push(Hit { at, child: Some(child), leaf: None });
                }
                if seen.insert((edge.node, state)) {
                    self.steps.push(Step { node: edge.node, from: at, child });
                    states.push(state);
                }
            }
        }
        Ok(())
    }

    fn read_leaves(&mut self, automaton: &mut Automaton, state: State, at: usize) -> Result<(), TooComplex> {
        for leaf in self.slot_values.below(self.steps[at].node) {
            let Some(state) = automaton.read(state, leaf.text.as_bytes())? else { continue };
            if automaton.accepts(state)? {
                self.hits.push(Hit { at, child: None, leaf: Some(leaf.clone()) });
            }
        }
        Ok(())
    }

    fn path_match(&self, hit: &Hit) -> PathMatch {
        let (mut way, mut at) = (Vec::new(), hit.at);
        while at != 0 {
            let Step { from, child, .. } = self.steps[at];
            way.push((self.steps[from].node, child));
            at = from;
        }
        way.reverse();
        way.extend(hit.child.map(|child| (self.steps[hit.at].node, child)));
        let nodes = &self.graph.objects().nodes;
        let names = way.iter().map(|&(node, child)| escape(&nodes[node].children[child].local_name));
        let leaf = hit.leaf.as_ref().map(|leaf| leaf.text.as_ref().into());
        let path = names.chain(leaf).collect::<Vec<_>>().join("/");
        let node = way.last().map_or(ROOT, |&(node, child)| nodes[node].children[child].node);
        PathMatch { path, edges: way, node, leaf: hit.leaf.clone() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::format::object_graph::tests::any_graph;
    use crate::format::object_graph::{Child, Node, ObjectGraph};

    fn found(graph: &Graph, pattern: &str, meaning: Meaning) -> Vec<PathMatch> {
        let pattern = Pattern::parse(pattern, false).unwrap();
        search(graph, &SlotValues::default(), &pattern, meaning).unwrap()
    }

    fn graph(edges: &[(NodeId, &str, NodeId)]) -> Graph {
        let nodes = edges.iter().flat_map(|(a, _, b)| [*a, *b]).max().unwrap_or(0) + 1;
        let mut objects = ObjectGraph { nodes: vec![Node::default(); nodes], unknown: Vec::new() };
        for (parent, name, node) in edges {
            let child = Child { node: *node, local_name: (*name).into(), unknown: Vec::new() };
            objects.nodes[*parent].children.push(child);
        }
        Graph::new(objects)
    }

    fn paths(graph: &Graph, pattern: &str) -> Vec<String> {
        found(graph, pattern, Meaning::Paths).into_iter().map(|found| found.path).collect()
    }

    #[test]
    fn patterns_are_read_along_the_edges() {
        let graph = graph(&[(0, "net", 1), (1, "a.b", 2), (2, "w", 3), (1, "me", 1), (0, "step", 4)]);
        assert_eq!(paths(&graph, "net/a..b/w"), ["net/a..b/w"]);
        assert_eq!(paths(&graph, "net/{x}"), ["net/a..b", "net/me"]);
        assert_eq!(paths(&graph, "{x:net|step}"), ["net", "step"]);
        assert_eq!(paths(&graph, "**/w"), ["net/a..b/w"]);
        assert_eq!(paths(&graph, "re:n.*/(?<v>w)"), ["net/a..b/w"]);
        assert_eq!(paths(&graph, "net/me/me/me/a..b"), ["net/me/me/me/a..b"]);
        assert_eq!(paths(&graph, "net/a"), Vec::<String>::new());
        assert_eq!(paths(&graph, "ne"), Vec::<String>::new());
    }

    #[test]
    fn the_content_of_an_object_is_found_at_the_object() {
        let graph = graph(&[(0, "net", 1), (1, "a", 2), (2, "w", 3), (0, "nut", 1)]);
        let containers = |pattern: &str| -> Vec<String> {
            found(&graph, pattern, Meaning::Containers).into_iter().map(|found| found.path).collect()
        };
        assert_eq!(containers("net/**"), ["net"]);
        assert_eq!(containers("n{x}t/**"), ["net", "nut"]);
        assert_eq!(containers("**/a/**"), ["net/a"], "one object, one edge: the shortest way is enough");
        assert_eq!(containers("**"), [""]);
    }

    /// Modules that all refer to each other. Eight of them have over 100,000 simple paths.
    #[test]
    fn densely_linked_modules_cost_no_more_than_their_edges() {
        let all = 1..=8;
        let edges: Vec<_> =
            all.clone().flat_map(|a| (0..=8).filter(move |b| *b != a).map(move |b| (b, a))).collect();
        let names: Vec<String> = all.map(|node| format!("m{node}")).collect();
        let edges: Vec<_> = edges.iter().map(|(from, to)| (*from, names[to - 1].as_str(), *to)).collect();
        let graph = graph(&edges);
        for (pattern, states) in [("**/m3", 2), ("**/m1/**/m2", 3), ("re:(m[0-9]/)*m3", 2), ("*/*", 3)] {
            let found = found(&graph, pattern, Meaning::Paths);
            assert!(!found.is_empty() && found.len() <= edges.len() * states, "{pattern}: {}", found.len());
        }
    }

    /// Returns every simple path, by exhaustive search.
    fn simple_paths(graph: &Graph) -> Vec<(String, Vec<Edge>)> {
        let (mut all, mut open) = (Vec::new(), vec![(vec![ROOT], Vec::new(), Vec::new())]);
        while let Some((nodes, names, way)) = open.pop() {
            let last: NodeId = *nodes.last().unwrap();
            for (at, child) in graph.objects().nodes[last].children.iter().enumerate() {
                let names = [&names[..], &[escape(&child.local_name).into_owned()]].concat();
                let way = [&way[..], &[(last, at)]].concat();
                all.push((names.join("/"), way.clone()));
                if !nodes.contains(&child.node) {
                    open.push(([&nodes[..], &[child.node]].concat(), names, way));
                }
            }
        }
        all
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn search_agrees_with_a_list_of_all_simple_paths(
            objects in any_graph(),
            pattern in "[a-c*]{1,2}(/[a-c*]{1,2}){0,2}|\\{x\\}/[a-c]|\\*\\*/[a-c]|re:[a-c/]*c",
        ) {
            let graph = Graph::new(objects);
            let pattern = Pattern::parse(&pattern, false).unwrap();
            let found = search(&graph, &SlotValues::default(), &pattern, Meaning::Paths).unwrap();
            for one in &found {
                prop_assert!(pattern.is_match(one.path.as_bytes()), "{} is not a match", one.path);
                prop_assert_eq!(graph.resolve(&one.path), Some(one.node));
                prop_assert_eq!(one.path.split('/').count(), one.edges.len());
            }
            let edges: BTreeSet<Edge> = found.iter().map(|one| *one.edges.last().unwrap()).collect();
            for (path, way) in simple_paths(&graph) {
                if !path.is_empty() && pattern.is_match(path.as_bytes()) {
                    prop_assert!(edges.contains(way.last().unwrap()), "{path} was not found");
                    let shortest = found.iter().filter(|one| one.edges.last() == way.last()).map(|one| one.edges.len());
                    prop_assert!(shortest.min().unwrap() <= way.len());
                }
            }
        }
    }
}
