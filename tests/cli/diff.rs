//! `ckptfs diff` and `ckptfs want`: exit codes, sections, measures of values, and the lines that they print.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ckptfs::dtype::Dtype;
use ckptfs::format::string_tensor;
use proptest::prelude::*;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::bundle::{Bundle, f32s};
use crate::support::{CKPTFS, ckptfs, fixture, stderr, stdout};

/// A directory with the checkpoints `have` and `want`.
struct Pair(TempDir);

impl Pair {
    fn new(have: Bundle, want: Bundle) -> Self {
        let pair = Self(tempfile::tempdir().unwrap());
        have.write(&pair.path("have"));
        want.write(&pair.path("want"));
        pair
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, flags: &[&str]) -> Output {
        Command::new(CKPTFS).current_dir(&self.0).args(["diff", "have", "want"]).args(flags).output().unwrap()
    }

    #[track_caller]
    fn exits(&self, code: i32, flags: &[&str]) -> String {
        let output = self.run(flags);
        assert_eq!(output.status.code(), Some(code), "{}{}", stdout(&output), stderr(&output));
        stdout(&output)
    }

    fn json(&self, flags: &[&str]) -> Value {
        serde_json::from_slice(&self.run(&[&["--json"], flags].concat()).stdout).unwrap()
    }
}

fn zeros(bundle: Bundle, name: &str, dims: &[u64]) -> Bundle {
    bundle.tensor(name, Dtype::Float32, dims, &vec![0; 4 * dims.iter().product::<u64>() as usize])
}

#[test]
fn the_exit_code_is_that_of_diff() {
    let one = || Bundle::new().floats("w", &[1.0, 2.0]);
    let same = Pair::new(one(), one());
    assert_eq!(same.exits(0, &[]), "equal: names, dtypes and shapes of 1 variable\n");
    assert!(
        same.exits(0, &["--values"]).starts_with("equal: names, dtypes, shapes and values of 1 variable\n")
    );
    let values = Pair::new(one(), Bundle::new().floats("w", &[1.0, 2.5]));
    values.exits(0, &[]);
    assert!(values.exits(1, &["--values"]).contains("w  50.0 % equal, max difference 5.000e-1"));
    values.exits(1, &["--values", "--tolerance", "0.1"]);
    values.exits(0, &["--values", "--tolerance", "0.2"]);
    Pair::new(one(), Bundle::new().floats("w", &[1.0])).exits(1, &[]);
    Pair::new(one(), one().floats("b", &[1.0])).exits(1, &[]);
    Pair::new(one().floats("b", &[1.0]), one()).exits(1, &[]);
    for wrong in
        [&["--tolerance", "1"][..], &["--values", "--tolerance", "-1"], &["--values", "--tolerance", "nan"]]
    {
        same.exits(2, wrong);
    }
}

#[test]
fn what_cannot_be_compared_has_exit_code_2() {
    let pair = Pair::new(Bundle::new().floats("w", &[1.0, 2.0]), Bundle::new().floats("w", &[1.0, 2.0]));
    let fails = |words: &[&str], said: &str| {
        let output = Command::new(CKPTFS).current_dir(&pair.0).arg("diff").args(words).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains("error: ") && stderr(&output).contains(said), "{}", stderr(&output));
    };
    fails(&["have", "nothing"], "nothing");
    fails(&["nothing", "want"], "nothing");
    fails(&["have", "want", "--drop", "nothing"], "nothing");
    fs::write(pair.path("bad.tsv"), "name\tdtype\tshape\nw\tfloat31\t2\n").unwrap();
    fails(&["have", "bad.tsv"], "bad.tsv:2: \"float31\" is not a dtype");
    fs::write(pair.path("names.tsv"), "name\tdtype\tshape\nw\tfloat32\t2\n").unwrap();
    fails(&["have", "names.tsv", "--values"], "names.tsv: names and shapes, but no values to compare");
    let data = pair.path("want.data-00000-of-00001");
    fs::File::options().write(true).open(&data).unwrap().set_len(5).unwrap();
    fails(&["have", "want", "--values"], "w: ");
    fs::remove_file(data).unwrap();
    fails(&["have", "want", "--values"], "w: its data file is missing");
}

#[test]
fn each_side_is_any_source_and_the_map_acts_on_have() {
    let pair = Pair::new(Bundle::new().floats("old/w", &[1.0]), Bundle::new().floats("new/w", &[1.0]));
    pair.exits(1, &[]);
    pair.exits(0, &["--rename", "old/**=new/**", "--values"]);
    let tsv = ckptfs(["ls", "--tsv", pair.path("want").to_str().unwrap()]);
    fs::write(pair.path("table"), tsv.stdout).unwrap();
    let table = pair.path("table");
    for sides in [[table.as_path(), &pair.path("want")], [&pair.path("want"), &table], [&table, &table]] {
        assert!(ckptfs(["diff".as_ref(), sides[0], sides[1]]).status.success());
    }
    let renamed = ["--rename", "new/**=x/**"].map(Path::new);
    assert_eq!(ckptfs([Path::new("diff"), &table, &table].into_iter().chain(renamed)).status.code(), Some(1));
    let graph = fixture("tf1_graph").join("ckpt-9");
    let meta = graph.with_added_extension("meta");
    let output = ckptfs(["diff".as_ref(), graph.as_path(), &meta]);
    assert!(output.status.code().is_some_and(|code| code < 2), "{}", stderr(&output));
}

#[test]
fn a_report_ends_with_a_line_that_was_tried() {
    let bundle = |scope: &str| {
        ["a", "b", "c"]
            .iter()
            .fold(Bundle::new(), |bundle, name| zeros(bundle, &format!("{scope}/{name}"), &[2, 3]))
    };
    let pair = Pair::new(bundle("model"), bundle("net"));
    let said = pair.exits(1, &[]);
    let last = said.lines().last().unwrap().trim();
    assert!(last.starts_with("ckptfs "), "{said}");
    assert!(last.ends_with("have m --like want --rename 'model/**=net/**'"), "{said}");
    let shapes = Pair::new(
        zeros(zeros(Bundle::new(), "emb", &[10, 4]), "head/kernel", &[4, 2]),
        zeros(zeros(Bundle::new(), "emb", &[12, 4]), "head/kernel", &[4, 5]),
    );
    let said = shapes.exits(1, &[]);
    assert!(said.contains("emb  [10, 4] -> [12, 4]  2 rows more"), "{said}");
    assert!(said.contains("head/kernel  [4, 2] -> [4, 5]  a head of 5, which was of 2"), "{said}");
    let flags = "--like want --fit 'emb=like' --drop head/kernel --missing 'head/kernel=like'";
    assert!(said.trim_end().ends_with(flags), "{said}");
    let equal = Pair::new(bundle("net"), bundle("net"));
    assert!(!equal.exits(0, &[]).contains("ckptfs "), "nothing is to be done");
}

#[test]
fn what_flags_cannot_do_is_a_map_that_the_first_line_writes() {
    let bundle = |dims: &[u64]| zeros(zeros(Bundle::new(), "out/kernel", dims), "out/bias", &[4]);
    let pair = Pair::new(bundle(&[3, 4]), bundle(&[4, 3]));
    let report = pair.json(&[]);
    let first = &report["commands"][0];
    let line = first["command"].as_str().unwrap();
    assert!(line.starts_with("ckptfs suggest have want -o fix.toml && "), "{report}");
    assert_eq!(first["restored"], 2);
    // A check in place of the mount.
    let script = format!(
        "ckptfs() {{ case $1 in mount) shift 3; {CKPTFS} check have \"$@\";; *) {CKPTFS} \"$@\";; esac; }}\n{line}"
    );
    let run = Command::new("sh").current_dir(&pair.0).args(["-c", &script]).output().unwrap();
    assert!(run.status.success(), "{line}: {}", stderr(&run));
    assert!(
        stdout(&run).contains("out/kernel [3, 4] float32 -> out/kernel [4, 3] float32"),
        "{}",
        stdout(&run)
    );
    let with_flags = pair.json(&["--drop", "out/bias"]);
    assert!(!with_flags.to_string().contains("suggest"), "the map acts on HAVE as it is: {with_flags}");
    let fresh = Pair::new(bundle(&[3, 4]), zeros(bundle(&[4, 3]), "new", &[2]));
    assert!(!fresh.json(&[]).to_string().contains("suggest"), "a map cannot fill what is missing");
}

#[test]
fn a_printed_line_is_one_command_whatever_the_names_are() {
    for name in ["'; touch x; '", "a b", "-x", "$(touch x)", "a=b", "{x}", "*", "größe\\", "\"", "re:x"] {
        let have = zeros(zeros(Bundle::new(), &format!("{name}/w"), &[2, 3]), "same", &[3]);
        let want = zeros(zeros(Bundle::new(), &format!("{name}/w"), &[2, 4]), "same", &[3]);
        let pair = Pair::new(have, want);
        let report = pair.json(&[]);
        let lines: Vec<_> =
            report["commands"].as_array().unwrap().iter().map(|it| it["command"].as_str().unwrap()).collect();
        assert!(!lines.is_empty(), "{name}: {report}");
        for line in lines {
            // The flags of the line, as a shell reads them, for a command that ends.
            let script = format!("ckptfs() {{ shift 3; {CKPTFS} check have \"$@\"; }}\n{line}");
            let run = Command::new("sh").current_dir(&pair.0).args(["-c", &script]).output().unwrap();
            assert!(run.status.success() && !pair.path("x").exists(), "{line}: {}", stderr(&run));
        }
    }
}

#[test]
fn control_bytes_in_names_are_shown_escaped() {
    let pair =
        Pair::new(Bundle::new().floats("a\x1b[31m\n", &[1.0]), Bundle::new().floats(b"b\xff\x07", &[1.0]));
    for flags in [&[][..], &["--values"], &["--json"]] {
        let output = pair.run(flags);
        let text = [output.stdout, output.stderr].concat();
        assert!(text.iter().all(|byte| !byte.is_ascii_control() || *byte == b'\n'), "{flags:?}");
        assert!(!text.windows(4).any(|part| part == b"31m\n"), "{flags:?}");
    }
}

#[test]
fn strings_are_compared_by_their_bytes() {
    let strings = |texts: &[&str]| {
        let (bytes, sum) = string_tensor::encode(texts);
        let entry = ckptfs::format::bundle::Entry {
            dtype: Dtype::String.tensorflow(),
            shape: vec![texts.len() as u64],
            size: bytes.len() as u64,
            crc32c: sum,
            ..Default::default()
        };
        let mut bundle = Bundle::new().entry("words", &entry);
        bundle.shards[0].extend(bytes);
        bundle
    };
    Pair::new(strings(&["a", "b\0"]), strings(&["a", "b\0"])).exits(0, &["--values"]);
    let found =
        Pair::new(strings(&["a", "b\0"]), strings(&["a", "b"])).json(&["--values", "--tolerance", "9"]);
    assert_eq!((&found["equal"], &found["values"]["share_equal"]), (&false.into(), &0.5.into()));
}

#[test]
fn the_lines_of_want_are_for_one_api_and_name_the_file() {
    for (flag, file) in
        [("--saver", "wanted.tsv"), ("--checkpoint", "wanted"), ("--keras", "wanted.weights.h5")]
    {
        let output = ckptfs(["want", flag]);
        assert!(
            output.status.success() && stdout(&output).contains(&format!("({file:?}")),
            "{}",
            stdout(&output)
        );
        assert!(stdout(&output).contains("raise RuntimeError"), "an unbuilt model is refused");
    }
    assert!(stdout(&ckptfs(["want", "--checkpoint", "-o", "a\"b"])).contains(r#"write("a\"b")"#));
    for wrong in [&["want"][..], &["want", "--saver", "--keras"], &["want", "--keras", "-o", "x.h5"]] {
        assert_eq!(ckptfs(wrong).status.code(), Some(2), "{wrong:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_checkpoint_equals_itself_until_a_byte_of_it_changes(
        values in prop::collection::vec(prop::collection::vec(any::<u32>(), 1..9), 1..6),
        place in any::<prop::sample::Index>(),
        bit in 0_u32..32,
    ) {
        let build = |values: &[Vec<u32>]| {
            let add = |bundle: Bundle, (at, values): (usize, &Vec<u32>)| {
                let values: Vec<_> = values.iter().map(|bits| f32::from_bits(*bits)).collect();
                bundle.tensor(format!("layer_{at}/w"), Dtype::Float32, &[values.len() as u64], &f32s(&values))
            };
            values.iter().enumerate().fold(Bundle::new(), add)
        };
        let mut changed = values.clone();
        let at = place.index(values.len());
        changed[at][0] ^= 1 << bit;
        let pair = Pair::new(build(&values), build(&changed));
        let have = pair.path("have");
        let same = ckptfs(["diff".as_ref(), have.as_path(), &have, "--values".as_ref()]);
        prop_assert!(same.status.success(), "{}", stdout(&same));
        prop_assert_eq!(pair.run(&[]).status.code(), Some(0), "the names are equal");
        let report = pair.json(&["--values"]);
        let unequal: Vec<_> = report["values"]["variables"].as_array().unwrap().iter().filter(|it| it["share_equal"] != 1.0).collect();
        prop_assert_eq!(unequal.len(), 1);
        prop_assert_eq!(&unequal[0]["name"], &format!("layer_{at}/w"));
        prop_assert_eq!(&report["equal"], &Value::Bool(false));
    }
}
