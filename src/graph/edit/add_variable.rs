//! Variables that the source does not have, and optimizer slots for them.
//!
//! The caller keeps their values. Here each value is a number, counted in the order of the requests.

use smol_str::SmolStr;

use crate::format::object_graph::{Attribute, Node, NodeId, Slot};
use crate::graph::edit::edge::format_path;
use crate::graph::edit::nodes::NodeEditor;
use crate::graph::edit::{Edit, Error, new_names};
use crate::graph::key::{ATTRIBUTES, OPTIMIZER_SLOT, VARIABLE_VALUE, escape};
use crate::graph::{Graph, ROOT};

/// A new variable.
#[derive(Clone, Debug)]
pub(crate) struct NewVariable {
    place: NewVariablePlace,
    full_name: String,
}

#[derive(Clone, Debug)]
enum NewVariablePlace {
    /// A variable at the end of a path, given by its names.
    Path(Vec<SmolStr>),
    /// A slot that an optimizer keeps for another new variable.
    Slot { of: usize, optimizer: NodeId, name: SmolStr },
}

impl Edit<'_> {
    /// Requests a new variable at a path. Returns its number among the new values.
    pub(crate) fn add_variable(&mut self, path: &str, full_name: &str) -> Result<usize, Error> {
        let place = NewVariablePlace::Path(new_names(path)?);
        Ok(self.add(NewVariable { place, full_name: full_name.to_owned() }))
    }

    /// Requests a slot with that name for a new variable. Returns the slot's number among the new values.
    pub(crate) fn add_slot_variable(&mut self, of: usize, optimizer: NodeId, name: &str) -> usize {
        let full_name = format!("{}/{name}", self.makes[of].full_name);
        self.add(NewVariable {
            place: NewVariablePlace::Slot { of, optimizer, name: name.into() },
            full_name,
        })
    }

    /// Requests a second path to a new variable.
    pub(crate) fn link_made(&mut self, made: usize, path: &str) -> Result<(), Error> {
        self.made_links.push((made, new_names(path)?));
        Ok(())
    }

    fn add(&mut self, make: NewVariable) -> usize {
        self.makes.push(make);
        self.makes.len() - 1
    }
}

impl NodeEditor<'_> {
    /// Adds the new variables to the graph. Returns the node of each.
    pub(crate) fn add_variables(&mut self) -> Result<Vec<NodeId>, Vec<Error>> {
        let (edit, mut made, mut errors) = (self.edit, Vec::new(), Vec::new());
        for make in &edit.makes {
            let node = self.nodes.len();
            self.nodes.push(self.variable(make));
            made.push(node);
            match &make.place {
                NewVariablePlace::Path(names) => errors.extend(self.put_made(names, node).err()),
                NewVariablePlace::Slot { of, optimizer, name } => {
                    let slot =
                        Slot { original: made[*of], name: name.clone(), variable: node, unknown: vec![] };
                    self.nodes[*optimizer].slots.push(slot);
                }
            }
        }
        for (at, names) in &edit.made_links {
            errors.extend(self.put_made(names, made[*at]).err());
        }
        if errors.is_empty() { Ok(made) } else { Err(errors) }
    }

    fn put_made(&mut self, names: &[SmolStr], node: NodeId) -> Result<(), Error> {
        let Some((name, above)) = names.split_last() else { return Ok(()) };
        let parent = above.iter().fold(ROOT, |node, name| self.child_or_new(node, name));
        let there = self.child(parent, name).map(|at| self.nodes[parent].children[at].node);
        if there.is_some_and(|there| there != node && !self.free.contains(&there)) {
            return Err(Error::Occupied { path: format_path(names) });
        }
        self.put(parent, name, node);
        Ok(())
    }

    /// Builds the node of a variable. A slot's key depends on the final path of its optimizer, so `keys` sets it
    /// later.
    fn variable(&self, make: &NewVariable) -> Node {
        let path = match &make.place {
            NewVariablePlace::Path(names) => format_path(names),
            NewVariablePlace::Slot { .. } => String::new(),
        };
        let flags = self.edit.source.objects().nodes[ROOT].has_checkpoint_values;
        let attribute = Attribute {
            name: VARIABLE_VALUE.into(),
            full_name: make.full_name.as_str().into(),
            checkpoint_key: [&path, ATTRIBUTES, VARIABLE_VALUE].concat().into(),
            unknown: Vec::new(),
        };
        let attributes = vec![attribute];
        Node { attributes, has_checkpoint_values: flags.map(|_| true), ..Node::default() }
    }
}

/// Sets the keys of the new slots, and returns the number, key and node of each new value whose node is still in the
/// graph.
pub(crate) fn keys(
    edit: &Edit,
    graph: &mut Graph,
    made: &[NodeId],
    gone: &[bool],
) -> Vec<(usize, Vec<u8>, NodeId)> {
    let mut keys = Vec::new();
    for (from, (make, &node)) in
        edit.makes.iter().zip(made).enumerate().filter(|(_, (_, node))| !gone[**node])
    {
        if let NewVariablePlace::Slot { of, optimizer, name } = &make.place {
            let variable = &graph.objects.nodes[made[*of]].attributes[0].checkpoint_key;
            let variable = variable.split_once(ATTRIBUTES).map_or("", |(path, _)| path);
            let optimizer = graph.path(*optimizer).unwrap_or_default();
            let path = [variable, OPTIMIZER_SLOT, &optimizer, "/", &escape(name)].concat();
            graph.objects.nodes[node].attributes[0].checkpoint_key =
                [&path, ATTRIBUTES, VARIABLE_VALUE].concat().into();
        }
        let key = graph.objects.nodes[node].attributes[0].checkpoint_key.as_bytes().to_vec();
        keys.push((from, key, node));
    }
    keys
}
