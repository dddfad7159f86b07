use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};
use std::{fs, thread};

use crate::cache::{Decode, Identity};
use crate::checksums::*;
use crate::dtype::Dtype;
use crate::extent::Extent;
use crate::op::Op;
use crate::source_file::SourceFile;
use crate::tensor::Shape;

const MIB: u64 = 1 << 20;

/// A decoder that counts decoded bytes, and fails as often as requested.
struct Counting {
    id: usize,
    decoded: AtomicU64,
    attempts: AtomicUsize,
    /// The number of initial attempts that fail.
    failures: usize,
    fail: fn() -> io::Error,
}

impl Decode for Counting {
    fn identity(&self) -> Identity {
        Identity { of: std::ptr::from_ref(self).addr(), to: "counting" }
    }

    fn decode(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
        if self.attempts.fetch_add(1, Ordering::SeqCst) < self.failures {
            return Err((self.fail)());
        }
        self.decoded.fetch_add(len as u64, Ordering::SeqCst);
        let mut bytes = vec![0; len];
        for (i, row) in bytes.chunks_mut(256).enumerate() {
            row.fill(((at / 256 + i as u64) % 251) as u8);
        }
        Ok(bytes)
    }

    fn fingerprint(&self, mut to: &mut dyn Hasher) -> Option<()> {
        self.id.hash(&mut to);
        Some(())
    }
}

fn counting(id: usize, failures: usize, fail: fn() -> io::Error) -> Arc<Counting> {
    Arc::new(Counting { id, decoded: AtomicU64::new(0), attempts: AtomicUsize::new(0), failures, fail })
}

fn fine(id: usize) -> Arc<Counting> {
    counting(id, 0, || io::Error::other("never"))
}

/// Returns a tensor with `rows` rows of 64 float32.
fn tensor(data: &Arc<Counting>, rows: u64) -> Arc<Tensor> {
    let extent = Extent::Decoded { data: data.clone(), len: rows * 256 };
    Arc::new(Tensor::new(Dtype::Float32, Shape([rows, 64].into()), vec![extent], None))
}

fn bytes(tensor: &Tensor) -> Vec<u8> {
    let mut bytes = vec![0; tensor.len() as usize];
    tensor.file().read_at(&crate::cache::Cache::new(1 << 30), &mut bytes, 0).unwrap();
    bytes
}

#[derive(Default)]
struct Memory(Mutex<HashMap<u128, Vec<Masked>>>);

impl ChecksumStore for Memory {
    fn find(&self, key: u128, count: usize) -> Option<Vec<Masked>> {
        self.0.lock().unwrap().get(&key).filter(|sums| sums.len() == count).cloned()
    }

    fn store(&self, key: u128, sums: &[Masked]) {
        self.0.lock().unwrap().insert(key, sums.to_vec());
    }
}

fn stale() -> io::Error {
    io::Error::from_raw_os_error(libc::ESTALE)
}

#[test]
fn checksums_do_not_depend_on_ranges() {
    let transpose = |tensor| Arc::new(Op::Transpose([1, 0].into()).apply(tensor).unwrap());
    let long = tensor(&fine(1), 33 * MIB / 256 + 3);
    let short = tensor(&fine(2), 7);
    let tensors = vec![long.clone(), transpose(&short), tensor(&fine(3), 0), short.clone(), transpose(&long)];
    let expected: Vec<_> = tensors.iter().map(|tensor| Masked::of(&bytes(tensor))).collect();
    assert!(long.len() > 32 * MIB, "several ranges");
    assert_eq!(&*Checksums::new(tensors, None).all().unwrap(), expected);
}

#[test]
fn concurrent_callers_share_the_work_and_re_run_each_range_at_most_once() {
    let data = fine(1);
    let sums = Checksums::new(vec![tensor(&data, 40 * MIB / 256)], None);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| sums.all().unwrap());
        }
    });
    sums.all().unwrap();
    let decoded = data.decoded.load(Ordering::SeqCst);
    assert!((40 * MIB..=80 * MIB).contains(&decoded), "{decoded}");
}

/// A decoder whose first block takes until the barrier is released.
struct Slow {
    calls: AtomicUsize,
    go: std::sync::Barrier,
}

impl Decode for Slow {
    fn identity(&self) -> Identity {
        Identity { of: std::ptr::from_ref(self).addr(), to: "slow" }
    }

    fn decode(&self, _: u64, len: usize) -> io::Result<Vec<u8>> {
        if self.calls.fetch_add(1, Ordering::SeqCst) == 0 {
            self.go.wait();
        }
        Ok(vec![7; len])
    }
}

#[test]
fn a_later_caller_does_not_wait_for_a_slow_earlier_one() {
    let slow = Arc::new(Slow { calls: AtomicUsize::new(0), go: std::sync::Barrier::new(2) });
    let data = vec![Extent::Decoded { data: slow.clone(), len: 8 }];
    let tensor = Tensor::new(Dtype::Float32, Shape([2].into()), data, None);
    let sums = Checksums::new(vec![Arc::new(tensor)], None);
    thread::scope(|scope| {
        let first = scope.spawn(|| sums.all().unwrap());
        while slow.calls.load(Ordering::SeqCst) == 0 {
            thread::yield_now();
        }
        assert_eq!(&*sums.all().unwrap(), [Masked::of(&[7; 8])]);
        slow.go.wait();
        assert_eq!(&*first.join().unwrap(), [Masked::of(&[7; 8])]);
    });
}

#[test]
fn data_decoded_in_bands_is_not_read_again_for_each_chunk() {
    let data = fine(1);
    let turned = Op::Transpose([1, 0].into()).apply(&tensor(&data, 8 * MIB / 256)).unwrap();
    Checksums::new(vec![Arc::new(turned)], None).all().unwrap();
    // Blocks that a read starts in the middle of are decoded twice.
    let decoded = data.decoded.load(Ordering::SeqCst);
    assert!(decoded <= 2 * 8 * MIB, "{decoded}");
}

#[test]
fn a_transient_error_is_reported_to_all_callers_and_the_next_call_tries_again() {
    let data = counting(1, 1, stale);
    let sums = Checksums::new(vec![tensor(&data, 4)], None);
    assert_eq!(sums.all().unwrap_err().raw_os_error(), Some(libc::ESTALE));
    assert_eq!(&*sums.all().unwrap(), [Masked::of(&bytes(&tensor(&data, 4)))]);
}

#[test]
fn a_decoder_that_panics_leaves_no_caller_waiting() {
    let sums = Checksums::new(vec![tensor(&counting(1, 1, || panic!("decoder")), 4)], None);
    let first = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| sums.all()));
    assert!(first.is_err() || first.unwrap().is_err());
    let _ = sums.all();
    sums.all().unwrap();
}

#[test]
fn a_damaged_value_has_an_invalid_checksum_and_the_others_are_unaffected() {
    for fail in [|| io::ErrorKind::InvalidData.into(), || io::Error::from_raw_os_error(libc::ERANGE)] {
        let (good, keep) = (fine(1), Arc::new(Memory::default()));
        let tensors = vec![tensor(&counting(2, 1, fail), 17 * MIB / 256), tensor(&good, 4)];
        let sums = Checksums::new(tensors, Some(keep.clone())).all().unwrap();
        assert_eq!(&*sums, [Masked(0), Masked::of(&bytes(&tensor(&good, 4)))]);
        assert!(keep.0.lock().unwrap().is_empty(), "damage is to be found by every mount");
    }
}

#[test]
fn a_value_computed_from_damaged_bytes_has_an_invalid_checksum() {
    let stored = |crc32c| {
        let data = vec![Extent::from(vec![1u8; 8])];
        Arc::new(Tensor::new(Dtype::Float32, Shape([2].into()), data, Some(crc32c)))
    };
    let cast = |tensor: &Arc<Tensor>| {
        let scaled = Arc::new(Op::Scale(2.0).apply(tensor).unwrap());
        Arc::new(Op::Cast { dtype: Dtype::Bfloat16, saturate: false }.apply(&scaled).unwrap())
    };
    let (good, bad) = (cast(&stored(Masked::of(&[1; 8]))), cast(&stored(Masked(7))));
    assert_eq!((good.is_intact().unwrap(), bad.is_intact().unwrap()), (true, false));
    assert_eq!(bad.checksum().unwrap_err().kind(), io::ErrorKind::InvalidData);
    let sums = Checksums::new(vec![bad, good.clone()], None).all().unwrap();
    assert_eq!(&*sums, [Masked(0), Masked::of(&bytes(&good))]);
}

#[test]
fn a_value_computed_from_a_missing_file_is_missing_and_has_an_invalid_checksum() {
    let shard = Arc::new(SourceFile::open("/nonexistent/model.data-00000-of-00001"));
    let data = vec![Extent::Range { file: shard, offset: 0, len: 8 }];
    let stored = Arc::new(Tensor::new(Dtype::Float32, Shape([2].into()), data, Some(Masked(7))));
    let joined = crate::op::join(&[stored.clone(), stored], 0, &crate::op::Layout::Blocked).unwrap();
    let cast = Op::Cast { dtype: Dtype::Float16, saturate: false }.apply(&Arc::new(joined)).unwrap();
    assert!(!cast.is_there());
    assert_eq!(&*Checksums::new(vec![Arc::new(cast)], None).all().unwrap(), [Masked(0)]);
}

#[test]
fn kept_checksums_are_found_without_reading() {
    let keep = Arc::new(Memory::default());
    let sums = |id, rows| {
        let data = fine(id);
        let sums = Checksums::new(vec![tensor(&data, rows)], Some(keep.clone())).all().unwrap();
        (sums, data.decoded.load(Ordering::SeqCst))
    };
    let rows = 17 * MIB / 256;
    let (first, second) = (sums(1, rows), sums(1, rows));
    assert_eq!((&first.0, first.1, second.1), (&second.0, 17 * MIB, 0));
    assert_eq!(sums(2, rows).1, 17 * MIB, "another recipe");
    sums(3, 4);
    assert_eq!(keep.0.lock().unwrap().len(), 2, "few bytes are not worth a file");
}

/// Creates a file that was last written long ago, and a tensor of its whole content.
fn settled(dir: &Path, bytes: &[u8]) -> (PathBuf, Arc<Tensor>) {
    let path = dir.join("data");
    fs::write(&path, bytes).unwrap();
    age(&path, 3600);
    let tensor = whole(&path);
    (path, tensor)
}

fn age(path: &Path, seconds: u64) {
    let then = SystemTime::now() - Duration::from_secs(seconds);
    fs::File::options().write(true).open(path).unwrap().set_modified(then).unwrap();
}

fn whole(path: &Path) -> Arc<Tensor> {
    let (shard, len) = (Arc::new(SourceFile::open(path)), fs::metadata(path).unwrap().len());
    let data = vec![Extent::Range { file: shard, offset: 0, len }];
    Arc::new(Tensor::new(Dtype::Float32, Shape([len / 4].into()), data, None))
}

#[test]
fn the_key_depends_on_the_file_and_all_operations() {
    let dir = tempfile::tempdir().unwrap();
    let (path, tensor) = settled(dir.path(), &[0; 16]);
    let key = |op: Op| key::of(&[Arc::new(op.apply(&tensor).unwrap())]);
    let cast = |dtype, saturate| Op::Cast { dtype, saturate };
    let keys = [
        key::of(std::slice::from_ref(&tensor)),
        key(cast(Dtype::Float16, false)),
        key(cast(Dtype::Float16, true)),
        key(cast(Dtype::Bfloat16, false)),
        key(Op::Scale(2.0)),
        key(Op::Scale(2.5)),
        key(Op::Add(2.0)),
        key(Op::Flip(0)),
        key(Op::Slice(std::iter::once(0..2).collect())),
        key(Op::Slice(std::iter::once(1..3).collect())),
        key(Op::Reshape(Shape([2, 2].into()))),
        key::of(&[tensor.clone(), tensor.clone()]),
    ];
    let different: std::collections::HashSet<_> = keys.iter().flatten().collect();
    assert_eq!(different.len(), keys.len());
    assert_eq!(key::of(&[whole(&path)]), keys[0], "opened again");
    age(&path, 1800);
    assert_ne!(key::of(&[whole(&path)]), keys[0], "written again");
}

#[test]
fn a_recently_written_file_has_no_key() {
    let dir = tempfile::tempdir().unwrap();
    let (path, _) = settled(dir.path(), &[0; 16]);
    for seconds in [0, 1] {
        age(&path, seconds);
        assert_eq!(key::of(&[whole(&path)]), None);
    }
}
