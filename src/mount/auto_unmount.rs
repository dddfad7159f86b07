//! `auto_unmount`: a process that outlives the daemon, however that ends, and takes away a mount that it left behind.
//!
//! `fusermount3` has such a mode, but only for mounts that it made itself, which those of root are not. Ours holds one
//! end of a pipe and waits for the other to close, which the kernel does for whoever dies.

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};

use rustix::io::Errno;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::mount::mountpoint::Mounted;
use crate::mount::{device, mountpoint};

/// The word on the command line that makes a process a guardian. Its arguments are the mountpoint and the device.
pub(crate) const WORD: &str = "guard";
/// The word that it writes when signals no longer end it.
const READY: &[u8] = b"ready";

/// The daemon's end of the pipe.
pub(crate) struct AutoUnmount(#[allow(dead_code, reason = "held to be closed")] ChildStdin);

impl AutoUnmount {
    /// Starts a guardian for a mount of this process.
    pub(crate) fn start(mounted: &Mounted) -> io::Result<Self> {
        let mut command = Command::new("/proc/self/exe");
        command.arg0("ckptfs").arg(WORD).arg(&mounted.path).arg(&mounted.device);
        // A group of its own, so that what is sent to the daemon's does not end it too.
        command.current_dir("/").process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut guardian = command.spawn()?;
        let (stdin, stdout) = (guardian.stdin.take(), guardian.stdout.take());
        // It is no guardian before it ignores signals.
        stdout.expect("a pipe").read_exact(&mut [0; READY.len()])?;
        Ok(Self(stdin.expect("a pipe")))
    }
}

/// What a guardian does: waits until its standard input closes, and unmounts what is still mounted then.
///
/// # Errors
/// Those of reading, and of unmounting.
pub(crate) fn guard(path: &Path, device: &str) -> io::Result<()> {
    // Signals for the whole control group are the daemon's to obey; the guardian ends with it.
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

/// Whether nobody serves a mount. Its device number alone does not tell it from a later one, which may have it again. The
/// kernel answers this question from no cache.
fn is_dead(path: &Path) -> bool {
    matches!(rustix::fs::statfs(path), Err(Errno::NOTCONN | Errno::CONNABORTED))
}
