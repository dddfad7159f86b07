//! The metadata of an HDF5 file whose datasets' bytes stand behind it, each contiguous, so that a file is an image of these
//! bytes and then the values, wherever they come from.
//!
//! ```text
//! file   := superblock object… data…      superblock version 0; a parent follows its members; data is aligned
//! object := a dataset's header | a group's heap of names, table of members (B-tree, version 1), header
//! ```
//!
//! It is the oldest form that HDF5 has, which every reader knows and in which Keras's own files are. Its tables are sorted,
//! so that a member is found as fast among 60,000 as among two; their nodes are small here, for most groups are.
//!
//! Invariants: names have no component that is empty or `.`, no NUL, and at most [`MAX_DEPTH`] components; no message is
//! longer than 64 KiB.

mod attribute;
mod datatype;
mod group;
mod object_header;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

pub(crate) use attribute::{Attribute, MAX_STRING};
pub(crate) use datatype::{
    BFLOAT16, BOOL, COMPLEX64, COMPLEX128, Datatype, FLOAT16, FLOAT32, FLOAT64, fixed_string, integer,
};
use writer::Writer;

/// Components that a name may have: each is a group, and readers follow them one within another.
pub(crate) const MAX_DEPTH: usize = 256;
/// Dimensions that a dataset may have.
pub(crate) const MAX_RANK: usize = 32;
/// Where a dataset's bytes may begin.
pub(crate) const ALIGNMENT: u64 = 64;

/// What a file consists of; the root is one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Group {
    members: BTreeMap<String, Member>,
    /// What is said of it.
    pub(crate) attributes: Vec<Attribute>,
}

#[derive(Clone, Debug)]
enum Member {
    Group(Group),
    Dataset(Dataset),
}

/// An array of values.
#[derive(Clone, Debug)]
pub(crate) struct Dataset {
    /// Which one it is, to the caller.
    pub(crate) id: usize,
    /// The type of its elements.
    pub(crate) datatype: Datatype,
    /// Its dimensions, at most [`MAX_RANK`].
    pub(crate) shape: Vec<u64>,
    /// Bytes of all its elements.
    pub(crate) len: u64,
    /// What is said of it.
    pub(crate) attributes: Vec<Attribute>,
}

/// A file without its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Image {
    /// What the file begins with.
    pub(crate) metadata: Vec<u8>,
    /// The datasets by their ids, and where in the file the bytes of each begin; ascending, and none for those without bytes.
    pub(crate) places: Vec<(usize, u64)>,
    /// Length of the file.
    pub(crate) len: u64,
}

impl Group {
    /// Puts a dataset at a path of names with slashes between, in groups that are made if they are not there.
    ///
    /// # Errors
    /// Why it cannot be there.
    pub(crate) fn insert(&mut self, path: &str, dataset: Dataset) -> Result<(), &'static str> {
        let (parents, name) =
            path.rsplit_once('/').map_or((None, path), |(parents, name)| (Some(parents), name));
        check(path)?;
        if dataset.shape.len() > MAX_RANK {
            return Err("HDF5 has at most 32 dimensions");
        }
        let group = match parents {
            Some(parents) => self.group(parents).ok_or(TAKEN)?,
            None => self,
        };
        match group.members.entry(name.to_owned()) {
            Entry::Occupied(_) => Err(TAKEN),
            Entry::Vacant(place) => {
                place.insert(Member::Dataset(dataset));
                Ok(())
            }
        }
    }

    /// The group at a path, made if it is not there; `None` if a dataset is in the way.
    pub(crate) fn group(&mut self, path: &str) -> Option<&mut Self> {
        let mut group = self;
        for name in path.split('/') {
            let made = || Member::Group(Self::default());
            match group.members.entry(name.to_owned()).or_insert_with(made) {
                Member::Group(inner) => group = inner,
                Member::Dataset(_) => return None,
            }
        }
        Some(group)
    }
}

const TAKEN: &str = "a dataset and a group would have one name";

fn check(path: &str) -> Result<(), &'static str> {
    let mut components = path.split('/');
    match components.clone().count() {
        count if count > MAX_DEPTH => Err("its name has more than 256 components"),
        _ if components.any(|name| name.is_empty() || name == ".") => {
            Err("its name has a component that is empty or `.`")
        }
        _ if path.contains('\0') => Err("its name has a NUL byte"),
        _ => Ok(()),
    }
}

/// The metadata of a file of these groups and datasets.
pub(crate) fn encode(root: &Group) -> Image {
    let mut writer = Writer::new();
    let address = writer.group(root);
    writer.finish(address)
}
