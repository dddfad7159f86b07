//! Data files that the kernel reads by itself. The kernel demands one backing id for each inode, which lasts while
//! any handle is open. After the first refusal, passthrough is turned off.

use std::collections::HashMap;
use std::os::fd::BorrowedFd;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fuser::{BackingId, Errno, FileHandle, FopenFlags, ReplyOpen};

use crate::fuse::metrics::Metrics;

/// The handle of every passed-through file. No other file has it.
pub(super) const PASSED_THROUGH: FileHandle = FileHandle(1);

pub(super) struct Passthrough {
    pub(super) metrics: Arc<Metrics>,
    /// The backing id and the number of open handles, by inode.
    open: Mutex<HashMap<u64, (BackingId, usize)>>,
}

impl Passthrough {
    pub(super) fn new(activity: Arc<Metrics>) -> Self {
        Self { metrics: activity, open: Mutex::default() }
    }

    /// Returns true if the kernel accepts the file of `descriptor` for passthrough. Each such call must be followed
    /// by [`Self::reply`].
    pub(super) fn open(&self, ino: u64, descriptor: BorrowedFd<'_>, reply: &ReplyOpen) -> bool {
        if !self.metrics.passthrough.load(Ordering::Relaxed) {
            return false;
        }
        let mut open = self.lock();
        if let Some((_, handles)) = open.get_mut(&ino) {
            *handles += 1;
            return true;
        }
        match reply.open_backing(descriptor) {
            Ok(id) => open.insert(ino, (id, 1)).is_none(),
            Err(error) => {
                if self.metrics.refuse_passthrough(&error.to_string()) {
                    log::info!(
                        "the kernel cannot read data files directly here ({error}); serving them through the daemon"
                    );
                }
                false
            }
        }
    }

    pub(super) fn reply(&self, ino: u64, reply: ReplyOpen) {
        match self.lock().get(&ino) {
            Some((id, _)) => reply.opened_passthrough(PASSED_THROUGH, FopenFlags::empty(), id),
            None => reply.error(Errno::EIO),
        }
    }

    pub(super) fn release(&self, ino: u64) {
        let mut open = self.lock();
        if let Some((_, handles)) = open.get_mut(&ino) {
            *handles -= 1;
            if *handles == 0 {
                open.remove(&ino);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, (BackingId, usize)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
