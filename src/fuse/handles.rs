//! The open files. A handle keeps the file that was opened, even if its name means another file later.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use fuser::FileHandle;

use crate::extent::VirtualFile;

/// The open files, by handle.
pub(super) struct Handles {
    open: RwLock<HashMap<u64, Arc<VirtualFile>>>,
    next: AtomicU64,
}

/// The first handle that belongs to one file. Smaller handles are constants that say how a file is served.
const FIRST: u64 = 16;

impl Default for Handles {
    fn default() -> Self {
        Self { open: RwLock::default(), next: AtomicU64::new(FIRST) }
    }
}

impl Handles {
    /// Adds an open file and returns its handle.
    pub(super) fn add(&self, file: VirtualFile) -> FileHandle {
        let handle = self.next.fetch_add(1, Ordering::Relaxed);
        self.open.write().unwrap_or_else(PoisonError::into_inner).insert(handle, Arc::new(file));
        FileHandle(handle)
    }

    /// Returns the file of a handle, or `None` if the handle belongs to no file here.
    pub(super) fn file(&self, handle: FileHandle) -> Option<Arc<VirtualFile>> {
        match handle.0 < FIRST {
            true => None,
            false => self.open.read().unwrap_or_else(PoisonError::into_inner).get(&handle.0).cloned(),
        }
    }

    /// Removes the file of a closed handle.
    pub(super) fn remove(&self, handle: FileHandle) {
        if handle.0 >= FIRST {
            self.open.write().unwrap_or_else(PoisonError::into_inner).remove(&handle.0);
        }
    }
}
