//! Views of a whole checkpoint: the files at the top of its directory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use assert_cmd::Command;
use ckptfs::cache::Cache;
use ckptfs::mounted_source::MountedSource;
use ckptfs::source;
use ckptfs::tree::{Content, Ino, Tree};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tf-2.21").join(name).join("ckpt-9")
}

fn tree(name: &str) -> Tree {
    Tree::new(Box::new(MountedSource::open(&fixture(name), Arc::default()).unwrap()), []).unwrap()
}

/// Returns the text of a file at the top of the checkpoint's directory. `None` if it is missing. Its length must be
/// that of `stat`.
fn text(tree: &Tree, name: &str) -> Option<String> {
    let directory = tree.lookup(Ino::ROOT, b"ckpt-9").unwrap().ino;
    let attr = tree.lookup(directory, name.as_bytes()).ok()?;
    let Ok(Content::File(file)) = tree.content(attr.ino) else { panic!("{name} is not a file") };
    let mut bytes = vec![0; attr.len as usize];
    assert_eq!((file.len(), file.read_at(&Cache::new(0), &mut bytes, 0).unwrap()), (attr.len, bytes.len()));
    Some(String::from_utf8(bytes).unwrap())
}

#[test]
fn the_tables_have_a_row_for_each_variable() {
    for name in ["tf1_adam", "object_keras3", "odd_names", "strings", "dtypes"] {
        let tree = tree(name);
        let rows = |table| text(&tree, table).unwrap().lines().count();
        let variables = source::open(&fixture(name)).unwrap().catalog.variables.len();
        assert_eq!(
            [rows("variables.tsv"), rows("remap.tsv"), rows("stats.tsv")],
            [variables + 1; 3],
            "{name}"
        );
    }
}

#[test]
fn the_table_of_variables_equals_the_output_of_ls() {
    for name in ["object_module", "odd_names", "dtypes"] {
        let ls =
            Command::cargo_bin("ckptfs").unwrap().arg("ls").arg(fixture(name)).arg("--tsv").output().unwrap();
        assert_eq!(
            text(&tree(name), "variables.tsv").unwrap(),
            String::from_utf8(ls.stdout).unwrap(),
            "{name}"
        );
    }
}

#[test]
fn the_object_graph_is_shown_only_if_there_is_one() {
    let graph = text(&tree("object_module"), "object_graph.json").unwrap();
    let graph: serde_json::Value = serde_json::from_str(&graph).unwrap();
    let nodes = graph["nodes"].as_array().unwrap();
    let node = |path: &str| nodes.iter().find(|node| node["path"] == path).unwrap();
    assert_eq!(node("step")["attributes"][0]["checkpoint_key"], "step/.ATTRIBUTES/VARIABLE_VALUE");
    assert!(!node("optimizer")["slots"].as_array().unwrap().is_empty());
    assert_eq!(text(&tree("tf1_adam"), "object_graph.json"), None);
}
