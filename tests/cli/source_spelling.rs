//! Every way to write SOURCE, and the checkpoint that it means.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use crate::support::bundle::Bundle;
use crate::support::{ckptfs, fixture, stderr, stdout};

/// Creates `train/` with complete `ckpt-8` and `ckpt-9`. Each has one variable, named after it. `ckpt-8` has the
/// later time.
fn train() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (stem, age) in [("ckpt-8", 100), ("ckpt-9", 200)] {
        save(&dir.path().join("train").join(stem), age);
    }
    dir
}

/// Writes a checkpoint that is `age` seconds old. Its one variable is named after it.
fn save(prefix: &Path, age: u64) {
    let stem = prefix.file_name().unwrap().to_str().unwrap();
    Bundle::new().floats(format!("in/{stem}"), &[1.0]).write(prefix);
    let index = File::options().write(true).open(prefix.with_added_extension("index")).unwrap();
    index.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
}

/// Returns the name of the checkpoint that a source means, and the text on standard error.
#[track_caller]
fn meant(source: &Path) -> (String, String) {
    let output = ckptfs(["ls".as_ref(), source.as_os_str()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let name = stdout(&output);
    (name.trim().strip_prefix("in/").expect("one variable").to_owned(), stderr(&output))
}

#[test]
fn a_prefix_and_each_of_its_files_mean_the_same_checkpoint() {
    let dir = train();
    let train = dir.path().join("train");
    fs::write(train.join("ckpt-9.meta"), "a graph").unwrap();
    for name in ["ckpt-9", "ckpt-9.index", "ckpt-9.data-00000-of-00001", "ckpt-9.meta"] {
        assert_eq!(meant(&train.join(name)), ("ckpt-9".into(), String::new()), "{name}");
    }
}

#[test]
fn a_relative_prefix_starts_at_the_working_directory() {
    let dir = train();
    for (from, source) in
        [("", "train/ckpt-9"), ("train", "ckpt-9"), ("train", "./ckpt-9"), ("train", "../train/ckpt-9.index")]
    {
        let mut command = std::process::Command::new(crate::support::CKPTFS);
        let output = command.current_dir(dir.path().join(from)).args(["ls", source]).output().unwrap();
        assert_eq!(stdout(&output), "in/ckpt-9\n", "{source}: {}", stderr(&output));
    }
}

#[test]
fn a_prefix_wins_over_a_directory_of_its_name_unless_a_slash_follows() {
    let dir = train();
    let train = dir.path().join("train");
    save(&train.join("ckpt-9/inner"), 10);
    assert_eq!(meant(&train.join("ckpt-9")).0, "ckpt-9");
    assert_eq!(meant(&train.join("ckpt-9/")).0, "inner");
}

#[test]
fn a_directory_means_its_newest_checkpoint_and_the_message_names_it() {
    let dir = train();
    for spelling in ["train", "train/", "train/."] {
        let (name, said) = meant(&dir.path().join(spelling));
        assert_eq!(name, "ckpt-8", "{spelling}");
        assert!(said.contains("2 checkpoints; using ckpt-8"), "{said}");
    }
    let alone = tempfile::tempdir().unwrap();
    save(&alone.path().join("only"), 0);
    assert_eq!(meant(alone.path()), ("only".into(), String::new()));
}

#[test]
fn a_state_file_decides_which_checkpoint_is_the_newest() {
    let dir = train();
    let train = dir.path().join("train");
    let absolute = train.join("ckpt-9");
    let states: &[(&str, String)] = &[
        ("relative", "model_checkpoint_path: \"ckpt-9\"\n".into()),
        ("absolute", format!("model_checkpoint_path: \"{}\"\n", absolute.display())),
        ("absolute, from another machine", "model_checkpoint_path: \"/data/runs/3/ckpt-9\"\n".into()),
        ("absolute, from Windows", "model_checkpoint_path: \"C:\\\\runs\\\\ckpt-9\"\n".into()),
        ("with a list", "model_checkpoint_path: 'ckpt-9'\nall_model_checkpoint_paths: 'ckpt-8'\nall_model_checkpoint_paths: 'ckpt-9'\n".into()),
        ("naming one that is gone", "model_checkpoint_path: \"ckpt-10\"\nall_model_checkpoint_paths: \"ckpt-8\"\nall_model_checkpoint_paths: \"ckpt-9\"\nall_model_checkpoint_paths: \"ckpt-10\"\n".into()),
    ];
    for (what, state) in states {
        fs::write(train.join("checkpoint"), state).unwrap();
        assert_eq!(meant(&train).0, "ckpt-9", "{what}");
        assert_eq!(meant(&train.join("checkpoint")).0, "ckpt-9", "{what}, given itself");
    }
}

#[test]
fn modification_times_decide_if_the_state_file_is_unusable() {
    let dir = train();
    let train = dir.path().join("train");
    let states: &[(&str, &[u8])] = &[
        ("empty", b""),
        ("garbled", b"\x00\xff model_checkpoint_path: {{{"),
        ("naming nothing that is there", b"model_checkpoint_path: \"ckpt-77\"\n"),
        ("naming a directory", b"model_checkpoint_path: \"..\"\n"),
    ];
    for (what, state) in states {
        fs::write(train.join("checkpoint"), state).unwrap();
        assert_eq!(meant(&train).0, "ckpt-8", "{what}");
        assert_eq!(meant(&train.join("checkpoint")).0, "ckpt-8", "{what}, given itself");
    }
}

#[test]
fn a_complete_checkpoint_is_preferred_to_a_newer_one_without_data() {
    let dir = train();
    let train = dir.path().join("train");
    fs::remove_file(train.join("ckpt-8.data-00000-of-00001")).unwrap();
    fs::write(train.join("checkpoint"), "model_checkpoint_path: \"ckpt-8\"\n").unwrap();
    assert_eq!(meant(&train).0, "ckpt-9");
    fs::remove_file(train.join("ckpt-9.data-00000-of-00001")).unwrap();
    assert_eq!(meant(&train).0, "ckpt-8", "with none whole, the newest that has names");
}

#[test]
fn files_of_a_crashed_save_are_not_a_checkpoint() {
    let dir = train();
    let train = dir.path().join("train");
    for name in [
        "ckpt-10.index.tempstate123",
        "ckpt-10.data-00000-of-00001.tempstate4",
        ".index",
        "checkpoint.tmp0af",
    ] {
        fs::write(train.join(name), "").unwrap();
    }
    fs::create_dir(train.join("ckpt-10_temp")).unwrap();
    assert_eq!(meant(&train).0, "ckpt-8");
}

#[test]
fn a_saved_model_means_the_checkpoint_of_its_variables() {
    let dir = tempfile::tempdir().unwrap();
    save(&dir.path().join("variables/variables"), 0);
    fs::write(dir.path().join("saved_model.pb"), "a graph").unwrap();
    for spelling in ["", "variables", "variables/variables", "variables/variables.index"] {
        assert_eq!(meant(&dir.path().join(spelling)), ("variables".into(), String::new()), "{spelling}");
    }
}

#[test]
fn unusual_names_are_taken_literally() {
    let dir = tempfile::tempdir().unwrap();
    for stem in ["checkpoint", "latest", "a b*[1]", "model.index", "-x", "ünï"] {
        let prefix = dir.path().join("d").join(stem);
        save(&prefix, 0);
        assert_eq!(meant(&prefix), (stem.into(), String::new()));
        assert_eq!(meant(&prefix.with_added_extension("index")).0, stem);
        fs::remove_dir_all(dir.path().join("d")).unwrap();
    }
}

#[test]
fn every_spelling_of_a_tensorflow_checkpoint_lists_the_same_variables() {
    let source = fixture("two_steps");
    let listed = |path: &Path| stdout(&ckptfs(["ls".as_ref(), path.as_os_str()]));
    let expected = listed(&source.join("ckpt-9"));
    assert!(!expected.is_empty());
    for spelling in ["", "checkpoint", "ckpt-9.index", "ckpt-9.data-00000-of-00001"] {
        assert_eq!(listed(&source.join(spelling)), expected, "{spelling}");
    }
}
