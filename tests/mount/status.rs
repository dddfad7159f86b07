//! `ckptfs status`: the mounts and their states, without waiting for a daemon that does not answer.

use std::process::Output;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::mount::{MountGuard, Place};
use crate::support::{ckptfs, eventually, stderr, stdout};

fn status(args: &[&str]) -> Output {
    ckptfs([&["status"], args].concat())
}

/// Returns the JSON object of one mount, and the exit code.
fn asked(m: &MountGuard) -> (Value, i32) {
    let output = status(&["--json", m.path().to_str().unwrap()]);
    let mounts: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(mounts.as_array().unwrap().len(), 1);
    (mounts[0].clone(), output.status.code().unwrap())
}

#[test]
fn a_mount_that_answers_reports_its_daemon_and_its_counters() {
    let place = Place::new();
    let Some(m) = place.mount(&["--threads", "3", "--cache-size", "5M", "--cache", "kernel"]) else { return };
    m.read("ckpt-9/raw/w");
    m.read("ckpt-9/text/w.txt");
    let (mount, code) = asked(&m);
    assert_eq!((mount["state"].as_str(), code), (Some("answers"), 0));
    assert_eq!(mount["source"], place.prefix().to_str().unwrap());
    assert_eq!(mount["mountpoint"], place.mountpoint().to_str().unwrap());
    assert_eq!(mount["pid"], m.daemon().as_raw_nonzero().get());
    let status = &mount["status"];
    assert_eq!((&status["threads"], &status["cache"]["size"]), (&3.into(), &(5 << 20).into()));
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    let number = |pointer: &str| status.pointer(pointer).unwrap().as_u64().unwrap();
    assert!(number("/reads") > 0 && number("/bytes") >= place.values.len() as u64 * 5);
    assert!(
        number("/cache/misses") > 0 && number("/cache/evictions") > 0 && number("/cache/used") <= 5 << 20
    );
    assert_eq!(number("/errors"), 0);
}

#[test]
fn all_mounts_are_listed_as_readable_text() {
    let (one, two) = (Place::new(), Place::new());
    let (Some(first), Some(second)) = (one.mount(&[]), two.mount(&[])) else { return };
    let output = status(&[]);
    assert!(output.status.success(), "{}", stderr(&output));
    for m in [&first, &second] {
        let text = stdout(&output);
        let paragraph = text.split(m.path().to_str().unwrap()).nth(1).unwrap();
        for words in [
            "\n  source   ",
            "\n  state    answers, for ",
            "\n  daemon   process ",
            "\n  served   ",
            "\n  cache    ",
        ] {
            assert!(paragraph.contains(words), "{words}: {text}");
        }
    }
    let all: Value = serde_json::from_slice(&status(&["--json"]).stdout).unwrap();
    assert!(all.as_array().unwrap().len() >= 2);
}

#[test]
fn status_of_a_path_without_a_mount_of_ckptfs_exits_with_1() {
    let place = Place::new();
    let output = status(&[place.mountpoint().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("nothing is mounted there"), "{}", stderr(&output));
    assert!(stderr(&status(&["/proc"])).contains("a mount of proc, not of ckptfs"));
    assert_eq!(status(&["/proc"]).status.code(), Some(1));
}

/// A stopped daemon. It continues when this guard is dropped, also if the test fails: otherwise every access to its
/// mount
/// blocks.
struct Stopped(Pid);

impl Stopped {
    fn new(daemon: Pid) -> Self {
        kill_process(daemon, Signal::STOP).unwrap();
        Self(daemon)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = kill_process(self.0, Signal::CONT);
    }
}

#[test]
fn stuck_and_dead_mounts_are_distinguished_without_waiting() {
    let place = Place::new();
    let Some(m) = place.mount(&[]) else { return };
    let daemon = m.daemon();
    let stopped = Stopped::new(daemon);
    let (mount, code) = asked(&m);
    assert_eq!((mount["state"].as_str(), code), (Some("stuck"), 1));
    // The daemon does not answer, and not every kernel shows which process has a connection.
    let pid = mount["pid"].as_i64();
    assert!(pid.is_none_or(|pid| pid == i64::from(daemon.as_raw_nonzero().get())), "{mount}");
    assert_eq!(mount["status"], Value::Null);
    assert!(status(&[]).status.success(), "no mount was asked for by name");
    drop(stopped);
    assert_eq!(asked(&m).0["state"], "answers");

    kill_process(daemon, Signal::KILL).unwrap();
    eventually("the mount is dead", || asked(&m).0["state"] == "dead");
    let output = status(&[m.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("dead: its daemon is gone: ckptfs umount"), "{}", stdout(&output));
}

#[test]
fn the_shown_map_can_be_used_as_a_map_with_the_same_result() {
    let place = Place::new();
    let Some(m) = place.mount(&["--rename", "w=v", "--alias", "w=u"]) else { return };
    let index = m.read("ckpt-9.index");
    let map = place.root.join("map.toml");
    std::fs::write(&map, m.read(".ckptfs/map.toml")).unwrap();
    drop(m);
    let Some(again) = place.mount(&["--map", map.to_str().unwrap()]) else { return };
    assert_eq!(again.read("ckpt-9.index"), index);
    assert!(again.text(".ckptfs/map.toml").contains("map.toml:"), "{}", again.text(".ckptfs/map.toml"));
}
