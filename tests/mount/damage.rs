//! A source that is truncated, replaced or deleted under a mount. Reads of the lost bytes fail or end early, and
//! never return
//! zeros or other numbers. The log has one line. Everything else can still be read.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ckptfs::dtype::Dtype;
use tempfile::TempDir;

use crate::support::bundle::{Bundle, f32s};
use crate::support::mount::{MountGuard, mount};
use crate::support::{ckptfs, eventually, stderr};

const GONE: [i32; 2] = [libc::EIO, libc::ESTALE];
const LEN: usize = 300_000;

/// The source `ckpt-9` in two data files: `lost/…` in the damaged one, `kept` in the other. No value is zero.
struct Source {
    _dir: TempDir,
    prefix: PathBuf,
    values: Vec<u8>,
}

impl Source {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let prefix = dir.path().join("ckpt-9");
        let values: Vec<u8> = (0..LEN).map(|i| (i % 251) as u8 + 1).collect();
        bundle(&values).write(&prefix);
        Self { _dir: dir, prefix, values }
    }

    fn shard(&self) -> PathBuf {
        self.prefix.with_added_extension("data-00001-of-00002")
    }

    fn truncate(&self, len: u64) {
        File::options().write(true).open(self.shard()).unwrap().set_len(len).unwrap();
    }

    /// Replaces the shard with a file that has other values.
    fn replace(&self) {
        let other = self.prefix.with_added_extension("other");
        fs::write(&other, vec![0x77; fs::metadata(self.shard()).unwrap().len() as usize]).unwrap();
        fs::rename(other, self.shard()).unwrap();
    }
}

fn bundle(values: &[u8]) -> Bundle {
    Bundle::sharded(2)
        .tensor_in(1, "lost/bytes", Dtype::Uint8, &[LEN as u64], values)
        .tensor_in(1, "lost/half", Dtype::Bfloat16, &[2], &[0x80, 0x3f, 0, 0x40])
        .floats("kept", &[1.0, 2.0])
}

/// The files that use the damaged shard in every way: unchanged, behind a header, converted element by element.
const LOST: &[&str] = &[
    "ckpt-9/raw/lost/bytes",
    "ckpt-9/npy/lost/bytes.npy",
    "ckpt-9/text/lost/bytes.txt",
    "ckpt-9/npy/lost/half.npy",
    "ckpt-9.data-00001-of-00002",
];

/// Reads the rest of a file. Returns its bytes, and the error that ended it, if there is one.
fn read_on(file: &mut File) -> (Vec<u8>, Option<i32>) {
    let (mut got, mut buf) = (Vec::new(), vec![0; 10_000]);
    loop {
        match file.read(&mut buf) {
            Ok(0) => return (got, None),
            Ok(n) => got.extend(&buf[..n]),
            Err(error) => return (got, error.raw_os_error()),
        }
    }
}

/// Checks that files that do not depend on the damaged shard are unchanged.
#[track_caller]
fn the_rest_lives(m: &MountGuard) {
    assert_eq!(m.read("ckpt-9/raw/kept"), f32s(&[1.0, 2.0]));
    assert_eq!(m.read("ckpt-9.data-00000-of-00002"), f32s(&[1.0, 2.0]));
    assert_eq!(m.text("ckpt-9/vars/lost/bytes/shape"), format!("{LEN}\n"));
    assert!(fs::metadata(m.join("ckpt-9/raw/lost/bytes")).is_ok_and(|meta| meta.len() == LEN as u64));
}

#[test]
fn a_shard_truncated_under_an_open_file_is_an_error_and_never_zeros() {
    for mode in ["kernel", "direct", "auto"] {
        let source = Source::new();
        let Some(m) = mount(&source.prefix, &["--cache", mode]) else { return };
        let mut file = File::open(m.join("ckpt-9/raw/lost/bytes")).unwrap();
        let mut first = [0; 10];
        file.read_exact(&mut first).unwrap();
        source.truncate(200_001);
        file.seek(SeekFrom::Start(0)).unwrap();
        let (got, error) = read_on(&mut file);
        assert!(error.is_some_and(|error| GONE.contains(&error)), "{mode}: {error:?}");
        assert!(source.values.starts_with(&got), "{mode}: other bytes than were written");
        for path in LOST {
            assert!(GONE.contains(&m.errno(path)), "{mode}: {path}");
        }
        the_rest_lives(&m);
        let shard = source.shard();
        eventually("the log has it", || m.logged(shard.to_str().unwrap()) == 1);
    }
}

#[test]
fn a_data_file_that_is_truncated_reads_short_or_fails() {
    let source = Source::new();
    for mode in ["auto", "kernel", "direct"] {
        bundle(&source.values).write(&source.prefix);
        let Some(m) = mount(&source.prefix, &["--cache", mode]) else { return };
        let mut file = File::open(m.join("ckpt-9.data-00001-of-00002")).unwrap();
        source.truncate(200_001);
        let (got, error) = read_on(&mut file);
        assert!(source.values.starts_with(&got) && got.len() <= 200_001, "{mode}: {} bytes", got.len());
        assert!(error.is_none_or(|error| GONE.contains(&error)), "{mode}: {error:?}");
        assert!(mode == "auto" || error.is_some(), "{mode}: through the daemon it is an error");
        the_rest_lives(&m);
    }
}

#[test]
fn a_shard_truncated_while_it_is_read_does_not_end_the_daemon() {
    let source = Source::new();
    let Some(m) = mount(&source.prefix, &["--cache", "direct"]) else { return };
    let mut file = File::open(m.join("ckpt-9.data-00001-of-00002")).unwrap();
    file.read_exact(&mut [0; 5000]).unwrap();
    source.truncate(0);
    assert!(read_on(&mut file).1.is_some_and(|error| GONE.contains(&error)));
    the_rest_lives(&m);
}

#[test]
fn a_replaced_shard_is_stale_when_opened_and_open_files_stay_readable() {
    for mode in ["auto", "kernel", "direct"] {
        let source = Source::new();
        let Some(m) = mount(&source.prefix, &["--cache", mode]) else { return };
        let mut open = File::open(m.join("ckpt-9/raw/lost/bytes")).unwrap();
        let mut whole = File::open(m.join("ckpt-9.data-00001-of-00002")).unwrap();
        assert!(m.text("ckpt-9/text/lost/bytes.txt").starts_with("                   1\n"));
        let old: Vec<_> = LOST.iter().map(|path| m.read(path)).collect();
        source.replace();
        for (path, old) in LOST.iter().zip(old) {
            // Until the directory is scanned again, the planned file is stale. After that, the new file is read.
            match fs::read(m.join(path)) {
                Ok(new) => assert!(new != old, "{mode}: {path}"),
                Err(error) => assert_eq!(error.raw_os_error(), Some(libc::ESTALE), "{mode}: {path}"),
            }
        }
        assert!(read_on(&mut open) == (source.values.clone(), None), "{mode}: an open file reads on");
        let (got, error) = read_on(&mut whole);
        assert!(got.starts_with(&source.values) && error.is_none(), "{mode}");
        the_rest_lives(&m);
        assert!(m.logged("another file has taken its place") <= 1);
    }
}

#[test]
fn a_deleted_shard_stays_readable_in_open_files_and_cannot_be_opened() {
    let source = Source::new();
    let Some(m) = mount(&source.prefix, &[]) else { return };
    let mut files: Vec<_> = ["ckpt-9/raw/lost/bytes", "ckpt-9.data-00001-of-00002"]
        .map(|path| File::open(m.join(path)).unwrap())
        .into();
    fs::remove_file(source.shard()).unwrap();
    for file in &mut files {
        let (got, error) = read_on(file);
        assert!(got.starts_with(&source.values) && error.is_none());
    }
    for path in LOST {
        assert_eq!(m.errno(path), libc::ESTALE, "{path}");
    }
    the_rest_lives(&m);
    // A shard that is restored with the same bytes is still another file.
    bundle(&source.values).write(&source.prefix);
    assert_eq!(m.errno(LOST[0]), libc::ESTALE);
}

#[test]
fn a_shard_changed_in_place_is_stale_within_a_second() {
    let source = Source::new();
    let Some(m) = mount(&source.prefix, &["--cache", "kernel"]) else { return };
    let mut open = File::open(m.join("ckpt-9/raw/lost/bytes")).unwrap();
    let file = File::options().write(true).open(source.shard()).unwrap();
    io::Write::write_all(&mut &file, &[0x77; 100]).unwrap();
    file.set_modified(SystemTime::now() + Duration::from_secs(5)).unwrap();
    for path in LOST {
        assert_eq!(m.errno(path), libc::ESTALE, "{path}");
    }
    let (got, error) = read_on(&mut open);
    assert!(got.is_empty() && error == Some(libc::ESTALE), "the other numbers were served");
    the_rest_lives(&m);
}

#[test]
fn a_deleted_index_is_stale_without_a_map_and_not_needed_with_a_map() {
    let source = Source::new();
    let Some(plain) = mount(&source.prefix, &[]) else { return };
    let Some(mapped) = mount(&source.prefix, &["--rename", "kept=k"]) else { return };
    fs::remove_file(source.prefix.with_added_extension("index")).unwrap();
    assert_eq!(plain.errno("ckpt-9.index"), libc::ESTALE);
    the_rest_lives(&plain);
    let listed = ckptfs([Path::new("ls"), &mapped.join("ckpt-9")]);
    assert_eq!(
        (crate::support::stdout(&listed), stderr(&listed)),
        ("k\nlost/bytes\nlost/half\n".into(), String::new())
    );
}

#[test]
fn a_missing_or_unreadable_shard_is_a_warning_and_its_values_are_eio() {
    for directory_instead in [false, true] {
        let source = Source::new();
        fs::remove_file(source.shard()).unwrap();
        if directory_instead {
            fs::create_dir(source.shard()).unwrap();
        }
        let Some(m) = mount(&source.prefix, &[]) else { return };
        let said = stderr(&m.said);
        assert!(said.contains("warning") && said.contains(source.shard().to_str().unwrap()), "{said}");
        assert!(said.contains("2 of 3 variables have names and shapes but no values"), "{said}");
        for path in &LOST[..4] {
            assert_eq!(m.errno(path), libc::EIO, "{path}");
        }
        assert_eq!(m.errno("ckpt-9.data-00001-of-00002"), libc::ENOENT);
        the_rest_lives(&m);
        assert_eq!(m.logged(source.shard().to_str().unwrap()), 1);
        assert!(!m.join("latest.index").exists() && !m.join("checkpoint").exists(), "it is not complete");
    }
}

#[test]
fn a_flipped_bit_is_an_error_only_with_verify_and_only_for_its_own_variable() {
    let source = Source::new();
    let file = File::options().write(true).open(source.shard()).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[source.values[LEN / 2] ^ 1], (LEN / 2) as u64).unwrap();
    let Some(plain) = mount(&source.prefix, &[]) else { return };
    assert_eq!(plain.read("ckpt-9/raw/lost/bytes").len(), LEN);
    for flags in
        [&["--verify"][..], &["-o", "verify"], &["--verify", "--cache", "direct", "--rename", "lost/*=new/*"]]
    {
        let Some(m) = mount(&source.prefix, flags) else { return };
        let scope = if flags.contains(&"--rename") { "new" } else { "lost" };
        for path in [format!("ckpt-9/raw/{scope}/bytes"), format!("ckpt-9/npy/{scope}/bytes.npy")] {
            assert_eq!((m.errno(&path), m.errno(&path)), (libc::EIO, libc::EIO), "{flags:?}");
        }
        assert_eq!(m.logged(&format!("{scope}/bytes: damaged")), 2, "one line for each of the two files");
        assert_eq!(m.read(format!("ckpt-9/raw/{scope}/half")), [0x80, 0x3f, 0, 0x40]);
        assert_eq!(m.text(format!("ckpt-9/vars/{scope}/bytes/shape")), format!("{LEN}\n"));
        assert_eq!(m.read("ckpt-9/raw/kept"), f32s(&[1.0, 2.0]));
        assert!(m.text(".ckptfs/status.json").contains("--verify"), "why the kernel reads nothing by itself");
    }
}
