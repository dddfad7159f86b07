//! The command line: parsing and printing only. A file for each subcommand, a row for each in `Command`.

mod cat;
mod check;
mod completions;
mod export;
mod ls;
mod man;
mod map_flags;
mod maps;
mod outline;
mod overlay_flags;
mod reference;
mod terminal;

#[cfg(feature = "fuse")]
mod demo;
#[cfg(feature = "fuse")]
mod logging;
#[cfg(feature = "fuse")]
mod mount;
#[cfg(feature = "fuse")]
mod mount_helper;
#[cfg(feature = "fuse")]
mod mount_options;
#[cfg(feature = "fuse")]
mod run;
#[cfg(feature = "fuse")]
mod sample;
#[cfg(feature = "fuse")]
mod service;
#[cfg(feature = "fuse")]
mod serving;
#[cfg(feature = "fuse")]
mod status;
#[cfg(feature = "fuse")]
mod umount;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

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
    #[cfg(feature = "fuse")]
    Run(run::Args),
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
    let result = match Cli::parse_from(with_subcommand(args)).command {
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
        Command::Completions(args) => args.run(Cli::command()),
        Command::Man(args) => args.run(Cli::command()),
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

/// The arguments, with the subcommand that mount(8) leaves out.
fn with_subcommand(args: Vec<OsString>) -> Vec<OsString> {
    #[cfg(feature = "fuse")]
    let args = {
        let mut ckptfs = Cli::command();
        ckptfs.build();
        mount_helper::arguments(args, |word| {
            word.to_str().is_some_and(|word| ckptfs.find_subcommand(word).is_some())
        })
    };
    args
}

/// Whoever read our output has had enough, which is no failure of ours: `ckptfs ls ckpt | head`.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
