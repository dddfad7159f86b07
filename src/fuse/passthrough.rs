//! Shards that the kernel reads by itself: one backing id for each inode while any handle is open, which is what the
//! kernel demands. Where it refuses one, it is asked no more.

use std::collections::HashMap;
use std::os::fd::BorrowedFd;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fuser::{BackingId, Errno, FileHandle, FopenFlags, ReplyOpen};

use crate::fuse::metrics::Metrics;

/// What file handles of such files are; those of others are not.
pub(super) const PASSED_THROUGH: FileHandle = FileHandle(1);

pub(super) struct Passthrough {
    pub(super) metrics: Arc<Metrics>,
    /// Ids, and how many handles there are.
    open: Mutex<HashMap<u64, (BackingId, usize)>>,
}

impl Passthrough {
    pub(super) fn new(activity: Arc<Metrics>) -> Self {
        Self { metrics: activity, open: Mutex::default() }
    }

    /// Whether the kernel takes the file that `descriptor` is open on. Each time it does is to be followed by a reply.
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
