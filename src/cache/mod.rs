//! Decoded pieces, weighed in bytes, least recently used first out. A piece is decoded once however many readers want it.
//!
//! The lock is held for look-ups only, never while decoding.

use std::collections::HashMap;
use std::hash::Hasher;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use lru::LruCache;

/// Bytes that must be computed before they can be served. Their number is known beforehand.
pub trait Decode: Send + Sync {
    /// What this makes, and of what. Decoders of one identity make the same bytes.
    fn identity(&self) -> Identity;

    /// The bytes `at..at + len` of the whole. Both are multiples of the [grain](Self::grain), `len` also what is left of the
    /// whole, and at most a piece, or one [band](Self::in_bands).
    ///
    /// # Errors
    /// Those of the source.
    fn decode(&self, at: u64, len: usize) -> io::Result<Vec<u8>>;

    /// The same in the room of another piece, whose bytes mean nothing: what is large is better not asked for anew.
    ///
    /// # Errors
    /// As [`Self::decode`].
    fn decode_into(&self, room: Vec<u8>, at: u64, len: usize) -> io::Result<Vec<u8>> {
        drop(room);
        self.decode(at, len)
    }

    /// Checks that what it reads is still what was planned, as every `open` of a file must; decoded bytes outlive it.
    ///
    /// # Errors
    /// Those of the source.
    fn verify(&self) -> io::Result<()> {
        Ok(())
    }

    /// Tells `to` all that its bytes follow from: which bytes of which state of which files, and what is done to them. What
    /// tells the same decodes to the same, in another process too; `None` where that cannot be promised.
    fn fingerprint(&self, _to: &mut dyn Hasher) -> Option<()> {
        None
    }

    /// Bytes that are decoded and kept together.
    fn block_len(&self) -> u64 {
        4 << 20
    }

    /// The least that is decoded by itself, of which a piece is a multiple: all of a piece, where a part takes as long.
    fn alignment(&self) -> u64 {
        self.block_len()
    }

    /// Whether a small part takes nearly as long as a large one, as of a transpose. Such are decoded in bands of many
    /// pieces, as large as the cache allows.
    fn reads_whole_bands(&self) -> bool {
        false
    }

    /// Whether to make its bytes again costs no more than to keep them, as of a cast of what stands in a file.
    fn skip_cache(&self) -> bool {
        false
    }

    /// Fills `buf` from any `at` of the whole, which has `len` bytes, past every cache. What is decoded is what is asked
    /// for, and what is beside it in its first and last grain.
    ///
    /// # Errors
    /// Those of the source.
    fn read(&self, len: u64, mut buf: &mut [u8], mut at: u64) -> io::Result<()> {
        let grain = self.alignment();
        let most = if self.reads_whole_bands() { u64::MAX } else { self.block_len() };
        while !buf.is_empty() {
            let start = at / grain * grain;
            let end =
                (at + buf.len() as u64).next_multiple_of(grain).min(start.saturating_add(most)).min(len);
            let piece = self.decode(start, (end - start) as usize)?;
            let rest = piece.get((at - start) as usize..).unwrap_or_default();
            let n = buf.len().min(rest.len());
            if n == 0 {
                return Err(io::Error::other(format!("decoded {} bytes from {start}", piece.len())));
            }
            buf[..n].copy_from_slice(&rest[..n]);
            (buf, at) = (&mut buf[n..], at + n as u64);
        }
        Ok(())
    }
}

/// Larger bands would hardly lessen the reading, and take longer before the first byte.
const LARGEST_BAND: u64 = 64 << 20;

/// Names what a decoder makes: the address of what it reads (which the decoder must keep alive) and the kind of result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Address of what is read.
    pub of: usize,
    /// What is made of it.
    pub to: &'static str,
}

type Key = (Identity, u64);
type Kept = (Arc<dyn Decode>, Arc<Vec<u8>>);
type Outcome = Result<Arc<Vec<u8>>, Failure>;

/// Of an error what can be told to many.
#[derive(Clone, Copy)]
enum Failure {
    Errno(i32),
    Kind(io::ErrorKind),
}

/// The cache of a process.
pub struct Cache {
    budget: usize,
    is_second: bool,
    state: Mutex<State>,
    counters: Counters,
}

struct State {
    /// Bytes that are kept, and of pieces that are being decoded.
    used: usize,
    /// The decoder is kept beside its bytes, so that the address in its identity is not used again.
    kept: LruCache<Key, Kept>,
    flying: HashMap<Key, Arc<Flight>>,
}

/// A piece that one reader decodes while others wait.
#[derive(Default)]
struct Flight {
    outcome: Mutex<Option<Outcome>>,
    landed: Condvar,
}

/// What the cache did, since the start.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Pieces found.
    pub(crate) hits: AtomicU64,
    /// Pieces decoded, and reads past the cache.
    pub(crate) misses: AtomicU64,
    /// Pieces let go of.
    pub(crate) evictions: AtomicU64,
}

enum Lookup {
    Kept(Arc<Vec<u8>>),
    Flying(Arc<Flight>),
    /// With the room of a piece that had to go.
    Ours(Arc<Flight>, Vec<u8>),
}

impl Cache {
    /// A cache that keeps up to `budget` bytes. A larger piece is served, and kept by nobody.
    pub fn new(budget: usize) -> Self {
        let state = State { used: 0, kept: LruCache::unbounded(), flying: HashMap::new() };
        Self { budget, is_second: false, state: Mutex::new(state), counters: Counters::default() }
    }

    /// Of a cache that stands behind another, which keeps all that is read once: what is cheap is not kept twice.
    pub(crate) fn second(self) -> Self {
        Self { is_second: true, ..self }
    }

    /// The counters.
    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Bytes that it may keep.
    pub(crate) fn budget(&self) -> usize {
        self.budget
    }

    /// Bytes that it keeps now, or makes.
    pub(crate) fn used(&self) -> usize {
        lock(&self.state).used
    }

    /// Bytes of a decoder's piece in this cache: of one in bands as many of its pieces as fill half of the cache.
    pub(crate) fn piece_len(&self, decoder: &dyn Decode) -> u64 {
        let piece = decoder.block_len();
        match decoder.reads_whole_bands() {
            true => ((self.budget as u64 / 2).min(LARGEST_BAND) / piece).max(1) * piece,
            false => piece,
        }
    }

    /// Fills `buf` from `at` of a decoder's whole, which has `len` bytes: from its pieces, or past the cache where they are
    /// not worth keeping.
    ///
    /// # Errors
    /// Those of the decoder.
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
        let piece_len = self.piece_len(decoder.as_ref());
        while !buf.is_empty() {
            let piece = self.block(decoder, len, at / piece_len)?;
            let from = (at % piece_len) as usize;
            let n = buf.len().min(piece.len() - from);
            buf[..n].copy_from_slice(&piece[from..from + n]);
            at += n as u64;
            buf = &mut buf[n..];
        }
        Ok(())
    }

    /// Piece number `index` of a decoder whose whole is `len` bytes.
    ///
    /// # Errors
    /// Those of the decoder, for every reader that waited for it; nothing is kept then.
    fn block(&self, decoder: &Arc<dyn Decode>, len: u64, index: u64) -> io::Result<Arc<Vec<u8>>> {
        let (key, piece_len) = ((decoder.identity(), index), self.piece_len(decoder.as_ref()));
        let at = index * piece_len;
        let want = piece_len.min(len - at) as usize;
        match self.find(key, want) {
            Lookup::Kept(bytes) => Ok(bytes),
            Lookup::Flying(flight) => flight.wait(),
            Lookup::Ours(flight, room) => {
                let landing = Landing { cache: self, key, flight, decoder, want };
                landing.land(decode(decoder.as_ref(), room, at, want))
            }
        }
    }

    /// A piece, or the task of making it, for which there is room then: bytes that are being made count.
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
        let room = self.make_room(&mut state);
        Lookup::Ours(flight, room)
    }

    /// Lets go of pieces; gives the room of one that nobody reads.
    fn make_room(&self, state: &mut State) -> Vec<u8> {
        let mut room = Vec::new();
        while state.used > self.budget {
            let Some((_, (_, old))) = state.kept.pop_lru() else { break };
            state.used -= old.len();
            self.counters.evictions.fetch_add(1, Ordering::Relaxed);
            room = Arc::into_inner(old).unwrap_or(room);
        }
        room
    }
}

/// Ends a flight, also when the decoder panics: readers that wait are never left waiting.
struct Landing<'a> {
    cache: &'a Cache,
    key: Key,
    flight: Arc<Flight>,
    decoder: &'a Arc<dyn Decode>,
    /// Bytes of the piece.
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
                // Others may have begun while there was nothing to let go of.
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

fn decode(decoder: &dyn Decode, room: Vec<u8>, at: u64, want: usize) -> io::Result<Vec<u8>> {
    let bytes = decoder.decode_into(room, at, want)?;
    if bytes.len() != want {
        return Err(io::Error::other(format!("decoded {} bytes instead of {want}", bytes.len())));
    }
    Ok(bytes)
}

/// No code panics while it holds one of these locks, so what they guard is whole even if a thread died.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
