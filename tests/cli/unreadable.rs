//! Files that the user may not read: the message is the system's error with the path, and never "not a checkpoint".

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use tempfile::TempDir;

use crate::support::bundle::Bundle;
use crate::support::{CKPTFS, ckptfs, fixture, stderr, stdout};

/// Runs ckptfs without the capabilities that let root read every file.
fn as_user(args: &[&OsStr]) -> Output {
    let mut command = match rustix::process::geteuid().is_root() {
        true => {
            let mut command = Command::new("setpriv");
            command.args(["--bounding-set=-dac_override,-dac_read_search", "--", CKPTFS]);
            command
        }
        false => Command::new(CKPTFS),
    };
    command.args(args).output().unwrap()
}

/// The paths of a Keras model and of a safetensors file among the fixtures.
const H5: &str = "../keras-3.15/functional/model.weights.h5";
const SAFETENSORS: &str = "../safetensors-0.8/dtypes/model.safetensors";

fn forbid(path: &Path) {
    fs::set_permissions(path, Permissions::from_mode(0o000)).unwrap();
}

/// Copies a fixture to a new directory. Returns the directory and the path of the copy.
fn copy_of(name: &str) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let from = fixture(name);
    let path = dir.path().join(from.file_name().unwrap());
    fs::copy(from, &path).unwrap();
    (dir, path)
}

#[track_caller]
fn denied(output: &Output, path: &Path) {
    let said = stderr(output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("Permission denied") && said.contains(path.to_str().unwrap()), "{said}");
    assert!(!said.contains("not a TensorFlow checkpoint") && !said.contains("Input/output"), "{said}");
}

#[test]
fn a_file_of_another_format_without_read_permission_is_denied() {
    for name in [H5, SAFETENSORS] {
        let (dir, path) = copy_of(name);
        forbid(&path);
        denied(&as_user(&["ls".as_ref(), path.as_os_str()]), &path);
        denied(&as_user(&["ls".as_ref(), dir.path().as_os_str()]), &path);
    }
}

#[test]
fn an_index_without_read_permission_is_denied() {
    let dir = tempfile::tempdir().unwrap();
    let prefix = dir.path().join("ckpt-9");
    Bundle::new().floats("w", &[1.0]).write(&prefix);
    let index = dir.path().join("ckpt-9.index");
    forbid(&index);
    let output = as_user(&["ls".as_ref(), prefix.as_os_str()]);
    denied(&output, &index);
    let (said, mode) = (stderr(&output), format!("\n  {}  ---------- ", index.display()));
    assert!(said.contains(&mode) && said.ends_with(": not readable\n"), "{said}");
}

#[test]
fn values_in_a_data_file_without_read_permission_are_denied() {
    let dir = tempfile::tempdir().unwrap();
    let prefix = dir.path().join("ckpt-9");
    Bundle::new().floats("w", &[1.0]).write(&prefix);
    let data = dir.path().join("ckpt-9.data-00000-of-00001");
    forbid(&data);
    let listed = as_user(&["ls".as_ref(), prefix.as_os_str()]);
    assert!(stdout(&listed).contains('w') && stderr(&listed).contains("Permission denied"));
    denied(&as_user(&["cat".as_ref(), prefix.as_os_str(), "w".as_ref()]), &data);
}

#[test]
fn a_single_file_is_opened_once_to_detect_its_format_and_once_to_read_it() {
    for name in [H5, SAFETENSORS] {
        let (_dir, path) = copy_of(name);
        let watch = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).unwrap();
        // inotify merges equal events in a row. A read or a close comes between two opens.
        let events = WatchFlags::OPEN | WatchFlags::ACCESS | WatchFlags::CLOSE_NOWRITE;
        inotify::add_watch(&watch, &path, events).unwrap();
        assert!(ckptfs(["ls".as_ref(), path.as_os_str()]).status.success());
        let mut buffer = [const { std::mem::MaybeUninit::uninit() }; 4096];
        let mut events = inotify::Reader::new(&watch, &mut buffer);
        let mut opened = 0;
        while let Ok(event) = events.next() {
            opened += usize::from(event.events().contains(ReadFlags::OPEN));
        }
        assert_eq!(opened, 2, "{name}");
    }
}
