//! The speed of casts and transposes, from memory to memory: `cargo bench --bench cast`.

use std::sync::Arc;

use ckptfs::cache::Cache;
use ckptfs::dtype::Dtype;
use ckptfs::op::Op;
use ckptfs::tensor::{Shape, Tensor};
use divan::counter::BytesCount;
use divan::{Bencher, black_box};

fn main() {
    divan::main();
}

const SIDE: u64 = 4096;

fn tensor(dtype: Dtype) -> Arc<Tensor> {
    let width = dtype.width().unwrap_or(1);
    let numbers = (0..SIDE * SIDE).map(|i| (i % 977) as f32 / 976.0 - 0.5);
    let bytes: Vec<u8> = match dtype {
        Dtype::Float64 => numbers.flat_map(|x| f64::from(x).to_le_bytes()).collect(),
        Dtype::Float32 => numbers.flat_map(f32::to_le_bytes).collect(),
        _ => numbers.flat_map(|x| x.to_le_bytes().into_iter().skip(2).take(width as usize)).collect(),
    };
    Arc::new(Tensor::new(dtype, Shape([SIDE, SIDE].into()), vec![bytes.into()], None))
}

/// Measures a read of the result as the file system reads it: through a full cache that is smaller than the result.
/// The reported bytes per second are bytes of the source tensor.
fn read(bencher: Bencher, from: Dtype, op: Op, cache: usize) {
    let from = tensor(from);
    let made = op.apply(&from).unwrap();
    let (file, cache, mut out) = (made.file(), Cache::new(cache), vec![0; 1 << 20]);
    bencher.counter(BytesCount::new(from.len())).bench_local(|| {
        for at in (0..file.len()).step_by(out.len()) {
            file.read_at(&cache, black_box(&mut out), at).unwrap();
        }
    });
}

const CASTS: &[(Dtype, Dtype)] = &[
    (Dtype::Float32, Dtype::Bfloat16),
    (Dtype::Bfloat16, Dtype::Float32),
    (Dtype::Float32, Dtype::Float16),
    (Dtype::Float16, Dtype::Float32),
    (Dtype::Float64, Dtype::Float32),
    (Dtype::Float32, Dtype::Float8E4m3fn),
    (Dtype::Float32, Dtype::Int8),
];

#[divan::bench(args = CASTS.iter().map(|(from, to)| format!("{from} to {to}")), sample_count = 10, sample_size = 1)]
fn cast(bencher: Bencher, pair: &str) {
    let named = |(from, to): &&(Dtype, Dtype)| format!("{from} to {to}") == pair;
    let Some(&(from, dtype)) = CASTS.iter().find(named) else { return };
    read(bencher, from, Op::Cast { dtype, saturate: false }, 8 << 20);
}

/// Measures the cast without the cache.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn cast_uncached(bencher: Bencher) {
    read(bencher, Dtype::Float32, Op::Cast { dtype: Dtype::Bfloat16, saturate: false }, 0);
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn scale(bencher: Bencher) {
    read(bencher, Dtype::Float32, Op::Scale(0.5), 8 << 20);
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn transpose(bencher: Bencher) {
    read(bencher, Dtype::Float32, Op::Transpose([1, 0].into()), 48 << 20);
}
