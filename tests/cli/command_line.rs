//! The commands `ls`, `cat`, `check` and `maps`: their output, messages and exit codes.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Stdio;

use assert_cmd::Command;
use assert_cmd::assert::Assert;
use ckptfs::dtype::Dtype;
use tempfile::TempDir;

use crate::support::bundle::{Bundle, f32s};
use crate::support::{CKPTFS, ckptfs, fixture, stderr, stdout};

/// Creates `ckpt-9` with a name that has characters a terminal would interpret. Returns its directory.
fn sample() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    Bundle::new()
        .tensor("dense/kernel", Dtype::Float32, &[2, 2], &f32s(&[1.0, -2.5, 0.0, 1e-7]))
        .floats("dense/bias", &[0.5, 0.25])
        .floats("dense/bias/Adam", &[7.0, 8.0])
        .tensor("step", Dtype::Int64, &[], &9000i64.to_le_bytes())
        .tensor(b"odd\xff\n", Dtype::Bool, &[1], &[1])
        .tensor("words", Dtype::String, &[1], b"\x02\x00\x00\x00\x00hi")
        .write(&dir.path().join("ckpt-9"));
    dir
}

/// Runs `ckptfs` in a directory.
fn run(dir: &Path, args: &[&str]) -> Assert {
    Command::new(CKPTFS).current_dir(dir).args(args).assert()
}

/// Runs `ckptfs`, which must succeed with nothing on standard error, and returns its output.
#[track_caller]
fn prints(dir: &Path, args: &[&str]) -> Vec<u8> {
    run(dir, args).success().stderr("").get_output().stdout.clone()
}

#[track_caller]
fn prints_text(dir: &Path, args: &[&str]) -> String {
    String::from_utf8(prints(dir, args)).unwrap()
}

/// Runs `ckptfs`, which must fail with exit code `code` and nothing on standard output, and returns its message.
#[track_caller]
fn fails(dir: &Path, code: i32, args: &[&str]) -> String {
    let output = run(dir, args).code(code).stdout("").get_output().stderr.clone();
    String::from_utf8(output).unwrap()
}

#[test]
fn a_bundled_map_is_given_by_name_and_messages_use_that_name() {
    let dir = tempfile::tempdir().unwrap();
    Bundle::new().floats("module.head/w", &[1.0]).floats("step", &[2.0]).write(&dir.path().join("ckpt-9"));
    assert_eq!(prints_text(dir.path(), &["ls", "ckpt-9", "--map", "@ddp"]), "head/w\nstep\n");
    let checked = prints_text(dir.path(), &["check", "ckpt-9", "--map", "@ddp"]);
    assert!(checked.contains("  @ddp:"), "{checked}");
    let said = fails(dir.path(), 1, &["ls", "ckpt-9", "--map", "@averages"]);
    assert!(said.contains("--> @averages:"), "{said}");
}

#[test]
fn an_unknown_map_name_is_answered_with_the_nearest_and_all_names() {
    let dir = sample();
    for args in [&["ls", "ckpt-9", "--map", "@dpd"][..], &["maps", "show", "dpd"], &["maps", "show", "@dpd"]]
    {
        let said = fails(dir.path(), 1, args);
        let parts = ["unknown map @dpd", "did you mean `ddp`?", "there are averages, bert-to-huggingface"];
        assert!(parts.iter().all(|part| said.contains(part)), "{said}");
    }
}

#[test]
fn a_map_file_whose_name_begins_with_an_at_sign_needs_a_path() {
    let dir = sample();
    fs::write(dir.path().join("@x"), "[[rule]]\nrename = 'step'\nto = 'steps'").unwrap();
    assert!(prints_text(dir.path(), &["ls", "ckpt-9", "--map", "./@x"]).contains("\nsteps\n"));
    let said = fails(dir.path(), 1, &["ls", "ckpt-9", "--map", "@x"]);
    assert!(said.contains("for the file write ./@x"), "{said}");
}

#[test]
fn maps_are_listed_one_per_line_and_shown_verbatim() {
    let dir = tempfile::tempdir().unwrap();
    let listed = prints_text(dir.path(), &["maps"]);
    let names: Vec<_> = listed.lines().map(|line| line.split_once("  ").expect("a summary").0).collect();
    assert!(names.contains(&"@ddp") && names.is_sorted(), "{listed}");
    for name in names {
        let shown = prints_text(dir.path(), &["maps", "show", name]);
        let file = format!("{}/maps/{}.toml", env!("CARGO_MANIFEST_DIR"), &name[1..]);
        assert_eq!(shown, fs::read_to_string(file).unwrap());
    }
}

#[test]
fn a_var_of_a_map_is_set_on_the_command_line() {
    let dir = sample();
    let text =
        "[vars]\nrows = 1\n[[rule]]\nconvert = 'dense/kernel'\nops = [{ reshape = ['rows', '4/rows'] }]";
    fs::write(dir.path().join("map.toml"), text).unwrap();
    let with = |args: &[&'static str]| [&["ls", "ckpt-9", "--tsv", "--map", "map.toml"], args].concat();
    assert!(prints_text(dir.path(), &with(&[])).contains("dense/kernel\tfloat32\t1 4\t"));
    assert!(prints_text(dir.path(), &with(&["--var", "rows=4"])).contains("dense/kernel\tfloat32\t4 1\t"));
    let said = fails(dir.path(), 2, &with(&["--var", "row=4"]));
    assert!(said.contains("did you mean `rows`?") && said.contains("--var 'row=4'"), "{said}");
}

#[test]
fn ls_lists_sorted_names_one_per_line_escaped_for_a_terminal() {
    let dir = sample();
    let names = "dense/bias\ndense/bias/Adam\ndense/kernel\nodd\\xff\\n\nstep\nwords\n";
    assert_eq!(prints_text(dir.path(), &["ls", "ckpt-9"]), names);
}

#[test]
fn ls_long_prints_columns_and_ls_tsv_prints_a_table() {
    let dir = sample();
    let long = prints_text(dir.path(), &["ls", "ckpt-9", "-l", "dense/**", "step"]);
    assert_eq!(
        long,
        "float32  [2]      8  dense/bias\nfloat32  [2]      8  dense/bias/Adam\nfloat32  [2, 2]  16  dense/kernel\nint64    []       8  step\n"
    );
    let tsv = prints_text(dir.path(), &["ls", "ckpt-9", "--tsv", "dense/kernel", "step"]);
    assert_eq!(tsv, "name\tdtype\tshape\tbytes\ndense/kernel\tfloat32\t2 2\t16\nstep\tint64\t\t8\n");
}

#[test]
fn ls_json_is_an_array_of_one_object_per_variable() {
    let dir = sample();
    let listed: serde_json::Value =
        serde_json::from_slice(&prints(dir.path(), &["ls", "ckpt-9", "--json"])).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 6);
    assert_eq!(listed[2]["name"], "dense/kernel");
    assert_eq!(listed[2]["shape"], serde_json::json!([2, 2]));
    assert_eq!(listed[2]["shard"], "ckpt-9.data-00000-of-00001");
    assert_eq!(listed[3]["name_hex"], "6f6464ff0a");
    let none = prints(dir.path(), &["ls", "ckpt-9", "--json", "--keep", "step", "step"]);
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&none).unwrap().as_array().unwrap().len(), 1);
}

#[test]
fn ls_lists_each_match_once_and_refuses_a_pattern_without_a_match() {
    let dir = sample();
    assert_eq!(
        prints_text(dir.path(), &["ls", "ckpt-9", "dense/*", "**/kernel"]),
        "dense/bias\ndense/kernel\n"
    );
    assert!(fails(dir.path(), 1, &["ls", "ckpt-9", "dens/*"]).contains("matched none of 6 variables"));
    let said = fails(dir.path(), 2, &["ls", "ckpt-9", "--long", "--tsv"]);
    assert!(said.contains("cannot be used with"), "{said}");
}

#[test]
fn cat_writes_a_variable_in_every_form() {
    let dir = sample();
    let cat = |form: &str| prints(dir.path(), &["cat", "ckpt-9", "dense/kernel", "--as", form]);
    let text = prints_text(dir.path(), &["cat", "ckpt-9", "dense/kernel"]);
    let values: Vec<f32> = text.lines().map(|line| line.trim().parse().unwrap()).collect();
    assert_eq!(values, [1.0, -2.5, 0.0, 1e-7]);
    assert!(text.lines().all(|line| line.len() == 15));
    assert_eq!(cat("text"), text.as_bytes());
    assert_eq!(cat("raw"), f32s(&values));
    assert!(cat("npy").starts_with(b"\x93NUMPY") && cat("npy").ends_with(&f32s(&values)));
    let info: serde_json::Value = serde_json::from_slice(&cat("info")).unwrap();
    assert_eq!((&info["dtype"], &info["bytes"]), (&"float32".into(), &16.into()));
    let scalar = prints_text(dir.path(), &["cat", "ckpt-9", "step"]);
    assert_eq!(scalar.trim(), "9000");
    assert_eq!(
        prints_text(dir.path(), &["cat", "ckpt-9", "odd\\xff\\n"]),
        "1\n",
        "a name is taken as ls prints it"
    );
}

#[test]
fn cat_reports_an_unknown_variable_and_an_unavailable_form() {
    let dir = sample();
    let said = fails(dir.path(), 1, &["cat", "ckpt-9", "dense/kernal"]);
    assert!(said.contains("no variable `dense/kernal`") && said.contains("nearest: dense/kernel"), "{said}");
    let said =
        fails(dir.path(), 1, &["cat", &fixture("strings").to_string_lossy(), "awkward", "--as", "npy"]);
    assert!(said.contains("awkward: no npy form: an element ends in a NUL byte"), "{said}");
    assert!(fails(dir.path(), 2, &["cat", "ckpt-9", "step", "--as", "png"]).contains("png"));
}

#[test]
fn cat_names_the_variable_whose_data_file_is_missing() {
    let dir = sample();
    fs::remove_file(dir.path().join("ckpt-9.data-00000-of-00001")).unwrap();
    let said = fails(dir.path(), 1, &["cat", "ckpt-9", "dense/kernel"]);
    assert!(said.contains("warning") && said.contains("6 of 6 variables"), "{said}");
    assert!(said.contains("dense/kernel: its values cannot be read"), "{said}");
    run(dir.path(), &["ls", "ckpt-9"]).success();
}

#[test]
fn check_shows_each_rule_with_an_example() {
    let dir = sample();
    let text = prints_text(
        dir.path(),
        &["check", "ckpt-9", "--rename", "dense/**=d/**", "--drop", "step", "--alias", "words=w"],
    );
    for words in [
        "6 variables",
        "rename 'dense/**' -> 'd/**'",
        "dense/bias [2] float32 -> d/bias [2] float32",
        "step [] int64 is left out",
        " -> w [",
        "6 names in all",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(prints_text(dir.path(), &["check", "ckpt-9"]).starts_with("ckpt-9: 6 variables, "));
}

#[test]
fn check_reports_every_misfit_of_a_map_and_exits_with_1() {
    let dir = sample();
    let args = [
        "check",
        "ckpt-9",
        "--rename",
        "dens/**=d/**",
        "--drop",
        "stop",
        "--rename",
        "dense/bias=x",
        "--rename",
        "dense/kernel=x",
    ];
    let output = run(dir.path(), &args).code(1).get_output().clone();
    let (said, shown) = (crate::support::stderr(&output), crate::support::stdout(&output));
    for words in [
        "`dens/**` matched none of 6",
        "`dense/**`",
        "`stop` matched none of 6",
        "dense/bias",
        "dense/kernel",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(shown.contains("matched nothing") && !shown.contains("error"), "{shown}");
}

#[test]
fn check_exits_with_1_if_a_data_file_is_missing() {
    let dir = sample();
    fs::remove_file(dir.path().join("ckpt-9.data-00000-of-00001")).unwrap();
    run(dir.path(), &["check", "ckpt-9"]).code(1);
}

#[test]
fn a_map_that_does_not_parse_exits_with_2_and_locates_every_error() {
    let dir = sample();
    let map = "version = 1\n[[rule]]\nrenam = \"a\"\nto = \"b\"\n[[rule]]\ndrop = \"{x\"\n[options]\nunused = \"never\"\n";
    fs::write(dir.path().join("fix.toml"), map).unwrap();
    for command in ["ls", "check"] {
        let said =
            fails(dir.path(), 2, &[command, "ckpt-9", "--map", "fix.toml", "--rename", "no-equals-sign"]);
        for words in
            ["fix.toml:3", "renam", "fix.toml:6", "never closed", "fix.toml:8", "never", "needs FROM=TO", "^"]
        {
            assert!(said.contains(words), "{words}: {said}");
        }
    }
    let said = fails(dir.path(), 2, &["ls", "nowhere/ckpt-1", "--drop", "{"]);
    assert!(
        !said.contains("nowhere"),
        "a map that means nothing is told before the source is looked at: {said}"
    );
}

#[test]
fn a_map_that_does_not_fit_exits_with_1_and_gives_file_line_and_column() {
    let dir = sample();
    let map = "version = 1\n\n[[rule]]\nrename = \"dense/kernal\"\nto = \"k\"\n\n[[rule]]\ndrop = \"stap\"\n";
    fs::write(dir.path().join("fix.toml"), map).unwrap();
    let said = fails(dir.path(), 1, &["ls", "ckpt-9", "--map", "fix.toml"]);
    for words in ["fix.toml:4:11", "fix.toml:8:9", "dense/kernel", "^^^"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(said.starts_with("error: "), "{said}");
}

#[test]
fn a_map_file_that_cannot_be_read_is_named() {
    let dir = sample();
    assert!(fails(dir.path(), 1, &["ls", "ckpt-9", "--map", "none.toml"]).contains("none.toml"));
}

#[test]
fn every_command_uses_the_names_of_the_map() {
    let dir = sample();
    let map = ["--rename", "dense/**=d/**", "--drop", "odd*"];
    let listed = prints_text(dir.path(), &[&["ls", "ckpt-9"][..], &map].concat());
    assert_eq!(listed, "d/bias\nd/bias/Adam\nd/kernel\nstep\nwords\n");
    let raw = prints(dir.path(), &[&["cat", "ckpt-9", "d/bias", "--as", "raw"][..], &map].concat());
    assert_eq!(raw, f32s(&[0.5, 0.25]));
    assert!(
        fails(dir.path(), 1, &[&["cat", "ckpt-9", "dense/bias"][..], &map].concat())
            .contains("nearest: d/bias")
    );
}

#[test]
fn a_map_on_an_object_based_checkpoint_renames_its_paths() {
    let source = fixture("object_keras3");
    assert!(!prints_text(&source, &["ls", "ckpt-9"]).contains("VARIABLE_VALUE"));
    let map = ["--rename", "model/_functional/_operations/1/**=model/hidden/**"];
    let listed = prints_text(&source, &[&["ls", "ckpt-9", "model/**"][..], &map].concat());
    assert!(listed.starts_with("model/_functional/_operations/2/beta\n"), "{listed}");
    assert!(listed.ends_with("model/hidden/_kernel\nmodel/hidden/bias\n"), "{listed}");
    let check = prints_text(&source, &[&["check", "ckpt-9"][..], &map].concat());
    assert!(check.contains("model/_functional/_operations/1/"), "{check}");
}

#[test]
fn wrong_usage_exits_with_2() {
    let dir = sample();
    for args in [&["ls"][..], &["frobnicate"], &["ls", "ckpt-9", "--nonsense"], &["cat", "ckpt-9"], &[]] {
        run(dir.path(), args).code(2).stdout("");
    }
    run(dir.path(), &["--help"]).success();
    run(dir.path(), &["--version"]).success().stdout(concat!("ckptfs ", env!("CARGO_PKG_VERSION"), "\n"));
}

/// Creates a checkpoint whose listing is larger than a pipe's buffer.
fn long() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let name = |i| format!("{i:05}/{}", "x".repeat(100));
    (0..3000)
        .fold(Bundle::new(), |bundle, i| bundle.floats(name(i), &[0.0]))
        .write(&dir.path().join("ckpt-9"));
    dir
}

#[test]
fn a_closed_standard_output_is_not_an_error() {
    let dir = long();
    for args in
        [&["ls", "ckpt-9"][..], &["ls", "ckpt-9", "--json"], &["check", "ckpt-9", "--rename", "**=y/**"]]
    {
        let mut child = std::process::Command::new(CKPTFS);
        let child = child.current_dir(dir.path()).args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = child.spawn().unwrap();
        let mut first = [0; 10];
        let _ = child.stdout.take().unwrap().read(&mut first).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", output.status);
        assert_eq!(crate::support::stderr(&output), "");
    }
}

#[test]
fn a_closed_standard_error_does_not_change_the_exit_code() {
    let dir = sample();
    fs::remove_file(dir.path().join("ckpt-9.data-00000-of-00001")).unwrap();
    for (args, code) in [(&["ls", "ckpt-9"][..], 0), (&["ls", "ckpt-8"], 1)] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = std::process::Command::new(CKPTFS);
        let output = command
            .current_dir(dir.path())
            .args(args)
            .stderr(writer)
            .stdout(Stdio::piped())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}");
    }
}

#[test]
fn a_checkpoint_with_more_shards_than_the_open_file_limit_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let shards = 300;
    let bundle = (0..shards).fold(Bundle::sharded(shards), |bundle, shard| {
        bundle.tensor_in(shard, format!("v{shard}"), Dtype::Uint8, &[1], &[7])
    });
    bundle.write(&dir.path().join("ckpt-9"));
    let limited = format!("ulimit -Sn 64; exec {CKPTFS} check ckpt-9");
    let output = Command::new("sh").current_dir(dir.path()).args(["-c", &limited]).assert().success();
    output.stdout("ckpt-9: 300 variables, 300 bytes, in 300 data files\n").stderr("");
}

#[test]
fn a_graph_for_old_optimizer_slots_is_a_warning_of_every_command() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("ckpt-1");
    Bundle::new().floats("w", &[1.0]).floats("w/Adam", &[1.0]).floats("w/Adam_1", &[1.0]).write(&source);
    let said = |command: &str, flags: &[&str]| {
        let args = [command, source.to_str().unwrap(), "--target", "object"].into_iter();
        let done = ckptfs(args.chain(flags.iter().copied()));
        assert!(done.status.success(), "{}", stderr(&done));
        stdout(&done) + &stderr(&done)
    };
    for command in ["ls", "check"] {
        let warning =
            "warning: --target object: only tf.keras.optimizers.legacy can restore the 2 slots of Adam";
        assert_eq!(said(command, &[]).matches(warning).count(), 1, "{command}");
        assert!(!said(command, &["--drop-optimizer"]).contains("legacy"), "{command}");
    }
}
