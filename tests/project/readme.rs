//! The console sessions of README.md and docs/, run line by line. Every command succeeds or fails as the document
//! shows, and
//! prints the lines that are shown. The TensorFlow suite tests the lines at the Python prompt.
//!
//! In a session `$ ` begins a command; `…` ends the lines that are compared. A command succeeds, unless a line of its
//! output
//! begins with `ckptfs:` or `error:`. Each session begins without a mount.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use regex::Regex;
use rustix::mount::{UnmountFlags, unmount};
use tempfile::TempDir;

use crate::project_files::{read, root};
use crate::support::mount::{can_mount, mountinfo};
use crate::support::{ckptfs, list, samples, stderr, stdout};

/// A macro that defines a test for each document, with the minimum number of its commands.
macro_rules! documents {
    ($($name:ident: $path:literal, $least:literal;)*) => {
        const DOCUMENTS: &[&str] = &[$($path),*];
        $(
            #[test]
            fn $name() {
                type_sessions($path, $least);
            }
        )*
    };
}

documents! {
    every_session_of_the_readme_prints_what_is_shown: "README.md", 6;
    every_session_of_the_guide_prints_what_is_shown: "docs/guide.md", 10;
    every_session_about_mounts_prints_what_is_shown: "docs/mount.md", 10;
    every_session_about_formats_prints_what_is_shown: "docs/formats.md", 6;
    every_session_about_object_graphs_prints_what_is_shown: "docs/object-graphs.md", 4;
    every_session_about_overlays_prints_what_is_shown: "docs/overlays.md", 4;
    every_session_about_exports_prints_what_is_shown: "docs/export.md", 4;
    every_session_about_performance_prints_what_is_shown: "docs/performance.md", 2;
    every_session_about_repair_prints_what_is_shown: "docs/repair.md", 10;
    every_session_about_troubleshooting_prints_what_is_shown: "docs/troubleshooting.md", 8;
}

#[test]
fn every_document_with_a_session_has_a_test() {
    let docs = list(&root().join("docs")).into_iter().map(|name| format!("docs/{name}"));
    let with_sessions: BTreeSet<_> = docs.filter(|path| !blocks(&read(path), "console").is_empty()).collect();
    let untested: Vec<_> = with_sessions.iter().filter(|path| !DOCUMENTS.contains(&path.as_str())).collect();
    assert!(untested.is_empty(), "documents without a test: {untested:?}");
}

#[test]
fn the_first_map_of_the_guide_fits_the_sample() {
    let place = Place::new();
    let guide = read("docs/guide.md");
    fs::write(place.path().join("fix.toml"), blocks(&guide, "toml")[0]).unwrap();
    let checked = ckptfs([
        "check".as_ref(),
        place.path().join("train/ckpt-9").as_os_str(),
        "--map".as_ref(),
        place.path().join("fix.toml").as_os_str(),
    ]);
    assert!(checked.status.success(), "{}", stderr(&checked));
    assert!(stdout(&checked).contains(" -> transformer/layer_1/self_attention/"), "{}", stdout(&checked));
}

/// A command of a session, and the lines that the document shows below it.
struct Step<'a> {
    command: &'a str,
    prints: Vec<&'a str>,
}

impl Step<'_> {
    /// Returns true if the document shows that the command fails.
    fn fails(&self) -> bool {
        self.prints.iter().any(|line| line.starts_with("ckptfs:") || line.starts_with("error:"))
    }
}

/// Runs the sessions of a document in a directory with the samples.
#[track_caller]
fn type_sessions(path: &str, least: usize) {
    if !can_mount() {
        return;
    }
    let text = read(path);
    let sessions: Vec<_> = blocks(&text, "console").into_iter().map(steps).collect();
    let commands: usize = sessions.iter().map(Vec::len).sum();
    assert!(commands >= least, "{path}: {commands} commands");
    let place = Place::new();
    write_maps(&text, place.path());
    for session in sessions {
        session.iter().for_each(|step| place.run(step));
        place.unmount();
    }
}

/// Writes the maps of a document whose first line is a comment with a file name: `# fix.toml`.
fn write_maps(text: &str, dir: &Path) {
    for block in blocks(text, "toml") {
        let name = block.lines().next().and_then(|line| line.strip_prefix("# "));
        if let Some(name) = name.filter(|name| name.ends_with(".toml")) {
            fs::write(dir.join(name), block).unwrap();
        }
    }
}

/// Returns the text between the fences of a kind.
fn blocks<'a>(text: &'a str, kind: &str) -> Vec<&'a str> {
    let fence = format!("```{kind}\n");
    text.split(&fence).skip(1).map(|rest| rest.split_once("\n```").expect("a closing fence").0).collect()
}

/// Returns the shell commands of a session, without those at a Python prompt.
fn steps(session: &str) -> Vec<Step<'_>> {
    let mut steps: Vec<Step<'_>> = vec![];
    for line in session.lines().filter(|line| !line.starts_with(">>>") && *line != "$ python") {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => steps.push(Step { command, prints: vec![] }),
            (None, Some(step)) => step.prints.push(line),
            (None, None) => panic!("no command stands before this line: {line}"),
        }
    }
    steps
}

/// The directory with all samples, unmounted when it is dropped.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        samples::write(place.path());
        place
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Runs a command. It must succeed or fail as shown, and print the shown lines in their order.
    #[track_caller]
    fn run(&self, step: &Step<'_>) {
        let path = format!("{}:{}", self.path().join("bin").display(), std::env::var("PATH").unwrap());
        let command = as_on_a_terminal(step.command);
        let mut shell = Command::new("bash");
        shell.args(["-c", &command]).current_dir(self.path()).env("PATH", path).env("CKPTFS_CACHE_DIR", "");
        let output = shell.output().unwrap();
        let printed = format!("{}{}", stdout(&output), stderr(&output));
        assert_eq!(output.status.success(), !step.fails(), "{command}: {}\n{printed}", output.status);
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

/// Returns a command that prints to a pipe the text that `command` prints on a terminal.
fn as_on_a_terminal(command: &str) -> String {
    let plain = ["--tree", "--tsv", "--json", "--long", "--paths", "|"];
    let tree = !plain.iter().any(|flag| command.contains(flag));
    let command = if tree { command.replace("ckptfs ls ", "ckptfs ls --tree ") } else { command.to_owned() };
    Regex::new("^ls ([^-])").unwrap().replace(&command, "ls -C -w 120 $1").into_owned()
}

/// Returns a line with one space between its words, so that the widths of columns do not count.
fn words(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}
