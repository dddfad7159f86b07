//! Damaged HDF5 files: opening is an error that names the file, or the values can be read. There is never a panic,
//! and
//! memory is never allocated for a false length.

use std::fs;
use std::path::{Path, PathBuf};

use ckptfs::cache::Cache;
use ckptfs::catalog::Variable;
use ckptfs::source;
use rustix::process::{Resource, Rlimit, setrlimit};
use tempfile::TempDir;

/// The limit of the address space in bytes: many times what these files need, and a fraction of what a flipped bit
/// can claim.
const MEMORY: u64 = 2 << 30;

/// A variable as it is shown: its name, dtype and shape, and then its bytes or an error.
type Shown = (String, Result<Vec<u8>, String>);

struct Sample {
    _dir: TempDir,
    path: PathBuf,
    whole: Vec<u8>,
}

impl Sample {
    fn new(fixture: &str) -> Self {
        setrlimit(Resource::As, Rlimit { current: Some(MEMORY), maximum: None }).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        let from = root.join(fixture);
        let path = dir.path().join(from.file_name().unwrap());
        Self { whole: fs::read(&from).unwrap(), path, _dir: dir }
    }

    /// Returns the same sample in a new directory.
    fn copy(&self) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(self.path.file_name().unwrap());
        Self { whole: self.whole.clone(), path, _dir: dir }
    }

    fn shown(&self, bytes: &[u8]) -> Result<Vec<Shown>, String> {
        fs::write(&self.path, bytes).unwrap();
        let checkpoint = source::open(&self.path).map_err(|error| error.to_string())?;
        Ok(checkpoint.catalog.variables.iter().map(shown).collect())
    }
}

fn shown(variable: &Variable) -> Shown {
    let tensor = &variable.tensor;
    let mut bytes = vec![0; tensor.len().min(1 << 20) as usize];
    let read = tensor.file().read_at(&Cache::new(0), &mut bytes, 0);
    let facts = format!("{} {} {}", variable.name, tensor.dtype, tensor.shape);
    (facts, read.map(|_| bytes).map_err(|error| error.to_string()))
}

#[test]
fn a_file_truncated_at_any_length_is_an_error_with_its_path() {
    for name in
        ["h5py-3.14/small/old.h5", "h5py-3.14/small/new.h5", "keras-3.15/archive_deflated/model.keras"]
    {
        let sample = Sample::new(name);
        for len in 0..sample.whole.len() {
            let error = sample.shown(&sample.whole[..len]).expect_err("a file cut short");
            assert!(error.contains(sample.path.to_str().unwrap()), "{name} cut to {len}: {error}");
        }
    }
}

#[test]
fn a_flipped_bit_without_checksums_causes_no_panic() {
    let sample = Sample::new("h5py-3.14/small/old.h5");
    flips(&sample, |_, _| {});
}

#[test]
fn a_flipped_bit_with_checksums_is_an_error_or_changes_nothing() {
    let sample = Sample::new("h5py-3.14/small/new.h5");
    let right = sample.shown(&sample.whole).unwrap();
    let find = |bytes: &[u8]| sample.whole.windows(bytes.len()).position(|window| window == bytes).unwrap();
    // These parts have no checksum: the heap of strings, the references into it, and the values.
    let heap = find(b"GCOL");
    let reference = [&1u32.to_le_bytes()[..], &(heap as u64).to_le_bytes()].concat();
    let values =
        [find(&reference), find(&[1.5f32, -2.0].map(f32::to_le_bytes).concat()), find(&[0, 1, 0, 2, 0, 3])];
    let unchecked =
        |at| (heap..heap + 4096).contains(&at) || values.iter().any(|&from| (from..from + 32).contains(&at));
    flips(&sample, |at, found| {
        assert_eq!(found.len(), right.len(), "byte {at}");
        for ((facts, value), (wanted, right)) in found.iter().zip(&right) {
            // Dtype and shape of a damaged dataset are unknown.
            assert!(
                value.is_err() || (facts, value) == (wanted, right) || unchecked(at),
                "{facts}: byte {at}"
            );
        }
    });
}

/// Flips each bit of a file, one after the other, on all processors. Calls `each` with the variables of every damaged
/// file that opens.
fn flips(sample: &Sample, each: impl Fn(usize, Vec<Shown>) + Sync) {
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let flip = |worker: usize| {
        // Each worker writes its damage to its own file.
        let sample = sample.copy();
        (worker..sample.whole.len()).step_by(workers).for_each(|at| flip_byte(&sample, at, &each));
    };
    std::thread::scope(|scope| {
        (0..workers).for_each(|worker| _ = scope.spawn(move || flip(worker)));
    });
}

fn flip_byte(sample: &Sample, at: usize, each: &impl Fn(usize, Vec<Shown>)) {
    // A long run of zeros is unused space: a few of its bits are enough.
    let room = sample.whole[at.saturating_sub(32)..=at].iter().all(|&byte| byte == 0);
    let bits = if !room { 8 } else { usize::from(at.is_multiple_of(16)) };
    for bit in 0..bits {
        let mut bytes = sample.whole.clone();
        bytes[at] ^= 1 << bit;
        if let Ok(found) = sample.shown(&bytes) {
            each(at, found);
        }
    }
}
