//! The V2 TensorBundle: an index of entries, and data files that the entries point into.
//!
//! Every entry is checked before anything is served, because TensorFlow does not: an entry it cannot parse aborts its
//! process, and one out of place reads as other numbers.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::Arc;

use super::error::{Error, Fault};
use super::{Checkpoint, Prefix, Source, identify, object_graph};
use crate::catalog::{Catalog, Objects, Variable};
use crate::dtype::Dtype;
use crate::extent::Extent;
use crate::folder::Folder;
use crate::format::bundle::{Endianness, Entry, Header};
use crate::format::{Malformed, slice_key, table};
use crate::graph::{self, Graph};
use crate::name::Name;
use crate::shard::{self, Shard};
use crate::tensor::{Shape, Tensor};

pub(super) const SOURCE: Source =
    Source { detect: |prefix, folder| folder.metadata(&prefix.index_name()).is_ok(), open };

/// Far beyond any real number of shards; each is a file to be opened.
const MAX_SHARDS: u32 = 100_000;
/// Far beyond any real index, which is read whole: a million variables take a tenth of it.
const MAX_INDEX: u64 = 1 << 30;

fn open(prefix: &Prefix, folder: &Arc<Folder>) -> Result<Checkpoint, Error> {
    let index = Arc::new(Shard::open_in(folder, &prefix.index_name()));
    let unreadable =
        |error: &io::Error| Error::Io(prefix.index(), io::Error::new(error.kind(), error.to_string()));
    let Some(stamp) = index.stamp() else {
        return Err(index.fault().map(unreadable).expect("a shard has a stamp or a fault"));
    };
    if stamp.len > MAX_INDEX {
        let what = format!("{} bytes, far more than the index of any checkpoint has", stamp.len);
        return Err(Error::Unsupported(prefix.index(), what));
    }
    let mut file = vec![0; stamp.len as usize];
    index.read_exact_at(&mut file, 0).map_err(|error| unreadable(&error))?;
    let rows = Rows::read(prefix, folder, index, &file)?;
    let warnings = rows.missing_shards();
    let catalog = rows.into_catalog()?;
    Ok(Checkpoint { prefix: prefix.clone(), catalog, stamp, warnings })
}

/// The rows of an index while they are read and checked.
struct Rows<'a> {
    prefix: &'a Prefix,
    folder: &'a Arc<Folder>,
    index: Arc<Shard>,
    header: Option<Header>,
    shards: Vec<Arc<Shard>>,
    tensors: Vec<(Name, Tensor)>,
    graph: Option<Tensor>,
    partitioned: BTreeSet<Name>,
    faults: Vec<Fault>,
}

impl<'a> Rows<'a> {
    /// Reads all rows; an error has everything that is wrong with them.
    fn read(
        prefix: &'a Prefix,
        folder: &'a Arc<Folder>,
        index: Arc<Shard>,
        file: &[u8],
    ) -> Result<Self, Error> {
        let (header, shards, tensors) = (None, Vec::new(), Vec::new());
        let mut rows = Self {
            prefix,
            folder,
            index,
            header,
            shards,
            tensors,
            graph: None,
            partitioned: BTreeSet::new(),
            faults: vec![],
        };
        let decoded = table::decode_with(file, |key, value, at| rows.row(key, value, at));
        decoded.map_err(|error| malformed(prefix, folder, error))?;
        rows.refuse_unsupported()?;
        match rows.faults.is_empty() {
            true => Ok(rows),
            false => Err(Error::Entries(prefix.index(), rows.faults)),
        }
    }

    fn row(&mut self, key: &[u8], value: &[u8], at: u64) -> Result<(), Malformed> {
        if self.header.is_none() {
            return self.header_row(key, value, at);
        }
        match Entry::decode(value).map_err(|error| format!("the entry does not parse: {error} of it")) {
            Ok(_) if slice_key::is_slice_key(key) => match slice_key::decode(key) {
                Ok((name, _)) => drop(self.partitioned.insert(name.into())),
                Err(error) => self
                    .faults
                    .push(Fault { key: key.into(), what: format!("not the key of a slice: {error}") }),
            },
            Ok(entry) if !entry.slices.is_empty() => drop(self.partitioned.insert(key.into())),
            entry => match entry.and_then(|entry| self.tensor(&entry)) {
                Ok(tensor) if key == graph::KEY.as_bytes() => self.graph = Some(tensor),
                Ok(tensor) => self.tensors.push((key.into(), tensor)),
                Err(what) => self.faults.push(Fault { key: key.into(), what }),
            },
        }
        Ok(())
    }

    fn header_row(&mut self, key: &[u8], value: &[u8], at: u64) -> Result<(), Malformed> {
        let here = |what: String| Malformed { what: what.into(), at };
        if !key.is_empty() {
            return Err(here(format!(
                "the first key is {:?} instead of the header's empty one",
                Name::from(key)
            )));
        }
        let header = Header::decode(value)
            .map_err(|error| here(format!("the header does not parse: {error} of it")))?;
        if header.num_shards > MAX_SHARDS {
            return Err(here(format!("the header claims {} data files", header.num_shards)));
        }
        shard::make_room(header.num_shards.into());
        let name = |shard| self.prefix.data_name(shard, header.num_shards);
        let open = |shard| Arc::new(Shard::open_in(self.folder, &name(shard)));
        self.shards = (0..header.num_shards).map(open).collect();
        self.header = Some(header);
        Ok(())
    }

    fn refuse_unsupported(&self) -> Result<(), Error> {
        let refuse = |what: String| Err(Error::Unsupported(self.prefix.index(), what));
        let Some(header) = &self.header else {
            return Err(malformed(self.prefix, self.folder, Malformed::new("no rows, not even a header", 0)));
        };
        if let Err(incompatible) = header.check_version() {
            return refuse(format!("{incompatible}; TensorFlow refuses it too"));
        }
        if header.endianness == Endianness::Big {
            return refuse(
                "written on a big-endian machine, which this version of ckptfs does not read yet".into(),
            );
        }
        match self.partitioned.is_empty() {
            true => Ok(()),
            false => refuse(partitioned(&self.partitioned)),
        }
    }

    /// The tensor of an entry whose every number agrees with the others and with the data file.
    fn tensor(&self, entry: &Entry) -> Result<Tensor, String> {
        let dtype = Dtype::from_tensorflow(entry.dtype).ok_or_else(|| no_dtype(entry.dtype))?;
        let shape = Shape(entry.shape.as_slice().into());
        check_size(dtype, &shape, entry.size)?;
        let shard = self.shards.get(entry.shard as usize).ok_or_else(|| {
            format!(
                "in data file number {}, but the header has {}, counted from 0",
                entry.shard,
                self.shards.len()
            )
        })?;
        let Entry { offset, size, .. } = *entry;
        let fits = |len: u64| offset.checked_add(size).is_some_and(|end| end <= len);
        match shard.len() {
            Some(len) if !fits(len) => {
                return Err(format!("bytes {offset}+{size} past the end of {} ({len} bytes)", shard.name()));
            }
            None if !fits(i64::MAX as u64) => return Err(format!("bytes {offset}+{size} overflow")),
            _ => {}
        }
        let data = vec![Extent::Range { shard: shard.clone(), offset, len: size }];
        Ok(Tensor::new(dtype, shape, data, Some(entry.crc32c)))
    }

    /// A warning for each data file that cannot be read and that variables need.
    fn missing_shards(&self) -> Vec<String> {
        let missing = self.shards.iter().filter(|shard| shard.fault().is_some());
        let warning = |shard: &Arc<Shard>| {
            let within = |tensor: &Tensor| matches!(&tensor.data[..], [Extent::Range { shard: at, .. }] if Arc::ptr_eq(at, shard));
            let lost = self.tensors.iter().filter(|(_, tensor)| within(tensor)).count();
            let reason = shard.fault().map(ToString::to_string).unwrap_or_default();
            (lost > 0).then(|| {
                let (path, all) = (shard.path().display(), self.tensors.len());
                format!("{path}: {reason}; {lost} of {all} variables have names and shapes but no values")
            })
        };
        missing.filter_map(warning).collect()
    }

    fn into_catalog(self) -> Result<Catalog, Error> {
        let (objects, mut variables) = match self.graph {
            None => (None, self.tensors.into_iter().map(name_based).collect::<Vec<_>>()),
            Some(tensor) => {
                let refuse =
                    |what| Error::Entries(self.prefix.index(), vec![Fault { key: graph::KEY.into(), what }]);
                let graph = object_graph::read(&tensor).map_err(refuse)?;
                let variables = object_based(graph.as_ref(), self.tensors);
                (Some(Objects { graph: graph.map(Arc::new), tensor: Arc::new(tensor) }), variables)
            }
        };
        variables.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Catalog {
            variables,
            objects,
            index: Some(self.index),
            shards: self.shards,
            h5_layout: Default::default(),
        })
    }
}

fn name_based((name, tensor): (Name, Tensor)) -> Variable {
    Variable { name, key: None, plain_key: None, full_name: None, tensor: Arc::new(tensor), origin: None }
}

/// Variables under the names that the graph gives their keys; the keys' own without a graph.
fn object_based(graph: Option<&Graph>, mut tensors: Vec<(Name, Tensor)>) -> Vec<Variable> {
    let plain = graph.map_or_else(HashMap::new, |graph| take_plain_keys(graph, &mut tensors));
    let keys: Vec<_> = tensors.iter().map(|(key, _)| key.as_bytes()).collect();
    let names: Vec<(Name, Option<Name>)> = match graph {
        Some(graph) => {
            graph.names(&keys).into_iter().map(|n| (n.visible.into(), n.full_name.map(Name::from))).collect()
        }
        None => keys.iter().map(|key| (graph::key::stem(key).into(), None)).collect(),
    };
    let variable = |((name, full_name), (key, tensor))| Variable {
        name,
        plain_key: plain.get(&key).cloned(),
        key: Some(key),
        full_name,
        tensor: Arc::new(tensor),
        origin: None,
    };
    names.into_iter().zip(tensors).map(variable).collect()
}

/// Takes out the keys that are a full name in the graph, and lead to the very bytes that the graph's own key leads to:
/// second keys for programs of TF1. By the graph's key.
fn take_plain_keys(graph: &Graph, tensors: &mut Vec<(Name, Tensor)>) -> HashMap<Name, Name> {
    let find = |key: &[u8]| {
        let at = tensors.binary_search_by(|(other, _)| other.as_bytes().cmp(key)).ok()?;
        Some(&tensors[at].1)
    };
    let attributes = graph.objects().nodes.iter().flat_map(|node| &node.attributes);
    let plain: HashMap<Name, Name> = attributes
        .filter(|attribute| graph::key::split(attribute.full_name.as_bytes()).is_none())
        .filter_map(|attribute| {
            let (key, full_name) = (attribute.checkpoint_key.as_bytes(), attribute.full_name.as_bytes());
            same_bytes(find(key)?, find(full_name)?).then(|| (key.into(), full_name.into()))
        })
        .collect();
    let gone: BTreeSet<_> = plain.values().collect();
    tensors.retain(|(key, _)| !gone.contains(key));
    plain
}

fn same_bytes(a: &Tensor, b: &Tensor) -> bool {
    let place = |tensor: &Tensor| match tensor.data[..] {
        [Extent::Range { ref shard, offset, len }] => Some((Arc::as_ptr(shard), offset, len)),
        _ => None,
    };
    (a.dtype, &a.shape) == (b.dtype, &b.shape) && place(a).is_some() && place(a) == place(b)
}

/// A damaged index, or another file under an index's name.
fn malformed(prefix: &Prefix, folder: &Folder, error: Malformed) -> Error {
    let index = folder.reach(&prefix.index_name());
    match identify::is_table_at(&index) {
        true => Error::Malformed(prefix.index(), error),
        false if identify::identify(&index).is_some() => Error::not_an_index(prefix, folder),
        false => Error::Malformed(prefix.index(), error),
    }
}

fn no_dtype(number: u32) -> String {
    match number {
        0 => "has no dtype".into(),
        101..=199 => format!("dtype {number} is a reference, which is never stored"),
        _ => format!("dtype {number} is unknown"),
    }
}

/// Whether `size` bytes hold such a tensor. Elements of varying size take a length byte each and checksums.
fn check_size(dtype: Dtype, shape: &Shape, size: u64) -> Result<(), String> {
    let elements =
        shape.num_elements().ok_or_else(|| format!("shape {shape} has more elements than can be"))?;
    let (least, exact) = match (dtype.width(), dtype) {
        (Some(width), _) => (elements.checked_mul(width), true),
        (None, Dtype::Variant) => (elements.checked_mul(5), false),
        (None, _) => (elements.checked_add(4), false),
    };
    let least = least.ok_or_else(|| format!("{dtype} {shape} takes more bytes than can be"))?;
    match size == least || !exact && size > least {
        true => Ok(()),
        false => Err(format!(
            "{size} bytes, but {dtype} {shape} takes {}{least}",
            if exact { "" } else { "at least " }
        )),
    }
}

fn partitioned(names: &BTreeSet<Name>) -> String {
    let listed: Vec<_> = names.iter().take(3).map(Name::to_string).collect();
    let more = if names.len() > 3 { format!(" and {} more", names.len() - 3) } else { String::new() };
    format!(
        "{}{more}: partitioned (saved in slices), which this version of ckptfs does not read yet\n  \
         help: saving it anew without a partitioner makes it whole",
        listed.join(", ")
    )
}
