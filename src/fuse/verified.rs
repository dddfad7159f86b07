//! What `--verify` found: which files' variables were held against their checksums, and how that went.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// By inode, which is never another content's: whether it is intact, once that is known.
#[derive(Default)]
pub(crate) struct Verified(Mutex<HashMap<u64, Outcome>>);

type Outcome = Arc<Mutex<Option<bool>>>;

impl Verified {
    /// Checks an inode, unless that was done; those who ask at the same time wait. A check that fails tells nothing.
    ///
    /// # Errors
    /// `EIO` if it is damaged, those of the check.
    pub(crate) fn once(&self, ino: u64, check: impl FnOnce() -> io::Result<bool>) -> io::Result<()> {
        let found = lock(&self.0).entry(ino).or_default().clone();
        let mut found = lock(&found);
        let is_intact = match *found {
            Some(is_intact) => is_intact,
            None => *found.insert(check()?),
        };
        if is_intact { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EIO)) }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
