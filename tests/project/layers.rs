//! Who may import whom. The arrows of the architecture, held against every path in `src` that begins at the crate's root:
//! `use crate::a`, `use crate::{a, b}`, `crate::a::b()` in an expression, and `super::super::a` where that leads there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A module, or a file of one whose arrows are its own, and the modules it may name besides itself.
const ARROWS: &[(&str, &[&str])] = &[
    // Codecs, tables and files: they know nothing of ours.
    ("cache", &[]),
    ("folder", &[]),
    ("format", &[]),
    ("minifloat", &[]),
    ("name", &[]),
    ("shard", &["folder"]),
    // The waist.
    ("catalog", &["graph", "name", "shard", "sums", "tensor"]),
    ("dtype", &["minifloat"]),
    ("extent", &["cache", "shard"]),
    ("tensor", &["dtype", "extent", "format", "shard"]),
    ("tensor/slices", &["cache", "dtype", "extent", "format"]),
    ("tensor/big_endian", &["cache", "dtype", "extent", "format"]),
    ("tensor/checksum", &["cache", "dtype", "format"]),
    ("tensor/memory", &["cache", "extent"]),
    ("tensor/strings", &["cache", "format", "name"]),
    ("op", &["cache", "dtype", "extent", "format", "minifloat", "tensor"]),
    ("sums", &["format", "tensor"]),
    ("sums/audit", &["cache", "dtype", "format", "tensor"]),
    ("sums/work", &["cache", "format", "tensor"]),
    ("sums/tests", &["cache", "dtype", "extent", "op", "shard", "tensor"]),
    // What makes catalogs, and what changes them.
    ("graph", &["format"]),
    ("remap", &["name"]),
    ("remap/apply", &["catalog", "name"]),
    ("remap/creation", &["dtype", "op", "tensor"]),
    ("remap/division", &["op"]),
    ("remap/flags", &["dtype"]),
    ("remap/map_file", &["dtype"]),
    ("remap/named", &["catalog"]),
    ("remap/overlay", &["catalog", "format", "graph", "name", "shard", "tensor"]),
    ("remap/ops", &["dtype", "extent", "name", "op", "shard", "tensor"]),
    ("remap/report", &["name", "tensor"]),
    ("remap/survey", &["tensor"]),
    ("remap/values", &["catalog", "dtype", "op", "tensor"]),
    ("remap/values/tests", &["catalog", "name", "tensor"]),
    ("remap/recipe", &["catalog", "shard"]),
    ("remap/misfit", &["graph", "name"]),
    ("remap/objects", &["catalog", "dtype", "extent", "format", "graph", "name", "tensor"]),
    ("remap/objects/tests", &["cache", "catalog", "format", "graph", "name"]),
    ("remap/like", &["catalog", "dtype", "name", "tensor"]),
    ("remap/like/fill", &["cache", "dtype", "extent", "format", "tensor"]),
    ("remap/like/find", &["catalog", "graph", "name"]),
    ("remap/like/tests", &["cache", "dtype", "format", "tensor"]),
    ("remap/target", &["catalog"]),
    ("remap/target/name", &["catalog", "graph", "name"]),
    ("remap/target/object", &["catalog", "dtype", "extent", "format", "graph", "tensor"]),
    ("remap/target/tests", &["catalog", "dtype", "name", "tensor"]),
    ("source", &["catalog", "folder", "shard"]),
    (
        "source/bundle",
        &["catalog", "dtype", "extent", "folder", "format", "graph", "name", "shard", "tensor"],
    ),
    ("source/contents", &["folder", "name"]),
    ("source/locate", &["folder", "format"]),
    ("source/error", &["folder", "format", "name"]),
    ("source/identify", &["folder", "format"]),
    ("source/meta_graph", &["catalog", "dtype", "folder", "format", "name", "shard", "tensor"]),
    ("source/safetensors", &["catalog", "dtype", "extent", "folder", "format", "name", "shard", "tensor"]),
    ("source/object_graph", &["graph", "tensor"]),
    ("source/hdf5", &["catalog", "folder", "format", "shard"]),
    ("source/hdf5/archive", &["shard"]),
    ("source/hdf5/bytes", &["extent", "shard"]),
    ("source/hdf5/chunks", &["cache", "tensor"]),
    ("source/hdf5/dataset", &["dtype", "extent", "format", "tensor"]),
    ("source/hdf5/decoders", &["cache", "extent"]),
    ("source/hdf5/filters", &["format"]),
    ("source/hdf5/strings", &["dtype", "extent", "format", "tensor"]),
    ("source/hdf5/trouble", &["format"]),
    ("source/roster", &["folder", "format"]),
    ("source/v1", &["cache", "catalog", "dtype", "extent", "folder", "format", "name", "shard", "tensor"]),
    // What presents them.
    ("tree", &["catalog", "extent", "format", "name", "shard"]),
    ("tree/checkpoint", &["catalog", "extent", "shard", "view"]),
    ("tree/full_names", &["catalog", "graph"]),
    ("tree/linked", &["catalog", "graph"]),
    ("tree/role", &["view"]),
    ("tree/show", &["view"]),
    ("tree/root", &["catalog", "shard", "view"]),
    ("tree/top", &["catalog", "extent", "view"]),
    ("tree/paths", &["catalog", "dtype", "format", "graph", "name", "tensor"]),
    ("view", &["cache", "catalog", "dtype", "extent", "format", "graph", "name", "shard", "tensor"]),
    ("view/bundle", &["catalog", "extent", "sums"]),
    (
        "view/bundle/index",
        &["cache", "catalog", "dtype", "extent", "format", "graph", "name", "shard", "sums", "tensor"],
    ),
    ("view/npy", &["catalog", "dtype", "extent", "format", "op", "tensor"]),
    // Where they meet.
    ("mirror", &["catalog", "folder", "remap", "shard", "source", "sums", "tree"]),
    ("export", &["cache", "extent", "shard"]),
    // The kernel, and what a person types.
    ("fuse", &["cache", "extent", "tree"]),
    ("mount", &["fuse"]),
    ("cli", ALL),
];

const ALL: &[&str] = &[
    "cache",
    "catalog",
    "dtype",
    "export",
    "extent",
    "format",
    "fuse",
    "folder",
    "graph",
    "minifloat",
    "mirror",
    "mount",
    "name",
    "op",
    "remap",
    "shard",
    "source",
    "sums",
    "tensor",
    "tree",
    "view",
];

/// The only file that may hold it.
const UNSAFE: &str = "shard.rs";

#[test]
fn every_import_follows_an_arrow() {
    let crossed: Vec<_> = files().iter().flat_map(|file| crossings(file)).collect();
    assert!(crossed.is_empty(), "imports that no arrow allows:\n  {}", crossed.join("\n  "));
}

#[test]
fn every_module_has_a_row_and_every_row_a_module() {
    let modules: BTreeSet<_> = files().iter().filter_map(|file| top(file)).collect();
    let rows: BTreeSet<_> = ARROWS.iter().map(|(path, _)| *path).collect();

    let unlisted: Vec<_> = modules.iter().filter(|module| !rows.contains(module.as_str())).collect();
    let gone: Vec<_> = rows.iter().filter(|row| !exists(row)).collect();

    assert!(modules.len() > 10, "the modules were not found");
    assert!(
        unlisted.is_empty() && gone.is_empty(),
        "without a row: {unlisted:?}; without a module: {gone:?}"
    );
}

#[test]
fn every_arrow_is_used() {
    let named: BTreeSet<_> = files()
        .iter()
        .flat_map(|file| imports(file).into_iter().map(|to| (row(file).unwrap_or_default().0, to)))
        .collect();
    let spare: Vec<_> = ARROWS
        .iter()
        .filter(|(_, may)| *may != ALL)
        .flat_map(|(from, may)| may.iter().map(move |to| (*from, (*to).to_owned())))
        .filter(|arrow| !named.contains(arrow))
        .collect();
    assert!(spare.is_empty(), "arrows that nothing needs: {spare:?}");
}

#[test]
fn there_is_no_cycle_among_the_modules() {
    let mut left: Vec<_> =
        ARROWS.iter().map(|(path, _)| module(path)).collect::<BTreeSet<_>>().into_iter().collect();
    loop {
        let before = left.len();
        let still = left.clone();
        left.retain(|from| arrows_of(from).any(|to| to != *from && still.contains(&to)));
        match left.len() {
            0 => return,
            len => assert!(len < before, "a cycle among {left:?}"),
        }
    }
}

#[test]
fn unsafe_code_is_in_one_file_only() {
    let holds = |file: &PathBuf| code(file).split(|c: char| !is_name(c)).any(|word| word == "unsafe");
    let found: Vec<_> = files().into_iter().filter(holds).collect();
    assert_eq!(found, [root().join(UNSAFE)]);
}

#[test]
fn the_program_names_nothing_but_the_command_line() {
    let main = code(&root().join("main.rs"));
    let named: Vec<_> = main.split("ckptfs::").skip(1).map(name).collect();
    assert_eq!(named, ["cli"]);
}

#[test]
fn imports_are_found_in_every_spelling() {
    let found = |text: &str| tops(text, &["remap", "apply"]).into_iter().collect::<Vec<_>>();
    assert_eq!(found("use crate::cache::Cache;"), ["cache"]);
    assert_eq!(found("use crate::{\n    remap::{self, Map}, view,\n};"), ["remap", "view"]);
    assert_eq!(found("    let x = crate::name::printable(b);"), ["name"]);
    assert_eq!(found("use super::super::tree::Tree;"), ["tree"]);
    assert_eq!(found("use super::{Map, super::{fuse, mount}};"), ["fuse", "mount", "remap"]);
    assert_eq!(found("use crate::*;"), ["*"]);
    assert_eq!(
        found("mod tests {\n    use super::super::rule;\n}\nuse super::super::dtype;"),
        ["dtype", "remap"]
    );
    assert!(found("// crate::shard\nuse std::io;").is_empty());
}

/// What a file imports against its row.
fn crossings(file: &Path) -> Vec<String> {
    let Some((_, may)) = row(file) else { return vec![] };
    let own = top(file).unwrap_or_default();
    let imports = imports(file).into_iter();
    let crossed = imports.filter(|to| *to != own && !may.contains(&to.as_str()));
    crossed.map(|to| format!("{} names {to}", file.strip_prefix(root()).unwrap().display())).collect()
}

fn imports(file: &Path) -> BTreeSet<String> {
    let path = module_path(file);
    tops(&code(file), &path.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The modules below the crate's root that `text`, in the module `path`, names.
fn tops(text: &str, path: &[&str]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut inline = path.to_vec();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        // The formatter puts a module that stands in a file at its margin.
        match line.trim_end() {
            "}" => inline.truncate(path.len()),
            line if !line.starts_with(' ') && line.contains("mod ") && line.ends_with('{') => {
                inline.push("inline")
            }
            _ => {}
        }
        let starts = line.match_indices("crate").chain(line.match_indices("super")).map(|(i, _)| i);
        for start in starts.filter(|&i| !line.trim_start().starts_with("//") && begins_path(line, i)) {
            follow(&text[at + start..], &inline, &mut found);
        }
        at += line.len();
    }
    found
}

fn begins_path(line: &str, at: usize) -> bool {
    !line[..at].ends_with(|c: char| is_name(c) || c == ':') && line[at + "crate".len()..].starts_with("::")
}

/// Follows a path, or each of a group of paths in braces, until it is below the crate's root.
fn follow(text: &str, base: &[&str], found: &mut BTreeSet<String>) {
    let text = text.trim_start();
    if let Some(group) = text.strip_prefix('{') {
        return members(group).iter().for_each(|member| follow(member, base, found));
    }
    let word = if text.starts_with('*') { "*" } else { name(text) };
    let rest = text[word.len()..].strip_prefix("::").unwrap_or_default();
    match (word, base) {
        ("", _) => {}
        ("crate", _) => follow(rest, &[], found),
        ("super", [up @ .., _]) => follow(rest, up, found),
        (word, []) => _ = found.insert(word.to_owned()),
        (_, [top, ..]) => _ = found.insert((*top).to_owned()),
    }
}

/// The members of a group, up to its closing brace.
fn members(group: &str) -> Vec<&str> {
    let (mut members, mut depth, mut start) = (vec![], 0, 0);
    for (i, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            '}' | ',' if depth == 0 => {
                members.push(&group[start..i]);
                start = i + 1;
            }
            _ => {}
        }
        if c == '}' && start == i + 1 {
            break;
        }
    }
    members
}

fn name(text: &str) -> &str {
    &text[..text.find(|c| !is_name(c)).unwrap_or(text.len())]
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The row of a file: its own, else its module's.
fn row(file: &Path) -> Option<(&'static str, &'static [&'static str])> {
    let path = module_path(file).join("/");
    let rows = ARROWS.iter().filter(|(row, _)| path == *row || path.starts_with(&format!("{row}/")));
    rows.max_by_key(|(row, _)| row.len()).copied()
}

fn arrows_of(module_name: &str) -> impl Iterator<Item = &'static str> {
    ARROWS
        .iter()
        .filter(move |(path, _)| module(path) == module_name)
        .flat_map(|(_, may)| may.iter().copied())
}

fn module(path: &str) -> &str {
    path.split('/').next().unwrap_or(path)
}

fn exists(row: &str) -> bool {
    root().join(format!("{row}.rs")).exists() || root().join(row).join("mod.rs").exists()
}

fn top(file: &Path) -> Option<String> {
    module_path(file).first().cloned()
}

/// `src/format/table/mod.rs` is `format`, `table`; the crate's roots are nothing.
fn module_path(file: &Path) -> Vec<String> {
    let path = file.strip_prefix(root()).unwrap().with_extension("");
    let mut names: Vec<_> = path.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    names.pop_if(|last| ["mod", "lib", "main"].contains(&last.as_str()));
    names
}

/// A file without the lines that are comments.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    text.split_inclusive('\n').filter(|line| !line.trim_start().starts_with("//")).collect()
}

fn files() -> Vec<PathBuf> {
    let (mut files, mut directories) = (vec![], vec![root()]);
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => directories.push(path),
                false => {
                    files.extend(Some(path).filter(|path| path.extension().is_some_and(|end| end == "rs")))
                }
            }
        }
    }
    files
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}
