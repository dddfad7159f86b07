//! Serving a mount until it ends.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::device::{self, Error};
use super::mountpoint::{self, Mounted};
use crate::fuse::Fuse;

/// How a mount is to be.
#[derive(Clone, Debug)]
pub struct Options {
    /// What `mount` lists as the source.
    pub source: PathBuf,
    /// Threads that answer the kernel, 2 or more: one that waits for a disk must not keep `ls` waiting.
    pub threads: usize,
    /// Whether other users may look at it.
    pub allow_other: bool,
}

/// A mount that answers.
pub struct Session {
    mountpoint: PathBuf,
    /// What the kernel listed when the mount was made.
    mounted: Option<Mounted>,
    events: Receiver<Event>,
}

enum Event {
    Signal(i32),
    Ended(io::Result<()>),
}

/// How a mount ended.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// We unmounted it on a signal.
    Signal(i32),
    /// Somebody unmounted it.
    Unmounted,
    /// Detached, and left behind still in use, on a second signal.
    Abandoned(i32),
}

impl Session {
    /// Mounts `fuse` on `mountpoint` (absolute) and returns when the kernel has an answer from it.
    ///
    /// # Errors
    /// Those of mounting. Nothing is left mounted then.
    pub fn start(fuse: Fuse, mountpoint: &Path, options: &Options) -> Result<Self, Error> {
        raise_file_limit();
        let (sender, events) = channel();
        // Before there is a mount, so that no signal can end us and leave it behind.
        listen(sender.clone()).map_err(|error| Error::Io("signals".into(), error))?;
        let device = device::mount(&options.source, mountpoint, options.allow_other)?;
        let acl = if options.allow_other { fuser::SessionACL::All } else { fuser::SessionACL::Owner };
        let mut config = fuser::Config::default();
        config.acl = acl;
        config.n_threads = Some(options.threads.max(2));
        let undo = |error| {
            let _ = device::unmount(mountpoint, true);
            Error::Io(mountpoint.display().to_string(), error)
        };
        let session = fuser::Session::from_fd(fuse, device, acl, config)
            .and_then(fuser::Session::spawn)
            .map_err(undo)?;
        thread::spawn(move || sender.send(Event::Ended(session.join())));
        std::fs::metadata(mountpoint).map_err(undo)?;
        widen_read_ahead(mountpoint);
        Ok(Self { mountpoint: mountpoint.into(), mounted: mountpoint::find(mountpoint), events })
    }

    /// Serves until somebody unmounts it, or SIGINT, SIGTERM or SIGHUP asks us to.
    ///
    /// If it is in use then, it is detached, and what is open is served until it is closed or a second signal comes.
    ///
    /// # Errors
    /// That of the connection to the kernel.
    pub fn wait(self) -> io::Result<End> {
        let mut asked = None;
        loop {
            match (self.events.recv(), asked) {
                (Ok(Event::Ended(Err(error))), _) => return Err(error),
                (Ok(Event::Ended(Ok(()))), Some(signal)) => return Ok(End::Signal(signal)),
                (Ok(Event::Ended(Ok(()))), None) => return Ok(End::Unmounted),
                (Ok(Event::Signal(signal)), None) => {
                    self.unmount();
                    asked = Some(signal);
                }
                (Ok(Event::Signal(signal)), Some(_)) => return Ok(End::Abandoned(signal)),
                (Err(error), _) => return Err(io::Error::other(error)),
            }
        }
    }

    /// Unmounts, if what is mounted there is still ours.
    pub fn unmount(&self) {
        if self.mounted.is_none() || mountpoint::find(&self.mountpoint) != self.mounted {
            return;
        }
        match device::unmount(&self.mountpoint, false) {
            Ok(()) => {}
            Err(Error::Busy(path)) => {
                log::warn!("{path}: in use; detached, and what is open is served until it is closed");
                if let Err(error) = device::unmount(&self.mountpoint, true) {
                    log::error!("{error}");
                }
            }
            Err(error) => log::error!("{error}"),
        }
    }

    /// Waits for the kernel to let go of a mount that was unmounted.
    ///
    /// # Errors
    /// That of the connection to the kernel.
    pub fn join(self) -> io::Result<()> {
        self.events
            .iter()
            .find_map(|event| if let Event::Ended(result) = event { Some(result) } else { None })
            .unwrap_or(Ok(()))
    }
}

fn listen(sender: Sender<Event>) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    thread::spawn(move || signals.forever().try_for_each(|signal| sender.send(Event::Signal(signal))));
    Ok(())
}

/// Every data file of a checkpoint in use is open, and a directory may have many.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// Lets the kernel read ahead a mebibyte instead of 128 KiB, where we may: a third more from large files.
fn widen_read_ahead(mountpoint: &Path) {
    if let Some(mounted) = mountpoint::find(mountpoint) {
        let _ = std::fs::write(format!("/sys/class/bdi/{}/read_ahead_kb", mounted.device), "1024");
    }
}
