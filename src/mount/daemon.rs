//! Going to the background: the process starts itself again, and waits until the copy says that the mount answers.
//!
//! Starting anew rather than forking needs no promise that there is only one thread. The copy keeps the standard error
//! until it is ready, so that it can say what is wrong, and has its standard output as the line to its parent.

use std::env;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};

use crate::mount::mountpoint::no_proc;

/// Set for the copy.
const MARK: &str = "CKPTFS_DAEMON";
const READY: &[u8] = b"ready\n";
/// How the C library's allocator is told, before a process starts, to keep one heap for all threads: with one for each,
/// pieces that one of them makes and another lets go of leave half of the cache's size behind.
const ALLOCATOR: (&str, &str) = ("GLIBC_TUNABLES", "glibc.malloc.arena_max=1");

/// Which of the two this process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProcessRole {
    /// The one a person started.
    Parent,
    /// The one that stays.
    Daemon,
}

/// Which of the two this process is.
pub(crate) fn role() -> ProcessRole {
    if env::var_os(MARK).is_some() { ProcessRole::Daemon } else { ProcessRole::Parent }
}

/// Starts the copy with the same arguments and returns what this process is to exit with: 0 once the mount answers, else
/// what the copy exited with after it said why.
///
/// # Errors
/// Those of starting it.
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

/// In the copy, once the mount answers: tells the parent, and lets go of its terminal and its directory. The standard
/// descriptors go to /dev/null; were they closed, the next file opened would take their numbers.
///
/// # Errors
/// Those of the calls, before the parent was told.
pub(crate) fn detach() -> io::Result<()> {
    // An own session already: not to be hung up with the terminal. It fails for a leader only, which has one.
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
