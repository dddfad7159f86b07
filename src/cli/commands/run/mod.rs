//! `ckptfs run`: runs a command in a private mount namespace in which the source directory shows the mount.

mod auto;
mod stdin;

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf, absolute};
use std::process::{Child, Command, ExitCode, ExitStatus};
use std::sync::Arc;
use std::{env, fs, io};

use anyhow::Context;
use rustix::process::{Pid, PidfdFlags, Signal, getpgrp, pidfd_open, pidfd_send_signal};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

use crate::cli::flags::map_flags::MapFlags;
use crate::cli::mount::planning::Planning;
use crate::cli::mount::serve::{NewestIndex, ServeFlags};
use crate::cli::mount::{logging, serve};
use crate::cli::output::terminal;
use crate::fuse::ServeOptions;
use crate::mount;
use crate::mount::{Options, Session};
use crate::mounted_source::MountedSource;

/// Run a command that sees a checkpoint under new names, at its usual path
///
/// A read-only mount covers the directory of the source. Only the command and its child processes see it, and it ends
/// with the command. So a program whose paths cannot be changed restores the renamed checkpoint. The other files of
/// the directory stay visible.
///
/// With --auto, a command that fails is run once more if the words of its error are known and the flags that mend it are sure.
/// ckptfs asks before, on a terminal, unless --yes is given. The command's standard error is then a pipe.
#[derive(clap::Args)]
#[command(after_long_help = "Examples:
  $ ckptfs run train/ --rename 'bert/**=encoder/**' -- python eval.py
  $ ckptfs run train/ckpt-9 --map fix.toml -- python eval.py
  $ ckptfs run --auto train/ckpt-9 -- python eval.py")]
pub(crate) struct Args {
    /// One checkpoint (train/ckpt-9) or any of its files, a directory (all its checkpoints are mapped), or a
    /// SavedModel
    source: PathBuf,
    /// If the command fails and the mend is sure, run it once more with the flags that mend it
    #[arg(long)]
    auto: bool,
    /// With --auto, do not ask
    #[arg(long, requires = "auto")]
    yes: bool,
    #[command(flatten)]
    map: MapFlags,
    #[command(flatten)]
    serve: ServeFlags,
    /// The command and its arguments. Flags of ckptfs come before it, optionally with `--` in between
    #[arg(trailing_var_arg = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// The signals that are forwarded to the command.
const FORWARDED: &[i32] = &[SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];
/// The signals that the terminal sends to the command directly.
const OF_THE_TERMINAL: &[i32] = &[SIGINT, SIGQUIT];

/// The exit code of shells for a command that does not exist.
const NOT_FOUND: u8 = 127;
/// The exit code of shells for a command that cannot be run.
const NOT_EXECUTABLE: u8 = 126;
/// The base of the exit code of a command that a signal ended: the signal number is added to it.
const SIGNALLED: i32 = 128;

impl Args {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        if self.auto {
            return self.run_and_mend();
        }
        let log = self.serve.start_log(logging::Stderr::Warnings)?;
        let transform = Arc::new(self.map.transform()?);
        let here = env::current_dir().context("the current directory")?;
        // A namespace can be entered only before any thread is started.
        mount::enter()?;
        let source_dir = MountedSource::around(&absolute(&self.source)?, transform.clone())?
            .with_checksum_store(serve::keep());
        let (newest, source) = (source_dir.newest()?, source_dir.path());
        let directory = fs::canonicalize(source_dir.directory())?;
        let stem = newest.stem.clone();
        let tree = crate::cli::commands::mount::tree(source_dir, newest, &self.serve.show)?;
        let index = NewestIndex::of(&tree, stem.as_encoded_bytes());
        let checkpoints = tree.checkpoints();
        let fuse = self.serve.fuse(
            tree,
            (&source, &directory),
            transform.map.to_toml(),
            log,
            ServeOptions::default(),
        );
        let options = Options { signals: FORWARDED, ..Options::new(&source, self.serve.threads()) };
        let session = Session::start(fuse, &directory, &options)?;
        Planning::start(checkpoints);
        index.prepare();
        self.serve(&session, &here)
    }

    /// Runs the command in the user's current directory and returns its exit code.
    fn serve(&self, session: &Session, here: &Path) -> anyhow::Result<ExitCode> {
        let [program, args @ ..] = self.command.as_slice() else {
            unreachable!("the command line demands it")
        };
        let child = match Command::new(program).args(args).current_dir(here).spawn() {
            Ok(child) => child,
            Err(error) => return Ok(not_run(program, &error)),
        };
        let signals = Forward::to(&child)?;
        Ok(exit_code(session.serve(child, |signal| signals.send(signal))?))
    }
}

/// A sender of signals to a child. It holds a process file descriptor (pidfd), so it never signals a later process
/// with the same ID.
struct Forward(std::os::fd::OwnedFd);

impl Forward {
    fn to(child: &Child) -> io::Result<Self> {
        Ok(Self(pidfd_open(Pid::from_child(child), PidfdFlags::empty())?))
    }

    fn send(&self, signal: i32) {
        if OF_THE_TERMINAL.contains(&signal) && has_the_terminal() {
            return;
        }
        if let Some(signal) = Signal::from_named_raw(signal) {
            // The child may have ended already.
            let _ = pidfd_send_signal(&self.0, signal);
        }
    }
}

/// Returns true if this process's group is in the foreground of the terminal. Ctrl-C then reaches the command too,
/// which is in the same group.
fn has_the_terminal() -> bool {
    let terminal = fs::File::open("/dev/tty");
    terminal.is_ok_and(|terminal| rustix::termios::tcgetpgrp(terminal) == Ok(getpgrp()))
}

fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| Some(SIGNALLED + status.signal()?));
    code.and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
}

fn not_run(program: &OsString, error: &io::Error) -> ExitCode {
    terminal::error(&anyhow::anyhow!("{}: {error}", program.display()));
    ExitCode::from(if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn read(line: &str) -> (PathBuf, Vec<String>, Vec<OsString>) {
        let args = Line::try_parse_from(["run"].into_iter().chain(line.split(' '))).unwrap().args;
        (args.source, args.map.typed().to_vec(), args.command)
    }

    #[test]
    fn a_command_needs_no_dashes_and_keeps_its_own_flags() {
        let command = ["python", "eval.py", "--rename", "x", "--", "-v"].map(OsString::from).to_vec();
        let flags = vec!["--rename 'a=b'".to_owned()];
        for line in [
            "train --rename a=b -- python eval.py --rename x -- -v",
            "train --rename a=b python eval.py --rename x -- -v",
            "--rename a=b train python eval.py --rename x -- -v",
        ] {
            assert_eq!(read(line), ("train".into(), flags.clone(), command.clone()), "{line}");
        }
        assert!(Line::try_parse_from(["run", "train"]).is_err(), "a command is required");
        assert!(Line::try_parse_from(["run", "train", "--renam", "a=b", "true"]).is_err());
    }
}
