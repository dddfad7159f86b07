//! What becomes of the keys when a graph is edited.
//!
//! The path in a node's keys is the one that was claimed for it; else the old one, if that still leads to the node; else
//! the old one as the renames on it left it, if that does; else the best path outside optimizers; else the shortest. A
//! slot's key follows the key of its variable and the path of its optimizer. A key that never was a path stays.

use std::borrow::Cow;
use std::cell::RefCell;

use foldhash::{HashMap, HashMapExt};

use crate::format::object_graph::{self, NodeId, ObjectGraph, Slot};

use super::super::key::{self, ATTRIBUTES, OPTIMIZER_SLOT, escape};
use super::super::{Graph, Guide, ROOT};
use super::shape::Shape;
use super::{Edit, Error, How, Lost};

/// An edited graph, and how the bundle has to change with it.
#[derive(Clone, Debug)]
pub struct Rewrite {
    /// The edited graph.
    pub graph: Graph,
    /// The same, serialized.
    pub graph_bytes: Vec<u8>,
    /// Each of the bundle's keys, in their order, and what it is called now, if it still is.
    pub keys: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// Old keys whose value has yet another key now, and that one.
    pub aliases: Vec<(Vec<u8>, Vec<u8>)>,
    /// Names that went to another object.
    pub lost: Vec<Lost>,
    /// The source's node that each new node is a copy of.
    pub copies: HashMap<NodeId, NodeId>,
}

pub(super) fn rewrite(edit: &Edit, shape: Shape, keys: &[&[u8]]) -> Result<Rewrite, Vec<Error>> {
    let Shape { objects, copies, gone, lost } = shape;
    let mut graph = Graph::new(objects);
    let (paths, mut errors) = Paths::new(edit, &graph, &copies, &gone).all();
    let (keys, aliases) = rename_keys(edit.source, &copies, &paths, keys);
    errors.extend(collisions(&keys, &aliases));
    if !errors.is_empty() {
        return Err(errors);
    }
    rename_attributes(edit, &mut graph.objects, &paths);
    Ok(Rewrite { graph_bytes: object_graph::encode(&graph.objects), graph, keys, aliases, lost, copies })
}

/// For each node, the path in its keys, if it has keys: the source's own, where it stays.
type Found<'s> = Vec<Option<Cow<'s, str>>>;

/// The path in a node's keys in the source.
fn old_path(graph: &Graph, node: NodeId) -> Option<&str> {
    let keys = graph.objects.nodes.get(node)?.attributes.iter().map(|attribute| &attribute.checkpoint_key);
    keys.filter_map(|key| key.split_once(ATTRIBUTES)).map(|(path, _)| path).next()
}

/// Finds the path for each node's keys.
struct Paths<'a, 's> {
    edit: &'a Edit<'s>,
    graph: &'a Graph,
    copies: &'a HashMap<NodeId, NodeId>,
    gone: &'a [bool],
    /// The places an edge of the source was moved to.
    moves: Places<'a>,
    /// The places where copies of what an edge of the source leads to were put.
    copied: Places<'a>,
    found: Found<'s>,
    /// Who looks paths up in the edited graph, and in the source.
    guides: (RefCell<Guide<'a>>, RefCell<Guide<'s>>),
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
        let guides = (RefCell::new(Guide::new(graph)), RefCell::new(Guide::new(edit.source)));
        Self { edit, graph, copies, gone, moves, copied, found: vec![None; gone.len()], guides }
    }

    /// The path of every node that is left with keys, and those for which there is none.
    fn all(mut self) -> (Found<'s>, Vec<Error>) {
        let slots = self.slots();
        let (mut slotted, mut errors) = (Vec::new(), Vec::new());
        for node in (0..self.gone.len()).filter(|&node| !self.gone[node]) {
            let Some(old) = self.old(node) else { continue };
            if self.edit.stripped.contains(&self.original(node).unwrap_or(node)) {
                continue;
            }
            if let Some(&(optimizer, slot)) = slots.get(&node) {
                slotted.push((node, optimizer, slot, old));
                continue;
            }
            self.found[node] = self.path(node, old);
            if self.found[node].is_none() {
                errors.push(Error::TooLong { key: old.to_owned() });
            }
        }
        for (node, optimizer, slot, old) in slotted {
            let path = self.slot_path(optimizer, slot, old);
            self.found[node] = Some(path.map_or(Cow::Borrowed(old), Cow::Owned));
        }
        (self.found, errors)
    }

    /// The node of the source that a node is a copy of.
    fn original(&self, node: NodeId) -> Option<NodeId> {
        let is_new = node >= self.edit.source.objects.nodes.len();
        is_new.then(|| self.copies.get(&node).copied())?
    }

    /// The path in a node's keys in the source, or in those of the node it is a copy of.
    fn old(&self, node: NodeId) -> Option<&'s str> {
        old_path(self.edit.source, self.original(node).unwrap_or(node))
    }

    fn slots(&self) -> HashMap<NodeId, (NodeId, &'a Slot)> {
        let mut slots = HashMap::new();
        for (optimizer, node) in self.graph.objects.nodes.iter().enumerate() {
            for slot in node.slots.iter().filter(|slot| !self.graph.all.reaches(slot.variable)) {
                slots.entry(slot.variable).or_insert((optimizer, slot));
            }
        }
        slots
    }

    fn path<'p>(&self, node: NodeId, old: &'p str) -> Option<Cow<'p, str>> {
        let leads = |path: &str| self.guides.0.borrow_mut().resolve(path) == Some(node);
        let is_copy = self.original(node).is_some();
        let claimed = self.edit.claims.get(&node).filter(|path| leads(path));
        if let Some(path) = claimed {
            return Some(Cow::Owned(path.clone()));
        }
        if !is_copy && (leads(old) || self.guides.1.borrow_mut().resolve(old) != Some(node)) {
            return Some(Cow::Borrowed(old));
        }
        let moved = self.moved(old, if is_copy { &self.copied } else { &self.moves });
        let outside = || self.graph.outside.path(&self.graph.objects, node);
        let path = moved.into_iter().find(|path| leads(path)).or_else(outside);
        path.or_else(|| self.graph.path(node)).map(Cow::Owned)
    }

    /// Where a path of the source goes with the last of its edges that was moved.
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

    /// The variable's path, the mark, the optimizer's path, the slot's name; if the old one was so.
    fn slot_path(&self, optimizer: NodeId, slot: &Slot, old: &str) -> Option<String> {
        let name = escape(&slot.name);
        let (_, after) = old.split_once(OPTIMIZER_SLOT)?;
        let old_optimizer = after.strip_suffix(&*name)?.strip_suffix('/')?;
        let variable = self.found[slot.original].as_ref()?;
        let optimizer = self.path(optimizer, old_optimizer)?;
        Some(format!("{variable}{OPTIMIZER_SLOT}{optimizer}/{name}"))
    }
}

/// Gives the attributes of all nodes their new keys, and those for which it was wished, new full names.
fn rename_attributes(edit: &Edit, objects: &mut ObjectGraph, paths: &Found) {
    for (node, path) in objects.nodes.iter_mut().zip(paths) {
        let Some(Cow::Owned(path)) = path else { continue };
        for attribute in &mut node.attributes {
            if let Some((_, name)) = attribute.checkpoint_key.split_once(ATTRIBUTES) {
                attribute.checkpoint_key = [path, ATTRIBUTES, name].concat();
            }
        }
    }
    let slots = objects.nodes.iter().flat_map(|node| &node.slots);
    let wished =
        slots.filter_map(|slot| Some((slot.variable, slot.original, edit.full_names.get(&slot.original)?)));
    for (variable, original, full_name) in wished.collect::<Vec<_>>() {
        let old = objects.nodes[original].attributes.first().map(|a| a.full_name.clone()).unwrap_or_default();
        for attribute in &mut objects.nodes[variable].attributes {
            if let Some(new) = within(&attribute.full_name, &old, full_name) {
                attribute.full_name = new;
            }
        }
    }
    for (&node, full_name) in &edit.full_names {
        let attributes = objects.nodes.get_mut(node).map(|node| &mut node.attributes);
        attributes.into_iter().flatten().for_each(|attribute| attribute.full_name.clone_from(full_name));
    }
}

/// A slot's full name (`Adam/dense/kernel/m`, `dense/kernel/Adam`) when its variable's changes.
fn within(full_name: &str, old: &str, new: &str) -> Option<String> {
    let (slashed, old) = (format!("/{full_name}/"), format!("/{old}/"));
    let at = slashed.find(&old).filter(|_| old.len() > 2)?;
    let changed = format!("{}/{new}/{}", &slashed[..at], &slashed[at + old.len()..]);
    Some(changed.trim_start_matches('/').trim_end_matches('/').to_owned())
}

type Keys = Vec<(Vec<u8>, Option<Vec<u8>>)>;
type Aliases = Vec<(Vec<u8>, Vec<u8>)>;

/// What each key of the bundle is now called, and what else its value is.
fn rename_keys(
    source: &Graph,
    copies: &HashMap<NodeId, NodeId>,
    paths: &Found,
    keys: &[&[u8]],
) -> (Keys, Aliases) {
    let (owners, more) = owners(source, copies, paths);
    let (mut renamed, mut aliases) = (Vec::with_capacity(keys.len()), Vec::new());
    for key in keys {
        let parts = key::split(key).and_then(|(path, name)| Some((std::str::from_utf8(path).ok()?, name)));
        let Some((path, name, owner)) = parts.and_then(|(path, name)| Some((path, name, *owners.get(path)?)))
        else {
            renamed.push((key.to_vec(), Some(key.to_vec())));
            continue;
        };
        let spell = |path: &str| [path.as_bytes(), ATTRIBUTES.as_bytes(), name].concat();
        renamed.push((key.to_vec(), owner.map(spell)));
        let others = more.get(path).into_iter().flatten().filter(|other| Some(**other) != owner);
        aliases.extend(others.map(|other| (key.to_vec(), spell(other))));
    }
    (renamed, aliases)
}

/// For each path in the source's keys, the one that takes its place, if there is one, and those that come besides.
type Owners<'f> = (HashMap<&'f str, Option<&'f str>>, HashMap<&'f str, Vec<&'f str>>);

fn owners<'f>(source: &'f Graph, copies: &HashMap<NodeId, NodeId>, paths: &'f Found) -> Owners<'f> {
    let (mut owners, mut more) = (HashMap::with_capacity(paths.len()), HashMap::<_, Vec<_>>::new());
    let mut copies: Vec<_> = copies.iter().map(|(&copy, &node)| (copy, node)).collect();
    copies.sort_unstable();
    for (node, original) in (0..source.objects.nodes.len()).map(|node| (node, node)).chain(copies) {
        let Some(old) = old_path(source, original) else { continue };
        let new = paths[node].as_deref();
        match owners.entry(old).or_insert(new) {
            none @ None => *none = new,
            Some(first) => more.entry(old).or_default().extend(new.filter(|new| new != first)),
        }
    }
    (owners, more)
}

fn collisions(keys: &Keys, aliases: &Aliases) -> Vec<Error> {
    let mut all: Vec<&Vec<u8>> = keys.iter().filter_map(|(_, new)| new.as_ref()).collect();
    all.extend(aliases.iter().map(|(_, new)| new));
    // Stable, because that is quick with what is mostly in order.
    all.sort();
    let twice = all.windows(2).filter(|pair| pair[0] == pair[1]);
    twice.map(|pair| Error::Collision { key: String::from_utf8_lossy(pair[0]).into_owned() }).collect()
}
