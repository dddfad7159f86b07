//! The README's console sessions, typed line by line: every command succeeds, and prints the lines that are shown. They are
//! about BERT-base, of which an index is enough: its 1.3 GB of values are a hole. Lines at the Python prompt are left to the
//! TensorFlow suite.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::bundle::Bundle;
use crate::support::mount::{can_mount, mountinfo};
use crate::support::{CKPTFS, ckptfs, copy, fixture, stderr, stdout};
use ckptfs::dtype::Dtype;
use ckptfs::format::bundle::Entry;
use regex::Regex;
use rustix::mount::{UnmountFlags, unmount};
use tempfile::TempDir;

const README: &str = include_str!("../../README.md");

/// A command of a session, and the lines it prints there.
struct Step<'a> {
    command: &'a str,
    prints: Vec<&'a str>,
}

#[test]
fn every_console_session_of_the_readme_runs_and_prints_what_is_shown() {
    if !can_mount() {
        return;
    }
    let sessions = blocks("console");
    let commands: usize = sessions.iter().map(|session| steps(session).len()).sum();
    assert!(sessions.len() >= 5 && commands >= 9, "{} sessions, {commands} commands", sessions.len());
    let place = Place::new();
    for session in sessions {
        steps(session).iter().for_each(|step| place.run(step));
        place.unmount();
    }
}

#[test]
fn the_map_in_the_readme_fits_the_checkpoint_in_the_readme() {
    let place = Place::new();
    let map = blocks("toml")[0];
    fs::write(place.path().join("fix.toml"), map).unwrap();
    let checkpoint = place.path().join("train/ckpt-9");
    let checked = ckptfs([
        "check".as_ref(),
        checkpoint.as_os_str(),
        "--map".as_ref(),
        place.path().join("fix.toml").as_os_str(),
    ]);
    assert!(checked.status.success(), "{}", stderr(&checked));
    assert!(stdout(&checked).contains(" -> transformer/layer_1/self_attention/"), "{}", stdout(&checked));
}

/// What stands between the fences of a kind.
fn blocks(kind: &str) -> Vec<&'static str> {
    let fence = format!("```{kind}\n");
    README.split(&fence).skip(1).map(|rest| rest.split_once("\n```").expect("a closing fence").0).collect()
}

/// The commands of a session; a shell's only.
fn steps(session: &str) -> Vec<Step<'_>> {
    let mut steps: Vec<Step<'_>> = vec![];
    for line in session.lines().filter(|line| !line.starts_with(">>>") && !line.starts_with("$ python")) {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => steps.push(Step { command, prints: vec![] }),
            (None, Some(step)) => step.prints.push(line),
            (None, None) => panic!("nothing was typed before this: {line}"),
        }
    }
    steps
}

/// A directory with all that the README's commands name, left without a mount whatever becomes of the test.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        let dir = place.path();
        write_bert(&dir.join("train/ckpt-9"));
        write_bert(&dir.join("bert/model.ckpt"));
        Bundle::new().floats("net/dense/kernel", &[1.0]).write(&dir.join("old/ckpt-9"));
        Bundle::new().floats("dense/kernel", &[2.0]).write(&dir.join("wanted"));
        write_bert(&dir.join("backup/ckpt-9"));
        Bundle::new()
            .floats("cls/seq_relationship/output_bias", &[1.0, 2.0])
            .floats("bert/pooler/lora/a", &[1.0; 8])
            .floats("bert/pooler/lora/b", &[0.0; 8])
            .write(&dir.join("adapter/ckpt-3"));
        copy(fixture("object_module").as_path(), &dir.join("module"));
        fs::write(dir.join("eval.py"), "cat train/ckpt-9/vars/encoder/pooler/dense/kernel/shape").unwrap();
        fs::create_dir(dir.join("bin")).unwrap();
        std::os::unix::fs::symlink(CKPTFS, dir.join("bin/ckptfs")).unwrap();
        // Debian has no `python`, only `python3`. A shell that runs `eval.py` opens the same file.
        std::os::unix::fs::symlink("/bin/sh", dir.join("bin/python")).unwrap();
        place
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Types a command, which must succeed and print the lines that it does in the README, in their order.
    #[track_caller]
    fn run(&self, step: &Step<'_>) {
        let path = format!("{}:{}", self.path().join("bin").display(), std::env::var("PATH").unwrap());
        // A pipe gets one name a line; the README shows what a terminal does.
        let command = step.command.replace("ckptfs ls ", "ckptfs ls --tree ");
        let command = Regex::new("^ls ").unwrap().replace(&command, "ls -C -w 120 ").into_owned();
        let mut shell = Command::new("bash");
        let output =
            shell.args(["-c", &command]).current_dir(self.path()).env("PATH", path).output().unwrap();
        assert!(output.status.success(), "{command}: {}\n{}", output.status, stderr(&output));
        let printed = stdout(&output);
        let mut left = printed.lines();
        for line in step.prints.iter().take_while(|line| **line != "…") {
            let there = left.any(|other| words(other) == words(line));
            assert!(there, "{command}: it does not print {line:?} (here), it prints\n{printed}");
        }
    }

    /// Unmounts what a session left mounted.
    fn unmount(&self) {
        let at = self.path().canonicalize().unwrap().join("m");
        if mountinfo(&at).is_some() {
            let said = ckptfs(["umount".as_ref(), at.as_os_str()]);
            assert!(said.status.success(), "{}", stderr(&said));
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = unmount(self.path().join("m"), UnmountFlags::DETACH);
    }
}

/// Columns, and names of several on a line, as one space apart.
fn words(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// BERT-base with the slots of its own Adam, as google-research/bert saves it.
fn write_bert(prefix: &Path) {
    fs::create_dir(prefix.parent().unwrap()).unwrap();
    let (mut bundle, mut offset) = (Bundle::new(), 0);
    for (name, shape) in weights() {
        for slot in ["", "/adam_m", "/adam_v"] {
            bundle = bundle.entry(format!("{name}{slot}"), &entry(Dtype::Float32, &shape, &mut offset));
        }
    }
    bundle.entry("global_step", &entry(Dtype::Int64, &[], &mut offset)).write(prefix);
    let data = prefix.with_added_extension("data-00000-of-00001");
    fs::File::options().write(true).open(data).unwrap().set_len(offset).unwrap();
}

fn entry(dtype: Dtype, shape: &[u64], offset: &mut u64) -> Entry {
    let size = shape.iter().product::<u64>() * if dtype == Dtype::Int64 { 8 } else { 4 };
    let entry =
        Entry { dtype: dtype.tensorflow(), shape: shape.to_vec(), offset: *offset, size, ..Entry::default() };
    *offset += size;
    entry
}

fn weights() -> Vec<(String, Vec<u64>)> {
    let (h, inner, vocabulary) = (768, 3072, 30522);
    let dense = |scope: &str, rows, columns| {
        vec![
            (format!("{scope}/dense/kernel"), vec![rows, columns]),
            (format!("{scope}/dense/bias"), vec![columns]),
        ]
    };
    let norm =
        |scope: &str| ["beta", "gamma"].map(|leaf| (format!("{scope}/LayerNorm/{leaf}"), vec![h])).to_vec();
    let single = |name: &str, shape: &[u64]| vec![(name.to_owned(), shape.to_vec())];
    let layer = |n| {
        let at = format!("bert/encoder/layer_{n}");
        let parts = ["query", "key", "value"].map(|part| format!("{at}/attention/self/{part}"));
        let own = parts
            .iter()
            .flat_map(|part| [(format!("{part}/kernel"), vec![h, h]), (format!("{part}/bias"), vec![h])]);
        let attention = format!("{at}/attention/output");
        let output = format!("{at}/output");
        let rest = [
            dense(&attention, h, h),
            norm(&attention),
            dense(&format!("{at}/intermediate"), h, inner),
            dense(&output, inner, h),
            norm(&output),
        ];
        own.chain(rest.concat()).collect::<Vec<_>>()
    };
    let around = [
        single("bert/embeddings/word_embeddings", &[vocabulary, h]),
        single("bert/embeddings/position_embeddings", &[512, h]),
        single("bert/embeddings/token_type_embeddings", &[2, h]),
        norm("bert/embeddings"),
        single("cls/predictions/output_bias", &[vocabulary]),
        single("cls/seq_relationship/output_bias", &[2]),
        single("cls/seq_relationship/output_weights", &[2, h]),
        dense("bert/pooler", h, h),
        dense("cls/predictions/transform", h, h),
        norm("cls/predictions/transform"),
    ];
    around.into_iter().chain((0..12).map(layer)).flatten().collect()
}
