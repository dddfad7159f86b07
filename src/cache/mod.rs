//! A cache of decoded blocks with a size limit in bytes and LRU eviction. A block is decoded once, regardless of the
//! number of readers that request it.
//!
//! The lock is held for look-ups only, never while decoding.

use std::collections::HashMap;
use std::hash::Hasher;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use lru::LruCache;

/// A decoder, which computes bytes before they can be served. Their number is known in advance.
///
/// # Examples
///
/// ```
/// use std::io;
/// use std::sync::Arc;
///
/// use ckptfs::cache::{Cache, Decode, Identity};
/// use ckptfs::extent::{Extent, VirtualFile};
///
/// /// The bytes 0, 1, 2, … 255, 0, 1, …
/// struct Count;
///
/// impl Decode for Count {
///     fn identity(&self) -> Identity {
///         Identity { of: 0, to: "count" }
///     }
///
///     fn decode(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
///         Ok((at..at + len as u64).map(|byte| byte as u8).collect())
///     }
/// }
///
/// let file: VirtualFile = [Extent::Decoded { data: Arc::new(Count), len: 1000 }].into_iter().collect();
/// let mut buf = [0; 3];
/// file.read_at(&Cache::new(1 << 20), &mut buf, 511)?;
/// assert_eq!(buf, [255, 0, 1]);
/// # Ok::<(), io::Error>(())
/// ```
pub trait Decode: Send + Sync {
    /// Returns the identity of the decoder's input and operation. Decoders with the same identity produce the same
    /// bytes.
    fn identity(&self) -> Identity;

    /// Decodes the range `at..at + len` of the whole result. `at` and `len` are multiples of the
    /// [alignment](Self::alignment); `len` may also be the rest of the result. `len` is at most one block, or one
    /// [band](Self::reads_whole_bands).
    ///
    /// # Errors
    /// Errors of the source.
    fn decode(&self, at: u64, len: usize) -> io::Result<Vec<u8>>;

    /// Like [`Self::decode`], but reuses the allocation of `room`, whose contents are overwritten: allocating large
    /// buffers is expensive.
    ///
    /// # Errors
    /// Same as [`Self::decode`].
    fn decode_into(&self, reuse: Vec<u8>, at: u64, len: usize) -> io::Result<Vec<u8>> {
        drop(reuse);
        self.decode(at, len)
    }

    /// Checks that the source files have not changed since planning. Every `open` of a file must call this, because
    /// decoded bytes stay in the cache after a change.
    ///
    /// # Errors
    /// Errors of the source.
    fn verify(&self) -> io::Result<()> {
        Ok(())
    }

    /// Hashes everything that determines the bytes into `to`: the ranges of the source files, the states of these
    /// files, and the operations. Equal fingerprints mean equal bytes, also in another process. Returns `None` if
    /// that cannot be guaranteed.
    fn fingerprint(&self, _to: &mut dyn Hasher) -> Option<()> {
        None
    }

    /// Returns the number of bytes that are decoded and kept together.
    fn block_len(&self) -> u64 {
        4 << 20
    }

    /// Returns the smallest number of bytes that are decoded separately. A block is a multiple of it. It is the whole
    /// block if decoding a part takes as long as decoding the block.
    fn alignment(&self) -> u64 {
        self.block_len()
    }

    /// Returns true if decoding a small part takes nearly as long as decoding a large one, as for a transpose. Such
    /// data is decoded in bands of many blocks, as large as the cache allows.
    fn reads_whole_bands(&self) -> bool {
        false
    }

    /// Returns true if recomputing the bytes costs no more than keeping them, as for a cast of data in a file.
    fn skip_cache(&self) -> bool {
        false
    }

    /// Fills `buf` with the bytes from offset `at` of the result, which has `len` bytes, without using a cache.
    /// Decodes the requested range, extended to the alignment at both ends.
    ///
    /// # Errors
    /// Errors of the source.
    fn read(&self, len: u64, mut buf: &mut [u8], mut at: u64) -> io::Result<()> {
        let alignment = self.alignment();
        let most = if self.reads_whole_bands() { u64::MAX } else { self.block_len() };
        while !buf.is_empty() {
            let start = at / alignment * alignment;
            let end =
                (at + buf.len() as u64).next_multiple_of(alignment).min(start.saturating_add(most)).min(len);
            let block = self.decode(start, (end - start) as usize)?;
            let rest = block.get((at - start) as usize..).unwrap_or_default();
            let n = buf.len().min(rest.len());
            if n == 0 {
                return Err(io::Error::other(format!("decoded {} bytes from {start}", block.len())));
            }
            buf[..n].copy_from_slice(&rest[..n]);
            (buf, at) = (&mut buf[n..], at + n as u64);
        }
        Ok(())
    }
}

/// The maximum length of a band. Larger bands would hardly reduce the amount of reading, and would delay the first
/// byte.
const LARGEST_BAND: u64 = 64 << 20;

/// The identity of a decoder's result: the address of its input, which the decoder must keep alive, and the kind of
/// result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The address of the input.
    pub of: usize,
    /// The kind of result.
    pub to: &'static str,
}

type Key = (Identity, u64);
type Kept = (Arc<dyn Decode>, Arc<Vec<u8>>);
type Outcome = Result<Arc<Vec<u8>>, Failure>;

/// The part of an error that can be reported to several readers.
#[derive(Clone, Copy)]
enum Failure {
    Errno(i32),
    Kind(io::ErrorKind),
}

/// The block cache of a process.
pub struct Cache {
    budget: usize,
    is_second: bool,
    state: Mutex<State>,
    counters: Counters,
}

struct State {
    /// The number of bytes in cached blocks and in blocks that are being decoded.
    used: usize,
    /// The cached blocks. Each keeps its decoder alive, so that the address in the decoder's identity is not reused.
    kept: LruCache<Key, Kept>,
    flying: HashMap<Key, Arc<Flight>>,
}

/// A block that one reader decodes while others wait for it.
#[derive(Default)]
struct Flight {
    outcome: Mutex<Option<Outcome>>,
    landed: Condvar,
}

/// The counters of cache operations since the start.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// The number of blocks found in the cache.
    pub(crate) hits: AtomicU64,
    /// The number of blocks decoded, plus the number of reads that bypass the cache.
    pub(crate) misses: AtomicU64,
    /// The number of evicted blocks.
    pub(crate) evictions: AtomicU64,
}

enum Lookup {
    Kept(Arc<Vec<u8>>),
    Flying(Arc<Flight>),
    /// A block that the caller must decode, with the buffer of an evicted block for reuse.
    Ours(Arc<Flight>, Vec<u8>),
}

impl Cache {
    /// Creates a cache that keeps up to `budget` bytes. A larger block is served but not kept.
    pub fn new(budget: usize) -> Self {
        let state = State { used: 0, kept: LruCache::unbounded(), flying: HashMap::new() };
        Self { budget, is_second: false, state: Mutex::new(state), counters: Counters::default() }
    }

    /// Makes this the second cache behind one that keeps everything read once, such as the page cache. Data that is
    /// cheap to recompute is then not kept here.
    pub(crate) fn second(self) -> Self {
        Self { is_second: true, ..self }
    }

    /// Returns the counters.
    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Returns the maximum number of bytes in the cache.
    pub(crate) fn budget(&self) -> usize {
        self.budget
    }

    /// Returns the number of bytes in cached blocks and in blocks that are being decoded.
    pub(crate) fn used(&self) -> usize {
        lock(&self.state).used
    }

    /// Returns the length of a decoder's block in this cache. For a decoder that reads whole bands, this is a
    /// multiple of its block length, up to half of the cache.
    pub(crate) fn block_len(&self, decoder: &dyn Decode) -> u64 {
        let block = decoder.block_len();
        match decoder.reads_whole_bands() {
            true => ((self.budget as u64 / 2).min(LARGEST_BAND) / block).max(1) * block,
            false => block,
        }
    }

    /// Fills `buf` with the bytes from offset `at` of a decoder's result, which has `len` bytes. Uses cached blocks,
    /// or bypasses the cache if the blocks are not worth keeping.
    ///
    /// # Errors
    /// Errors of the decoder.
    pub(crate) fn read(
        &self,
        decoder: &Arc<dyn Decode>,
        len: u64,
        mut buf: &mut [u8],
        mut at: u64,
    ) -> io::Result<()> {
        if self.budget == 0 || self.is_second && decoder.skip_cache() {
            self.counters.misses.fetch_add(1, Ordering::Relaxed);
            return decoder.read(len, buf, at);
        }
        let block_len = self.block_len(decoder.as_ref());
        while !buf.is_empty() {
            let block = self.block(decoder, len, at / block_len)?;
            let from = (at % block_len) as usize;
            let n = buf.len().min(block.len() - from);
            buf[..n].copy_from_slice(&block[from..from + n]);
            at += n as u64;
            buf = &mut buf[n..];
        }
        Ok(())
    }

    /// Returns block number `index` of a decoder whose result has `len` bytes.
    ///
    /// # Errors
    /// Errors of the decoder, reported to every reader that waited for the block. Nothing is kept in that case.
    fn block(&self, decoder: &Arc<dyn Decode>, len: u64, index: u64) -> io::Result<Arc<Vec<u8>>> {
        let (key, block_len) = ((decoder.identity(), index), self.block_len(decoder.as_ref()));
        let at = index * block_len;
        let want = block_len.min(len - at) as usize;
        match self.find(key, want) {
            Lookup::Kept(bytes) => Ok(bytes),
            Lookup::Flying(flight) => flight.wait(),
            Lookup::Ours(flight, reuse) => {
                let landing = Landing { cache: self, key, flight, decoder, want };
                landing.land(decode(decoder.as_ref(), reuse, at, want))
            }
        }
    }

    /// Finds a block, or assigns its decoding to the caller. In the second case it first evicts blocks, because
    /// blocks that are being decoded count against the budget.
    fn find(&self, key: Key, want: usize) -> Lookup {
        let mut state = lock(&self.state);
        if let Some((_, bytes)) = state.kept.get(&key) {
            self.counters.hits.fetch_add(1, Ordering::Relaxed);
            return Lookup::Kept(bytes.clone());
        }
        if let Some(flight) = state.flying.get(&key) {
            self.counters.hits.fetch_add(1, Ordering::Relaxed);
            return Lookup::Flying(flight.clone());
        }
        self.counters.misses.fetch_add(1, Ordering::Relaxed);
        let flight = Arc::<Flight>::default();
        state.flying.insert(key, flight.clone());
        state.used += want;
        let reuse = self.make_room(&mut state);
        Lookup::Ours(flight, reuse)
    }

    /// Evicts blocks until the budget is met. Returns the buffer of an evicted block that no reader uses, for reuse.
    fn make_room(&self, state: &mut State) -> Vec<u8> {
        let mut reuse = Vec::new();
        while state.used > self.budget {
            let Some((_, (_, old))) = state.kept.pop_lru() else { break };
            state.used -= old.len();
            self.counters.evictions.fetch_add(1, Ordering::Relaxed);
            reuse = Arc::into_inner(old).unwrap_or(reuse);
        }
        reuse
    }
}

/// A guard that ends a flight even if the decoder panics, so that waiting readers are always woken.
struct Landing<'a> {
    cache: &'a Cache,
    key: Key,
    flight: Arc<Flight>,
    decoder: &'a Arc<dyn Decode>,
    /// The length of the block in bytes.
    want: usize,
}

impl Landing<'_> {
    fn land(self, bytes: io::Result<Vec<u8>>) -> io::Result<Arc<Vec<u8>>> {
        let (outcome, result) = match bytes.map(Arc::new) {
            Ok(bytes) => (Ok(bytes.clone()), Ok(bytes)),
            Err(error) => (Err(Failure::from(&error)), Err(error)),
        };
        self.finish(outcome);
        result
    }

    fn finish(&self, outcome: Outcome) {
        let mut state = lock(&self.cache.state);
        if state.flying.remove(&self.key).is_none() {
            return;
        }
        match &outcome {
            Ok(bytes) if self.want <= self.cache.budget => {
                state.kept.put(self.key, (self.decoder.clone(), bytes.clone()));
                // Other decodes may have started while there was nothing to evict.
                self.cache.make_room(&mut state);
            }
            _ => state.used -= self.want,
        }
        drop(state);
        *lock(&self.flight.outcome) = Some(outcome);
        self.flight.landed.notify_all();
    }
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        self.finish(Err(Failure::Errno(libc::EIO)));
    }
}

impl Flight {
    fn wait(&self) -> io::Result<Arc<Vec<u8>>> {
        let guard = lock(&self.outcome);
        let landed = self.landed.wait_while(guard, |outcome| outcome.is_none());
        let landed = landed.unwrap_or_else(PoisonError::into_inner);
        let outcome = landed.clone().expect("the wait ends when there is one");
        outcome.map_err(io::Error::from)
    }
}

impl From<&io::Error> for Failure {
    fn from(error: &io::Error) -> Self {
        error.raw_os_error().map_or(Self::Kind(error.kind()), Self::Errno)
    }
}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Errno(errno) => Self::from_raw_os_error(errno),
            Failure::Kind(kind) => kind.into(),
        }
    }
}

fn decode(decoder: &dyn Decode, reuse: Vec<u8>, at: u64, want: usize) -> io::Result<Vec<u8>> {
    let bytes = decoder.decode_into(reuse, at, want)?;
    if bytes.len() != want {
        return Err(io::Error::other(format!("decoded {} bytes instead of {want}", bytes.len())));
    }
    Ok(bytes)
}

/// Locks a mutex, ignoring poisoning. No code panics while it holds one of these locks, so the guarded data is always
/// valid.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
