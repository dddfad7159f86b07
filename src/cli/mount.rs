//! `ckptfs mount`.

use std::io::IsTerminal;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::ValueEnum;

use super::map_flags::MapFlags;
use super::mount_options::{self, parse_size};
use super::terminal::{bytes, counted, warning};
use super::{Usage, logging};
use crate::cache::Cache;
use crate::fuse::{CacheMode, Fuse};
use crate::mount::{self, End, Options, Role, Session};
use crate::remap::Report;
use crate::source::Checkpoint;
use crate::tree::Tree;

/// Mount a checkpoint on a directory, under the names a map gives its variables
///
/// Returns when the mount answers, and leaves it to a process in the background, until `ckptfs umount`. The mount is
/// read-only and its owner's alone.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The checkpoint: a prefix (train/ckpt-9), any of its files, a SavedModel, or a directory (its newest)
    source: PathBuf,
    /// An empty directory
    mountpoint: PathBuf,
    #[command(flatten)]
    pub(super) map: MapFlags,
    /// Stay in the foreground; the log goes to standard error
    #[arg(short, long)]
    pub(super) foreground: bool,
    /// Append the log to a file. Its last lines are in the mount too, as .ckptfs/log
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Mount on a directory that is not empty
    #[arg(long)]
    pub(super) nonempty: bool,
    /// Let other users in
    #[arg(long)]
    pub(super) allow_other: bool,
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
    /// Options in the manner of mount(8)
    #[arg(short = 'o', value_name = "WORD,…")]
    pub(super) options: Vec<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    Auto,
    Kernel,
    Direct,
}

/// Threads to begin with: more than a few only wait for one disk.
const THREADS: std::ops::RangeInclusive<usize> = 2..=8;

impl Args {
    pub(super) fn run(mut self) -> anyhow::Result<ExitCode> {
        let warnings = mount_options::apply(&mut self).map_err(Usage)?;
        if !self.foreground && mount::role() == Role::Parent {
            return Ok(mount::background()?);
        }
        warnings.iter().for_each(warning);
        self.serve()
    }

    /// Mounts and serves, in the process that stays.
    fn serve(self) -> anyhow::Result<ExitCode> {
        let recent = logging::start(self.log.as_deref(), self.foreground)?;
        let mountpoint = mount::check(&self.mountpoint, self.nonempty)?;
        // Absolute, because a daemon leaves the directory it was started in.
        let (checkpoint, report) = self.map.open(&std::path::absolute(&self.source)?)?;
        let message = message(&checkpoint, &report, &self.mountpoint);
        let prefix = checkpoint.prefix.path();
        let mut tree = Tree::new(checkpoint.prefix.stem.as_bytes(), checkpoint.catalog, checkpoint.stamp);
        tree.add_service("log", Box::new(move || recent.bytes()));
        let session = self.start(tree, &prefix, &mountpoint)?;
        if std::io::stderr().is_terminal() {
            eprintln!("{message}");
        }
        if !self.foreground
            && let Err(error) = mount::detach()
        {
            session.unmount();
            return Err(error.into());
        }
        log::info!("{} is mounted on {}", prefix.display(), mountpoint.display());
        log::info!("{}", end(&session.wait()?));
        Ok(ExitCode::SUCCESS)
    }

    fn start(&self, tree: Tree, source: &Path, mountpoint: &Path) -> anyhow::Result<Session> {
        let mode = match self.cache {
            Mode::Auto => CacheMode::Auto,
            Mode::Kernel => CacheMode::Kernel,
            Mode::Direct => CacheMode::Direct,
        };
        let cores = std::thread::available_parallelism().map_or(*THREADS.start(), usize::from);
        let threads = self.threads.map_or(cores.clamp(*THREADS.start(), *THREADS.end()), usize::from);
        let fuse = Fuse::new(Arc::new(tree), Arc::new(Cache::new(self.cache_size)), mode);
        let options = Options { source: source.into(), threads, allow_other: self.allow_other };
        let session = Session::start(fuse, mountpoint, &options)?;
        if mount::has_glob_characters(mountpoint) {
            warning(format_args!(
                "{}: TensorFlow takes * ? [ ] \\ in a path for a pattern, and will not find checkpoints here",
                mountpoint.display()
            ));
        }
        Ok(session)
    }
}

fn end(end: &End) -> String {
    match end {
        End::Signal(signal) => format!("unmounted on signal {signal}"),
        End::Unmounted => "unmounted".into(),
        End::Abandoned(signal) => format!("ended by a second signal {signal} while it was still in use"),
    }
}

/// What is there, what the map did, and what to do next.
fn message(checkpoint: &Checkpoint, report: &Report, mountpoint: &Path) -> String {
    let catalog = &checkpoint.catalog;
    let (variables, size) = (counted(catalog.variables.len(), "variable"), bytes(catalog.len()));
    let changed = catalog.variables.iter().filter(|variable| variable.origin.is_some()).count();
    let map = match report.rules.len() {
        0 => String::new(),
        n => format!("; {} gave {changed} names and left {} out", counted(n, "rule"), report.dropped.len()),
    };
    let prefix = mountpoint.join(&checkpoint.prefix.stem);
    format!(
        "ckptfs: {} on {}: {variables}, {size}{map}\n  \
         restore   {prefix}\n  \
         look      ls {prefix}/vars\n  \
         unmount   ckptfs umount {}\n  \
         The mount is read-only: save new checkpoints elsewhere.",
        checkpoint.prefix.path().display(),
        mountpoint.display(),
        mountpoint.display(),
        prefix = prefix.display(),
    )
}
