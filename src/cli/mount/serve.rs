//! The parts that `mount` and `run` share: the flags for serving, and the file system with its control directory.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use clap::ValueEnum;
use rustix::process::setpriority_process;

use crate::cache::Cache;
use crate::checksums::{CacheDirStore, ChecksumStore};
use crate::cli::flags::parse::parse_size;
use crate::cli::mount::control_dir::About;
use crate::cli::mount::logging::Recent;
use crate::cli::mount::{control_dir, logging};
use crate::extent::VirtualFile;
use crate::fuse::{CacheMode, Fuse, Metrics, ServeOptions};
use crate::tree::{Content, Ino, Show, Tree};

/// The flags for serving a mount.
#[derive(clap::Args)]
pub(crate) struct ServeFlags {
    /// Append the log to a file. The mount also shows its last lines, as .ckptfs/log
    #[arg(long, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,
    /// Log more. RUST_LOG gives finer control
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// Number of threads that answer the kernel
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(2..=256))]
    pub(crate) threads: Option<u16>,
    /// Size of the cache for decoded values
    #[arg(long, value_name = "SIZE", default_value = "256M", value_parser = parse_size)]
    pub(crate) cache_size: usize,
    /// Verify a variable's checksum on first open; a damaged variable returns EIO
    ///
    /// TensorFlow verifies what it restores. This flag is for NumPy and other programs. A file of the whole checkpoint,
    /// such as model.safetensors, is verified whole.
    #[arg(long)]
    pub(crate) verify: bool,
    /// Page-cache policy
    ///
    /// auto lets the kernel read whole data files directly, if possible. kernel fills the page cache through ckptfs. direct
    /// bypasses it for large files, which suits a single pass over them.
    #[arg(long, value_name = "MODE", default_value = "auto")]
    cache: Mode,
    /// Show only these forms of the variables: npy,raw
    ///
    /// FORM is vars, npy, raw, text, graph or names, a file extension (safetensors, h5, tsv, json), a file name
    /// (stats.tsv), all or none. The checkpoint itself is always shown. A mount shows each variable in every form, so
    /// du, tar and grep -r count its bytes several times; this flag limits that.
    #[arg(long, value_name = "FORM,…", default_value = "all", hide_default_value = true, value_parser = Show::parse)]
    pub(crate) show: Show,
}

#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    Auto,
    Kernel,
    Direct,
}

/// The range of the default number of threads. More threads would only wait for the same disk.
const THREADS: std::ops::RangeInclusive<usize> = 2..=8;

impl ServeFlags {
    pub(crate) fn threads(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(*THREADS.start(), usize::from);
        self.threads.map_or(cores.clamp(*THREADS.start(), *THREADS.end()), usize::from)
    }

    /// Starts the log. Without a log file, `stderr` says which lines go to standard error.
    pub(crate) fn start_log(&self, stderr: logging::Stderr) -> anyhow::Result<Arc<Recent>> {
        logging::start(self.log.as_deref(), stderr, self.verbose)
    }

    /// Returns the file system of a tree, with the control directory added. `mount` is the source and the mountpoint.
    pub(crate) fn fuse(
        &self,
        mut tree: Tree,
        mount: (&Path, &Path),
        map: String,
        log: Arc<Recent>,
        manner: ServeOptions,
    ) -> Fuse {
        let cache = match self.mode() {
            CacheMode::Auto | CacheMode::Kernel => Cache::new(self.cache_size).second(),
            CacheMode::Direct => Cache::new(self.cache_size),
        };
        let (cache, activity) = (Arc::new(cache), Arc::<Metrics>::default());
        let (source, mountpoint) = (mount.0.into(), mount.1.into());
        let about = About {
            source,
            mountpoint,
            threads: self.threads(),
            cache: cache.clone(),
            activity: activity.clone(),
            checkpoints: tree.checkpoints(),
        };
        control_dir::add(&mut tree, about, map, log);
        Fuse::new(
            Arc::new(tree),
            cache,
            ServeOptions { cache: self.mode(), verify: self.verify, ..manner },
            activity,
        )
    }

    fn mode(&self) -> CacheMode {
        match self.cache {
            Mode::Auto => CacheMode::Auto,
            Mode::Kernel => CacheMode::Kernel,
            Mode::Direct => CacheMode::Direct,
        }
    }
}

/// Returns the store for checksums that mounts compute, or `None` if the user has no cache directory.
pub(crate) fn keep() -> Option<Arc<dyn ChecksumStore>> {
    CacheDirStore::of_user().map(|store| Arc::new(store) as Arc<dyn ChecksumStore>)
}

/// The nice value of background threads: the lowest priority.
pub(crate) const NICE: i32 = 19;

/// The index file of a mount's newest checkpoint. `None` if it has none.
pub(crate) struct NewestIndex(Option<VirtualFile>);

impl NewestIndex {
    pub(crate) fn of(tree: &Tree, stem: &[u8]) -> Self {
        let attr = tree.lookup(Ino::ROOT, &[stem, b".index"].concat());
        match attr.and_then(|attr| tree.content(attr.ino)) {
            Ok(Content::File(file)) => Self(Some(file)),
            _ => Self(None),
        }
    }

    /// Computes the missing checksums of the index in a background thread at the lowest priority. A restore that
    /// starts soon after the mount waits less, and a later restore does not wait. The thread ends with the process.
    pub(crate) fn prepare(self) {
        let Some(index) = self.0.filter(|index| !index.is_inline() && index.whole_file().is_none()) else {
            return;
        };
        thread::spawn(move || {
            // The priority applies to this thread and to the threads that it starts.
            let _ = setpriority_process(None, NICE);
            // Reading one byte computes all checksums. An error is ignored here, because a later reader gets it
            // again.
            let _ = index.read_at(&Cache::new(0), &mut [0], 0);
        });
    }
}
