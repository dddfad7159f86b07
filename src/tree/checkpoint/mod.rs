//! The tree of one checkpoint: its directory, with `vars/` and a directory for each format, and its bundle files next
//! to it.
//!
//! Ordinals are assigned in this order: the directory; the bundle files next to it; the files directly in the
//! directory; then for each node of the names, one for each [`NodeKind`]. The meaning of an ordinal follows from
//! arithmetic, so 100,000 variables take only the memory of their names. The upper half of the ordinals is for the
//! link trees, which are built on first access.

pub(crate) mod checkpoint_files;
pub(crate) mod full_names;
pub(crate) mod graph_paths;
pub(crate) mod link_trees;
pub(crate) mod links;
pub(crate) mod names;
pub(crate) mod node_kind;
pub(crate) mod show;

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use crate::catalog::{Catalog, Variable};
use crate::extent::VirtualFile;
use crate::source_file::Stamp;
use crate::tree::checkpoint::checkpoint_files::{CheckpointFile, checkpoint_files};
use crate::tree::checkpoint::link_trees::LinkTrees;
use crate::tree::checkpoint::links::{Item, LinkDirId, Links};
use crate::tree::checkpoint::names::{Names, Node, NodeId};
use crate::tree::checkpoint::node_kind::{NODE_KINDS, NodeKind};
use crate::tree::checkpoint::show::{Show, VARS};
use crate::tree::escape::escape_first;
use crate::tree::{Attr, Content, Entry, Ino, Kind};
use crate::view;
use crate::view::{FORMATS, Format, RESERVED, VARIABLE_FILES};

/// The tree of one checkpoint of a mount.
pub(crate) struct CheckpointTree {
    tag: u32,
    catalog: Arc<Catalog>,
    names: Names,
    /// The bundle files, which are next to the directory, with their full names. A file in the source's own format
    /// follows them.
    siblings: Vec<(Vec<u8>, VirtualFile)>,
    /// The number of bundle files.
    num_bundle_files: usize,
    /// The files directly in the directory, by name.
    tops: Vec<(Vec<u8>, CheckpointFile)>,
    link_trees: LinkTrees,
    show: Show,
    /// The node of each variable's name; computed when a link first needs it.
    nodes_of: OnceLock<Vec<NodeId>>,
    mtime: SystemTime,
    /// The permission bits of files.
    mode: u16,
}

/// The place of an ordinal.
enum Target {
    Root,
    Sibling(usize),
    Top(usize),
    Node(NodeId, NodeKind),
    /// An item of a link tree.
    Linked(usize, Item),
}

/// Returns the files of a format, each with its path relative to the format's directory: the files that a mount would
/// show, without a mount.
pub(crate) fn files(catalog: Catalog, stamp: Stamp, format: &str) -> Vec<(Vec<u8>, VirtualFile)> {
    let tree = CheckpointTree::new(1, b"", catalog, stamp, &Show::default());
    let mut files = Vec::new();
    let mut dirs: Vec<_> =
        tree.lookup(0, format.as_bytes()).map(|dir| (dir, Vec::new())).into_iter().collect();
    while let Some((dir, path)) = dirs.pop() {
        let below =
            |name: &[u8]| if path.is_empty() { name.to_vec() } else { [&path, &b"/"[..], name].concat() };
        for entry in (0..tree.positions(dir)).filter_map(|at| tree.entry(dir, at)) {
            match tree.content(entry.ino.ordinal()) {
                Some(Content::Directory) => dirs.push((entry.ino.ordinal(), below(&entry.name))),
                Some(Content::File(file)) => files.push((below(&entry.name), file)),
                Some(Content::Link(_)) | None => {}
            }
        }
    }
    files
}

impl CheckpointTree {
    /// Creates the tree of a catalog for the prefix `stem`. `tag` is the upper half of its inode numbers.
    pub(crate) fn new(tag: u32, stem: &[u8], catalog: Catalog, stamp: Stamp, show: &Show) -> Self {
        let names: Vec<_> = catalog.variables.iter().map(|variable| variable.name.as_bytes()).collect();
        let names = Names::new(&names);
        let catalog = Arc::new(catalog);
        let bundle = view::bundle::files(&catalog);
        let tops = checkpoint_files(stem, bundle.iter().map(|(suffix, _)| suffix.as_str()), &catalog, show);
        let num_bundle_files = bundle.len();
        let own = view::native_file(&catalog).map(|(suffix, file)| (suffix.to_owned(), file));
        let named = |(suffix, file): (String, _)| ([stem, suffix.as_bytes()].concat(), file);
        let siblings = bundle.into_iter().chain(own).map(named).collect();
        let mtime = time(stamp.mtime);
        let mode = stamp.mode as u16 & 0o444 | 0o400;
        let (linked, nodes_of) = (LinkTrees::default(), OnceLock::new());
        Self {
            tag,
            catalog,
            names,
            siblings,
            num_bundle_files,
            tops,
            link_trees: linked,
            show: show.clone(),
            nodes_of,
            mtime,
            mode,
        }
    }

    pub(crate) fn num_variables(&self) -> usize {
        self.catalog.variables.len()
    }

    /// Returns the inode number of the checkpoint's directory.
    pub(crate) fn directory(&self) -> Ino {
        Ino::new(self.tag, 0)
    }

    /// Returns the names and inode numbers of the bundle files.
    pub(crate) fn siblings(&self) -> impl Iterator<Item = (&[u8], Ino)> {
        self.siblings
            .iter()
            .zip(1..)
            .map(|((name, _), ordinal)| (name.as_slice(), Ino::new(self.tag, ordinal)))
    }

    /// Returns true if every data file that a variable needs exists.
    pub(crate) fn is_complete(&self) -> bool {
        self.catalog.is_complete()
    }

    /// Returns true if [`Self::attr`] must first generate the file or link tree to report its attributes.
    pub(crate) fn is_dynamic(&self, ordinal: u32) -> bool {
        match link_trees::place(ordinal) {
            Some((tree, _)) => !self.link_trees.is_made(tree),
            None => matches!(self.place(ordinal), Some(Target::Top(i)) if !self.tops[i].1.is_made()),
        }
    }

    pub(crate) fn attr(&self, ordinal: u32) -> Option<Attr> {
        let place = self.place(ordinal)?;
        let content = self.content_at(&place)?;
        let (kind, len) = (content.kind(), content.len());
        let (nlink, mode) = match kind {
            Kind::Directory => (2 + self.subdirectories(&place), self.mode | self.mode >> 2),
            Kind::File => (1, self.mode),
            Kind::Link => (1, 0o777),
        };
        Some(Attr {
            ino: Ino::new(self.tag, ordinal),
            kind,
            len,
            mtime: self.mtime,
            nlink,
            mode,
            volatile: false,
        })
    }

    pub(crate) fn content(&self, ordinal: u32) -> Option<Content<'_>> {
        self.content_at(&self.place(ordinal)?)
    }

    /// Returns the variable that a directory under `vars/` or a file of a format shows.
    pub(crate) fn shown_variable(&self, ordinal: u32) -> Option<&Variable> {
        match self.place(ordinal)? {
            Target::Node(node, NodeKind::Vars | NodeKind::File(_)) => self.variable(node),
            _ => None,
        }
    }

    /// Returns the variables whose values are in a file. The files of the bundle have none: their index has the
    /// checksums that TensorFlow verifies.
    pub(crate) fn values_in(&self, ordinal: u32) -> &[Variable] {
        let one = |node| self.variable(node).map_or(&[][..], std::slice::from_ref);
        match self.place(ordinal) {
            Some(Target::Node(node, NodeKind::File(_))) => one(node),
            Some(Target::Node(node, NodeKind::VariableFile(i))) if VARIABLE_FILES[i].reads_values => {
                one(node)
            }
            Some(Target::Top(i)) if self.tops[i].1.reads_values() => &self.catalog.variables,
            Some(Target::Sibling(i)) if i >= self.num_bundle_files => &self.catalog.variables,
            _ => &[],
        }
    }

    /// Returns the parent of a directory; `None` for the checkpoint's own directory.
    pub(crate) fn parent(&self, ordinal: u32) -> Option<u32> {
        match self.place(ordinal)? {
            Target::Node(0, _) => Some(0),
            Target::Node(node, role) => Some(self.ordinal(self.names.node(node).parent, role)),
            Target::Linked(_, Item::Directory(0)) => Some(0),
            Target::Linked(tree, Item::Directory(dir)) => {
                Some(link_trees::ordinal(tree, Item::Directory(self.links(tree)?.parent(dir))))
            }
            _ => None,
        }
    }

    /// Returns the number of positions in a directory; some may be empty.
    pub(crate) fn positions(&self, ordinal: u32) -> usize {
        match self.place(ordinal) {
            Some(Target::Root) => self.tops.len() + self.form_dirs().count(),
            Some(Target::Node(node, NodeKind::Vars)) => {
                VARIABLE_FILES.len() + FORMATS.len() + self.names.node(node).children.len()
            }
            Some(Target::Node(node, NodeKind::FormDir(_))) => 2 * self.names.node(node).children.len(),
            Some(Target::Linked(tree, Item::Directory(dir))) => {
                self.links(tree).map_or(0, |links| links.entries(dir).len())
            }
            _ => 0,
        }
    }

    /// Returns the entry at a position of a directory.
    pub(crate) fn entry(&self, ordinal: u32, position: usize) -> Option<Entry<'_>> {
        match self.place(ordinal)? {
            Target::Root => self.entry_of_root(position),
            Target::Node(node, NodeKind::Vars) => self.entry_of_vars(node, position),
            Target::Node(node, NodeKind::FormDir(i)) => self.entry_of_form_dir(node, i, position),
            Target::Linked(tree, Item::Directory(dir)) => self.entry_of_links(tree, dir, position),
            _ => None,
        }
    }

    pub(crate) fn lookup(&self, ordinal: u32, name: &[u8]) -> Option<u32> {
        match self.place(ordinal)? {
            Target::Root => self.lookup_in_root(name),
            Target::Node(node, NodeKind::Vars) => self.lookup_in_vars(node, str::from_utf8(name).ok()?),
            Target::Node(node, NodeKind::FormDir(i)) => {
                self.lookup_in_form_dir(node, i, str::from_utf8(name).ok()?)
            }
            Target::Linked(tree, Item::Directory(dir)) => {
                let item = self.links(tree)?.lookup(dir, str::from_utf8(name).ok()?)?;
                Some(link_trees::ordinal(tree, item))
            }
            _ => None,
        }
    }

    fn first_checkpoint_file(&self) -> u32 {
        1 + self.siblings.len() as u32
    }

    fn first_node(&self) -> u32 {
        self.first_checkpoint_file() + self.tops.len() as u32
    }

    fn ordinal(&self, node: NodeId, role: NodeKind) -> u32 {
        self.first_node() + node * NODE_KINDS + role.number()
    }

    fn place(&self, ordinal: u32) -> Option<Target> {
        if let Some((tree, item)) = link_trees::place(ordinal) {
            let is_shown = self.shown_links().any(|(shown, _)| shown == tree);
            return (is_shown && self.links(tree)?.has(item)).then_some(Target::Linked(tree, item));
        }
        match ordinal {
            0 => Some(Target::Root),
            n if n < self.first_checkpoint_file() => Some(Target::Sibling(n as usize - 1)),
            n if n < self.first_node() => Some(Target::Top((n - self.first_checkpoint_file()) as usize)),
            n => {
                let n = n - self.first_node();
                let (node, role) = (n / NODE_KINDS, NodeKind::of(n % NODE_KINDS));
                (node < self.names.len() && role.is_shown(&self.show)).then_some(Target::Node(node, role))
            }
        }
    }

    fn content_at(&self, place: &Target) -> Option<Content<'_>> {
        match *place {
            Target::Root => Some(Content::Directory),
            Target::Sibling(i) => Some(Content::File(self.siblings[i].1.clone())),
            Target::Top(i) => Some(self.tops[i].1.content(&self.catalog)),
            Target::Node(_, NodeKind::Vars) => Some(Content::Directory),
            Target::Node(node, NodeKind::FormDir(_)) => self.has_form_dir(node).then_some(Content::Directory),
            Target::Node(node, NodeKind::VariableFile(i)) => {
                Some(Content::File((VARIABLE_FILES[i].file)(&self.catalog, self.variable(node)?)))
            }
            Target::Node(node, NodeKind::File(i)) => {
                Some(Content::File((FORMATS[i].file)(self.variable(node)?).ok()?))
            }
            Target::Node(node, NodeKind::Link(i)) => self
                .has_file(node, i)
                .then(|| Content::Link(Cow::Owned(self.link(node, &FORMATS[i]).into_bytes()))),
            Target::Linked(_, Item::Directory(_)) => Some(Content::Directory),
            Target::Linked(tree, Item::Link(link)) => {
                let target = self.links(tree)?.target(link, |ordinal| self.directory_of(ordinal));
                Some(Content::Link(Cow::Owned(target.into_bytes())))
            }
        }
    }

    fn subdirectories(&self, place: &Target) -> u32 {
        match place {
            Target::Root => self.form_dirs().count() as u32,
            Target::Node(node, NodeKind::Vars) => self.names.node(*node).children.len() as u32,
            Target::Node(node, NodeKind::FormDir(_)) => self.names.node(*node).branches,
            Target::Linked(tree, Item::Directory(dir)) => {
                self.links(*tree).map_or(0, |links| links.subdirectories(*dir))
            }
            _ => 0,
        }
    }

    fn variable(&self, node: NodeId) -> Option<&Variable> {
        self.catalog.variables.get(self.names.node(node).variable? as usize)
    }

    /// Returns true if a node has a directory in a format's directory: if it has children, or is the root, which is
    /// always there.
    fn has_form_dir(&self, node: NodeId) -> bool {
        node == 0 || !self.names.node(node).children.is_empty()
    }

    fn has_file(&self, node: NodeId, format: usize) -> bool {
        self.variable(node).is_some_and(|variable| (FORMATS[format].file)(variable).is_ok())
    }

    fn node_entry<'a>(
        &self,
        node: NodeId,
        node_kind: NodeKind,
        kind: Kind,
        name: impl Into<Cow<'a, str>>,
    ) -> Entry<'a> {
        let name = match name.into() {
            Cow::Borrowed(name) => Cow::Borrowed(name.as_bytes()),
            Cow::Owned(name) => Cow::Owned(name.into_bytes()),
        };
        Entry { ino: Ino::new(self.tag, self.ordinal(node, node_kind)), kind, name }
    }

    fn entry_of_root(&self, position: usize) -> Option<Entry<'_>> {
        if let Some((name, top)) = self.tops.get(position) {
            let ino = Ino::new(self.tag, self.first_checkpoint_file() + position as u32);
            return Some(Entry { ino, kind: top.kind(), name: name.into() });
        }
        let (name, ordinal) = self.form_dirs().nth(position - self.tops.len())?;
        let ino = Ino::new(self.tag, ordinal);
        Some(Entry { ino, kind: Kind::Directory, name: name.as_bytes().into() })
    }

    /// Returns the names and ordinals of the subdirectories of the checkpoint's directory that are shown.
    fn form_dirs(&self) -> impl Iterator<Item = (&'static str, u32)> {
        let formats = FORMATS.iter().enumerate().map(|(i, format)| (format.name, NodeKind::FormDir(i)));
        let roles = formats.chain([(VARS, NodeKind::Vars)]).filter(|(_, role)| role.is_shown(&self.show));
        let links = |(tree, name)| (name, link_trees::ordinal(tree, Item::Directory(0)));
        roles.map(|(name, role)| (name, self.ordinal(0, role))).chain(self.shown_links().map(links))
    }

    /// Returns the numbers and names of the link trees that are shown.
    fn shown_links(&self) -> impl Iterator<Item = (usize, &'static str)> {
        link_trees::of(&self.catalog).filter(|(_, name)| self.show.has(name))
    }

    fn entry_of_links(&self, tree: usize, dir: LinkDirId, position: usize) -> Option<Entry<'_>> {
        let (name, item) = self.links(tree)?.entries(dir).get(position)?;
        let kind = if matches!(item, Item::Directory(_)) { Kind::Directory } else { Kind::Link };
        Some(Entry {
            ino: Ino::new(self.tag, link_trees::ordinal(tree, *item)),
            kind,
            name: name.as_bytes().into(),
        })
    }

    fn links(&self, tree: usize) -> Option<&Links> {
        self.link_trees.tree(&self.catalog, tree)
    }

    /// Returns the path of a variable's directory, relative to the checkpoint's directory.
    fn directory_of(&self, ordinal: u32) -> String {
        let node = self.nodes_of.get_or_init(|| self.names.nodes_of(self.catalog.variables.len()));
        let path = self.names.path(node[ordinal as usize]);
        path.into_iter().fold(VARS.to_owned(), |path, node| path + "/" + &self.name_in_vars(node))
    }

    fn lookup_in_root(&self, name: &[u8]) -> Option<u32> {
        if let Some(i) = self.tops.iter().position(|(top, _)| top == name) {
            return Some(self.first_checkpoint_file() + i as u32);
        }
        let mut dirs = self.form_dirs();
        dirs.find(|(dir, _)| dir.as_bytes() == name).map(|(_, ordinal)| ordinal)
    }

    fn entry_of_vars(&self, node: NodeId, position: usize) -> Option<Entry<'_>> {
        if let Some(fact) = VARIABLE_FILES.get(position) {
            self.variable(node)?;
            return Some(self.node_entry(node, NodeKind::VariableFile(position), Kind::File, fact.name));
        }
        let position = position - VARIABLE_FILES.len();
        if let Some(format) = FORMATS.get(position) {
            let link = self.node_entry(node, NodeKind::Link(position), Kind::Link, format.link);
            let is_shown = NodeKind::Link(position).is_shown(&self.show);
            return (is_shown && self.has_file(node, position)).then_some(link);
        }
        let child = self.names.node(node).children.clone().nth(position - FORMATS.len())?;
        Some(self.node_entry(child, NodeKind::Vars, Kind::Directory, self.name_in_vars(child)))
    }

    /// Returns the name of a node's directory under `vars/`. Below a variable, the names of per-variable files are
    /// reserved, so a node with such a name is escaped.
    fn name_in_vars(&self, node: NodeId) -> Cow<'_, str> {
        let Node { component, parent, .. } = self.names.node(node);
        match self.names.node(*parent).variable.is_some() && RESERVED.contains(&&**component) {
            true => escape_first(component).into(),
            false => (&**component).into(),
        }
    }

    fn lookup_in_vars(&self, node: NodeId, name: &str) -> Option<u32> {
        if self.variable(node).is_some() {
            let fact = VARIABLE_FILES.iter().position(|fact| fact.name == name).map(NodeKind::VariableFile);
            let link = || FORMATS.iter().position(|format| format.link == name).map(NodeKind::Link);
            if RESERVED.contains(&name) {
                let role = fact.or_else(link).filter(|role| role.is_shown(&self.show))?;
                return Some(self.ordinal(node, role));
            }
            if let Some(reserved) = RESERVED.iter().find(|reserved| escape_first(reserved) == name) {
                return Some(self.ordinal(self.names.child(node, reserved)?, NodeKind::Vars));
            }
        }
        Some(self.ordinal(self.names.child(node, name)?, NodeKind::Vars))
    }

    /// Returns the entry at a position of a format's directory. Each child has two positions: one for its file and
    /// one for its directory.
    fn entry_of_form_dir(&self, node: NodeId, format: usize, position: usize) -> Option<Entry<'_>> {
        let child = self.names.node(node).children.clone().nth(position / 2)?;
        let component = &*self.names.node(child).component;
        if position.is_multiple_of(2) {
            let name = format!("{component}{}", FORMATS[format].suffix);
            return self
                .has_file(child, format)
                .then(|| self.node_entry(child, NodeKind::File(format), Kind::File, name));
        }
        let name = self.name_in_form_dir(child, format);
        self.has_form_dir(child)
            .then(|| self.node_entry(child, NodeKind::FormDir(format), Kind::Directory, name))
    }

    /// Returns the name of a node's directory in a format's directory. If a file would have the same name, the
    /// directory gets a trailing `%`. So the path of a variable's file does not depend on the names of other
    /// variables' children.
    fn name_in_form_dir(&self, node: NodeId, format: usize) -> Cow<'_, str> {
        let Node { component, parent, .. } = self.names.node(node);
        let file =
            component.strip_suffix(FORMATS[format].suffix).and_then(|stem| self.names.child(*parent, stem));
        match file.is_some_and(|file| self.has_file(file, format)) {
            true => format!("{component}%").into(),
            false => (&**component).into(),
        }
    }

    fn lookup_in_form_dir(&self, node: NodeId, format: usize, name: &str) -> Option<u32> {
        let file = name.strip_suffix(FORMATS[format].suffix).and_then(|stem| self.names.child(node, stem));
        if let Some(file) = file.filter(|&file| self.has_file(file, format)) {
            return Some(self.ordinal(file, NodeKind::File(format)));
        }
        let named = |component: &str| {
            let child = self.names.child(node, component)?;
            (self.has_form_dir(child) && self.name_in_form_dir(child, format) == name).then_some(child)
        };
        let child = named(name).or_else(|| named(name.strip_suffix('%')?))?;
        Some(self.ordinal(child, NodeKind::FormDir(format)))
    }

    /// Returns the path from a variable's directory under `vars/` to its file: up to the checkpoint's directory and
    /// down again.
    fn link(&self, node: NodeId, format: &Format) -> String {
        let index = FORMATS.iter().position(|f| f.name == format.name).expect("a format is in the table");
        let path = self.names.path(node);
        let mut target = "../".repeat(path.len() + 1) + format.name;
        for &dir in &path[..path.len() - 1] {
            target = target + "/" + &self.name_in_form_dir(dir, index);
        }
        target + "/" + &self.names.node(node).component + format.suffix
    }
}

/// Converts a file's time to a [`SystemTime`].
pub(crate) fn time((seconds, nanoseconds): (i64, i64)) -> SystemTime {
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let second = match seconds < 0 {
        true => SystemTime::UNIX_EPOCH.checked_sub(whole),
        false => SystemTime::UNIX_EPOCH.checked_add(whole),
    };
    second.unwrap_or(SystemTime::UNIX_EPOCH) + Duration::from_nanos(nanoseconds.unsigned_abs())
}
