//! The `names/` directory: symlinks into `vars/` under the full names, which are the names that the variables had in
//! the program that saved them.
//!
//! Full names are not unique. The first variable, in the order of `ls`, has the plain name; the next ones have a
//! suffix `%#2`, `%#3`…. If a variable and a directory would share a name, the directory gets a trailing `%`, as
//! elsewhere.

use std::collections::BTreeMap;

use crate::catalog::Catalog;
use crate::graph::Graph;
use crate::tree::checkpoint::links::{LinkDirId, Links, To, file_name};

/// Returns the link tree of a catalog's full names.
pub(crate) fn links(catalog: &Catalog, _: &Graph) -> Links {
    let mut dirs = vec![NameDir::default()];
    for (ordinal, variable) in (0..).zip(&catalog.variables) {
        if let Some(full_name) = &variable.full_name {
            add(&mut dirs, full_name.as_bytes(), ordinal);
        }
    }
    let mut links = Links::new();
    let mut open = vec![(0, 0)];
    while let Some((dir, at)) = open.pop() {
        list(&dirs[dir], at, &mut links, &mut open);
    }
    links.finish()
}

/// The entries directly below a scope, by file name.
#[derive(Default)]
struct NameDir {
    dirs: BTreeMap<String, usize>,
    variables: BTreeMap<String, Vec<u32>>,
}

fn add(dirs: &mut Vec<NameDir>, full_name: &[u8], ordinal: u32) {
    let mut components: Vec<_> = full_name.split(|&byte| byte == b'/').map(file_name).collect();
    let last = components.pop().unwrap_or_default();
    let mut at = 0;
    for component in components {
        let fresh = dirs.len();
        at = *dirs[at].dirs.entry(component).or_insert(fresh);
        if at == fresh {
            dirs.push(NameDir::default());
        }
    }
    dirs[at].variables.entry(last).or_default().push(ordinal);
}

fn list(dir: &NameDir, at: LinkDirId, links: &mut Links, open: &mut Vec<(usize, LinkDirId)>) {
    for (name, ordinals) in &dir.variables {
        for (number, &ordinal) in (1..).zip(ordinals) {
            let mark = if number == 1 { String::new() } else { format!("%#{number}") };
            links.add_link(at, format!("{name}{mark}"), To::Variable(ordinal));
        }
    }
    for (name, &below) in &dir.dirs {
        let mark = if dir.variables.contains_key(name) { "%" } else { "" };
        open.extend(links.add_directory(at, format!("{name}{mark}")).map(|dir| (below, dir)));
    }
}
