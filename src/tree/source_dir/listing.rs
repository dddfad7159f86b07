//! The names in a source directory, as they are between two scans.
//!
//! A name belongs to the first entry that claims it, in this order: the control directory, checkpoints, the source's
//! other files, and the generated `checkpoint` and `latest*`. If the name of a source file is already claimed, the
//! file gets a trailing `%`.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as MapEntry;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use crate::tree::backend::Listed;
use crate::tree::source_dir::lazy_checkpoint::LazyCheckpoint;
use crate::tree::{Ino, Kind};

/// The names in a source directory.
pub(crate) struct Listing {
    /// The generation number. It distinguishes this listing from earlier ones, so that a `readdir` continues in the
    /// listing in which it began.
    pub(crate) generation: u32,
    pub(crate) names: BTreeMap<Vec<u8>, ListedName>,
    /// The checkpoints, by stem.
    pub(crate) slots: BTreeMap<Vec<u8>, Arc<LazyCheckpoint>>,
    pub(crate) in_order: Vec<Listed>,
    pub(crate) last_preserved: f64,
    /// The state file and `latest*`. Set on first access, because the newest checkpoint must be planned to identify
    /// it.
    pub(crate) own: OnceLock<BTreeMap<Vec<u8>, ListedName>>,
    pub(crate) len: OnceLock<u64>,
    pub(crate) mtime: SystemTime,
    /// The permission bits of the directory.
    pub(crate) mode: u16,
}

/// The object that a name refers to.
#[derive(Clone)]
pub(crate) enum ListedName {
    /// A bundle file of a checkpoint. The ordinal is a guess until the checkpoint is planned.
    Sibling(Arc<LazyCheckpoint>, u32),
    /// The directory of a checkpoint.
    Tree(Arc<LazyCheckpoint>),
    /// Any other object.
    Node(Ino, Kind),
}

impl ListedName {
    pub(crate) fn ino(&self) -> Ino {
        match self {
            Self::Sibling(slot, ordinal) => Ino::new(slot.tag(), *ordinal),
            Self::Tree(slot) => Ino::new(slot.tag(), 0),
            Self::Node(ino, _) => *ino,
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Sibling(..) => Kind::File,
            Self::Tree(_) => Kind::Directory,
            Self::Node(_, kind) => *kind,
        }
    }
}

impl Listing {
    pub(crate) fn get(&self, name: &[u8]) -> Option<&ListedName> {
        self.names.get(name).or_else(|| self.own.get()?.get(name))
    }

    /// Returns all names, sorted.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&Vec<u8>, &ListedName)> {
        let mut own = self.own.get().into_iter().flatten().peekable();
        let mut names = self.names.iter().peekable();
        std::iter::from_fn(move || match (own.peek(), names.peek()) {
            (Some((ours, _)), Some((name, _))) if ours < name => own.next(),
            (Some(_), None) => own.next(),
            _ => names.next(),
        })
    }

    /// Returns the number of subdirectories.
    pub(crate) fn subdirectories(&self) -> u32 {
        self.names.values().filter(|named| named.kind() == Kind::Directory).count() as u32
    }

    /// Assigns a name to the first object that claims it. Returns true if this is the first claim.
    pub(crate) fn claim(&mut self, name: Vec<u8>, named: ListedName) -> bool {
        match self.names.entry(name) {
            MapEntry::Occupied(_) => false,
            MapEntry::Vacant(place) => {
                place.insert(named);
                true
            }
        }
    }

    /// Like [`Self::claim`], but appends `%` to the name until it is free.
    pub(crate) fn claim_or_mark(&mut self, mut name: Vec<u8>, named: ListedName) {
        while !self.claim(name.clone(), named.clone()) {
            name.push(b'%');
        }
    }

    /// Returns the complete checkpoints. A plan overrides the scan: a checkpoint that was planned and is not complete
    /// is excluded.
    pub(crate) fn here(&self) -> impl DoubleEndedIterator<Item = &Listed> {
        self.in_order.iter().filter(|listed| match self.slots.get(&listed.stem).map(|slot| slot.known()) {
            Some(Some(outcome)) => outcome.as_ref().is_ok_and(|outline| outline.is_complete),
            Some(None) => true,
            None => false,
        })
    }

    /// Returns all inode numbers that the listing introduced. A checkpoint is represented by one of its numbers.
    pub(crate) fn inos(&self) -> impl Iterator<Item = Ino> {
        let own = self.own.get().into_iter().flatten();
        let nodes = self.names.iter().chain(own).filter(|(_, named)| matches!(named, ListedName::Node(..)));
        nodes.map(|(_, named)| named.ino()).chain(self.slots.values().map(|slot| Ino::new(slot.tag(), 0)))
    }
}
