//! `ckptfs fix`: from the text of an error to a line that can be pasted.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::bundle::Bundle;
use crate::support::{CKPTFS, stderr, stdout};

/// A directory with `train/ckpt-9`.
struct Train {
    dir: TempDir,
}

impl Train {
    fn new(names: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let bundle = names.iter().fold(Bundle::new(), |bundle, name| bundle.floats(name, &[1.0]));
        bundle.write(&dir.path().join("train/ckpt-9"));
        Self { dir }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn fix(&self, args: &[&str]) -> Output {
        Command::new(CKPTFS).arg("fix").args(args).current_dir(self.path()).output().unwrap()
    }

    /// Returns what it prints, with an exit code.
    #[track_caller]
    fn said(&self, args: &[&str], code: i32) -> String {
        let output = self.fix(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}{}", stdout(&output), stderr(&output));
        stdout(&output)
    }
}

const NAMES: &[&str] = &["bert/a/w", "bert/b/w", "bert/a/w/Adam", "bert/a/w/Adam_1", "global_step"];
const KEY: &str = "NotFoundError: Key encoder/a/w not found in checkpoint";

#[test]
fn a_missing_key_is_answered_with_lines_to_paste() {
    let said = Train::new(NAMES).said(&["train/ckpt-9", "-e", KEY], 0);
    let expected = "\
encoder/a/w is not there; bert/a/w [1] is, its last two components
  --rename 'bert/**=encoder/**'     2 variables (2 optimizer slots with them)
try   ckptfs run train/ --rename 'bert/**=encoder/**' -- python eval.py
keep  ckptfs fix train/ckpt-9 -e 'Key encoder/a/w not found in checkpoint' -o fix.toml
";
    if cfg!(feature = "fuse") {
        assert_eq!(said, expected);
    }
}

#[test]
fn the_text_comes_from_standard_input_too_and_the_map_goes_into_a_file() {
    let train = Train::new(NAMES);
    for args in [&["train/ckpt-9", "-"][..], &["train/ckpt-9", "-e", "-"]] {
        let mut command = Command::new(CKPTFS);
        command.arg("fix").args(args).args(["-o", "fix.toml"]).current_dir(train.path());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let text = "Traceback:\n  File \"my eval.py\", line 3, in <module>\n\x1b[31m".to_owned() + KEY;
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let said = stdout(&child.wait_with_output().unwrap());
        assert!(said.contains("--map fix.toml"), "{said}");
        assert!(!cfg!(feature = "fuse") || said.contains("-- python 'my eval.py'\n"), "{said}");
        let mut names = Command::new(CKPTFS);
        names.args(["ls", "train/ckpt-9", "--map", "fix.toml"]).current_dir(train.path());
        assert!(stdout(&names.output().unwrap()).contains("encoder/a/w\n"));
        fs::remove_file(train.path().join("fix.toml")).unwrap();
    }
}

#[test]
fn the_exit_code_says_whether_the_answer_was_checked() {
    let train = Train::new(NAMES);
    train.said(&["train/ckpt-9", "-e", KEY], 0);
    train.said(&["train/ckpt-9", "-e", "nothing is known of this"], 1);
    train.said(&["train/ckpt-9", "-e", "Key other/q not found in checkpoint"], 1);
    train.said(&["none", "-e", KEY], 1);
    train.said(&["-e", KEY], 1);
    train.said(&["train/ckpt-9"], 2);
    train.said(&["train/ckpt-9", "-", "-e", KEY], 2);
}

#[test]
fn what_only_wanted_decides_names_the_next_two_commands() {
    let train = Train::new(&["m/fc1/w", "m/out/w"]);
    let said = train.said(&["train/ckpt-9", "-e", "Key m/hidden/w not found in checkpoint"], 1);
    assert!(said.contains("perhaps: several variables end alike"), "{said}");
    assert!(said.contains("try   ckptfs want --saver\n"), "{said}");
    let then = said.lines().find_map(|line| line.strip_prefix("then  ckptfs ")).unwrap();
    fs::write(
        train.path().join("wanted.tsv"),
        "name\tdtype\tshape\nn/fc1/w\tfloat32\t1\nn/out/w\tfloat32\t1\n",
    )
    .unwrap();
    let line = format!("{CKPTFS} {then}");
    let output = Command::new("sh").args(["-c", &line]).current_dir(train.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    assert!(stdout(&output).contains("m/**=n/**"), "{}", stdout(&output));
}

#[test]
fn other_dtypes_are_cast_together_with_a_rename() {
    let train = Train::new(NAMES);
    let text =
        format!("{KEY}\ntensor_name = bert/b/w; expected dtype half does not equal original dtype float");
    let said = train.said(&["train/ckpt-9", "-e", &text], 0);
    assert!(said.contains("--rename 'bert/**=encoder/**' --cast 'bert/b/w=float16'"), "{said}");
    assert!(said.contains("bert/b/w is float, and the program wants half"), "{said}");
}

#[test]
fn a_path_in_the_text_is_examined() {
    let train = Train::new(NAMES);
    let said = train.said(&["-e", "Failed to find any matching files for train/ckpt"], 0);
    assert!(said.contains("train/ckpt-9"), "{said}");
    let said =
        train.said(&["-e", "AttributeError: 'CheckpointManager' object has no attribute 'restore'"], 0);
    assert!(said.contains("in the program:  checkpoint.restore(manager.latest_checkpoint)"), "{said}");
}

#[test]
fn json_has_the_same_answer() {
    let train = Train::new(NAMES);
    let value: Value = serde_json::from_str(&train.said(&["train/ckpt-9", "-e", KEY, "--json"], 0)).unwrap();
    assert_eq!(value["failures"][0]["id"], "missing-key");
    assert_eq!(value["failures"][0]["parts"]["key"], "encoder/a/w");
    assert_eq!(value["proposals"][0]["flags"][0], "--rename 'bert/**=encoder/**'");
    assert_eq!(value["proposals"][0]["confidence"], "sure");
    assert_eq!(value["checked"], true);
}

/// Names that a shell, a terminal or the map language could take for something else.
const HOSTILE: &[&str] = &[
    "'; touch x; '",
    "$(touch x)",
    "`touch x`",
    "a b & touch x",
    "\"; touch x; \"",
    "-rf",
    "--help",
    "a\\'; touch x; '",
    "x=y{z}*",
    "größe;touch x",
    "{a",
    "re:(",
];

#[test]
fn a_hostile_name_runs_nothing_but_the_printed_command() {
    for hostile in HOSTILE {
        for names in [
            [format!("{hostile}/a/w"), "net/a/w".to_owned()],
            ["net/a/w".to_owned(), format!("{hostile}/a/w")],
        ] {
            let [have, want] = names.each_ref().map(String::as_str);
            let train = Train::new(&[have]);
            let said = train.said(&["train/ckpt-9", "-e", &format!("Key {want} not found in checkpoint")], 0);
            runs_nothing_else(&train, &said, want);
        }
    }
}

/// Runs each printed line in a shell whose `ckptfs` only notes its arguments, then runs these arguments with `check`.
#[track_caller]
fn runs_nothing_else(train: &Train, said: &str, want: &str) {
    let bin = train.path().join("bin");
    fs::create_dir_all(&bin).unwrap();
    let noting = "#!/bin/sh\nprintf '%s\\0' \"$@\" >> \"$NOTED\"\n";
    let program = bin.join("ckptfs");
    fs::write(&program, noting).unwrap();
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let before = names_in(train.path());
    let lines: Vec<_> =
        said.lines().filter_map(|line| line.strip_prefix("try   ").or(line.strip_prefix("keep  "))).collect();
    assert_eq!(lines.len(), 2, "{said}");
    for line in lines {
        let noted = bin.join("noted");
        let status = Command::new("sh")
            .args(["-c", line])
            .current_dir(train.path())
            .env("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()))
            .env("NOTED", &noted)
            .status()
            .unwrap();
        assert!(status.success(), "{line}");
        let arguments = fs::read(&noted).unwrap();
        fs::remove_file(&noted).unwrap();
        let arguments: Vec<_> = arguments
            .split(|byte| *byte == 0)
            .map(|word| String::from_utf8(word.to_vec()).unwrap())
            .collect();
        let words = arguments[..arguments.len() - 1].iter().map(String::as_str).collect::<Vec<_>>();
        works(train, &words, want, line);
        let made = train.path().join("fix.toml");
        let _ = fs::remove_file(made);
        assert_eq!(names_in(train.path()), before, "{line}");
    }
}

/// Checks that the arguments of a printed line give the wanted name.
#[track_caller]
fn works(train: &Train, words: &[&str], want: &str, line: &str) {
    let words: Vec<&str> = match words {
        ["run", rest @ ..] => {
            let end = rest.iter().rposition(|word| *word == "--").unwrap();
            ["ls"].iter().chain(&rest[..end]).copied().collect()
        }
        words => words.to_vec(),
    };
    let output = Command::new(CKPTFS).args(&words).current_dir(train.path()).output().unwrap();
    assert!(output.status.success(), "{line}: {}", stderr(&output));
    let shown = want.replace('\\', "\\\\");
    assert!(
        words[0] == "fix" || stdout(&output).lines().any(|name| name == shown),
        "{line}: {}",
        stdout(&output)
    );
}

fn names_in(dir: &Path) -> Vec<PathBuf> {
    let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    names
}

#[test]
fn a_name_with_control_characters_is_shown_escaped_and_in_no_command() {
    let train = Train::new(&["net/a/w"]);
    let text = "Key a\n'; touch x; '\x07\x1b[31m/a/w not found in checkpoint";
    let said = train.said(&["train/ckpt-9", "-e", text], 1);
    assert!(said.starts_with("a\\n'; touch x; '"), "{said}");
    assert!(!said.contains(['\x07', '\x1b']) && !said.contains("try "), "{said}");
    let said = train.said(&["train/ckpt-9", "-e", text, "-o", "fix.toml"], 0);
    assert!(said.contains("--map fix.toml"), "{said}");
}

#[test]
fn ls_and_cat_answer_a_missing_name_with_the_same_flags() {
    let train = Train::new(NAMES);
    for command in ["ls", "cat"] {
        let mut run = Command::new(CKPTFS);
        let output =
            run.args([command, "train/ckpt-9", "encoder/a/w"]).current_dir(train.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let said = stderr(&output);
        assert!(said.contains("help: --rename 'bert/**=encoder/**' gives it\n"), "{said}");
    }
}
