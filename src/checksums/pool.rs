//! Sums that are being computed, range by range, by whoever has time.
//!
//! Values that are read front to back are cut into ranges, whose sums are joined; what is decoded in bands, where a part
//! takes as long as the whole, is one range. Pieces that several values share are decoded once, as far as a cache of fixed
//! size goes.
//!
//! Those who began may be slow, as a background thread is on a busy machine. Who comes later and finds nothing left to take does
//! again what they are still at, so that nobody waits for anyone who is in less of a hurry.

use std::collections::HashMap;
use std::num::NonZero;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::{io, thread};

use crate::cache::Cache;
use crate::format::crc::Masked;
use crate::tensor::{Tensor, mismatch};

/// Threads that one who joins in brings along, himself among them: what one disk and one memory keep busy.
const WORKERS: usize = 4;
/// Who comes after these only waits.
const CREWS: usize = 2;
/// Bytes of a range.
const RANGE: u64 = 16 << 20;
/// Memory for the pieces that each thread is at, some of which values share.
const PIECES: usize = 4 << 20;
/// The same for one who does something again.
const OWN_CACHE: usize = 8 << 20;

/// Sums to be computed.
pub(crate) struct ChecksumPool {
    jobs: Vec<Job>,
    /// The jobs whose sums are wanted; the others are of what those are made of.
    wanted: Vec<usize>,
    tasks: Vec<Task>,
    next: AtomicUsize,
    left: Mutex<usize>,
    all_done: Condvar,
    crews: AtomicUsize,
    cache: Cache,
}

/// A sum of a tensor.
struct Job {
    tensor: Arc<Tensor>,
    /// The jobs of what it is made of, and whose sums are recorded.
    sources: Box<[usize]>,
    tasks: Range<usize>,
}

/// A sum of some of its bytes.
struct Task {
    job: usize,
    range: Range<u64>,
    sum: OnceLock<io::Result<Masked>>,
    /// The crew that took it, and whether another did so again.
    crew: AtomicUsize,
    again: AtomicBool,
}

impl ChecksumPool {
    /// What it takes to sum these.
    pub(crate) fn new(tensors: &[Arc<Tensor>]) -> Self {
        let (mut jobs, mut tasks, mut known) = (Vec::new(), Vec::new(), HashMap::new());
        let mut add = |tensor: &Arc<Tensor>, sources: Box<[usize]>| {
            let first = tasks.len();
            if tensor.is_there() {
                tasks.extend(ranges(tensor).map(|range| Task::new(jobs.len(), range)));
            }
            jobs.push(Job { tensor: tensor.clone(), sources, tasks: first..tasks.len() });
            jobs.len() - 1
        };
        let mut wanted = Vec::with_capacity(tensors.len());
        for tensor in tensors {
            let mut recorded = Vec::new();
            origins(tensor, &mut recorded);
            let job = |origin: &Arc<Tensor>| {
                *known.entry(Arc::as_ptr(origin)).or_insert_with(|| add(origin, [].into()))
            };
            let sources = recorded.iter().map(job).collect();
            wanted.push(add(tensor, sources));
        }
        let (left, cache) = (Mutex::new(tasks.len()), Cache::new(CREWS * workers() * PIECES).second());
        let (next, all_done, crews) = Default::default();
        Self { jobs, wanted, tasks, next, left, all_done, crews, cache }
    }

    /// Helps until there is nothing left to do, and waits for those who do the last of it.
    pub(crate) fn join_in(&self) {
        let number = self.crews.fetch_add(1, Ordering::Relaxed);
        let is_needed = number < CREWS;
        let crew = workers().min(self.tasks.len());
        thread::scope(|scope| {
            for _ in 1..if is_needed { crew } else { 0 } {
                scope.spawn(|| self.work(number));
            }
            if is_needed {
                self.work(number);
            }
        });
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.all_done.wait_while(left, |left| *left > 0).unwrap_or_else(PoisonError::into_inner));
    }

    /// The sums that are wanted, once all is done. `damaged` hears of those that can never be right, which are zero.
    ///
    /// # Errors
    /// Those that may be gone at the next reading.
    pub(crate) fn sums(&self, mut damaged: impl FnMut(&io::Error)) -> io::Result<Vec<Masked>> {
        let sum = |&job: &usize| match self.checked(&self.jobs[job]) {
            Err(error) if is_lasting(&error) => {
                damaged(&error);
                Ok(Masked(0))
            }
            result => result,
        };
        self.wanted.iter().map(sum).collect()
    }

    /// Does what is left to do, as one of a crew; then what an earlier one is still at, without waiting for its pieces.
    fn work(&self, crew: usize) {
        let (mut buffer, own) = (Vec::new(), Cache::new(OWN_CACHE).second());
        while let Some(task) = self.tasks.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            task.crew.store(crew, Ordering::Relaxed);
            self.sum(task, &self.cache, &mut buffer);
        }
        for task in self.tasks.iter().filter(|task| task.is_late(crew)) {
            self.sum(task, &own, &mut buffer);
        }
    }

    fn sum(&self, task: &Task, cache: &Cache, buffer: &mut Vec<u8>) {
        let doing = Doing { work: self, task };
        let tensor = &self.jobs[task.job].tensor;
        let sum = match tensor.dtype.width() {
            Some(_) => tensor.sum(cache, task.range.clone(), buffer),
            None => tensor.checksum(),
        };
        doing.end(sum);
    }

    /// The sum of a job, if what it is made of is what was recorded.
    fn checked(&self, job: &Job) -> io::Result<Masked> {
        if !job.tensor.is_there() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "its data file is missing"));
        }
        for source in &job.sources {
            let source = &self.jobs[*source];
            let (actual, recorded) = (self.joined(source)?, source.tensor.crc32c);
            if let Some(recorded) = recorded.filter(|recorded| *recorded != actual) {
                return Err(mismatch(actual, recorded));
            }
        }
        self.joined(job)
    }

    fn joined(&self, job: &Job) -> io::Result<Masked> {
        let mut whole = Masked::of(b"");
        for task in &self.tasks[job.tasks.clone()] {
            match task.sum.get() {
                Some(Ok(sum)) => whole = whole.join(*sum, (task.range.end - task.range.start) as usize),
                Some(Err(error)) => return Err(copy(error)),
                None => return Err(io::Error::other("a sum was not computed")),
            }
        }
        Ok(whole)
    }
}

/// Threads of a crew on this machine.
fn workers() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get).min(WORKERS)
}

/// The source's own tensors of numbers that it is made of, if it is made, and whose checksums are recorded.
fn origins(tensor: &Tensor, found: &mut Vec<Arc<Tensor>>) {
    for source in tensor.sources() {
        match source.sources().next() {
            Some(_) => origins(source, found),
            None if source.crc32c.is_some() && source.dtype.width().is_some() => found.push(source.clone()),
            None => {}
        }
    }
}

pub(crate) fn ranges(tensor: &Tensor) -> impl Iterator<Item = Range<u64>> {
    let len = tensor.len();
    let is_one = len <= RANGE || tensor.dtype.width().is_none() || tensor.file().reads_whole_bands();
    let step = if is_one { len.max(1) } else { RANGE };
    (0..len.div_ceil(step)).map(move |i| i * step..((i + 1) * step).min(len))
}

/// Whether every reading of these files comes to the same: a file that was never there, bytes that are not what was
/// recorded, numbers that their type cannot hold.
fn is_lasting(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData)
        || error.raw_os_error() == Some(libc::ERANGE)
}

/// Errors are not for many; what they say is.
pub(crate) fn copy(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(errno) => io::Error::from_raw_os_error(errno),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

impl Task {
    fn new(job: usize, range: Range<u64>) -> Self {
        let (sum, crew, again) = (OnceLock::new(), AtomicUsize::new(usize::MAX), AtomicBool::new(false));
        Self { job, range, sum, crew, again }
    }

    /// Whether an earlier crew is still at it, and nobody else took it since. Now somebody did.
    fn is_late(&self, crew: usize) -> bool {
        let is_of_earlier = self.sum.get().is_none() && self.crew.load(Ordering::Relaxed) < crew;
        is_of_earlier && !self.again.swap(true, Ordering::Relaxed)
    }
}

/// A task that somebody does. It ends even if that panics, so that nobody waits for ever.
struct Doing<'a> {
    work: &'a ChecksumPool,
    task: &'a Task,
}

impl Doing<'_> {
    /// The first who ends a task counts.
    fn end(&self, sum: io::Result<Masked>) {
        if self.task.sum.set(sum).is_err() {
            return;
        }
        let mut left = self.work.left.lock().unwrap_or_else(PoisonError::into_inner);
        *left -= 1;
        if *left == 0 {
            self.work.all_done.notify_all();
        }
    }
}

impl Drop for Doing<'_> {
    fn drop(&mut self) {
        self.end(Err(io::Error::from_raw_os_error(libc::EIO)));
    }
}
