//! The arrows of the architecture: which room may import which, and that no files import each other in a circle.
//!
//! Every path in `src` counts that begins at the crate's root: `use crate::a`, `use crate::{a, b}`, `crate::a::b()` in an
//! expression, and `super::super::a` where that leads there; and every path that begins with a module below its own. A path is followed through re-exports to the file that declares
//! its item. Tests inside `src` may import any room.

use std::collections::{BTreeMap, BTreeSet};

use crate::project_files::{files, read, root};

/// A room, and the rooms that it may import.
#[rustfmt::skip]
const ARROWS: &[(&str, &[&str])] = &[
    // Codecs, tables and files: they know no other room, or only each other.
    ("cache", &[]),
    ("directory", &[]),
    ("format", &[]),
    ("minifloat", &[]),
    ("name", &[]),
    ("slot_names", &[]),
    ("source_file", &["directory"]),
    // The waist.
    ("dtype", &["minifloat"]),
    ("extent", &["cache", "source_file"]),
    ("tensor", &["cache", "dtype", "extent", "format", "name", "source_file"]),
    ("op", &["cache", "dtype", "extent", "format", "minifloat", "tensor"]),
    ("checksums", &["cache", "dtype", "format", "tensor"]),
    ("graph", &["format"]),
    ("catalog", &["checksums", "format", "graph", "name", "source_file", "tensor"]),
    // From a path to a catalog.
    ("source", &["cache", "catalog", "directory", "dtype", "extent", "format", "graph", "name", "source_file", "tensor"]),
    // The map's language, its application, and all that the flags ask for.
    ("map", &["dtype", "extent", "name", "op", "source_file", "tensor"]),
    ("remap", &["catalog", "dtype", "extent", "format", "graph", "map", "name", "op", "slot_names", "tensor"]),
    ("transform", &["cache", "catalog", "dtype", "extent", "format", "graph", "map", "name", "remap", "slot_names", "source_file", "tensor"]),
    ("suggest", &["catalog", "dtype", "map", "name", "remap", "slot_names", "tensor", "transform"]),
    ("failure", &["tensor"]),
    ("diff", &["catalog", "format", "graph", "map", "name", "suggest", "tensor", "transform"]),
    // From a catalog to files.
    ("view", &["cache", "catalog", "checksums", "dtype", "extent", "format", "graph", "name", "op", "source_file", "tensor"]),
    ("tree", &["catalog", "extent", "format", "graph", "name", "source_file", "view"]),
    ("doctor", &["catalog", "checksums", "directory", "format", "graph", "map", "name", "op", "source", "source_file", "tensor", "transform"]),
    ("mounted_source", &["catalog", "checksums", "directory", "remap", "source", "source_file", "transform", "tree"]),
    ("export", &["cache", "extent", "source_file"]),
    // The kernel, and the command line.
    ("fuse", &["cache", "extent", "tree"]),
    ("mount", &["fuse"]),
    ("cli", &["cache", "catalog", "checksums", "diff", "directory", "doctor", "dtype", "export", "extent", "failure", "format", "fuse", "map", "mount", "mounted_source", "name", "op", "remap", "slot_names", "source", "suggest", "tensor", "transform", "tree", "view"]),
];

/// The only file that may hold unsafe code.
const UNSAFE: &str = "src/source_file.rs";

/// The largest number of files that may import each other, through a module that holds the others.
const KNOT: usize = 10;

type Module = Vec<String>;

#[test]
fn every_import_follows_an_arrow() {
    let sources = Sources::read();
    let mut crossed = BTreeSet::new();
    for (file, to) in sources.arrows() {
        let (Some(from), Some(to_room)) = (file.first(), to.first()) else { continue };
        let may = ARROWS.iter().find(|(room, _)| room == from).map_or(&[][..], |(_, may)| *may);
        if from != to_room && !may.contains(&to_room.as_str()) {
            crossed.insert(format!("{} imports {to_room}", file.join("::")));
        }
    }
    assert!(crossed.is_empty(), "imports that no arrow allows: {crossed:#?}");
}

#[test]
fn every_room_has_a_row_and_every_row_a_room() {
    let sources = Sources::read();
    let rooms: BTreeSet<_> = sources.files.keys().filter_map(|file| file.first().cloned()).collect();
    let rows: BTreeSet<_> = ARROWS.iter().map(|(room, _)| (*room).to_owned()).collect();
    assert!(rooms.len() > 10, "the rooms were not found");
    assert_eq!(rooms, rows);
}

#[test]
fn every_arrow_is_used() {
    let sources = Sources::read();
    let used: BTreeSet<_> = sources
        .arrows()
        .filter_map(|(from, to)| Some((from.first()?.clone(), to.first()?.clone())))
        .collect();
    let all = ARROWS.iter().flat_map(|(from, may)| may.iter().map(move |to| (*from, *to)));
    let spare: Vec<_> = all.filter(|(from, to)| !used.contains(&((*from).into(), (*to).into()))).collect();
    assert!(spare.is_empty(), "arrows that nothing needs: {spare:?}");
}

#[test]
fn an_arrow_leads_to_a_row_above() {
    for (at, (room, may)) in ARROWS.iter().enumerate() {
        for to in *may {
            let row = ARROWS.iter().position(|(other, _)| other == to).expect("a row for each room");
            assert!(row < at, "{room} imports {to}, which has a row below it");
        }
    }
}

#[test]
fn files_import_each_other_only_within_the_module_that_holds_them() {
    let sources = Sources::read();
    let mut arrows: BTreeMap<&Module, BTreeSet<Module>> = BTreeMap::new();
    for (from, to) in sources.arrows() {
        arrows.entry(from).or_default().insert(to);
    }
    let largest = knots(&arrows).into_iter().max_by_key(BTreeSet::len).unwrap_or_default();
    assert!(largest.len() <= KNOT, "{} files import each other: {largest:#?}", largest.len());

    // A file may import what the module that holds it declares. Without these arrows there is no circle.
    for (from, to) in &mut arrows {
        to.retain(|to| !from.starts_with(to));
    }
    let circles: Vec<_> = knots(&arrows).into_iter().filter(|knot| knot.len() > 1).collect();
    assert!(circles.is_empty(), "files in a circle: {circles:#?}");
}

#[test]
fn every_module_with_children_is_a_mod_rs() {
    let both: Vec<_> =
        rust_files().filter(|file| root().join(file.trim_end_matches(".rs")).is_dir()).collect();
    assert!(both.is_empty(), "{both:?}");
}

#[test]
fn unsafe_code_is_in_one_file_only() {
    let holds = |file: &String| code(file).split(|c: char| !is_name(c)).any(|word| word == "unsafe");
    let found: Vec<_> = rust_files().filter(holds).collect();
    assert_eq!(found, [UNSAFE]);
}

#[test]
fn the_program_names_nothing_but_the_command_line() {
    let main = code("src/main.rs");
    let named: Vec<_> = main.split("ckptfs::").skip(1).map(name).collect();
    assert_eq!(named, ["cli"]);
}

#[test]
fn imports_are_found_in_every_spelling() {
    let found = |text: &str| {
        let paths = paths(text, &["remap".into(), "apply".into()]);
        paths.into_iter().map(|path| path.join("::")).collect::<Vec<_>>()
    };
    assert_eq!(found("use crate::cache::Cache;"), ["cache::Cache"]);
    assert_eq!(
        found("use crate::{\n    remap::{self, Map}, view,\n};"),
        ["remap::self", "remap::Map", "view"]
    );
    assert_eq!(found("    let x = crate::name::printable(b);"), ["name::printable"]);
    assert_eq!(found("use super::super::tree::Tree;"), ["tree::Tree"]);
    assert_eq!(found("use super::{Map, plan};"), ["remap::Map", "remap::plan"]);
    assert_eq!(found("use crate::*;"), ["*"]);
    assert!(found("mod tests {\n    use super::super::rule;\n}\n").is_empty());
    assert!(found("// crate::shard\nuse std::io;").is_empty());
}

#[test]
fn a_re_export_is_followed_to_the_file_that_declares_the_item() {
    let sources = Sources::read();
    let declared =
        |path: &[&str]| sources.declares(&path.iter().map(|&part| part.into()).collect::<Vec<_>>());
    assert_eq!(declared(&["map", "Rule"]), ["map", "rule"]);
    assert_eq!(declared(&["source", "Checkpoint"]), ["source", "checkpoint"]);
    assert_eq!(declared(&["graph", "Graph", "new"]), ["graph"]);
}

/// The modules of `src`, without their tests.
struct Sources {
    files: BTreeMap<Module, String>,
    /// What each re-exports: the name, and the path.
    exports: BTreeMap<Module, Vec<(String, Module)>>,
}

impl Sources {
    fn read() -> Self {
        let is_test = |module: &Module| {
            module
                .iter()
                .any(|part| ["tests", "test_util", "real_maps", "examples", "real"].contains(&part.as_str()))
        };
        let files: BTreeMap<_, _> = rust_files()
            .map(|file| (module_path(&file), without_tests(&code(&file))))
            .filter(|(module, _)| !module.is_empty() && !is_test(module))
            .collect();
        let mut sources = Self { exports: BTreeMap::new(), files };
        sources.exports =
            sources.files.iter().map(|(file, text)| (file.clone(), sources.exports(file, text))).collect();
        sources
    }

    /// The re-exports of a file: `pub use rule::Rule;` in `map` is `Rule` of `map::rule`.
    fn exports(&self, file: &Module, text: &str) -> Vec<(String, Module)> {
        let mut exports = Vec::new();
        for (at, _) in text.match_indices("pub use ").chain(text.match_indices("pub(crate) use ")) {
            let statement = text[at..].split(';').next().unwrap_or_default();
            let path = statement.split_once("use ").map_or("", |(_, path)| path);
            let mut found = Vec::new();
            match path.starts_with("crate::") || path.starts_with("super::") {
                true => found = paths(path, file),
                false => follow(path, file, &[], &mut found),
            }
            exports.extend(found.into_iter().filter_map(|path| Some((path.last()?.clone(), path))));
        }
        exports
    }

    /// The file that declares what a path leads to.
    fn declares(&self, path: &[String]) -> Module {
        let is_module = |len: &usize| self.files.contains_key(&path[..*len]);
        let Some(len) = (1..=path.len()).rev().find(is_module) else { return Vec::new() };
        let (module, rest) = path.split_at(len);
        let export =
            rest.first().and_then(|name| self.exports[module].iter().find(|(known, _)| known == name));
        match export {
            Some((_, to)) if to[..] != *path => self.declares(&[to, &rest[1..]].concat()),
            _ => module.to_vec(),
        }
    }

    /// The names of the modules below a file.
    fn children<'a>(&'a self, file: &'a Module) -> impl Iterator<Item = &'a str> {
        let is_child = |other: &&Module| other.len() == file.len() + 1 && other.starts_with(file);
        self.files.keys().filter(is_child).filter_map(|other| other.last()).map(String::as_str)
    }

    /// Each file with a file that it imports.
    fn arrows(&self) -> impl Iterator<Item = (&Module, Module)> {
        self.files.iter().flat_map(move |(file, text)| {
            let imports =
                text.split_inclusive(';').filter(|statement| !is_export(statement)).collect::<String>();
            let mut paths = paths(&imports, file);
            self.children(file).for_each(|child| below(&imports, child, file, &mut paths));
            let to: BTreeSet<_> = paths.iter().map(|path| self.declares(path)).collect();
            to.into_iter().filter(move |to| !to.is_empty() && to != file).map(move |to| (file, to))
        })
    }
}

/// Finds the paths in `text` that begin with the name of a module below its own: `parser::Parser` in `map::pattern`.
fn below(text: &str, child: &str, file: &[String], found: &mut Vec<Module>) {
    for (at, _) in text.match_indices(child) {
        let is_path = text[at + child.len()..].starts_with("::");
        if is_path && !text[..at].ends_with(|c: char| is_name(c) || c == ':') {
            follow(&text[at..], file, &[], found);
        }
    }
}

fn is_export(statement: &str) -> bool {
    let start = statement.trim_start();
    start.starts_with("pub use ") || start.starts_with("pub(crate) use ")
}

/// The sets of files that reach each other.
fn knots(arrows: &BTreeMap<&Module, BTreeSet<Module>>) -> Vec<BTreeSet<Module>> {
    let reached = |from: &Module| {
        let (mut found, mut open) = (BTreeSet::new(), vec![from.clone()]);
        while let Some(file) = open.pop() {
            for to in arrows.get(&file).into_iter().flatten() {
                if found.insert(to.clone()) {
                    open.push(to.clone());
                }
            }
        }
        found
    };
    let all: BTreeMap<&Module, _> = arrows.keys().map(|file| (*file, reached(file))).collect();
    let knot = |file: &Module| {
        let others = all[file].iter().filter(|other| all.get(*other).is_some_and(|back| back.contains(file)));
        others.cloned().chain([file.clone()]).collect()
    };
    all.keys().map(|file| knot(file)).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The paths in `text`, in the module `file`, that begin at the crate's root.
fn paths(text: &str, file: &[String]) -> Vec<Module> {
    let text = &without_tests(text);
    let mut found = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let starts = line.match_indices("crate").chain(line.match_indices("super")).map(|(i, _)| i);
        for start in starts.filter(|&i| !line.trim_start().starts_with("//") && begins_path(line, i)) {
            follow(&text[at + start..], file, &[], &mut found);
        }
        at += line.len();
    }
    found
}

fn begins_path(line: &str, at: usize) -> bool {
    !line[..at].ends_with(|c: char| is_name(c) || c == ':') && line[at + "crate".len()..].starts_with("::")
}

/// Follows a path, or each of a group of paths in braces, to its end. `base` is the module where it begins, `before` what
/// was followed of it below there.
fn follow(text: &str, base: &[String], before: &[String], found: &mut Vec<Module>) {
    let text = text.trim_start();
    if let Some(group) = text.strip_prefix('{') {
        return members(group).iter().for_each(|member| follow(member, base, before, found));
    }
    let word = if text.starts_with('*') { "*" } else { name(text) };
    let rest = text[word.len()..].strip_prefix("::");
    let here = |word: &str| [before, &[word.to_owned()]].concat();
    match (word, rest) {
        ("", _) => {}
        ("crate", Some(rest)) => follow(rest, &[], &[], found),
        ("super", Some(rest)) => follow(rest, &base[..base.len().saturating_sub(1)], before, found),
        (word, Some(rest)) => follow(rest, base, &here(word), found),
        (word, None) => found.push([base, &here(word)].concat()),
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

/// `src/format/table/mod.rs` is `format`, `table`; the crate's roots are nothing.
fn module_path(file: &str) -> Module {
    let path = file.trim_start_matches("src/").trim_end_matches(".rs");
    let mut names: Vec<_> = path.split('/').map(str::to_owned).collect();
    names.pop_if(|last| ["mod", "lib", "main"].contains(&last.as_str()));
    names
}

/// A text without its modules in braces, which hold tests. The formatter puts such a module at the margin.
fn without_tests(text: &str) -> String {
    let mut inside = false;
    let mut kept = String::new();
    for line in text.split_inclusive('\n') {
        inside |= !line.starts_with(' ') && line.contains("mod ") && line.trim_end().ends_with('{');
        if !inside {
            kept.push_str(line);
        }
        inside &= line.trim_end() != "}";
    }
    kept
}

/// A file without the lines that are comments.
fn code(file: &str) -> String {
    read(file).split_inclusive('\n').filter(|line| !line.trim_start().starts_with("//")).collect()
}

fn rust_files() -> impl Iterator<Item = String> {
    files("src").into_iter().filter(|file| file.ends_with(".rs"))
}
