//! The names in a directory of the source, as they are between two looks at it.
//!
//! A name goes to the first that claims it: what is about the mount, checkpoints, the source's other files, and last what is
//! ours: `checkpoint` and `latest*`. A file of the source that comes too late has a `%` put at the end of its name.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as MapEntry;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use crate::tree::backend::Listed;
use crate::tree::source_dir::lazy_checkpoint::LazyCheckpoint;
use crate::tree::{Ino, Kind};

/// The names.
pub(crate) struct Listing {
    /// Tells this listing from earlier ones, so that one that began goes on as it began.
    pub(crate) generation: u32,
    pub(crate) names: BTreeMap<Vec<u8>, Named>,
    /// Its checkpoints, by stem.
    pub(crate) slots: BTreeMap<Vec<u8>, Arc<LazyCheckpoint>>,
    pub(crate) in_order: Vec<Listed>,
    pub(crate) last_preserved: f64,
    /// The state file and `latest*`, once somebody asked: to know the newest, it must have been planned.
    pub(crate) own: OnceLock<BTreeMap<Vec<u8>, Named>>,
    pub(crate) len: OnceLock<u64>,
    pub(crate) mtime: SystemTime,
    /// Permission bits of the directory.
    pub(crate) mode: u16,
}

/// What a name is.
#[derive(Clone)]
pub(crate) enum Named {
    /// A file of a checkpoint's bundle; the ordinal is a guess until the checkpoint is planned.
    Sibling(Arc<LazyCheckpoint>, u32),
    /// The directory of a checkpoint.
    Tree(Arc<LazyCheckpoint>),
    /// Anything else.
    Node(Ino, Kind),
}

impl Named {
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
    pub(crate) fn get(&self, name: &[u8]) -> Option<&Named> {
        self.names.get(name).or_else(|| self.own.get()?.get(name))
    }

    /// All names, sorted.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&Vec<u8>, &Named)> {
        let mut own = self.own.get().into_iter().flatten().peekable();
        let mut names = self.names.iter().peekable();
        std::iter::from_fn(move || match (own.peek(), names.peek()) {
            (Some((ours, _)), Some((name, _))) if ours < name => own.next(),
            (Some(_), None) => own.next(),
            _ => names.next(),
        })
    }

    /// Directories in it.
    pub(crate) fn subdirectories(&self) -> u32 {
        self.names.values().filter(|named| named.kind() == Kind::Directory).count() as u32
    }

    /// Gives a name to the first that claims it; whether this was it.
    pub(crate) fn claim(&mut self, name: Vec<u8>, named: Named) -> bool {
        match self.names.entry(name) {
            MapEntry::Occupied(_) => false,
            MapEntry::Vacant(place) => {
                place.insert(named);
                true
            }
        }
    }

    /// The same for a file of the source, which gives way.
    pub(crate) fn claim_or_mark(&mut self, mut name: Vec<u8>, named: Named) {
        while !self.claim(name.clone(), named.clone()) {
            name.push(b'%');
        }
    }

    /// The complete checkpoints, but for those that were planned and proved otherwise.
    pub(crate) fn here(&self) -> impl DoubleEndedIterator<Item = &Listed> {
        self.in_order.iter().filter(|listed| match self.slots.get(&listed.stem).map(|slot| slot.known()) {
            Some(Some(outcome)) => outcome.as_ref().is_ok_and(|outline| outline.is_complete),
            Some(None) => true,
            None => false,
        })
    }

    /// All inodes that it made known, those of checkpoints by any one of them.
    pub(crate) fn inos(&self) -> impl Iterator<Item = Ino> {
        let own = self.own.get().into_iter().flatten();
        let nodes = self.names.iter().chain(own).filter(|(_, named)| matches!(named, Named::Node(..)));
        nodes.map(|(_, named)| named.ino()).chain(self.slots.values().map(|slot| Ino::new(slot.tag(), 0)))
    }
}
