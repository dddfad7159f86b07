//! The counters of a file system since its start, shown in `status.json`.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The counters. Each is updated on its own, so a reader that runs while requests are served may see some newer than
/// others.
#[derive(Debug, Default)]
pub struct Metrics {
    reads: AtomicU64,
    bytes: AtomicU64,
    errors: AtomicU64,
    opendirs: AtomicU64,
    /// True if the kernel is still asked to read whole data files by itself.
    pub(crate) passthrough: AtomicBool,
    refused: OnceLock<String>,
}

impl Metrics {
    pub(crate) fn read(&self, bytes: u64) {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self) {
        self.errors.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn opendir(&self) {
        self.opendirs.fetch_add(1, Ordering::Relaxed);
    }

    /// Turns passthrough off. Returns true if no reason for that was recorded before.
    pub(crate) fn refuse_passthrough(&self, why: &str) -> bool {
        self.passthrough.store(false, Ordering::Relaxed);
        self.refused.set(why.to_owned()).is_ok()
    }

    /// Returns the number of reads that the daemon answered.
    pub(crate) fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// Returns the number of bytes in the answers to those reads.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Returns the number of opens and reads that failed.
    pub(crate) fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    /// Returns how often the kernel asked to open a directory. It stops after the first `ENOSYS`.
    pub(crate) fn opendirs(&self) -> u64 {
        self.opendirs.load(Ordering::Relaxed)
    }

    /// Returns `Ok` if the kernel reads whole data files by itself.
    ///
    /// # Errors
    /// The reason why it does not.
    pub(crate) fn passthrough(&self) -> Result<(), &str> {
        match self.passthrough.load(Ordering::Relaxed) {
            true => Ok(()),
            false => Err(self.refused.get().map_or("not begun", String::as_str)),
        }
    }
}
