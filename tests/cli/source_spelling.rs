//! Every way to write SOURCE, and which checkpoint it means.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use crate::support::bundle::Bundle;
use crate::support::{ckptfs, fixture, stderr, stdout};

/// `train/` with complete `ckpt-8` and `ckpt-9`, each with one variable named after it; `ckpt-8` has the later time.
fn train() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (stem, age) in [("ckpt-8", 100), ("ckpt-9", 200)] {
        save(&dir.path().join("train").join(stem), age);
    }
    dir
}

/// Writes a checkpoint whose one variable says which it is, so many seconds old.
fn save(prefix: &Path, age: u64) {
    let stem = prefix.file_name().unwrap().to_str().unwrap();
    Bundle::new().floats(format!("in/{stem}"), &[1.0]).write(prefix);
    let index = File::options().write(true).open(prefix.with_added_extension("index")).unwrap();
    index.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
}

/// Which checkpoint a source means, and what was said about it.
#[track_caller]
fn meant(source: &Path) -> (String, String) {
    let output = ckptfs(["ls".as_ref(), source.as_os_str()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let name = stdout(&output);
    (name.trim().strip_prefix("in/").expect("one variable").to_owned(), stderr(&output))
}

#[test]
fn a_prefix_and_each_of_its_files_are_one_checkpoint_and_nothing_is_said() {
    let dir = train();
    let train = dir.path().join("train");
    fs::write(train.join("ckpt-9.meta"), "a graph").unwrap();
    for name in ["ckpt-9", "ckpt-9.index", "ckpt-9.data-00000-of-00001", "ckpt-9.meta"] {
        assert_eq!(meant(&train.join(name)), ("ckpt-9".into(), String::new()), "{name}");
    }
}

#[test]
fn a_prefix_is_relative_to_where_one_stands() {
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
fn a_prefix_beside_a_directory_of_its_name_is_itself_and_with_a_slash_the_directory() {
    let dir = train();
    let train = dir.path().join("train");
    save(&train.join("ckpt-9/inner"), 10);
    assert_eq!(meant(&train.join("ckpt-9")).0, "ckpt-9");
    assert_eq!(meant(&train.join("ckpt-9/")).0, "inner");
}

#[test]
fn a_directory_is_its_newest_and_says_which() {
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
fn a_state_file_decides_which_is_the_newest() {
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
fn a_state_file_that_is_of_no_use_leaves_it_to_the_times() {
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
fn a_checkpoint_that_lacks_data_is_not_the_newest_while_another_is_whole() {
    let dir = train();
    let train = dir.path().join("train");
    fs::remove_file(train.join("ckpt-8.data-00000-of-00001")).unwrap();
    fs::write(train.join("checkpoint"), "model_checkpoint_path: \"ckpt-8\"\n").unwrap();
    assert_eq!(meant(&train).0, "ckpt-9");
    fs::remove_file(train.join("ckpt-9.data-00000-of-00001")).unwrap();
    assert_eq!(meant(&train).0, "ckpt-8", "with none whole, the newest that has names");
}

#[test]
fn what_a_crashed_save_left_is_no_checkpoint() {
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
fn a_saved_model_is_its_variables() {
    let dir = tempfile::tempdir().unwrap();
    save(&dir.path().join("variables/variables"), 0);
    fs::write(dir.path().join("saved_model.pb"), "a graph").unwrap();
    for spelling in ["", "variables", "variables/variables", "variables/variables.index"] {
        assert_eq!(meant(&dir.path().join(spelling)), ("variables".into(), String::new()), "{spelling}");
    }
}

#[test]
fn names_that_confuse_are_taken_as_they_are() {
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
fn every_spelling_of_what_tensorflow_wrote_lists_the_same() {
    let source = fixture("two_steps");
    let listed = |path: &Path| stdout(&ckptfs(["ls".as_ref(), path.as_os_str()]));
    let expected = listed(&source.join("ckpt-9"));
    assert!(!expected.is_empty());
    for spelling in ["", "checkpoint", "ckpt-9.index", "ckpt-9.data-00000-of-00001"] {
        assert_eq!(listed(&source.join(spelling)), expected, "{spelling}");
    }
}
