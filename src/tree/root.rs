//! The root of a mount: the files and folders of its checkpoints, the state file, and `latest*`.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::checkpoint::CheckpointTree;
use super::{Attr, Content, Entry, Ino, Kind, state_file};
use crate::catalog::Catalog;
use crate::shard::Stamp;
use crate::view;

/// All names and inodes of a mount.
pub struct Tree {
    checkpoint: CheckpointTree,
    /// The root's names, sorted.
    names: BTreeMap<Vec<u8>, Ino>,
    /// The names in [`SERVICE`], sorted.
    service: BTreeMap<Vec<u8>, Ino>,
    /// What has tag 0, by ordinal.
    own: Vec<Own>,
}

/// A file whose content is another each time it is read.
pub type Live = Box<dyn Fn() -> Vec<u8> + Send + Sync>;

enum Own {
    Fixed(Content<'static>),
    Live(Live),
}

/// The folder for what is about the mount itself.
const SERVICE: &[u8] = b".ckptfs";
/// The first ordinal of what is the root's own: the root itself is 1.
const FIRST_OWN: u32 = 2;
/// The service folder is the first of them.
const SERVICE_INO: Ino = Ino(FIRST_OWN as u64);

impl Tree {
    /// The tree of one checkpoint. `stem` is the last component of its prefix, `stamp` that of its index.
    pub fn new(stem: &[u8], catalog: Catalog, stamp: Stamp) -> Self {
        let checkpoint = CheckpointTree::new(tag(stem, &stamp), stem, catalog, stamp);
        let own = vec![Own::Fixed(Content::Directory)];
        let mut tree = Self { names: BTreeMap::new(), service: BTreeMap::new(), own, checkpoint };
        tree.names.insert(SERVICE.to_vec(), SERVICE_INO);
        tree.names.extend(tree.checkpoint.siblings().map(|(name, ino)| (name.to_vec(), ino)));
        tree.names.insert(stem.to_vec(), tree.checkpoint.directory());
        if tree.checkpoint.is_complete() {
            tree.add_latest();
        }
        tree
    }

    /// Adds a file to the folder for what is about the mount itself.
    pub fn add_service(&mut self, name: &str, content: Live) {
        let ino = self.add(Own::Live(content));
        self.service.insert(name.into(), ino);
    }

    /// The names that stand for the newest complete checkpoint. A source of the same name keeps it.
    fn add_latest(&mut self) {
        let stem = self.checkpoint.stem().to_vec();
        let siblings = self.checkpoint.siblings().map(|(name, _)| name.to_vec());
        let link =
            |target: Vec<u8>| ([b"latest", &target[stem.len()..]].concat(), Content::Link(target.into()));
        let mut latest: Vec<_> = siblings.chain([stem.clone()]).map(link).collect();
        latest.push((b"checkpoint".to_vec(), Content::File(state_file(&stem))));
        for (name, content) in latest {
            if !self.names.contains_key(&name) {
                let ino = self.add(Own::Fixed(content));
                self.names.insert(name, ino);
            }
        }
    }

    fn add(&mut self, own: Own) -> Ino {
        self.own.push(own);
        Ino::new(0, FIRST_OWN + self.own.len() as u32 - 1)
    }

    /// The names of a directory that is the root's own.
    fn names_of(&self, directory: Ino) -> Option<&BTreeMap<Vec<u8>, Ino>> {
        match directory {
            Ino::ROOT => Some(&self.names),
            SERVICE_INO => Some(&self.service),
            _ => None,
        }
    }

    /// The inode of a name in a directory.
    pub fn lookup(&self, directory: Ino, name: &[u8]) -> Option<Attr> {
        let ino = match self.names_of(directory) {
            Some(names) => *names.get(name)?,
            None => Ino::new(directory.tag(), self.of(directory)?.lookup(directory.ordinal(), name)?),
        };
        self.attr(ino)
    }

    /// What `stat` tells.
    pub fn attr(&self, ino: Ino) -> Option<Attr> {
        if ino.tag() != 0 {
            return self.of(ino)?.attr(ino.ordinal());
        }
        let directory = self.checkpoint.attr(0)?;
        let content = self.content(ino)?;
        let (nlink, mode) = match content.kind() {
            Kind::Directory if ino == Ino::ROOT => (4, directory.mode),
            Kind::Directory => (2, directory.mode),
            Kind::File => (1, directory.mode & 0o444),
            Kind::Link => (1, 0o777),
        };
        let (kind, len) = (content.kind(), content.len());
        Some(Attr { ino, kind, len, nlink, mode, mtime: directory.mtime, volatile: true })
    }

    /// What can be read.
    pub fn content(&self, ino: Ino) -> Option<Content<'_>> {
        match ino.tag() {
            0 if ino == Ino::ROOT => Some(Content::Directory),
            0 => Some(self.own.get(ino.ordinal().checked_sub(FIRST_OWN)? as usize)?.content()),
            _ => self.of(ino)?.content(ino.ordinal()),
        }
    }

    /// An extended attribute of what shows a variable.
    pub fn attribute(&self, ino: Ino, name: &[u8]) -> Option<Vec<u8>> {
        view::attribute(self.of(ino)?.shown_variable(ino.ordinal())?, name)
    }

    /// The names of an inode's extended attributes, each ended by a NUL.
    pub fn attributes(&self, ino: Ino) -> Vec<u8> {
        let variable = self.of(ino).and_then(|tree| tree.shown_variable(ino.ordinal()));
        variable.map(view::attributes).unwrap_or_default()
    }

    /// The directory that holds a directory.
    pub fn parent(&self, directory: Ino) -> Ino {
        let parent = self.of(directory).and_then(|tree| tree.parent(directory.ordinal()));
        parent.map_or(Ino::ROOT, |ordinal| Ino::new(directory.tag(), ordinal))
    }

    /// The entries of a directory from a position on, each with the position after it. Sorted by name, but for a
    /// checkpoint's folders, whose own entries come before those of variables.
    pub fn entries(&self, directory: Ino, from: usize) -> Box<dyn Iterator<Item = (usize, Entry<'_>)> + '_> {
        if let Some(names) = self.names_of(directory) {
            let entry = |(name, &ino): (&'_ Vec<u8>, _)| {
                Some(Entry { ino, kind: self.attr(ino)?.kind, name: name.clone().into() })
            };
            return Box::new((1..).zip(names.iter().filter_map(entry)).skip(from));
        }
        let Some(tree) = self.of(directory) else { return Box::new(std::iter::empty()) };
        let positions = from..tree.positions(directory.ordinal());
        Box::new(positions.filter_map(move |at| Some((at + 1, tree.entry(directory.ordinal(), at)?))))
    }

    /// Bytes of all data, for `statfs`.
    pub fn len(&self) -> u64 {
        self.checkpoint.len()
    }

    /// Whether there are no data.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn of(&self, ino: Ino) -> Option<&CheckpointTree> {
        Some(&self.checkpoint).filter(|tree| tree.tag() == ino.tag())
    }
}

impl Own {
    fn content(&self) -> Content<'_> {
        match self {
            Self::Fixed(content) => content.clone(),
            Self::Live(bytes) => Content::File(bytes().into()),
        }
    }
}

/// A number for this state of a checkpoint, the same over remounts; never 0, which is the root's.
fn tag(stem: &[u8], stamp: &Stamp) -> u32 {
    let mut hasher = DefaultHasher::new();
    (stem, stamp.dev, stamp.ino, stamp.mtime).hash(&mut hasher);
    (hasher.finish() as u32).max(1)
}
