//! Edits of an object graph: renames, drops and aliases of paths, applied all at once.
//!
//! An edit is a set of requests that name paths of the *source*. Nothing changes until [`Edit::finish_owned`]. No
//! request sees the result of another, so renaming `a` to `b` and `b` to `a` swaps the two. A request applies to the
//! last edge of its path. The object that the edge starts from loses that name on every path to it, because a program
//! that restores sees the object, not the path.
//!
//! Guarantees of the result:
//!
//! * Node ids stay; new nodes come last.
//! * Edges, checkpoint keys, bundle keys, slot keys and full names agree.
//! * Every node with values is reachable: TensorFlow asserts that each of them matches an object of the program.

mod add_variable;
mod edge;
mod keys;
mod nodes;

use foldhash::{HashMap, HashMapExt, HashSet, HashSetExt};
use smol_str::SmolStr;

use crate::format::object_graph::{NodeId, Slot};
pub(crate) use crate::graph::edit::keys::{Rekeyed, Rewrite};
use crate::graph::path_cursor::PathCursor;
use crate::graph::{Graph, ROOT, key};

/// The reason why an edit is impossible.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// The path is not in the source.
    #[error("path {path:?} does not exist: {place} has no {missing:?}{}", nearest.hint())]
    Nowhere {
        /// The path.
        path: String,
        /// The part of the path that exists.
        place: String,
        /// The first name on the path that does not exist.
        missing: String,
        /// Existing names that are similar.
        nearest: Nearest,
    },
    /// A component is not validly escaped, is empty, or is one that TensorFlow cannot restore.
    #[error("invalid path {path:?}: {why}")]
    Impossible {
        /// The path.
        path: String,
        /// The problem.
        why: &'static str,
    },
    /// Another object has the target path and keeps it.
    #[error("cannot rename {from:?} to {to:?}: {to:?} already exists")]
    Taken {
        /// The path in the source.
        from: String,
        /// The requested path.
        to: String,
    },
    /// Another object is at the path of a new variable.
    #[error("{path:?} cannot be created: another object is there")]
    Occupied {
        /// The path.
        path: String,
    },
    /// A custom saver of the program saves the object, and knows it by one name only.
    #[error("{path:?} cannot have a second name: it is saved by {saver:?}, which saves it under one name")]
    RegisteredSaver {
        /// The path in the source.
        path: String,
        /// The name of the saver.
        saver: String,
    },
    /// Two values would get the same key.
    #[error("two values would have the key {key:?}")]
    Collision {
        /// The key.
        key: String,
    },
    /// The remaining paths are all too long for a key.
    #[error("the value of {key:?} would be left with paths of over 4096 bytes only")]
    TooLong {
        /// Its key in the source.
        key: String,
    },
}

/// Existing names that are similar to a missing one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Nearest(pub Vec<String>);

impl Nearest {
    fn hint(&self) -> String {
        if self.0.is_empty() { String::new() } else { format!("; nearest: {}", self.0.join(", ")) }
    }
}

/// A set of requests for changes to a graph.
#[derive(Clone, Debug)]
pub(crate) struct Edit<'g> {
    source: &'g Graph,
    /// The cursor that resolves the paths of requests.
    cursor: PathCursor<'g>,
    /// Edges to remove: names by parent node.
    cut: HashMap<NodeId, HashSet<SmolStr>>,
    /// The subset of `cut` that is dropped rather than moved.
    dropped: HashMap<NodeId, HashSet<SmolStr>>,
    joins: Vec<Join>,
    /// The paths that were claimed for nodes' keys.
    chosen_names: HashMap<NodeId, SmolStr>,
    full_names: HashMap<NodeId, String>,
    dropped_slots: HashSet<NodeId>,
    /// Objects that lose their values.
    stripped: HashSet<NodeId>,
    /// Variables that the source does not have.
    makes: Vec<add_variable::NewVariable>,
    /// Additional paths to the new variables.
    made_links: Vec<(usize, Vec<SmolStr>)>,
    /// True if the first request wins when two objects claim one name; otherwise that is an error.
    first_wins: bool,
}

/// An object that lost its name, or did not get the requested one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lost {
    /// The object, as a node of the source.
    pub(crate) node: NodeId,
    /// The source path of the request. `None` if the object was already at the path.
    pub(crate) from: Option<String>,
    /// The path that another object has now.
    pub(crate) to: String,
    /// The other object, as a node of the source.
    pub(crate) other: NodeId,
}

/// A new edge.
#[derive(Clone, Debug)]
struct Join {
    /// The source path.
    from: String,
    /// The last edge of the source path.
    edge: (NodeId, SmolStr),
    /// The node at the end of the source path.
    node: NodeId,
    /// The names along the target path.
    to: Vec<SmolStr>,
    how: How,
    /// True if the contents merge into an object without values that is already at the target.
    merges: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// The node itself.
    Same,
    /// A copy of the node and everything below it.
    Copy {
        /// True if the copies get copies of the slots too.
        slots: bool,
    },
}

impl<'g> Edit<'g> {
    /// Creates an edit without requests.
    pub(crate) fn new(source: &'g Graph) -> Self {
        Self {
            source,
            cursor: PathCursor::new(source),
            cut: HashMap::new(),
            dropped: HashMap::new(),
            joins: Vec::new(),
            chosen_names: HashMap::new(),
            full_names: HashMap::new(),
            dropped_slots: HashSet::new(),
            stripped: HashSet::new(),
            makes: Vec::new(),
            made_links: Vec::new(),
            first_wins: false,
        }
    }

    /// Moves `from`, with everything below it, to `to`. Missing objects on the path to `to` are created.
    pub(crate) fn rename(&mut self, from: &str, to: &str) -> Result<(), Error> {
        let edge = self.edge(from)?;
        self.join(from, edge.clone(), to, How::Same)?;
        self.cut(edge);
        Ok(())
    }

    /// Like [`Edit::rename`], but if an object without values stays at `to`, the contents of `from` merge into it.
    pub(crate) fn merge(&mut self, from: &str, to: &str) -> Result<(), Error> {
        self.rename(from, to)?;
        self.joins.last_mut().into_iter().for_each(|join| join.merges = true);
        Ok(())
    }

    /// Adds a second path `to` to the object at `from`.
    pub(crate) fn link(&mut self, from: &str, to: &str) -> Result<(), Error> {
        let edge = self.edge(from)?;
        self.join(from, edge, to, How::Same)
    }

    /// Copies `from`, with everything below it, to `to`. The copy has its own keys and its own slots. A second edge
    /// to the same node would leave one of the program's two variables unrestored.
    pub(crate) fn alias(&mut self, from: &str, to: &str) -> Result<(), Error> {
        let edge = self.edge(from)?;
        self.join(from, edge, to, How::Copy { slots: true })
    }

    /// Like [`Edit::alias`], but the copy gets no slots.
    pub(crate) fn alias_without_slots(&mut self, from: &str, to: &str) -> Result<(), Error> {
        let edge = self.edge(from)?;
        self.join(from, edge, to, How::Copy { slots: false })
    }

    /// Drops `path`. Nodes left without a path are removed with their slots.
    #[cfg(test)]
    pub(crate) fn drop_path(&mut self, path: &str) -> Result<(), Error> {
        let edge = self.edge(path)?;
        self.dropped.entry(edge.0).or_default().insert(edge.1.clone());
        self.cut(edge);
        Ok(())
    }

    /// Drops the edge `name` of `parent`.
    pub(crate) fn drop_edge(&mut self, parent: NodeId, name: &str) {
        self.dropped.entry(parent).or_default().insert(name.into());
        self.cut((parent, name.into()));
    }

    /// Like [`Edit::drop_edge`], but requested copies still include the edge's target.
    pub(crate) fn take_edge(&mut self, parent: NodeId, name: &str) {
        self.cut((parent, name.into()));
    }

    /// Drops the values of an object, on all its paths. An object without children is removed with its edges.
    pub(crate) fn drop_values(&mut self, node: NodeId) {
        self.stripped.insert(node);
        if !self.source.objects.nodes[node].children.is_empty() {
            return;
        }
        for &(parent, child) in self.source.parents(node) {
            let name = &self.source.objects.nodes[parent].children[child].local_name;
            self.drop_edge(parent, name);
        }
    }

    /// Lets the first request win when two objects claim one name. A requested object also replaces one that is
    /// already there. Without this setting, both are errors.
    pub(crate) fn first_wins(&mut self) {
        self.first_wins = true;
    }

    /// Drops the slot that `variable` holds.
    pub(crate) fn drop_slot(&mut self, variable: NodeId) {
        self.dropped_slots.insert(variable);
    }

    /// Sets the path in the keys of `node`, if `path` leads to `node` in the edited graph. Without a claim, a key
    /// stays as long as its path does, and otherwise follows the renames.
    pub(crate) fn claim(&mut self, node: NodeId, path: impl Into<SmolStr>) {
        self.chosen_names.entry(node).or_insert_with(|| path.into());
    }

    /// Sets the variable's full name, by which a TF1 program finds it.
    pub(crate) fn rename_full_name(&mut self, node: NodeId, full_name: &str) {
        self.full_names.entry(node).or_insert_with(|| full_name.to_owned());
    }

    /// Like [`Edit::finish_owned`], with the owners of the keys looked up in the source.
    #[cfg(test)]
    pub(crate) fn finish(&self, keys: &[&[u8]]) -> Result<Rewrite, Vec<Error>> {
        let keys: Vec<_> = keys.iter().map(|key| (*key, self.source.owner(key))).collect();
        self.finish_owned(&keys)
    }

    /// Returns the edited graph and the new key of each of the bundle's `keys`, or all errors. Each entry of `keys`
    /// has the source node that owns the key.
    pub(crate) fn finish_owned(&self, keys: &[(&[u8], Option<NodeId>)]) -> Result<Rewrite, Vec<Error>> {
        let shape = nodes::EditedNodes::new(self)?;
        keys::rewrite(self, shape, keys)
    }

    fn drops(&self, parent: NodeId, name: &str) -> bool {
        self.dropped.get(&parent).is_some_and(|names| names.contains(name))
    }

    fn keeps_slot(&self, slot: &Slot) -> bool {
        !self.dropped_slots.contains(&slot.variable) && !self.stripped.contains(&slot.original)
    }

    fn cut(&mut self, (parent, name): (NodeId, SmolStr)) {
        self.cut.entry(parent).or_default().insert(name);
    }

    fn join(&mut self, from: &str, edge: (NodeId, SmolStr), to: &str, how: How) -> Result<(), Error> {
        let Some(node) = self.source.child(edge.0, &edge.1) else {
            return Err(self.nowhere(from, edge.0, &edge.1));
        };
        let to = new_names(to)?;
        self.joins.push(Join { from: from.to_owned(), edge, node, to, how, merges: false });
        Ok(())
    }

    /// Returns the last edge of a path in the source.
    fn edge(&mut self, path: &str) -> Result<(NodeId, SmolStr), Error> {
        let found = self.cursor.edges(path).and_then(|way| way.last());
        found.map_or_else(
            || Err(self.no_edge(path)),
            |(node, child)| Ok((node, self.source.objects.nodes[node].children[child].local_name.clone())),
        )
    }

    /// Returns the reason why a path has no last edge.
    fn no_edge(&self, path: &str) -> Error {
        let Some(names) = key::components(path) else { return impossible(path, no_name(path)) };
        let mut node = ROOT;
        for name in &names {
            match self.source.child(node, name) {
                Some(child) => node = child,
                None => return self.nowhere(path, node, name),
            }
        }
        impossible(path, "the root has no name")
    }

    fn nowhere(&self, path: &str, node: NodeId, missing: &str) -> Error {
        let place = match self.source.path(node) {
            Some(path) if !path.is_empty() => path,
            _ => "the root".to_owned(),
        };
        let names = self.source.objects().nodes.get(node).into_iter().flat_map(|node| &node.children);
        let mut near: Vec<_> =
            names.map(|c| (strsim::normalized_damerau_levenshtein(&c.local_name, missing), c)).collect();
        near.retain(|(likeness, _)| *likeness >= 0.4);
        near.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        let nearest =
            Nearest(near.into_iter().take(3).map(|(_, c)| key::escape(&c.local_name).into_owned()).collect());
        Error::Nowhere { path: path.to_owned(), place, missing: missing.to_owned(), nearest }
    }
}

fn impossible(path: &str, why: &'static str) -> Error {
    Error::Impossible { path: path.to_owned(), why }
}

fn no_name(path: &str) -> &'static str {
    let is_slot = path.contains(key::OPTIMIZER_SLOT);
    if is_slot {
        "a slot goes where its variable and its optimizer go"
    } else {
        "a component is not a valid escaped name"
    }
}

/// Splits and checks the path of a new place.
fn new_names(path: &str) -> Result<Vec<SmolStr>, Error> {
    let names = key::components(path).ok_or_else(|| impossible(path, no_name(path)))?;
    if names.is_empty() || names.iter().any(|name| name.is_empty()) {
        return Err(impossible(path, "a name is empty"));
    }
    if names.iter().any(|name| name.ends_with(".ATTRIBUTES")) {
        return Err(impossible(
            path,
            "TensorFlow cannot restore what is below a name that ends in .ATTRIBUTES",
        ));
    }
    Ok(names.into_iter().map(SmolStr::from).collect())
}

#[cfg(test)]
pub(crate) mod tests;
