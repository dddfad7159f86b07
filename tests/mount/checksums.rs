//! Checksums that a mount computes: in the background, only of undamaged values, and once for all mounts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use ckptfs::dtype::Dtype;
use ckptfs::format::bundle::Entry;
use ckptfs::format::crc::Masked;
use ckptfs::format::table;
use tempfile::TempDir;

use crate::support::bundle::{Bundle, f32s};
use crate::support::mount::{MountGuard, can_mount};
use crate::support::{CKPTFS, eventually, list, stderr};

const INDEX: &str = "ckpt-9.index";
const DATA: &str = "ckpt-9.data-00000-of-00001";
/// The number of elements of `w`. Cast to half, they have enough bytes for their checksum to be kept.
const ELEMENTS: u64 = 8 << 20;
const CAST: &[&str] = &["--cast", "**=float16"];

/// A checkpoint of `w` and `v` with an old modification time, a mountpoint, and a cache directory that does not exist
/// yet.
struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let bundle = Bundle::new()
            .tensor("w", Dtype::Float32, &[ELEMENTS], &vec![0; ELEMENTS as usize * 4])
            .floats("v", &[1.0, 2.0]);
        bundle.write(&dir.path().join("ckpt-9"));
        fs::create_dir(dir.path().join("m")).unwrap();
        let place = Self { dir };
        place.age();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(name)
    }

    /// Sets the modification time of both files to the same fixed time.
    fn age(&self) {
        for name in [INDEX, DATA] {
            let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
            fs::File::options().write(true).open(self.path(name)).unwrap().set_modified(then).unwrap();
        }
    }

    /// Changes a byte of the data, but nothing that `stat` shows.
    fn damage(&self, at: usize) {
        let mut bytes = fs::read(self.path(DATA)).unwrap();
        bytes[at] ^= 0x40;
        fs::write(self.path(DATA), bytes).unwrap();
        self.age();
    }

    fn mount(&self, cache: &str, flags: &[&str]) -> Option<MountGuard> {
        can_mount().then(|| {
            let (source, path) = (self.path("ckpt-9"), self.path("m"));
            let mut command = Command::new(CKPTFS);
            command.arg("mount").arg(source).arg(&path).args(flags);
            let said = command.env("CKPTFS_CACHE_DIR", cache).output().unwrap();
            assert!(said.status.success(), "not mounted: {}", stderr(&said));
            MountGuard::of(&path, said)
        })
    }

    fn cache(&self) -> String {
        self.path("cache").to_str().unwrap().to_owned()
    }

    fn kept(&self) -> Vec<String> {
        let kept = self.path("cache/checksums");
        if kept.is_dir() {
            list(&kept).into_iter().filter(|name| !name.starts_with('.')).collect()
        } else {
            vec![]
        }
    }
}

/// Returns the checksum of a variable in the index of a mount.
fn sum(mount: &MountGuard, name: &str) -> Masked {
    let rows = table::decode(&mount.read(INDEX)).unwrap();
    let row = rows.iter().find(|row| row.key == name.as_bytes()).unwrap();
    Entry::decode(&row.value).unwrap().crc32c
}

fn halves(values: &[u16]) -> Masked {
    Masked::of(&values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>())
}

/// Returns the checksum of `v` after the cast.
fn v() -> Masked {
    halves(&[0x3c00, 0x4000])
}

#[test]
fn checksums_are_computed_in_the_background_and_reused_by_the_next_mount() {
    let place = Place::new();
    let Some(mount) = place.mount(&place.cache(), CAST) else { return };
    // No program reads the index.
    eventually("the sums are kept", || place.kept().len() == 1);
    drop(mount);
    place.damage(0);
    let index = |cache: &str| {
        let mount = place.mount(cache, CAST).unwrap();
        [sum(&mount, "w"), sum(&mount, "v")]
    };
    let zeros = Masked::of(&[0, 0]).repeated(2, ELEMENTS);
    assert_eq!(index(&place.cache()), [zeros, v()], "nothing was read, for what is there now is not that");
    assert_eq!(index(""), [Masked(0), v()], "without what was kept the damage is seen");
}

#[test]
fn a_value_of_damaged_bytes_gets_no_valid_checksum_and_one_line_in_the_log() {
    let place = Place::new();
    place.damage(5);
    let Some(mount) = place.mount(&place.cache(), CAST) else { return };
    assert_eq!([sum(&mount, "w"), sum(&mount, "v")], [Masked(0), v()]);
    assert_eq!(mount.logged("cannot be restored"), 1);
    assert!(place.kept().is_empty(), "damage is to be found by every mount");
}

#[test]
fn another_map_or_a_rewritten_source_gets_new_checksums() {
    let place = Place::new();
    for (mounts, flags) in (1..).zip([CAST, &["--cast", "**=bfloat16"]]) {
        let Some(mount) = place.mount(&place.cache(), flags) else { return };
        eventually("the sums are kept", || place.kept().len() == mounts);
        drop(mount);
    }
    let bundle = Bundle::new()
        .tensor("w", Dtype::Float32, &[ELEMENTS], &f32s(&[1.0]).repeat(ELEMENTS as usize))
        .floats("v", &[1.0, 2.0]);
    bundle.write(&place.path("ckpt-9"));
    let mount = place.mount(&place.cache(), CAST).unwrap();
    let ones = Masked::of(&0x3c00u16.to_le_bytes()).repeated(2, ELEMENTS);
    assert_eq!([sum(&mount, "w"), sum(&mount, "v")], [ones, v()]);
}

#[test]
fn a_damaged_or_unwritable_cache_does_not_change_the_checksums() {
    let place = Place::new();
    let zeros = Masked::of(&[0, 0]).repeated(2, ELEMENTS);
    let Some(mount) = place.mount(&place.cache(), CAST) else { return };
    eventually("the sums are kept", || place.kept().len() == 1);
    drop(mount);
    let file = place.path("cache/checksums").join(&place.kept()[0]);
    let mut bytes = fs::read(&file).unwrap();
    bytes[45] ^= 1;
    fs::write(&file, bytes).unwrap();
    let elsewhere = place.path(DATA);
    for cache in [Path::new(&place.cache()), &elsewhere] {
        let mount = place.mount(cache.to_str().unwrap(), CAST).unwrap();
        assert_eq!([sum(&mount, "w"), sum(&mount, "v")], [zeros, v()]);
    }
}
