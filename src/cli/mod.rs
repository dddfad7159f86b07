//! The command line: parsing and printing only.
//!
//! ```text
//! args.rs     the subcommands
//! commands/   one file or directory for each subcommand
//! flags/      flags that several commands share, completion, hints for unknown subcommands
//! output/     errors, tables and trees on a terminal; manual pages
//! mount/      the code that `mount` and `run` share: serving, `.ckptfs/`, logs; the command lines of mount(8)
//! ```

mod args;
mod commands;
mod error;
mod flags;
#[cfg(feature = "fuse")]
mod mount;
mod output;

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use output::terminal;

use crate::cli::args::{Cli, Command};
use crate::cli::error::{ParseError, Usage, is_broken_pipe};
use crate::cli::flags::{completer, other_words};

/// The exit code of incorrect use. Failures and negative results have exit code 1.
const USED_WRONGLY: u8 = 2;

/// Runs the command line of this process and returns its exit code: 0 for success, 1 for a failure or a negative
/// result, 2 for incorrect use.
pub fn run() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    #[cfg(feature = "fuse")]
    if let [_, word, path, device] = args.as_slice()
        && word == crate::mount::GUARD
    {
        return crate::mount::guard(path.as_ref(), &device.to_string_lossy())
            .map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
    }
    if completer::complete() {
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
        Command::Suggest(args) => args.run(),
        Command::Diff(args) => args.run(),
        Command::Want(args) => args.run(),
        Command::Doctor(args) => args.run(),
        Command::Fix(args) => args.run(),
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
            let used_wrongly = error.is::<ParseError>() || error.is::<Usage>();
            ExitCode::from(if used_wrongly { USED_WRONGLY } else { 1 })
        }
    }
}

/// Adds the subcommand to arguments that lack it: `mount` where mount(8) leaves it out, `ls` before a single path.
fn with_subcommand(args: Vec<OsString>) -> Vec<OsString> {
    let mut ckptfs = Cli::command();
    ckptfs.build();
    let is_subcommand =
        |word: &OsStr| word.to_str().is_some_and(|word| ckptfs.find_subcommand(word).is_some());
    #[cfg(feature = "fuse")]
    let args = mount::helper::arguments(args, is_subcommand);
    other_words::arguments(args, is_subcommand)
}
