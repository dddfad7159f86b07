//! The output names of `ckptfs export`: extensions of formats, directories, and extensions that it refuses.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use tempfile::TempDir;

use crate::support::bundle::Bundle;
use crate::support::{ckptfs, list, stderr};

struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Bundle::new().floats("a/kernel", &[1.0, 2.0]).write(&dir.path().join("old/ckpt-9"));
        Self { dir }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn export(&self, out: &str, flags: &[&str]) -> Output {
        let paths = [self.at("old/ckpt-9"), self.at("").join(out)];
        ckptfs(
            [Path::new("export")]
                .into_iter()
                .chain(paths.iter().map(PathBuf::as_path))
                .chain(flags.iter().map(Path::new)),
        )
    }
}

#[test]
fn extensions_of_other_tools_are_refused_and_nothing_is_written() {
    let place = Place::new();
    for name in [
        "x.npz",
        "x.onnx",
        "x.pt",
        "x.pth",
        "x.bin",
        "x.pkl",
        "x.pb",
        "x.tflite",
        "x.gguf",
        "x.msgpack",
        "x.zip",
        "x.tar",
        "x.npy",
    ] {
        let refused = place.export(name, &[]);
        assert_eq!(refused.status.code(), Some(2), "{name}");
        assert!(stderr(&refused).contains("NAME.safetensors"), "{}", stderr(&refused));
    }
    assert_eq!(list(&place.at("")), ["old"]);
}

#[test]
fn other_extensions_are_part_of_the_prefix_and_an_explicit_bundle_format_wins() {
    let place = Place::new();
    assert!(place.export("model.ckpt-1000", &[]).status.success());
    assert!(place.export("x.npz", &["--format", "bundle"]).status.success());
    assert!(place.at("model.ckpt-1000.index").exists() && place.at("x.npz.index").exists());
}

#[test]
fn an_export_into_a_directory_uses_the_name_of_the_source() {
    let place = Place::new();
    fs::create_dir(place.at("there")).unwrap();
    for (out, flags, written) in [
        ("there", &["--link"][..], &["ckpt-9.data-00000-of-00001", "ckpt-9.index"][..]),
        ("new/", &[], &["ckpt-9.data-00000-of-00001", "ckpt-9.index"]),
        ("st/", &["--format", "safetensors"], &["ckpt-9.safetensors"]),
        ("h5/", &["--format", "h5"], &["ckpt-9.weights.h5"]),
        ("h5-2/", &["--format", "h5", "--h5-layout", "legacy"], &["ckpt-9.h5"]),
        ("npy/", &["--format", "npy"], &["ckpt-9"]),
    ] {
        let done = place.export(out, flags);
        assert!(done.status.success(), "{out}: {}", stderr(&done));
        assert_eq!(list(&place.at(out)), written, "{out}");
    }
    assert_eq!(
        list(&place.at("")),
        ["h5", "h5-2", "new", "npy", "old", "st", "there"],
        "nothing beside the directories"
    );
}
