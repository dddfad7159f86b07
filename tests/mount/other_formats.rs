//! Checkpoints in other formats than TensorFlow's, in a mount: their names and the format of their files.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::mount::mount;
use crate::support::{ckptfs, copy, fixture, list, stdout};

fn of(writer: &str, name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(writer).join(name)
}

/// The fixtures that have one file of a format: writer, name and file.
const ONES: &[(&str, &str, &str)] = &[
    ("keras-3.15", "functional", "model.weights.h5"),
    ("tf_keras-2.21", "sequential", "model.h5"),
    ("safetensors-0.8", "dtypes", "model.safetensors"),
];

#[test]
fn a_file_is_served_unchanged_without_a_map_and_in_its_own_format_with_a_map() {
    for (writer, name, file) in ONES {
        let source = of(writer, name);
        let first = stdout(&ckptfs([Path::new("ls"), &source]));
        let old = first.lines().find(|name| !name.contains("optimizer")).unwrap();
        for given in [source.clone(), source.join(file)] {
            let Some(m) = mount(&given, &[]) else { return };
            assert_eq!(m.read(file), fs::read(source.join(file)).unwrap(), "{file}");
            let renamed = mount(&given, &["--rename", &format!("{old}=renamed/x/y:0")]).unwrap();
            let names = stdout(&ckptfs([Path::new("ls"), &renamed.join(file)]));
            assert!(
                names.contains("renamed/x/y:0") && !names.lines().any(|name| name == old),
                "{file}: {names}"
            );
        }
    }
}

#[test]
fn the_data_file_of_the_bundle_view_is_the_original_file() {
    for (writer, name, file) in ONES {
        let source = of(writer, name);
        let Some(m) = mount(&source, &["--add-prefix", "new/"]) else { return };
        let data = list(&m.join("")).into_iter().find(|name| name.starts_with("model.data-00000")).unwrap();
        assert_eq!(m.read(&data), fs::read(source.join(file)).unwrap(), "{file}");
        let through = |path: PathBuf| stdout(&ckptfs([Path::new("ls"), Path::new("--long"), &path]));
        assert_eq!(through(m.join("model.index")), through(m.join("latest")), "{file}");
    }
}

#[test]
fn several_files_with_an_index_are_shown_as_one_file() {
    let Some(m) = mount(&of("safetensors-0.8", "sharded"), &["--add-prefix", "new/"]) else { return };
    let names = list(&m.join(""));
    assert!(
        names.contains(&"model.safetensors".into()) && names.contains(&"config.json".into()),
        "{names:?}"
    );
    assert!(!names.contains(&"model.safetensors.index.json".into()), "its names are the old ones");
    assert_eq!(names.iter().filter(|name| name.starts_with("model.data-")).count(), 3);
}

#[test]
fn other_formats_in_a_directory_of_tensorflow_checkpoints_are_plain_files() {
    let dir = tempfile::tempdir().unwrap();
    copy(&fixture("two_steps"), dir.path());
    copy(&of("keras-3.15", "functional"), dir.path());
    copy(&of("keras-3.15", "archive"), dir.path());
    let Some(m) = mount(dir.path(), &["--add-prefix", "new/"]) else { return };
    assert_eq!(m.read("model.weights.h5"), fs::read(dir.path().join("model.weights.h5")).unwrap());
    assert_eq!(m.read("model.keras"), fs::read(dir.path().join("model.keras")).unwrap());
    assert!(!m.join("model.index").exists() && m.join("ckpt-9.index").exists());
}

#[test]
fn v1_checkpoints_are_in_the_state_file_and_are_restored_by_prefix() {
    for name in ["v1_checkpoint", "v1_sharded"] {
        let Some(m) = mount(&fixture(name), &[]) else { return };
        assert!(m.text("checkpoint").contains("model_checkpoint_path: \"ckpt-9\""));
        let names = |path: &Path| stdout(&ckptfs([Path::new("ls"), path]));
        assert_eq!(names(&m.join("latest")), names(&fixture(name).join("ckpt-9")));
        assert!(m.join("ckpt-9").is_dir());
    }
}
