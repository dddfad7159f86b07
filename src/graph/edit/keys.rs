//! The keys of an edited graph.
//!
//! The path in a node's keys is the first of these that leads to the node:
//!
//! * the path that was claimed for it;
//! * the old path;
//! * the old path as the renames changed it;
//! * the best path outside optimizers;
//! * the shortest path.
//!
//! A slot's key follows the key of its variable and the path of its optimizer. A key that never was a path stays.

use std::cell::RefCell;
use std::iter;

use foldhash::{HashMap, HashMapExt, HashSet, HashSetExt};
use memchr::memchr_iter;
use smol_str::SmolStr;

use crate::format::object_graph;
use crate::format::object_graph::{NodeId, ObjectGraph, Slot};
use crate::graph::edit::nodes::EditedNodes;
use crate::graph::edit::{Edit, Error, How, Lost, add_variable};
use crate::graph::key::{ATTRIBUTES, OPTIMIZER_SLOT, escape};
use crate::graph::path_cursor::PathCursor;
use crate::graph::{Graph, ROOT, key};

/// An edited graph, and the changes to the bundle's keys.
#[derive(Clone, Debug)]
pub(crate) struct Rewrite {
    /// The edited graph.
    pub(crate) graph: Graph,
    /// The edited graph, serialized.
    pub(crate) graph_bytes: Vec<u8>,
    /// The bundle's values under their new keys, in the old order, without the removed ones.
    pub(crate) keys: Vec<Rekeyed>,
    /// Additional keys of values that now have more than one.
    pub(crate) aliases: Vec<Rekeyed>,
    /// The new variables that are in the graph, by their numbers.
    pub(crate) made: Vec<Rekeyed>,
    /// Names that another object took.
    pub(crate) lost: Vec<Lost>,
    /// The source node that each copied node was made from.
    pub(crate) copies: HashMap<NodeId, NodeId>,
}

/// A value with its key after the edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rekeyed {
    /// The index of its old key in the bundle; for a new variable, its number.
    pub(crate) from: usize,
    /// The new key.
    pub(crate) key: Vec<u8>,
    /// The node that now owns it. `None` if the graph does not know the key.
    pub(crate) node: Option<NodeId>,
}

/// Renames the keys of the bundle and of the edited graph. `keys` are the keys, each with the source node that owns it.
pub(super) fn rewrite(
    edit: &Edit,
    shape: EditedNodes,
    keys: &[(&[u8], Option<NodeId>)],
) -> Result<Rewrite, Vec<Error>> {
    let EditedNodes { objects, copies, gone, lost, made } = shape;
    let mut graph = Graph::new(objects);
    let (paths, mut errors) = Paths::new(edit, &graph, &copies, &gone).all();
    let (keys, aliases) = rename_keys(&copies, &paths, keys);
    let made: Vec<_> = add_variable::keys(edit, &mut graph, &made, &gone)
        .into_iter()
        .map(|(from, key, node)| Rekeyed { from, key, node: Some(node) })
        .collect();
    errors.extend(collisions(&[&keys, &aliases, &made]));
    if !errors.is_empty() {
        return Err(errors);
    }
    rename_attributes(edit, &mut graph.objects, &paths);
    Ok(Rewrite {
        graph_bytes: object_graph::encode(&graph.objects),
        graph,
        keys,
        aliases,
        made,
        lost,
        copies,
    })
}

/// The path in the keys of each node. `None` for a node without keys.
type KeyPaths<'s> = Vec<Option<KeyPath<'s>>>;

/// The path in a node's keys.
#[derive(Clone, Debug)]
enum KeyPath<'s> {
    /// The unchanged path of the source.
    Kept(&'s str),
    /// A new path.
    New(SmolStr),
}

impl KeyPath<'_> {
    fn as_str(&self) -> &str {
        match self {
            Self::Kept(path) => path,
            Self::New(path) => path,
        }
    }
}

/// Returns the path in a node's keys in the source.
fn old_path(graph: &Graph, node: NodeId) -> Option<&str> {
    let keys = graph.objects.nodes.get(node)?.attributes.iter().map(|attribute| &attribute.checkpoint_key);
    keys.filter_map(|key| key::split_text(key)).map(|(path, _)| path).next()
}

/// The search for the path in each node's keys.
struct Paths<'a, 's> {
    edit: &'a Edit<'s>,
    graph: &'a Graph,
    copies: &'a HashMap<NodeId, NodeId>,
    gone: &'a [bool],
    /// The new places of each moved edge of the source.
    moves: Places<'a>,
    /// The places of the copies of each edge's target.
    copied: Places<'a>,
    found: KeyPaths<'s>,
    /// The cursors that resolve paths in the edited graph and in the source.
    guides: (RefCell<PathCursor<'a>>, RefCell<PathCursor<'s>>),
}

type Places<'a> = HashMap<NodeId, HashMap<&'a str, Vec<String>>>;

impl<'a, 's> Paths<'a, 's> {
    fn new(
        edit: &'a Edit<'s>,
        graph: &'a Graph,
        copies: &'a HashMap<NodeId, NodeId>,
        gone: &'a [bool],
    ) -> Self {
        let (mut moves, mut copied) = (Places::new(), Places::new());
        for join in &edit.joins {
            let to: Vec<_> = join.to.iter().map(|name| escape(name)).collect();
            let places = if join.how == How::Same { &mut moves } else { &mut copied };
            places
                .entry(join.edge.0)
                .or_default()
                .entry(join.edge.1.as_str())
                .or_default()
                .push(to.join("/"));
        }
        let guides = (RefCell::new(PathCursor::new(graph)), RefCell::new(PathCursor::new(edit.source)));
        Self { edit, graph, copies, gone, moves, copied, found: vec![None; gone.len()], guides }
    }

    /// Returns the path of every remaining node with keys, and an error for each node that has none.
    fn all(mut self) -> (KeyPaths<'s>, Vec<Error>) {
        let slots = self.slots();
        let (mut slotted, mut errors) = (Vec::new(), Vec::new());
        for node in (0..self.gone.len()).filter(|&node| !self.gone[node]) {
            let Some(old) = self.old(node) else { continue };
            if self.edit.stripped.contains(&self.original(node).unwrap_or(node)) {
                continue;
            }
            if let Some((optimizer, slot)) = slots[node] {
                slotted.push((node, optimizer, slot, old));
                continue;
            }
            self.found[node] = self.path(node, old);
            if self.found[node].is_none() {
                errors.push(Error::TooLong { key: old.to_owned() });
            }
        }
        let mut optimizers = HashMap::new();
        for (node, optimizer, slot, old) in slotted {
            let path = self.slot_path(optimizer, slot, old, &mut optimizers);
            self.found[node] = Some(path.map_or(KeyPath::Kept(old), |path| KeyPath::New(path.into())));
        }
        (self.found, errors)
    }

    /// Returns the source node that a node is a copy of.
    fn original(&self, node: NodeId) -> Option<NodeId> {
        let is_new = node >= self.edit.source.objects.nodes.len();
        is_new.then(|| self.copies.get(&node).copied())?
    }

    /// Returns the path in the source's keys of a node, or of the node that it is a copy of.
    fn old(&self, node: NodeId) -> Option<&'s str> {
        old_path(self.edit.source, self.original(node).unwrap_or(node))
    }

    /// Returns, for each node that is only a slot, its optimizer and the optimizer's entry for it.
    fn slots(&self) -> Vec<Option<(NodeId, &'a Slot)>> {
        let mut slots = vec![None; self.gone.len()];
        for (optimizer, node) in self.graph.objects.nodes.iter().enumerate() {
            for slot in node.slots.iter().filter(|slot| !self.graph.all.reaches(slot.variable)) {
                slots[slot.variable].get_or_insert((optimizer, slot));
            }
        }
        slots
    }

    fn path<'p>(&self, node: NodeId, old: &'p str) -> Option<KeyPath<'p>> {
        let leads = |path: &str| self.guides.0.borrow_mut().resolve(path) == Some(node);
        let is_copy = self.original(node).is_some();
        let claimed = self.edit.chosen_names.get(&node).filter(|path| leads(path));
        if let Some(path) = claimed {
            return Some(KeyPath::New(path.clone()));
        }
        if !is_copy && (leads(old) || self.guides.1.borrow_mut().resolve(old) != Some(node)) {
            return Some(KeyPath::Kept(old));
        }
        let moved = self.moved(old, if is_copy { &self.copied } else { &self.moves });
        let outside = || self.graph.outside.path(&self.graph.objects, node);
        let path = moved.into_iter().find(|path| leads(path)).or_else(outside);
        Some(KeyPath::New(path.or_else(|| self.graph.path(node))?.into()))
    }

    /// Returns the paths that an old path becomes when its last moved edge is replaced by the new places.
    fn moved(&self, old: &str, places: &Places) -> Vec<String> {
        let (mut node, mut at, mut moved) = (ROOT, 0, (&[][..], ""));
        for component in old.split('/') {
            let Some(name) = key::unescape(component) else { return Vec::new() };
            at += component.len();
            if let Some(to) = places.get(&node).and_then(|places| places.get(&*name)) {
                moved = (to, &old[at..]);
            }
            let Some(child) = self.edit.source.child(node, &name) else { return Vec::new() };
            (node, at) = (child, at + 1);
        }
        let (to, rest) = moved;
        to.iter().map(|to| format!("{to}{rest}")).collect()
    }

    /// Builds a slot's path: the variable's path, the separator, the optimizer's path and the slot's name. Returns
    /// `None` if the old path did not have this form. `optimizers` caches the new paths of optimizers.
    fn slot_path(
        &self,
        optimizer: NodeId,
        slot: &Slot,
        old: &'s str,
        optimizers: &mut HashMap<(NodeId, &'s str), Option<KeyPath<'s>>>,
    ) -> Option<String> {
        let name = escape(&slot.name);
        let variable = key::slot_of(old.as_bytes())?.len();
        let below = old[variable..].strip_prefix(OPTIMIZER_SLOT)?;
        let old_optimizer = below.strip_suffix(&*name)?.strip_suffix('/')?;
        let variable = self.found[slot.original].as_ref()?;
        let path = optimizers
            .entry((optimizer, old_optimizer))
            .or_insert_with(|| self.path(optimizer, old_optimizer));
        Some([variable.as_str(), OPTIMIZER_SLOT, path.as_ref()?.as_str(), "/", &name].concat())
    }
}

/// Sets the new keys of all nodes' attributes, and the new full names that were requested.
fn rename_attributes(edit: &Edit, objects: &mut ObjectGraph, paths: &KeyPaths) {
    for (node, path) in objects.nodes.iter_mut().zip(paths) {
        let Some(KeyPath::New(path)) = path else { continue };
        for attribute in &mut node.attributes {
            if let Some((_, name)) = key::split_text(&attribute.checkpoint_key) {
                attribute.checkpoint_key = [path, ATTRIBUTES, name].concat().into();
            }
        }
    }
    let slots = objects.nodes.iter().flat_map(|node| &node.slots);
    let wished = slots.filter_map(|slot| {
        let new = edit.full_names.get(&slot.original)?;
        let old = &objects.nodes[slot.original].attributes.first()?.full_name;
        let of_slot = objects.nodes[slot.variable].attributes.iter().enumerate();
        Some(of_slot.filter_map(move |(at, a)| Some((slot.variable, at, within(&a.full_name, old, new)?))))
    });
    for (variable, at, full_name) in wished.flatten().collect::<Vec<_>>() {
        objects.nodes[variable].attributes[at].full_name = full_name;
    }
    for (&node, full_name) in &edit.full_names {
        let attributes = objects.nodes.get_mut(node).map(|node| &mut node.attributes);
        attributes.into_iter().flatten().for_each(|attribute| attribute.full_name = full_name.into());
    }
}

/// Returns a slot's full name (`Adam/dense/kernel/m`, `dense/kernel/Adam`) after a rename of its variable.
fn within(full_name: &str, old: &str, new: &str) -> Option<SmolStr> {
    let starts = memchr_iter(b'/', full_name.as_bytes()).map(|slash| slash + 1);
    let is_whole = |at: &usize| {
        full_name[*at..].strip_prefix(old).is_some_and(|after| after.is_empty() || after.starts_with('/'))
    };
    let at = iter::once(0).chain(starts).find(is_whole).filter(|_| !old.is_empty())?;
    Some([&full_name[..at], new, &full_name[at + old.len()..]].concat().into())
}

/// Returns the new key of each key of the bundle, and the additional keys of copied values.
fn rename_keys(
    copies: &HashMap<NodeId, NodeId>,
    paths: &KeyPaths,
    keys: &[(&[u8], Option<NodeId>)],
) -> (Vec<Rekeyed>, Vec<Rekeyed>) {
    let mut copies_of: HashMap<NodeId, Vec<NodeId>> = HashMap::new();
    for (&copy, &node) in copies {
        copies_of.entry(node).or_default().push(copy);
    }
    copies_of.values_mut().for_each(|copies| copies.sort_unstable());
    let (mut renamed, mut aliases) = (Vec::with_capacity(keys.len()), Vec::new());
    for (from, &(key, owner)) in keys.iter().enumerate() {
        let Some((owner, (_, attribute))) = owner.zip(key::split(key)) else {
            renamed.push(Rekeyed { from, key: key.to_vec(), node: owner });
            continue;
        };
        let rekeyed = |node: NodeId| {
            let key = match paths[node].as_ref()? {
                KeyPath::Kept(_) => key.to_vec(),
                KeyPath::New(path) => [path.as_bytes(), ATTRIBUTES.as_bytes(), attribute].concat(),
            };
            Some(Rekeyed { from, key, node: Some(node) })
        };
        let copies = copies_of.get(&owner).into_iter().flatten().copied();
        let mut heirs = iter::once(owner).chain(copies).filter_map(rekeyed);
        renamed.extend(heirs.next());
        let first = renamed.last().filter(|first| first.from == from).map(|first| &first.key);
        aliases.extend(heirs.filter(|other| Some(&other.key) != first));
    }
    (renamed, aliases)
}

fn collisions(rekeyed: &[&[Rekeyed]]) -> Vec<Error> {
    let mut all: HashSet<&[u8]> = HashSet::with_capacity(rekeyed.iter().map(|some| some.len()).sum());
    let keys = rekeyed.iter().copied().flatten().map(|rekeyed| &rekeyed.key[..]);
    let mut twice: Vec<_> = keys.filter(|key| !all.insert(key)).collect();
    twice.sort_unstable();
    let error = |key: &[u8]| Error::Collision { key: String::from_utf8_lossy(key).into_owned() };
    twice.into_iter().map(error).collect()
}
