//! Reads in blocks without a cache, the way operations read their sources. The bytes are those of one large read, and
//! a
//! computed source reads only what the block needs.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ckptfs::cache::Cache;
use ckptfs::dtype::Dtype;
use ckptfs::extent::{Extent, VirtualFile};
use ckptfs::format::bundle;
use ckptfs::op::Op;
use ckptfs::source;
use ckptfs::source_file::SourceFile;
use ckptfs::tensor::slices::Part;
use ckptfs::tensor::{Shape, Tensor};

/// The rows and columns of the float32 matrix.
const SIDES: [u64; 2] = [1024, 4096];
const LEN: u64 = 4 * SIDES[0] * SIDES[1];
/// The number of bytes that an operation reads at a time.
const BLOCK: usize = 128 << 10;

fn fixtures() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let below = |path: &PathBuf| -> Vec<PathBuf> {
        fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    let writers: Vec<_> = below(&root).into_iter().filter(|path| path.is_dir()).collect();
    writers.iter().flat_map(below).flat_map(|fixture| below(&fixture)).collect()
}

fn in_blocks(file: &VirtualFile, budget: usize, block: usize) -> Vec<u8> {
    let (cache, mut bytes) = (Cache::new(budget), vec![0; file.len() as usize]);
    for (i, block_of) in bytes.chunks_mut(block).enumerate() {
        assert_eq!(file.read_at(&cache, block_of, (i * block) as u64).unwrap(), block_of.len());
    }
    bytes
}

#[test]
fn every_block_of_a_variable_equals_the_same_part_of_one_large_read() {
    let mut computed = 0;
    for checkpoint in fixtures().iter().filter_map(|path| source::open(path).ok()) {
        let variables = checkpoint.catalog.variables.iter().filter(|variable| {
            variable.tensor.dtype.width().is_some()
                && variable.tensor.ranges().iter().all(|r| r.0.fault().is_none())
        });
        for variable in variables {
            let file = variable.tensor.file();
            let whole = in_blocks(&file, 64 << 20, file.len().max(1) as usize);
            for block in [7, 24, 1001] {
                let block = block.max(whole.len() / 60);
                assert_eq!(in_blocks(&file, 0, block), whole, "{} in blocks of {block}", variable.name);
            }
            computed += usize::from(!variable.tensor.data.iter().all(|extent| extent.range().is_some()));
        }
    }
    assert!(computed > 20, "only {computed} variables are computed");
}

#[test]
fn a_block_of_big_endian_numbers_reads_only_its_own_bytes() {
    let (_dir, stored) = matrix();
    assert_reads_itself(Tensor::from_big_endian(stored).unwrap());
}

#[test]
fn a_block_of_a_partitioned_tensor_reads_only_its_own_bytes() {
    let (_dir, stored) = matrix();
    let data = stored.file();
    let half = |at: u64| {
        let data = data.cut(at * LEN / 2..(at + 1) * LEN / 2);
        let tensor = Tensor::new(Dtype::Float32, Shape([SIDES[0], SIDES[1] / 2].into()), data, None);
        let (start, length) = ((at * SIDES[1] / 2) as i64, Some((SIDES[1] / 2) as i64));
        let slice = vec![bundle::Extent::default(), bundle::Extent { start, length }];
        Part { slice, tensor: Arc::new(tensor) }
    };
    assert_reads_itself(Tensor::sliced(Dtype::Float32, Shape(SIDES.into()), vec![half(0), half(1)]).unwrap());
}

/// Checks that a cast of `tensor`, read block by block, reads about as many bytes as the tensor has.
fn assert_reads_itself(tensor: Tensor) {
    let to = Dtype::Bfloat16;
    let cast = Op::Cast { dtype: to, saturate: false }.apply(&Arc::new(tensor)).unwrap();
    let before = read_by_this_thread();
    in_blocks(&cast.file(), 0, BLOCK / 2);
    let read = read_by_this_thread() - before;
    assert!((LEN..LEN + LEN / 50).contains(&read), "{read} bytes were read for {LEN}");
}

/// Creates a matrix in its own file.
fn matrix() -> (tempfile::TempDir, Tensor) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data");
    let numbers = (0..LEN / 4).map(|i| (i % 977) as f32);
    File::create(&path).unwrap().write_all(&numbers.flat_map(f32::to_le_bytes).collect::<Vec<_>>()).unwrap();
    let data = Extent::Range { file: Arc::new(SourceFile::open(&path)), offset: 0, len: LEN };
    (dir, Tensor::new(Dtype::Float32, Shape(SIDES.into()), vec![data], None))
}

/// Returns the number of bytes that this thread has read so far, as counted by the kernel.
fn read_by_this_thread() -> u64 {
    let account = fs::read_to_string("/proc/thread-self/io").unwrap();
    account.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap()
}
