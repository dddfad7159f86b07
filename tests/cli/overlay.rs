//! Overlays: which checkpoint's value wins, the names of the result, and the messages for overlays that do not fit.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;

use ckptfs::cache::Cache;
use ckptfs::catalog::Catalog;
use ckptfs::dtype::Dtype;
use ckptfs::extent::VirtualFile;
use ckptfs::format::bundle::{Endianness, Entry};
use ckptfs::format::{object_graph, string_tensor};
use ckptfs::graph::Graph;
use ckptfs::graph::synthesize::{Synthesis, edges};
use ckptfs::source;
use ckptfs::transform::overlay::{Fault, Overlay, OverlayError, OverlaySummary, Overlays, Take};
use ckptfs::view::bundle;
use proptest::prelude::*;
use tempfile::TempDir;

use crate::support::bundle::{Bundle, f32s};
use crate::support::{ckptfs, fixture, stderr, stdout};

/// A directory with checkpoints.
struct Place(TempDir);

impl Place {
    fn new(checkpoints: &[(&str, Bundle)]) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        checkpoints.iter().for_each(|(name, bundle)| bundle.write(&place.path(name)));
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn open(&self, name: &str) -> Catalog {
        source::open(&self.path(name)).unwrap().catalog
    }

    fn overlay(&self, name: &str) -> std::sync::Arc<Overlay> {
        let opened = source::open(&self.path(name)).unwrap();
        let (catalog, stamp) = (opened.catalog, opened.stamp);
        Overlay { name: name.into(), path: name.into(), stamp, catalog }.into()
    }

    fn take(&self, name: &str, from: &str) -> Take {
        Take { name: name.into(), from: self.overlay(from) }
    }

    fn laid(
        &self,
        whole: &[&str],
        takes: &[(&str, &str)],
    ) -> Result<(Catalog, OverlaySummary), OverlayError> {
        let mut catalog = self.open("base");
        let whole = whole.iter().map(|name| self.overlay(name)).collect();
        let takes = takes.iter().map(|(name, from)| self.take(name, from)).collect();
        let laid = Overlays { whole, takes }.lay(&mut catalog)?;
        Ok((catalog, laid))
    }

    fn run(&self, command: &str, args: &[&str]) -> Output {
        ckptfs(
            [command.into(), self.path("base")].into_iter().chain(args.iter().map(|arg| self.argument(arg))),
        )
    }

    /// Returns an argument with each `@` replaced by this directory.
    fn argument(&self, text: &str) -> PathBuf {
        text.replace('@', &format!("{}/", self.0.path().display())).into()
    }
}

fn read(file: &VirtualFile) -> Vec<u8> {
    let mut bytes = vec![0; file.len() as usize];
    assert_eq!(file.read_at(&Cache::new(1 << 20), &mut bytes, 0).unwrap(), bytes.len());
    bytes
}

fn value(catalog: &Catalog, name: &str) -> Vec<u8> {
    read(&catalog.variable(name.as_bytes()).unwrap_or_else(|| panic!("no {name}")).tensor.file())
}

fn names(catalog: &Catalog) -> Vec<String> {
    catalog.variables.iter().map(|variable| variable.name.to_string()).collect()
}

/// Writes a catalog as a bundle and opens that bundle.
fn reread(catalog: &Catalog) -> (TempDir, Catalog) {
    let dir = tempfile::tempdir().unwrap();
    for (suffix, file) in bundle::files(&Arc::new(catalog.clone())) {
        fs::write(dir.path().join(format!("x{suffix}")), read(&file)).unwrap();
    }
    let catalog = source::open(&dir.path().join("x")).unwrap().catalog;
    (dir, catalog)
}

/// Returns an object-based checkpoint with one variable of one float for each path.
fn objects(variables: &[(&str, f32)]) -> Bundle {
    named(&variables.iter().map(|(path, value)| (*path, *path, *value)).collect::<Vec<_>>())
}

/// Like [`objects`], with a full name after each path.
fn named(variables: &[(&str, &str, f32)]) -> Bundle {
    let (mut synthesis, mut bundle) = (Synthesis::default(), Bundle::new());
    for (path, full_name, value) in variables {
        let key = synthesis.variable(&edges(path).unwrap(), full_name).1;
        bundle = bundle.floats(key, &[*value]);
    }
    with_graph(bundle, synthesis)
}

fn with_graph(mut bundle: Bundle, synthesis: Synthesis) -> Bundle {
    let (bytes, crc32c) = string_tensor::encode(&[object_graph::encode(&synthesis.finish())]);
    let (offset, size) = (bundle.shards[0].len() as u64, bytes.len() as u64);
    bundle.shards[0].extend(bytes);
    let dtype = Dtype::String.tensorflow();
    bundle.entry(ckptfs::graph::KEY, &Entry { dtype, offset, size, crc32c, ..Entry::default() })
}

fn graph(catalog: &Catalog) -> &Graph {
    catalog.graph().unwrap()
}

#[test]
fn the_later_overlay_wins_by_name_and_new_names_are_added() {
    let place = Place::new(&[
        ("base", Bundle::new().floats("a", &[1.0]).floats("b", &[1.0]).floats("c", &[1.0])),
        ("one", Bundle::new().floats("b", &[2.0]).floats("c", &[2.0]).floats("lora/b", &[2.0])),
        ("two", Bundle::new().floats("c", &[3.0])),
    ]);
    let (catalog, laid) = place.laid(&["one", "two"], &[]).unwrap();
    let (_dir, again) = reread(&catalog);
    for catalog in [&catalog, &again] {
        assert_eq!(names(catalog), ["a", "b", "c", "lora/b"]);
        for (name, expected) in [("a", 1.0), ("b", 2.0), ("c", 3.0), ("lora/b", 2.0)] {
            assert_eq!(value(catalog, name), f32s(&[expected]), "{name}");
        }
    }
    let text = |names: &[ckptfs::name::Name]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        (text(&laid.from[0].replaced), text(&laid.from[0].added)),
        (vec!["b".into()], vec!["lora/b".into()])
    );
    assert_eq!((text(&laid.from[1].replaced), laid.own), (vec!["c".into()], 1));
    let source = |name: &str| catalog.other_source(catalog.variable(name.as_bytes()).unwrap());
    assert_eq!([source("a"), source("b"), source("c")], [None, Some("one"), Some("two")]);
}

#[test]
fn data_files_of_an_overlay_follow_those_of_the_base_unchanged() {
    let place = Place::new(&[
        (
            "base",
            Bundle::sharded(2).floats("a", &[1.0]).tensor_in(1, "b", Dtype::Float32, &[1], &f32s(&[1.0])),
        ),
        ("over", Bundle::new().floats("b", &[2.0])),
    ]);
    let (catalog, _) = place.laid(&["over"], &[]).unwrap();
    let files = bundle::files(&Arc::new(catalog.clone()));
    let suffixes: Vec<_> = files.iter().map(|(suffix, _)| suffix.as_str()).collect();
    assert_eq!(suffixes, [".index", ".data-00000-of-00003", ".data-00001-of-00003", ".data-00002-of-00003"]);
    assert!(files[0].1.is_inline() && files[1..].iter().all(|(_, file)| file.whole_file().is_some()));
}

#[test]
fn a_take_adds_one_variable_and_only_its_bytes() {
    let place = Place::new(&[
        ("base", Bundle::new().floats("a", &[1.0]).floats("b", &[1.0])),
        ("before", Bundle::new().floats("a", &[8.0]).floats("b", &[8.0])),
    ]);
    let (catalog, laid) = place.laid(&[], &[("b", "before")]).unwrap();
    let (_dir, again) = reread(&catalog);
    assert_eq!((value(&again, "a"), value(&again, "b")), (f32s(&[1.0]), f32s(&[8.0])));
    let files = bundle::files(&Arc::new(catalog.clone()));
    assert_eq!(files.iter().map(|(_, file)| file.len()).skip(1).collect::<Vec<_>>(), [8, 4]);
    assert_eq!((laid.from[0].replaced.len(), laid.own), (1, 1));
}

#[test]
fn takes_apply_after_overlays_and_may_replace_variables_that_those_added() {
    let place = Place::new(&[
        ("base", Bundle::new().floats("a", &[1.0])),
        ("over", Bundle::new().floats("a", &[2.0]).floats("new", &[2.0])),
        ("before", Bundle::new().floats("a", &[3.0]).floats("new", &[3.0])),
    ]);
    let (catalog, laid) = place.laid(&["over"], &[("a", "before"), ("new", "before")]).unwrap();
    assert_eq!((value(&catalog, "a"), value(&catalog, "new")), (f32s(&[3.0]), f32s(&[3.0])));
    assert!(laid.from[0].replaced.is_empty() && laid.from[0].added.is_empty());
    assert_eq!((laid.from[1].replaced.len(), laid.from[1].added.len(), laid.own), (1, 1, 0));
}

#[test]
fn a_different_shape_is_a_warning_for_an_overlay_and_an_error_for_a_take() {
    let place = Place::new(&[
        ("base", Bundle::new().floats("head", &[1.0]).floats("a", &[1.0])),
        ("over", Bundle::new().floats("head", &[2.0, 2.0])),
    ]);
    let (catalog, laid) = place.laid(&["over"], &[]).unwrap();
    assert_eq!(value(&catalog, "head"), f32s(&[2.0, 2.0]));
    assert!(laid.warnings[0].contains("head  float32 [2], was float32 [1]"), "{:?}", laid.warnings);
    let unlaid = place.laid(&[], &[("head", "over")]).err().unwrap();
    assert!(matches!(&unlaid.0[..], [Fault::Unlike { .. }]), "{unlaid}");
}

#[test]
fn all_errors_are_reported_at_once() {
    let place = Place::new(&[
        ("base", Bundle::new().floats("kernel", &[1.0]).floats("bias", &[1.0])),
        ("over", Bundle::new().floats("kernel", &[2.0, 2.0])),
    ]);
    let wrong = [("kernal", "over"), ("bias", "over"), ("kernel", "over")];
    let said = place.laid(&[], &wrong).err().unwrap().to_string();
    for part in [
        "--take kernal=over: no variable `kernal` in either checkpoint\n  help: nearest: kernel",
        "--take bias=over: no variable `bias` in over",
        "--take kernel=over: it is float32 [2] there, and float32 [1] here",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn values_whose_data_file_is_missing_are_refused() {
    let place = Place::new(&[
        ("base", Bundle::new().floats("a", &[1.0])),
        ("over", Bundle::new().floats("a", &[2.0]).floats("b", &[2.0])),
    ]);
    fs::remove_file(place.path("over.data-00000-of-00001")).unwrap();
    for (whole, takes) in [(&["over"][..], &[][..]), (&[], &[("a", "over")])] {
        let unlaid = place.laid(whole, takes).err().unwrap();
        assert!(unlaid.to_string().contains("there are no values of a"), "{unlaid}");
    }
}

#[test]
fn strings_slices_and_big_endian_numbers_are_overlaid_unchanged() {
    for name in ["strings", "sliced_dtypes", "big_endian"] {
        let place = Place::new(&[("base", Bundle::new().floats("only/here", &[1.0]))]);
        let over = source::open(&fixture(name)).unwrap();
        let all: Vec<_> = over.catalog.variables.clone();
        let overlay =
            Overlay { name: name.into(), path: name.into(), stamp: over.stamp, catalog: over.catalog };
        let mut catalog = place.open("base");
        Overlays { whole: vec![overlay.into()], takes: vec![] }.lay(&mut catalog).unwrap();
        let (_dir, again) = reread(&catalog);
        assert_eq!(again.variables.len(), all.len() + 1);
        for variable in all {
            let found = again.variable(variable.name.as_bytes()).unwrap();
            let (found, stored) = (&found.tensor, &variable.tensor);
            assert_eq!((found.dtype, &found.shape), (stored.dtype, &stored.shape), "{}", variable.name);
            assert!(found.is_intact().unwrap(), "{name}: {}", variable.name);
            assert_eq!(read(&found.file()), read(&stored.file()), "{name}: {}", variable.name);
        }
    }
}

#[test]
fn a_big_endian_bundle_accepts_overlays() {
    let place = Place::new(&[("base", Bundle::new().header(|header| header.endianness = Endianness::Big))]);
    Bundle::new().floats("a", &[2.0]).write(&place.path("over"));
    let (catalog, _) = place.laid(&["over"], &[]).unwrap();
    let (_dir, again) = reread(&catalog);
    assert_eq!(value(&again, "a"), f32s(&[2.0]));
}

#[test]
fn an_overlay_on_an_object_graph_keeps_its_paths_and_adds_new_objects() {
    let base = [("model/dense/kernel", 1.0), ("model/dense/bias", 1.0), ("save_counter", 1.0)];
    let over = [("model/dense/kernel", 2.0), ("model/adapter/up", 2.0), ("save_counter", 2.0)];
    let place = Place::new(&[("base", objects(&base)), ("over", objects(&over))]);
    let (catalog, laid) = place.laid(&["over"], &[]).unwrap();
    let (_dir, again) = reread(&catalog);
    for catalog in [&catalog, &again] {
        for (name, expected) in [
            ("model/dense/kernel", 2.0),
            ("model/dense/bias", 1.0),
            ("model/adapter/up", 2.0),
            ("save_counter", 1.0),
        ] {
            assert_eq!(value(catalog, name), f32s(&[expected]), "{name}");
            let node = graph(catalog).resolve(name).unwrap();
            let key = &graph(catalog).objects().nodes[node].attributes[0].checkpoint_key;
            assert_eq!(catalog.variable(name.as_bytes()).unwrap().key().as_bytes(), key.as_bytes());
        }
        assert_eq!(catalog.variables.len(), 4);
    }
    assert_eq!((laid.from[0].left, laid.own), (1, 2));
    assert!(laid.warnings[0].contains("1 variable stays the base's"), "{:?}", laid.warnings);
}

#[test]
fn a_numbered_path_with_another_full_name_is_refused_unless_its_number_is_the_difference() {
    let place = Place::new(&[
        ("base", named(&[("layers/2", "dense/kernel", 1.0)])),
        ("same", named(&[("layers/2", "dense/kernel", 2.0)])),
        ("later", named(&[("layers/2", "dense_7/kernel", 2.0)])),
        ("other", named(&[("layers/2", "adapter/kernel", 2.0)])),
    ]);
    for name in ["same", "later"] {
        assert!(place.laid(&[name], &[]).unwrap().1.warnings.is_empty(), "{name}");
    }
    let said = place.laid(&["other"], &[]).err().unwrap().to_string();
    for part in [
        "--overlay other: 1 name only counts, and the two checkpoints do not count alike",
        "layers/2: adapter/kernel there, dense/kernel here",
        "help: --match position takes them",
        "help: --take NAME=SOURCE",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("--match name"), "no full name is in both: {said}");
}

/// Creates a base of four layers, and an overlay of its last three.
fn inserted() -> Place {
    let base = [("l/0", "new/w", 0.0), ("l/1", "a/w", 0.0), ("l/2", "b/w", 0.0), ("l/3", "c/w", 0.0)];
    let over = [("l/0", "a/w", 1.0), ("l/1", "b/w", 2.0), ("l/2", "c/w", 3.0)];
    Place::new(&[("base", named(&base)), ("over", named(&over))])
}

#[test]
fn a_choice_between_name_and_position_decides_for_a_model_with_another_layer() {
    let place = inserted();
    let values = |flags: &[&str]| {
        let args = [&["@out/x", "--overlay", "@over"][..], flags].concat();
        let done = place.run("export", &args);
        assert!(done.status.success(), "{}", stderr(&done));
        let out = place.open("out/x");
        let values = ["l/0", "l/1", "l/2", "l/3"].map(|name| value(&out, name)[..].try_into().unwrap());
        fs::remove_dir_all(place.path("out")).unwrap();
        (values.map(f32::from_le_bytes), stderr(&done))
    };
    assert_eq!(values(&["--match", "name"]), ([0.0, 1.0, 2.0, 3.0], String::new()));
    let (by_position, said) = values(&["--match", "position"]);
    assert_eq!(by_position, [1.0, 2.0, 3.0, 0.0]);
    assert!(said.contains("3 paths that only count lead to other full names"), "{said}");
    for command in ["ls", "check"] {
        let refused = place.run(command, &["--overlay", "@over"]);
        let said = stderr(&refused);
        assert_eq!(refused.status.code(), Some(1), "{said}");
        for part in [
            "over: 3 names only count, and the two checkpoints do not count alike\n",
            "  in l: 4 here (0, 1, 2, 3), 3 there (0, 1, 2)\n",
            "  l/0: a/w there, new/w here; by full name it is l/1\n",
            "  help: --match name takes the variables by full name\n",
            "  help: --match position takes them by position all the same\n",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
}

#[test]
fn names_without_a_graph_count_too() {
    let dense = |names: &[&str]| names.iter().fold(Bundle::new(), |bundle, name| bundle.floats(name, &[1.0]));
    let place = Place::new(&[
        ("base", dense(&["dense/kernel", "dense_1/kernel", "dense_1/kernel/Adam", "dense_1/kernel/Adam_1"])),
        ("alike", dense(&["dense/kernel", "dense_1/kernel"])),
        ("adapter", dense(&["dense/kernel", "dense_1/kernel", "dense_1/lora_2", "other_5/w"])),
        ("part", dense(&["dense_1/kernel"])),
        ("more", dense(&["dense/kernel", "dense_1/kernel", "dense_2/kernel"])),
        ("shifted", dense(&["dense_1/kernel", "dense_2/kernel"])),
        ("slots", dense(&["dense/kernel", "dense_1/kernel", "dense_1/kernel/Adam"])),
    ]);
    for name in ["alike", "adapter", "slots"] {
        assert!(place.laid(&[name], &[]).is_ok(), "{name}");
    }
    for name in ["part", "more", "shifted"] {
        let said = place.laid(&[name], &[]).err().unwrap().to_string();
        assert!(said.contains("do not count alike\n  at the top: 2 here (dense, dense_1)"), "{name}: {said}");
        let flag = format!("@{name}");
        let done = place.run("ls", &["--overlay", &flag, "--match", "position"]);
        assert!(done.status.success(), "{name}: {}", stderr(&done));
    }
    assert!(place.laid(&[], &[("dense_1/kernel", "part")]).is_ok(), "a take names its variable");
}

#[test]
fn equal_full_names_without_numbers_are_evidence() {
    let place = Place::new(&[
        ("base", named(&[("l/0", "a/w", 0.0), ("l/1", "b/w", 0.0), ("l/2", "c/w", 0.0)])),
        ("over", named(&[("l/0", "a/w", 1.0), ("l/1", "b/w", 1.0)])),
        ("numbered", named(&[("l/0", "dense/w", 1.0), ("l/1", "dense_1/w", 1.0)])),
    ]);
    let (catalog, laid) = place.laid(&["over"], &[]).unwrap();
    assert_eq!((value(&catalog, "l/1"), laid.own), (f32s(&[1.0]), 1));
    assert!(place.laid(&["numbered"], &[]).is_err());
}

#[test]
fn an_object_graph_takes_values_by_plain_name_and_refuses_new_names() {
    let place = Place::new(&[
        ("base", objects(&[("model/kernel", 1.0)])),
        ("plain", Bundle::new().floats("model/kernel", &[2.0])),
        ("more", Bundle::new().floats("model/kernal", &[2.0])),
    ]);
    let (catalog, _) = place.laid(&["plain"], &[]).unwrap();
    assert_eq!(value(&catalog, "model/kernel"), f32s(&[2.0]));
    let said = place.laid(&["more"], &[]).err().unwrap().to_string();
    assert!(said.contains("there is no model/kernal\n  help: nearest: model/kernel"), "{said}");
}

#[test]
fn a_name_based_base_takes_values_of_an_object_graph_by_path() {
    let place = Place::new(&[
        ("base", Bundle::new().floats("model/kernel", &[1.0])),
        ("over", objects(&[("model/kernel", 2.0), ("model/new", 2.0)])),
    ]);
    let (catalog, _) = place.laid(&["over"], &[]).unwrap();
    let (_dir, again) = reread(&catalog);
    assert_eq!(names(&again), ["model/kernel", "model/new"]);
    assert_eq!((value(&again, "model/kernel"), again.objects.is_none()), (f32s(&[2.0]), true));
}

#[test]
fn optimizer_state_is_not_replaced_by_an_overlay() {
    let over = source::open(&fixture("object_keras3")).unwrap();
    let mut catalog = source::open(&fixture("object_keras3")).unwrap().catalog;
    let (before, count) = (names(&catalog), catalog.variables.len());
    let overlay = Overlay { name: "x".into(), path: "x".into(), stamp: over.stamp, catalog: over.catalog };
    let laid = Overlays { whole: vec![overlay.into()], takes: vec![] }.lay(&mut catalog).unwrap();
    assert_eq!(names(&catalog), before);
    let from = &laid.from[0];
    assert!(from.left > 0 && from.added.is_empty() && !from.replaced.is_empty());
    assert_eq!(from.replaced.len() + from.left, count);
    assert!(from.replaced.iter().all(|name| !name.to_string().starts_with("optimizer/")));
}

proptest! {
    #[test]
    fn the_last_overlay_with_a_name_gives_its_value(
        sets in prop::collection::vec(prop::collection::btree_set("[a-e]", 0..5), 1..4),
    ) {
        let bundle = |at: usize, set: &BTreeSet<String>| {
            set.iter().fold(Bundle::new(), |bundle, name| bundle.floats(name, &[at as f32]))
        };
        let files = ["base", "1", "2"];
        let all: Vec<_> = sets.iter().enumerate().map(|(at, set)| (files[at], bundle(at, set))).collect();
        let place = Place::new(&all);
        let (catalog, laid) = place.laid(&files[1..sets.len()], &[]).unwrap();
        let (_dir, again) = reread(&catalog);
        let union: BTreeSet<_> = sets.iter().flatten().cloned().collect();
        prop_assert_eq!(names(&again), union.iter().cloned().collect::<Vec<_>>());
        for name in &union {
            let last = sets.iter().rposition(|set| set.contains(name)).unwrap();
            prop_assert_eq!(value(&again, name), f32s(&[last as f32]));
        }
        let given: usize = laid.from.iter().map(|from| from.replaced.len() + from.added.len()).sum();
        if sets.len() > 1 {
            prop_assert_eq!(given + laid.own, union.len());
        }
    }
}

/// Creates a base, an adapter, and a checkpoint of the step before the base.
fn commands() -> Place {
    Place::new(&[
        ("base", Bundle::new().floats("a", &[1.0]).floats("b", &[1.0])),
        ("adapter", Bundle::new().floats("b", &[2.0]).floats("lora", &[2.0])),
        ("before", Bundle::new().floats("a", &[8.0])),
    ])
}

const BOTH: [&str; 4] = ["--overlay", "@adapter", "--take", "a=@before"];

#[test]
fn every_command_that_takes_a_map_takes_overlays() {
    let place = commands();
    assert_eq!(stdout(&place.run("ls", &BOTH)), "a\nb\nlora\n");
    for (name, expected) in [("a", "8"), ("b", "2"), ("lora", "2")] {
        let text = stdout(&place.run("cat", &[&[name], &BOTH[..]].concat()));
        assert_eq!(text.trim().parse::<f32>().unwrap(), expected.parse::<f32>().unwrap());
    }
    let exported = place.run("export", &[&["@out/model"], &BOTH[..]].concat());
    assert!(exported.status.success(), "{}", stderr(&exported));
    assert_eq!(value(&place.open("out/model"), "lora"), f32s(&[2.0]));
    let renamed = place.run("ls", &[&BOTH[..], &["--rename", "lora=adapter/lora"]].concat());
    assert_eq!(stdout(&renamed), "a\nadapter/lora\nb\n");
}

#[test]
fn check_shows_the_source_of_each_variable() {
    let place = commands();
    let checked = place.run("check", &[&BOTH[..], &["--rename", "b=c"]].concat());
    assert!(checked.status.success(), "{}", stderr(&checked));
    let (said, at) = (stdout(&checked), place.argument("@").display().to_string());
    let lines: Vec<_> = said.lines().map(|line| line.replace(&at, "@")).collect();
    let shown = [
        "  --overlay @adapter: 2 variables, 1 replaced, 1 new",
        "    b",
        "  --take …=@before: 1 variable, 1 replaced, 0 new",
        "    a",
        "  0 variables as they were",
    ];
    assert_eq!(lines[1..6], shown);
    assert!(said.contains("0 of 3 variables are left out; 3 names in all"), "{said}");
}

#[test]
fn json_names_the_source_of_a_variable_under_every_name() {
    let place = commands();
    let args = [&BOTH[..], &["--alias", "b=c", "--json"]].concat();
    let listed: serde_json::Value = serde_json::from_slice(&place.run("ls", &args).stdout).unwrap();
    let sources: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|v| (v["name"].as_str().unwrap(), v["source"].as_str()))
        .collect();
    let (adapter, before) = (place.path("adapter"), place.path("before"));
    let (adapter, before) = (adapter.to_str(), before.to_str());
    assert_eq!(sources, [("a", before), ("b", adapter), ("c", adapter), ("lora", adapter)]);
}

#[test]
fn an_overlay_that_cannot_be_opened_or_is_the_base_is_refused() {
    let place = commands();
    let run = |args: &[&str], code, parts: &[&str]| {
        for command in ["ls", "check"] {
            let done = place.run(command, args);
            assert_eq!(done.status.code(), Some(code), "{}", stderr(&done));
            parts.iter().for_each(|part| assert!(stderr(&done).contains(part), "{part}: {}", stderr(&done)));
        }
    };
    run(
        &["--overlay", "@nowhere", "--take", "a=@gone"],
        1,
        &["--overlay: ", "nowhere", "--take a: ", "gone"],
    );
    run(
        &["--overlay", "@base.index", "--take", "a=@base"],
        1,
        &["--overlay ", "--take a=", "the checkpoint itself"],
    );
    run(&["--take", "aa=@before"], 1, &["no variable `aa` in either checkpoint"]);
    run(&["--take", "a"], 2, &["NAME=SOURCE"]);
}

#[test]
fn an_overlay_may_have_another_format() {
    let place = commands();
    let written = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/safetensors-0.8");
    let file = crate::support::list(&written).into_iter().map(|name| written.join(name));
    let file = file.flat_map(|dir| crate::support::list(&dir).into_iter().map(move |name| dir.join(name)));
    let file =
        file.into_iter().find(|file| file.extension().is_some_and(|end| end == "safetensors")).unwrap();
    let names = stdout(&ckptfs([Path::new("ls"), &file]));
    let laid = place.run("ls", &["--overlay", file.to_str().unwrap()]);
    assert!(laid.status.success(), "{}", stderr(&laid));
    names.lines().for_each(|name| assert!(stdout(&laid).lines().any(|other| other == name), "{name}"));
}
