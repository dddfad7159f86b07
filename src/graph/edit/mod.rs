//! Changing an object graph: paths renamed, dropped and aliased, all at once.
//!
//! An edit is a set of wishes about the *source's* paths; nothing happens until [`Edit::finish`]. So `a` to `b` with `b` to
//! `a` swaps, and no wish sees the result of another. A wish concerns an edge, the last one of its path: the object
//! it leaves has lost that name by every path that leads to the object, because that is what the program that restores sees.
//!
//! What finish promises: node ids stay (new nodes come at the end), edges, checkpoint keys, bundle keys, slots' keys and
//! full names agree, and TensorFlow, which asserts that every node with values finds its object, is left none that it
//! could not reach.

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

/// Why an edit cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// The path is not in the source.
    #[error("path {path:?} leads nowhere: {place} has no {missing:?}{}", nearest.hint())]
    Nowhere {
        /// The path.
        path: String,
        /// As far as it leads.
        place: String,
        /// The first name on it that is not there.
        missing: String,
        /// Names that are there and look like it.
        nearest: Nearest,
    },
    /// A component is no escaped name, or one that TensorFlow could not restore.
    #[error("path {path:?} cannot be: {why}")]
    Impossible {
        /// The path.
        path: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Another object has that name and keeps it.
    #[error("{from:?} cannot become {to:?}: another object is there and keeps its name")]
    Taken {
        /// The path in the source.
        from: String,
        /// The path that was wanted.
        to: String,
    },
    /// Another object is where a new variable was to be.
    #[error("{path:?} cannot be made: another object is there")]
    Occupied {
        /// The path.
        path: String,
    },
    /// A program's own saver knows the object by one name.
    #[error("{path:?} cannot be had twice: it is saved by {saver:?}, which knows it by one name")]
    RegisteredSaver {
        /// The path in the source.
        path: String,
        /// The saver.
        saver: String,
    },
    /// Two values would have one key.
    #[error("two values would have the key {key:?}")]
    Collision {
        /// The key.
        key: String,
    },
    /// The only path that is left is too long for a key.
    #[error("the value of {key:?} would be left with paths of over 4096 bytes only")]
    TooLong {
        /// Its key in the source.
        key: String,
    },
}

/// Names that look like one that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Nearest(pub Vec<String>);

impl Nearest {
    fn hint(&self) -> String {
        if self.0.is_empty() { String::new() } else { format!("; nearest: {}", self.0.join(", ")) }
    }
}

/// Wishes about a graph.
#[derive(Clone, Debug)]
pub(crate) struct Edit<'g> {
    source: &'g Graph,
    /// Who looks up the paths of wishes.
    cursor: PathCursor<'g>,
    /// Edges that go, for each node by name.
    cut: HashMap<NodeId, HashSet<SmolStr>>,
    /// Those of them that go nowhere else.
    dropped: HashMap<NodeId, HashSet<SmolStr>>,
    joins: Vec<Join>,
    /// The paths that keys are to have.
    chosen_names: HashMap<NodeId, SmolStr>,
    full_names: HashMap<NodeId, String>,
    dropped_slots: HashSet<NodeId>,
    /// Objects that are to have no values.
    stripped: HashSet<NodeId>,
    /// Variables that the source does not have.
    makes: Vec<add_variable::NewVariable>,
    /// More paths to those.
    made_links: Vec<(usize, Vec<SmolStr>)>,
    /// Of two objects with one name the one that was asked for first stays, instead of an error.
    first_wins: bool,
}

/// An object that did not get a name, or lost it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lost {
    /// The object, as the source has it.
    pub(crate) node: NodeId,
    /// Its path in the source, if it was asked for under it; it was there otherwise.
    pub(crate) from: Option<String>,
    /// The path that another has.
    pub(crate) to: String,
    /// The other, as the source has it.
    pub(crate) other: NodeId,
}

/// An edge that comes.
#[derive(Clone, Debug)]
struct Join {
    /// The path it has in the source.
    from: String,
    /// That path's last edge.
    edge: (NodeId, SmolStr),
    /// The node it leads to, in the source.
    node: NodeId,
    /// The names along the path it shall have.
    to: Vec<SmolStr>,
    how: How,
    /// Where an object without values is already, what is in this one goes into that.
    merges: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// The node itself.
    Same,
    /// A copy of it and of all below it.
    Copy {
        /// With copies of the slots that are kept for what is copied.
        slots: bool,
    },
}

impl<'g> Edit<'g> {
    /// No wishes yet.
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

    /// What is at path `from` shall be at path `to`, all below it included. Objects between that are not there are made.
    pub(crate) fn rename(&mut self, from: &str, to: &str) -> Result<(), Error> {
        let edge = self.edge(from)?;
        self.join(from, edge.clone(), to, How::Same)?;
        self.cut(edge);
        Ok(())
    }

    /// As [`Edit::rename`], but if an object without values is there already and stays, what is in this one goes into that.
    pub(crate) fn merge(&mut self, from: &str, to: &str) -> Result<(), Error> {
        self.rename(from, to)?;
        self.joins.last_mut().into_iter().for_each(|join| join.merges = true);
        Ok(())
    }

    /// What is at path `from` shall be at path `to` too: the object itself, under one more name.
    pub(crate) fn link(&mut self, from: &str, to: &str) -> Result<(), Error> {
        let edge = self.edge(from)?;
        self.join(from, edge, to, How::Same)
    }

    /// What is at path `from` shall be at path `to` as well: a copy of it and all below it, with keys of its own and slots of
    /// its own. A second edge to the same node would leave one of two variables unrestored.
    pub(crate) fn alias(&mut self, from: &str, to: &str) -> Result<(), Error> {
        let edge = self.edge(from)?;
        self.join(from, edge, to, How::Copy { slots: true })
    }

    /// As [`Edit::alias`], but no optimizer gets slots for the copy.
    pub(crate) fn alias_without_slots(&mut self, from: &str, to: &str) -> Result<(), Error> {
        let edge = self.edge(from)?;
        self.join(from, edge, to, How::Copy { slots: false })
    }

    /// Path `path` shall not be. What has no path left goes, with its slots.
    #[cfg(test)]
    pub(crate) fn drop_path(&mut self, path: &str) -> Result<(), Error> {
        let edge = self.edge(path)?;
        self.dropped.entry(edge.0).or_default().insert(edge.1.clone());
        self.cut(edge);
        Ok(())
    }

    /// The child called `name` of `parent` shall not be called so.
    pub(crate) fn drop_edge(&mut self, parent: NodeId, name: &str) {
        self.dropped.entry(parent).or_default().insert(name.into());
        self.cut((parent, name.into()));
    }

    /// The same, but a copy that is asked for still has what was there.
    pub(crate) fn take_edge(&mut self, parent: NodeId, name: &str) {
        self.cut((parent, name.into()));
    }

    /// The values of an object shall not be, whatever paths lead to it. One that has only values goes altogether.
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

    /// Of two objects with one name, the first that was asked for has it; one that was asked for comes before one that was
    /// there. Without this it is an error.
    pub(crate) fn first_wins(&mut self) {
        self.first_wins = true;
    }

    /// The slot that `variable` holds shall not be.
    pub(crate) fn drop_slot(&mut self, variable: NodeId) {
        self.dropped_slots.insert(variable);
    }

    /// The keys of `node` shall have path `path`, if that leads there when all is done. Otherwise, and for all other
    /// nodes, a key stays as long as its path does, and follows it where it goes.
    pub(crate) fn claim(&mut self, node: NodeId, path: impl Into<SmolStr>) {
        self.chosen_names.entry(node).or_insert_with(|| path.into());
    }

    /// The variable shall have this name of its own, which a TF1 program asks for.
    pub(crate) fn rename_full_name(&mut self, node: NodeId, full_name: &str) {
        self.full_names.entry(node).or_insert_with(|| full_name.to_owned());
    }

    /// The graph as wished for, and what becomes of each of the bundle's `keys`; or everything that cannot be.
    #[cfg(test)]
    pub(crate) fn finish(&self, keys: &[&[u8]]) -> Result<Rewrite, Vec<Error>> {
        let keys: Vec<_> = keys.iter().map(|key| (*key, self.source.owner(key))).collect();
        self.finish_owned(&keys)
    }

    /// The same, where it is known which of the source's nodes own the keys.
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

    /// The last edge of a path in the source.
    fn edge(&mut self, path: &str) -> Result<(NodeId, SmolStr), Error> {
        let found = self.cursor.edges(path).and_then(|way| way.last());
        found.map_or_else(
            || Err(self.no_edge(path)),
            |(node, child)| Ok((node, self.source.objects.nodes[node].children[child].local_name.clone())),
        )
    }

    /// Why a path has no last edge.
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
        "a component is no escaped name"
    }
}

/// The names along a path that shall be.
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
