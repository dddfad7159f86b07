//! The planning of a directory's checkpoints in the background. It tells the user early which checkpoints do not fit
//! the map.

use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use std::{fmt, thread};

use rustix::process::setpriority_process;

use crate::cli::mount::serve::NICE;
use crate::name::printable;
use crate::tree::{Checkpoints, Counts};

/// The longest time that a mount's message waits for the plans.
const PATIENCE: Duration = Duration::from_secs(1);
/// The maximum number of checkpoints that a message names.
const NAMED: usize = 3;

/// The background thread that plans all checkpoints.
pub(crate) struct Planning {
    checkpoints: Checkpoints,
    done: Receiver<()>,
}

impl Planning {
    /// Starts the thread, which plans the newest checkpoint first.
    pub(crate) fn start(checkpoints: Checkpoints) -> Self {
        let (sender, done) = channel();
        let background = checkpoints.clone();
        thread::spawn(move || {
            let started = Instant::now();
            // The user may be waiting for the first plans. After that, the thread runs at the lowest priority.
            background.plan(|| {
                if started.elapsed() >= PATIENCE {
                    let _ = setpriority_process(None, NICE);
                }
            });
            let _ = sender.send(());
        });
        Self { checkpoints, done }
    }

    /// Waits for the plans, one second at most, and returns the counts so far.
    pub(crate) fn first_counts(&self) -> Counts {
        let _ = self.done.recv_timeout(PATIENCE);
        self.checkpoints.counts()
    }
}

/// The part of a message about checkpoints that do not fit: `2 of 9 looked at do not fit (ckpt-1, ckpt-2)`.
pub(crate) struct Misfits {
    pub(crate) all: usize,
    pub(crate) planned: usize,
    pub(crate) unfit: usize,
    /// The names of the newest checkpoints that do not fit.
    pub(crate) names: Vec<String>,
}

impl From<&Counts> for Misfits {
    fn from(counts: &Counts) -> Self {
        let names = counts.mismatched.iter().take(NAMED).map(|stem| printable(stem)).collect();
        Self { all: counts.all, planned: counts.planned, unfit: counts.mismatched.len(), names }
    }
}

impl fmt::Display for Misfits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let do_not = if self.unfit == 1 { "does not" } else { "do not" };
        write!(f, "{} of {} looked at {do_not} fit", self.unfit, self.planned)?;
        if !self.names.is_empty() {
            let more = if self.unfit > NAMED { ", …" } else { "" };
            write!(f, " ({}{more})", self.names[..self.names.len().min(NAMED)].join(", "))?;
        }
        match self.all - self.planned {
            0 => Ok(()),
            1 => write!(f, ", 1 is not looked at yet"),
            rest => write!(f, ", {rest} are not looked at yet"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn misfits(all: usize, planned: usize, unfit: &[&str]) -> String {
        let unfit = unfit.iter().map(|stem| stem.as_bytes().to_vec()).collect();
        Misfits::from(&Counts { all, planned, mismatched: unfit }).to_string()
    }

    #[test]
    fn misfits_are_counted_and_the_newest_are_named() {
        assert_eq!(misfits(9, 9, &[]), "0 of 9 looked at do not fit");
        assert_eq!(
            misfits(9, 8, &["ckpt-1"]),
            "1 of 8 looked at does not fit (ckpt-1), 1 is not looked at yet"
        );
        assert_eq!(
            misfits(9, 5, &["d", "c", "b", "a"]),
            "4 of 5 looked at do not fit (d, c, b, …), 4 are not looked at yet"
        );
    }
}
