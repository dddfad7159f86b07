//! Work on demand: a mount does it once for many readers, and not before a reader needs it.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::sync::Barrier;
use std::thread;

use ckptfs::dtype::Dtype;
use serde_json::Value;

use crate::support::bundle::Bundle;
use crate::support::list;
use crate::support::mount::{MountGuard, Place, mount};

const READERS: usize = 16;
/// The number of bytes that are decoded at once.
const PIECE: usize = 4 << 20;

fn status(m: &MountGuard, counter: &str) -> u64 {
    let status: Value = serde_json::from_str(&m.text(".ckptfs/status.json")).unwrap();
    status["cache"][counter].as_u64().unwrap()
}

#[test]
fn many_readers_of_one_block_cause_one_decode() {
    let place = Place::new();
    // Direct mode bypasses the page cache, so that each reader sends a request.
    let Some(m) = place.mount(&["--threads", "8", "--cache", "direct"]) else { return };
    let file = File::open(m.join("ckpt-9/text/w.txt")).unwrap();
    assert!(file.metadata().unwrap().len() as usize > PIECE);
    let counters = || ["misses", "hits", "evictions"].map(|counter| status(&m, counter));
    let before = counters();
    let barrier = Barrier::new(READERS);
    thread::scope(|scope| {
        for reader in 0..READERS {
            let (file, barrier) = (&file, &barrier);
            scope.spawn(move || {
                let (mut line, at) = ([0; 16], reader * PIECE / READERS);
                barrier.wait();
                file.read_exact_at(&mut line, at as u64).unwrap();
                let number: f32 = str::from_utf8(&line).unwrap().trim().parse().unwrap();
                assert_eq!(number, (at / 16) as f32);
            });
        }
    });
    let [misses, hits, evictions] = counters();
    assert_eq!((misses - before[0], hits - before[1], evictions), (1, READERS as u64 - 1, 0));
}

#[test]
fn a_plain_listing_computes_nothing_and_a_long_listing_has_every_length() {
    let dir = tempfile::tempdir().unwrap();
    let prefix = dir.path().join("ckpt-9");
    // The checksum of these strings is wrong. Reading them adds a line to the log.
    Bundle::new()
        .floats("w", &[1.0, 2.0])
        .tensor("words", Dtype::String, &[2], b"\x01\x01\0\0\0\0ab")
        .write(&prefix);
    let Some(m) = mount(&prefix, &[]) else { return };
    let names = list(&m.join("ckpt-9"));
    assert!(names.iter().any(|name| name == "model.weights.h5"), "{names:?}");
    assert_eq!(m.logged("not readable"), 0);

    let files = fs::read_dir(m.join("ckpt-9")).unwrap().map(|entry| entry.unwrap());
    for file in files.filter(|file| file.metadata().unwrap().is_file()) {
        let (len, path) = (file.metadata().unwrap().len(), file.path());
        match fs::read(&path) {
            Ok(bytes) => assert_eq!(bytes.len() as u64, len, "{}", path.display()),
            Err(error) => assert_eq!(error.raw_os_error(), Some(libc::EIO), "{}", path.display()),
        }
        assert!(len > 0, "{}", path.display());
    }
    assert_eq!(m.logged("words: not readable"), 1, "the image of all weights takes the lengths of strings");
    let lengths = |directory: &str| -> Vec<_> {
        list(&m.join(directory))
            .iter()
            .map(|name| m.join(directory).join(name).symlink_metadata().unwrap().len())
            .collect()
    };
    let first = lengths("ckpt-9");
    list(&m.join("ckpt-9"));
    assert_eq!(lengths("ckpt-9"), first);
}
