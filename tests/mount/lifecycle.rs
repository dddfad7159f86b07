//! The lifecycle of a mount. It ends with a signal or with `umount`, and its daemon never unmounts another mount.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::Command;

use rustix::mount::{UnmountFlags, unmount};
use rustix::process::{Signal, kill_process};

use crate::support::mount::{Place, can_mount, is_alive, mount, mountinfo, run_to_end};
use crate::support::{CKPTFS, eventually, list, stderr, stdout};

#[test]
fn each_signal_unmounts_and_a_daemon_in_the_foreground_exits_with_0() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let place = Place::new();
        let Some(m) = place.mount(&[]) else { return };
        m.signal_and_wait(signal);
        assert!(m.mountinfo().is_none() && list(m.path()).is_empty(), "{signal:?}");
        let end = |pid| kill_process(pid, signal).unwrap();
        let output = run_to_end(&place.prefix(), &place.mountpoint(), end).unwrap();
        assert_eq!(output.status.code(), Some(0), "{signal:?}: {}", stderr(&output));
        assert!(
            stderr(&output).contains("is mounted on") && stderr(&output).contains("unmounted"),
            "{}",
            stderr(&output)
        );
        assert!(mountinfo(&place.mountpoint()).is_none());
    }
}

#[test]
fn a_signal_right_after_the_command_returns_unmounts() {
    let place = Place::new();
    for _ in 0..10 {
        let Some(m) = place.mount(&[]) else { return };
        m.signal_and_wait(Signal::TERM);
        assert!(m.mountinfo().is_none(), "the signal left a dead mount behind");
    }
}

#[test]
fn a_signal_detaches_a_mount_in_use_and_open_files_stay_readable() {
    let place = Place::new();
    for path in ["ckpt-9.data-00000-of-00001", "ckpt-9/raw/w", "ckpt-9/text/w.txt"] {
        let Some(m) = place.mount(&[]) else { return };
        let daemon = m.daemon();
        let mut file = File::open(m.join(path)).unwrap();
        let (mut first, len) = (vec![0; 4096], file.metadata().unwrap().len());
        file.read_exact(&mut first).unwrap();
        kill_process(daemon, Signal::TERM).unwrap();
        eventually("the mount is gone from its place", || m.mountinfo().is_none());
        let mut all = Vec::new();
        file.seek(SeekFrom::Start(0)).unwrap();
        file.read_to_end(&mut all).unwrap();
        assert!(all.len() as u64 == len && all.starts_with(&first), "{path} reads on to its end");
        assert!(path.ends_with(".txt") || all == place.values);
        assert!(is_alive(daemon), "the daemon went before the file was closed");
        drop(file);
        eventually("the daemon ends when the file is closed", || !is_alive(daemon));
    }
}

#[test]
fn a_second_signal_ends_the_daemon_while_a_file_is_open() {
    let place = Place::new();
    let Some(m) = place.mount(&["--cache", "kernel"]) else { return };
    let daemon = m.daemon();
    let file = File::open(m.join("ckpt-9/raw/w")).unwrap();
    kill_process(daemon, Signal::TERM).unwrap();
    eventually("the mount is detached", || m.mountinfo().is_none());
    assert!(is_alive(daemon));
    kill_process(daemon, Signal::TERM).unwrap();
    eventually("the daemon ends", || !is_alive(daemon));
    drop(file);
}

#[test]
fn after_an_external_umount_the_daemon_ends_and_later_mounts_stay() {
    let place = Place::new();
    let Some(first) = place.mount(&[]) else { return };
    let daemon = first.daemon();
    // The open file keeps the first daemon alive while the second mount is made.
    let file = File::open(first.join("ckpt-9/raw/w")).unwrap();
    unmount(first.path(), UnmountFlags::DETACH).unwrap();
    let second = place.mount(&[]).unwrap();
    let later = second.mountinfo();
    assert!(is_alive(daemon) && later.is_some());
    drop(file);
    eventually("the first daemon ends", || !is_alive(daemon));
    assert_eq!(second.mountinfo(), later, "the first daemon took the second's mount down");
    assert_eq!(second.text("ckpt-9/vars/w/dtype"), "float32\n");
    assert!(is_alive(second.daemon()));
}

#[test]
fn a_signal_to_the_daemon_of_a_detached_mount_does_not_unmount_a_later_mount() {
    let place = Place::new();
    let Some(first) = place.mount(&[]) else { return };
    let daemon = first.daemon();
    let file = File::open(first.join("ckpt-9/raw/w")).unwrap();
    unmount(first.path(), UnmountFlags::DETACH).unwrap();
    let second = place.mount(&[]).unwrap();
    let later = second.mountinfo();
    for _ in 0..2 {
        let _ = kill_process(daemon, Signal::TERM);
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    eventually("the first daemon ends", || !is_alive(daemon));
    assert_eq!(second.mountinfo(), later, "the signal took the second's mount down");
    assert_eq!(second.text("ckpt-9/vars/w/dtype"), "float32\n");
    drop(file);
}

#[test]
fn a_daemon_ends_when_its_mount_is_unmounted() {
    let place = Place::new();
    let Some(m) = place.mount(&[]) else { return };
    let daemon = m.daemon();
    assert!(Command::new("umount").arg(m.path()).status().unwrap().success());
    eventually("the daemon ends", || !is_alive(daemon));
}

#[test]
fn the_standard_streams_of_the_daemon_are_dev_null_and_it_keeps_no_pipe() {
    let place = Place::new();
    let Some(m) = place.mount(&[]) else { return };
    let pid = m.daemon().as_raw_nonzero();
    for fd in 0..3 {
        let target = fs::read_link(format!("/proc/{pid}/fd/{fd}")).unwrap();
        assert_eq!(target, Path::new("/dev/null"), "descriptor {fd}");
    }
    let links =
        fs::read_dir(format!("/proc/{pid}/fd")).unwrap().map(|entry| fs::read_link(entry.unwrap().path()));
    // The daemon also has the descriptors that this process inherited.
    let given: Vec<_> = fs::read_dir("/proc/self/fd")
        .unwrap()
        .flat_map(|entry| fs::read_link(entry.unwrap().path()))
        .collect();
    let pipes: Vec<_> = links
        .flatten()
        .filter(|to| to.to_string_lossy().starts_with("pipe:") && !given.contains(to))
        .collect();
    assert!(pipes.is_empty(), "{pipes:?}");
    assert_eq!(fs::read_link(format!("/proc/{pid}/cwd")).unwrap(), Path::new("/"));
    assert!(m.said.stdout.is_empty() && m.said.stderr.is_empty(), "no terminal, so no message");
}

#[test]
fn a_command_substitution_of_mount_returns_its_output() {
    let place = Place::new();
    if !can_mount() {
        return;
    }
    let script = "said=$(\"$1\" mount \"$2\" \"$3\" 2>&1); echo \"[$said] $?\"; cat \"$3/ckpt-9/vars/w/shape\"; \"$1\" umount \"$3\"";
    let args = [
        Path::new("-c"),
        Path::new(script),
        Path::new("sh"),
        Path::new(CKPTFS),
        &place.prefix(),
        &place.mountpoint(),
    ];
    let output = Command::new("timeout").arg("60").arg("sh").args(args).output().unwrap();
    assert_eq!((stdout(&output), stderr(&output)), ("[] 0\n524288\n".into(), String::new()));
}

#[test]
fn two_mounts_of_one_source_are_independent() {
    let place = Place::new();
    let (Some(one), Some(two)) = (mount(&place.prefix(), &[]), mount(&place.prefix(), &["--rename", "w=v"]))
    else {
        return;
    };
    assert_eq!(
        (list(&one.join("ckpt-9/vars")), list(&two.join("ckpt-9/vars"))),
        (vec!["w".into()], vec!["v".into()])
    );
}
