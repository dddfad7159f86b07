//! What a file system did since its start, counted for `status.json`.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counters, each on its own: they are read while requests are served.
#[derive(Debug, Default)]
pub struct Metrics {
    reads: AtomicU64,
    bytes: AtomicU64,
    errors: AtomicU64,
    opendirs: AtomicU64,
    /// Whether the kernel is still asked to read whole shards by itself.
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

    /// Gives passthrough up; whether this is the first reason for it.
    pub(crate) fn refuse_passthrough(&self, why: &str) -> bool {
        self.passthrough.store(false, Ordering::Relaxed);
        self.refused.set(why.to_owned()).is_ok()
    }

    /// Reads that came through the daemon.
    pub(crate) fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// Bytes that those gave.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Opens and reads that failed.
    pub(crate) fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    /// How often the kernel asked to open a directory. Once it was told that there is no need, it stops.
    pub(crate) fn opendirs(&self) -> u64 {
        self.opendirs.load(Ordering::Relaxed)
    }

    /// Whether the kernel reads whole shards by itself; else why not.
    ///
    /// # Errors
    /// The reason.
    pub(crate) fn passthrough(&self) -> Result<(), &str> {
        match self.passthrough.load(Ordering::Relaxed) {
            true => Ok(()),
            false => Err(self.refused.get().map_or("not begun", String::as_str)),
        }
    }
}
