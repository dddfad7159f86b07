//! `names/`: variables by their full names, the ones they had in the program that saved them. Links into `vars/`.
//!
//! Full names are not unique. The first variable, in the order of `ls`, has the name as it is, the next ones have `%#2`,
//! `%#3`… after it. A directory whose name a variable has gives way by a final `%`, as elsewhere.

use std::collections::BTreeMap;

use crate::catalog::Catalog;
use crate::graph::Graph;
use crate::tree::checkpoint::links::{LinkDirId, Links, To, file_name};

/// The tree of a catalog's full names.
pub(crate) fn links(catalog: &Catalog, _: &Graph) -> Links {
    let mut folders = vec![NameDir::default()];
    for (ordinal, variable) in (0..).zip(&catalog.variables) {
        if let Some(full_name) = &variable.full_name {
            add(&mut folders, full_name.as_bytes(), ordinal);
        }
    }
    let mut links = Links::new();
    let mut open = vec![(0, 0)];
    while let Some((folder, at)) = open.pop() {
        list(&folders[folder], at, &mut links, &mut open);
    }
    links.finish()
}

/// What is directly below a scope, by file name.
#[derive(Default)]
struct NameDir {
    folders: BTreeMap<String, usize>,
    variables: BTreeMap<String, Vec<u32>>,
}

fn add(folders: &mut Vec<NameDir>, full_name: &[u8], ordinal: u32) {
    let mut components: Vec<_> = full_name.split(|&byte| byte == b'/').map(file_name).collect();
    let last = components.pop().unwrap_or_default();
    let mut at = 0;
    for component in components {
        let fresh = folders.len();
        at = *folders[at].folders.entry(component).or_insert(fresh);
        if at == fresh {
            folders.push(NameDir::default());
        }
    }
    folders[at].variables.entry(last).or_default().push(ordinal);
}

fn list(folder: &NameDir, at: LinkDirId, links: &mut Links, open: &mut Vec<(usize, LinkDirId)>) {
    for (name, ordinals) in &folder.variables {
        for (number, &ordinal) in (1..).zip(ordinals) {
            let mark = if number == 1 { String::new() } else { format!("%#{number}") };
            links.add_link(at, format!("{name}{mark}"), To::Variable(ordinal));
        }
    }
    for (name, &below) in &folder.folders {
        let mark = if folder.variables.contains_key(name) { "%" } else { "" };
        open.extend(links.add_directory(at, format!("{name}{mark}")).map(|folder| (below, folder)));
    }
}
