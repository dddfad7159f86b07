//! `ckptfs run`: only the command sees the map, at the source's own path.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

use crate::support::bundle::Bundle;
use crate::support::mount::{can_mount, is_alive, mountinfo};
use crate::support::{CKPTFS, eventually, list, stderr, stdout};

/// The checkpoint `train/ckpt-9` with the variables `bert/w` and `step`.
struct Train {
    dir: TempDir,
}

impl Train {
    /// Creates the checkpoint. Returns `None` if mounts are not tested.
    fn new() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        Bundle::new()
            .floats("bert/w", &[1.0, 2.0])
            .floats("step", &[3.0])
            .write(&dir.path().join("train/ckpt-9"));
        can_mount().then_some(Self { dir })
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(path)
    }

    /// Returns a command that runs a script under `ckptfs run`, in the directory above `train`.
    fn command(&self, flags: &[&str], script: &str) -> Command {
        let mut command = Command::new(CKPTFS);
        command.current_dir(self.dir.path()).args(["run", "train/ckpt-9", "--rename", "bert/**=encoder/**"]);
        command.args(flags).args(["--", "sh", "-c", script]);
        command
    }

    fn run(&self, script: &str) -> Output {
        self.command(&[], script).output().unwrap()
    }

    #[track_caller]
    fn prints(&self, script: &str) -> String {
        let output = self.run(script);
        assert!(output.status.success(), "{script}: {}", stderr(&output));
        stdout(&output)
    }
}

#[test]
fn the_command_sees_the_map_at_the_sources_own_path() {
    let Some(train) = Train::new() else { return };
    assert_eq!(train.prints("cd train/ckpt-9/vars && echo *"), "encoder step\n");
    let names = format!("{CKPTFS} ls train/ckpt-9; {CKPTFS} ls '{}'", train.path("train").display());
    assert_eq!(train.prints(&names), "encoder/w\nstep\n".repeat(2));
    assert_eq!(
        train.prints("od -An -tf4 train/ckpt-9/raw/encoder/w").split_whitespace().collect::<Vec<_>>(),
        ["1", "2"]
    );
    assert_eq!(
        train.prints("cat train/.ckptfs/map.toml | tail -2"),
        "rename = \"bert/**\"\nto = \"encoder/**\"\n"
    );
    let data = "ckpt-9.data-00000-of-00001";
    let seen = train.command(&[], &format!("cat train/{data}")).output().unwrap().stdout;
    assert_eq!(seen, fs::read(train.path("train").join(data)).unwrap());
}

#[test]
fn other_files_in_the_directory_are_visible_and_unchanged() {
    let Some(train) = Train::new() else { return };
    Bundle::new().floats("bert/old", &[8.0]).write(&train.path("train/ckpt-8"));
    fs::create_dir(train.path("train/eval")).unwrap();
    Bundle::new().floats("bert/eval", &[7.0]).write(&train.path("train/eval/ckpt-1"));
    fs::write(train.path("train/vocab.txt"), "the\nof\n").unwrap();
    assert_eq!(train.prints("cat train/vocab.txt"), "the\nof\n");
    let names = |prefix: &str| train.prints(&format!("{CKPTFS} ls train/{prefix}"));
    assert_eq!(
        [names("ckpt-9"), names("ckpt-8"), names("eval")],
        ["encoder/w\nstep\n", "bert/old\n", "bert/eval\n"]
    );
    let seen = train.prints("ls train");
    assert!(list(&train.path("train")).iter().all(|name| seen.lines().any(|seen| seen == name)), "{seen}");
    assert_eq!(
        train.prints("cmp train/ckpt-8.index /dev/stdin < \"$PWD/train/ckpt-8.index\" && echo same"),
        "same\n"
    );
    assert!(stderr(&train.run("touch train/new")).contains("Read-only file system"));
}

#[test]
fn the_map_applies_to_every_checkpoint_of_a_directory() {
    let Some(train) = Train::new() else { return };
    Bundle::new().floats("bert/w", &[8.0]).write(&train.path("train/ckpt-8"));
    let script = format!("{CKPTFS} ls train/ckpt-8; {CKPTFS} ls train/ckpt-9");
    let mut command = Command::new(CKPTFS);
    command
        .current_dir(train.path(""))
        .args(["run", "train", "--rename", "bert/w=w", "--", "sh", "-c", &script]);
    let output = command.output().unwrap();
    assert_eq!(stdout(&output), "w\nstep\nw\n", "{}", stderr(&output));
}

#[test]
fn overlays_may_be_in_the_directory_that_the_view_covers() {
    let Some(train) = Train::new() else { return };
    Bundle::new().floats("bert/w", &[8.0, 9.0]).write(&train.path("train/ckpt-8"));
    Bundle::new().floats("lora", &[5.0]).write(&train.path("adapter/ckpt-1"));
    let flags = ["--overlay", "adapter/ckpt-1", "--take", "bert/w=train/ckpt-8"];
    let script =
        format!("{CKPTFS} ls train/ckpt-9 && od -An -tf4 train/ckpt-9/raw/encoder/w train/ckpt-9/raw/lora");
    let output = train.command(&flags, &script).output().unwrap();
    let words = stdout(&output).split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words, ["encoder/w", "lora", "step", "8", "9", "5"], "{}", stderr(&output));
}

#[test]
fn other_processes_do_not_see_the_view_and_nothing_is_left_behind() {
    let Some(train) = Train::new() else { return };
    let before = list(&train.path("train"));
    let mut child = train
        .command(&[], "test -d train/ckpt-9 && echo seen; read line")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    assert_eq!(line(&mut child), "seen\n");
    assert_eq!(list(&train.path("train")), before);
    assert_eq!(mountinfo(&train.path("train")), None);
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(1), "read met the end of its input");
    assert_eq!(list(&train.path("train")), before);
}

/// Returns the first line that a child prints.
fn line(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    line
}

#[test]
fn the_working_directory_is_kept_even_if_it_is_in_the_source() {
    let Some(train) = Train::new() else { return };
    assert_eq!(train.prints("pwd"), format!("{}\n", train.path("").display()).replace("/\n", "\n"));
    let mut command = Command::new(CKPTFS);
    command.current_dir(train.path("train")).args([
        "run",
        "ckpt-9",
        "--drop",
        "step",
        "--",
        "sh",
        "-c",
        "pwd; ls ckpt-9/vars",
    ]);
    let output = command.output().unwrap();
    assert_eq!(stdout(&output), format!("{}\nbert\n", train.path("train").display()), "{}", stderr(&output));
}

#[test]
fn the_command_has_the_standard_streams_of_the_caller() {
    let Some(train) = Train::new() else { return };
    let mut child = train
        .command(&[], "cat; echo oops >&2")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"one\ntwo\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((stdout(&output).as_str(), stderr(&output).as_str()), ("one\ntwo\n", "oops\n"));
}

#[test]
fn the_exit_status_is_that_of_the_command() {
    let Some(train) = Train::new() else { return };
    for code in [0, 1, 7, 255] {
        assert_eq!(train.run(&format!("exit {code}")).status.code(), Some(code));
    }
    for signal in [Signal::KILL, Signal::TERM, Signal::SEGV] {
        let number = signal.as_raw();
        assert_eq!(train.run(&format!("ulimit -c 0; kill -{number} $$")).status.code(), Some(128 + number));
    }
    let run = |command: &str| {
        Command::new(CKPTFS)
            .current_dir(train.path(""))
            .args(["run", "train/ckpt-9", "--", command])
            .output()
            .unwrap()
    };
    assert_eq!(run("/none").status.code(), Some(127));
    assert!(stderr(&run("/none")).contains("/none: No such file"));
    assert_eq!(run("train/ckpt-9.index").status.code(), Some(126));
}

#[test]
fn signals_are_forwarded_to_the_command() {
    let Some(train) = Train::new() else { return };
    for (signal, name) in
        [(Signal::TERM, "TERM"), (Signal::HUP, "HUP"), (Signal::USR1, "USR1"), (Signal::INT, "INT")]
    {
        let script = format!("trap 'echo caught; exit 3' {name}; echo ready; while :; do sleep 0.01; done");
        // Without a terminal, only ckptfs sends the signal to the command.
        let mut command = Command::new("setsid");
        let made = train.command(&[], &script);
        command.arg("-w").arg(CKPTFS).args(made.get_args()).current_dir(train.path(""));
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut ready = String::new();
        said.read_line(&mut ready).unwrap();
        assert_eq!(ready, "ready\n");
        kill_process(ckptfs_of(&child), signal).unwrap();
        let mut rest = String::new();
        said.read_to_string(&mut rest).unwrap();
        assert_eq!((rest.as_str(), child.wait().unwrap().code()), ("caught\n", Some(3)), "{name}");
    }
}

/// Returns the process of ckptfs. `setsid` executes it in its own process, or in a child if it leads a process group.
fn ckptfs_of(child: &Child) -> Pid {
    let pid = child.id();
    let is_it = |pid: &u32| {
        fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.starts_with(CKPTFS.as_bytes()))
    };
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let all = [pid].into_iter().chain(children.split_whitespace().map(|child| child.parse().unwrap()));
    Pid::from_raw(all.into_iter().find(is_it).unwrap() as i32).unwrap()
}

#[test]
fn background_processes_of_the_command_see_the_plain_source_afterwards() {
    let Some(train) = Train::new() else { return };
    let script = "(cd /; until test -e \"$0/go\"; do sleep 0.01; done; ls \"$0/train\" > \"$0/seen\"; mv \"$0/seen\" \"$0/listed\") >/dev/null 2>&1 & exit 4";
    let mut command = train.command(&[], script);
    assert_eq!(command.arg(train.path("")).status().unwrap().code(), Some(4));
    fs::write(train.path("go"), "").unwrap();
    eventually("the process that was left lists the directory", || train.path("listed").exists());
    let listed = fs::read_to_string(train.path("listed")).unwrap();
    assert_eq!(listed.lines().collect::<Vec<_>>(), list(&train.path("train")));
}

#[test]
fn errors_are_reported_before_the_command_runs() {
    let Some(train) = Train::new() else { return };
    let touch = format!("touch '{}'", train.path("ran").display());
    for (flag, code, says) in [("--drop=none", 1, "matched none of 2"), ("--drop={", 2, "never closed")] {
        let output = train.command(&[flag], &touch).output().unwrap();
        assert_eq!(output.status.code(), Some(code));
        assert!(stderr(&output).contains(says), "{}", stderr(&output));
    }
    let output = Command::new(CKPTFS)
        .args(["run", "/none/ckpt-9", "--", "touch"])
        .arg(train.path("ran"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(!train.path("ran").exists());
    let usage = Command::new(CKPTFS).args(["run", "train/ckpt-9"]).output().unwrap();
    assert_eq!(usage.status.code(), Some(2));
}

/// Runs `ckptfs run` as an unprivileged user in a mount namespace where /dev/fuse has the mode `device_mode`.
fn as_nobody(train: &Train, device_mode: &str, script: &str) -> Output {
    fs::set_permissions(train.path(""), fs::Permissions::from_mode(0o777)).unwrap();
    let program = train.path("ckptfs");
    if !program.exists() {
        fs::copy(CKPTFS, &program).unwrap();
    }
    let world = "set -e; mknod -m $0 node c 10 229; mount --bind node /dev/fuse; \
        exec setpriv --reuid=65534 --regid=65534 --clear-groups ./ckptfs run train --rename 'bert/**=e/**' -- sh -c \"$1\"";
    let mut command = Command::new("unshare");
    command.current_dir(train.path("")).args(["-m", "sh", "-c", world, device_mode, script]).output().unwrap()
}

#[test]
fn an_unprivileged_user_gets_a_user_namespace_and_keeps_the_user_id() {
    let Some(train) = Train::new() else { return };
    if !geteuid().is_root() {
        return;
    }
    let output = as_nobody(
        &train,
        "666",
        "id -u; ls train/ckpt-9/vars; cat train/ckpt-9/vars/e/w/dtype; grep CapEff /proc/self/status",
    );
    assert_eq!(
        stdout(&output),
        "65534\ne\nstep\nfloat32\nCapEff:\t0000000000000000\n",
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_user_without_permission_is_told_what_to_do() {
    let Some(train) = Train::new() else { return };
    if !geteuid().is_root() {
        return;
    }
    let output = as_nobody(&train, "600", "true");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("/dev/fuse"), "{}", stderr(&output));
    // Root without its capabilities cannot map root into a user namespace.
    let made = train.command(&[], "true");
    let mut command = Command::new("setpriv");
    command
        .args(["--bounding-set=-all", "--inh-caps=-all", CKPTFS])
        .args(made.get_args())
        .current_dir(train.path(""));
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    for words in
        ["no right to a private view", "run it as root", "unprivileged_userns_clone=1", "ckptfs mount SOURCE"]
    {
        assert!(stderr(&output).contains(words), "{words}: {}", stderr(&output));
    }
}

#[test]
fn a_killed_daemon_ends_its_view_and_the_command_does_not_hang() {
    let Some(train) = Train::new() else { return };
    let script = "echo ready; until ! cat train/ckpt-9/vars/step/dtype; do sleep 0.01; done >/dev/null 2>&1; echo over > over";
    let mut child = train.command(&[], script).stdout(Stdio::piped()).spawn().unwrap();
    assert_eq!(line(&mut child), "ready\n");
    let pid = Pid::from_child(&child);
    kill_process(pid, Signal::KILL).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(Signal::KILL.as_raw()));
    assert!(!is_alive(pid));
    eventually("the command meets an error", || Path::new(&train.path("over")).exists());
}
