//! `suggest`: pairs with known answers, the written map, and the output.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use ckptfs::dtype::Dtype;
use tempfile::TempDir;

use crate::support::bundle::{Bundle, f32s};
use crate::support::{ckptfs, list, stderr, stdout};

/// Returns the lines of a table, as maps from column to cell.
fn rows(text: &str) -> Vec<HashMap<String, String>> {
    let mut lines = text.lines().map(|line| line.split('\t').map(str::to_owned).collect::<Vec<_>>());
    let columns = lines.next().unwrap();
    lines.map(|cells| columns.iter().cloned().zip(cells).collect()).collect()
}

fn pairs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pairs")
}

#[test]
fn every_source_is_found_and_nothing_is_sure_and_wrong() {
    let (mut right, mut flagged) = (0, 0);
    for name in list(&pairs()) {
        let file = |file: &str| pairs().join(&name).join(file);
        let output = ckptfs([
            "suggest".as_ref(),
            file("have.tsv").as_os_str(),
            file("want.tsv").as_os_str(),
            "--tsv".as_ref(),
        ]);
        let found = rows(&stdout(&output));
        let answers = rows(&fs::read_to_string(file("answer.tsv")).unwrap());
        assert_eq!(found.len(), answers.len(), "{name}: {}", stderr(&output));
        let found: HashMap<_, _> = found.iter().map(|row| (row["want"].clone(), row)).collect();
        for answer in answers {
            let row = found[&answer["want"]];
            let is_sure = row["confidence"] == "sure";
            if answer["have"].starts_with(['-', '?']) {
                assert!(!is_sure, "{name}: {row:?} cannot be known");
                flagged += 1;
            } else {
                let is_right = row["have"] == answer["have"] && row["ops"] == answer["op"];
                assert!(is_sure && is_right, "{name}: {row:?}, not {answer:?}");
                right += 1;
            }
        }
    }
    assert_eq!((right, flagged), (330, 30));
}

/// Writes a checkpoint of a small encoder, as a TF1 program saves it, and a table of the names of another framework.
fn encoder() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (mut have, mut want) = (Bundle::new(), "name\tdtype\tshape\n".to_owned());
    for layer in 0..3 {
        for (part, rows, columns) in [("query", 4, 4), ("intermediate", 4, 6), ("output", 6, 4)] {
            let numbers = vec![0.5; (rows * columns) as usize];
            have = have.tensor(
                format!("bert/layer_{layer}/{part}/kernel"),
                Dtype::Float32,
                &[rows, columns],
                &f32s(&numbers),
            );
            have = have.floats(format!("bert/layer_{layer}/{part}/bias"), &vec![0.5; columns as usize]);
            want += &format!(
                "layer.{layer}.{part}.weight\tfloat32\t{columns} {rows}\nlayer.{layer}.{part}.bias\tfloat32\t{columns}\n"
            );
        }
    }
    have.write(&dir.path().join("ckpt-9"));
    fs::write(dir.path().join("want.tsv"), want).unwrap();
    dir
}

fn in_dir(dir: &TempDir, args: &[&str]) -> Output {
    let mut command = std::process::Command::new(crate::support::CKPTFS);
    command.args(args).current_dir(dir.path()).output().unwrap()
}

#[test]
fn check_and_ls_accept_the_written_map() {
    let dir = encoder();
    let suggested = in_dir(&dir, &["suggest", "ckpt-9", "want.tsv", "-o", "fix.toml"]);
    assert_eq!(suggested.status.code(), Some(0), "{}", stderr(&suggested));
    assert!(
        stdout(&suggested).starts_with("18 of 18 wanted variables are sure; 2 rules\n"),
        "{}",
        stdout(&suggested)
    );
    assert!(
        stdout(&suggested)
            .ends_with("  ckptfs check ckpt-9 --map fix.toml\n  ckptfs mount ckpt-9 m --map fix.toml\n")
    );
    let checked = in_dir(&dir, &["check", "ckpt-9", "--map", "fix.toml", "--like", "want.tsv"]);
    assert_eq!(checked.status.code(), Some(0), "{}{}", stdout(&checked), stderr(&checked));
    let piped = in_dir(&dir, &["suggest", "ckpt-9", "want.tsv", "-o", "-"]);
    assert_eq!(stdout(&piped), fs::read_to_string(dir.path().join("fix.toml")).unwrap());
}

#[test]
fn a_map_is_not_overwritten_without_force() {
    let dir = encoder();
    fs::write(dir.path().join("fix.toml"), "mine").unwrap();
    let refused = in_dir(&dir, &["suggest", "ckpt-9", "want.tsv", "-o", "fix.toml"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("fix.toml: exists already"), "{}", stderr(&refused));
    assert_eq!(fs::read_to_string(dir.path().join("fix.toml")).unwrap(), "mine");
    let forced = in_dir(&dir, &["suggest", "ckpt-9", "want.tsv", "-o", "fix.toml", "--force"]);
    assert_eq!(forced.status.code(), Some(0), "{}", stderr(&forced));
}

#[test]
fn exit_codes_tell_sure_from_unsure_from_wrong_use() {
    let dir = encoder();
    let code = |args: &[&str]| in_dir(&dir, args).status.code();
    assert_eq!(code(&["suggest", "ckpt-9", "ckpt-9"]), Some(0));
    fs::write(dir.path().join("more.tsv"), "name\tdtype\tshape\nhead\tfloat32\t4 9\n").unwrap();
    assert_eq!(code(&["suggest", "ckpt-9", "more.tsv"]), Some(1));
    assert_eq!(code(&["suggest", "ckpt-9"]), Some(2));
    assert_eq!(code(&["suggest", "ckpt-9", "want.tsv", "--tsv", "--json"]), Some(2));
    assert_eq!(code(&["suggest", "ckpt-9", "none"]), Some(1));
}

#[test]
fn the_map_acts_on_the_source_as_it_is_without_the_flags() {
    let dir = encoder();
    let flags = ["--rename", "bert/**=model/**"];
    let suggested =
        in_dir(&dir, &[&["suggest", "ckpt-9", "want.tsv", "-o", "fix.toml"][..], &flags].concat());
    assert_eq!(suggested.status.code(), Some(0), "{}", stderr(&suggested));
    let checked = in_dir(&dir, &["check", "ckpt-9", "--map", "fix.toml", "--like", "want.tsv"]);
    assert_eq!(checked.status.code(), Some(0), "{}", stderr(&checked));
}

/// Names that a shell, a terminal or a map could take for something else.
const HOSTILE: &[&str] = &[
    "a/'; touch x; '/w",
    "a/\n[[rule]]\ndrop = '**'/w",
    "a/-rf/w",
    "a/{i:int}*\\/w",
    "a/x=y/w",
    "a/\"#quoted\"/w",
    "a/\u{1b}[2J/w",
];

#[test]
fn hostile_names_reach_neither_the_shell_nor_the_map() {
    let dir = tempfile::tempdir().unwrap();
    let (mut have, mut want) = (Bundle::new(), Bundle::new());
    for (size, name) in HOSTILE.iter().enumerate() {
        let values = vec![0.0; size + 2];
        have = have.floats(name, &values);
        want = want.floats(name.replacen("a/", "-b/", 1), &values);
    }
    have.write(&dir.path().join("have"));
    want.write(&dir.path().join("want"));
    let suggested = in_dir(&dir, &["suggest", "have", "want"]);
    let shown = stdout(&suggested);
    assert_eq!(suggested.status.code(), Some(0), "{shown}{}", stderr(&suggested));
    let check = shown.lines().find_map(|line| line.trim().strip_prefix("ckptfs check ")).unwrap();
    let command = format!("{} check {check}", crate::support::CKPTFS);
    let ran =
        std::process::Command::new("sh").args(["-c", &command]).current_dir(dir.path()).output().unwrap();
    assert!(ran.status.success() && !dir.path().join("x").exists(), "{command}: {}", stderr(&ran));
    assert!(!shown.contains('\u{1b}'), "{shown}");
    let written = in_dir(&dir, &["suggest", "have", "want", "-o", "fix.toml"]);
    assert_eq!(written.status.code(), Some(0), "{}", stderr(&written));
    let checked = in_dir(&dir, &["check", "have", "--map", "fix.toml", "--like", "want"]);
    assert_eq!(checked.status.code(), Some(0), "{}{}", stdout(&checked), stderr(&checked));
}
