//! What every way of mounting has in common: how it is served, and the files in it that are about the mount itself.

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

/// How a mount is served.
#[derive(clap::Args)]
pub(crate) struct Serving {
    /// Append the log to a file. Its last lines are in the mount too, as .ckptfs/log
    #[arg(long, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,
    /// Log more. RUST_LOG chooses more finely
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// Threads that answer the kernel
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(2..=256))]
    pub(crate) threads: Option<u16>,
    /// Memory for decoded values
    #[arg(long, value_name = "SIZE", default_value = "256M", value_parser = parse_size)]
    pub(crate) cache_size: usize,
    /// Hold each variable against its checksum when a file of it is first opened: a damaged one cannot be read. TensorFlow
    /// does so by itself with what it restores; this is for NumPy and the rest
    #[arg(long)]
    pub(crate) verify: bool,
    /// Who keeps the bytes that are read: auto has the kernel read whole data files by itself where it may; kernel fills
    /// its page cache through ckptfs; direct keeps nothing, which suits one pass over large files
    #[arg(long, value_name = "MODE", default_value = "auto")]
    cache: Mode,
    /// Show only these forms of the variables: npy,raw
    ///
    /// The words are vars, npy, raw, text, graph and names, the endings of files (safetensors, h5, tsv, json), whole names
    /// of files (stats.tsv), all and none. The checkpoint itself is always there. A mount shows every form of a variable, so
    /// du, tar and grep -r count its bytes several times; this limits that.
    #[arg(long, value_name = "FORM,…", default_value = "all", hide_default_value = true, value_parser = Show::parse)]
    pub(crate) show: Show,
}

#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    Auto,
    Kernel,
    Direct,
}

/// Threads to begin with: more than a few only wait for one disk.
const THREADS: std::ops::RangeInclusive<usize> = 2..=8;

impl Serving {
    pub(crate) fn threads(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(*THREADS.start(), usize::from);
        self.threads.map_or(cores.clamp(*THREADS.start(), *THREADS.end()), usize::from)
    }

    /// Starts the log; `stderr` is where its lines go besides, if they go to no file.
    pub(crate) fn start_log(&self, stderr: logging::Stderr) -> anyhow::Result<Arc<Recent>> {
        logging::start(self.log.as_deref(), stderr, self.verbose)
    }

    /// The file system of a tree, to which the files about the mount are added.
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

/// Where the checksums are kept that mounts compute.
pub(crate) fn keep() -> Option<Arc<dyn ChecksumStore>> {
    CacheDirStore::of_user().map(|store| Arc::new(store) as Arc<dyn ChecksumStore>)
}

/// The lowest priority, of threads that work in the background.
pub(crate) const NICE: i32 = 19;

/// The index of a mount's newest checkpoint.
pub(crate) struct NewestIndex(Option<VirtualFile>);

impl NewestIndex {
    pub(crate) fn of(tree: &Tree, stem: &[u8]) -> Self {
        let attr = tree.lookup(Ino::ROOT, &[stem, b".index"].concat());
        match attr.and_then(|attr| tree.content(attr.ino)) {
            Ok(Content::File(file)) => Self(Some(file)),
            _ => Self(None),
        }
    }

    /// Computes the checksums that it lacks, in the background and with what others leave of the machine: who restores soon
    /// after the mount waits less, and who restores later not at all. It ends with the process.
    pub(crate) fn prepare(self) {
        let Some(index) = self.0.filter(|index| !index.is_inline() && index.whole_file().is_none()) else {
            return;
        };
        thread::spawn(move || {
            // Of this thread, and of those that it starts.
            let _ = setpriority_process(None, NICE);
            // One byte takes all of them. Whatever goes wrong is for the reader to hear.
            let _ = index.read_at(&Cache::new(0), &mut [0], 0);
        });
    }
}
