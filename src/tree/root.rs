//! The tree of a mount: the map from inode numbers to files and directories, and the control directory.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::catalog::Catalog;
use crate::source_file::Stamp;
use crate::tree::backend::Backend;
use crate::tree::checkpoint::CheckpointTree;
use crate::tree::checkpoint::show::Show;
use crate::tree::checkpoints::Checkpoints;
use crate::tree::source_dir::SourceDir;
use crate::tree::source_dir::inodes::{Inodes, Node};
use crate::tree::source_dir::listing::ListedName;
use crate::tree::{Attr, Content, Entry, Ino, Kind, absent};
use crate::view;

/// All names and inodes of a mount.
pub struct Tree {
    root: Arc<SourceDir>,
    inodes: Inodes,
    /// The entries of [`CONTROL_DIR`], sorted by name.
    control_dir: BTreeMap<Vec<u8>, Ino>,
    /// The contents of the control directory's files, by ordinal.
    dynamic_files: Vec<DynamicFile>,
    /// The dynamic inodes whose attributes have been requested. Their attributes are never reported as unknown again,
    /// even after their tree is evicted: a program may have such a file open, and would take an unknown length (0)
    /// for the end of the file.
    materialized: Mutex<HashSet<Ino>>,
}

/// A function that generates the content of a file for each read.
pub type DynamicFile = Box<dyn Fn() -> Vec<u8> + Send + Sync>;

/// A checkpoint that is planned before the tree exists.
pub struct Planned {
    /// The last component of the checkpoint's prefix.
    pub stem: Vec<u8>,
    /// The variables under the names that the mount shows.
    pub catalog: Catalog,
    /// The state of the index file when the checkpoint was planned.
    pub stamp: Stamp,
}

/// The directory with information about the mount itself.
const CONTROL_DIR: &[u8] = b".ckptfs";
/// The inode number of the control directory.
const CONTROL_DIR_INO: Ino = Ino(2);
/// The ordinal of the first file in the control directory.
const FIRST_DYNAMIC: u32 = 3;

impl Tree {
    /// Creates the tree of a source directory. `planned` holds the checkpoints that are already planned.
    ///
    /// # Errors
    /// Errors of listing the directory.
    pub fn new(directory: Box<dyn Backend>, planned: impl IntoIterator<Item = Planned>) -> io::Result<Self> {
        Self::showing(Show::default(), directory, planned)
    }

    /// Like [`Self::new`], but shows only the part of each checkpoint that `show` selects.
    ///
    /// # Errors
    /// Same as [`Self::new`].
    pub fn showing(
        show: Show,
        directory: Box<dyn Backend>,
        planned: impl IntoIterator<Item = Planned>,
    ) -> io::Result<Self> {
        let service = (CONTROL_DIR, ListedName::Node(CONTROL_DIR_INO, Kind::Directory));
        let root = SourceDir::root(directory, vec![service]);
        let (inodes, service, live, asked) =
            (Inodes::new(show), BTreeMap::new(), Vec::new(), Mutex::default());
        let tree = Self { root, inodes, control_dir: service, dynamic_files: live, materialized: asked };
        let listing = tree.root.listing(&tree.inodes)?;
        for Planned { stem, catalog, stamp } in planned {
            if let Some(slot) = listing.slots.get(&stem).filter(|slot| slot.is_in_state(&stamp)) {
                slot.build(catalog, stamp, tree.inodes.trees());
            }
        }
        Ok(tree)
    }

    /// Returns the checkpoints of the root directory.
    pub fn checkpoints(&self) -> Checkpoints {
        Checkpoints::new(self.root.clone())
    }

    /// Adds a file to the control directory.
    pub(crate) fn add_control_dir(&mut self, name: &str, content: DynamicFile) {
        self.control_dir.insert(name.into(), Ino::new(0, FIRST_DYNAMIC + self.dynamic_files.len() as u32));
        self.dynamic_files.push(content);
    }

    /// Returns the attributes of a name in a directory.
    ///
    /// # Errors
    /// `ENOENT` if the name does not exist, `ESTALE` if the directory no longer exists, and errors of the source.
    pub fn lookup(&self, directory: Ino, name: &[u8]) -> io::Result<Attr> {
        if let Some(dir) = self.source_dir(directory) {
            return self.attr(dir.lookup(name, &self.inodes)?);
        }
        if directory == CONTROL_DIR_INO {
            return self.attr(*self.control_dir.get(name).ok_or_else(absent)?);
        }
        let tree = self.of(directory)?;
        let ordinal = tree.lookup(directory.ordinal(), name).ok_or_else(absent)?;
        self.made_attr(&tree, Ino::new(directory.tag(), ordinal)).ok_or_else(absent)
    }

    /// Returns the attributes that `stat` reports.
    ///
    /// # Errors
    /// `ESTALE` if the inode no longer exists, and errors of the source.
    pub fn attr(&self, ino: Ino) -> io::Result<Attr> {
        match self.node(ino) {
            Some(Node::Directory(dir)) => dir.attr(&self.inodes),
            Some(Node::File(dir, name)) => dir.file_attr(ino, &name, &self.inodes),
            Some(Node::Synthetic(attr, _)) => Ok(attr),
            None if ino.tag() == 0 => self.control_dir_attr(ino),
            None => match self.summary(ino) {
                Some(attr) => Ok(attr),
                None => self.made_attr(&*self.of(ino)?, ino).ok_or_else(stale),
            },
        }
    }

    /// Returns the attributes of an inode in a checkpoint tree. Generates the file or link tree if necessary.
    fn made_attr(&self, tree: &CheckpointTree, ino: Ino) -> Option<Attr> {
        if tree.is_dynamic(ino.ordinal()) {
            self.materialized().insert(ino);
        }
        tree.attr(ino.ordinal())
    }

    fn materialized(&self) -> MutexGuard<'_, HashSet<Ino>> {
        self.materialized.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the attributes if they are cheap to get. Plans no checkpoint, scans no directory, and generates no
    /// file or link tree for the first time.
    pub(crate) fn known_attr(&self, ino: Ino) -> Option<Attr> {
        match self.node(ino) {
            Some(Node::Directory(dir)) if !dir.is_known() => None,
            Some(_) => self.attr(ino).ok(),
            None if ino.is_volatile() => self.attr(ino).ok(),
            None => {
                let _ = self.inodes.checkpoint(ino.tag())?.known()?;
                match self.summary(ino) {
                    Some(attr) => Some(attr),
                    None => self.of(ino).ok().and_then(|tree| self.known_in(&tree, ino)),
                }
            }
        }
    }

    fn known_in(&self, tree: &CheckpointTree, ino: Ino) -> Option<Attr> {
        let is_unmade = tree.is_dynamic(ino.ordinal()) && !self.materialized().contains(&ino);
        if is_unmade { None } else { tree.attr(ino.ordinal()) }
    }

    /// Returns the content of an inode.
    ///
    /// # Errors
    /// `ESTALE` if the inode no longer exists, and errors of the source.
    pub fn content(&self, ino: Ino) -> io::Result<Content<'static>> {
        match self.node(ino) {
            Some(Node::Directory(_)) => Ok(Content::Directory),
            Some(Node::File(dir, name)) => dir.file(&name, &self.inodes),
            Some(Node::Synthetic(_, content)) => Ok(content),
            None if ino == CONTROL_DIR_INO => Ok(Content::Directory),
            None if ino.tag() == 0 => Ok(Content::File(self.dynamic_file(ino)?().into())),
            None => Ok(self.of(ino)?.content(ino.ordinal()).ok_or_else(stale)?.into_owned()),
        }
    }

    /// Returns true if the values in a file match their checksums: those of one variable, or of all variables in a file
    /// such as `model.safetensors`. Reads all these values, and logs the names of the variables that differ.
    ///
    /// # Errors
    /// Errors of reading.
    pub(crate) fn is_intact(&self, ino: Ino) -> io::Result<bool> {
        let tree = self.of(ino).ok();
        let mut all = true;
        for variable in tree.iter().flat_map(|tree| tree.values_in(ino.ordinal())) {
            let is_intact = variable.tensor.is_intact()?;
            if !is_intact {
                log::error!("{}: damaged: its bytes do not match the saved checksum", variable.name);
            }
            all &= is_intact;
        }
        Ok(all)
    }

    /// Returns an extended attribute of a file or directory that shows a variable.
    pub(crate) fn xattr(&self, ino: Ino, name: &[u8]) -> Option<Vec<u8>> {
        let tree = self.of_variables(ino)?;
        view::xattr(tree.shown_variable(ino.ordinal())?, name)
    }

    /// Returns the names of an inode's extended attributes, each terminated by a NUL.
    pub(crate) fn xattrs(&self, ino: Ino) -> Vec<u8> {
        let tree = self.of_variables(ino);
        let variable = tree.as_ref().and_then(|tree| tree.shown_variable(ino.ordinal()));
        variable.map(view::xattrs).unwrap_or_default()
    }

    /// Returns the tree of an inode that may show a variable. Returns `None` for an inode that [`Self::summary`]
    /// knows: `ls -l` asks for the extended attributes of everything it lists, and this must not build a tree.
    fn of_variables(&self, ino: Ino) -> Option<Arc<CheckpointTree>> {
        if self.summary(ino).is_some() { None } else { self.of(ino).ok() }
    }

    /// Returns the parent of a directory.
    pub(crate) fn parent(&self, directory: Ino) -> Ino {
        if let Some(dir) = self.source_dir(directory) {
            return dir.parent();
        }
        let Some(slot) = self.inodes.checkpoint(directory.tag()) else { return Ino::ROOT };
        let parent = slot.tree(self.inodes.trees()).and_then(|tree| tree.parent(directory.ordinal()));
        parent.map_or(slot.parent(), |ordinal| Ino::new(directory.tag(), ordinal))
    }

    /// Calls `each` for the entries of a directory, starting at position `from`, until `each` returns true. The first
    /// argument of `each` is the position after the entry. Entries are sorted by name. Exception: in the directories
    /// of a checkpoint, the checkpoint's own entries come before those of variables.
    ///
    /// # Errors
    /// `ESTALE` if the directory no longer exists, and errors of the source.
    pub fn entries(
        &self,
        directory: Ino,
        from: u64,
        each: &mut dyn FnMut(u64, &Entry<'_>) -> bool,
    ) -> io::Result<()> {
        if let Some(dir) = self.source_dir(directory) {
            return dir.entries(from, &self.inodes, each);
        }
        if directory == CONTROL_DIR_INO {
            let entry =
                |(name, &ino): (&_, _)| Entry { ino, kind: Kind::File, name: Vec::clone(name).into() };
            let _ = (1..)
                .zip(self.control_dir.iter().map(entry))
                .skip(from as usize)
                .any(|(next, entry)| each(next, &entry));
            return Ok(());
        }
        let tree = self.of(directory)?;
        let mut positions = from as usize..tree.positions(directory.ordinal());
        let _ = positions
            .any(|at| tree.entry(directory.ordinal(), at).is_some_and(|entry| each(at as u64 + 1, &entry)));
        Ok(())
    }

    /// Returns the total size of all data in bytes, for `statfs`.
    pub fn total_size(&self) -> u64 {
        self.root.len(&self.inodes).unwrap_or(0)
    }

    fn node(&self, ino: Ino) -> Option<Node> {
        match ino {
            Ino::ROOT => Some(Node::Directory(self.root.clone())),
            _ if ino.is_node() => self.inodes.node(ino),
            _ => None,
        }
    }

    fn source_dir(&self, ino: Ino) -> Option<Arc<SourceDir>> {
        match self.node(ino)? {
            Node::Directory(dir) => Some(dir),
            _ => None,
        }
    }

    /// Returns the tree of the checkpoint that contains an inode.
    fn of(&self, ino: Ino) -> io::Result<Arc<CheckpointTree>> {
        let slot = self.inodes.checkpoint(ino.tag()).filter(|_| !ino.is_volatile());
        slot.and_then(|slot| slot.tree(self.inodes.trees())).ok_or_else(stale)
    }

    /// Returns the attributes of a checkpoint's directory or of one of its bundle files, without its tree.
    fn summary(&self, ino: Ino) -> Option<Attr> {
        let slot = self.inodes.checkpoint(ino.tag()).filter(|_| !ino.is_volatile())?;
        let outline = slot.summary(self.inodes.trees()).ok()?;
        if ino.ordinal() as usize > outline.siblings.len() {
            return None;
        }
        let mut attrs = outline.siblings.iter().map(|(_, attr)| attr).chain([&outline.root]);
        attrs.find(|attr| attr.ino == ino).copied()
    }

    fn dynamic_file(&self, ino: Ino) -> io::Result<&DynamicFile> {
        let at = ino.ordinal().checked_sub(FIRST_DYNAMIC).ok_or_else(stale)?;
        self.dynamic_files.get(at as usize).ok_or_else(stale)
    }

    fn control_dir_attr(&self, ino: Ino) -> io::Result<Attr> {
        let root = self.root.attr(&self.inodes)?;
        if ino == CONTROL_DIR_INO {
            return Ok(Attr { ino, nlink: 2, ..root });
        }
        let len = self.dynamic_file(ino)?().len() as u64;
        Ok(Attr { ino, kind: Kind::File, len, nlink: 1, mode: root.mode & 0o444, ..root })
    }
}

fn stale() -> io::Error {
    io::Error::from_raw_os_error(libc::ESTALE)
}
