//! The speed of reading and writing an index and a header of 100,000 variables, and of checksums:
//! `cargo bench --bench codecs`.

use ckptfs::format::bundle::Entry;
use ckptfs::format::crc::Masked;
use ckptfs::format::{safetensors, table};
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};

fn main() {
    divan::main();
}

const VARIABLES: u64 = 100_000;

fn name(i: u64) -> String {
    format!("model/decoder/layer_{:04}/attention/head_{:02}/kernel", i / 16, i % 16)
}

fn entry(i: u64) -> Entry {
    Entry {
        dtype: 1,
        shape: vec![4, 8],
        offset: i * 128,
        size: 128,
        crc32c: Masked(i as u32),
        ..Entry::default()
    }
}

fn rows() -> Vec<(Vec<u8>, Vec<u8>)> {
    (0..VARIABLES).map(|i| (name(i).into_bytes(), entry(i).encode())).collect()
}

fn encoded(rows: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    table::encode(rows.iter().map(|(key, value)| (key.as_slice(), value.as_slice())))
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn entries_encode(bencher: Bencher) {
    let entries: Vec<_> = (0..VARIABLES).map(entry).collect();
    let encode = || black_box(&entries).iter().map(|entry| entry.encode().len()).sum::<usize>();
    bencher.counter(ItemsCount::new(VARIABLES)).bench_local(encode);
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn index_encode(bencher: Bencher) {
    let rows = rows();
    bencher.counter(ItemsCount::new(VARIABLES)).bench_local(|| encoded(black_box(&rows)));
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn table_decode(bencher: Bencher) {
    let file = encoded(&rows());
    bencher.counter(ItemsCount::new(VARIABLES)).bench_local(|| table::decode(black_box(&file)).unwrap());
}

fn header() -> safetensors::Header {
    let (kind, shape) = (safetensors::Kind::from_name("F32").unwrap(), vec![4, 8]);
    let tensor = |i| safetensors::Entry {
        name: name(i),
        kind,
        shape: shape.clone(),
        start: i * 128,
        end: (i + 1) * 128,
    };
    safetensors::Header { metadata: Vec::new(), tensors: (0..VARIABLES).map(tensor).collect() }
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn safetensors_header_encode(bencher: Bencher) {
    let header = header();
    bencher.counter(ItemsCount::new(VARIABLES)).bench_local(|| safetensors::encode(black_box(&header)));
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn safetensors_header_decode(bencher: Bencher) {
    let file = safetensors::encode(&header());
    let len = file.len() as u64 + VARIABLES * 128;
    bencher
        .counter(ItemsCount::new(VARIABLES))
        .bench_local(|| safetensors::decode(black_box(&file), len).unwrap());
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn crc(bencher: Bencher) {
    let bytes = vec![7; 64 << 20];
    bencher.counter(BytesCount::new(bytes.len())).bench_local(|| Masked::of(black_box(&bytes)));
}
