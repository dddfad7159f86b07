use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::sync::atomic::AtomicUsize;
use std::thread;
use std::time::Duration;

use crate::cache::*;

struct Counting {
    id: usize,
    calls: AtomicUsize,
    fail: fn() -> io::Result<()>,
}

fn counting(id: usize, fail: fn() -> io::Result<()>) -> (Arc<Counting>, Arc<dyn Decode>) {
    let counting = Arc::new(Counting { id, calls: AtomicUsize::new(0), fail });
    (counting.clone(), counting)
}

impl Decode for Counting {
    fn identity(&self) -> Identity {
        Identity { of: self.id, to: "test" }
    }

    fn decode(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(20));
        (self.fail)()?;
        Ok((at..at + len as u64).map(|i| i as u8).collect())
    }

    fn block_len(&self) -> u64 {
        10
    }
}

struct Cheap(Counting);

impl Decode for Cheap {
    fn identity(&self) -> Identity {
        self.0.identity()
    }

    fn decode(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
        self.0.decode(at, len)
    }

    fn block_len(&self) -> u64 {
        self.0.block_len()
    }

    fn skip_cache(&self) -> bool {
        true
    }
}

#[test]
fn a_second_cache_keeps_expensive_blocks_and_not_cheap_ones() {
    let cheap = Counting { id: 1, calls: AtomicUsize::new(0), fail: || Ok(()) };
    let (cheap, expensive): (Arc<dyn Decode>, _) = (Arc::new(Cheap(cheap)), counting(2, || Ok(())).1);
    let mut bytes = [0; 12];
    for (cache, kept) in [(Cache::new(100), 40), (Cache::new(100).second(), 20)] {
        for decoder in [&cheap, &expensive, &cheap, &expensive] {
            cache.read(decoder, 25, &mut bytes, 6).unwrap();
            assert_eq!(bytes.to_vec(), (6..18).collect::<Vec<u8>>());
        }
        assert_eq!(cache.used(), kept);
    }
}

#[test]
fn many_readers_of_one_block_cause_one_decode() {
    let cache = Cache::new(100);
    let (count, decoder) = counting(1, || Ok(()));
    let barrier = Barrier::new(16);
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                barrier.wait();
                assert_eq!(&cache.block(&decoder, 25, 2).unwrap()[..], [20, 21, 22, 23, 24]);
            });
        }
    });
    assert_eq!(count.calls.load(Ordering::SeqCst), 1);
    assert_eq!(cache.counters().hits.load(Ordering::SeqCst), 15);
}

#[test]
fn the_least_recently_used_block_is_evicted_and_the_budget_is_met() {
    let cache = Cache::new(20);
    let (count, decoder) = counting(1, || Ok(()));
    for index in [0, 1, 0, 2, 0] {
        cache.block(&decoder, 30, index).unwrap();
    }
    assert_eq!(count.calls.load(Ordering::SeqCst), 3);
    assert_eq!(cache.counters().evictions.load(Ordering::SeqCst), 1);
    assert!(lock(&cache.state).used <= 20);
}

/// A decoder that records the size of the cache while it decodes.
struct Looking {
    cache: Arc<Cache>,
    seen: AtomicUsize,
}

impl Decode for Looking {
    fn identity(&self) -> Identity {
        Identity { of: std::ptr::from_ref(self).addr(), to: "looking" }
    }

    fn decode(&self, _: u64, len: usize) -> io::Result<Vec<u8>> {
        self.seen.fetch_max(self.cache.used(), Ordering::SeqCst);
        Ok(vec![0; len])
    }

    fn block_len(&self) -> u64 {
        10
    }
}

#[test]
fn blocks_are_evicted_before_a_new_one_is_decoded() {
    let cache = Arc::new(Cache::new(20));
    let looking = Arc::new(Looking { cache: cache.clone(), seen: AtomicUsize::new(0) });
    let decoder: Arc<dyn Decode> = looking.clone();
    for index in 0..5 {
        cache.block(&decoder, 50, index).unwrap();
    }
    assert_eq!((looking.seen.load(Ordering::SeqCst), cache.used()), (20, 20));
}

#[test]
fn a_block_larger_than_the_cache_is_decoded_and_not_kept() {
    let cache = Cache::new(5);
    let (count, decoder) = counting(1, || Ok(()));
    for _ in 0..2 {
        assert_eq!(cache.block(&decoder, 10, 0).unwrap().len(), 10);
    }
    assert_eq!((count.calls.load(Ordering::SeqCst), cache.used()), (2, 0));
}

#[test]
fn a_decoder_that_fails_leaves_nothing_behind() {
    let cache = Cache::new(100);
    let (count, decoder) = counting(1, || Err(io::Error::from_raw_os_error(libc::ESTALE)));
    for _ in 0..2 {
        assert_eq!(cache.block(&decoder, 10, 0).unwrap_err().raw_os_error(), Some(libc::ESTALE));
    }
    assert_eq!((count.calls.load(Ordering::SeqCst), cache.used()), (2, 0));
    assert!(lock(&cache.state).flying.is_empty());
}

#[test]
fn a_decoder_that_panics_leaves_no_reader_waiting() {
    let cache = Cache::new(100);
    let (_, decoder) = counting(1, || panic!("decoder"));
    thread::scope(|scope| {
        scope.spawn(|| catch_unwind(AssertUnwindSafe(|| cache.block(&decoder, 10, 0))).unwrap_err());
        thread::sleep(Duration::from_millis(5));
        let waiting = catch_unwind(AssertUnwindSafe(|| cache.block(&decoder, 10, 0)));
        assert!(waiting.is_err() || waiting.unwrap().is_err());
    });
    assert!(lock(&cache.state).flying.is_empty());
}

#[test]
fn decoders_with_one_identity_share_their_blocks() {
    let cache = Cache::new(100);
    let (first, one) = counting(7, || Ok(()));
    let (second, two) = counting(7, || Ok(()));
    cache.block(&one, 10, 0).unwrap();
    cache.block(&two, 10, 0).unwrap();
    assert_eq!((first.calls.load(Ordering::SeqCst), second.calls.load(Ordering::SeqCst)), (1, 0));
}
