//! The command line: parsing and printing only. A file for each subcommand, a row for each in [`Command`].

mod cat;
mod check;
mod ls;
mod map_flags;
mod outline;
mod terminal;

#[cfg(feature = "fuse")]
mod demo;
#[cfg(feature = "fuse")]
mod logging;
#[cfg(feature = "fuse")]
mod mount;
#[cfg(feature = "fuse")]
mod mount_options;
#[cfg(feature = "fuse")]
mod sample;
#[cfg(feature = "fuse")]
mod umount;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Mount TensorFlow checkpoints as files, under the names your program wants.
///
/// A mount shows each checkpoint twice: as a checkpoint that TensorFlow restores from, its variables renamed by a map on
/// the way, and as a tree of files, one for each variable, for ls, cat, grep and np.load. No bytes are copied.
#[derive(Parser)]
#[command(name = "ckptfs", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    #[cfg(feature = "fuse")]
    Mount(mount::Args),
    #[cfg(feature = "fuse")]
    Umount(umount::Args),
    Ls(ls::Args),
    Cat(cat::Args),
    Check(check::Args),
    #[cfg(feature = "fuse")]
    Demo(demo::Args),
}

/// The exit code for: used wrongly, as opposed to found something wrong, or failed.
const USED_WRONGLY: u8 = 2;

/// A command line that means nothing, whatever the files are.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

/// Runs the command line of this process: 0 fine, 1 found something wrong or failed, 2 used wrongly.
pub fn run() -> ExitCode {
    let result = match Cli::parse().command {
        #[cfg(feature = "fuse")]
        Command::Mount(args) => args.run(),
        #[cfg(feature = "fuse")]
        Command::Umount(args) => args.run(),
        Command::Ls(args) => args.run(),
        Command::Cat(args) => args.run(),
        Command::Check(args) => args.run(),
        #[cfg(feature = "fuse")]
        Command::Demo(args) => args.run(),
    };
    match result {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::error(&error);
            let used_wrongly = error.is::<map_flags::DoesNotParse>() || error.is::<Usage>();
            ExitCode::from(if used_wrongly { USED_WRONGLY } else { 1 })
        }
    }
}

/// Whoever read our output has had enough, which is no failure of ours: `ckptfs ls ckpt | head`.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
