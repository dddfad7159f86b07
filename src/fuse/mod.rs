//! The kernel adapter: turns requests into look-ups in the [`Tree`] and reads of its files. It knows names and
//! extents, but not tensors.
//!
//! A lookup leaves no state behind, so an inode number keeps its meaning after the kernel forgets the inode. The
//! handle of an open file of the source keeps the file, so reads go on after a rename or a removal. A handler that
//! panics answers EIO.

mod handles;
mod metrics;
mod passthrough;
mod serve_options;
mod verified;

use std::cell::RefCell;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fuser::{
    Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, InitFlags,
    KernelConfig, LockOwner, OpenFlags, ReplyAttr, ReplyData, ReplyDirectory, ReplyDirectoryPlus, ReplyEmpty,
    ReplyEntry, ReplyOpen, ReplyStatfs, ReplyXattr, Request,
};

use crate::cache::Cache;
use crate::extent::VirtualFile;
use crate::fuse::handles::Handles;
pub(crate) use crate::fuse::metrics::Metrics;
use crate::fuse::passthrough::{PASSED_THROUGH, Passthrough};
pub use crate::fuse::serve_options::{CacheMode, ServeOptions};
use crate::fuse::verified::Verified;
use crate::tree::{Attr, Content, Ino, Kind, Tree, names_newest};

/// The time to live of a name inside a checkpoint, whose meaning never changes.
const FOREVER: Duration = Duration::from_secs(u32::MAX as u64);
/// The time to live of a name in a directory of the source, whose meaning can change. The tree's own knowledge may be
/// as old again, so a change can take twice this time to show.
const SHORT: Duration = Duration::from_millis(500);
/// The time to live of an answer that the kernel must not cache.
const NEVER: Duration = Duration::ZERO;
/// The length in bytes from which [`CacheMode::Direct`] bypasses the kernel's page cache: large reads are then worth
/// more than the cache.
const LARGE: u64 = 1 << 20;
/// The maximum depth of stacked file systems for passthrough: this one over, for example, an overlay.
const STACK_DEPTH: u32 = 2;

/// The number of background requests that the kernel keeps in flight.
const MAX_BACKGROUND: u16 = 64;
const GENERATION: Generation = Generation(0);
/// The handle of files that are in memory. Other files have a handle of [`Handles`] or are passed through.
const ORDINARY: FileHandle = FileHandle(0);

/// A mount's file system.
pub struct Fuse {
    tree: Arc<Tree>,
    cache: Arc<Cache>,
    options: ServeOptions,
    metrics: Arc<Metrics>,
    passthrough: Passthrough,
    handles: Handles,
    verified: Verified,
}

/// The way in which a file was opened.
enum Opened {
    Ordinary(FileHandle, FopenFlags),
    PassedThrough,
}

impl Fuse {
    /// Creates a file system that serves `tree` and counts its work in `activity`.
    pub fn new(tree: Arc<Tree>, cache: Arc<Cache>, manner: ServeOptions, activity: Arc<Metrics>) -> Self {
        let passthrough = Passthrough::new(activity.clone());
        let (handles, checked) = (Handles::default(), Verified::default());
        Self { tree, cache, options: manner, metrics: activity, passthrough, handles, verified: checked }
    }

    fn file_attr(&self, attr: &Attr) -> FileAttr {
        let time = attr.mtime;
        FileAttr {
            ino: INodeNo(attr.ino.0),
            size: attr.len,
            blocks: attr.len.div_ceil(512),
            atime: time,
            mtime: time,
            ctime: time,
            crtime: time,
            kind: file_type(attr.kind),
            perm: match attr.kind {
                // The mode bits of a symlink have no effect; by convention all of them are set.
                Kind::Link => attr.mode,
                Kind::Directory | Kind::File => attr.mode & !self.options.umask,
            },
            nlink: attr.nlink,
            uid: self.options.uid,
            gid: self.options.gid,
            rdev: 0,
            blksize: 1 << 17,
            flags: 0,
        }
    }

    fn file(&self, ino: INodeNo) -> Result<VirtualFile, Errno> {
        match self.tree.content(Ino(ino.0))? {
            Content::File(file) => Ok(file),
            Content::Directory => Err(Errno::EISDIR),
            Content::Link(_) => Err(Errno::EINVAL),
        }
    }

    fn open_file(&self, ino: INodeNo, reply: &ReplyOpen) -> Result<Opened, Errno> {
        let file = self.file(ino)?;
        file.verify()?;
        if self.options.verify {
            self.verified.once(ino.0, || self.tree.is_intact(Ino(ino.0)))?;
        }
        let shard = file.whole_file().and_then(|shard| shard.backing());
        if shard.is_some_and(|descriptor| self.passthrough.open(ino.0, descriptor, reply)) {
            log::debug!("inode {:#x} is open: {} bytes, read by the kernel itself", ino.0, file.len());
            return Ok(Opened::PassedThrough);
        }
        log::debug!("inode {:#x} is open: {} bytes", ino.0, file.len());
        let volatile = self.tree.attr(Ino(ino.0)).map_or(true, |attr| attr.volatile);
        let direct = self.options.cache == CacheMode::Direct && file.len() >= LARGE;
        let flags = match () {
            // A file that is generated for each read may have grown since the kernel asked for its length.
            () if direct || volatile && file.is_inline() => FopenFlags::FOPEN_DIRECT_IO,
            () if volatile => FopenFlags::empty(),
            () => FopenFlags::FOPEN_KEEP_CACHE,
        };
        Ok(Opened::Ordinary(if file.is_inline() { ORDINARY } else { self.handles.add(file) }, flags))
    }

    fn ask_for_passthrough(&self, config: &mut KernelConfig) {
        let unwanted = match self.options {
            ServeOptions { verify: true, .. } => Some("not wanted (--verify)"),
            ServeOptions { cache: CacheMode::Auto, .. } => None,
            _ => Some("not wanted (--cache)"),
        };
        if let Some(reason) = unwanted {
            self.metrics.refuse_passthrough(reason);
            return;
        }
        let offered = config.add_capabilities(InitFlags::FUSE_PASSTHROUGH).is_ok();
        match offered && config.set_max_stack_depth(STACK_DEPTH).is_ok() {
            true => self.metrics.passthrough.store(true, Ordering::Relaxed),
            false => _ = self.metrics.refuse_passthrough("this kernel does not offer it"),
        }
    }

    /// Counts a failed open or read. `ENOENT` of a lookup and the like do not count.
    fn failed(&self, error: Errno) -> Errno {
        self.metrics.failed();
        error
    }

    /// Calls `answer` with the bytes, which are in a mapping or in this thread's buffer.
    fn read_file(
        &self,
        ino: INodeNo,
        handle: FileHandle,
        offset: u64,
        size: u32,
        answer: impl FnOnce(&[u8]),
    ) -> Result<(), Errno> {
        let file = match self.handles.file(handle) {
            Some(file) => file,
            None => Arc::new(self.file(ino)?),
        };
        let want = u64::from(size).min(file.len().saturating_sub(offset));
        if self.options.cache == CacheMode::Direct
            && let Some((shard, at)) = file.within_file(offset, want)
            && let Some(bytes) = shard.reply_from_map(at, want as usize)?
        {
            answer(bytes);
            return Ok(());
        }
        BUFFER.with_borrow_mut(|buffer| {
            if buffer.len() < want as usize {
                buffer.resize(want as usize, 0);
            }
            let bytes = &mut buffer[..want as usize];
            file.read_at(&self.cache, bytes, offset)?;
            answer(bytes);
            Ok(())
        })
    }
}

thread_local! {
    /// The thread's buffer. It grows to the largest read, which the kernel limits.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Runs a handler and turns a panic into `EIO`. A panic that left the handler would end its thread.
fn catch_panic<T>(handler: impl FnOnce() -> Result<T, Errno>) -> Result<T, Errno> {
    catch_unwind(AssertUnwindSafe(handler)).unwrap_or_else(|_| {
        log::error!("a request made a handler panic; its caller gets EIO");
        Err(Errno::EIO)
    })
}

fn file_type(kind: Kind) -> FileType {
    match kind {
        Kind::Directory => FileType::Directory,
        Kind::File => FileType::RegularFile,
        Kind::Link => FileType::Symlink,
    }
}

/// Returns how long the kernel may cache the meaning of a name in a directory. It asks again for each use of
/// `checkpoint` and `latest*`: a program that has read one of them must not get an older step through another.
fn entry_ttl(directory: Ino, name: &[u8]) -> &'static Duration {
    match directory.is_volatile() {
        true if names_newest(name) => &NEVER,
        true => &SHORT,
        false => &FOREVER,
    }
}

fn attr_ttl(attr: &Attr) -> &'static Duration {
    if attr.volatile { &SHORT } else { &FOREVER }
}

/// The number of directory offsets that `.` and `..` take.
const DOTS: u64 = 2;

impl Filesystem for Fuse {
    fn init(&mut self, _request: &Request, config: &mut KernelConfig) -> io::Result<()> {
        for wish in [
            InitFlags::FUSE_DO_READDIRPLUS | InitFlags::FUSE_READDIRPLUS_AUTO,
            InitFlags::FUSE_NO_OPENDIR_SUPPORT,
            // The kernel drops the cached contents of a directory when its mtime changes.
            InitFlags::FUSE_AUTO_INVAL_DATA,
            InitFlags::FUSE_PARALLEL_DIROPS,
            InitFlags::FUSE_DIRECT_IO_ALLOW_MMAP,
            // The target of a symlink inode never changes: a symlink with another target is another inode.
            InitFlags::FUSE_CACHE_SYMLINKS,
            // `ls -l` asks for the access control list of each file. With this flag the kernel remembers that it has
            // none.
            InitFlags::FUSE_POSIX_ACL,
        ] {
            let _ = config.add_capabilities(wish);
        }
        let _ = config.set_max_background(MAX_BACKGROUND);
        self.ask_for_passthrough(config);
        Ok(())
    }

    fn lookup(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let directory = Ino(parent.0);
        match catch_panic(|| Ok(self.tree.lookup(directory, name.as_bytes())?)) {
            Ok(attr) => {
                let (attr_ttl, entry_ttl) = (attr_ttl(&attr), entry_ttl(directory, name.as_bytes()));
                reply.entry_with_ttls(attr_ttl, entry_ttl, &self.file_attr(&attr), GENERATION);
            }
            Err(error) => reply.error(error),
        }
    }

    fn getattr(&self, _request: &Request, ino: INodeNo, _handle: Option<FileHandle>, reply: ReplyAttr) {
        match catch_panic(|| Ok(self.tree.attr(Ino(ino.0))?)) {
            Ok(attr) => reply.attr(attr_ttl(&attr), &self.file_attr(&attr)),
            Err(error) => reply.error(error),
        }
    }

    fn readlink(&self, _request: &Request, ino: INodeNo, reply: ReplyData) {
        let target = catch_panic(|| match self.tree.content(Ino(ino.0))? {
            Content::Link(target) => Ok(target),
            _ => Err(Errno::EINVAL),
        });
        match target {
            Ok(target) => reply.data(&target),
            Err(error) => reply.error(error),
        }
    }

    fn open(&self, _request: &Request, ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        match catch_panic(|| self.open_file(ino, &reply)) {
            Ok(Opened::Ordinary(handle, flags)) => reply.opened(handle, flags),
            Ok(Opened::PassedThrough) => self.passthrough.reply(ino.0, reply),
            Err(error) => reply.error(self.failed(error)),
        }
    }

    fn read(
        &self,
        _request: &Request,
        ino: INodeNo,
        handle: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let mut reply = Some(reply);
        let answer = |bytes: &[u8]| {
            if let Some(reply) = reply.take() {
                self.metrics.read(bytes.len() as u64);
                reply.data(bytes);
            }
        };
        let read = catch_panic(|| self.read_file(ino, handle, offset, size, answer));
        if let (Err(error), Some(reply)) = (read, reply) {
            reply.error(self.failed(error));
        }
    }

    fn release(
        &self,
        _request: &Request,
        ino: INodeNo,
        handle: FileHandle,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        self.handles.remove(handle);
        if handle == PASSED_THROUGH {
            self.passthrough.release(ino.0);
        }
        reply.ok();
    }

    /// Answers `ENOSYS`, after which the kernel stops asking: the mount is read-only, so there is nothing to flush.
    fn flush(
        &self,
        _request: &Request,
        _ino: INodeNo,
        _handle: FileHandle,
        _lock_owner: LockOwner,
        reply: ReplyEmpty,
    ) {
        reply.error(Errno::ENOSYS);
    }

    /// Answers `ENOSYS`, after which the kernel stops asking and lists directories from its cache.
    fn opendir(&self, _request: &Request, _ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        self.metrics.opendir();
        reply.error(Errno::ENOSYS);
    }

    fn readdir(
        &self,
        _request: &Request,
        ino: INodeNo,
        _handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let directory = Ino(ino.0);
        let listed = catch_panic(|| {
            let dots = [(directory, "."), (self.tree.parent(directory), "..")];
            for (i, (ino, name)) in (1..).zip(dots).skip(offset.min(DOTS) as usize) {
                if reply.add(INodeNo(ino.0), i, FileType::Directory, name) {
                    return Ok(());
                }
            }
            self.tree.entries(directory, offset.saturating_sub(DOTS), &mut |next, entry| {
                let name = OsStr::from_bytes(&entry.name);
                reply.add(INodeNo(entry.ino.0), next + DOTS, file_type(entry.kind), name)
            })?;
            Ok(())
        });
        match listed {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(error),
        }
    }

    fn readdirplus(
        &self,
        _request: &Request,
        ino: INodeNo,
        _handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectoryPlus,
    ) {
        let directory = Ino(ino.0);
        let listed = catch_panic(|| {
            let dots = [(directory, "."), (self.tree.parent(directory), "..")];
            for (i, (ino, name)) in (1..).zip(dots).skip(offset.min(DOTS) as usize) {
                let attr = self.tree.attr(ino)?;
                if reply.add(INodeNo(ino.0), i, name, attr_ttl(&attr), &self.file_attr(&attr), GENERATION) {
                    return Ok(());
                }
            }
            self.tree.entries(directory, offset.saturating_sub(DOTS), &mut |next, entry| {
                // A listing builds no files. A later lookup returns the attributes that are not known yet.
                let known = self.tree.known_attr(entry.ino);
                let ttl = if known.is_some() { entry_ttl(directory, &entry.name) } else { &NEVER };
                let attr = self.file_attr(&known.unwrap_or_else(|| Attr::unknown(entry)));
                let (ino, name) = (INodeNo(entry.ino.0), OsStr::from_bytes(&entry.name));
                reply.add(ino, next + DOTS, name, ttl, &attr, GENERATION)
            })?;
            Ok(())
        });
        match listed {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(error),
        }
    }

    fn statfs(&self, _request: &Request, _ino: INodeNo, reply: ReplyStatfs) {
        const BLOCK: u32 = 512;
        let blocks = self.tree.total_size().div_ceil(BLOCK.into());
        reply.statfs(blocks, 0, 0, 0, 0, BLOCK, 255, BLOCK);
    }

    /// Returns `ENODATA` for an unknown attribute. The default would be `ENOSYS`, which turns extended attributes off
    /// until the mount ends.
    fn getxattr(&self, _request: &Request, ino: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        let value = catch_panic(|| self.tree.xattr(Ino(ino.0), name.as_bytes()).ok_or(Errno::ENODATA));
        answer_attribute(value, size, reply);
    }

    fn listxattr(&self, _request: &Request, ino: INodeNo, size: u32, reply: ReplyXattr) {
        answer_attribute(catch_panic(|| Ok(self.tree.xattrs(Ino(ino.0)))), size, reply);
    }
}

/// Answers a request for an extended attribute or their list. A request of size 0 asks how large the buffer must be.
fn answer_attribute(value: Result<Vec<u8>, Errno>, size: u32, reply: ReplyXattr) {
    match value {
        Err(error) => reply.error(error),
        Ok(value) if size == 0 => reply.size(value.len() as u32),
        Ok(value) if value.len() > size as usize => reply.error(Errno::ERANGE),
        Ok(value) => reply.data(&value),
    }
}
