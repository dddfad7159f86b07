//! The assignment of inode numbers.
//!
//! ```text
//! 1                             the mount's root
//! 0 tag 31 bits ordinal 32      in a checkpoint: the tag identifies it and its state; tag 0 is the control directory
//! 1 hash 63 bits                a directory of the source, or a file that is shown unchanged
//! ```
//!
//! Numbers are hashes of the objects that they identify, so that they are the same after a remount. The hash of a
//! checkpoint covers its name, and the identity and modification time of each of its files. A tag is never reused for
//! another checkpoint while mounted. A number that no object has any more is stale.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::tree::checkpoint::show::Show;
use crate::tree::source_dir::SourceDir;
use crate::tree::source_dir::lazy_checkpoint::{LazyCheckpoint, TreeCache};
use crate::tree::{Attr, Content, Ino};

/// The inode numbers in use.
#[derive(Default)]
pub(crate) struct Inodes {
    nodes: RwLock<HashMap<Ino, Node>>,
    checkpoints: RwLock<HashMap<u32, Arc<LazyCheckpoint>>>,
    /// The identity that each tag was assigned to since the mount began.
    tags: Mutex<HashMap<u32, u64>>,
    trees: TreeCache,
    /// The forms that the checkpoint trees show.
    show: Show,
}

/// An entry of a source directory.
#[derive(Clone)]
pub(crate) enum Node {
    Directory(Arc<SourceDir>),
    /// A file of the source, by its name.
    File(Arc<SourceDir>, Arc<[u8]>),
    /// A generated file, or a symlink.
    Synthetic(Attr, Content<'static>),
}

/// The highest bit, set in the numbers of everything that is not in a checkpoint.
const NODE: u64 = 1 << 63;

/// Returns a hash of `parts`.
pub(crate) fn hash(parts: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    hasher.finish()
}

/// Returns the inode number of a node that `parts` identify.
pub(crate) fn node(parts: impl Hash) -> Ino {
    Ino(NODE | hash(parts))
}

impl Ino {
    /// Returns true if the object behind the number may change while mounted: the control directory, and directories
    /// and files of the source.
    pub(crate) fn is_volatile(self) -> bool {
        self.0 & NODE != 0 || self.tag() == 0
    }

    pub(crate) fn is_node(self) -> bool {
        self.0 & NODE != 0 || self == Self::ROOT
    }
}

impl Inodes {
    /// Creates an empty table, for trees that show the forms in `show`.
    pub(crate) fn new(show: Show) -> Self {
        Self { show, ..Self::default() }
    }

    /// Returns the forms that a checkpoint's tree shows.
    pub(crate) fn show(&self) -> &Show {
        &self.show
    }

    /// Returns the cache of built trees.
    pub(crate) fn trees(&self) -> &TreeCache {
        &self.trees
    }

    pub(crate) fn node(&self, ino: Ino) -> Option<Node> {
        self.nodes.read().unwrap_or_else(PoisonError::into_inner).get(&ino).cloned()
    }

    pub(crate) fn add(&self, ino: Ino, node: Node) {
        self.nodes.write().unwrap_or_else(PoisonError::into_inner).insert(ino, node);
    }

    pub(crate) fn checkpoint(&self, tag: u32) -> Option<Arc<LazyCheckpoint>> {
        self.checkpoints.read().unwrap_or_else(PoisonError::into_inner).get(&tag).cloned()
    }

    /// Returns the checkpoint with this identity. Creates it with `make`, which receives the new tag, if it does not
    /// exist.
    pub(crate) fn checkpoint_of(
        &self,
        identity: u64,
        make: impl FnOnce(u32) -> LazyCheckpoint,
    ) -> Arc<LazyCheckpoint> {
        let tag = self.tag(identity);
        let mut slots = self.checkpoints.write().unwrap_or_else(PoisonError::into_inner);
        slots.entry(tag).or_insert_with(|| Arc::new(make(tag))).clone()
    }

    /// Removes the numbers of objects that no longer exist. A program that has one of the files open can still read
    /// it.
    pub(crate) fn remove(&self, inos: impl Iterator<Item = Ino>) {
        for ino in inos {
            if ino.is_node() {
                let node = self.nodes.write().unwrap_or_else(PoisonError::into_inner).remove(&ino);
                if let Some(Node::Directory(dir)) = node {
                    dir.vanish(self);
                }
            } else {
                self.checkpoints.write().unwrap_or_else(PoisonError::into_inner).remove(&ino.tag());
                self.trees.remove(ino.tag());
            }
        }
    }

    fn tag(&self, identity: u64) -> u32 {
        let mut tags = self.tags.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tag = (identity >> 33) as u32;
        while tag == 0 || *tags.entry(tag).or_insert(identity) != identity {
            tag = (tag + 1) & (u32::MAX >> 1);
        }
        tag
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_not_reused_for_another_identity_and_is_never_zero() {
        let inodes = Inodes::default();
        assert_eq!(inodes.tag(5 << 33), 5);
        assert_eq!(inodes.tag((5 << 33) + 1), 6);
        assert_eq!(inodes.tag(5 << 33), 5);
        assert_eq!(inodes.tag((5 << 33) + 1), 6);
        assert_eq!(inodes.tag(0), 1);
        assert_eq!(inodes.tag(u64::MAX), u32::MAX >> 1);
        assert_eq!(inodes.tag(u64::MAX - 1), 2);
    }

    #[test]
    fn the_three_kinds_of_numbers_are_distinguished() {
        let (file, fact) = (node("vocab.txt"), Ino::new(u32::MAX >> 1, 7));
        assert!(file.is_node() && file.is_volatile());
        assert!(!fact.is_node() && !fact.is_volatile());
        assert!(Ino::ROOT.is_node() && Ino::new(0, 2).is_volatile() && !Ino::new(0, 2).is_node());
    }
}
