//! The command line: one enum variant for each subcommand.

use clap::{Parser, Subcommand};

use crate::cli::commands::{
    cat, check, completions, diff, doctor, export, fix, ls, man, maps, suggest, want,
};
#[cfg(feature = "fuse")]
use crate::cli::commands::{demo, mount, run, status, umount};

/// Mount TensorFlow checkpoints as files, under the names your program expects.
///
/// A mount shows each checkpoint in two forms: as a checkpoint with variables renamed by a map, for TensorFlow to
/// restore from, and as a tree of files, one for each variable, for ls, cat, grep and np.load. No data is copied.
#[derive(Parser)]
#[command(name = "ckptfs", version, max_term_width = 100)]
#[cfg_attr(
    feature = "fuse",
    command(after_long_help = "Examples:
  $ ckptfs ls train/ckpt-9
  $ ckptfs check train/ckpt-9 --rename 'bert/**=encoder/**'
  $ ckptfs mount train/ckpt-9 m --rename 'bert/**=encoder/**'")
)]
#[cfg_attr(
    not(feature = "fuse"),
    command(after_long_help = "Examples:
  $ ckptfs ls train/ckpt-9
  $ ckptfs export train/ckpt-9 new/model --rename 'bert/**=encoder/**'")
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    #[cfg(feature = "fuse")]
    Mount(mount::Args),
    #[cfg(feature = "fuse")]
    Umount(umount::Args),
    #[cfg(feature = "fuse")]
    Run(run::Args),
    #[cfg(feature = "fuse")]
    Status(status::Args),
    Ls(ls::Args),
    Cat(cat::Args),
    Check(check::Args),
    Suggest(suggest::Args),
    Diff(diff::Args),
    Want(want::Args),
    Doctor(doctor::Args),
    Fix(fix::Args),
    Export(export::Args),
    Maps(maps::Args),
    #[cfg(feature = "fuse")]
    Demo(demo::Args),
    Completions(completions::Args),
    Man(man::Args),
}
