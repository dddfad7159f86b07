//! The results of `--verify`: the files whose variables were checked against their checksums, and the outcomes.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The outcomes by inode: true if it is intact, `None` if not known yet. An inode number is never reused for other
/// contents.
#[derive(Default)]
pub(crate) struct Verified(Mutex<HashMap<u64, Outcome>>);

type Outcome = Arc<Mutex<Option<bool>>>;

impl Verified {
    /// Checks an inode once. Concurrent callers wait for the result. If `check` returns an error, nothing is recorded
    /// and the next call checks again.
    ///
    /// # Errors
    /// `EIO` if the contents are damaged, or the error of the check.
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
