//! Serving a mount until it ends.

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

/// How a mount is to be.
#[derive(Clone, Debug)]
pub struct Options {
    /// What `mount` lists as the source.
    pub(crate) source: PathBuf,
    /// Threads that answer the kernel, 2 or more: one that waits for a disk must not keep `ls` waiting.
    pub(crate) threads: usize,
    /// Who may look at it.
    pub(crate) access: Access,
    /// Whether it is to be taken away even if this process is killed.
    pub(crate) auto_unmount: bool,
    /// Signals that the session is to hear of.
    pub(crate) signals: &'static [i32],
}

impl Options {
    /// A mount of its owner's alone, which ends on the signals that end programs.
    pub fn new(source: impl Into<PathBuf>, threads: usize) -> Self {
        Self { source: source.into(), threads, access: Access::Owner, auto_unmount: false, signals: ENDING }
    }
}

/// Who may look at a mount, besides what the modes of its files say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// Its owner.
    #[default]
    Owner,
    /// Its owner, and root.
    Root,
    /// Everybody.
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
    /// What the kernel listed when the mount was made.
    mounted: Option<Mounted>,
    events: Receiver<Event>,
    sender: Sender<Event>,
    _guardian: Option<AutoUnmount>,
}

enum Event {
    Signal(i32),
    Ended(io::Result<()>),
    /// A command that is served alone has ended.
    Exited(io::Result<ExitStatus>),
}

/// How a mount ended.
#[derive(Debug, PartialEq, Eq)]
pub enum EndReason {
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

    /// Serves until somebody unmounts it, or a signal asks us to.
    ///
    /// If it is in use then, it is detached, and what is open is served until it is closed or a second signal comes.
    ///
    /// # Errors
    /// That of the connection to the kernel.
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

    /// Serves a command until it ends, and unmounts then whatever it left running. `forward` hears of each signal.
    ///
    /// # Errors
    /// That of waiting for the command.
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
                // Unmounted from inside: the command's own wish.
                Event::Ended(_) => {}
            }
        }
    }

    /// Unmounts, if what is mounted there is still ours.
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

fn listen(signals: &[i32], sender: Sender<Event>) -> io::Result<()> {
    let mut signals = Signals::new(signals)?;
    thread::spawn(move || signals.forever().try_for_each(|signal| sender.send(Event::Signal(signal))));
    Ok(())
}

/// Every data file of a checkpoint in use is open, and a directory may have many.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// Lets the kernel read ahead a mebibyte instead of 128 KiB, where we may: a third more from large files.
fn widen_read_ahead(mounted: &Mounted) {
    let _ = std::fs::write(format!("/sys/class/bdi/{}/read_ahead_kb", mounted.device), "1024");
}
