//! Checksums that no source recorded: those of computed values, and of values in formats other than TensorFlow's.
//!
//! Computing them requires a read of all those values. This happens once, on first use, with one thread per core (up
//! to four). A caller that arrives before the end joins the computation: the work is a list of ranges, and each
//! thread takes the next one.
//!
//! If a value is computed from bytes that have a checksum, these are checked against it on the way: otherwise damaged
//! bytes would get a valid checksum. Damaged and missing values get a checksum that makes restoring these values
//! fail; all other values can be restored.
//!
//! Computed checksums may be [kept](ChecksumStore) from one mount to the next. Their key identifies everything that
//! determines the bytes: the ranges of the files, the states of the files, and the operations.

mod audit;
mod key;
mod pool;
mod store;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(crate) use crate::checksums::audit::{Verdict, audit};
use crate::checksums::pool::ChecksumPool;
pub(crate) use crate::checksums::store::CacheDirStore;
use crate::format::crc::Masked;
use crate::tensor::Tensor;

/// A store for checksums that outlives a mount.
pub trait ChecksumStore: Send + Sync {
    /// Returns the checksums with this key if there are `count` of them.
    fn find(&self, key: u128, count: usize) -> Option<Vec<Masked>>;

    /// Stores the checksums, if possible.
    fn store(&self, key: u128, sums: &[Masked]);
}

/// The minimum number of bytes whose checksums are kept. For fewer bytes, computing them is as fast as finding them.
const WORTH_KEEPING: u64 = 16 << 20;

/// The checksums of some tensors, computed on first use.
pub(crate) struct Checksums {
    tensors: Vec<Arc<Tensor>>,
    keep: Option<Arc<dyn ChecksumStore>>,
    state: Mutex<State>,
}

#[derive(Default)]
enum State {
    #[default]
    Idle,
    Working(Arc<ChecksumPool>),
    Done(Arc<[Masked]>),
}

impl Checksums {
    /// Creates the checksums of these tensors; reads nothing yet.
    pub(crate) fn new(tensors: Vec<Arc<Tensor>>, keep: Option<Arc<dyn ChecksumStore>>) -> Self {
        let len: u64 = tensors.iter().map(|tensor| tensor.len()).sum();
        Self { tensors, keep: keep.filter(|_| len >= WORTH_KEEPING), state: Mutex::default() }
    }

    /// Returns the tensors.
    pub(crate) fn tensors(&self) -> &[Arc<Tensor>] {
        &self.tensors
    }

    /// Returns all checksums, in the order of the tensors. The first call reads the values; calls before its end join
    /// the computation.
    ///
    /// # Errors
    /// Errors of the source; a later call tries again.
    pub(crate) fn all(&self) -> io::Result<Arc<[Masked]>> {
        match self.begin() {
            Ok(done) => Ok(done),
            Err(work) => {
                work.join_in();
                self.finish(&work)
            }
        }
    }

    /// Returns the checksums if they are known, else the work that computes them.
    fn begin(&self) -> Result<Arc<[Masked]>, Arc<ChecksumPool>> {
        let mut state = self.lock();
        match &*state {
            State::Done(sums) => return Ok(sums.clone()),
            State::Working(work) => return Err(work.clone()),
            State::Idle => {}
        }
        if let Some(sums) = self.kept() {
            let sums: Arc<[Masked]> = sums.into();
            *state = State::Done(sums.clone());
            return Ok(sums);
        }
        let work = Arc::new(ChecksumPool::new(&self.tensors));
        *state = State::Working(work.clone());
        Err(work)
    }

    /// Returns the result of finished work. The first caller stores it for all.
    fn finish(&self, work: &Arc<ChecksumPool>) -> io::Result<Arc<[Masked]>> {
        let mut state = self.lock();
        match &*state {
            State::Done(sums) => return Ok(sums.clone()),
            State::Working(current) if Arc::ptr_eq(current, work) => {}
            _ => return work.checksums(|_| {}).map(Arc::from),
        }
        let mut is_whole = true;
        let sums = work.checksums(|error| {
            is_whole = false;
            log::error!("a value of the bundle cannot be restored: {error}");
        });
        let sums: Arc<[Masked]> = match sums {
            Ok(sums) => sums.into(),
            Err(error) => {
                *state = State::Idle;
                return Err(error);
            }
        };
        *state = State::Done(sums.clone());
        drop(state);
        if is_whole {
            self.keep(&sums);
        }
        Ok(sums)
    }

    fn kept(&self) -> Option<Vec<Masked>> {
        let keep = self.keep.as_ref()?;
        keep.find(key::of(&self.tensors)?, self.tensors.len())
    }

    /// Stores the checksums, but only if all files are still in the state in which they were opened.
    fn keep(&self, sums: &[Masked]) {
        let Some(keep) = &self.keep else { return };
        let is_as_planned = || self.tensors.iter().all(|tensor| tensor.file().verify().is_ok());
        if let Some(key) = key::of(&self.tensors).filter(|_| is_as_planned()) {
            keep.store(key, sums);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
