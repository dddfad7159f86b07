//! `ckptfs check` of directories, and of checkpoint data with `--data`.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::support::bundle::Bundle;
use crate::support::{CKPTFS, ckptfs, copy, fixture, list, stderr, stdout};

/// Creates `ckpt-7`, `ckpt-8`, `ckpt-9` and `eval/ckpt-3` in one directory. If `bad` is true, `ckpt-7` has no
/// variable below `a/`.
fn train(bad: bool) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let old = if bad { "other/w" } else { "a/w" };
    let write = |path: &str, name: &str| {
        let prefix = dir.path().join(path);
        fs::create_dir_all(prefix.parent().unwrap()).unwrap();
        Bundle::new().floats(name, &[1.0]).floats("b", &[2.0]).write(&prefix);
    };
    let _ = [("ckpt-7", old), ("ckpt-8", "a/w"), ("ckpt-9", "a/w"), ("eval/ckpt-3", "a/w")]
        .map(|(path, name)| write(path, name));
    fs::write(dir.path().join("checkpoint"), "model_checkpoint_path: 'ckpt-9'").unwrap();
    dir
}

fn check(dir: &Path, flags: &[&str]) -> Output {
    ckptfs([Path::new("check"), dir].into_iter().chain(flags.iter().map(Path::new)))
}

const MAP: &[&str] = &["--rename", "a/**=c/**"];

#[test]
fn every_checkpoint_that_a_mount_would_serve_is_checked() {
    let dir = train(false);
    let done = check(dir.path(), MAP);
    let said = stdout(&done);
    assert!(done.status.success(), "{said}{}", stderr(&done));
    for name in ["ckpt-8", "ckpt-7", "eval/ckpt-3"] {
        assert!(
            said.contains(&format!("{}: fits, 2 names\n", dir.path().join(name).display())),
            "{name}: {said}"
        );
    }
    assert!(said.contains("a/w [1] float32 -> c/w [1] float32"), "the newest in detail: {said}");
    assert!(said.ends_with("4 of 4 checkpoints fit\n"), "{said}");
}

#[test]
fn a_checkpoint_that_does_not_fit_is_named_with_its_cause() {
    let dir = train(true);
    let done = check(dir.path(), MAP);
    let said = stdout(&done);
    assert_eq!(done.status.code(), Some(1), "{said}");
    let line = format!(
        "{}: does not fit: `a/**` matched none of 2 variables\n",
        dir.path().join("ckpt-7").display()
    );
    assert!(said.contains(&line), "{said}");
    assert!(said.ends_with("3 of 4 checkpoints fit\n"), "{said}");
}

#[test]
fn all_checksums_are_verified_and_damaged_values_are_named() {
    let dir = train(false);
    let sound = check(dir.path(), &["--data"]);
    assert!(sound.status.success(), "{}", stdout(&sound));
    assert_eq!(
        stdout(&sound).matches("2 of 2 values are intact, 0 damaged, 0 without a checksum").count(),
        4
    );
    let data = dir.path().join("ckpt-8.data-00000-of-00001");
    let mut bytes = fs::read(&data).unwrap();
    bytes[0] ^= 1;
    fs::write(&data, bytes).unwrap();
    for source in [dir.path().to_owned(), dir.path().join("ckpt-8")] {
        let damaged = check(&source, &["--data"]);
        let said = stdout(&damaged);
        assert_eq!(damaged.status.code(), Some(1), "{said}");
        assert!(said.contains("  damaged: a/w, in ckpt-8.data-00000-of-00001 at 0+4: "), "{said}");
        assert!(said.contains("1 of 2 values are intact, 1 damaged, 0 without a checksum"), "{said}");
    }
    assert!(check(dir.path(), &[]).status.success(), "without --data no data are read");
}

#[test]
fn the_data_of_the_fixtures_is_intact() {
    for name in ["tf1_adam", "strings", "dtypes", "object_keras3", "partitioned", "big_endian_objects"] {
        let done = check(&fixture(name).join("ckpt-9"), &["--data"]);
        assert!(done.status.success(), "{name}: {}{}", stdout(&done), stderr(&done));
    }
}

#[test]
fn values_without_a_checksum_are_counted() {
    let dir = train(false);
    let file = dir.path().join("x.safetensors");
    assert!(ckptfs([Path::new("export"), &dir.path().join("ckpt-9"), &file]).status.success());
    let done = check(&file, &["--data"]);
    assert!(done.status.success());
    assert!(
        stdout(&done).contains("0 of 2 values are intact, 0 damaged, 2 without a checksum"),
        "{}",
        stdout(&done)
    );
}

#[test]
fn a_truncated_data_file_without_a_sound_variable_is_reported_on_one_line() {
    let dir = tempfile::tempdir().unwrap();
    copy(&fixture("tf1_adam"), dir.path());
    let data = list(dir.path()).into_iter().find(|name| name.contains(".data-")).unwrap();
    let whole = fs::metadata(dir.path().join(&data)).unwrap().len();
    File::options().write(true).open(dir.path().join(&data)).unwrap().set_len(4).unwrap();
    let said = stderr(&check(&dir.path().join("ckpt-9"), &[]));
    let missing = whole - 4;
    let line = format!("{data} is 4 bytes of {whole}: the copy stopped early ({missing} bytes are missing)");
    assert!(said.contains("all 33 variables are damaged") && said.contains(&line), "{said}");
    assert_eq!(said.lines().count(), 3, "{said}");
}

#[test]
fn the_report_fits_80_columns_in_a_terminal_and_is_complete_in_a_pipe() {
    let dir = tempfile::tempdir().unwrap();
    let name = "bert/encoder/layer_0/attention/self/query/kernel";
    Bundle::new().floats(name, &[1.0]).write(&dir.path().join("ckpt-9"));
    let line = format!("stty cols 80; {CKPTFS} check ckpt-9 --rename 'bert/**=encoder/**'");
    let mut command = Command::new("script");
    command
        .args(["-qec", &line, "/dev/null"])
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .env("NO_COLOR", "1");
    let shown = stdout(&command.output().unwrap()).replace('\r', "");
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    let piped = Command::new("sh").args(["-c", &line]).current_dir(dir.path()).output().unwrap();
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(&shown), words(&stdout(&piped)), "nothing is cut");
    assert!(stdout(&piped).lines().any(|line| line.chars().count() > 80));
}
