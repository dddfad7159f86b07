//! Mounts of damaged checkpoints: what is sound is served, what is damaged is named.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::bundle::Bundle;
use crate::support::mount::{can_mount, mount};
use crate::support::{CKPTFS, eventually, list, stderr, stdout};

/// A directory with the steps 1 to 3, of which some are cut after the variable `a`.
struct Train {
    _dir: TempDir,
    dir: PathBuf,
}

impl Train {
    fn with_damaged(damaged: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let train = Self { dir: dir.path().canonicalize().unwrap(), _dir: dir };
        for (step, value) in [("ckpt-1", 1.0), ("ckpt-2", 2.0), ("ckpt-3", 3.0)] {
            Bundle::new().floats("a", &[value]).floats("b", &[value, 5.0]).write(&train.path(step));
        }
        for step in damaged {
            let data = train.path(step).with_added_extension("data-00000-of-00001");
            File::options().write(true).open(data).unwrap().set_len(9).unwrap();
        }
        train
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

#[test]
fn a_directory_serves_the_step_before_a_damaged_one_and_says_why() {
    let train = Train::with_damaged(&["ckpt-3"]);
    let state = "model_checkpoint_path: \"ckpt-3\"\nall_model_checkpoint_paths: \"ckpt-2\"\nall_model_checkpoint_paths: \"ckpt-3\"\n";
    fs::write(train.path("checkpoint"), state).unwrap();
    let Some(m) = mount(&train.dir, &[]) else { return };
    let said = stderr(&m.said);
    assert!(said.contains("warning: ckpt-3 is not whole and not served; latest is ckpt-2"), "{said}");
    assert!(said.contains("is 9 bytes of 12: the copy stopped early (3 bytes are missing)"), "{said}");
    assert!(
        said.contains(&format!("ckptfs mount {} DIR --salvage", train.path("ckpt-3").display())),
        "{said}"
    );
    // The first listing has no name that cannot be opened.
    let names = list(m.path());
    assert!(!names.iter().any(|name| name.starts_with("ckpt-3.") && name != "ckpt-3.error"), "{names:?}");
    for name in names.iter().filter(|name| *name != ".ckptfs") {
        assert!(fs::metadata(m.join(name)).is_ok(), "{name}");
    }
    assert_eq!(fs::read_link(m.join("latest")).unwrap(), Path::new("ckpt-2"));
    let served = m.text("checkpoint");
    assert!(
        served.starts_with("model_checkpoint_path: \"ckpt-2\"") && !served.contains("ckpt-3"),
        "{served}"
    );
    let why = m.text("ckpt-3.error");
    assert!(why.contains("b: bytes 4+8 past the end of ckpt-3.data-00000-of-00001 (9 bytes)"), "{why}");
    assert!(why.contains(&format!("--take 'b={}'", train.path("ckpt-2").display())), "{why}");
    assert_eq!(m.read("latest/raw/a"), 2f32.to_le_bytes());
    assert!(m.text(".ckptfs/status.json").contains("ckpt-3"));
}

#[test]
fn a_damaged_older_step_is_never_listed_by_its_files() {
    let train = Train::with_damaged(&["ckpt-1"]);
    let Some(m) = mount(&train.dir, &[]) else { return };
    let of_first: Vec<_> = list(m.path()).into_iter().filter(|name| name.starts_with("ckpt-1")).collect();
    assert_eq!(of_first, ["ckpt-1.error"]);
    assert_eq!(stderr(&m.said).matches("not whole").count(), 0, "the newest is sound");
    assert_eq!(fs::read_link(m.join("latest")).unwrap(), Path::new("ckpt-3"));
}

#[test]
fn a_copy_that_arrives_late_becomes_the_newest() {
    let train = Train::with_damaged(&["ckpt-3"]);
    let Some(m) = mount(&train.dir, &[]) else { return };
    assert_eq!(fs::read_link(m.join("latest")).unwrap(), Path::new("ckpt-2"));
    Bundle::new().floats("a", &[3.0]).floats("b", &[3.0, 5.0]).write(&train.path("ckpt-3"));
    eventually("it is whole", || fs::read_link(m.join("latest")).unwrap() == Path::new("ckpt-3"));
    assert!(!m.join("ckpt-3.error").exists());
    assert_eq!(m.read("latest/raw/b"), [3f32.to_le_bytes(), 5f32.to_le_bytes()].concat());
}

#[test]
fn a_mount_of_one_damaged_step_needs_a_word_about_it() {
    let train = Train::with_damaged(&["ckpt-3"]);
    if !can_mount() {
        return;
    }
    let point = train.path("m");
    fs::create_dir(&point).unwrap();
    let said = Command::new(CKPTFS).arg("mount").arg(train.path("ckpt-3")).arg(&point).output().unwrap();
    assert_eq!(said.status.code(), Some(1));
    assert!(
        stderr(&said).contains("1 of 2 variables is damaged; the other one is sound"),
        "{}",
        stderr(&said)
    );
    let take = format!("b={}", train.path("ckpt-2").display());
    let option = format!("take={take}");
    for flags in
        [["--salvage"].as_slice(), &["-o", "salvage"], &["--drop", "b"], &["--take", &take], &["-o", &option]]
    {
        let Some(m) = mount(&train.path("ckpt-3"), flags) else { return };
        let is_taken = flags[1..].iter().any(|flag| flag.contains("ckpt-2"));
        assert_eq!(m.read("ckpt-3/raw/a"), 3f32.to_le_bytes(), "{flags:?}");
        assert_eq!(m.join("ckpt-3/raw/b").exists(), is_taken, "{flags:?}");
        assert_eq!(
            m.join("ckpt-3/raw/b").exists() && m.read("ckpt-3/raw/b")[..4] == 2f32.to_le_bytes(),
            is_taken
        );
        let warned = stderr(&m.said).contains("b: bytes 4+8 past the end");
        assert_eq!(warned, flags.contains(&"--salvage") || flags.contains(&"salvage"), "{flags:?}");
        assert!(!m.read("ckpt-3/model.safetensors").is_empty());
    }
}

#[test]
fn a_program_that_is_run_sees_the_newest_sound_step() {
    let train = Train::with_damaged(&["ckpt-3"]);
    if !can_mount() {
        return;
    }
    let state = train.path("checkpoint");
    let run = Command::new(CKPTFS).arg("run").arg(&train.dir).arg("cat").arg(&state).output().unwrap();
    assert!(run.status.success(), "{}", stderr(&run));
    assert!(stdout(&run).starts_with("model_checkpoint_path: \"ckpt-2\""), "{}", stdout(&run));
    assert!(stderr(&run).contains("latest is ckpt-2"), "{}", stderr(&run));
}

#[test]
fn with_verify_no_file_has_damaged_bytes() {
    let train = Train::with_damaged(&[]);
    let data = File::options().write(true).open(train.path("ckpt-3.data-00000-of-00001")).unwrap();
    data.write_all_at(&[0x55], 5).unwrap();
    const WITH_VALUES: &[&str] = &[
        "model.safetensors",
        "model.weights.h5",
        "stats.tsv",
        "raw/b",
        "npy/b.npy",
        "text/b.txt",
        "vars/b/stats",
    ];
    const WITHOUT: &[&str] = &["raw/a", "variables.tsv", "remap.tsv", "vars/b/shape", "vars/b/info.json"];
    let Some(plain) = mount(&train.path("ckpt-3"), &[]) else { return };
    let Some(m) = mount(&train.path("ckpt-3"), &["--verify"]) else { return };
    let Some(without) = mount(&train.path("ckpt-3"), &["--verify", "--drop", "b"]) else { return };
    for file in WITH_VALUES {
        let path = format!("ckpt-3/{file}");
        assert!(!plain.read(&path).is_empty());
        assert_eq!((m.errno(&path), m.errno(&path)), (libc::EIO, libc::EIO), "{file}");
        if !file.contains('b') || file.ends_with(".h5") {
            assert!(!without.read(&path).is_empty(), "{file}");
        }
    }
    for file in WITHOUT {
        assert!(!m.read(format!("ckpt-3/{file}")).is_empty(), "{file}");
    }
    assert!(m.logged("b: damaged") >= 1);
}

#[test]
fn with_verify_a_file_in_the_sources_own_format_has_no_damaged_bytes_of_an_overlay() {
    let train = Train::with_damaged(&[]);
    let own = train.path("own.safetensors");
    let export = Command::new(CKPTFS).arg("export").arg(train.path("ckpt-1")).arg(&own).output().unwrap();
    assert!(export.status.success(), "{}", stderr(&export));
    let data = File::options().write(true).open(train.path("ckpt-3.data-00000-of-00001")).unwrap();
    data.write_all_at(&[0x55], 5).unwrap();
    let take = format!("b={}", train.path("ckpt-3").display());
    let Some(m) = mount(&own, &["--verify", "--take", &take]) else { return };
    assert_eq!(m.errno("own.safetensors"), libc::EIO);
    let Some(sound) = mount(&own, &["--verify"]) else { return };
    assert_eq!(sound.read("own.safetensors"), fs::read(&own).unwrap());
}
