//! Directories that end in links: `graph/` and `names/`, which show again, by other names, what stands in `vars/`.
//!
//! Every directory has one place. Whatever else leads to it is a link there, so that the number of entries is that of
//! the edges behind them however many paths those make, `find` ends, and a directory has one inode. Links are relative.

use crate::tree::escape::escape;

/// Number of a directory; the topmost is 0.
pub(crate) type LinkDirId = u32;

/// The directories and links of one such tree.
pub(crate) struct Links {
    directories: Vec<LinkDir>,
    links: Vec<Link>,
}

struct LinkDir {
    parent: LinkDirId,
    name: Box<str>,
    depth: usize,
    /// Bytes of the path from the topmost directory.
    len: usize,
    /// Sorted by name once all are there.
    entries: Vec<(Box<str>, Item)>,
}

struct Link {
    within: LinkDirId,
    to: To,
}

/// What a name in a directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Directory(LinkDirId),
    Link(u32),
}

/// Where a link leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    /// Another directory of the tree.
    Folder(LinkDirId),
    /// A variable, by its ordinal.
    Variable(u32),
}

/// Deeper directories are left out: their paths, and the links that lead back up, would be longer than a path can be.
const MAX_DEPTH: usize = 512;
const MAX_LEN: usize = 2048;

impl Item {
    /// Folders are even, links odd.
    pub(crate) fn number(self) -> u32 {
        match self {
            Self::Directory(folder) => 2 * folder,
            Self::Link(link) => 2 * link + 1,
        }
    }

    pub(crate) fn of(number: u32) -> Self {
        if number.is_multiple_of(2) { Self::Directory(number / 2) } else { Self::Link(number / 2) }
    }
}

impl Links {
    /// The topmost directory alone.
    pub(crate) fn new() -> Self {
        let top = LinkDir { parent: 0, name: "".into(), depth: 0, len: 0, entries: Vec::new() };
        Self { directories: vec![top], links: Vec::new() }
    }

    /// One more directory; none where it would be too deep.
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

    /// One more link.
    pub(crate) fn add_link(&mut self, within: LinkDirId, name: String, to: To) {
        let id = self.links.len() as u32;
        self.links.push(Link { within, to });
        self.directories[within as usize].entries.push((name.into(), Item::Link(id)));
    }

    /// All that was added, to be listed. A name that two have is the first one's.
    pub(crate) fn finish(mut self) -> Self {
        for folder in &mut self.directories {
            folder.entries.sort_by(|a, b| a.0.cmp(&b.0));
            folder.entries.dedup_by(|b, a| a.0 == b.0);
        }
        self
    }

    /// Whether the item is one of this tree.
    pub(crate) fn has(&self, item: Item) -> bool {
        match item {
            Item::Directory(folder) => (folder as usize) < self.directories.len(),
            Item::Link(link) => (link as usize) < self.links.len(),
        }
    }

    pub(crate) fn parent(&self, folder: LinkDirId) -> LinkDirId {
        self.directories[folder as usize].parent
    }

    /// The entries of a directory, sorted by name.
    pub(crate) fn entries(&self, folder: LinkDirId) -> &[(Box<str>, Item)] {
        &self.directories[folder as usize].entries
    }

    pub(crate) fn subfolders(&self, folder: LinkDirId) -> u32 {
        self.entries(folder).iter().filter(|(_, item)| matches!(item, Item::Directory(_))).count() as u32
    }

    pub(crate) fn lookup(&self, folder: LinkDirId, name: &str) -> Option<Item> {
        let entries = self.entries(folder);
        let at = entries.binary_search_by(|(entry, _)| (**entry).cmp(name)).ok()?;
        Some(entries[at].1)
    }

    /// What a link leads to.
    #[cfg(test)]
    pub(crate) fn to(&self, link: u32) -> To {
        self.links[link as usize].to
    }

    /// Where a link leads, from the directory that it is in. `variable` gives a variable's path from the checkpoint's
    /// directory, in which the topmost directory of this tree is.
    pub(crate) fn target(&self, link: u32, variable: impl Fn(u32) -> String) -> String {
        let Link { within, to } = self.links[link as usize];
        match to {
            To::Variable(ordinal) => {
                "../".repeat(self.directories[within as usize].depth + 1) + &variable(ordinal)
            }
            To::Folder(folder) => {
                let (from, to) = (self.path(within), self.path(folder));
                let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
                let up = std::iter::repeat_n("..", from.len() - shared);
                let path = up.chain(to[shared..].iter().copied()).collect::<Vec<_>>().join("/");
                if path.is_empty() { ".".into() } else { path }
            }
        }
    }

    /// The names from the topmost directory down to this one.
    fn path(&self, folder: LinkDirId) -> Vec<&str> {
        let mut path = Vec::new();
        let mut at = folder;
        while at != 0 {
            path.push(&*self.directories[at as usize].name);
            at = self.parent(at);
        }
        path.reverse();
        path
    }
}

/// The file name of a name's component.
pub(crate) fn file_name(component: &[u8]) -> String {
    escape(component).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_up_and_down_again() {
        let mut links = Links::new();
        let a = links.add_directory(0, "a".into()).unwrap();
        let b = links.add_directory(a, "b".into()).unwrap();
        let c = links.add_directory(a, "c".into()).unwrap();
        links.add_link(b, "v".into(), To::Variable(7));
        links.add_link(b, "up".into(), To::Folder(a));
        links.add_link(b, "top".into(), To::Folder(0));
        links.add_link(b, "beside".into(), To::Folder(c));
        links.add_link(0, "me".into(), To::Folder(0));
        let links = links.finish();
        let target = |folder, name| match links.lookup(folder, name) {
            Some(Item::Link(link)) => links.target(link, |ordinal| format!("vars/{ordinal}")),
            other => panic!("{other:?}"),
        };
        assert_eq!(target(b, "v"), "../../../vars/7");
        assert_eq!(target(b, "up"), "..");
        assert_eq!(target(b, "top"), "../..");
        assert_eq!(target(b, "beside"), "../c");
        assert_eq!(target(0, "me"), ".");
        assert_eq!((links.subfolders(0), links.subfolders(b), links.parent(b)), (1, 0, a));
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
