//! Interaction with the kernel, where a mistake costs time or data although every call succeeds: opened directories,
//! read-ahead, passthrough, block counts, and files that grow.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use rustix::process::geteuid;
use serde_json::Value;

use crate::support::bundle::Bundle;
use crate::support::mount::{MountGuard, Place, mount};
use crate::support::stderr;

fn status(m: &MountGuard) -> Value {
    serde_json::from_slice(&m.read(".ckptfs/status.json")).unwrap()
}

/// Creates a checkpoint with sixty directories.
fn many() -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let prefix = dir.path().join("ckpt-9");
    (0..60)
        .fold(Bundle::new(), |bundle, i| bundle.floats(format!("layer_{i}/kernel"), &[1.0]))
        .write(&prefix);
    (dir, prefix)
}

#[test]
fn the_kernel_asks_only_once_to_open_a_directory() {
    let (_dir, prefix) = many();
    let Some(m) = mount(&prefix, &[]) else { return };
    for _ in 0..2 {
        let listed = Command::new("ls").arg("-lR").arg(m.path()).output().unwrap();
        assert!(listed.status.success() && listed.stdout.len() > 60 * 60, "{}", stderr(&listed));
    }
    assert_eq!(status(&m)["opendirs"], 1);
}

#[test]
fn the_kernel_reads_ahead_one_mebibyte_if_that_can_be_set() {
    let place = Place::new();
    let Some(m) = place.mount(&[]) else { return };
    let line = m.mountinfo().unwrap();
    let file = format!("/sys/class/bdi/{}/read_ahead_kb", line.split(' ').nth(2).unwrap());
    // The file is read-only in many containers.
    let may = fs::File::options().write(true).open(&file).is_ok();
    let set = fs::read_to_string(&file).unwrap();
    assert_eq!(set.trim() == "1024", may, "{file}: {set}");
}

#[test]
fn without_passthrough_the_daemon_reads_and_logs_that_once() {
    let place = Place::new();
    let Some(below) = place.mount(&[]) else { return };
    // The kernel refuses passthrough to a file system that is itself stacked this deep.
    let Some(above) = mount(&below.join("ckpt-9"), &[]) else { return };
    let data = fs::read(place.root.join("ckpt-9.data-00000-of-00001")).unwrap();
    for _ in 0..3 {
        assert!(above.read("ckpt-9.data-00000-of-00001") == data);
        assert!(above.read("ckpt-9/raw/w") == place.values);
    }
    assert_eq!(above.logged("cannot read data files directly"), 1, "{}", above.text(".ckptfs/log"));
    let passthrough = &status(&above)["passthrough"];
    assert_eq!(passthrough["on"], false);
    assert!(passthrough["reason"].as_str().is_some_and(|reason| !reason.is_empty()));
    assert!(status(&above)["bytes"].as_u64().unwrap() >= data.len() as u64);
}

#[test]
fn with_passthrough_the_daemon_gets_no_reads() {
    let place = Place::new();
    let Some(m) = place.mount(&[]) else { return };
    let before = status(&m)["bytes"].as_u64().unwrap();
    let data = m.read("ckpt-9.data-00000-of-00001").len() as u64;
    let now = status(&m);
    let through_us = now["bytes"].as_u64().unwrap() - before >= data;
    assert_eq!(through_us, now["passthrough"]["on"] == false, "{now}");
    if geteuid().is_root() && now["passthrough"]["reason"].is_null() {
        assert!(!through_us);
    }
}

#[test]
fn passthrough_is_not_tried_with_cache_kernel() {
    let place = Place::new();
    let Some(m) = place.mount(&["--cache", "kernel"]) else { return };
    assert!(m.read("ckpt-9.data-00000-of-00001").len() as u64 <= status(&m)["bytes"].as_u64().unwrap());
    assert_eq!(status(&m)["passthrough"]["reason"], "not wanted (--cache)");
    assert_eq!(m.logged("cannot read data files directly"), 0);
}

#[test]
fn block_counts_match_lengths_so_that_sparse_archives_are_complete() {
    let place = Place::new();
    let Some(m) = place.mount(&[]) else { return };
    for file in [
        "ckpt-9.index",
        "ckpt-9.data-00000-of-00001",
        "ckpt-9/raw/w",
        "ckpt-9/npy/w.npy",
        "ckpt-9/text/w.txt",
        "checkpoint",
    ] {
        let meta = m.join(file).metadata().unwrap();
        assert_eq!(meta.blocks(), meta.len().div_ceil(512), "{file}");
    }
    let script =
        "tar -C \"$1\" -cSf - ckpt-9/npy | tar -xOf - ckpt-9/npy/w.npy | cmp - \"$1/ckpt-9/npy/w.npy\"";
    let compared = Command::new("sh").args(["-c", script, "sh"]).arg(m.path()).output().unwrap();
    assert!(compared.status.success(), "{}", stderr(&compared));
}

#[test]
fn a_generated_file_that_grew_since_stat_is_read_to_its_end() {
    let place = Place::new();
    let Some(m) = place.mount(&["--cache", "kernel"]) else { return };
    let before = m.join(".ckptfs/log").metadata().unwrap().len();
    // This adds a line to the log.
    fs::remove_file(place.root.join("ckpt-9.data-00000-of-00001")).unwrap();
    assert_eq!(m.errno("ckpt-9.data-00000-of-00001"), libc::ESTALE);
    let log = m.text(".ckptfs/log");
    assert!(
        log.len() as u64 > before && log.ends_with('\n') && log.contains("gone since the mount"),
        "{log}"
    );
    let file = m.read(".ckptfs/status.json");
    assert!(
        file.ends_with(b"\n") && file.len() as u64 == m.join(".ckptfs/status.json").metadata().unwrap().len()
    );
    // The kernel tries a stale file twice.
    assert!(serde_json::from_slice::<Value>(&file).unwrap()["errors"].as_u64() >= Some(1));
}
