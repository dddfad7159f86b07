//! A directory of the source in the mount: looked at again when somebody asks and the last look is too old.
//!
//! A look reads names. What a look finds unchanged keeps its inodes, plans and trees. The time of a directory changes with
//! its names, by which the kernel knows that what it has cached of it is void.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, TryLockError};
use std::time::{Duration, Instant};

use super::checkpoint::time;
use super::directory::{self, Directory, Found, Listed, Other, Scan};
use super::inodes::{self, Inodes, Node};
use super::listing::{Listing, Named};
use super::slot::Slot;
use super::{Attr, Content, Entry, Ino, Kind, absent};
use crate::extent::VirtualFile;
use crate::format::state;
use crate::name::printable;

/// How old a look may be. As long again the kernel believes what it was told, which makes a second together.
pub(super) const FRESH: Duration = Duration::from_millis(500);
/// Listings that one who began may go on with.
const KEPT: usize = 4;

/// A directory of the source.
pub(super) struct Folder {
    ino: Ino,
    parent: Ino,
    /// From the mount's root, each component with a slash behind it.
    path: Vec<u8>,
    place: Place,
    opened: OnceLock<Arc<dyn Directory>>,
    looks: Mutex<Looks>,
    /// Milliseconds since the start at which the last look is too old.
    due: AtomicU64,
    started: Instant,
    /// Whether planning found other than what the names promised.
    astray: Arc<AtomicBool>,
    /// The newest is the last.
    listings: RwLock<VecDeque<Arc<Listing>>>,
    /// Names that are taken before any other is given.
    reserved: Vec<(&'static [u8], Named)>,
}

/// Where a directory of the source is.
enum Place {
    Top,
    In(Arc<Folder>, Vec<u8>),
}

#[derive(Default)]
struct Looks {
    last: Option<Scan>,
    changes: u32,
    /// Whether it was said that looking failed.
    complained: bool,
}

impl Folder {
    /// The topmost.
    pub(super) fn top(directory: Box<dyn Directory>, reserved: Vec<(&'static [u8], Named)>) -> Arc<Self> {
        let folder = Self::new(Ino::ROOT, Ino::ROOT, Vec::new(), Place::Top, reserved);
        let _ = folder.opened.set(directory.into());
        Arc::new(folder)
    }

    fn below(self: &Arc<Self>, ino: Ino, name: &[u8]) -> Arc<Self> {
        let path = [&self.path[..], name, b"/"].concat();
        Arc::new(Self::new(ino, self.ino, path, Place::In(self.clone(), name.into()), Vec::new()))
    }

    fn new(
        ino: Ino,
        parent: Ino,
        path: Vec<u8>,
        place: Place,
        reserved: Vec<(&'static [u8], Named)>,
    ) -> Self {
        Self {
            ino,
            parent,
            path,
            place,
            opened: OnceLock::new(),
            looks: Mutex::default(),
            due: AtomicU64::new(0),
            started: Instant::now(),
            astray: Arc::default(),
            listings: RwLock::default(),
            reserved,
        }
    }

    pub(super) fn parent(&self) -> Ino {
        self.parent
    }

    /// The directory of the source.
    pub(super) fn directory(&self) -> io::Result<&Arc<dyn Directory>> {
        if let (None, Place::In(above, name)) = (self.opened.get(), &self.place) {
            let opened = above.directory()?.directory(name)?;
            let _ = self.opened.set(opened.into());
        }
        Ok(self.opened.get().expect("the topmost was given, others were opened just now"))
    }

    /// What is in it now, or was when it was last looked at, if that is not long ago.
    pub(super) fn listing(self: &Arc<Self>, inodes: &Inodes) -> io::Result<Arc<Listing>> {
        if let Some(listing) = self.fresh() {
            return Ok(listing);
        }
        let is_astray = self.astray.load(Ordering::Relaxed);
        match (self.looks.try_lock(), self.current().filter(|_| !is_astray)) {
            (Ok(looks), _) => self.look(looks, inodes),
            (Err(TryLockError::Poisoned(looks)), _) => self.look(looks.into_inner(), inodes),
            // Somebody is looking, and what was seen last will do.
            (Err(TryLockError::WouldBlock), Some(listing)) => Ok(listing),
            (Err(TryLockError::WouldBlock), None) => {
                self.look(self.looks.lock().unwrap_or_else(PoisonError::into_inner), inodes)
            }
        }
    }

    /// The same with `checkpoint` and `latest*`, for which the newest checkpoint is planned.
    pub(super) fn whole_listing(self: &Arc<Self>, inodes: &Inodes) -> io::Result<Arc<Listing>> {
        loop {
            let listing = self.listing(inodes)?;
            if listing.own.get().is_some() {
                return Ok(listing);
            }
            let newest = listing.here().rev().find(|listed| {
                let outline = listing.slots[&listed.stem].outline(inodes);
                outline.is_ok_and(|outline| outline.is_complete)
            });
            // Else one that should have been planned does not fit, and the next listing knows.
            if !self.astray.load(Ordering::Relaxed) {
                let own = newest.map(|newest| self.own(&listing, newest, inodes)).unwrap_or_default();
                let _ = listing.own.set(own);
                return Ok(listing);
            }
        }
    }

    /// The inode of a name. A checkpoint is planned when one of its names is looked up.
    pub(super) fn lookup(self: &Arc<Self>, name: &[u8], inodes: &Inodes) -> io::Result<Ino> {
        let is_ours = name == STATE || name.starts_with(LATEST);
        let listing = if is_ours { self.whole_listing(inodes)? } else { self.listing(inodes)? };
        let named = listing.get(name).ok_or_else(absent)?.clone();
        let ino = match &named {
            Named::Sibling(slot, _) => slot.outline(inodes).ok().and_then(|outline| outline.sibling(name)),
            Named::Tree(slot) => slot.outline(inodes).ok().map(|outline| outline.root.ino),
            Named::Node(ino, _) => Some(*ino),
        };
        ino.ok_or_else(absent)
    }

    /// Calls `each` with the entries from a place on, and with the place after each, until it has enough.
    pub(super) fn entries(
        self: &Arc<Self>,
        from: u64,
        inodes: &Inodes,
        each: &mut dyn FnMut(u64, &Entry<'_>) -> bool,
    ) -> io::Result<()> {
        let listing = self.whole_listing_since(from, inodes)?;
        let from = (from & u64::from(u32::MAX)) as usize;
        for (position, (name, named)) in (0u32..).zip(listing.entries()).skip(from) {
            let next = u64::from(listing.generation) << 32 | u64::from(position + 1);
            if each(next, &Entry { ino: named.ino(), kind: named.kind(), name: name.into() }) {
                break;
            }
        }
        Ok(())
    }

    /// The listing that a place is in, if it is kept; else the present one.
    fn whole_listing_since(self: &Arc<Self>, from: u64, inodes: &Inodes) -> io::Result<Arc<Listing>> {
        let listings = self.listings.read().unwrap_or_else(PoisonError::into_inner);
        let began = listings.iter().find(|listing| from != 0 && u64::from(listing.generation) == from >> 32);
        match began.cloned() {
            Some(listing) => Ok(listing),
            None => {
                drop(listings);
                self.whole_listing(inodes)
            }
        }
    }

    pub(super) fn attr(self: &Arc<Self>, inodes: &Inodes) -> io::Result<Attr> {
        let (mtime, nlink, mode) = match (self.listing(inodes), &self.place) {
            (Ok(listing), _) => (listing.mtime, 2 + listing.subdirectories(), listing.mode),
            // One that we may not list is there all the same.
            (Err(_), Place::In(above, name)) => {
                let stamp = above.directory()?.stamp(name)?;
                (time(stamp.mtime), 2, directory_mode(stamp.mode))
            }
            (Err(error), Place::Top) => return Err(error),
        };
        Ok(Attr { ino: self.ino, kind: Kind::Directory, len: 0, mtime, nlink, mode, volatile: true })
    }

    /// Whether it was looked at before.
    pub(super) fn is_known(&self) -> bool {
        self.current().is_some()
    }

    /// Bytes of all files in it and below it, as of its last change.
    pub(super) fn len(self: &Arc<Self>, inodes: &Inodes) -> io::Result<u64> {
        let (listing, directory) = (self.listing(inodes)?, self.directory()?);
        Ok(*listing.len.get_or_init(|| directory.len()))
    }

    /// What `stat` tells of one of its files.
    pub(super) fn file_attr(self: &Arc<Self>, ino: Ino, name: &[u8], inodes: &Inodes) -> io::Result<Attr> {
        let stamp = self.directory()?.stamp(name)?;
        let (len, mtime) = match self.state_file(name, inodes)? {
            Some(state) => (state.len() as u64, time(stamp.mtime).max(self.listing(inodes)?.mtime)),
            None => (stamp.len, time(stamp.mtime)),
        };
        let mode = stamp.mode as u16 & 0o555 | 0o400;
        Ok(Attr { ino, kind: Kind::File, len, mtime, nlink: 1, mode, volatile: true })
    }

    /// What one of its files holds.
    pub(super) fn file(self: &Arc<Self>, name: &[u8], inodes: &Inodes) -> io::Result<Content<'static>> {
        if let Some(state) = self.state_file(name, inodes)? {
            return Ok(Content::File(state.into()));
        }
        let shard = self.directory()?.file(name);
        match shard.fault() {
            Some(error) => {
                Err(error.raw_os_error().map_or(error.kind().into(), io::Error::from_raw_os_error))
            }
            None => Ok(Content::File(VirtualFile::whole(shard))),
        }
    }

    /// A state file of another name, made new as `checkpoint` is: of those that it names, the ones that are here.
    fn state_file(self: &Arc<Self>, name: &[u8], inodes: &Inodes) -> io::Result<Option<Vec<u8>>> {
        let Some(named) = self.directory()?.named(name) else { return Ok(None) };
        let listing = self.listing(inodes)?;
        let mut here: Vec<_> = listing.here().collect();
        if here.iter().any(|listed| named.contains(&listed.stem)) {
            here.retain(|listed| named.contains(&listed.stem));
            here.sort_by_key(|listed| std::cmp::Reverse(named.iter().position(|stem| *stem == listed.stem)));
        }
        Ok(Some(state::encode(&directory::state(&here, listing.last_preserved))))
    }

    /// Takes back all its numbers, when it is gone.
    pub(super) fn vanish(&self, inodes: &Inodes) {
        if let Some(listing) = self.current() {
            inodes.remove(listing.inos());
        }
    }

    /// The present listing, unless it is too old or known to be wrong.
    fn fresh(&self) -> Option<Arc<Listing>> {
        let is_fresh = self.now() < self.due.load(Ordering::Relaxed) && !self.astray.load(Ordering::Relaxed);
        self.current().filter(|_| is_fresh)
    }

    fn current(&self) -> Option<Arc<Listing>> {
        self.listings.read().unwrap_or_else(PoisonError::into_inner).back().cloned()
    }

    fn now(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    /// Looks at the directory, and lists it anew if anything changed.
    fn look(self: &Arc<Self>, mut looks: MutexGuard<'_, Looks>, inodes: &Inodes) -> io::Result<Arc<Listing>> {
        // Whoever looked while we waited looked for us too.
        if let Some(listing) = self.fresh() {
            return Ok(listing);
        }
        let astray = self.astray.swap(false, Ordering::Relaxed);
        let scan = match (self.directory().and_then(|directory| directory.scan()), self.current()) {
            (Ok(scan), _) => scan,
            (Err(error), None) => return Err(error),
            (Err(error), Some(listing)) => {
                if !std::mem::replace(&mut looks.complained, true) {
                    let path = printable(&self.path);
                    log::error!("./{path}: cannot be listed ({error}); shown as it was");
                }
                self.due.store(self.now() + FRESH.as_millis() as u64, Ordering::Relaxed);
                return Ok(listing);
            }
        };
        self.due.store(self.now() + FRESH.as_millis() as u64, Ordering::Relaxed);
        match self.current() {
            Some(listing) if !astray && looks.last.as_ref() == Some(&scan) => Ok(listing),
            before => {
                let listing = Arc::new(self.list(&scan, looks.changes, inodes)?);
                looks.last = Some(scan);
                looks.changes += 1;
                self.replace(before, listing.clone(), inodes);
                Ok(listing)
            }
        }
    }

    fn replace(&self, before: Option<Arc<Listing>>, listing: Arc<Listing>, inodes: &Inodes) {
        let mut listings = self.listings.write().unwrap_or_else(PoisonError::into_inner);
        listings.push_back(listing.clone());
        while listings.len() > KEPT {
            listings.pop_front();
        }
        drop(listings);
        if let Some(before) = before {
            let now: BTreeSet<_> = listing.inos().collect();
            inodes.remove(before.inos().filter(|ino| !now.contains(ino)));
        }
    }

    /// The listing of a scan.
    fn list(self: &Arc<Self>, scan: &Scan, changes: u32, inodes: &Inodes) -> io::Result<Listing> {
        let directory = self.directory()?;
        let mut listing = Listing {
            generation: changes,
            names: BTreeMap::new(),
            slots: scan.checkpoints.iter().map(|found| self.slot(found, directory, inodes)).collect(),
            roster: scan.roster.clone(),
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
                listing.claim_or_mark(slot.found().stem.clone(), Named::Tree(slot));
            }
        }
        for other in &scan.others {
            let named = self.other(other, &listing, inodes);
            listing.claim_or_mark(other.name.clone(), named);
        }
        Ok(listing)
    }

    /// The checkpoint in its present state. One that gets a data file it lacked is another, to be planned again.
    fn slot(
        self: &Arc<Self>,
        found: &Found,
        directory: &Arc<dyn Directory>,
        inodes: &Inodes,
    ) -> (Vec<u8>, Arc<Slot>) {
        let Found { stem, index, data, .. } = found;
        let identity = inodes::hash((&self.path, stem, data, index.dev, index.ino, index.len, index.mtime));
        let new = |tag| Slot::new(tag, found.clone(), directory.clone(), self.ino, self.astray.clone());
        (stem.clone(), inodes.slot_of(identity, new))
    }

    /// The files of a checkpoint; of one that does not fit, the reason.
    fn list_bundle(&self, listing: &mut Listing, slot: &Arc<Slot>, inodes: &Inodes) {
        let stem = &slot.found().stem;
        match slot.known() {
            Some(Ok(outline)) => {
                for (name, attr) in &outline.siblings {
                    listing.claim(name.clone(), Named::Sibling(slot.clone(), attr.ino.ordinal()));
                }
            }
            Some(Err(what)) => {
                let name = [&stem[..], b".error"].concat();
                let named = self.made(listing, &name, Kind::File, format!("{what}\n").into_bytes(), inodes);
                listing.claim(name, named);
            }
            None => {
                let index = [&stem[..], b".index"].concat();
                for (name, ordinal) in [&index].into_iter().chain(&slot.found().data).zip(1..) {
                    listing.claim(name.clone(), Named::Sibling(slot.clone(), ordinal));
                }
            }
        }
    }

    fn other(self: &Arc<Self>, other: &Other, listing: &Listing, inodes: &Inodes) -> Named {
        if other.kind == Kind::Link {
            return self.made(listing, &other.name, Kind::Link, other.target.clone(), inodes);
        }
        let ino = inodes::node((&self.path, &other.name, other.ino));
        match (inodes.node(ino), other.kind) {
            (Some(_), _) => {}
            (None, Kind::Directory) => inodes.add(ino, Node::Folder(self.below(ino, &other.name))),
            (None, _) => inodes.add(ino, Node::File(self.clone(), other.name.as_slice().into())),
        }
        Named::Node(ino, other.kind)
    }

    /// A link or a file of ours, whose inode goes with its content.
    fn made(&self, listing: &Listing, name: &[u8], kind: Kind, bytes: Vec<u8>, inodes: &Inodes) -> Named {
        let (ino, len) = (inodes::node((&self.path, name, &bytes)), bytes.len() as u64);
        let (mode, content) = match kind {
            Kind::Link => (0o777, Content::Link(bytes.into())),
            _ => (listing.mode & 0o444, Content::File(bytes.into())),
        };
        let attr = Attr { ino, kind, len, mtime: listing.mtime, nlink: 1, mode, volatile: false };
        inodes.add(ino, Node::Made(attr, content));
        Named::Node(ino, kind)
    }

    /// The state file, and the names that stand for the newest checkpoint.
    fn own(&self, listing: &Listing, newest: &Listed, inodes: &Inodes) -> BTreeMap<Vec<u8>, Named> {
        let mut here: Vec<_> = listing.here().collect();
        here.retain(|listed| listed.stem != newest.stem);
        here.push(newest);
        let text = state::encode(&directory::state(&here, listing.last_preserved));
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
}

fn directory_mode(mode: u32) -> u16 {
    mode as u16 & 0o555 | 0o500
}

/// The name of the state file.
const STATE: &[u8] = b"checkpoint";
/// What the names that stand for the newest checkpoint begin with.
const LATEST: &[u8] = b"latest";
