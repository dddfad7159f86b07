//! Checksums that are computed in parallel, range by range, by all callers.
//!
//! Values that are read sequentially are split into ranges, whose checksums are joined. A value that is decoded in
//! whole bands is one range, because decoding a part takes as long as decoding everything. Blocks that several values
//! share are decoded once, as far as a cache of fixed size allows.
//!
//! The first caller may be slow, for example a background thread on a busy machine. A late caller that finds no free
//! range re-runs the ranges still in progress, so a foreground read never waits for a low-priority thread. Callers
//! after the second only wait.

use std::collections::HashMap;
use std::num::NonZero;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::{io, thread};

use crate::cache::Cache;
use crate::format::crc::Masked;
use crate::tensor::{Tensor, mismatch};

/// The number of threads in a group, which is a caller and the threads that it starts: enough to saturate one disk and
/// the memory.
const WORKERS: usize = 4;
/// The maximum number of groups. Callers after these only wait.
const GROUPS: usize = 2;
/// The memory of each thread for blocks in bytes; values share some of the blocks.
const BLOCKS: usize = 4 << 20;
/// The memory of a thread for blocks of ranges that it re-runs, in bytes.
const OWN_CACHE: usize = 8 << 20;

/// A set of checksums to compute.
pub(crate) struct ChecksumPool {
    jobs: Vec<Job>,
    /// The jobs whose checksums are requested. The other jobs are for the sources of these.
    wanted: Vec<usize>,
    tasks: Vec<Task>,
    next: AtomicUsize,
    left: Mutex<usize>,
    all_done: Condvar,
    groups: AtomicUsize,
    cache: Cache,
}

/// A checksum of a tensor.
struct Job {
    tensor: Arc<Tensor>,
    /// The jobs of the source tensors that this tensor is computed from and that have recorded checksums.
    sources: Box<[usize]>,
    tasks: Range<usize>,
}

/// A checksum of a range of a tensor's bytes.
struct Task {
    job: usize,
    range: Range<u64>,
    sum: OnceLock<io::Result<Masked>>,
    /// The number of the group that took the task.
    group: AtomicUsize,
    /// True if another group re-runs the task.
    again: AtomicBool,
}

impl ChecksumPool {
    /// Creates the tasks for the checksums of these tensors.
    pub(crate) fn new(tensors: &[Arc<Tensor>]) -> Self {
        let (mut jobs, mut tasks, mut known) = (Vec::new(), Vec::new(), HashMap::new());
        let mut add = |tensor: &Arc<Tensor>, sources: Box<[usize]>| {
            let first = tasks.len();
            if tensor.is_there() {
                tasks.extend(tensor.scan_ranges().map(|range| Task::new(jobs.len(), range)));
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
        let (left, cache) = (Mutex::new(tasks.len()), Cache::new(GROUPS * workers() * BLOCKS).second());
        let (next, all_done, groups) = Default::default();
        Self { jobs, wanted, tasks, next, left, all_done, groups, cache }
    }

    /// Takes tasks until none is left, and waits for those in progress.
    pub(crate) fn join_in(&self) {
        let number = self.groups.fetch_add(1, Ordering::Relaxed);
        let is_needed = number < GROUPS;
        let count = workers().min(self.tasks.len());
        thread::scope(|scope| {
            for _ in 1..if is_needed { count } else { 0 } {
                scope.spawn(|| self.work(number));
            }
            if is_needed {
                self.work(number);
            }
        });
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.all_done.wait_while(left, |left| *left > 0).unwrap_or_else(PoisonError::into_inner));
    }

    /// Returns the requested checksums after all tasks are done. Calls `damaged` for each one that can never be
    /// correct; it is returned as zero.
    ///
    /// # Errors
    /// Errors that may not recur at the next read.
    pub(crate) fn checksums(&self, mut damaged: impl FnMut(&io::Error)) -> io::Result<Vec<Masked>> {
        let sum = |&job: &usize| match self.checked(&self.jobs[job]) {
            Err(error) if is_lasting(&error) => {
                damaged(&error);
                Ok(Masked(0))
            }
            result => result,
        };
        self.wanted.iter().map(sum).collect()
    }

    /// Runs the free tasks as a member of a group. Then re-runs the tasks that an earlier group is still running, with
    /// a separate cache so that it does not wait for that group's blocks.
    fn work(&self, group: usize) {
        let (mut buffer, own) = (Vec::new(), Cache::new(OWN_CACHE).second());
        while let Some(task) = self.tasks.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            task.group.store(group, Ordering::Relaxed);
            self.sum(task, &self.cache, &mut buffer);
        }
        for task in self.tasks.iter().filter(|task| task.is_late(group)) {
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

    /// Returns the checksum of a job, if its sources match their recorded checksums.
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

/// Returns the number of threads in a group on this machine.
fn workers() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get).min(WORKERS)
}

/// Collects the stored numeric tensors that a tensor is computed from and that have recorded checksums.
fn origins(tensor: &Tensor, found: &mut Vec<Arc<Tensor>>) {
    for source in tensor.sources() {
        match source.sources().next() {
            Some(_) => origins(source, found),
            None if source.crc32c.is_some() && source.dtype.width().is_some() => found.push(source.clone()),
            None => {}
        }
    }
}

/// Returns true if the error recurs at every read of these files: a file never existed, bytes differ from the
/// recorded checksum, or a dtype cannot represent a number.
fn is_lasting(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData)
        || error.raw_os_error() == Some(libc::ERANGE)
}

/// Copies an error, because errors cannot be cloned.
pub(crate) fn copy(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(errno) => io::Error::from_raw_os_error(errno),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

impl Task {
    fn new(job: usize, range: Range<u64>) -> Self {
        let (sum, group, again) = (OnceLock::new(), AtomicUsize::new(usize::MAX), AtomicBool::new(false));
        Self { job, range, sum, group, again }
    }

    /// Returns true if an earlier group is still running this task, and no other thread re-runs it. Marks it as
    /// re-run.
    fn is_late(&self, group: usize) -> bool {
        let is_of_earlier = self.sum.get().is_none() && self.group.load(Ordering::Relaxed) < group;
        is_of_earlier && !self.again.swap(true, Ordering::Relaxed)
    }
}

/// A guard for a running task. It ends the task even on a panic, so that no thread waits forever.
struct Doing<'a> {
    work: &'a ChecksumPool,
    task: &'a Task,
}

impl Doing<'_> {
    /// Stores the result of the task, unless another thread was faster.
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
