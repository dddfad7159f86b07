//! `auto_unmount`: a guardian process that outlives the daemon, however the daemon ends, and removes a mount that it
//! left behind.
//!
//! `fusermount3` has such a mode, but only for mounts that it made itself, and root's mounts are made without it. The
//! guardian holds one end of a pipe and waits for the other end to close. The kernel closes it when the daemon dies.

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};

use rustix::io::Errno;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::mount::mountpoint::Mounted;
use crate::mount::{device, mountpoint};

/// The first argument of a guardian process. The mountpoint and the device number follow it.
pub(crate) const WORD: &str = "guard";
/// The word that a guardian writes once signals no longer end it.
const READY: &[u8] = b"ready";

/// The daemon's end of the pipe.
pub(crate) struct AutoUnmount(#[allow(dead_code, reason = "held to be closed")] ChildStdin);

impl AutoUnmount {
    /// Starts a guardian for a mount of this process.
    pub(crate) fn start(mounted: &Mounted) -> io::Result<Self> {
        let mut command = Command::new("/proc/self/exe");
        command.arg0("ckptfs").arg(WORD).arg(&mounted.path).arg(&mounted.device);
        // The guardian has its own process group, so a signal to the daemon's group does not end it too.
        command.current_dir("/").process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut guardian = command.spawn()?;
        let (stdin, stdout) = (guardian.stdin.take(), guardian.stdout.take());
        // The guardian is of use only once it ignores signals.
        stdout.expect("a pipe").read_exact(&mut [0; READY.len()])?;
        Ok(Self(stdin.expect("a pipe")))
    }
}

/// Runs a guardian: waits until its standard input closes, then unmounts the mount if it is still there and dead.
///
/// # Errors
/// An error of reading or of unmounting.
pub(crate) fn guard(path: &Path, device: &str) -> io::Result<()> {
    // Signals to the whole control group are for the daemon. The guardian ends after the daemon does.
    let ignored = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    let _ = rustix::process::setsid();
    io::stdout().write_all(READY)?;
    io::stdout().flush()?;
    io::stdin().lock().read_to_end(&mut Vec::new())?;
    drop(ignored);
    let left = mountpoint::find(path).ok().flatten().filter(|left| left.is_ours() && left.device == device);
    match left.filter(|left| is_dead(&left.path)) {
        Some(left) => device::unmount(&left.path, true).map_err(io::Error::other),
        None => Ok(()),
    }
}

/// Returns true if no process serves the mount. The device number is not enough to identify the mount, because a
/// later mount may get the same number. The kernel never answers statfs(2) from a cache.
fn is_dead(path: &Path) -> bool {
    matches!(rustix::fs::statfs(path), Err(Errno::NOTCONN | Errno::CONNABORTED))
}
