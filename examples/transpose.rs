//! The reads of a transpose of a tensor far larger than the cache:
//! `cargo run --release --example transpose [CACHE_MIB]`.
//!
//! For each matrix of 1 GiB, the program prints the bytes that were read, the time, and the peak memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use std::{fs, io};

use ckptfs::cache::{Cache, Decode, Identity};
use ckptfs::dtype::Dtype;
use ckptfs::extent::Extent;
use ckptfs::op::Op;
use ckptfs::tensor::{Shape, Tensor};

/// A source of generated numbers that counts the reads.
#[derive(Default)]
struct Counted {
    bytes: AtomicU64,
    reads: AtomicU64,
}

impl Decode for Counted {
    fn identity(&self) -> Identity {
        Identity { of: std::ptr::from_ref(self).addr(), to: "counted" }
    }

    fn decode(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        self.read(0, &mut bytes, at).map(|()| bytes)
    }

    fn read(&self, _: u64, buf: &mut [u8], at: u64) -> io::Result<()> {
        self.bytes.fetch_add(buf.len() as u64, Ordering::Relaxed);
        self.reads.fetch_add(1, Ordering::Relaxed);
        buf.fill(at as u8);
        Ok(())
    }
}

fn main() {
    let cache_mib = std::env::args().nth(1).and_then(|mib| mib.parse().ok()).unwrap_or(128);
    println!("float32 of 1 GiB, a cache of {cache_mib} MiB");
    for dims in [[16384, 16384], [262_144, 1024], [2_097_152, 128], [128, 2_097_152]] {
        let counted = Arc::new(Counted::default());
        let data = vec![Extent::Decoded { data: counted.clone(), len: 1 << 30 }];
        let tensor = Arc::new(Tensor::new(Dtype::Float32, Shape(dims.into()), data, None));
        let turned = Op::Transpose([1, 0].into()).apply(&tensor).expect("two axes").file();
        let (cache, mut out, start) = (Cache::new(cache_mib << 20), vec![0; 128 << 10], Instant::now());
        for at in (0..turned.len()).step_by(out.len()) {
            turned.read_at(&cache, &mut out, at).expect("nothing fails here");
        }
        let (bytes, reads) = (counted.bytes.load(Ordering::Relaxed), counted.reads.load(Ordering::Relaxed));
        println!(
            "{dims:?}: read {:.2} GiB in {reads} reads, {:.2} s; {}",
            bytes as f64 / (1u64 << 30) as f64,
            start.elapsed().as_secs_f64(),
            peak()
        );
    }
}

/// Returns the peak memory so far, if the system reports it.
fn peak() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("memory not known").to_owned()
}
