//! `ckptfs mount`: mounts checkpoints, by default with a process in the background.

mod options;

use std::ffi::OsStr;
use std::io::IsTerminal;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf, absolute};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, anyhow};

use crate::cli::error::Usage;
use crate::cli::flags::map_flags::{MapFlags, command_line};
use crate::cli::flags::parse::parse_mode;
use crate::cli::mount::planning::{Misfits, Planning};
use crate::cli::mount::serve::{NewestIndex, ServeFlags};
use crate::cli::mount::{logging, serve};
use crate::cli::output::changes;
use crate::cli::output::terminal::{bytes, counted, say, warning};
use crate::fuse::ServeOptions;
use crate::mount;
use crate::mount::{Access, EndReason, Options, ProcessRole, READY, Session};
use crate::mounted_source::{MountedSource, Newest};
use crate::name::quoted;
use crate::source::Checkpoint;
use crate::tree::{Counts, Planned, Show, Tree};

/// Mount checkpoints on a directory, with variables renamed by a map
///
/// Returns when the mount answers. A background process serves the mount until `ckptfs umount`. The mount is
/// read-only, and only its owner can access it.
#[derive(clap::Args)]
#[command(after_long_help = "Examples:
  $ ckptfs mount train/ckpt-9 m --rename 'bert/**=encoder/**' --drop '**/adam_*'
  $ ckptfs mount train/ m --map fix.toml --show npy,raw    # two forms of each
  $ ckptfs mount old/ckpt-1 m --like wanted --match name

Without a subcommand, `ckptfs SOURCE MOUNTPOINT -o …` is a mount: `mount -t fuse.ckptfs` and fstab call it so. \
Link /sbin/mount.ckptfs to ckptfs, and `mount -t ckptfs` works too.")]
pub(crate) struct Args {
    /// A directory of checkpoints, one checkpoint (train/ckpt-9) or any of its files, or a SavedModel
    source: PathBuf,
    /// An empty directory
    mountpoint: PathBuf,
    #[command(flatten)]
    pub(crate) map: MapFlags,
    /// Stay in the foreground; the log goes to standard error
    #[arg(short, long)]
    pub(crate) foreground: bool,
    #[command(flatten)]
    pub(crate) serve: ServeFlags,
    /// Mount on a directory that is not empty
    #[arg(long)]
    pub(crate) nonempty: bool,
    /// Unmount even if ckptfs is killed
    #[arg(long)]
    pub(crate) auto_unmount: bool,
    /// Allow access by other users
    #[arg(long, conflicts_with = "allow_root")]
    pub(crate) allow_other: bool,
    /// Allow access by root
    #[arg(long)]
    pub(crate) allow_root: bool,
    /// The user that files belong to, instead of yours
    #[arg(long, value_name = "ID")]
    pub(crate) uid: Option<u32>,
    /// The group that files belong to, instead of yours
    #[arg(long, value_name = "ID")]
    pub(crate) gid: Option<u32>,
    /// Permission bits to clear in files and directories, in octal
    #[arg(long, value_name = "MODE", value_parser = parse_mode)]
    pub(crate) umask: Option<u16>,
    /// Options as for mount(8): the names of the long flags, and the options of fstab
    #[arg(short = 'o', value_name = "WORD,…")]
    pub(crate) options: Vec<String>,
    /// Do everything except mounting, as `mount --fake` does
    #[arg(long, hide = true)]
    fake: bool,
}

/// The permission bits of all but the owner.
const OTHERS: u16 = 0o077;

impl Args {
    pub(crate) fn run(mut self) -> anyhow::Result<ExitCode> {
        let warnings = options::apply(&mut self).map_err(Usage)?;
        if !self.foreground && !self.fake && mount::process_role() == ProcessRole::Parent {
            return Ok(mount::background()?);
        }
        warnings.iter().for_each(warning);
        self.serve()
    }

    /// Mounts and serves, in the process that serves the mount.
    fn serve(self) -> anyhow::Result<ExitCode> {
        let stderr = if self.foreground { logging::Stderr::All } else { logging::Stderr::Silent };
        let log = self.serve.start_log(stderr)?;
        let transform = Arc::new(self.map.transform()?);
        let mountpoint = mount::check(&self.mountpoint, self.nonempty)?;
        // The path must be absolute, because a daemon leaves the directory in which it was started.
        let source_dir = MountedSource::open(&absolute(&self.source)?, transform.clone())?
            .with_checksum_store(serve::keep());
        let newest = source_dir.newest().map_err(|error| error.in_command(&command_line()))?;
        let source = source_dir.path();
        let message = message(&source_dir, &newest, &self.mountpoint, &self.serve.show);
        let newest_stem = newest.stem.clone();
        let tree = tree(source_dir, newest, &self.serve.show)?;
        let index = NewestIndex::of(&tree, newest_stem.as_encoded_bytes());
        let checkpoints = tree.checkpoints();
        if self.fake {
            return Ok(ExitCode::SUCCESS);
        }
        let fuse =
            self.serve.fuse(tree, (&source, &mountpoint), transform.map.to_toml(), log, self.serve_options());
        let session = Session::start(fuse, &mountpoint, &self.session(&source));
        let session = session.map_err(|error| self.advise(error, &newest_stem))?;
        self.warn_of_glob_characters();
        let planning = Planning::start(checkpoints);
        if std::io::stderr().is_terminal() {
            say(message + &misfits(&planning.first_counts(), &self.mountpoint));
        }
        log::info!("{} is mounted on {}", source.display(), mountpoint.display());
        if !self.foreground
            && let Err(error) = mount::detach()
        {
            session.unmount();
            return Err(error.into());
        }
        if self.foreground {
            mount::notify(READY);
        }
        index.prepare();
        log::info!("{}", end(&session.wait()?));
        Ok(ExitCode::SUCCESS)
    }

    /// Adds advice to an error of mounting: if mounts are impossible here, `export --link` gives the same result with
    /// links to the data and a new index.
    fn advise(&self, error: mount::Error, stem: &OsStr) -> anyhow::Error {
        if !matches!(error, mount::Error::NoDevice | mount::Error::NotPermitted) {
            return error.into();
        }
        let paths = [self.source.to_string_lossy(), self.mountpoint.join(stem).to_string_lossy()]
            .map(|path| quoted(&path));
        let flags: Vec<_> = [&paths[..], self.map.typed()].concat();
        anyhow!("{error}\n  help: without a mount: ckptfs export --link {}", flags.join(" "))
    }

    fn serve_options(&self) -> ServeOptions {
        let own = ServeOptions::default();
        let (uid, gid) = (self.uid.unwrap_or(own.uid), self.gid.unwrap_or(own.gid));
        // To let root in, the kernel has to let all users in. Without permission bits for others, only root gets in.
        let others = if self.allow_root { OTHERS } else { 0 };
        ServeOptions { uid, gid, umask: self.umask.unwrap_or(0) | others, ..own }
    }

    fn session(&self, source: &Path) -> Options {
        let access = match (self.allow_other, self.allow_root) {
            (true, _) => Access::Everybody,
            (false, true) => Access::Root,
            (false, false) => Access::Owner,
        };
        Options { access, auto_unmount: self.auto_unmount, ..Options::new(source, self.serve.threads()) }
    }

    fn warn_of_glob_characters(&self) {
        if mount::has_glob_characters(&self.mountpoint) {
            warning(format_args!(
                "{}: TensorFlow takes * ? [ ] \\ in a path for a pattern, and will not find checkpoints here",
                self.mountpoint.display()
            ));
        }
    }
}

/// Returns the tree of a mounted source whose newest checkpoint is planned, and prints the warnings about that
/// checkpoint.
pub(crate) fn tree(source_dir: MountedSource, newest: Newest, show: &Show) -> anyhow::Result<Tree> {
    newest.skipped.iter().for_each(warning);
    newest.checkpoint.warnings.iter().for_each(warning);
    newest.transformed.overlays.warnings.iter().for_each(warning);
    newest.transformed.salvaged.iter().for_each(warning);
    newest.transformed.report.warnings.iter().for_each(warning);
    newest.transformed.warnings.iter().for_each(warning);
    let Newest { stem, checkpoint: Checkpoint { catalog, stamp, .. }, .. } = newest;
    let (path, planned) = (source_dir.path(), Planned { stem: stem.into_encoded_bytes(), catalog, stamp });
    Tree::showing(show.clone(), Box::new(source_dir), [planned]).with_context(|| path.display().to_string())
}

fn end(end: &EndReason) -> String {
    match end {
        EndReason::Signal(signal) => format!("unmounted on signal {signal}"),
        EndReason::Unmounted => "unmounted".into(),
        EndReason::Abandoned(signal) => {
            format!("ended by a second signal {signal} while it was still in use")
        }
    }
}

/// Returns the last lines of the message if checkpoints do not fit, else an empty string.
fn misfits(counts: &Counts, mountpoint: &Path) -> String {
    let Some(newest) = counts.mismatched.first() else { return String::new() };
    let error = mountpoint.join(OsStr::from_bytes(newest)).with_added_extension("error");
    format!(
        "\n{}\n  help: cat {} says why; ckptfs status {} counts them all",
        Misfits::from(counts),
        quoted(&error.to_string_lossy()),
        quoted(&mountpoint.to_string_lossy())
    )
}

/// The line about object-based checkpoints: TensorFlow restores a variable when the variable is created.
const DEFERRED: &str = "\nA model that is not built yet is read when it is built: keep the mount until then.";

/// Returns the message about a new mount: its contents, the changes of the map, and the commands for the next steps.
fn message(source_dir: &MountedSource, newest: &Newest, mountpoint: &Path, show: &Show) -> String {
    let Newest { stem, checkpoint, transformed: outcome, count, .. } = newest;
    let report = &outcome.report;
    let catalog = &checkpoint.catalog;
    let (variables, size) = (counted(catalog.variables.len(), "variable"), bytes(catalog.len()));
    let map = match report.rules.len() {
        0 => String::new(),
        n => format!("\n  map      {}: {}", counted(n, "rule"), changes::done(catalog, report.dropped.len())),
    };
    let overlaid = outcome.overlays.from.iter().map(|from| {
        let all = from.replaced.len() + from.added.len();
        format!("\n  over it  {}: {}, {} of them new", from.flag, counted(all, "variable"), from.added.len())
    });
    let map = overlaid.collect::<String>() + &map;
    let checkpoints = match count {
        1 => String::new(),
        n => format!("{n} checkpoints, the newest {}: ", stem.display()),
    };
    let prefix = mountpoint.join(stem);
    let deferred = if catalog.objects.is_some() { DEFERRED } else { "" };
    let look = show.first_directory().map_or_else(|| prefix.clone(), |directory| prefix.join(directory));
    format!(
        "{} is mounted on {}: {checkpoints}{variables}, {size}{map}\n  \
         restore  {prefix}\n  \
         look     ls {look}\n  \
         unmount  ckptfs umount {}\n\
         It is read-only: save new checkpoints elsewhere.{deferred}",
        source_dir.path().display(),
        mountpoint.display(),
        mountpoint.display(),
        prefix = prefix.display(),
        look = look.display(),
    )
}
