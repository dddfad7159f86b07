//! Systems without /proc, such as some containers and chroots: commands that read a checkpoint work, and commands
//! that need
//! /proc say so.

use std::path::Path;
use std::process::{Command, Output};

use crate::support::{CKPTFS, fixture, stderr, stdout};

/// Runs ckptfs in a mount namespace where an empty file system covers /proc.
fn without_proc(args: &[&Path]) -> Output {
    let mut command = Command::new("unshare");
    command.arg("--mount");
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    let script = "mount -t tmpfs none /proc && exec \"$0\" \"$@\"";
    command.args(["sh", "-c", script, CKPTFS]).args(args).output().unwrap()
}

#[test]
fn a_checkpoint_is_listed_and_read_without_proc() {
    let bundle = fixture("strings");
    let h5 = fixture("../keras-3.15/functional/model.weights.h5");
    for source in [&bundle, &h5] {
        let output = without_proc(&["ls".as_ref(), source]);
        assert!(output.status.success() && stderr(&output).is_empty(), "{}", stderr(&output));
        assert!(stdout(&output).lines().count() > 1);
    }
    let output = without_proc(&["cat".as_ref(), &h5, "layers/dense/vars/0".as_ref()]);
    assert!(output.status.success() && !output.stdout.is_empty(), "{}", stderr(&output));
}

#[test]
fn a_mount_without_proc_is_refused_with_the_remedy() {
    let mountpoint = tempfile::tempdir().unwrap();
    for args in
        [vec!["mount".as_ref(), fixture("strings").as_path(), mountpoint.path()], vec!["status".as_ref()]]
    {
        let output = without_proc(&args);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("/proc is not mounted") && said.contains("mount -t proc proc /proc"), "{said}");
    }
}
