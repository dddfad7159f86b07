//! `--show`: the forms of variables that a mount shows, and the paths and inodes of hidden forms.

use std::path::Path;
use std::sync::Arc;

use ckptfs::mounted_source::MountedSource;
use ckptfs::tree::{Attr, Content, Ino, Kind, Show, Tree};

use crate::support::fixture;

/// Creates a tree of an object-based checkpoint, which also has trees of links.
fn tree(show: &str) -> Tree {
    let mirror = MountedSource::open(&fixture("object_module").join("ckpt-9"), Arc::default()).unwrap();
    Tree::showing(Show::parse(show).unwrap(), Box::new(mirror), []).unwrap()
}

fn entries(tree: &Tree, directory: Ino) -> Vec<(String, Ino, Kind)> {
    let mut entries = Vec::new();
    let mut add = |_, entry: &ckptfs::tree::Entry<'_>| {
        entries.push((String::from_utf8(entry.name.to_vec()).unwrap(), entry.ino, entry.kind));
        false
    };
    tree.entries(directory, 0, &mut add).unwrap();
    entries
}

/// Returns every path in the checkpoint's directory with its attributes. A listing, a lookup, `stat` and `nlink` must
/// agree.
fn walk(tree: &Tree) -> Vec<(String, Attr)> {
    let top = tree.lookup(Ino::ROOT, b"ckpt-9").unwrap();
    let (mut all, mut open) = (Vec::new(), vec![(String::new(), top)]);
    while let Some((path, directory)) = open.pop() {
        let listed = entries(tree, directory.ino);
        for (name, ino, kind) in &listed {
            let found = tree.lookup(directory.ino, name.as_bytes()).unwrap();
            assert_eq!((found.ino, found.kind), (*ino, *kind), "{path}/{name}");
            assert_eq!(tree.attr(*ino).unwrap(), found, "{path}/{name}");
            let below = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
            open.extend((*kind == Kind::Directory).then(|| (below.clone(), found)));
            all.push((below, found));
        }
        let folders = listed.iter().filter(|(_, _, kind)| *kind == Kind::Directory).count();
        assert_eq!(directory.nlink as usize, 2 + folders, "{path}");
    }
    all
}

/// Returns the sorted names in the checkpoint's directory, without `checkpoint` and names that begin with a dot.
fn names(tree: &Tree) -> Vec<String> {
    let top = tree.lookup(Ino::ROOT, b"ckpt-9").unwrap().ino;
    let mut names: Vec<_> = entries(tree, top).into_iter().map(|(name, _, _)| name).collect();
    names.retain(|name| !name.starts_with('.') && name != "checkpoint");
    names.sort();
    names
}

const ALL: [&str; 12] = [
    "graph",
    "model.safetensors",
    "model.weights.h5",
    "names",
    "npy",
    "object_graph.json",
    "raw",
    "remap.tsv",
    "stats.tsv",
    "text",
    "variables.tsv",
    "vars",
];

#[test]
fn only_the_named_forms_are_shown() {
    let cases: [(&str, &[&str]); 8] = [
        ("all", &ALL),
        ("none", &[]),
        ("npy", &["npy"]),
        ("text,raw", &["raw", "text"]),
        ("tsv", &["remap.tsv", "stats.tsv", "variables.tsv"]),
        ("safetensors,h5", &["model.safetensors", "model.weights.h5"]),
        ("vars,stats.tsv", &["stats.tsv", "vars"]),
        ("graph", &["graph", "vars"]),
    ];
    for (show, want) in cases {
        assert_eq!(names(&tree(show)), want, "{show}");
    }
}

#[test]
fn a_listing_a_lookup_and_nlink_agree_for_every_selection() {
    let all = walk(&tree("all")).len();
    for show in ["none", "npy", "vars", "vars,npy", "names", "graph,raw", "text,json"] {
        let tree = tree(show);
        let shown = walk(&tree);
        assert!(shown.len() < all, "{show}");
        let top = tree.lookup(Ino::ROOT, b"ckpt-9").unwrap().ino;
        let listed = names(&tree);
        for name in ALL.iter().filter(|name| !listed.iter().any(|listed| listed == *name)) {
            let error = tree.lookup(top, name.as_bytes()).expect_err(name);
            assert_eq!(error.raw_os_error(), Some(libc::ENOENT), "{show}: {name}");
        }
    }
}

#[test]
fn inodes_of_hidden_files_are_stale() {
    let shown = tree("vars,npy");
    let files: Vec<_> =
        walk(&tree("vars,npy,text")).into_iter().map(|(path, attr)| (path, attr.ino)).collect();
    let (hidden, visible): (Vec<_>, Vec<_>) =
        files.iter().partition(|(path, _)| path.starts_with("text") || path.ends_with("values.txt"));
    assert!(hidden.len() > 20);
    for (path, ino) in hidden {
        let error = shown.attr(*ino).map(|_| ()).expect_err(path);
        assert_eq!(error.raw_os_error(), Some(libc::ESTALE), "{path}");
        assert!(shown.content(*ino).is_err(), "{path}");
    }
    assert!(visible.iter().all(|(_, ino)| shown.attr(*ino).is_ok()));
}

#[test]
fn every_link_leads_to_a_shown_path() {
    for show in ["vars", "vars,raw", "graph", "names,npy", "all"] {
        let tree = tree(show);
        let paths = walk(&tree);
        let links = paths.iter().filter(|(path, attr)| attr.kind == Kind::Link && !path.starts_with('.'));
        let links: Vec<_> = links.collect();
        assert_eq!(links.is_empty(), show == "vars", "{show}");
        for (path, attr) in links {
            let Ok(Content::Link(target)) = tree.content(attr.ino) else { panic!("{path} is not a link") };
            let target = String::from_utf8(target.to_vec()).unwrap();
            let reached = follow(Path::new(path).parent().unwrap(), &target);
            assert!(
                reached.is_empty() || paths.iter().any(|(path, _)| *path == reached),
                "{path} -> {target}"
            );
        }
    }
}

/// Returns the path that a link in a directory leads to.
fn follow(directory: &Path, target: &str) -> String {
    let mut path: Vec<_> = directory.to_str().unwrap().split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            ".." => drop(path.pop().expect("a link stays in the checkpoint's directory")),
            "." => {}
            part => path.push(part),
        }
    }
    path.join("/")
}

#[cfg(feature = "fuse")]
mod mounted {
    use std::process::Command;

    use ckptfs::dtype::Dtype;

    use crate::support::bundle::Bundle;
    use crate::support::mount::{MountGuard, mount};
    use crate::support::{CKPTFS, stderr, stdout};

    /// The size of the variable's values in bytes, far more than everything else.
    const LEN: u64 = 1 << 20;

    /// Returns the number of bytes that `du` counts for the checkpoint and its directory.
    fn counted(m: &MountGuard) -> u64 {
        let script = "du --apparent-size -bcs ckpt-9 ckpt-9.* | tail -n 1";
        let output = Command::new("sh").current_dir(m.path()).args(["-c", script]).output().unwrap();
        stdout(&output).split_whitespace().next().unwrap().parse().unwrap()
    }

    #[test]
    fn du_counts_the_checkpoint_and_each_shown_form_once() {
        let dir = tempfile::tempdir().unwrap();
        let prefix = dir.path().join("ckpt-9");
        Bundle::new().tensor("w", Dtype::Uint8, &[LEN], &vec![7; LEN as usize]).write(&prefix);
        let times = |args: &[&str]| mount(&prefix, args).map(|m| counted(&m) as f64 / LEN as f64);
        let Some(none) = times(&["--show", "none"]) else { return };
        let (npy, two) = (times(&["--show", "npy"]).unwrap(), times(&["-o", "ro,show=npy:raw"]).unwrap());
        assert_eq!([none, npy, two].map(f64::floor), [1.0, 2.0, 3.0]);
        assert!(times(&[]).unwrap() > 5.0);
    }

    #[test]
    fn run_accepts_show_and_an_unknown_form_lists_the_valid_forms() {
        let dir = tempfile::tempdir().unwrap();
        let prefix = dir.path().join("ckpt-9");
        Bundle::new().floats("w", &[1.0]).write(&prefix);
        let run = |show| {
            let mut command = Command::new(CKPTFS);
            command.arg("run").arg(&prefix).args(["--show", show, "--", "ls"]).arg(&prefix).output().unwrap()
        };
        let said = stderr(&run("numpy"));
        assert!(said.contains("unknown `numpy`") && said.contains("npy, raw"), "{said}");
        if crate::support::mount::can_mount() {
            assert_eq!(stdout(&run("npy")), "checkpoint\nnpy\n");
        }
    }
}
