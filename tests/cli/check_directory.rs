//! `ckptfs check` of directories, and of checkpoint data with `--data`.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use ckptfs::dtype::Dtype;
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

/// Creates a checkpoint whose values do not all fit in narrower dtypes.
fn wide() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let steps: Vec<u8> = [5_000_000_000_i64, 1].iter().flat_map(|x| x.to_le_bytes()).collect();
    Bundle::new()
        .floats("k", &[1e6, 1.0, 1e-9, 0.5])
        .floats("n", &[f32::NAN, f32::INFINITY, 1.0])
        .tensor("s", Dtype::Int64, &[2], &steps)
        .write(&dir.path().join("ckpt-1"));
    dir
}

#[test]
fn casts_that_may_lose_values_are_named_without_reading_any() {
    let dir = wide();
    fs::remove_file(dir.path().join("ckpt-1.data-00000-of-00001")).unwrap();
    let source = dir.path().join("ckpt-1");
    for (flag, warning) in [
        ("k=float16", "1 variable can overflow: float32 reaches 3.4e38, float16 65504"),
        ("s=int32", "1 variable can be out of range: int64 reaches 9.2e18, int32 2147483647"),
    ] {
        let said = stdout(&check(&source, &["--cast", flag]));
        assert!(said.contains(warning) && said.contains("check --data reads the values"), "{said}");
    }
    let said = stdout(&check(&source, &["--cast", "k=bfloat16"]));
    assert!(!said.contains("can "), "{said}");
}

#[test]
fn values_that_a_cast_loses_are_counted_for_each_variable() {
    let dir = wide();
    let source = dir.path().join("ckpt-1");
    let table: &[(&[&str], i32, &[&str])] = &[
        (
            &[],
            0,
            &[
                "warning: n: 1 NaN, 1 inf",
                "values: 3 variables, 0 overflow, 0 out of range, 0 underflow, 1 with NaN or inf",
            ],
        ),
        (
            &["--cast", "k=float16"],
            1,
            &[
                "overflow: k: 1 of 4 numbers, float32 to float16",
                "underflow: k: 1 of 4 numbers, float32 to float16",
            ],
        ),
        (&["--cast", "s=int32"], 1, &["out of range: s: 1 of 2 numbers, int64 to int32"]),
        (&["--cast", "n=float16"], 0, &["warning: n: 1 NaN, 1 inf", "0 overflow"]),
        (&["--cast", "k=float16", "--drop", "k"], 0, &["2 variables, 0 overflow"]),
    ];
    for (flags, code, parts) in table {
        for source in [&source, dir.path()] {
            let done = check(source, &[flags, &["--data"][..]].concat());
            let said = stdout(&done);
            assert_eq!(done.status.code(), Some(*code), "{flags:?}: {said}{}", stderr(&done));
            for part in *parts {
                assert!(said.contains(part), "{flags:?}, {part}: {said}");
            }
            assert!(!said.contains("can overflow"), "what is known need not be guessed: {said}");
        }
    }
}

#[test]
fn the_values_of_every_checkpoint_of_a_directory_are_read() {
    let dir = wide();
    Bundle::new().floats("k", &[1e6]).floats("n", &[1.0]).write(&dir.path().join("ckpt-0"));
    let done = check(dir.path(), &["--data", "--cast", "k=float16"]);
    assert_eq!(stdout(&done).matches("overflow: k: 1 of ").count(), 2, "{}", stdout(&done));
    assert!(stdout(&done).ends_with("0 of 2 checkpoints fit and are intact\n"), "{}", stdout(&done));
}
