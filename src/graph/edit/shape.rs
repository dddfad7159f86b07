//! The nodes and edges of the edited graph; its keys are still the source's.

use std::collections::{HashMap, HashSet};

use crate::format::object_graph::{Child, Node, NodeId, ObjectGraph, Slot};

use super::super::{ROOT, key};
use super::{Edit, Error, Join};

/// The edited graph's nodes, and which of them are copies.
pub(super) struct Shape {
    pub(super) objects: ObjectGraph,
    /// The source's node that each copy is of.
    pub(super) copies: HashMap<NodeId, NodeId>,
    /// What has lost its last path, or was a slot of what has. TensorFlow would miss it if it had values, so it is bare.
    pub(super) gone: Vec<bool>,
}

struct Work<'e> {
    edit: &'e Edit<'e>,
    nodes: Vec<Node>,
    /// The children of the nodes that were looked at, by name.
    index: HashMap<NodeId, HashMap<String, NodeId>>,
    copies: HashMap<NodeId, NodeId>,
    made: Vec<NodeId>,
    /// Nodes whose place may be taken.
    free: HashSet<NodeId>,
}

impl Shape {
    /// Cuts what is to be cut, then joins what is to be joined, shorter paths first so that longer ones lead through them.
    pub(super) fn new(edit: &Edit) -> Result<Self, Vec<Error>> {
        let mut nodes = edit.source.objects().nodes.clone();
        for (parent, names) in &edit.cut {
            nodes[*parent].children.retain(|child| !names.contains(&child.local_name));
        }
        let mut work = Work {
            edit,
            nodes,
            index: HashMap::new(),
            copies: HashMap::new(),
            made: Vec::new(),
            free: HashSet::new(),
        };
        let hollow = work.hollow();
        work.free = hollow.iter().map(|(node, _)| *node).collect();
        let mut joins: Vec<_> = edit.joins.iter().filter(|join| !edit.dropped.contains(&join.edge)).collect();
        joins.sort_by_key(|join| join.to.len());
        let errors: Vec<_> = joins.into_iter().filter_map(|join| work.join(join).err()).collect();
        if !errors.is_empty() {
            return Err(errors);
        }
        work.remove_hollow(hollow);
        Ok(work.finish())
    }
}

impl Work<'_> {
    fn join(&mut self, join: &Join) -> Result<(), Error> {
        let Some((name, above)) = join.to.split_last() else { return Ok(()) };
        let parent = above.iter().fold(ROOT, |node, name| self.child_or_new(node, name));
        match self.children(parent).get(name).copied() {
            Some(there) if there == join.node && !join.copy => return Ok(()),
            Some(there) if self.free.contains(&there) => {
                self.nodes[parent].children.retain(|child| child.node != there);
            }
            Some(_) => {
                let to: Vec<_> = join.to.iter().map(|name| key::escape(name)).collect();
                return Err(Error::Taken { from: join.from.clone(), to: to.join("/") });
            }
            None => {}
        }
        let node = if join.copy { self.copy(join)? } else { join.node };
        self.add(parent, name, node);
        Ok(())
    }

    fn children(&mut self, node: NodeId) -> &HashMap<String, NodeId> {
        let children = &self.nodes[node].children;
        let index = || children.iter().map(|child| (child.local_name.clone(), child.node)).collect();
        self.index.entry(node).or_insert_with(index)
    }

    fn child_or_new(&mut self, parent: NodeId, name: &str) -> NodeId {
        if let Some(&node) = self.children(parent).get(name) {
            return node;
        }
        let node = self.nodes.len();
        self.nodes.push(Node::default());
        self.made.push(node);
        self.add(parent, name, node);
        node
    }

    fn add(&mut self, parent: NodeId, name: &str, node: NodeId) {
        self.nodes[parent].children.push(Child { node, local_name: name.to_owned(), unknown: Vec::new() });
        if let Some(index) = self.index.get_mut(&parent) {
            index.insert(name.to_owned(), node);
        }
    }

    /// A copy of a node of the source and all below it, as the source has them but for what is dropped. References back to
    /// an object on the way from the root stay references to that object.
    fn copy(&mut self, join: &Join) -> Result<NodeId, Error> {
        let source = &self.edit.source.objects().nodes;
        let above: HashSet<NodeId> = self.on_the_way(join);
        let kept =
            |node: NodeId, child: &Child| !self.edit.dropped.contains(&(node, child.local_name.clone()));
        let (mut copies, mut order) = (HashMap::from([(join.node, self.nodes.len())]), vec![join.node]);
        for at in 0.. {
            let Some(&node) = order.get(at) else { break };
            for child in
                source[node].children.iter().filter(|child| kept(node, child) && !above.contains(&child.node))
            {
                copies.entry(child.node).or_insert_with(|| {
                    order.push(child.node);
                    self.nodes.len() + order.len() - 1
                });
            }
        }
        for &node in &order {
            if let Some(saver) = &source[node].registered_saver {
                return Err(Error::RegisteredSaver { path: join.from.clone(), saver: saver.name.clone() });
            }
            let mut copy = source[node].clone();
            copy.children.retain(|child| kept(node, child));
            for child in &mut copy.children {
                child.node = copies.get(&child.node).copied().unwrap_or(child.node);
            }
            copy.slots.clear();
            self.copies.insert(self.nodes.len(), node);
            self.nodes.push(copy);
        }
        self.copy_slots(&copies);
        Ok(copies[&join.node])
    }

    /// The objects above the path's end.
    fn on_the_way(&self, join: &Join) -> HashSet<NodeId> {
        let names = key::components(&join.from).unwrap_or_default();
        let (mut way, mut node) = (HashSet::from([ROOT]), ROOT);
        for name in &names {
            node = self.edit.source.child(node, name).unwrap_or(node);
            way.insert(node);
        }
        way.remove(&join.node);
        way
    }

    /// A copied optimizer keeps copies of its slots; another keeps copies of those it has for a copied variable.
    fn copy_slots(&mut self, copies: &HashMap<NodeId, NodeId>) {
        let source = &self.edit.source.objects().nodes;
        for (id, slot) in
            source.iter().enumerate().flat_map(|(id, node)| node.slots.iter().map(move |slot| (id, slot)))
        {
            let (optimizer, original) = (copies.get(&id).copied(), copies.get(&slot.original).copied());
            if self.edit.dropped_slots.contains(&slot.variable) || (optimizer.is_none() && original.is_none())
            {
                continue;
            }
            let variable = self.nodes.len();
            self.nodes.push(Node { children: Vec::new(), ..source[slot.variable].clone() });
            self.copies.insert(variable, slot.variable);
            let original = original.unwrap_or(slot.original);
            self.nodes[optimizer.unwrap_or(id)].slots.push(Slot { original, variable, ..slot.clone() });
        }
    }

    /// Objects that have lost all they had, each after those it had, with the one object that refers to it. One with another
    /// name left is not among them: its other name must stay.
    fn hollow(&self) -> Vec<(NodeId, NodeId)> {
        let mut parents = vec![Vec::new(); self.nodes.len()];
        for (id, node) in self.nodes.iter().enumerate() {
            node.children.iter().for_each(|child| parents[child.node].push(id));
        }
        let (mut hollow, mut seen) = (Vec::new(), HashSet::new());
        let mut open: Vec<NodeId> = self.edit.cut.keys().copied().filter(|&node| node != ROOT).collect();
        while let Some(node) = open.pop() {
            let Node { children, attributes, slots, registered_saver, .. } = &self.nodes[node];
            let has_nothing = attributes.is_empty() && slots.is_empty() && registered_saver.is_none();
            let is_hollow = has_nothing && children.iter().all(|child| seen.contains(&child.node));
            if let (true, &[parent]) = (is_hollow && !seen.contains(&node), &parents[node][..]) {
                seen.insert(node);
                hollow.push((node, parent));
                open.extend(Some(parent).filter(|&parent| parent != ROOT));
            }
        }
        hollow
    }

    /// What was hollow and was not filled again goes, so that an edit's inverse undoes it.
    fn remove_hollow(&mut self, hollow: Vec<(NodeId, NodeId)>) {
        for (node, parent) in hollow {
            if self.nodes[node].children.is_empty() {
                self.nodes[parent].children.retain(|child| child.node != node);
            }
        }
    }

    fn finish(mut self) -> Shape {
        self.say_whether_made_nodes_have_values();
        self.remove_slots();
        let source = self.edit.source.objects();
        let (before, after) = (alive(&source.nodes), alive(&self.nodes));
        // What the root did not reach in the source either is none of this edit's business.
        let gone: Vec<bool> =
            (0..after.len()).map(|node| !after[node] && before.get(node) != Some(&false)).collect();
        let flags = source.nodes[ROOT].has_checkpoint_values.map(|_| false);
        for (node, &gone) in self.nodes.iter_mut().zip(&gone) {
            if gone {
                *node = Node { has_checkpoint_values: flags, ..Node::default() };
            }
        }
        let objects = ObjectGraph { nodes: self.nodes, unknown: source.unknown.clone() };
        Shape { objects, copies: self.copies, gone }
    }

    /// As the source does, if it does: files of older writers say nothing.
    fn say_whether_made_nodes_have_values(&mut self) {
        if self.edit.source.objects().nodes[ROOT].has_checkpoint_values.is_none() {
            return;
        }
        for node in std::mem::take(&mut self.made).into_iter().rev() {
            let has = |child: &Child| self.nodes[child.node].has_checkpoint_values != Some(false);
            self.nodes[node].has_checkpoint_values = Some(self.nodes[node].children.iter().any(has));
        }
    }

    /// Slots that are not wanted, or whose variable is gone, leave their optimizer's list.
    fn remove_slots(&mut self) {
        let reached = reached(&self.nodes);
        for node in &mut self.nodes {
            node.slots
                .retain(|slot| reached[slot.original] && !self.edit.dropped_slots.contains(&slot.variable));
        }
    }
}

fn reached(nodes: &[Node]) -> Vec<bool> {
    let (mut reached, mut open) = (vec![false; nodes.len()], vec![ROOT]);
    while let Some(node) = open.pop() {
        if !std::mem::replace(&mut reached[node], true) {
            open.extend(nodes[node].children.iter().map(|child| child.node));
        }
    }
    reached
}

/// What has a path, or is a slot of an optimizer that has one.
fn alive(nodes: &[Node]) -> Vec<bool> {
    let reached = reached(nodes);
    let mut alive = reached.clone();
    for (node, _) in nodes.iter().zip(&reached).filter(|(_, reached)| **reached) {
        node.slots.iter().for_each(|slot| alive[slot.variable] = true);
    }
    alive
}
