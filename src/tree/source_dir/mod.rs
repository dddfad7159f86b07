//! A directory of the source in the mount. It is scanned again on access if the last scan is too old.
//!
//! A scan uses file names only. The final names of a checkpoint's files are known only after planning. Therefore a
//! listing plans all checkpoints, and a look-up plans those that the name may belong to, so that both always agree.
//! Everything that is unchanged since the last scan keeps its inodes, plans and trees. The modification time of a
//! directory changes when a scan finds a change in the source; the kernel uses it to invalidate its cached listing.
//! Plans do not change the time, because no entry is served before its plan: tar compares the time before and after
//! it reads.

pub(crate) mod inodes;
pub(crate) mod lazy_checkpoint;
mod list;
pub(crate) mod listing;

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, TryLockError};
use std::time::{Duration, Instant};

use crate::extent::VirtualFile;
use crate::name::printable;
use crate::tree::backend::{Backend, Scan};
use crate::tree::checkpoint::time;
use crate::tree::source_dir::inodes::Inodes;
use crate::tree::source_dir::lazy_checkpoint::LazyCheckpoint;
use crate::tree::source_dir::listing::{ListedName, Listing};
use crate::tree::{Attr, Content, Entry, Ino, Kind, absent};

/// The maximum age of a scan. The kernel caches entries for as long again, so changes appear within one second.
pub(crate) const FRESH: Duration = Duration::from_millis(500);
/// The number of listings that are kept, so that a `readdir` in progress can continue in its listing.
const KEPT: usize = 4;
/// The maximum number of times that a directory is listed again because a plan contradicts its listing. If the source
/// changes even faster, the last listing is used.
const ROUNDS: usize = 8;

/// A predicate that selects checkpoints by their stems.
type Stems<'a> = &'a dyn Fn(&[u8]) -> bool;

/// A directory of the source.
pub(crate) struct SourceDir {
    ino: Ino,
    parent: Ino,
    /// The path from the mount's root, with a slash after each component.
    path: Vec<u8>,
    place: Parent,
    opened: RwLock<Option<Arc<dyn Backend>>>,
    looks: Mutex<Looks>,
    /// The time at which the last scan becomes too old, in milliseconds since `started`.
    due: AtomicU64,
    started: Instant,
    /// True if a plan contradicts the file names in the listing.
    stale: Arc<AtomicBool>,
    /// The kept listings, the newest last.
    listings: RwLock<VecDeque<Arc<Listing>>>,
    /// The names that are claimed before all others.
    reserved: Vec<(&'static [u8], ListedName)>,
}

/// The parent of a source directory.
enum Parent {
    Top,
    In(Arc<SourceDir>, Vec<u8>),
}

#[derive(Default)]
struct Looks {
    last: Option<Scan>,
    /// The number of scans that differed from the previous one.
    changes: u32,
    /// The number of listings: one for each change, and one for each plan that contradicted a listing.
    listings: u32,
    /// True if a scan failure was logged.
    complained: bool,
}

impl SourceDir {
    /// Creates the topmost directory.
    pub(crate) fn root(directory: Box<dyn Backend>, reserved: Vec<(&'static [u8], ListedName)>) -> Arc<Self> {
        let dir = Self::new(Ino::ROOT, Ino::ROOT, Vec::new(), Parent::Top, reserved);
        *dir.opened.write().unwrap_or_else(PoisonError::into_inner) = Some(directory.into());
        Arc::new(dir)
    }

    fn below(self: &Arc<Self>, ino: Ino, name: &[u8]) -> Arc<Self> {
        let path = [&self.path[..], name, b"/"].concat();
        Arc::new(Self::new(ino, self.ino, path, Parent::In(self.clone(), name.into()), Vec::new()))
    }

    fn new(
        ino: Ino,
        parent: Ino,
        path: Vec<u8>,
        place: Parent,
        reserved: Vec<(&'static [u8], ListedName)>,
    ) -> Self {
        Self {
            ino,
            parent,
            path,
            place,
            opened: RwLock::default(),
            looks: Mutex::default(),
            due: AtomicU64::new(0),
            started: Instant::now(),
            stale: Arc::default(),
            listings: RwLock::default(),
            reserved,
        }
    }

    pub(crate) fn parent(&self) -> Ino {
        self.parent
    }

    /// Returns the open directory of the source. Opens it if necessary.
    pub(crate) fn directory(&self) -> io::Result<Arc<dyn Backend>> {
        let opened = self.opened.read().unwrap_or_else(PoisonError::into_inner).clone();
        match (opened, &self.place) {
            (Some(directory), _) => Ok(directory),
            (None, Parent::In(..)) => self.open_again(),
            (None, Parent::Top) => unreachable!("the topmost is given"),
        }
    }

    /// Opens the directory that has this name now. Another directory may have replaced the old one, even with the
    /// same inode number.
    fn open_again(&self) -> io::Result<Arc<dyn Backend>> {
        let Parent::In(above, name) = &self.place else { return self.directory() };
        let opened: Arc<dyn Backend> = above.directory()?.directory(name)?.into();
        *self.opened.write().unwrap_or_else(PoisonError::into_inner) = Some(opened.clone());
        Ok(opened)
    }

    /// Returns the current listing. Scans the directory if the last scan is too old.
    pub(crate) fn listing(self: &Arc<Self>, inodes: &Inodes) -> io::Result<Arc<Listing>> {
        if let Some(listing) = self.fresh() {
            return Ok(listing);
        }
        let is_astray = self.stale.load(Ordering::Relaxed);
        match (self.looks.try_lock(), self.current().filter(|_| !is_astray)) {
            (Ok(looks), _) => self.look(looks, inodes),
            (Err(TryLockError::Poisoned(looks)), _) => self.look(looks.into_inner(), inodes),
            // Another thread is scanning, and the last listing is good enough.
            (Err(TryLockError::WouldBlock), Some(listing)) => Ok(listing),
            (Err(TryLockError::WouldBlock), None) => {
                self.look(self.looks.lock().unwrap_or_else(PoisonError::into_inner), inodes)
            }
        }
    }

    /// Returns a listing in which the checkpoints with the selected stems are planned, so that their names are final.
    fn planned_listing(self: &Arc<Self>, stems: Stems<'_>, inodes: &Inodes) -> io::Result<Arc<Listing>> {
        for _ in 0..ROUNDS {
            let listing = self.listing(inodes)?;
            let slots = listing.slots.iter().filter(|(stem, slot)| slot.known().is_none() && stems(stem));
            slots.for_each(|(_, slot)| slot.plan());
            if !self.stale.load(Ordering::Relaxed) {
                return Ok(listing);
            }
        }
        self.listing(inodes)
    }

    /// Like [`Self::planned_listing`], with `checkpoint` and `latest*`, for which the newest checkpoint is planned.
    fn whole_listing(self: &Arc<Self>, stems: Stems<'_>, inodes: &Inodes) -> io::Result<Arc<Listing>> {
        let mut rounds = 0..ROUNDS;
        loop {
            let listing = self.planned_listing(stems, inodes)?;
            if listing.own.get().is_some() {
                return Ok(listing);
            }
            let newest = listing.here().rev().find(|listed| {
                let outline = listing.slots[&listed.stem].summary(inodes.trees());
                outline.is_ok_and(|outline| outline.is_complete)
            });
            // Otherwise a plan found other files than the listing names, and the next listing will contain them.
            if !self.stale.load(Ordering::Relaxed) || rounds.next().is_none() {
                let own = newest.map(|newest| self.own(&listing, newest, inodes)).unwrap_or_default();
                let _ = listing.own.set(own);
                return Ok(listing);
            }
        }
    }

    /// Returns the inode number of a name. Plans the checkpoints that the name may belong to, because only a plan
    /// knows a checkpoint's files.
    pub(crate) fn lookup(self: &Arc<Self>, name: &[u8], inodes: &Inodes) -> io::Result<Ino> {
        let stems = |stem: &[u8]| is_of_stem(name, stem);
        let listing = match names_newest(name) {
            true => self.whole_listing(&stems, inodes)?,
            false => self.planned_listing(&stems, inodes)?,
        };
        let named = listing.get(name).ok_or_else(absent)?.clone();
        let ino = match &named {
            ListedName::Sibling(slot, _) => {
                slot.summary(inodes.trees()).ok().and_then(|outline| outline.sibling(name))
            }
            ListedName::Tree(slot) => slot.summary(inodes.trees()).ok().map(|outline| outline.root.ino),
            ListedName::Node(ino, _) => Some(*ino),
        };
        ino.ok_or_else(absent)
    }

    /// Calls `each` for the entries starting at position `from`, until `each` returns true. The first argument of
    /// `each` is the position after the entry. Plans all checkpoints first, so that every entry can be looked up.
    pub(crate) fn entries(
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

    /// Returns the listing that the position `from` belongs to if it is still kept, else the current listing.
    fn whole_listing_since(self: &Arc<Self>, from: u64, inodes: &Inodes) -> io::Result<Arc<Listing>> {
        let listings = self.listings.read().unwrap_or_else(PoisonError::into_inner);
        let began = listings.iter().find(|listing| from != 0 && u64::from(listing.generation) == from >> 32);
        match began.cloned() {
            Some(listing) => Ok(listing),
            None => {
                drop(listings);
                self.whole_listing(&|_| true, inodes)
            }
        }
    }

    pub(crate) fn attr(self: &Arc<Self>, inodes: &Inodes) -> io::Result<Attr> {
        let (mtime, nlink, mode) = match (self.listing(inodes), &self.place) {
            (Ok(listing), _) => (listing.mtime, 2 + listing.subdirectories(), listing.mode),
            // A directory without read permission exists all the same.
            (Err(_), Parent::In(above, name)) => {
                let stamp = above.directory()?.stamp(name)?;
                (time(stamp.mtime), 2, directory_mode(stamp.mode))
            }
            (Err(error), Parent::Top) => return Err(error),
        };
        Ok(Attr { ino: self.ino, kind: Kind::Directory, len: 0, mtime, nlink, mode, volatile: true })
    }

    /// Returns true if the directory was scanned before.
    pub(crate) fn is_known(&self) -> bool {
        self.current().is_some()
    }

    /// Returns the total size in bytes of all files in the directory and below it, as of its last change.
    pub(crate) fn len(self: &Arc<Self>, inodes: &Inodes) -> io::Result<u64> {
        let (listing, directory) = (self.listing(inodes)?, self.directory()?);
        Ok(*listing.len.get_or_init(|| directory.len()))
    }

    /// Returns the attributes that `stat` reports for a file of this directory.
    pub(crate) fn file_attr(self: &Arc<Self>, ino: Ino, name: &[u8], inodes: &Inodes) -> io::Result<Attr> {
        let stamp = self.directory()?.stamp(name)?;
        let (len, mtime) = match self.state_file(name, inodes)? {
            Some(state) => (state.len() as u64, time(stamp.mtime).max(self.listing(inodes)?.mtime)),
            None => (stamp.len, time(stamp.mtime)),
        };
        let mode = stamp.mode as u16 & 0o555 | 0o400;
        Ok(Attr { ino, kind: Kind::File, len, mtime, nlink: 1, mode, volatile: true })
    }

    /// Returns the content of a file of this directory.
    pub(crate) fn file(self: &Arc<Self>, name: &[u8], inodes: &Inodes) -> io::Result<Content<'static>> {
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

    /// Removes all inode numbers of the directory after it was deleted.
    pub(crate) fn vanish(&self, inodes: &Inodes) {
        if let Some(listing) = self.current() {
            inodes.remove(listing.inos());
        }
    }

    /// Returns the current listing, unless it is too old or known to be wrong.
    fn fresh(&self) -> Option<Arc<Listing>> {
        let is_fresh = self.now() < self.due.load(Ordering::Relaxed) && !self.stale.load(Ordering::Relaxed);
        self.current().filter(|_| is_fresh)
    }

    fn current(&self) -> Option<Arc<Listing>> {
        self.listings.read().unwrap_or_else(PoisonError::into_inner).back().cloned()
    }

    /// Returns the checkpoints of the last listing, newest first; incomplete ones come last.
    pub(crate) fn newest_first(&self) -> Vec<Arc<LazyCheckpoint>> {
        let Some(listing) = self.current() else { return Vec::new() };
        let complete = listing.in_order.iter().rev().map(|listed| &listed.stem);
        let is_incomplete = |stem: &&Vec<u8>| listing.in_order.iter().all(|listed| listed.stem != **stem);
        let stems = complete.chain(listing.slots.keys().rev().filter(is_incomplete));
        stems.filter_map(|stem| listing.slots.get(stem).cloned()).collect()
    }

    fn now(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    /// Scans the directory, and lists it again if anything changed.
    fn look(self: &Arc<Self>, mut looks: MutexGuard<'_, Looks>, inodes: &Inodes) -> io::Result<Arc<Listing>> {
        // Another thread may have scanned while this one waited for the lock.
        if let Some(listing) = self.fresh() {
            return Ok(listing);
        }
        let stale = self.stale.swap(false, Ordering::Relaxed);
        let scan = match (self.scan(), self.current()) {
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
            Some(listing) if !stale && looks.last.as_ref() == Some(&scan) => Ok(listing),
            before => {
                looks.changes += u32::from(looks.last.as_ref().is_some_and(|last| *last != scan));
                looks.listings += 1;
                let listing = Arc::new(self.list(&scan, looks.changes, looks.listings, inodes)?);
                looks.last = Some(scan);
                self.replace(before, listing.clone(), inodes);
                Ok(listing)
            }
        }
    }

    fn scan(&self) -> io::Result<Scan> {
        self.directory()?.scan().or_else(|_| self.open_again()?.scan())
    }

    fn replace(&self, before: Option<Arc<Listing>>, listing: Arc<Listing>, inodes: &Inodes) {
        // This happens before any thread sees the new listing and adds entries under the numbers of the old one.
        if let Some(before) = before {
            let now: BTreeSet<_> = listing.inos().collect();
            inodes.remove(before.inos().filter(|ino| !now.contains(ino)));
        }
        let mut listings = self.listings.write().unwrap_or_else(PoisonError::into_inner);
        listings.push_back(listing);
        while listings.len() > KEPT {
            listings.pop_front();
        }
    }
}

fn directory_mode(mode: u32) -> u16 {
    mode as u16 & 0o555 | 0o500
}

/// The name of the state file.
const STATE: &[u8] = b"checkpoint";
/// The start of the names that refer to the newest checkpoint.
const LATEST: &[u8] = b"latest";

/// Returns true for names that depend on which checkpoint is the newest. They all change at the same moment, so a
/// name that was looked up earlier must not outlive the others.
pub(crate) fn names_newest(name: &[u8]) -> bool {
    name == STATE || name.starts_with(LATEST)
}

/// Returns true if a name may belong to a checkpoint: its directory, a file `STEM.…`, or one of these with a trailing
/// `%`.
fn is_of_stem(name: &[u8], stem: &[u8]) -> bool {
    name.strip_prefix(stem).is_some_and(|rest| matches!(rest.first(), None | Some(b'.' | b'%')))
}
