//! The search for all datasets of a file, by path.
//!
//! Each group is walked once, regardless of the number of links to it. So a cycle of groups ends, and there are never
//! more paths than links. A link to a dataset, hard or soft, is the dataset under another name. A link that leads to
//! a group for the second time, to nothing, or out of the file is reported and not followed.

use std::collections::{BTreeMap, HashMap};

use hdf5_reader::Hdf5File;
use hdf5_reader::error::Error;
use hdf5_reader::messages::HdfMessage;

use crate::source::hdf5::error::DatasetError;
use crate::source::hdf5::links;
use crate::source::hdf5::links::{Link, Target};

/// The maximum number of links, far above any file of weights.
const MAX_LINKS: usize = 4_000_000;
/// The maximum number of bytes of a path. No real group is nested so deep.
const MAX_PATH: usize = 4096;

/// The contents of a file. Paths begin without a slash.
#[derive(Default)]
pub(super) struct Tree {
    /// Datasets by path.
    pub(super) datasets: BTreeMap<String, FoundDataset>,
    /// The addresses of groups by path. The path of the root is empty.
    pub(super) groups: BTreeMap<String, u64>,
    /// The links and objects that were skipped.
    pub(super) warnings: Vec<String>,
    /// The paths whose object is damaged, with the fault.
    pub(super) damaged: Vec<(String, String)>,
    soft: Vec<(String, String)>,
    walked: HashMap<u64, String>,
    links: usize,
}

/// A dataset.
#[derive(Clone)]
pub(super) struct FoundDataset {
    /// The address of its header.
    pub(super) address: u64,
    /// A path that contains no soft link.
    pub(super) path: String,
}

/// The kind of an object.
enum Kind {
    Group,
    Dataset,
    /// A named datatype, to which datasets may refer.
    Type,
    /// An object kind that later versions of the format may have.
    Other,
}

/// Walks all groups of the file.
pub(super) fn walk(file: &Hdf5File) -> Result<Tree, DatasetError> {
    let mut tree = Tree::default();
    let root = file.superblock().root_object_header_address()?;
    tree.groups.insert(String::new(), root);
    tree.walked.insert(root, String::new());
    let mut rest = vec![(String::new(), root)];
    while let Some((path, address)) = rest.pop() {
        let mut found = Vec::new();
        let visited = links::visit(file, address, &mut |link| {
            tree.count()?;
            found.push(link);
            Ok(())
        });
        if let Err(error) = visited {
            tree.fault(path, DatasetError::from(error).of_header_at(address))?;
            continue;
        }
        for link in found {
            rest.extend(tree.link(file, &path, link)?);
        }
    }
    tree.follow_soft();
    Ok(tree)
}

impl Tree {
    fn count(&mut self) -> Result<(), Error> {
        self.links += 1;
        match self.links <= MAX_LINKS {
            true => Ok(()),
            false => Err(Error::InvalidData(format!("more than {MAX_LINKS} links"))),
        }
    }

    /// Records the target of a link in the group `parent`. Returns the target if it is a group that must be walked.
    fn link(
        &mut self,
        file: &Hdf5File,
        parent: &str,
        link: Link,
    ) -> Result<Option<(String, u64)>, DatasetError> {
        let path = below(parent, &link.name);
        if link.name.is_empty() || link.name == "." || link.name.contains('/') || path.len() > MAX_PATH {
            let what = format!("a link has the name {:?}, which none can have", shortened(&link.name));
            self.damaged.push((parent.into(), what));
            return Ok(None);
        }
        if self.datasets.contains_key(&path) || self.groups.contains_key(&path) {
            self.damaged.push((path, "two links have this name".into()));
            return Ok(None);
        }
        let address = match link.target {
            Target::Hard(address) => address,
            Target::Soft(target) => {
                self.soft.push((path, target));
                return Ok(None);
            }
            Target::External(target) => {
                self.warnings.push(format!("{path}: a link to {target}, another file; left out"));
                return Ok(None);
            }
        };
        match kind(file, address) {
            Ok(Kind::Dataset) => drop(self.datasets.insert(path.clone(), FoundDataset { address, path })),
            Ok(Kind::Group) => return Ok(self.group(path, address)),
            Ok(Kind::Type) => {}
            Ok(Kind::Other) => self.warnings.push(format!("{path}: neither a group nor a dataset; left out")),
            Err(error) => self.fault(path, DatasetError::from(error).of_header_at(address))?,
        }
        Ok(None)
    }

    fn group(&mut self, path: String, address: u64) -> Option<(String, u64)> {
        if let Some(first) = self.walked.get(&address) {
            self.warnings.push(format!("{path}: the same group as /{first}; shown there only"));
            return None;
        }
        self.walked.insert(address, path.clone());
        self.groups.insert(path.clone(), address);
        Some((path, address))
    }

    fn fault(&mut self, path: String, trouble: DatasetError) -> Result<(), DatasetError> {
        match trouble {
            DatasetError::LeftOut(what) => self.warnings.push(format!("{path}: {what}; left out")),
            DatasetError::Damaged(what) => self.damaged.push((path, what)),
            DatasetError::Io(error) => return Err(DatasetError::Io(error)),
        }
        Ok(())
    }

    /// Adds the datasets to which soft links lead, under the names of the links.
    fn follow_soft(&mut self) {
        for (path, target) in std::mem::take(&mut self.soft) {
            let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
            let wanted =
                if target.starts_with('/') { normal(&target) } else { normal(&below(parent, &target)) };
            match self.datasets.get(&wanted).cloned() {
                Some(found) => drop(self.datasets.insert(path, found)),
                None if self.groups.contains_key(&wanted) => {
                    self.warnings.push(format!("{path}: the same group as /{wanted}; shown there only"));
                }
                None => {
                    self.warnings.push(format!("{path}: a link to {target}, which is not there; left out"))
                }
            }
        }
    }
}

fn kind(file: &Hdf5File, address: u64) -> Result<Kind, Error> {
    let header = file.get_or_parse_header(address)?;
    let has = |wanted: fn(&HdfMessage) -> bool| header.messages.iter().any(wanted);
    if has(|message| matches!(message, HdfMessage::DataLayout(_))) {
        return Ok(Kind::Dataset);
    }
    let group = |message: &HdfMessage| {
        matches!(
            message,
            HdfMessage::SymbolTable(_)
                | HdfMessage::LinkInfo(_)
                | HdfMessage::Link(_)
                | HdfMessage::GroupInfo(_)
        )
    };
    Ok(match has(group) {
        true => Kind::Group,
        false if has(|message| matches!(message, HdfMessage::Datatype(_))) => Kind::Type,
        false => Kind::Other,
    })
}

/// Returns the path of `name` in a group. `name` may be a path itself.
pub(super) fn below(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.into() } else { format!("{parent}/{name}") }
}

/// Returns a path without the components that have no meaning.
pub(super) fn normal(path: &str) -> String {
    path.split('/').filter(|name| !name.is_empty() && *name != ".").collect::<Vec<_>>().join("/")
}

fn shortened(name: &str) -> String {
    name.chars().take(60).collect()
}
