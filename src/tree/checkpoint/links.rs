//! Directories that end in symlinks: `graph/` and `names/`, which show the contents of `vars/` under other names.
//!
//! Every directory has exactly one place; every other way to it is a symlink. So the number of entries is the number
//! of edges behind them, even if the edges form many more paths. `find` terminates, and a directory has one inode.
//! Links are relative.

use crate::tree::escape::escape;

/// The number of a directory; the topmost is 0.
pub(crate) type LinkDirId = u32;

/// The directories and links of one link tree.
pub(crate) struct Links {
    directories: Vec<LinkDir>,
    links: Vec<Link>,
}

struct LinkDir {
    parent: LinkDirId,
    name: Box<str>,
    depth: usize,
    /// The length in bytes of the path from the topmost directory.
    len: usize,
    /// The entries, sorted by name once all are added.
    entries: Vec<(Box<str>, Item)>,
}

struct Link {
    within: LinkDirId,
    to: To,
}

/// An entry of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Directory(LinkDirId),
    Link(u32),
}

/// The target of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    /// Another directory of the tree.
    Directory(LinkDirId),
    /// A variable, by its ordinal.
    Variable(u32),
}

/// The maximum depth. Deeper directories are omitted: their paths, and the links back up, would exceed the maximum
/// path length.
const MAX_DEPTH: usize = 512;
/// The maximum length in bytes of a directory's path, for the same reason.
const MAX_LEN: usize = 2048;

impl Item {
    /// Returns the number of the item: even for directories, odd for links.
    pub(crate) fn number(self) -> u32 {
        match self {
            Self::Directory(dir) => 2 * dir,
            Self::Link(link) => 2 * link + 1,
        }
    }

    pub(crate) fn of(number: u32) -> Self {
        if number.is_multiple_of(2) { Self::Directory(number / 2) } else { Self::Link(number / 2) }
    }
}

impl Links {
    /// Creates a tree that consists of the topmost directory.
    pub(crate) fn new() -> Self {
        let top = LinkDir { parent: 0, name: "".into(), depth: 0, len: 0, entries: Vec::new() };
        Self { directories: vec![top], links: Vec::new() }
    }

    /// Adds a directory. Returns `None` if it would be too deep.
    pub(crate) fn add_directory(&mut self, parent: LinkDirId, name: String) -> Option<LinkDirId> {
        let above = &self.directories[parent as usize];
        let (depth, len) = (above.depth + 1, above.len + 1 + name.len());
        if depth > MAX_DEPTH || len > MAX_LEN {
            return None;
        }
        let id = self.directories.len() as LinkDirId;
        let name: Box<str> = name.into();
        self.directories.push(LinkDir { parent, name: name.clone(), depth, len, entries: Vec::new() });
        self.directories[parent as usize].entries.push((name, Item::Directory(id)));
        Some(id)
    }

    /// Adds a link.
    pub(crate) fn add_link(&mut self, within: LinkDirId, name: String, to: To) {
        let id = self.links.len() as u32;
        self.links.push(Link { within, to });
        self.directories[within as usize].entries.push((name.into(), Item::Link(id)));
    }

    /// Sorts the entries, so that they can be listed. If two entries share a name, the first one keeps it.
    pub(crate) fn finish(mut self) -> Self {
        for dir in &mut self.directories {
            dir.entries.sort_by(|a, b| a.0.cmp(&b.0));
            dir.entries.dedup_by(|b, a| a.0 == b.0);
        }
        self
    }

    /// Returns true if the item is in this tree.
    pub(crate) fn has(&self, item: Item) -> bool {
        match item {
            Item::Directory(dir) => (dir as usize) < self.directories.len(),
            Item::Link(link) => (link as usize) < self.links.len(),
        }
    }

    pub(crate) fn parent(&self, dir: LinkDirId) -> LinkDirId {
        self.directories[dir as usize].parent
    }

    /// Returns the entries of a directory, sorted by name.
    pub(crate) fn entries(&self, dir: LinkDirId) -> &[(Box<str>, Item)] {
        &self.directories[dir as usize].entries
    }

    pub(crate) fn subdirectories(&self, dir: LinkDirId) -> u32 {
        self.entries(dir).iter().filter(|(_, item)| matches!(item, Item::Directory(_))).count() as u32
    }

    pub(crate) fn lookup(&self, dir: LinkDirId, name: &str) -> Option<Item> {
        let entries = self.entries(dir);
        let at = entries.binary_search_by(|(entry, _)| (**entry).cmp(name)).ok()?;
        Some(entries[at].1)
    }

    /// Returns the target of a link.
    #[cfg(test)]
    pub(crate) fn to(&self, link: u32) -> To {
        self.links[link as usize].to
    }

    /// Returns the path of a link's target, relative to the link's directory. `variable` returns a variable's path
    /// relative to the checkpoint's directory, which is the parent of this tree's topmost directory.
    pub(crate) fn target(&self, link: u32, variable: impl Fn(u32) -> String) -> String {
        let Link { within, to } = self.links[link as usize];
        match to {
            To::Variable(ordinal) => {
                "../".repeat(self.directories[within as usize].depth + 1) + &variable(ordinal)
            }
            To::Directory(dir) => {
                let (from, to) = (self.path(within), self.path(dir));
                let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
                let up = std::iter::repeat_n("..", from.len() - shared);
                let path = up.chain(to[shared..].iter().copied()).collect::<Vec<_>>().join("/");
                if path.is_empty() { ".".into() } else { path }
            }
        }
    }

    /// Returns the names from the topmost directory down to this one.
    fn path(&self, dir: LinkDirId) -> Vec<&str> {
        let mut path = Vec::new();
        let mut at = dir;
        while at != 0 {
            path.push(&*self.directories[at as usize].name);
            at = self.parent(at);
        }
        path.reverse();
        path
    }
}

/// Returns the file name of a name component.
pub(crate) fn file_name(component: &[u8]) -> String {
    escape(component).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_up_and_down() {
        let mut links = Links::new();
        let a = links.add_directory(0, "a".into()).unwrap();
        let b = links.add_directory(a, "b".into()).unwrap();
        let c = links.add_directory(a, "c".into()).unwrap();
        links.add_link(b, "v".into(), To::Variable(7));
        links.add_link(b, "up".into(), To::Directory(a));
        links.add_link(b, "top".into(), To::Directory(0));
        links.add_link(b, "beside".into(), To::Directory(c));
        links.add_link(0, "me".into(), To::Directory(0));
        let links = links.finish();
        let target = |dir, name| match links.lookup(dir, name) {
            Some(Item::Link(link)) => links.target(link, |ordinal| format!("vars/{ordinal}")),
            other => panic!("{other:?}"),
        };
        assert_eq!(target(b, "v"), "../../../vars/7");
        assert_eq!(target(b, "up"), "..");
        assert_eq!(target(b, "top"), "../..");
        assert_eq!(target(b, "beside"), "../c");
        assert_eq!(target(0, "me"), ".");
        assert_eq!((links.subdirectories(0), links.subdirectories(b), links.parent(b)), (1, 0, a));
    }

    #[test]
    fn directories_end_before_paths_get_too_long() {
        let mut links = Links::new();
        let mut at = 0;
        let mut depth = 0;
        while let Some(below) = links.add_directory(at, "x".into()) {
            (at, depth) = (below, depth + 1);
        }
        assert_eq!(depth, MAX_DEPTH);
        assert_eq!(links.add_directory(0, "y".repeat(MAX_LEN)), None);
    }
}
