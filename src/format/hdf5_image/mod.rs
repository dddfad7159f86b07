//! The metadata of an HDF5 file whose datasets are contiguous and follow it. The file is this image, followed by the
//! values, regardless of where the values are stored.
//!
//! ```text
//! file   := superblock object… data…      superblock version 0; a parent follows its members; data is aligned
//! object := a dataset's header | a group's heap of names, table of members (B-tree, version 1), header
//! ```
//!
//! This is the oldest form of HDF5. Every reader supports it, and Keras writes its own files in it. Its tables are
//! sorted, so a lookup among 60,000 members is about as fast as among two. The nodes are small here, because most
//! groups are small.
//!
//! Invariants: names have no component that is empty or `.`, no NUL, and at most [`MAX_DEPTH`] components. No message
//! is longer than 64 KiB.

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

/// The maximum number of components of a name. Each component is a group, and readers follow the groups recursively.
pub(crate) const MAX_DEPTH: usize = 256;
/// The maximum number of dimensions of a dataset.
pub(crate) const MAX_RANK: usize = 32;
/// The alignment of a dataset's bytes.
pub(crate) const ALIGNMENT: u64 = 64;

/// A group of the file. The root is a group too.
#[derive(Clone, Debug, Default)]
pub(crate) struct Group {
    members: BTreeMap<String, Member>,
    /// The attributes of the group.
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
    /// The id that the caller gives it.
    pub(crate) id: usize,
    /// The type of its elements.
    pub(crate) datatype: Datatype,
    /// Its dimensions, at most [`MAX_RANK`].
    pub(crate) shape: Vec<u64>,
    /// The number of bytes of all its elements.
    pub(crate) len: u64,
    /// The attributes of the dataset.
    pub(crate) attributes: Vec<Attribute>,
}

/// A file without its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Image {
    /// The bytes at the beginning of the file.
    pub(crate) metadata: Vec<u8>,
    /// The ids of the datasets and the offsets in the file at which their bytes begin, ascending. Datasets without
    /// bytes are not listed.
    pub(crate) places: Vec<(usize, u64)>,
    /// Length of the file.
    pub(crate) len: u64,
}

impl Group {
    /// Inserts a dataset at a path of names separated by slashes. Missing groups are created.
    ///
    /// # Errors
    /// The reason why the dataset cannot have this path.
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

    /// Returns the group at a path, and creates it if it is missing. Returns `None` if a dataset has the path or a
    /// part of it.
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

/// Encodes the metadata of a file of these groups and datasets.
pub(crate) fn encode(root: &Group) -> Image {
    let mut writer = Writer::new();
    let address = writer.group(root);
    writer.finish(address)
}
