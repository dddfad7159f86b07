//! Recognizing the optimizers in a graph by what TensorFlow and Keras store in them.
//!
//! The edge to an optimizer can have any name, so the test looks at the node: it has slots, or the children that only
//! optimizers have. A wrapper (loss scaling) is recognized by the optimizer inside it, but only if the wrapper's own
//! name ends in `optimizer`: a meta-learner may have an `inner_optimizer` too.

use crate::format::object_graph::{Node, NodeId, ObjectGraph};
use crate::graph::ROOT;

/// Sets of children that identify an optimizer. A node must have all children of one row.
const CHILDREN: &[&[&str]] = &[
    &["_variables", "_iterations"],      // Keras 3, tf_keras
    &["iter", "decay", "learning_rate"], // Keras 2 before 2.11, tf_keras.optimizers.legacy
    &["beta1_power", "beta2_power"],     // tf.compat.v1.train.AdamOptimizer
];

/// The names by which a wrapper refers to the optimizer inside it.
const WRAPPED: &[&str] = &["base_optimizer", "inner_optimizer", "_optimizer"];

/// Returns, for each node, true if it is an optimizer. The root never is: its children have names that the program
/// chose.
pub(super) fn optimizers(graph: &ObjectGraph) -> Vec<bool> {
    let mut is: Vec<bool> =
        graph.nodes.iter().map(|node| !node.slots.is_empty() || has_the_children(node)).collect();
    let wrappers = wrappers(graph);
    let mut fresh: Vec<NodeId> = (0..is.len()).filter(|&node| is[node]).collect();
    while let Some(wrapped) = fresh.pop() {
        for &wrapper in &wrappers[wrapped] {
            if !std::mem::replace(&mut is[wrapper], true) {
                fresh.push(wrapper);
            }
        }
    }
    is[ROOT] = false;
    is
}

fn has_the_children(node: &Node) -> bool {
    let has = |name: &&str| node.children.iter().any(|child| child.local_name == *name);
    CHILDREN.iter().any(|row| row.iter().all(has))
}

/// Returns, for each node, the wrappers that are optimizers if the node is one.
fn wrappers(graph: &ObjectGraph) -> Vec<Vec<NodeId>> {
    let mut called = vec![false; graph.nodes.len()];
    for child in graph.nodes.iter().flat_map(|node| &node.children) {
        called[child.node] |= child.local_name.ends_with("optimizer");
    }
    let mut wrappers = vec![Vec::new(); graph.nodes.len()];
    for (id, node) in graph.nodes.iter().enumerate().filter(|(id, _)| called[*id]) {
        for child in node.children.iter().filter(|child| WRAPPED.contains(&child.local_name.as_str())) {
            wrappers[child.node].push(id);
        }
    }
    wrappers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::object_graph::Child;

    fn graph(edges: &[(NodeId, &str, NodeId)]) -> ObjectGraph {
        let mut graph = ObjectGraph { nodes: vec![Node::default(); 8], unknown: Vec::new() };
        for (parent, name, node) in edges {
            graph.nodes[*parent].children.push(Child {
                node: *node,
                local_name: (*name).into(),
                unknown: Vec::new(),
            });
        }
        graph
    }

    #[test]
    fn a_wrapper_is_an_optimizer_if_its_name_says_so() {
        let keras = [(3, "_variables", 4), (3, "_iterations", 5)];
        let scaled =
            [&keras[..], &[(0, "my_optimizer", 1), (1, "base_optimizer", 2), (2, "inner_optimizer", 3)]]
                .concat();
        assert_eq!(optimizers(&graph(&scaled))[1..4], [true, true, true]);
        let learner = [&keras[..], &[(0, "learner", 1), (1, "inner_optimizer", 3)]].concat();
        assert_eq!(optimizers(&graph(&learner))[1..4], [false, false, true]);
    }

    #[test]
    fn the_root_is_never_an_optimizer() {
        assert!(!optimizers(&graph(&[(0, "_variables", 1), (0, "_iterations", 2)]))[ROOT]);
    }
}
