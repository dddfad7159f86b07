//! Running in the background: the process starts a copy of itself, and waits until the copy reports that the mount
//! answers.
//!
//! Unlike a fork, a new start is safe with more than one thread. The copy keeps standard error until it is ready, so
//! that it can print errors. Its standard output is the pipe to its parent.

use std::env;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};

use crate::mount::mountpoint::no_proc;

/// The environment variable that is set for the copy.
const MARK: &str = "CKPTFS_DAEMON";
const READY: &[u8] = b"ready\n";
/// The environment variable, read when a process starts, that makes the C library's allocator use one heap for all
/// threads. With a heap for each thread, blocks that one thread allocates and another frees leave free memory behind
/// that adds up to half of the cache's size.
const ALLOCATOR: (&str, &str) = ("GLIBC_TUNABLES", "glibc.malloc.arena_max=1");

/// The role of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProcessRole {
    /// The process that the user started.
    Parent,
    /// The copy, which serves the mount.
    Daemon,
}

/// Returns the role of this process.
pub(crate) fn process_role() -> ProcessRole {
    if env::var_os(MARK).is_some() { ProcessRole::Daemon } else { ProcessRole::Parent }
}

/// Starts the copy with the same arguments and returns this process's exit code: 0 once the mount answers, else the
/// exit code of the copy, which has printed the error.
///
/// # Errors
/// An error of starting the copy or of reading its report.
pub(crate) fn background() -> io::Result<ExitCode> {
    let mut args = env::args_os();
    let mut command = Command::new("/proc/self/exe");
    command.arg0(args.next().unwrap_or_else(|| "ckptfs".into())).args(args).env(MARK, "1");
    let (variable, one_heap) = ALLOCATOR;
    command.env(variable, env::var_os(variable).unwrap_or_else(|| one_heap.into()));
    let mut copy = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(no_proc)?;
    let mut said = Vec::new();
    if let Some(mut line) = copy.stdout.take() {
        line.read_to_end(&mut said)?;
    }
    if said == READY {
        return Ok(ExitCode::SUCCESS);
    }
    let status = copy.wait()?;
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}

/// Called in the copy once the mount answers: tells the parent, and leaves its terminal and its directory. The
/// standard file descriptors are redirected to /dev/null: if they were closed, the next opened file would get their
/// numbers.
///
/// # Errors
/// An error of one of the system calls.
pub(crate) fn detach() -> io::Result<()> {
    // In a session of its own, the process gets no hangup from the terminal. The call fails only for a process group
    // leader.
    let _ = rustix::process::setsid();
    env::set_current_dir("/")?;
    let null = File::options().read(true).write(true).open("/dev/null")?;
    let mut stdout = io::stdout();
    stdout.write_all(READY)?;
    stdout.flush()?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    Ok(())
}
