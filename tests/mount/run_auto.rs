//! `ckptfs run --auto`: a command that fails by a known error runs once more, if the mend is sure.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::support::bundle::Bundle;
use crate::support::mount::can_mount;
use crate::support::{CKPTFS, stderr, stdout};

/// The checkpoint `train/ckpt-9` with `bert/a/w` and `bert/b/w`, and a file that counts the runs of a command.
struct Train {
    dir: TempDir,
}

/// A program that wants `encoder/a/w`.
const EVAL: &str = "echo run >> runs; if [ -e train/ckpt-9/vars/encoder/a/w ]; then echo restored; \
                    else echo 'NotFoundError: Key encoder/a/w not found in checkpoint' >&2; exit 3; fi";

impl Train {
    /// Creates the checkpoint. Returns `None` if mounts are not tested.
    fn new() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let bundle = Bundle::new().floats("bert/a/w", &[1.0]).floats("bert/b/w", &[2.0]);
        bundle.write(&dir.path().join("train/ckpt-9"));
        can_mount().then_some(Self { dir })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, flags: &[&str], script: &str) -> Command {
        let mut command = Command::new(CKPTFS);
        command.current_dir(self.dir.path()).args(["run", "--auto"]).args(flags).arg("train/ckpt-9");
        command.args(["--", "sh", "-c", script]).stdin(Stdio::null());
        command
    }

    fn run(&self, flags: &[&str], script: &str) -> Output {
        self.command(flags, script).output().unwrap()
    }

    fn runs(&self) -> usize {
        fs::read_to_string(self.path("runs")).unwrap_or_default().lines().count()
    }
}

#[test]
fn a_sure_mend_is_run_once_more_with_yes() {
    let Some(train) = Train::new() else { return };
    let output = train.run(&["--yes"], EVAL);
    let said = stderr(&output);
    assert_eq!(
        (output.status.code(), stdout(&output).as_str(), train.runs()),
        (Some(0), "restored\n", 2),
        "{said}"
    );
    assert!(said.starts_with("NotFoundError: Key encoder/a/w not found in checkpoint\n"), "{said}");
    assert!(said.contains("--rename 'bert/**=encoder/**'     2 variables"), "{said}");
    let line = said.lines().find_map(|line| line.strip_prefix("again ")).unwrap();
    let line = line.replacen("ckptfs", CKPTFS, 1);
    let again = Command::new("sh").args(["-c", &line]).current_dir(train.path("")).output().unwrap();
    assert_eq!(stdout(&again), "restored\n", "the printed command does the same");
}

#[test]
fn without_yes_and_without_a_terminal_it_is_only_printed() {
    let Some(train) = Train::new() else { return };
    let output = train.run(&[], EVAL);
    assert_eq!((output.status.code(), train.runs()), (Some(3), 1));
    assert!(stderr(&output).contains("again ckptfs run train/ckpt-9 '--rename=bert/**=encoder/**' -- sh -c"));
}

#[test]
fn it_is_never_run_after_success_by_a_signal_of_unknown_words_or_below_sure() {
    let Some(train) = Train::new() else { return };
    let key = "echo run >> runs; echo 'Key encoder/a/w not found in checkpoint' >&2;";
    let other = "echo run >> runs; echo 'Key c/w not found in checkpoint' >&2; exit 1";
    for (script, code) in [
        (format!("{key} exit 0"), 0),
        (format!("{key} kill -TERM $$"), 143),
        ("echo run >> runs; echo unknown >&2; exit 1".to_owned(), 1),
        // Both variables end in `w`.
        (other.to_owned(), 1),
        ("echo run >> runs; echo 'ValueError: indices[0] = 1 is not in [0, 1)' >&2; exit 1".to_owned(), 1),
    ] {
        let _ = fs::remove_file(train.path("runs"));
        let output = train.run(&["--yes"], &script);
        assert_eq!((output.status.code(), train.runs()), (Some(code), 1), "{script}: {}", stderr(&output));
    }
}

#[test]
fn it_is_never_run_twice_more() {
    let Some(train) = Train::new() else { return };
    let script = "echo run >> runs; echo 'Key encoder/a/w not found in checkpoint' >&2; exit 7";
    let output = train.run(&["--yes"], script);
    assert_eq!((output.status.code(), train.runs()), (Some(7), 2), "{}", stderr(&output));
}

#[test]
fn a_command_that_may_have_read_a_stream_is_not_run_again() {
    let Some(train) = Train::new() else { return };
    let run = |stdin: Stdio, script: &str| {
        let _ = fs::remove_file(train.path("runs"));
        let output = train.command(&["--yes"], script).stdin(stdin).output().unwrap();
        (output.status.code(), train.runs(), stderr(&output))
    };
    let (code, runs, said) = run(Stdio::piped(), EVAL);
    assert_eq!((code, runs), (Some(3), 1), "{said}");
    assert!(said.contains("may have read from standard input"), "{said}");
    let file = || {
        let path = train.path("input");
        File::create(&path).unwrap().write_all(b"line\n").unwrap();
        Stdio::from(File::open(path).unwrap())
    };
    let (code, runs, said) = run(file(), EVAL);
    assert_eq!((code, runs), (Some(0), 2), "an unread file can be read again: {said}");
    let (code, runs, said) = run(file(), &format!("read line; {EVAL}"));
    assert_eq!((code, runs), (Some(3), 1), "{said}");
}

#[test]
fn standard_error_is_passed_on_unchanged_and_its_end_is_searched() {
    let Some(train) = Train::new() else { return };
    let script =
        r"head -c 300000 /dev/zero | tr '\0' x >&2; printf '\033[31m\377' >&2; echo run >> runs; exit 1";
    let output = train.run(&["--yes"], script);
    let expected = [vec![b'x'; 300_000], b"\x1b[31m\xff".to_vec()].concat();
    assert!(output.stderr == expected, "{} bytes", output.stderr.len());
    let early = format!("echo 'Key encoder/a/w not found in checkpoint' >&2; {script}");
    assert_eq!((train.run(&["--yes"], &early).status.code(), train.runs()), (Some(1), 2), "once each");
}

#[test]
fn a_child_that_keeps_standard_error_open_does_not_keep_the_command() {
    let Some(train) = Train::new() else { return };
    let output = Command::new("timeout")
        .args(["20", CKPTFS, "run", "--auto", "train/ckpt-9", "--", "sh", "-c"])
        .arg("sleep 30 >/dev/null & echo $! > pid; exit 4")
        .current_dir(train.path(""))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    let pid = fs::read_to_string(train.path("pid")).unwrap();
    let _ = Command::new("kill").arg(pid.trim()).status();
    assert_eq!(output.code(), Some(4));
}
