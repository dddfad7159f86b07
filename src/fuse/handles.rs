//! Files that are open: what was opened is read to its end, though its name may mean another by then.

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

/// Below it are the handles that stand for a way of being open.
const FIRST: u64 = 16;

impl Default for Handles {
    fn default() -> Self {
        Self { open: RwLock::default(), next: AtomicU64::new(FIRST) }
    }
}

impl Handles {
    /// A handle for a file.
    pub(super) fn add(&self, file: VirtualFile) -> FileHandle {
        let handle = self.next.fetch_add(1, Ordering::Relaxed);
        self.open.write().unwrap_or_else(PoisonError::into_inner).insert(handle, Arc::new(file));
        FileHandle(handle)
    }

    /// The file of a handle, if it has one.
    pub(super) fn file(&self, handle: FileHandle) -> Option<Arc<VirtualFile>> {
        match handle.0 < FIRST {
            true => None,
            false => self.open.read().unwrap_or_else(PoisonError::into_inner).get(&handle.0).cloned(),
        }
    }

    /// Lets go of a file.
    pub(super) fn remove(&self, handle: FileHandle) {
        if handle.0 >= FIRST {
            self.open.write().unwrap_or_else(PoisonError::into_inner).remove(&handle.0);
        }
    }
}
