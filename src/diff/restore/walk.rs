//! The walk of `tf.train.Checkpoint.restore` along two object graphs: breadth first, from both roots along edges of the same
//! name, the children in the saved order. A saved object is bound once, and an object of the program takes the value of the
//! first saved object that is bound to it. So of several paths the shortest decides, such as
//! `optimizer/_trainable_variables/0`.

use std::collections::{HashMap, VecDeque};

use crate::catalog::Catalog;
use crate::format::object_graph::NodeId;
use crate::graph::{Graph, ROOT};

/// The objects of two graphs that belong together.
struct Bound {
    /// The object of the program for each saved object.
    program: Vec<Option<NodeId>>,
    /// The saved object for each object of the program.
    saved: Vec<Option<NodeId>>,
}

/// Returns the variable of HAVE that each wanted variable takes.
pub(super) fn takes(have: (&Graph, &Catalog), want: (&Graph, &Catalog)) -> Vec<Option<usize>> {
    let bound = walk(have.0, want.0);
    let by_key: HashMap<&[u8], usize> = super::keys(have.1).collect();
    let take = |key: &[u8]| {
        let node = want.0.owner(key)?;
        let saved = &have.0.objects().nodes[bound.saved[node]?];
        let mut own = want.0.objects().nodes[node].attributes.iter();
        let name = &own.find(|attribute| attribute.checkpoint_key.as_bytes() == key)?.name;
        let value = saved.attributes.iter().find(|attribute| attribute.name == *name)?;
        by_key.get(value.checkpoint_key.as_bytes()).copied()
    };
    want.1.variables.iter().map(|variable| take(variable.key().as_bytes())).collect()
}

fn walk(have: &Graph, want: &Graph) -> Bound {
    let (old, new) = (&have.objects().nodes, &want.objects().nodes);
    let mut bound = Bound { program: vec![None; old.len()], saved: vec![None; new.len()] };
    bound.program[ROOT] = Some(ROOT);
    let mut queue = VecDeque::from([(ROOT, ROOT)]);
    while let Some((saved, program)) = queue.pop_front() {
        bound.saved[program].get_or_insert(saved);
        for child in &old[saved].children {
            let Some(object) = want.child(program, &child.local_name) else { continue };
            if bound.program[child.node].is_none() {
                bound.program[child.node] = Some(object);
                queue.push_back((child.node, object));
            }
        }
    }
    bind_slots(have, want, &mut bound);
    bound
}

/// Binds the slots of optimizers: by optimizer, variable and name. No edge leads to them.
fn bind_slots(have: &Graph, want: &Graph, bound: &mut Bound) {
    for (optimizer, node) in
        have.objects().nodes.iter().enumerate().filter(|(_, node)| !node.slots.is_empty())
    {
        let Some(program) = bound.program[optimizer] else { continue };
        let slots = &want.objects().nodes[program].slots;
        let by_name: HashMap<_, _> =
            slots.iter().map(|slot| ((slot.original, slot.name.as_str()), slot.variable)).collect();
        for slot in &node.slots {
            let Some(original) = bound.program[slot.original] else { continue };
            if let Some(object) = by_name.get(&(original, slot.name.as_str())) {
                bound.program[slot.variable].get_or_insert(*object);
                bound.saved[*object].get_or_insert(slot.variable);
            }
        }
    }
}
