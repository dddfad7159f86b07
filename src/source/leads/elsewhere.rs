//! The end of a path elsewhere: the program or the user started in another directory than the path expects.

use std::collections::VecDeque;
use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

use crate::directory::Directory;
use crate::source::lead::{Lead, LeadKind, shown};
use crate::source::leads::is_checkpoint;
use crate::source::prefix::with_suffix;

/// The number of directories above the working directory that are tried.
const ABOVE: usize = 8;
/// The number of levels below a directory that are searched.
const DEPTH: usize = 4;
/// The number of directories that are listed.
const DIRECTORIES: usize = 300;
/// The number of entries that are seen.
const ENTRIES: usize = 20_000;
/// The number of last components of a path that are compared.
const COMPONENTS: usize = 8;
/// The number of places that are named.
const NAMED: usize = 3;

/// Returns the places where the end of a path exists. Those that share more components with it come first.
pub(super) fn find(path: &Path) -> Vec<Lead> {
    let Ok(here) = env::current_dir() else { return Vec::new() };
    find_from(path, &here)
}

/// Returns the first component of a path that does not exist, in words.
pub(crate) fn first_missing(path: &Path) -> String {
    missing(path, &env::current_dir().unwrap_or_default())
}

/// Like [`find`], from a working directory.
fn find_from(path: &Path, here: &Path) -> Vec<Lead> {
    let names: Vec<_> = path.components().filter_map(normal).collect();
    let names = &names[names.len().saturating_sub(COMPONENTS)..];
    let Some(last) = names.last() else { return Vec::new() };
    let why = missing(path, here);
    let lead = |found: PathBuf| {
        let found = found.strip_prefix(here).map_or(found.clone(), |below| Path::new(".").join(below));
        Lead {
            kind: LeadKind::Elsewhere,
            why: format!("{why}; {} is there", shown(&found)),
            path: Some(found),
        }
    };
    let mut found = above(names, here);
    if found.is_empty() {
        let starts =
            [Some(here.to_owned()), existing(&here.join(path)).filter(|start| start.parent().is_some())];
        found = starts.into_iter().flatten().flat_map(|start| below(&start, last)).collect();
        found.sort_by_key(|found| {
            (usize::MAX - alike(found, names), found.components().count(), found.clone())
        });
        found.dedup();
        let best = found.first().map(|found| alike(found, names));
        found.retain(|found| Some(alike(found, names)) == best);
    }
    found.into_iter().take(NAMED).map(lead).collect()
}

fn normal(component: Component) -> Option<OsString> {
    if let Component::Normal(name) = component { Some(name.to_owned()) } else { None }
}

/// Like [`first_missing`], from a working directory.
fn missing(path: &Path, here: &Path) -> String {
    let mut at = if path.is_absolute() { PathBuf::from("/") } else { here.to_owned() };
    for name in
        path.components().filter(|component| !matches!(component, Component::RootDir | Component::CurDir))
    {
        let next = at.join(name);
        if !next.exists() {
            let working = if at == here { " (the working directory)" } else { "" };
            return format!("there is no {} in {}{working}", shown(name.as_os_str()), shown(&at));
        }
        at = next;
    }
    format!("{} is no checkpoint", shown(path))
}

/// Returns the deepest directory of a path that exists.
fn existing(path: &Path) -> Option<PathBuf> {
    path.ancestors().skip(1).find(|path| path.is_dir()).map(Path::to_owned)
}

/// Returns the end of the path in the working directory or in one above it. A single component counts only in the
/// working directory.
fn above(names: &[OsString], here: &Path) -> Vec<PathBuf> {
    let tail = |from: usize| names[from..].iter().collect::<PathBuf>();
    let near = (0..names.len()).map(|from| here.join(tail(from)));
    let long = (0..names.len().saturating_sub(1)).map(tail);
    let far = long.flat_map(|tail| here.ancestors().skip(1).take(ABOVE).map(move |base| base.join(&tail)));
    near.chain(far).find(|path| is_checkpoint(path)).into_iter().collect()
}

/// Returns the paths below a directory at which there is something with a name: a prefix, a file or a directory.
fn below(start: &Path, name: &OsStr) -> Vec<PathBuf> {
    let index = with_suffix(name, ".index");
    let (mut open, mut found) = (VecDeque::from([(start.to_owned(), 0)]), Vec::new());
    let (mut directories, mut entries) = (0, 0);
    while let Some((dir, depth)) = open.pop_front() {
        let Ok(listed) = Directory::open(&dir).and_then(|directory| directory.entries()) else { continue };
        (directories, entries) = (directories + 1, entries + listed.len());
        if directories > DIRECTORIES || entries > ENTRIES {
            break;
        }
        let mut inside: Vec<_> =
            listed.iter().filter(|entry| entry.kind.is_dir()).map(|entry| &entry.name).collect();
        inside.retain(|name| !name.as_encoded_bytes().starts_with(b"."));
        inside.sort();
        let is_named = |entry: &crate::directory::Entry| entry.name == index || entry.name == name;
        if listed.iter().any(is_named) && is_checkpoint(&dir.join(name)) {
            found.push(dir.join(name));
        }
        if depth < DEPTH {
            open.extend(inside.into_iter().map(|name| (dir.join(name), depth + 1)));
        }
    }
    found
}

/// Returns the number of last components that a path shares with the wanted ones.
fn alike(path: &Path, names: &[OsString]) -> usize {
    let own: Vec<_> = path.components().filter_map(normal).collect();
    own.iter().rev().zip(names.iter().rev()).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn tree(prefixes: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for prefix in prefixes {
            let path = dir.path().join(prefix);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path.with_added_extension("index"), "").unwrap();
        }
        dir
    }

    fn found(dir: &tempfile::TempDir, path: &str, here: &str) -> Vec<String> {
        let here = dir.path().join(here);
        let leads = find_from(Path::new(path), &here);
        let path = |lead: Lead| lead.path.unwrap().display().to_string();
        leads.into_iter().map(path).map(|path| path.replace(dir.path().to_str().unwrap(), "ROOT")).collect()
    }

    #[test]
    fn the_end_of_the_path_is_found_here_above_and_below() {
        let dir = tree(&["p9/ckpt-3", "p9/deep/er/ckpt-4", "p9/run1/ckpt-5", "p9/run2/ckpt-5"]);
        assert_eq!(found(&dir, "./p9/ckpt-3", "p9"), ["./ckpt-3"]);
        assert_eq!(found(&dir, "p9/ckpt-3", "p9/run1"), ["ROOT/p9/ckpt-3"]);
        assert_eq!(found(&dir, "er/ckpt-4", "p9"), ["./deep/er/ckpt-4"]);
        assert_eq!(found(&dir, "/nowhere/run2/ckpt-5", "p9"), ["./run2/ckpt-5"]);
        assert_eq!(found(&dir, "ckpt-5", "p9"), ["./run1/ckpt-5", "./run2/ckpt-5"]);
        assert_eq!(found(&dir, "ckpt-6", "p9"), [""; 0]);
    }

    #[test]
    fn the_reason_names_the_first_component_that_is_missing() {
        let dir = tree(&["p9/ckpt-3"]);
        let here = dir.path().join("p9");
        let why = missing(Path::new("./p9/ckpt-3"), &here);
        assert_eq!(why, format!("there is no p9 in {} (the working directory)", here.display()));
        assert!(missing(&here.join("a/b"), dir.path()).starts_with("there is no a in "));
    }

    #[test]
    fn a_loop_of_symlinks_and_many_entries_end_the_search() {
        let dir = tree(&["a/b/ckpt-1"]);
        symlink("..", dir.path().join("a/b/loop")).unwrap();
        assert_eq!(found(&dir, "ckpt-2", "a"), [""; 0]);
        let many = dir.path().join("many");
        for at in 0..DIRECTORIES + 10 {
            fs::create_dir_all(many.join(format!("{at:04}"))).unwrap();
        }
        fs::write(many.join(format!("{:04}/ckpt-7.index", DIRECTORIES + 5)), "").unwrap();
        assert_eq!(found(&dir, "ckpt-7", "many"), [""; 0]);
    }
}
