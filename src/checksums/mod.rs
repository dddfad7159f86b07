//! Checksums that no source recorded: of computed values, and of those of other formats than TensorFlow's.
//!
//! They take a reading of all those values, which is done once, by as many threads as there are cores (up to four), when
//! somebody first asks. Whoever asks meanwhile helps: the work is a list of ranges, of which each thread takes the next.
//!
//! Where a value is made of what has a checksum, that is held against it on the way: what is damaged must not look sound for
//! being computed anew. Damaged and missing values get a checksum that fails when they are restored themselves, and the
//! rest is none the worse for it.
//!
//! What was computed may be [kept](Keep) from one mount to the next, under a key that follows from what every byte is made
//! of: which bytes of which file in which state, and what is done to them.

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

/// A place for checksums that outlives a mount.
pub trait ChecksumStore: Send + Sync {
    /// Those that were kept under the key, if they are so many.
    fn find(&self, key: u128, count: usize) -> Option<Vec<Masked>>;

    /// Keeps them, if that is possible.
    fn keep(&self, key: u128, sums: &[Masked]);
}

/// Fewer bytes are summed as fast as their sums are found.
const WORTH_KEEPING: u64 = 16 << 20;

/// The checksums of some tensors, computed when they are first asked for.
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
    /// Of these tensors; nothing is read yet.
    pub(crate) fn new(tensors: Vec<Arc<Tensor>>, keep: Option<Arc<dyn ChecksumStore>>) -> Self {
        let len: u64 = tensors.iter().map(|tensor| tensor.len()).sum();
        Self { tensors, keep: keep.filter(|_| len >= WORTH_KEEPING), state: Mutex::default() }
    }

    /// The tensors.
    pub(crate) fn tensors(&self) -> &[Arc<Tensor>] {
        &self.tensors
    }

    /// All checksums, in the order of the tensors. The first call reads the values; calls that come before that is done
    /// join in.
    ///
    /// # Errors
    /// Those of the source; a later call tries again.
    pub(crate) fn all(&self) -> io::Result<Arc<[Masked]>> {
        match self.begin() {
            Ok(done) => Ok(done),
            Err(work) => {
                work.join_in();
                self.finish(&work)
            }
        }
    }

    /// What is known already, else what is to be done for it.
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

    /// What came of work that is done. The first to say so says it for all.
    fn finish(&self, work: &Arc<ChecksumPool>) -> io::Result<Arc<[Masked]>> {
        let mut state = self.lock();
        match &*state {
            State::Done(sums) => return Ok(sums.clone()),
            State::Working(current) if Arc::ptr_eq(current, work) => {}
            _ => return work.sums(|_| {}).map(Arc::from),
        }
        let mut is_whole = true;
        let sums = work.sums(|error| {
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

    /// Only of files that are still what they were when they were opened, whatever was read in between.
    fn keep(&self, sums: &[Masked]) {
        let Some(keep) = &self.keep else { return };
        let is_as_planned = || self.tensors.iter().all(|tensor| tensor.file().verify().is_ok());
        if let Some(key) = key::of(&self.tensors).filter(|_| is_as_planned()) {
            keep.keep(key, sums);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
