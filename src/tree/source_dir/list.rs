//! The conversion of a directory scan to a listing: the assignment of names, and the generated files.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::format::checkpoint_state;
use crate::source_file::Stamp;
use crate::tree::backend::{Backend, FoundCheckpoint, Listed, Other, Scan};
use crate::tree::checkpoint::time;
use crate::tree::source_dir::inodes::{Inodes, Node};
use crate::tree::source_dir::lazy_checkpoint::LazyCheckpoint;
use crate::tree::source_dir::listing::{ListedName, Listing};
use crate::tree::source_dir::{LATEST, STATE, SourceDir, directory_mode, inodes};
use crate::tree::{Attr, Content, Kind, backend};

impl SourceDir {
    /// Builds the listing of a scan.
    pub(crate) fn list(
        self: &Arc<Self>,
        scan: &Scan,
        changes: u32,
        generation: u32,
        inodes: &Inodes,
    ) -> io::Result<Listing> {
        let directory = self.directory()?;
        let mut listing = Listing {
            generation,
            names: BTreeMap::new(),
            slots: scan.checkpoints.iter().map(|found| self.slot(found, &directory, inodes)).collect(),
            in_order: scan.in_order.clone(),
            last_preserved: scan.last_preserved,
            own: OnceLock::new(),
            len: OnceLock::new(),
            mtime: time(scan.mtime) + Duration::from_nanos(changes.into()),
            mode: directory_mode(scan.mode),
        };
        for (name, named) in &self.reserved {
            listing.claim(name.to_vec(), named.clone());
        }
        for slot in listing.slots.clone().values() {
            self.list_bundle(&mut listing, slot, inodes);
        }
        for slot in listing.slots.clone().into_values() {
            let is_shown = slot.found().has_tree && !matches!(slot.known(), Some(Err(_)));
            if is_shown {
                listing.claim_or_mark(slot.found().stem.clone(), ListedName::Tree(slot));
            }
        }
        for other in &scan.others {
            let named = self.other(other, &listing, inodes);
            listing.claim_or_mark(other.name.clone(), named);
        }
        Ok(listing)
    }

    /// Returns the checkpoint in its current state. If any of its files changes, it becomes a new checkpoint and must
    /// be planned again: files are copied in any order, and a scan may see a partial copy.
    fn slot(
        self: &Arc<Self>,
        found: &FoundCheckpoint,
        directory: &Arc<dyn Backend>,
        inodes: &Inodes,
    ) -> (Vec<u8>, Arc<LazyCheckpoint>) {
        let FoundCheckpoint { stem, index, data, .. } = found;
        let content = |stamp: &Stamp| (stamp.dev, stamp.ino, stamp.len, stamp.mtime);
        let data: Vec<_> = data.iter().map(|(name, stamp)| (name, stamp.as_ref().map(content))).collect();
        let identity = inodes::hash((&self.path, stem, content(index), data));
        let (stale, show) = (self.stale.clone(), inodes.show().clone());
        let new = |tag| LazyCheckpoint::new(tag, found.clone(), directory.clone(), self.ino, stale, show);
        (stem.clone(), inodes.checkpoint_of(identity, new))
    }

    /// Claims the names of a checkpoint's files, or of the file with the error if the checkpoint cannot be shown.
    fn list_bundle(&self, listing: &mut Listing, slot: &Arc<LazyCheckpoint>, inodes: &Inodes) {
        let stem = &slot.found().stem;
        match slot.known() {
            Some(Ok(outline)) => {
                for (name, attr) in &outline.siblings {
                    listing.claim(name.clone(), ListedName::Sibling(slot.clone(), attr.ino.ordinal()));
                }
            }
            Some(Err(what)) => {
                let name = [&stem[..], b".error"].concat();
                let named = self.made(listing, &name, Kind::File, format!("{what}\n").into_bytes(), inodes);
                listing.claim(name, named);
            }
            None => {
                let index = [&stem[..], b".index"].concat();
                let data = slot.found().data.iter().map(|(name, _)| name);
                for (name, ordinal) in [&index].into_iter().chain(data).zip(1..) {
                    listing.claim(name.clone(), ListedName::Sibling(slot.clone(), ordinal));
                }
            }
        }
    }

    fn other(self: &Arc<Self>, other: &Other, listing: &Listing, inodes: &Inodes) -> ListedName {
        if other.kind == Kind::Link {
            return self.made(listing, &other.name, Kind::Link, other.target.clone(), inodes);
        }
        let ino = inodes::node((&self.path, &other.name, other.ino, other.kind == Kind::Directory));
        match (inodes.node(ino), other.kind) {
            (Some(_), _) => {}
            (None, Kind::Directory) => inodes.add(ino, Node::Directory(self.below(ino, &other.name))),
            (None, _) => inodes.add(ino, Node::File(self.clone(), other.name.as_slice().into())),
        }
        ListedName::Node(ino, other.kind)
    }

    /// Creates a symlink or a generated file, whose inode number depends on its content.
    fn made(
        &self,
        listing: &Listing,
        name: &[u8],
        kind: Kind,
        bytes: Vec<u8>,
        inodes: &Inodes,
    ) -> ListedName {
        let (ino, len) = (inodes::node((&self.path, name, &bytes)), bytes.len() as u64);
        let (mode, content) = match kind {
            Kind::Link => (0o777, Content::Link(bytes.into())),
            _ => (listing.mode & 0o444, Content::File(bytes.into())),
        };
        let attr = Attr { ino, kind, len, mtime: listing.mtime, nlink: 1, mode, volatile: false };
        inodes.add(ino, Node::Synthetic(attr, content));
        ListedName::Node(ino, kind)
    }

    /// Returns the state file and the `latest*` names, which refer to the newest checkpoint.
    pub(crate) fn own(
        &self,
        listing: &Listing,
        newest: &Listed,
        inodes: &Inodes,
    ) -> BTreeMap<Vec<u8>, ListedName> {
        let mut here: Vec<_> = listing.here().collect();
        here.retain(|listed| listed.stem != newest.stem);
        here.push(newest);
        let text = checkpoint_state::encode(&backend::state(&here, listing.last_preserved));
        let slot = &listing.slots[&newest.stem];
        let outline = slot.known().and_then(|outcome| outcome.as_ref().ok());
        let siblings =
            outline.into_iter().flat_map(|outline| &outline.siblings).map(|(name, _)| name.clone());
        let tree = slot.found().has_tree.then(|| newest.stem.clone());
        let link = |target: Vec<u8>| ([LATEST, &target[newest.stem.len()..]].concat(), Kind::Link, target);
        let own = siblings.chain(tree).map(link).chain([(STATE.to_vec(), Kind::File, text)]);
        let free = own.filter(|(name, ..)| !listing.names.contains_key(name));
        let made = |(name, kind, bytes): (Vec<u8>, _, _)| {
            let named = self.made(listing, &name, kind, bytes, inodes);
            (name, named)
        };
        free.map(made).collect()
    }

    /// Returns the generated content of a state file with another name. Like `checkpoint`, it lists only checkpoints
    /// that exist: those that the original names, or all if none of these exists. Returns `None` if the file is not a
    /// state file.
    pub(crate) fn state_file(self: &Arc<Self>, name: &[u8], inodes: &Inodes) -> io::Result<Option<Vec<u8>>> {
        let Some(named) = self.directory()?.names_in_state_file(name) else { return Ok(None) };
        let listing = self.listing(inodes)?;
        let mut here: Vec<_> = listing.here().collect();
        if here.iter().any(|listed| named.contains(&listed.stem)) {
            here.retain(|listed| named.contains(&listed.stem));
            here.sort_by_key(|listed| std::cmp::Reverse(named.iter().position(|stem| *stem == listed.stem)));
        }
        Ok(Some(checkpoint_state::encode(&backend::state(&here, listing.last_preserved))))
    }
}
