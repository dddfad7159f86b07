//! Damaged variables: what is left of them after the flags is refused by name, what is dropped or replaced does no harm.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use ckptfs::dtype::Dtype;
use ckptfs::format::bundle::{Entry, Extent};
use ckptfs::format::slice_key;
use tempfile::TempDir;

use crate::support::bundle::{Bundle, f32s};
use crate::support::{ckptfs, copy, fixture, list, stderr, stdout};

const DATA: &str = "ckpt-3.data-00000-of-00001";

/// A directory with the steps 2 and 3 of three variables. The data file of step 3 lacks its last byte, and with it `c`.
struct Train {
    _dir: TempDir,
    dir: PathBuf,
}

impl Train {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (step, value) in [("ckpt-2", 2.0), ("ckpt-3", 3.0)] {
            let bundle = Bundle::new().floats("a", &[value]).floats("b", &[value]).floats("c", &[value, 4.0]);
            bundle.write(&dir.path().join(step));
        }
        let train = Self { dir: dir.path().to_owned(), _dir: dir };
        File::options().write(true).open(train.path(DATA)).unwrap().set_len(15).unwrap();
        train
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn newest(&self) -> PathBuf {
        self.path("ckpt-3")
    }
}

fn run(command: &str, source: &Path, flags: &[&str]) -> Output {
    ckptfs([Path::new(command), source].into_iter().chain(flags.iter().map(Path::new)))
}

fn ok(command: &str, source: &Path, flags: &[&str]) -> (String, String) {
    let done = run(command, source, flags);
    assert!(done.status.success(), "{command} {flags:?}: {}", stderr(&done));
    (stdout(&done), stderr(&done))
}

fn fails(command: &str, source: &Path, flags: &[&str]) -> String {
    let done = run(command, source, flags);
    assert_eq!(done.status.code(), Some(1), "{command} {flags:?}: {}{}", stdout(&done), stderr(&done));
    stderr(&done)
}

#[test]
fn a_damaged_variable_is_named_with_its_place_and_lines_that_can_be_pasted() {
    let train = Train::new();
    let (prefix, older) = (train.newest(), train.path("ckpt-2"));
    let (prefix, older) = (prefix.to_str().unwrap(), older.to_str().unwrap());
    let said = fails("check", &train.newest(), &[]);
    let expected = [
        format!("error: {prefix}: 1 of 3 variables is damaged; the other 2 are sound"),
        format!("  {DATA} is 15 bytes of 16: the copy stopped early (1 byte is missing)"),
        format!("  c: bytes 8+8 past the end of {DATA} (15 bytes)"),
        format!("  help: ckptfs check {prefix} --salvage "),
        format!("  help: ckptfs check {prefix} --take 'c={older}' "),
        format!("  help: ckptfs check {prefix} --drop c "),
    ];
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), expected.len(), "{said}");
    for (line, expected) in lines.iter().zip(&expected) {
        assert!(line.starts_with(expected.trim_end()), "{line}\n{expected}");
    }
    for line in lines.iter().filter_map(|line| line.trim().strip_prefix("help: ckptfs ")) {
        let words = shlex::split(line).unwrap();
        let words = words.iter().take_while(|word| *word != "#");
        let done = ckptfs(words);
        assert!(done.status.success(), "{line}: {}", stderr(&done));
    }
}

#[test]
fn every_command_takes_a_truncated_checkpoint_if_the_flags_say_what_to_do() {
    let train = Train::new();
    let older = format!("c={}", train.path("ckpt-2").display());
    let overlay = train.path("ckpt-2").display().to_string();
    let cases: &[(&[&str], &str)] = &[
        (&["--drop", "c"], "a\nb\n"),
        (&["--keep", "a"], "a\n"),
        (&["--salvage"], "a\nb\n"),
        (&["--take", &older], "a\nb\nc\n"),
        (&["--overlay", &overlay], "a\nb\nc\n"),
        (&["--drop", "c", "--rename", "a=x/a"], "b\nx/a\n"),
    ];
    for (number, (flags, names)) in cases.iter().enumerate() {
        assert_eq!(ok("ls", &train.newest(), flags).0, *names, "{flags:?}");
        ok("check", &train.newest(), flags);
        let data = run("check", &train.newest(), &[flags, &["--data"][..]].concat());
        assert_eq!(
            data.status.success(),
            names.contains('c'),
            "the data is read before the map: {}",
            stdout(&data)
        );
        for (format, suffix) in [("bundle", ""), ("safetensors", ".safetensors"), ("npy", ".d")] {
            let out = train.path(&format!("out{number}{suffix}"));
            ok("export", &train.newest(), &[&[out.to_str().unwrap(), "--format", format], *flags].concat());
        }
        let out = train.path(&format!("out{number}"));
        let (listed, said) = ok("ls", &out, &[]);
        assert_eq!((listed.as_str(), said.as_str()), (*names, ""), "{flags:?}");
        let done = ok("check", &out, &["--data"]).0;
        assert!(done.contains(" 0 damaged"), "{done}");
    }
    assert_eq!(ok("cat", &train.newest(), &["c", "--take", &older]).0, " 2.00000000e+00\n 4.00000000e+00\n");
}

#[test]
fn what_is_left_is_refused_and_names_are_listed_all_the_same() {
    let train = Train::new();
    for flags in
        [&[][..], &["--drop", "a"], &["--keep", "c"], &["--rename", "c=d"], &["--cast", "**=float16"]]
    {
        assert!(fails("check", &train.newest(), flags).contains("c: bytes 8+8 past the end"), "{flags:?}");
        let out = train.path("out");
        fails("export", &train.newest(), &[&[out.to_str().unwrap()], flags].concat());
        assert!(!list(&train.dir).iter().any(|name| name.starts_with("out")), "{flags:?}");
    }
    let (names, said) = ok("ls", &train.newest(), &[]);
    assert_eq!(names, "a\nb\nc\n");
    assert!(said.starts_with("warning: ") && said.contains("1 of 3 variables is damaged"), "{said}");
    assert_eq!(ok("cat", &train.newest(), &["a"]).0, " 3.00000000e+00\n");
    assert!(fails("cat", &train.newest(), &["c"]).contains("error: c: damaged: bytes 8+8"));
    let info: serde_json::Value =
        serde_json::from_str(&ok("cat", &train.newest(), &["c", "--as", "info"]).0).unwrap();
    assert_eq!(info["damaged"], format!("bytes 8+8 past the end of {DATA} (15 bytes)"));
    assert_eq!((&info["offset"], &info["bytes"]), (&8.into(), &8.into()));
}

#[test]
fn salvage_names_what_it_leaves_out_and_needs_something_sound() {
    let train = Train::new();
    let (names, said) = ok("ls", &train.newest(), &["--salvage"]);
    assert_eq!(names, "a\nb\n");
    assert_eq!(
        said,
        format!(
            "warning: 1 of 3 variables left out (--salvage)\n  c: bytes 8+8 past the end of {DATA} (15 bytes)\n"
        )
    );
    let (names, said) = ok("ls", &train.path("ckpt-2"), &["--salvage"]);
    assert_eq!((names.as_str(), said.as_str()), ("a\nb\nc\n", ""), "nothing is damaged");
    fs::write(train.path(DATA), "").unwrap();
    let said = fails("ls", &train.newest(), &["--salvage"]);
    assert!(said.contains(&format!("{}: all 3 variables are damaged", train.newest().display())), "{said}");
    assert!(said.contains("an empty file"), "{said}");
}

#[test]
fn the_values_of_a_missing_data_file_are_salvaged_too() {
    let dir = tempfile::tempdir().unwrap();
    let prefix = dir.path().join("ckpt-1");
    let lost = |bundle: Bundle| bundle.tensor_in(1, "lost", Dtype::Float32, &[1], &f32s(&[2.0]));
    lost(Bundle::sharded(2).floats("kept", &[1.0])).write(&prefix);
    fs::remove_file(dir.path().join("ckpt-1.data-00001-of-00002")).unwrap();
    let out = dir.path().join("out");
    fails("export", &prefix, &[out.to_str().unwrap()]);
    let said = ok("export", &prefix, &[out.to_str().unwrap(), "--salvage"]).1;
    assert!(said.contains("lost: in ckpt-1.data-00001-of-00002, which cannot be read"), "{said}");
    assert_eq!(list(dir.path())[2..], ["out.data-00000-of-00001", "out.index"]);
    assert_eq!(ok("ls", &out, &[]), ("kept\n".into(), String::new()));
}

#[test]
fn an_optimizer_slot_stays_without_its_damaged_variable() {
    let dir = tempfile::tempdir().unwrap();
    let prefix = dir.path().join("ckpt-1");
    let bundle = Bundle::new().floats("w/Adam", &[1.0]).floats("w/Adam_1", &[2.0]).floats("w", &[3.0]);
    bundle.write(&prefix);
    File::options()
        .write(true)
        .open(dir.path().join("ckpt-1.data-00000-of-00001"))
        .unwrap()
        .set_len(8)
        .unwrap();
    assert_eq!(ok("ls", &prefix, &["--salvage"]).0, "w/Adam\nw/Adam_1\n");
}

/// An object-based checkpoint in two data files, with the object graph in the one that stays whole.
fn objects() -> (TempDir, PathBuf, usize) {
    let dir = tempfile::tempdir().unwrap();
    copy(&fixture("object_sharded"), dir.path());
    let prefix = dir.path().join("ckpt-9");
    let all = ok("ls", &prefix, &[]).0.lines().count();
    (dir, prefix, all)
}

#[test]
fn a_salvaged_object_graph_leads_to_no_lost_variable() {
    let (dir, prefix, all) = objects();
    let shards = list(dir.path()).into_iter().filter(|name| name.contains(".data-")).collect::<Vec<_>>();
    let mut salvaged = 0;
    for shard in shards {
        let path = dir.path().join(shard);
        let whole = fs::read(&path).unwrap();
        File::options().write(true).open(&path).unwrap().set_len(whole.len() as u64 / 2).unwrap();
        let listed = run("ls", &prefix, &["--paths", "--salvage"]);
        if listed.status.success() && stderr(&listed).contains("left out") {
            salvaged += 1;
            assert!(fails("check", &prefix, &[]).contains("the copy stopped early"));
            let out = dir.path().join("out");
            ok("export", &prefix, &[out.to_str().unwrap(), "--salvage", "--force"]);
            assert_eq!(ok("ls", &out, &["--paths"]).0, stdout(&listed));
            let names = ok("ls", &out, &[]).0;
            assert!((1..all).contains(&names.lines().count()), "{names}");
            ok("check", &out, &["--data"]);
        }
        fs::write(&path, &whole).unwrap();
    }
    assert!(salvaged > 0, "no data file without the graph");
}

#[test]
fn a_lost_object_graph_is_replaced_by_that_of_another_step_with_the_same_keys() {
    let dir = tempfile::tempdir().unwrap();
    copy(&fixture("object_module"), dir.path());
    for file in ["index", "data-00000-of-00001"] {
        let [from, to] = ["ckpt-9", "ckpt-8"].map(|stem| dir.path().join(format!("{stem}.{file}")));
        fs::copy(from, to).unwrap();
    }
    let (prefix, older) = (dir.path().join("ckpt-9"), dir.path().join("ckpt-8"));
    let right = ok("ls", &prefix, &["--paths"]).0;
    let bias = ok("cat", &prefix, &["model/head/bias"]).0;
    let data = File::options().write(true).open(dir.path().join("ckpt-9.data-00000-of-00001")).unwrap();
    data.set_len(data.metadata().unwrap().len() - 1).unwrap();
    let take = format!("_CHECKPOINTABLE_OBJECT_GRAPH={}", older.display());
    for flags in [&[][..], &["--salvage"], &["--rename", "model=m"], &["--target", "name"]] {
        let said = fails("check", &prefix, flags);
        assert!(said.contains("its object graph is damaged, and all variables are sound"), "{said}");
        assert!(
            said.contains(&format!("--take {take} ")) || said.contains(&format!("--take '{take}'")),
            "{said}"
        );
    }
    let out = dir.path().join("out");
    let out = out.to_str().unwrap();
    ok("export", &prefix, &[out, "--take", &take]);
    for (source, flags) in [(&prefix, &["--take", take.as_str()][..]), (&PathBuf::from(out), &[])] {
        assert_eq!(ok("ls", source, &[flags, &["--paths"]].concat()).0, right);
        assert_eq!(ok("cat", source, &[&["model/head/bias"], flags].concat()).0, bias);
        ok("check", source, flags);
    }
    let other = tempfile::tempdir().unwrap();
    copy(&fixture("object_keras3"), other.path());
    let take = format!("_CHECKPOINTABLE_OBJECT_GRAPH={}", other.path().join("ckpt-9").display());
    assert!(fails("check", &prefix, &["--take", &take]).contains("the object graph there has other keys"));
}

#[test]
fn an_entry_that_tensorflow_would_misread_is_left_out_like_lost_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let prefix = dir.path().join("ckpt-1");
    let wrong = Entry { dtype: Dtype::Float32.tensorflow(), shape: vec![2], size: 4, ..Entry::default() };
    let bundle = Bundle::new().floats("a", &[1.0]).entry("wrong", &wrong).row("b/unread", vec![0xff]);
    bundle.write(&prefix);
    let said = fails("check", &prefix, &[]);
    assert!(said.contains("2 of 3 variables are damaged; the other one is sound"), "{said}");
    let place = "in ckpt-1.data-00000-of-00001 at 0+4";
    assert!(said.contains(&format!("wrong: 4 bytes, but float32 [2] takes 8, {place}\n")), "{said}");
    assert!(said.contains("b/unread: the entry does not parse"), "{said}");
    let long = ok("ls", &prefix, &["--long"]).0;
    assert!(long.lines().any(|line| line.split_whitespace().eq(["?", "?", "?", "b/unread"])), "{long}");
    assert_eq!(ok("ls", &prefix, &["--salvage"]).0, "a\n");
    assert_eq!(ok("ls", &prefix, &["--drop", "wrong", "--drop", "b"]), ("a\n".into(), String::new()));
}

#[test]
fn a_variable_without_all_of_its_slices_can_be_dropped_kept_away_or_salvaged() {
    let dir = tempfile::tempdir().unwrap();
    let prefix = dir.path().join("ckpt-1");
    let rows = |start, length| vec![Extent { start, length: Some(length) }];
    let slices = vec![rows(0, 1), rows(1, 1)];
    let whole = Entry { dtype: Dtype::Float32.tensorflow(), shape: vec![2], slices, ..Entry::default() };
    let half =
        Entry { dtype: Dtype::Float32.tensorflow(), shape: vec![1], offset: 4, size: 4, ..Entry::default() };
    Bundle::new()
        .floats("a", &[1.0, 2.0])
        .entry("edge", &whole)
        .entry(slice_key::encode(b"edge", &rows(0, 1)), &half)
        .write(&prefix);
    assert!(fails("check", &prefix, &[]).contains("edge: lists slice 1,1, which has no row"));
    for flags in [&["--drop", "edge*"][..], &["--keep", "a"], &["--salvage"]] {
        ok("check", &prefix, flags);
        assert_eq!(ok("ls", &prefix, flags).0, "a\n");
        let out = dir.path().join(format!("out{}", flags.len()));
        ok("export", &prefix, &[&[out.to_str().unwrap(), "--force"], flags].concat());
        assert_eq!(ok("ls", &out, &[]), ("a\n".into(), String::new()));
    }
}

#[test]
fn a_damaged_value_of_an_overlay_is_refused_or_salvaged() {
    let train = Train::new();
    let newer = train.newest().display().to_string();
    for flags in [["--overlay".into(), newer.clone()], ["--take".into(), format!("c={newer}")]] {
        let flags = flags.each_ref().map(String::as_str);
        let said = fails("check", &train.path("ckpt-2"), &flags);
        assert!(said.contains("c: bytes 8+8 past the end"), "{said}");
    }
    let older = train.path("ckpt-2");
    let (text, said) = ok("cat", &older, &["c", "--overlay", &newer, "--salvage"]);
    assert_eq!(text, " 2.00000000e+00\n 4.00000000e+00\n", "the base keeps its own");
    assert!(said.contains("1 of 3 variables left out"), "{said}");
    assert_eq!(ok("cat", &older, &["a", "--overlay", &newer, "--salvage"]).0, " 3.00000000e+00\n");
}

#[test]
fn a_directory_whose_newest_step_is_damaged_is_that_of_the_step_before() {
    for damage in [Train::cut, Train::without_magic, Train::empty_index] {
        let train = Train::new();
        damage(&train);
        for command in ["ls", "cat", "export"] {
            let out = train.path("new/out").display().to_string();
            let flags = match command {
                "cat" => vec!["a"],
                "export" => vec![out.as_str()],
                _ => vec![],
            };
            let (text, said) = ok(command, &train.dir, &flags);
            assert!(
                said.contains("ckpt-3 is not whole and not served; latest is ckpt-2"),
                "{command}: {said}"
            );
            assert!(command != "cat" || text == " 2.00000000e+00\n", "{text}");
        }
        let checked = run("check", &train.dir, &[]);
        assert_eq!(checked.status.code(), Some(1));
        assert!(
            stdout(&checked).contains("a mount of the directory serves ckpt-2 as latest"),
            "{}",
            stdout(&checked)
        );
        fs::remove_file(train.path("ckpt-2.index")).unwrap();
        fails("export", &train.dir, &[&train.path("new/out2").display().to_string()]);
    }
}

impl Train {
    fn cut(&self) {}

    fn without_magic(&self) {
        let index = File::options().write(true).open(self.path("ckpt-3.index")).unwrap();
        let len = index.metadata().unwrap().len();
        index.write_all_at(&[0; 8], len - 8).unwrap();
    }

    fn empty_index(&self) {
        fs::write(self.path("ckpt-3.index"), "").unwrap();
    }
}

#[test]
fn flags_that_mend_the_newest_step_of_a_directory_keep_it_the_newest() {
    let train = Train::new();
    assert_eq!(ok("cat", &train.dir, &["a", "--drop", "c"]).0, " 3.00000000e+00\n");
    assert_eq!(ok("cat", &train.dir, &["a", "--salvage"]).0, " 3.00000000e+00\n");
}

#[test]
fn a_save_that_has_not_finished_is_mentioned_in_one_line() {
    let train = Train::new();
    fs::create_dir(train.path("ckpt-4_temp")).unwrap();
    fs::write(train.path("ckpt-4_temp/part-00000-of-00001.index"), "").unwrap();
    fs::create_dir(train.path("other_temp")).unwrap();
    let said = ok("ls", &train.dir, &["--drop", "c"]).1;
    let lines: Vec<_> = said.lines().filter(|line| line.contains("_temp")).collect();
    assert!(
        matches!(lines[..], [line] if line.contains("ckpt-4_temp/: a save that has not finished")),
        "{said}"
    );
    assert!(ok("check", &train.dir, &["--drop", "c"]).1.contains("ckpt-4_temp/: a save"));
    let said = fails("ls", &train.path("ckpt-4"), &[]);
    assert!(said.contains("ckpt-4_temp/ is a save of it that has not finished"), "{said}");
}

#[test]
fn no_export_writes_or_links_damage() {
    let train = Train::new();
    let source = train.path("ckpt-2");
    let data = File::options().write(true).open(train.path("ckpt-2.data-00000-of-00001")).unwrap();
    data.write_all_at(&[0x55], 4).unwrap();
    let before = list(&train.dir);
    let out = train.path("new/model");
    let (plain, safetensors, h5) = (
        out.display().to_string(),
        format!("{}.safetensors", out.display()),
        format!("{}.h5", out.display()),
    );
    let cases: &[&[&str]] = &[
        &[&plain],
        &[&plain, "--link"],
        &[&plain, "--rename", "a=x"],
        &[&plain, "--cast", "b=float64"],
        &[&plain, "--format", "npy"],
        &[&safetensors],
        &[&h5],
    ];
    for args in cases {
        let said = fails("export", &source, args);
        assert!(
            said.contains("these values do not match their saved checksums: b\n")
                && said.contains("b, in ckpt-2.data-00000-of-00001 at 4+4: its checksum"),
            "{args:?}: {said}"
        );
        assert_eq!(list(&train.dir), before, "{args:?}");
    }
    ok("export", &source, &[&plain, "--drop", "b"]);
}
