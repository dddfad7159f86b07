//! The nodes and edges of the edited graph. Its keys are still the source's.

use foldhash::{HashMap, HashMapExt, HashSet, HashSetExt};
use smol_str::SmolStr;

use crate::format::object_graph::{Child, Node, NodeId, ObjectGraph, Slot};
use crate::graph::edit::{Edit, Error, How, Join, Lost};
use crate::graph::{FEW, ROOT, key};

/// The nodes of the edited graph, with the record of copies and removed nodes.
pub(crate) struct EditedNodes {
    pub(crate) objects: ObjectGraph,
    /// The source node that each copy was made from.
    pub(crate) copies: HashMap<NodeId, NodeId>,
    /// True for a node that lost its last path, and for a slot of such a node. TensorFlow would report the node as
    /// unmatched if it had values, so it is left bare.
    pub(crate) gone: Vec<bool>,
    pub(crate) lost: Vec<Lost>,
    /// The nodes of the new variables, in the order of the requests.
    pub(crate) made: Vec<NodeId>,
}

pub(crate) struct NodeEditor<'e> {
    pub(crate) edit: &'e Edit<'e>,
    pub(crate) nodes: Vec<Node>,
    /// The position of each child by name, built on first use for nodes with many children.
    pub(crate) index: HashMap<NodeId, HashMap<SmolStr, usize>>,
    /// The slots of the source, indexed by both the optimizer and the variable: the optimizer and the slot's position
    /// in its list.
    pub(crate) slots: HashMap<NodeId, Vec<(NodeId, usize)>>,
    pub(crate) copies: HashMap<NodeId, NodeId>,
    pub(crate) made: Vec<NodeId>,
    /// Nodes whose place another object may take.
    pub(crate) free: HashSet<NodeId>,
    /// Nodes that were replaced by another at their place.
    pub(crate) replaced: HashSet<NodeId>,
    /// The edges that joins made: the parent and the name, and the source node that the edge leads to.
    pub(crate) joined: HashMap<(NodeId, SmolStr), NodeId>,
    pub(crate) lost: Vec<Lost>,
}

impl EditedNodes {
    /// Removes the cut edges, then adds the joins, shorter paths first so that longer ones can lead through them.
    pub(crate) fn new(edit: &Edit) -> Result<Self, Vec<Error>> {
        let mut nodes = edit.source.objects().nodes.clone();
        for (parent, names) in &edit.cut {
            nodes[*parent].children.retain(|child| !names.contains(&child.local_name));
        }
        let (index, copies, made, free) = Default::default();
        let copies_slots = edit.joins.iter().any(|join| join.how == How::Copy { slots: true });
        let slots = if copies_slots { slots(edit.source.objects()) } else { HashMap::new() };
        let (joined, lost) = (HashMap::new(), vec![]);
        let replaced = HashSet::new();
        let mut work = NodeEditor { edit, nodes, index, slots, copies, made, free, replaced, joined, lost };
        let hollow = work.hollow();
        work.free = hollow.iter().map(|(node, _)| *node).collect();
        let mut joins: Vec<_> =
            edit.joins.iter().filter(|join| !edit.drops(join.edge.0, &join.edge.1)).collect();
        joins.sort_by_key(|join| (join.to.len(), join.merges));
        let mut errors: Vec<_> = joins.into_iter().filter_map(|join| work.join(join).err()).collect();
        let made = work.add_variables().unwrap_or_else(|faults| {
            errors.extend(faults);
            vec![]
        });
        if !errors.is_empty() {
            return Err(errors);
        }
        work.remove_hollow(hollow);
        Ok(work.finish(made))
    }
}

impl NodeEditor<'_> {
    /// Returns the position of the child with that name.
    pub(crate) fn child(&mut self, node: NodeId, name: &str) -> Option<usize> {
        let children = &self.nodes[node].children;
        if children.len() <= FEW {
            return children.iter().position(|child| child.local_name == name);
        }
        let index =
            || children.iter().enumerate().map(|(at, child)| (child.local_name.clone(), at)).collect();
        self.index.entry(node).or_insert_with(index).get(name).copied()
    }

    pub(crate) fn child_or_new(&mut self, parent: NodeId, name: &str) -> NodeId {
        if let Some(at) = self.child(parent, name) {
            return self.nodes[parent].children[at].node;
        }
        let node = self.nodes.len();
        self.nodes.push(Node::default());
        self.made.push(node);
        self.put(parent, name, node);
        node
    }

    pub(crate) fn put(&mut self, parent: NodeId, name: &str, node: NodeId) {
        if let Some(at) = self.child(parent, name) {
            let left = std::mem::replace(&mut self.nodes[parent].children[at].node, node);
            self.replaced.insert(left);
            return;
        }
        let children = &mut self.nodes[parent].children;
        if let Some(index) = self.index.get_mut(&parent) {
            index.insert(name.into(), children.len());
        }
        children.push(Child { node, local_name: name.into(), unknown: Vec::new() });
    }

    /// Copies a node of the source and everything below it, without the dropped edges. A reference back to an object
    /// on the path from the root stays a reference to that object.
    pub(crate) fn copy(&mut self, join: &Join) -> Result<NodeId, Error> {
        let source = &self.edit.source.objects().nodes;
        let above: HashSet<NodeId> = self.on_the_way(join);
        let kept = |node: NodeId, child: &Child| !self.edit.drops(node, &child.local_name);
        let (mut copies, mut order) = (HashMap::from_iter([(join.node, self.nodes.len())]), vec![join.node]);
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
            if self.edit.stripped.contains(&node) {
                copy.attributes.clear();
            }
            copy.children.retain(|child| kept(node, child));
            for child in &mut copy.children {
                child.node = copies.get(&child.node).copied().unwrap_or(child.node);
            }
            copy.slots.clear();
            self.copies.insert(self.nodes.len(), node);
            self.nodes.push(copy);
        }
        if join.how != (How::Copy { slots: false }) {
            self.copy_slots(&copies);
        }
        Ok(copies[&join.node])
    }

    /// Returns the objects on the path above its end.
    fn on_the_way(&self, join: &Join) -> HashSet<NodeId> {
        let names = key::components(&join.from).unwrap_or_default();
        let (mut way, mut node) = (HashSet::from_iter([ROOT]), ROOT);
        for name in &names {
            node = self.edit.source.child(node, name).unwrap_or(node);
            way.insert(node);
        }
        way.remove(&join.node);
        way
    }

    /// Copies slots: a copied optimizer gets copies of all its slots; any other optimizer gets copies of its slots
    /// for the copied variables.
    fn copy_slots(&mut self, copies: &HashMap<NodeId, NodeId>) {
        let source = &self.edit.source.objects().nodes;
        let mut concerned: Vec<_> =
            copies.keys().filter_map(|node| self.slots.get(node)).flatten().copied().collect();
        concerned.sort_unstable();
        concerned.dedup();
        for (id, at) in concerned {
            let slot = &source[id].slots[at];
            if !self.edit.keeps_slot(slot) {
                continue;
            }
            let copy = |node: NodeId| copies.get(&node).copied().unwrap_or(node);
            let (optimizer, original, variable) = (copy(id), copy(slot.original), self.nodes.len());
            self.nodes.push(Node { children: Vec::new(), ..source[slot.variable].clone() });
            self.copies.insert(variable, slot.variable);
            self.nodes[optimizer].slots.push(Slot { original, variable, ..slot.clone() });
        }
    }

    /// Lists the objects that have lost all their children and have nothing else, children before parents, each with
    /// the one object that refers to it. An object with a second reference is not listed: its other name must stay.
    fn hollow(&self) -> Vec<(NodeId, NodeId)> {
        let (mut references, mut parent) = (vec![0; self.nodes.len()], vec![ROOT; self.nodes.len()]);
        for (id, child) in
            self.nodes.iter().enumerate().flat_map(|(id, node)| node.children.iter().map(move |c| (id, c)))
        {
            references[child.node] += 1;
            parent[child.node] = id;
        }
        let mut left: Vec<usize> = self.nodes.iter().map(|node| node.children.len()).collect();
        let is_bare = |node: &Node| {
            node.attributes.is_empty() && node.slots.is_empty() && node.registered_saver.is_none()
        };
        let mut open: Vec<NodeId> = self.edit.cut.keys().copied().filter(|&node| left[node] == 0).collect();
        open.sort_unstable();
        let mut hollow = Vec::new();
        while let Some(node) = open.pop() {
            if node != ROOT && references[node] == 1 && is_bare(&self.nodes[node]) {
                hollow.push((node, parent[node]));
                left[parent[node]] -= 1;
                open.extend(Some(parent[node]).filter(|&parent| left[parent] == 0));
            }
        }
        hollow
    }

    /// Removes the hollow objects that no join has filled again, so that the inverse of an edit undoes it.
    fn remove_hollow(&mut self, hollow: Vec<(NodeId, NodeId)>) {
        let mut filled: HashMap<NodeId, usize> = HashMap::new();
        let (mut gone, mut parents) = (HashSet::new(), HashSet::new());
        for (node, parent) in hollow {
            let left = filled.entry(node).or_insert(self.nodes[node].children.len());
            if *left == 0 {
                gone.insert(node);
                if self.replaced.contains(&node) {
                    continue;
                }
                parents.insert(parent);
                *filled.entry(parent).or_insert(self.nodes[parent].children.len()) -= 1;
            }
        }
        for parent in parents {
            self.nodes[parent].children.retain(|child| !gone.contains(&child.node));
        }
    }

    fn finish(mut self, made: Vec<NodeId>) -> EditedNodes {
        self.say_whether_made_nodes_have_values();
        let reached = reached(&self.nodes);
        self.remove_slots(&reached);
        let source = self.edit.source;
        for &node in &self.edit.stripped {
            self.nodes[node].attributes.clear();
        }
        let before = alive(&source.objects.nodes, |node| source.all.reaches(node));
        let after = alive(&self.nodes, |node| reached[node]);
        // Nodes that the root did not reach in the source are outside this edit.
        let gone: Vec<bool> =
            (0..after.len()).map(|node| !after[node] && before.get(node) != Some(&false)).collect();
        let flags = source.objects.nodes[ROOT].has_checkpoint_values.map(|_| false);
        for (node, &gone) in self.nodes.iter_mut().zip(&gone) {
            if gone {
                *node = Node { has_checkpoint_values: flags, ..Node::default() };
            }
        }
        let objects = ObjectGraph { nodes: self.nodes, unknown: source.objects.unknown.clone() };
        EditedNodes { objects, copies: self.copies, gone, lost: self.lost, made }
    }

    /// Sets `has_checkpoint_values` of new nodes, if the source sets it: files of older writers do not have the flag.
    fn say_whether_made_nodes_have_values(&mut self) {
        if self.edit.source.objects().nodes[ROOT].has_checkpoint_values.is_none() {
            return;
        }
        for node in std::mem::take(&mut self.made).into_iter().rev() {
            let has = |child: &Child| self.nodes[child.node].has_checkpoint_values != Some(false);
            self.nodes[node].has_checkpoint_values = Some(self.nodes[node].children.iter().any(has));
        }
    }

    /// Removes from each optimizer's list the slots that were dropped and the slots whose variable is gone.
    fn remove_slots(&mut self, reached: &[bool]) {
        for node in &mut self.nodes {
            node.slots.retain(|slot| reached[slot.original] && self.edit.keeps_slot(slot));
        }
    }
}

fn slots(source: &ObjectGraph) -> HashMap<NodeId, Vec<(NodeId, usize)>> {
    let mut slots: HashMap<_, Vec<_>> = HashMap::new();
    for (id, node) in source.nodes.iter().enumerate() {
        for (at, slot) in node.slots.iter().enumerate() {
            slots.entry(id).or_default().push((id, at));
            slots.entry(slot.original).or_default().push((id, at));
        }
    }
    slots
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

/// Marks the nodes that have a path or are a slot of an optimizer that has one.
fn alive(nodes: &[Node], reached: impl Fn(NodeId) -> bool) -> Vec<bool> {
    let mut alive: Vec<_> = (0..nodes.len()).map(&reached).collect();
    for (_, node) in nodes.iter().enumerate().filter(|(node, _)| reached(*node)) {
        node.slots.iter().for_each(|slot| alive[slot.variable] = true);
    }
    alive
}
