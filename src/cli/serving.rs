//! What every way of mounting has in common: how it is served, and the files in it that are about the mount itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::logging::{self, Recent};
use super::mount_options::parse_size;
use super::service::{self, About};
use crate::cache::Cache;
use crate::catalog::{H5_LAYOUTS, H5Layout};
use crate::fuse::{Activity, CacheMode, Fuse, Manner};
use crate::tree::Tree;

/// How a mount is served.
#[derive(clap::Args)]
pub(super) struct Serving {
    /// Append the log to a file. Its last lines are in the mount too, as .ckptfs/log
    #[arg(long, value_name = "FILE")]
    pub(super) log: Option<PathBuf>,
    /// Log more. RUST_LOG chooses more finely
    #[arg(short, long)]
    pub(super) verbose: bool,
    /// Threads that answer the kernel
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(2..=256))]
    pub(super) threads: Option<u16>,
    /// Memory for decoded values
    #[arg(long, value_name = "SIZE", default_value = "256M", value_parser = parse_size)]
    pub(super) cache_size: usize,
    /// Who keeps the bytes that are read: auto has the kernel read whole data files by itself where it may; kernel fills
    /// its page cache through ckptfs; direct keeps nothing, which suits one pass over large files
    #[arg(long, value_name = "MODE", default_value = "auto")]
    cache: Mode,
    /// Which Keras is to read the weights as HDF5: keras3 shows model.weights.h5, legacy model.h5 as Keras 2 (tf_keras) has it
    #[arg(long, value_name = "LAYOUT", default_value = "keras3", value_parser = h5_layouts())]
    pub(super) h5_layout: H5Layout,
}

/// The layouts by the names they have on the command line.
fn h5_layouts() -> impl TypedValueParser<Value = H5Layout> {
    PossibleValuesParser::new(H5_LAYOUTS.iter().map(|(name, _)| *name)).try_map(|name| h5_layout(&name))
}

/// The layout of that name.
pub(super) fn h5_layout(name: &str) -> Result<H5Layout, String> {
    let known = H5_LAYOUTS.iter().find(|(known, _)| *known == name).map(|(_, layout)| *layout);
    let names = || H5_LAYOUTS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" or ");
    known.ok_or_else(|| format!("a layout is {}", names()))
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
    pub(super) fn threads(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(*THREADS.start(), usize::from);
        self.threads.map_or(cores.clamp(*THREADS.start(), *THREADS.end()), usize::from)
    }

    /// Starts the log; `stderr` is where its lines go besides, if they go to no file.
    pub(super) fn start_log(&self, stderr: logging::Stderr) -> anyhow::Result<Arc<Recent>> {
        logging::start(self.log.as_deref(), stderr, self.verbose)
    }

    /// The file system of a tree, to which the files about the mount are added.
    pub(super) fn fuse(
        &self,
        mut tree: Tree,
        mount: (&Path, &Path),
        map: String,
        log: Arc<Recent>,
        manner: Manner,
    ) -> Fuse {
        let (cache, activity) = (Arc::new(Cache::new(self.cache_size)), Arc::<Activity>::default());
        let (source, mountpoint) = (mount.0.into(), mount.1.into());
        let about = About {
            source,
            mountpoint,
            threads: self.threads(),
            cache: cache.clone(),
            activity: activity.clone(),
        };
        service::add(&mut tree, about, map, log);
        Fuse::new(Arc::new(tree), cache, Manner { cache: self.mode(), ..manner }, activity)
    }

    fn mode(&self) -> CacheMode {
        match self.cache {
            Mode::Auto => CacheMode::Auto,
            Mode::Kernel => CacheMode::Kernel,
            Mode::Direct => CacheMode::Direct,
        }
    }
}
