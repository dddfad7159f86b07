//! The TF1 graph (`.meta`) next to a checkpoint: it gives the order of creation and the trainability of variables.

use std::fs;

use ckptfs::source;

use crate::support::{ckptfs, copy, fixture, stdout};

const ORDER: [&str; 10] = [
    "global_step",
    "z/kernel",
    "z/bias",
    "a",
    "m/moving_mean",
    "k/resource",
    "z/kernel/Momentum",
    "z/bias/Momentum",
    "a/Momentum",
    "k/resource/Momentum",
];

#[test]
fn the_order_of_creation_is_known_for_renamed_variables_too() {
    let source = fixture("tf1_graph").join("ckpt-9");
    let args = ["--rename", "z/kernel=moved/a", "--sort", "name"].map(Into::into);
    let output =
        ckptfs([vec!["ls".into(), source.into_os_string(), "--json".into()], args.to_vec()].concat());
    let listed: Vec<serde_json::Value> = serde_json::from_str(&stdout(&output)).unwrap();
    let mut rows: Vec<_> = listed.iter().map(|v| (v["created"].as_u64().unwrap(), v)).collect();
    rows.sort_by_key(|row| row.0);
    let names: Vec<_> = rows.iter().map(|(_, v)| v["name"].as_str().unwrap()).collect();
    let mut expected = ORDER.to_vec();
    (expected[1], expected[6]) = ("moved/a", "moved/a/Momentum");
    assert_eq!(names, expected);
    let trained = rows.iter().filter(|(_, v)| v["trainable"] == true).map(|(created, _)| *created);
    assert_eq!(trained.collect::<Vec<_>>(), [1, 2, 3, 5]);
}

#[test]
fn an_unreadable_graph_does_not_change_the_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    copy(&fixture("tf1_graph"), dir.path());
    for graph in [&b"node {\n  name: \"x\"\n}\n"[..], b"\xff\xff\xff\xff\xff", b"\x22\xff\xff\xff\xff\x0f"] {
        fs::write(dir.path().join("ckpt-9.meta"), graph).unwrap();
        let checkpoint = source::open(&dir.path().join("ckpt-9")).unwrap();
        assert!(
            checkpoint
                .catalog
                .variables
                .iter()
                .all(|variable| checkpoint.catalog.variable_init(variable).is_none())
        );
        let output = ckptfs(["ls".as_ref(), dir.path().join("ckpt-9").as_os_str(), "--tsv".as_ref()]);
        assert!(output.status.success());
        assert!(stdout(&output).starts_with("name\tdtype\tshape\tbytes\n"));
    }
}

#[test]
fn like_accepts_a_table_with_columns_from_the_graph() {
    let source = fixture("tf1_graph").join("ckpt-9");
    let ls = |more: &[&std::ffi::OsStr]| {
        ckptfs([&["ls".as_ref(), source.as_os_str(), "--tsv".as_ref()], more].concat())
    };
    let dir = tempfile::tempdir().unwrap();
    let wanted = dir.path().join("wanted.tsv");
    fs::write(&wanted, ls(&[]).stdout).unwrap();
    let output = ls(&["--like".as_ref(), wanted.as_os_str()]);
    assert!(output.status.success());
    assert_eq!(stdout(&output), fs::read_to_string(&wanted).unwrap());
    assert!(stdout(&output).starts_with("name\tdtype\tshape\tbytes\tcreated\ttrainable\n"));
}
