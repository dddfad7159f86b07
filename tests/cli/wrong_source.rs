//! A SOURCE that is not a checkpoint: every command says what it is, what to do and which checkpoints are near, and
//! exits
//! with 1.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::support::bundle::Bundle;
use crate::support::{CKPTFS, ckptfs, stderr, stdout};

const LFS: &[u8] =
    b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935\nsize 267844284\n";
const HTML: &[u8] = b"<!DOCTYPE html>\n<html><head><title>404</title></head></html>\n";
const TORCH: &[u8] = b"PK\x03\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x10\0\0\0archive/data.pkl";

/// Creates a directory with one valid checkpoint, `train/ckpt-9`.
fn train() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    Bundle::new().floats("w", &[1.0]).write(&dir.path().join("train/ckpt-9"));
    dir
}

/// Runs `ls`, which must fail with nothing on standard output, and returns its message.
#[track_caller]
fn refused(source: &Path) -> String {
    let output = ckptfs(["ls".as_ref(), source.as_os_str()]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert_eq!(stdout(&output), "");
    let said = stderr(&output);
    assert!(said.starts_with("error: ") && !said.contains("panicked"), "{said}");
    said
}

#[test]
fn a_file_that_is_not_a_checkpoint_is_identified() {
    let cases: &[(&str, &[u8], &str)] = &[
        ("model.ckpt", b"", "this is an empty file"),
        ("model.ckpt", LFS, "this is a git-lfs pointer"),
        ("model.ckpt", HTML, "this is a web page"),
        ("model.ckpt", TORCH, "this is a PyTorch checkpoint"),
        ("notes.txt", b"learning rate 0.1\n", "this is not a TensorFlow checkpoint"),
    ];
    for (name, bytes, words) in cases {
        let dir = train();
        let path = dir.path().join("train").join(name);
        fs::write(&path, bytes).unwrap();
        let said = refused(&path);
        let (file, near) = (path.to_str().unwrap(), dir.path().join("train/ckpt-9"));
        assert!(said.contains(file) && said.contains(words), "{said}");
        assert!(said.contains("  help: ") && said.contains(near.to_str().unwrap()), "{said}");
    }
}

#[test]
fn a_file_that_is_not_an_index_is_identified_for_every_spelling() {
    for (bytes, words) in [
        (&b""[..], "this is an empty file"),
        (LFS, "this is a git-lfs pointer"),
        (HTML, "this is a web page"),
        (TORCH, "this is a PyTorch checkpoint"),
    ] {
        let dir = train();
        let prefix = dir.path().join("train/ckpt-8");
        Bundle::new().floats("w", &[1.0]).write(&prefix);
        let index = prefix.with_added_extension("index");
        fs::write(&index, bytes).unwrap();
        for source in [&prefix, &index, &prefix.with_added_extension("data-00000-of-00001")] {
            let said = refused(source);
            assert!(said.contains(index.to_str().unwrap()) && said.contains(words), "{said}");
            assert!(said.contains("train/ckpt-9"), "{said}");
            assert!(!said.contains("nearby: ckpt-8"), "{said}");
        }
    }
}

#[test]
fn a_data_file_in_place_of_an_index_is_refused_with_its_path() {
    let dir = train();
    let index = dir.path().join("train/ckpt-9.index");
    fs::copy(dir.path().join("train/ckpt-9.data-00000-of-00001"), &index).unwrap();
    let said = refused(&dir.path().join("train/ckpt-9"));
    assert!(
        said.contains("4 bytes are too few for a table") && said.contains(index.to_str().unwrap()),
        "{said}"
    );
}

#[test]
fn a_data_file_or_graph_without_its_index_says_which_index_is_missing() {
    let dir = train();
    for name in ["ckpt-7.data-00000-of-00001", "ckpt-7.meta"] {
        let path = dir.path().join("train").join(name);
        fs::write(&path, "bytes").unwrap();
        let said = refused(&path);
        assert!(
            said.contains("ckpt-7.index") && said.contains("missing") && said.contains("train/ckpt-9"),
            "{said}"
        );
    }
}

#[test]
fn a_missing_prefix_suggests_the_nearest_names_first() {
    let dir = train();
    for near in ["train/ckpt-90", "train/other"] {
        Bundle::new().floats("w", &[1.0]).write(&dir.path().join(near));
    }
    let said = refused(&dir.path().join("train/ckpt-99"));
    let place = |name: &str| said.find(dir.path().join(name).to_str().unwrap()).unwrap();
    assert!(said.contains("no checkpoint there"), "{said}");
    assert!(
        place("train/ckpt-9") < place("train/other") && place("train/ckpt-90") < place("train/other"),
        "{said}"
    );
}

#[test]
fn a_directory_without_checkpoints_and_a_missing_path_have_different_messages() {
    let dir = train();
    let empty = dir.path().join("empty");
    fs::create_dir(&empty).unwrap();
    assert!(refused(&empty).contains("no checkpoints in this directory"));
    assert!(refused(&dir.path().join("trian/ckpt-9")).contains("no checkpoint there"));
    assert!(refused(&dir.path().join("train/ckpt-9/")).contains("no checkpoint there"));
    assert!(refused(&dir.path().join("train/ckpt-9.index/below")).contains("ckpt-9.index/below"));
    symlink("nowhere", dir.path().join("link")).unwrap();
    assert!(refused(&dir.path().join("link")).contains("no checkpoint there"));
}

#[test]
fn a_v2_index_and_a_v1_checkpoint_under_each_others_names_are_identified() {
    let dir = train();
    let path = dir.path().join("train/model.ckpt");
    fs::copy(dir.path().join("train/ckpt-9.index"), &path).unwrap();
    assert!(refused(&path).contains("model.ckpt: this is the index of a V2 checkpoint"));
    let v1 = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tf-2.21/v1_checkpoint/ckpt-9");
    fs::copy(v1, dir.path().join("train/model.ckpt.index")).unwrap();
    let message = refused(&path);
    assert!(message.contains("model.ckpt.index: this is a whole TensorFlow V1 checkpoint"), "{message}");
}

#[test]
fn a_named_pipe_in_place_of_a_file_does_not_block() {
    let dir = train();
    let prefix = dir.path().join("train/ckpt-9");
    for place in ["ckpt-9.index", "ckpt-9.data-00000-of-00001", "checkpoint"] {
        let path = dir.path().join("train").join(place);
        let _ = fs::remove_file(&path);
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let sources = [prefix.as_path(), path.as_path(), &dir.path().join("train")];
        for source in sources {
            assert!(ends(&["ls".as_ref(), source.as_os_str()]), "{} hangs on {place}", source.display());
        }
        fs::remove_file(&path).unwrap();
        Bundle::new().floats("w", &[1.0]).write(&prefix);
    }
}

/// Returns true if a command exits before a timeout.
fn ends(args: &[&std::ffi::OsStr]) -> bool {
    let mut child =
        Command::new(CKPTFS).args(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let ended = (0..2000).any(|_| {
        std::thread::sleep(Duration::from_millis(5));
        child.try_wait().unwrap().is_some()
    });
    let _ = child.kill();
    child.wait().unwrap();
    ended
}

#[test]
fn an_unreadable_index_is_reported() {
    if rustix::process::geteuid().is_root() {
        // Root may read every file, but a directory in place of the index cannot be read.
        let dir = train();
        let index = dir.path().join("train/ckpt-9.index");
        fs::remove_file(&index).unwrap();
        fs::create_dir(&index).unwrap();
        assert!(refused(&dir.path().join("train/ckpt-9")).contains("not a regular file"));
        return;
    }
    let dir = train();
    let index = dir.path().join("train/ckpt-9.index");
    fs::set_permissions(&index, fs::Permissions::from_mode(0o0)).unwrap();
    assert!(refused(&dir.path().join("train/ckpt-9")).contains("ermission denied"));
}
