//! The command line: parsing and printing only.
//!
//! ```text
//! commands/   one file a subcommand
//! flags/      flags that several commands share, completion, hints for unknown words
//! output/     errors, tables and trees on a terminal; manual pages
//! mount/      what `mount` and `run` share: serving, `.ckptfs/`, logs, `-o` options
//! ```

mod commands;
mod flags;
#[cfg(feature = "fuse")]
mod mount;
mod output;

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use commands::{cat, check, completions, export, ls, man, maps};
#[cfg(feature = "fuse")]
use commands::{demo, mount as mount_command, run as run_command, status, umount};
use flags::{map_flags, other_words};
use output::terminal;

/// Mount TensorFlow checkpoints as files, under the names your program wants.
///
/// A mount shows each checkpoint twice: as a checkpoint that TensorFlow restores from, its variables renamed by a map on
/// the way, and as a tree of files, one for each variable, for ls, cat, grep and np.load. No bytes are copied.
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
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    #[cfg(feature = "fuse")]
    Mount(mount_command::Args),
    #[cfg(feature = "fuse")]
    Umount(umount::Args),
    #[cfg(feature = "fuse")]
    Run(run_command::Args),
    #[cfg(feature = "fuse")]
    Status(status::Args),
    Ls(ls::Args),
    Cat(cat::Args),
    Check(check::Args),
    Export(export::Args),
    Maps(maps::Args),
    #[cfg(feature = "fuse")]
    Demo(demo::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// The exit code for: used wrongly, as opposed to found something wrong, or failed.
const USED_WRONGLY: u8 = 2;

/// A command line that means nothing, whatever the files are.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

/// Runs the command line of this process: 0 fine, 1 found something wrong or failed, 2 used wrongly.
pub fn run() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    #[cfg(feature = "fuse")]
    if let [_, word, path, device] = args.as_slice()
        && word == crate::mount::GUARD
    {
        return crate::mount::guard(path.as_ref(), &device.to_string_lossy())
            .map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
    }
    if completions::complete() {
        return ExitCode::SUCCESS;
    }
    let cli =
        Cli::try_parse_from(with_subcommand(args)).unwrap_or_else(|error| other_words::advised(error).exit());
    let result = match cli.command {
        #[cfg(feature = "fuse")]
        Command::Mount(args) => args.run(),
        #[cfg(feature = "fuse")]
        Command::Umount(args) => args.run(),
        #[cfg(feature = "fuse")]
        Command::Run(args) => args.run(),
        #[cfg(feature = "fuse")]
        Command::Status(args) => args.run(),
        Command::Ls(args) => args.run(),
        Command::Cat(args) => args.run(),
        Command::Check(args) => args.run(),
        Command::Export(args) => args.run(),
        Command::Maps(args) => args.run(),
        #[cfg(feature = "fuse")]
        Command::Demo(args) => args.run(),
        Command::Completions(args) => args.run(),
        Command::Man(args) => args.run(Cli::command()),
    };
    match result {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::error(&error);
            let used_wrongly = error.is::<map_flags::ParseError>() || error.is::<Usage>();
            ExitCode::from(if used_wrongly { USED_WRONGLY } else { 1 })
        }
    }
}

/// The arguments, with the subcommand that mount(8) leaves out, or that one path needs.
fn with_subcommand(args: Vec<OsString>) -> Vec<OsString> {
    let mut ckptfs = Cli::command();
    ckptfs.build();
    let is_subcommand =
        |word: &OsStr| word.to_str().is_some_and(|word| ckptfs.find_subcommand(word).is_some());
    #[cfg(feature = "fuse")]
    let args = mount::helper::arguments(args, is_subcommand);
    other_words::arguments(args, is_subcommand)
}

/// Whoever read our output has had enough, which is no failure of ours: `ckptfs ls ckpt | head`.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
