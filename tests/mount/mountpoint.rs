//! Mountpoints: the directories that are valid, and how `ckptfs umount` unmounts them.

use std::fs::{self, File, Permissions};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};

use rustix::process::{Signal, geteuid};

use crate::support::mount::{Place, can_mount, is_alive, mount_on, mountinfo};
use crate::support::{CKPTFS, ckptfs, eventually, list, stderr};

fn umount(args: &[&Path]) -> Output {
    ckptfs([Path::new("umount")].iter().chain(args))
}

#[test]
fn ckptfs_umount_unmounts_and_ends_the_daemon() {
    let place = Place::new();
    let Some(m) = place.mount(&[]) else { return };
    let daemon = m.daemon();
    let output = umount(&[m.path()]);
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()));
    assert!(m.mountinfo().is_none());
    eventually("the daemon ends", || !is_alive(daemon));
    let again = umount(&[m.path()]);
    assert_eq!(again.status.code(), Some(1));
    assert!(stderr(&again).contains("nothing is mounted there"), "{}", stderr(&again));
}

#[test]
fn ckptfs_umount_accepts_every_spelling_of_a_path() {
    let place = Place::new();
    std::os::unix::fs::symlink("m", place.root.join("link")).unwrap();
    for (from, spelling) in [("", "m"), ("", "m/"), ("", "./m"), ("m/..", "m"), ("", "link")] {
        let Some(m) = place.mount(&[]) else { return };
        let mut command = Command::new(CKPTFS);
        let output = command.current_dir(place.root.join(from)).args(["umount", spelling]).output().unwrap();
        assert!(output.status.success(), "{spelling}: {}", stderr(&output));
        assert!(m.mountinfo().is_none(), "{spelling}");
    }
}

#[test]
fn ckptfs_umount_refuses_what_ckptfs_did_not_mount() {
    let place = Place::new();
    for (path, words) in [
        ("/proc", "not a mount of ckptfs but of proc"),
        ("m", "nothing is mounted there"),
        ("none", "nothing is mounted there"),
    ] {
        let output = umount(&[&place.root.join(path)]);
        assert_eq!(output.status.code(), Some(1), "{path}");
        assert!(stderr(&output).contains(words) && stderr(&output).contains(path), "{}", stderr(&output));
    }
}

#[test]
fn a_mount_in_use_is_unmounted_only_with_lazy() {
    let place = Place::new();
    let Some(m) = place.mount(&[]) else { return };
    let daemon = m.daemon();
    let mut file = File::open(m.join("ckpt-9/raw/w")).unwrap();
    let busy = umount(&[m.path()]);
    assert_eq!(busy.status.code(), Some(1));
    assert!(stderr(&busy).contains("in use") && stderr(&busy).contains("--lazy"), "{}", stderr(&busy));
    assert!(m.mountinfo().is_some());
    let lazy = umount(&[Path::new("--lazy"), m.path()]);
    assert!(lazy.status.success() && m.mountinfo().is_none(), "{}", stderr(&lazy));
    let mut all = Vec::new();
    file.read_to_end(&mut all).unwrap();
    assert!(all == place.values);
    drop(file);
    eventually("the daemon ends", || !is_alive(daemon));
}

#[test]
fn a_mount_with_a_killed_daemon_is_reported_and_can_be_unmounted() {
    let place = Place::new();
    let Some(m) = place.mount(&[]) else { return };
    m.signal_and_wait(Signal::KILL);
    let again = ckptfs([Path::new("mount"), &place.prefix(), m.path()]);
    assert_eq!(again.status.code(), Some(1));
    assert!(
        stderr(&again).contains("ENOTCONN") && stderr(&again).contains("ckptfs umount"),
        "{}",
        stderr(&again)
    );
    let output = umount(&[m.path()]);
    assert!(output.status.success() && m.mountinfo().is_none(), "{}", stderr(&output));
    assert!(place.mount(&[]).is_some());
}

#[test]
fn an_invalid_mountpoint_exits_with_1_and_says_what_to_do() {
    let place = Place::new();
    fs::write(place.root.join("file"), "").unwrap();
    fs::create_dir(place.root.join("full")).unwrap();
    fs::write(place.root.join("full/notes"), "").unwrap();
    for (name, words) in [
        ("none", ["no such directory", "help: mkdir"]),
        ("file", ["not a directory", "help: "]),
        ("file/below", ["not a directory", "help: "]),
        ("full", ["not empty (1 entr", "-o nonempty"]),
    ] {
        let path = place.root.join(name);
        for foreground in [&[][..], &["-f"]] {
            let args = [Path::new("mount"), &place.prefix(), &path];
            let output = ckptfs(args.into_iter().chain(foreground.iter().map(Path::new)));
            assert_eq!(output.status.code(), Some(1), "{name}: {}", stderr(&output));
            for word in words {
                assert!(
                    stderr(&output).contains(word) && stderr(&output).contains(name),
                    "{word}: {}",
                    stderr(&output)
                );
            }
        }
        assert!(mountinfo(&path).is_none());
    }
}

#[test]
fn a_mountpoint_in_use_is_refused_and_nonempty_mounts_over_files() {
    let place = Place::new();
    let Some(m) = place.mount(&[]) else { return };
    let output = ckptfs([Path::new("mount"), &place.prefix(), m.path()]);
    assert_eq!(output.status.code(), Some(1));
    for words in ["has", "ckpt-9 mounted there already", "ckptfs umount"] {
        assert!(stderr(&output).contains(words), "{words}: {}", stderr(&output));
    }
    drop(m);
    // A mount over the source itself: programs with fixed paths see the map.
    let Some(over) = mount_on(&place.prefix(), &place.root, &["-o", "nonempty", "--rename", "w=v"]) else {
        return;
    };
    assert_eq!(over.read("ckpt-9/raw/v"), place.values);
    assert_eq!(list(&over.join("ckpt-9/vars")), ["v"]);
}

#[test]
fn a_mountpoint_with_glob_characters_is_mounted_with_a_warning() {
    let place = Place::new();
    let path = place.root.join("m[1]");
    fs::create_dir(&path).unwrap();
    let Some(m) = mount_on(&place.prefix(), &path, &[]) else { return };
    assert!(stderr(&m.said).contains("TensorFlow takes"), "{}", stderr(&m.said));
    assert_eq!(m.text("ckpt-9/vars/w/dtype"), "float32\n");
}

#[test]
fn relative_paths_stay_valid_after_the_daemon_changes_its_directory() {
    let place = Place::new();
    if !can_mount() {
        return;
    }
    let mut command = Command::new(CKPTFS);
    let output =
        command.current_dir(&place.root).args(["mount", "ckpt-9", "m", "--log", "log.txt"]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let log = fs::read_to_string(place.root.join("log.txt")).unwrap();
    assert_eq!(fs::read(place.root.join("m/ckpt-9/raw/w")).unwrap(), place.values);
    let unmounted = umount(&[&place.mountpoint()]);
    assert!(unmounted.status.success() && log.contains("is mounted on"), "{log}");
}

/// Checks that a failed mount says why, and which commands work without a mount.
#[track_caller]
fn cannot(output: &Output, why: &[&str]) {
    assert_eq!(output.status.code(), Some(1), "{}", stderr(output));
    for words in why.iter().chain(&["`ckptfs ls`, `cat` and `check` work without it"]) {
        assert!(stderr(output).contains(words), "{words}: {}", stderr(output));
    }
}

#[test]
fn without_the_device_the_error_says_why_and_what_still_works() {
    let place = Place::new();
    if !can_mount() || !geteuid().is_root() {
        return;
    }
    // The command runs in a mount namespace whose /dev is almost empty.
    let script = "mount -t tmpfs none /dev && mknod /dev/null c 1 3 && exec \"$@\"";
    let mut command = Command::new("unshare");
    command
        .args(["-m", "sh", "-c", script, "sh", CKPTFS, "mount"])
        .args([place.prefix(), place.mountpoint()]);
    cannot(&command.output().unwrap(), &["/dev/fuse does not exist", "--device /dev/fuse"]);
}

#[test]
fn without_permission_to_mount_the_error_says_why_and_what_still_works() {
    let place = Place::new();
    if !can_mount() || !geteuid().is_root() {
        return;
    }
    // The command runs as another user whose PATH has no fusermount3.
    let program = place.root.join("ckptfs");
    fs::copy(CKPTFS, &program).unwrap();
    fs::set_permissions(&place.root, Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(program);
    command
        .arg("mount")
        .args([place.prefix(), place.mountpoint()])
        .uid(65534)
        .gid(65534)
        .env("PATH", "/none");
    cannot(&command.output().unwrap(), &["no right to mount", "fuse3"]);
}
