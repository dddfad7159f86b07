//! The session of a mount, from its start until it ends.

use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::{io, thread};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::fuse::Fuse;
use crate::mount::auto_unmount::AutoUnmount;
use crate::mount::device::Error;
use crate::mount::mountpoint::Mounted;
use crate::mount::notify::{STOPPING, notify};
use crate::mount::{device, mountpoint};

/// The options of a mount.
#[derive(Clone, Debug)]
pub struct Options {
    /// The source that mount(8) lists.
    pub(crate) source: PathBuf,
    /// The number of threads that answer the kernel, 2 or more: a thread that waits for a disk must not block `ls`.
    pub(crate) threads: usize,
    /// The users who may access the mount.
    pub(crate) access: Access,
    /// True if the mount is removed even if this process is killed.
    pub(crate) auto_unmount: bool,
    /// The signals that the session handles.
    pub(crate) signals: &'static [i32],
}

impl Options {
    /// Returns the options of a mount that only its owner may access, and that ends on SIGINT, SIGTERM and SIGHUP.
    pub fn new(source: impl Into<PathBuf>, threads: usize) -> Self {
        Self { source: source.into(), threads, access: Access::Owner, auto_unmount: false, signals: ENDING }
    }
}

/// The users who may access a mount. The permission bits of its files apply in addition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// The owner.
    #[default]
    Owner,
    /// The owner and root.
    Root,
    /// All users.
    Everybody,
}

impl Access {
    fn acl(self) -> fuser::SessionACL {
        match self {
            Self::Owner => fuser::SessionACL::Owner,
            Self::Root => fuser::SessionACL::RootAndOwner,
            Self::Everybody => fuser::SessionACL::All,
        }
    }
}

/// The signals that end a mount.
const ENDING: &[i32] = &[SIGINT, SIGTERM, SIGHUP];

/// A mount that answers.
pub struct Session {
    mountpoint: PathBuf,
    /// The kernel's entry for the mount, read when the mount was made.
    mounted: Option<Mounted>,
    events: Receiver<Event>,
    sender: Sender<Event>,
    _guardian: Option<AutoUnmount>,
}

enum Event {
    Signal(i32),
    Ended(io::Result<()>),
    /// The end of the command that the mount is served for.
    Exited(io::Result<ExitStatus>),
}

/// The reason why a mount ended.
#[derive(Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The process unmounted it on this signal.
    Signal(i32),
    /// Another process unmounted it.
    Unmounted,
    /// The process ended on this second signal and left the mount behind: detached and still in use.
    Abandoned(i32),
}

impl Session {
    /// Mounts `fuse` on `mountpoint` (absolute) and returns when the kernel has an answer from it.
    ///
    /// # Errors
    /// An error of mounting. Nothing stays mounted then.
    pub fn start(fuse: Fuse, mountpoint: &Path, options: &Options) -> Result<Self, Error> {
        raise_file_limit();
        let (sender, events) = channel();
        // Signals are handled before the mount is made, so that no signal can end the process and leave a mount
        // behind.
        listen(options.signals, sender.clone()).map_err(|error| Error::Io("signals".into(), error))?;
        let device = device::mount(&options.source, mountpoint, options.access != Access::Owner)?;
        let (mut config, acl) = (fuser::Config::default(), options.access.acl());
        config.acl = acl;
        config.n_threads = Some(options.threads.max(2));
        let undo = |error| {
            let _ = device::unmount(mountpoint, true);
            Error::Io(mountpoint.display().to_string(), error)
        };
        let session = fuser::Session::from_fd(fuse, device, acl, config)
            .and_then(fuser::Session::spawn)
            .map_err(undo)?;
        let end = sender.clone();
        thread::spawn(move || end.send(Event::Ended(session.join())));
        std::fs::metadata(mountpoint).map_err(undo)?;
        let mounted = mountpoint::find(mountpoint).ok().flatten();
        mounted.iter().for_each(widen_read_ahead);
        let guarded = mounted.iter().filter(|_| options.auto_unmount).map(AutoUnmount::start).next();
        let _guardian = guarded.transpose().map_err(undo)?;
        Ok(Self { mountpoint: mountpoint.into(), mounted, events, sender, _guardian })
    }

    /// Serves until the mount is unmounted, or a signal arrives.
    ///
    /// If the mount is in use when a signal arrives, it is detached. Open files are served until they are closed or a
    /// second signal arrives.
    ///
    /// # Errors
    /// An error of the connection to the kernel.
    pub(crate) fn wait(self) -> io::Result<EndReason> {
        let mut asked = None;
        loop {
            match (self.events.recv(), asked) {
                (Ok(Event::Ended(Err(error))), _) => return Err(error),
                (Ok(Event::Ended(Ok(()))), Some(signal)) => return Ok(EndReason::Signal(signal)),
                (Ok(Event::Ended(Ok(()))), None) => return Ok(EndReason::Unmounted),
                (Ok(Event::Exited(_)), _) => {}
                (Ok(Event::Signal(signal)), None) => {
                    notify(STOPPING);
                    self.unmount();
                    asked = Some(signal);
                }
                (Ok(Event::Signal(signal)), Some(_)) => return Ok(EndReason::Abandoned(signal)),
                (Err(error), _) => return Err(io::Error::other(error)),
            }
        }
    }

    /// Serves a command until it ends, then detaches the mount, even if processes that the command started still run.
    /// `forward` is called with each signal.
    ///
    /// # Errors
    /// An error of waiting for the command.
    pub(crate) fn serve(&self, mut command: Child, forward: impl Fn(i32)) -> io::Result<ExitStatus> {
        let sender = self.sender.clone();
        thread::spawn(move || sender.send(Event::Exited(command.wait())));
        loop {
            match self.events.recv().map_err(io::Error::other)? {
                Event::Exited(status) => {
                    self.detach();
                    return status;
                }
                Event::Signal(signal) => forward(signal),
                // The command itself unmounted the mount.
                Event::Ended(_) => {}
            }
        }
    }

    /// Unmounts, if the path still has this mount.
    pub fn unmount(&self) {
        if self.mounted.is_none() || mountpoint::find(&self.mountpoint).ok().flatten() != self.mounted {
            return;
        }
        match device::unmount(&self.mountpoint, false) {
            Ok(()) => {}
            Err(Error::Busy(path)) => {
                log::warn!("{path}: in use; detached, and what is open is served until it is closed");
                self.detach();
            }
            Err(error) => log::error!("{error}"),
        }
    }

    fn detach(&self) {
        if self.mounted.is_none() || mountpoint::find(&self.mountpoint).ok().flatten() != self.mounted {
            return;
        }
        if let Err(error) = device::unmount(&self.mountpoint, true) {
            log::error!("{error}");
        }
    }

    /// Waits until the kernel has released a mount that was unmounted.
    ///
    /// # Errors
    /// An error of the connection to the kernel.
    pub fn join(self) -> io::Result<()> {
        self.events
            .iter()
            .find_map(|event| if let Event::Ended(result) = event { Some(result) } else { None })
            .unwrap_or(Ok(()))
    }
}

fn listen(signals: &[i32], sender: Sender<Event>) -> io::Result<()> {
    let mut signals = Signals::new(signals)?;
    thread::spawn(move || signals.forever().try_for_each(|signal| sender.send(Event::Signal(signal))));
    Ok(())
}

/// Raises the limit of open files to its maximum: every data file of a checkpoint in use is open, and a directory may
/// have many.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// Sets the kernel's read-ahead to 1 MiB instead of 128 KiB, if permitted. Large files are read a third faster.
fn widen_read_ahead(mounted: &Mounted) {
    let _ = std::fs::write(format!("/sys/class/bdi/{}/read_ahead_kb", mounted.device), "1024");
}
