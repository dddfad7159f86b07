//! `ckptfs export`: it writes the files of a mount to disk, all of them or none.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::support::bundle::{Bundle, f32s};
use crate::support::{CKPTFS, ckptfs, eventually, fixture, list, stderr, stdout};

/// Creates a checkpoint with two data files. Returns its directory, its prefix and an output prefix.
fn trial() -> (TempDir, PathBuf, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let (source, out) = (dir.path().join("old/ckpt-9"), dir.path().join("new/model"));
    fs::create_dir_all(source.parent().unwrap()).unwrap();
    Bundle::sharded(2)
        .floats("a/kernel", &[1.0, 2.0])
        .tensor_in(1, "a/bias", ckptfs::dtype::Dtype::Float32, &[1], &f32s(&[3.0]))
        .write(&source);
    (dir, source, out)
}

fn export(args: &[&str], source: &Path, out: &Path) -> std::process::Output {
    ckptfs([Path::new("export"), source, out].into_iter().chain(args.iter().map(Path::new)))
}

/// Returns every name that `ls` prints, with the value that `cat` prints.
fn content(prefix: &Path) -> Vec<(String, String)> {
    let names = stdout(&ckptfs([Path::new("ls"), prefix]));
    let text = |name: &str| stdout(&ckptfs([Path::new("cat"), prefix, Path::new(name)]));
    names.lines().map(|name| (name.to_owned(), text(name))).collect()
}

#[test]
fn an_exported_bundle_has_the_new_names_and_the_same_values() {
    let (_dir, source, out) = trial();
    let done = export(&["--rename", "a/**=b/**"], &source, &out);
    assert!(done.status.success(), "{}", stderr(&done));
    assert_eq!(
        list(out.parent().unwrap()),
        ["model.data-00000-of-00002", "model.data-00001-of-00002", "model.index"]
    );
    let renamed = |(name, text): &(String, String)| (name.replace("a/", "b/"), text.clone());
    assert_eq!(content(&out), content(&source).iter().map(renamed).collect::<Vec<_>>());
}

#[test]
fn an_export_without_a_map_equals_the_source_byte_for_byte() {
    for name in ["tf1_adam", "sharded", "object_keras3", "strings"] {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("x");
        let done = export(&[], &fixture(name), &out);
        assert!(done.status.success(), "{}", stderr(&done));
        let index = list(&fixture(name)).into_iter().rfind(|file| file.ends_with(".index")).unwrap();
        let stem = index.trim_end_matches(".index");
        for file in list(dir.path()) {
            let original = fixture(name).join(file.replacen('x', stem, 1));
            assert_eq!(
                fs::read(dir.path().join(&file)).unwrap(),
                fs::read(original).unwrap(),
                "{name}: {file}"
            );
        }
    }
}

#[test]
fn linked_data_files_are_hard_links_and_outlive_the_source() {
    let (_dir, source, out) = trial();
    let done = export(&["--link", "--rename", "a/**=b/**"], &source, &out);
    assert!(done.status.success(), "{}", stderr(&done));
    let inode = |prefix: &Path, suffix| fs::metadata(prefix.with_added_extension(suffix)).unwrap().ino();
    for suffix in ["data-00000-of-00002", "data-00001-of-00002"] {
        assert_eq!(inode(&out, suffix), inode(&source, suffix));
    }
    fs::remove_dir_all(source.parent().unwrap()).unwrap();
    assert_eq!(content(&out)[1].0, "b/kernel");
    assert!(export(&["--link"], &out, &out.with_file_name("again")).status.success());
}

#[test]
fn a_link_across_devices_is_a_symlink() {
    let Ok(elsewhere) = tempfile::tempdir_in("/dev/shm") else { return };
    let (_dir, source, _) = trial();
    if fs::metadata(elsewhere.path()).unwrap().dev() == fs::metadata(source.parent().unwrap()).unwrap().dev()
    {
        return;
    }
    let out = elsewhere.path().join("model");
    assert!(export(&["--link"], &source, &out).status.success());
    let link = fs::read_link(out.with_added_extension("data-00000-of-00002")).unwrap();
    assert_eq!(link, fs::canonicalize(source.with_added_extension("data-00000-of-00002")).unwrap());
    assert_eq!(content(&out), content(&source));
}

#[test]
fn existing_files_are_named_and_replaced_only_with_force() {
    let (_dir, source, out) = trial();
    assert!(export(&[], &source, &out).status.success());
    let refused = export(&["--rename", "a/**=b/**"], &source, &out);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("model.data-00001-of-00002") && stderr(&refused).contains("--force"));
    assert_eq!(content(&out)[1].0, "a/kernel", "untouched");
    for flags in [&["--force", "--rename", "a/**=b/**"][..], &["--force", "--link", "--rename", "a/**=b/**"]]
    {
        for _ in 0..2 {
            let done = export(flags, &source, &out);
            assert!(done.status.success(), "{}", stderr(&done));
            assert_eq!(content(&out)[1].0, "b/kernel");
            assert_eq!(list(out.parent().unwrap()).len(), 3, "nothing temporary is left");
        }
    }
}

#[test]
fn an_npy_export_is_a_tree_of_arrays_as_in_a_mount() {
    let (_dir, source, out) = trial();
    assert!(export(&["--format", "npy"], &source, &out).status.success());
    assert_eq!(
        (list(&out), list(&out.join("a"))),
        (vec!["a".into()], vec!["bias.npy".into(), "kernel.npy".into()])
    );
    let npy = ckptfs([Path::new("cat"), &source, Path::new("a/kernel"), Path::new("--as"), Path::new("npy")]);
    assert_eq!(fs::read(out.join("a/kernel.npy")).unwrap(), npy.stdout);
}

#[test]
fn the_extension_selects_the_format_and_unsupported_variables_are_reported() {
    let dir = tempfile::tempdir().unwrap();
    let source = fixture("strings");
    for (name, missing, there) in [
        ("x.safetensors", "left out: vocabulary: the format has no string", "weights\n"),
        ("x.weights.h5", "left out: awkward: ", "none\nscalar\nvocabulary\nweights\n"),
        ("x.h5", "left out: weights: it is in no layer", ""),
    ] {
        let out = dir.path().join(name);
        let done = export(&[], &source, &out);
        assert!(done.status.success() && stderr(&done).contains(missing), "{name}: {}", stderr(&done));
        assert_eq!(stdout(&ckptfs([Path::new("ls"), &out])), there, "{name}");
    }
    assert_eq!(list(dir.path()), ["x.h5", "x.safetensors", "x.weights.h5"]);
    let both = export(&["--format", "bundle"], &source, &dir.path().join("y.h5"));
    assert!(both.status.success() && dir.path().join("y.h5.index").exists(), "what is said wins");
}

#[test]
fn a_damaged_variable_is_not_written_to_a_format_without_checksums() {
    let (_dir, source, out) = trial();
    fs::write(source.with_added_extension("data-00001-of-00002"), f32s(&[4.0])).unwrap();
    let refused = export(&["--format", "npy"], &source, &out);
    assert!(
        stderr(&refused).contains("a/bias") && !stderr(&refused).contains("a/kernel"),
        "{}",
        stderr(&refused)
    );
    assert!(!out.exists());
    assert!(export(&["--format", "npy", "--drop", "a/bias"], &source, &out).status.success());
}

#[test]
fn a_missing_data_file_is_reported_and_nothing_is_written() {
    let (_dir, source, out) = trial();
    fs::remove_file(source.with_added_extension("data-00001-of-00002")).unwrap();
    let refused = export(&[], &source, &out);
    assert!(refused.status.code() == Some(1) && stderr(&refused).contains("data-00001-of-00002"));
    assert!(!out.parent().unwrap().exists());
}

/// Creates a checkpoint large enough for its export to be interrupted.
fn large(dir: &Path) -> PathBuf {
    let source = dir.join("large");
    Bundle::new().tensor("w", ckptfs::dtype::Dtype::Uint8, &[64 << 20], &vec![1; 64 << 20]).write(&source);
    source
}

#[test]
fn a_failed_write_leaves_no_files() {
    let dir = tempfile::tempdir().unwrap();
    let (source, out) = (large(dir.path()), dir.path().join("out"));
    fs::create_dir(&out).unwrap();
    let command = format!(
        "trap '' XFSZ; ulimit -f 1000; exec {CKPTFS} export {} {}/x",
        source.display(),
        out.display()
    );
    let refused = Command::new("bash").args(["-c", &command]).output().unwrap();
    assert_eq!(refused.status.code(), Some(1), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("nothing was written"), "{}", stderr(&refused));
    assert!(list(&out).is_empty());
}

#[test]
fn an_interrupted_export_leaves_no_files() {
    let dir = tempfile::tempdir().unwrap();
    let (source, out) = (large(dir.path()), dir.path().join("out"));
    fs::create_dir(&out).unwrap();
    let values = source.with_added_extension("data-00000-of-00001");
    let mut child = Command::new(CKPTFS)
        .args([Path::new("export"), &source, &out.join("x")])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    eventually("it has begun", || !list(&out).is_empty() || child.try_wait().unwrap().is_some());
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT)
        .unwrap();
    let ended = child.wait_with_output().unwrap();
    // An export that finishes before the signal arrives is complete.
    match ended.status.success() {
        true => assert_eq!(list(&out).len(), 2),
        false => {
            assert!(list(&out).is_empty() && stderr(&ended).contains("interrupted"), "{}", stderr(&ended))
        }
    }
    assert_eq!(fs::metadata(values).unwrap().len(), 64 << 20);
}
