//! The whole checkpoint as an HDF5 file of weights, for Keras and h5py. It consists of an image of the file's
//! metadata and each tensor's own extents, so no data is read or copied.
//!
//! | file | layout | for |
//! |---|---|---|
//! | `model.weights.h5` | variable `a/b/c` is dataset `/a/b/c` | Keras 3, which looks for `layers/dense/vars/0` |
//! | `model.h5` | layers, and lists of their weights | Keras 2 (tf_keras), which assumes Keras 3 for `.weights.h5` |
//!
//! Strings are padded to the longest string of a tensor. Variables that HDF5 or h5py cannot represent are not in the
//! file. They are listed in the root's attribute `ckptfs_left_out`, with the reason; a long list is split into
//! `ckptfs_left_out0`, `ckptfs_left_out1`, ….

mod form;
mod legacy;
mod order;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use form::Form;

use crate::cache::{Decode, Identity};
use crate::catalog::{Catalog, H5Layout, Variable};
use crate::extent::{Extent, VirtualFile};
use crate::format::hdf5_image::{self, ALIGNMENT, Attribute, Dataset, Group};
use crate::view::form::CheckpointView;

pub(super) const KERAS3: CheckpointView =
    whole("model.weights.h5", |catalog| catalog.h5_layout == H5Layout::Keras3);
pub(super) const LEGACY: CheckpointView = whole("model.h5", |catalog| catalog.h5_layout == H5Layout::Legacy);

const fn whole(name: &'static str, is_there: fn(&Catalog) -> bool) -> CheckpointView {
    CheckpointView {
        name,
        is_there,
        file,
        reads_values: true,
        left_out: |catalog| Contents::of(catalog).left_out,
    }
}

/// The attribute that lists the variables that are not in the file.
const LEFT_OUT: &str = "ckptfs_left_out";

/// Returns the file. Its image is not kept: until the file is read, only the image's length and the tensors' offsets
/// are needed.
fn file(catalog: &Arc<Catalog>) -> VirtualFile {
    let Contents { root, mut data, .. } = Contents::of(catalog);
    let image = hdf5_image::encode(&root);
    let len = image.metadata.len() as u64;
    let metadata = Extent::Decoded { data: Arc::new(Metadata { catalog: catalog.clone(), len }), len };
    let (mut extents, mut end, padding) = (vec![metadata], len, padding());
    for (id, begin) in image.places {
        extents.extend(padding.get((begin - end) as usize).cloned());
        let tensor = data.remove(&id).unwrap_or_default();
        end = begin + tensor.iter().map(Extent::len).sum::<u64>();
        extents.extend(tensor);
    }
    extents.into_iter().collect()
}

/// Returns zeros of every length that may be needed between two tensors, generated once.
fn padding() -> Vec<Extent> {
    (0..ALIGNMENT as usize).map(|len| Extent::from(vec![0; len])).collect()
}

/// The contents of the file. The id of a dataset is the position of its variable in the catalog.
struct Contents {
    root: Group,
    data: HashMap<usize, Vec<Extent>>,
    /// The variables that are not in the file, each with the reason.
    left_out: Vec<String>,
}

impl Contents {
    fn of(catalog: &Catalog) -> Self {
        let mut contents = Self { root: Group::default(), data: HashMap::new(), left_out: Vec::new() };
        contents.left_out = match catalog.h5_layout {
            H5Layout::Keras3 => contents.add_all(catalog),
            H5Layout::Legacy => legacy::add_all(&mut contents, catalog),
        };
        if !contents.left_out.is_empty() {
            contents.root.attributes.extend(Attribute::list(LEFT_OUT, contents.left_out.clone()));
        }
        contents
    }

    /// Adds each variable under its name. Returns the variables that were left out, with the reasons.
    fn add_all(&mut self, catalog: &Catalog) -> Vec<String> {
        let add = |(id, variable)| {
            let path = utf8(variable).and_then(|path| self.add(id, variable, path));
            path.err().map(|why| left_out(variable, why))
        };
        catalog.variables.iter().enumerate().filter_map(add).collect()
    }

    /// Adds a variable at a path. The error is the reason why it is left out.
    fn add(&mut self, id: usize, variable: &Variable, path: &str) -> Result<(), String> {
        let Form { datatype, attributes, data } = Form::of(variable)?;
        let len = data.iter().map(Extent::len).sum();
        let shape = variable.tensor.shape.0.to_vec();
        self.root.insert(path, Dataset { id, datatype, shape, len, attributes })?;
        self.data.insert(id, data);
        Ok(())
    }
}

fn utf8(variable: &Variable) -> Result<&str, String> {
    str::from_utf8(variable.name.as_bytes()).map_err(|_| "its name is not UTF-8".into())
}

fn left_out(variable: &Variable, why: impl std::fmt::Display) -> String {
    format!("{}: {why}", variable.name)
}

/// The metadata at the beginning of the file, generated again when it is read.
struct Metadata {
    catalog: Arc<Catalog>,
    len: u64,
}

impl Decode for Metadata {
    fn identity(&self) -> Identity {
        Identity { of: Arc::as_ptr(&self.catalog) as usize, to: KERAS3.name }
    }

    fn decode(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
        let image = hdf5_image::encode(&Contents::of(&self.catalog).root);
        let part = image.metadata.get(at as usize..at as usize + len);
        Ok(part.ok_or(io::ErrorKind::UnexpectedEof)?.to_vec())
    }

    /// Returns the whole length, because no part can be generated separately.
    fn block_len(&self) -> u64 {
        self.len
    }
}
