//! What becomes of the keys when a graph is edited.
//!
//! The path in a node's keys is the one that was claimed for it; else the old one, if that still leads to the node; else
//! the old one as the renames on it left it, if that does; else the best path outside optimizers; else the shortest. A
//! slot's key follows the key of its variable and the path of its optimizer. A key that never was a path stays.

use std::collections::{HashMap, HashSet};

use crate::format::object_graph::{self, NodeId, ObjectGraph, Slot};

use super::super::key::{self, ATTRIBUTES, OPTIMIZER_SLOT, escape};
use super::super::{Graph, ROOT};
use super::shape::Shape;
use super::{Edit, Error};

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
}

pub(super) fn rewrite(edit: &Edit, shape: Shape, keys: &[&[u8]]) -> Result<Rewrite, Vec<Error>> {
    let Shape { objects, copies, gone } = shape;
    let mut graph = Graph::new(objects);
    let (paths, mut errors) = Paths::new(edit, &graph, &copies, &gone).all();
    let (keys, aliases) = rename_keys(edit.source, &copies, &paths, keys);
    errors.extend(collisions(&keys, &aliases));
    if !errors.is_empty() {
        return Err(errors);
    }
    rename_attributes(edit, &mut graph.objects, &paths);
    Ok(Rewrite { graph_bytes: object_graph::encode(&graph.objects), graph, keys, aliases })
}

/// The path in a node's keys in the source.
fn old_path(graph: &Graph, node: NodeId) -> Option<&str> {
    let keys = graph.objects.nodes.get(node)?.attributes.iter().map(|attribute| &attribute.checkpoint_key);
    keys.filter_map(|key| key.split_once(ATTRIBUTES)).map(|(path, _)| path).next()
}

/// Finds the path for each node's keys.
struct Paths<'a> {
    edit: &'a Edit<'a>,
    graph: &'a Graph,
    copies: &'a HashMap<NodeId, NodeId>,
    gone: &'a [bool],
    /// The places an edge of the source was moved to.
    moves: Places<'a>,
    /// The places where copies of what an edge of the source leads to were put.
    copied: Places<'a>,
    found: HashMap<NodeId, String>,
}

type Places<'a> = HashMap<(NodeId, &'a str), Vec<String>>;

impl<'a> Paths<'a> {
    fn new(
        edit: &'a Edit<'a>,
        graph: &'a Graph,
        copies: &'a HashMap<NodeId, NodeId>,
        gone: &'a [bool],
    ) -> Self {
        let (mut moves, mut copied) = (Places::new(), Places::new());
        for join in &edit.joins {
            let to: Vec<_> = join.to.iter().map(|name| escape(name)).collect();
            let places = if join.copy { &mut copied } else { &mut moves };
            places.entry((join.edge.0, join.edge.1.as_str())).or_default().push(to.join("/"));
        }
        Self { edit, graph, copies, gone, moves, copied, found: HashMap::new() }
    }

    /// The path of every node that is left with keys, and those for which there is none.
    fn all(mut self) -> (HashMap<NodeId, String>, Vec<Error>) {
        let slots = self.slots();
        let (mut slotted, mut errors) = (Vec::new(), Vec::new());
        for node in (0..self.gone.len()).filter(|&node| !self.gone[node]) {
            let Some(old) = self.old(node) else { continue };
            if let Some(&(optimizer, slot)) = slots.get(&node) {
                slotted.push((node, optimizer, slot, old));
            } else if let Some(path) = self.path(node, old) {
                self.found.insert(node, path);
            } else {
                errors.push(Error::TooLong { key: old.to_owned() });
            }
        }
        for (node, optimizer, slot, old) in slotted {
            let path = self.slot_path(optimizer, slot, old).unwrap_or_else(|| old.to_owned());
            self.found.insert(node, path);
        }
        (self.found, errors)
    }

    /// The path in a node's keys in the source, or in those of the node it is a copy of.
    fn old(&self, node: NodeId) -> Option<&'a str> {
        old_path(self.edit.source, self.copies.get(&node).copied().unwrap_or(node))
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

    fn path(&self, node: NodeId, old: &str) -> Option<String> {
        let leads = |path: &String| self.graph.resolve(path) == Some(node);
        let is_copy = self.copies.contains_key(&node);
        let claimed = self.edit.claims.get(&node).cloned().filter(leads);
        let leads_on =
            || self.graph.resolve(old) == Some(node) || self.edit.source.resolve(old) != Some(node);
        let stays = || (!is_copy && leads_on()).then(|| old.to_owned());
        let moved =
            || self.moved(old, if is_copy { &self.copied } else { &self.moves }).into_iter().find(leads);
        let outside = || self.graph.outside.path(&self.graph.objects, node);
        claimed.or_else(stays).or_else(moved).or_else(outside).or_else(|| self.graph.path(node))
    }

    /// Where a path of the source goes with the last of its edges that was moved.
    fn moved(&self, old: &str, places: &Places) -> Vec<String> {
        let (mut node, mut moved) = (ROOT, Vec::new());
        let names = key::components(old).unwrap_or_default();
        for (at, name) in names.iter().enumerate() {
            if let Some(to) = places.get(&(node, name.as_str())) {
                let rest: String = names[at + 1..].iter().map(|name| format!("/{}", escape(name))).collect();
                moved = to.iter().map(|to| format!("{to}{rest}")).collect();
            }
            match self.edit.source.child(node, name) {
                Some(child) => node = child,
                None => return Vec::new(),
            }
        }
        moved
    }

    /// The variable's path, the mark, the optimizer's path, the slot's name; if the old one was so.
    fn slot_path(&self, optimizer: NodeId, slot: &Slot, old: &str) -> Option<String> {
        let name = escape(&slot.name);
        let (_, after) = old.split_once(OPTIMIZER_SLOT)?;
        let old_optimizer = after.strip_suffix(&name)?.strip_suffix('/')?;
        let variable = self.found.get(&slot.original)?;
        let optimizer = self.path(optimizer, old_optimizer)?;
        Some(format!("{variable}{OPTIMIZER_SLOT}{optimizer}/{name}"))
    }
}

/// Gives the attributes of all nodes their new keys, and those for which it was wished, new full names.
fn rename_attributes(edit: &Edit, objects: &mut ObjectGraph, paths: &HashMap<NodeId, String>) {
    for (&node, path) in paths {
        for attribute in &mut objects.nodes[node].attributes {
            if let Some((_, name)) = attribute.checkpoint_key.split_once(ATTRIBUTES) {
                attribute.checkpoint_key = format!("{path}{ATTRIBUTES}{name}");
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
    for (&node, full_name) in edit.full_names.iter().filter(|(node, _)| paths.contains_key(*node)) {
        objects.nodes[node]
            .attributes
            .iter_mut()
            .for_each(|attribute| attribute.full_name.clone_from(full_name));
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
    paths: &HashMap<NodeId, String>,
    keys: &[&[u8]],
) -> (Keys, Aliases) {
    let mut owners: HashMap<&str, Vec<Option<&String>>> = HashMap::new();
    let nodes = (0..source.objects.nodes.len()).map(|node| (node, node));
    let mut copies: Vec<_> = copies.iter().map(|(&copy, &node)| (copy, node)).collect();
    copies.sort_unstable();
    for (node, original) in nodes.chain(copies) {
        if let Some(path) = old_path(source, original) {
            owners.entry(path).or_default().push(paths.get(&node));
        }
    }
    let (mut renamed, mut aliases) = (Vec::with_capacity(keys.len()), Vec::new());
    for key in keys {
        let parts = key::split(key)
            .and_then(|(path, name)| Some((owners.get(std::str::from_utf8(path).ok()?)?, name)));
        let Some((owners, name)) = parts else {
            renamed.push((key.to_vec(), Some(key.to_vec())));
            continue;
        };
        let mut names: Vec<_> = owners
            .iter()
            .flatten()
            .map(|path| [path.as_bytes(), ATTRIBUTES.as_bytes(), name].concat())
            .collect();
        names.dedup();
        let mut names = names.into_iter();
        renamed.push((key.to_vec(), names.next()));
        aliases.extend(names.map(|name| (key.to_vec(), name)));
    }
    (renamed, aliases)
}

fn collisions(keys: &Keys, aliases: &Aliases) -> Vec<Error> {
    let mut seen = HashSet::new();
    let all = keys.iter().filter_map(|(_, new)| new.as_ref()).chain(aliases.iter().map(|(_, new)| new));
    let twice = all.filter(|new| !seen.insert(*new));
    twice.map(|key| Error::Collision { key: String::from_utf8_lossy(key).into_owned() }).collect()
}
