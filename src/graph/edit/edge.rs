//! Placing a node at a path of the edited graph, and the conflict when another object is already there.

use foldhash::{HashSet, HashSetExt};
use smol_str::SmolStr;

use crate::format::object_graph::{Child, Node, NodeId};
use crate::graph::edit::nodes::NodeEditor;
use crate::graph::edit::{Error, How, Join, Lost};
use crate::graph::{ROOT, key};

impl NodeEditor<'_> {
    pub(crate) fn join(&mut self, join: &Join) -> Result<(), Error> {
        let Some((name, above)) = join.to.split_last() else { return Ok(()) };
        let parent = above.iter().fold(ROOT, |node, name| self.child_or_new(node, name));
        let there = self.child(parent, name).map(|at| self.nodes[parent].children[at].node);
        if there == Some(join.node) && join.how == How::Same {
            return Ok(());
        }
        if let Some(there) = there.filter(|there| !self.free.contains(there)) {
            if join.merges && self.can_merge(join.node, there) {
                return self.merge(join, there);
            }
            if !self.take_place(join, (parent, name.clone()), there, format_path(&join.to))? {
                return Ok(());
            }
        }
        let node = if join.how == How::Same { join.node } else { self.copy(join)? };
        self.put_joined(parent, name, node, join.node);
        Ok(())
    }

    /// Resolves a conflict over a place. Returns true if the join replaces the object there, false if an earlier join
    /// keeps the place. Returns an error unless the edit is `first_wins`.
    fn take_place(
        &mut self,
        join: &Join,
        edge: (NodeId, SmolStr),
        there: NodeId,
        to: String,
    ) -> Result<bool, Error> {
        if !self.edit.first_wins {
            return Err(Error::Taken { from: join.from.clone(), to });
        }
        let (node, from) = (join.node, Some(join.from.clone()));
        let other = self.joined.get(&edge).copied();
        self.lost.push(match other {
            Some(other) => Lost { node, from, to, other },
            None => Lost { node: there, from: None, to, other: node },
        });
        Ok(other.is_none())
    }

    /// Returns true if the children of `node` can move into `there`: neither has values, and `node` has no slots.
    fn can_merge(&self, node: NodeId, there: NodeId) -> bool {
        let Node { attributes, slots, registered_saver, .. } = &self.nodes[node];
        let is_bare = attributes.is_empty() && slots.is_empty() && registered_saver.is_none();
        let Node { attributes, registered_saver, .. } = &self.nodes[there];
        node != there && is_bare && attributes.is_empty() && registered_saver.is_none()
    }

    /// Moves the children of one object into another, recursively where both have a child of the same name.
    fn merge(&mut self, join: &Join, there: NodeId) -> Result<(), Error> {
        let (mut open, mut seen) = (vec![(join.node, there, join.to.clone())], HashSet::new());
        while let Some((node, into, path)) = open.pop() {
            for Child { node, local_name: name, .. } in self.nodes[node].children.clone() {
                let path = [&path[..], std::slice::from_ref(&name)].concat();
                let there = self.child(into, &name).map(|at| self.nodes[into].children[at].node);
                match there.filter(|there| !self.free.contains(there)) {
                    Some(there) if there == node || !seen.insert((node, there)) => {}
                    Some(there) if self.can_merge(node, there) => open.push((node, there, path)),
                    Some(there) => {
                        if self.take_place(join, (into, name.clone()), there, format_path(&path))? {
                            self.put_joined(into, &name, node, node);
                        }
                    }
                    None => self.put_joined(into, &name, node, node),
                }
            }
        }
        Ok(())
    }

    fn put_joined(&mut self, parent: NodeId, name: &str, node: NodeId, source: NodeId) {
        self.put(parent, name, node);
        if self.edit.first_wins {
            self.joined.insert((parent, name.into()), source);
        }
    }
}

pub(crate) fn format_path(names: &[SmolStr]) -> String {
    names.iter().map(|name| key::escape(name)).collect::<Vec<_>>().join("/")
}
