//! The V2 TensorBundle: an index of entries, and data files that the entries point into.
//!
//! Every entry is checked before anything is served, because TensorFlow does not check them: an entry that TensorFlow
//! cannot parse aborts its process, and an entry with a wrong offset reads as other numbers. A variable whose entry is
//! wrong, or whose bytes are lost, is damaged; the others are sound. Big-endian numbers are converted when they are read.

mod data_ends;
mod partitions;

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;

use crate::catalog::{Catalog, Objects, keys};
use crate::directory::Directory;
use crate::dtype::Dtype;
use crate::extent::Extent;
use crate::format::bundle::{Endianness, Entry, Header};
use crate::format::{Malformed, slice_key, table, v1};
use crate::graph::Graph;
use crate::name::Name;
use crate::source::bundle::data_ends::DataEnds;
use crate::source::bundle::partitions::Partitions;
use crate::source::checkpoint::Checkpoint;
use crate::source::error::Error;
use crate::source::object_graph;
use crate::source::prefix::Prefix;
use crate::source_file::SourceFile;
use crate::tensor::{Damage, Shape, Tensor};
use crate::{graph, source_file};

/// The maximum number of shards, far above any real number. Each shard is a file to open.
const MAX_SHARDS: u32 = 100_000;
/// The maximum length of an index, far above any real one: a million variables take a tenth of it. The index is read
/// into memory whole.
const MAX_INDEX: u64 = 1 << 30;
/// The message for a V1 checkpoint, whose values are in the same file.
const V1: &str = "this is a whole TensorFlow V1 checkpoint (SaverDef.V1), not an index\n  help: give it a name without `.index`";

/// Opens a bundle.
///
/// # Errors
/// The same as those of [`crate::source::open`].
pub(crate) fn open(prefix: &Prefix, directory: &Arc<Directory>) -> Result<Checkpoint, Error> {
    let index = Arc::new(SourceFile::open_in(directory, &prefix.head));
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
    let rows = Rows::read(prefix, directory, index, &file)?;
    let warnings = rows.missing_shards();
    let catalog = rows.into_catalog();
    Ok(Checkpoint { prefix: prefix.clone(), catalog, stamp, warnings })
}

/// The rows of an index, while they are read and checked.
struct Rows<'a> {
    prefix: &'a Prefix,
    directory: &'a Arc<Directory>,
    index: Arc<SourceFile>,
    header: Option<Header>,
    shards: Vec<Arc<SourceFile>>,
    tensors: Vec<(Name, Arc<Tensor>)>,
    graph: Option<Tensor>,
    /// The slices that belong to no variable yet.
    partitions: Partitions,
    /// The ends of the data files.
    ends: DataEnds,
    /// True if the file is not an index but a whole V1 checkpoint.
    is_v1: bool,
}

impl<'a> Rows<'a> {
    /// Reads all rows.
    fn read(
        prefix: &'a Prefix,
        directory: &'a Arc<Directory>,
        index: Arc<SourceFile>,
        file: &[u8],
    ) -> Result<Self, Error> {
        let (header, shards, tensors) = (None, Vec::new(), Vec::new());
        let mut rows = Self {
            prefix,
            directory,
            index,
            header,
            shards,
            tensors,
            graph: None,
            partitions: Partitions::default(),
            ends: DataEnds::default(),
            is_v1: false,
        };
        let decoded = table::decode_with(file, |key, value, at| rows.row(key, value, at));
        decoded.map_err(|error| match rows.is_v1 {
            true => Error::Unsupported(prefix.index(), V1.into()),
            false => Error::Malformed(prefix.index(), error),
        })?;
        rows.refuse_unsupported()?;
        rows.damage_unclaimed();
        Ok(rows)
    }

    /// Marks the variables as damaged that have slices which they do not list.
    fn damage_unclaimed(&mut self) {
        let mut unclaimed: HashMap<Name, String> = std::mem::take(&mut self.partitions)
            .unclaimed()
            .map(|(name, what)| (name.into(), what))
            .collect();
        for (name, tensor) in &mut self.tensors {
            if let Some(what) = unclaimed.remove(name) {
                let (dtype, shape) = (tensor.dtype, tensor.shape.clone());
                *tensor = Tensor::damaged(dtype, shape, Damage::described(&what, None)).into();
            }
        }
        let nameless = unclaimed.into_iter().map(|(name, what)| (name, Tensor::undescribed(&what).into()));
        self.tensors.extend(nameless);
    }

    fn row(&mut self, key: &[u8], value: &[u8], at: u64) -> Result<(), Malformed> {
        if self.header.is_none() {
            return self.header_row(key, value, at);
        }
        let entry = Entry::decode(value).map_err(|error| format!("the entry does not parse: {error} of it"));
        match key {
            key if slice_key::is_slice_key(key) => self.slice(key, entry),
            key if key == graph::KEY.as_bytes() => self.graph = Some(self.whole(key, entry)),
            key => {
                let tensor = self.whole(key, entry);
                self.tensors.push((key.into(), tensor.into()));
            }
        }
        Ok(())
    }

    /// Adds the row of a slice. The rows of slices come before the rows of names.
    fn slice(&mut self, key: &[u8], entry: Result<Entry, String>) {
        let tensor = match entry {
            Ok(entry) if !entry.slices.is_empty() => Tensor::undescribed("lists slices itself"),
            Ok(entry) => self.tensor(&entry).unwrap_or_else(|what| lost(&entry, self.damage(&entry, &what))),
            Err(what) => Tensor::undescribed(&what),
        };
        match slice_key::decode(key) {
            Ok((name, slice)) => self.partitions.add(name, slice, tensor),
            Err(error) => {
                let what = format!("not the key of a slice: {error}");
                self.tensors.push((key.into(), Tensor::undescribed(&what).into()));
            }
        }
    }

    /// Returns the tensor of a name.
    fn whole(&mut self, key: &[u8], entry: Result<Entry, String>) -> Tensor {
        let entry = match entry {
            Ok(entry) => entry,
            Err(what) => return Tensor::undescribed(&what),
        };
        let tensor = match entry.slices.is_empty() {
            true => self.tensor(&entry).map_err(|what| self.damage(&entry, &what)),
            false if key == graph::KEY.as_bytes() => {
                Err(Damage::described("in slices, which an object graph never is", None))
            }
            false => self.partitions.claim(key, &entry),
        };
        tensor.unwrap_or_else(|damage| lost(&entry, damage))
    }

    /// Returns the damage of an entry, with the place that it claims.
    fn damage(&self, entry: &Entry, what: &str) -> Damage {
        let shard = self.shards.get(entry.shard as usize);
        Damage::described(what, shard.map(|shard| (shard.clone(), entry.offset, entry.size)))
    }

    fn header_row(&mut self, key: &[u8], value: &[u8], at: u64) -> Result<(), Malformed> {
        let here = |what: String| Malformed { what: what.into(), at };
        if !key.is_empty() {
            return Err(here(format!(
                "the first key is {:?} instead of the header's empty one",
                Name::from(key)
            )));
        }
        let header = Header::decode(value);
        self.is_v1 = header.is_err() && v1::Meta::decode(value).is_ok();
        let header = header.map_err(|error| here(format!("the header does not parse: {error} of it")))?;
        if header.num_shards > MAX_SHARDS {
            return Err(here(format!("the header claims {} data files", header.num_shards)));
        }
        source_file::make_room(header.num_shards.into());
        let name = |shard| self.prefix.data_name(shard, header.num_shards);
        let open = |shard| Arc::new(SourceFile::open_in(self.directory, &name(shard)));
        self.shards = (0..header.num_shards).map(open).collect();
        self.ends = DataEnds::of(&self.shards);
        self.header = Some(header);
        Ok(())
    }

    fn refuse_unsupported(&self) -> Result<(), Error> {
        let refuse = |what: String| Err(Error::Unsupported(self.prefix.index(), what));
        let Some(header) = &self.header else {
            return Err(Error::Malformed(
                self.prefix.index(),
                Malformed::new("no rows, not even a header", 0),
            ));
        };
        if let Err(incompatible) = header.check_version() {
            return refuse(format!("{incompatible}; TensorFlow refuses it too"));
        }
        Ok(())
    }

    /// Returns the tensor of an entry. Checks that dtype, shape, size and data file agree with each other.
    fn tensor(&mut self, entry: &Entry) -> Result<Tensor, String> {
        let dtype = Dtype::of_stored(entry.dtype)?;
        let shape = Shape(entry.shape.as_slice().into());
        check_size(dtype, &shape, entry.size)?;
        let shard = self.shards.get(entry.shard as usize).ok_or_else(|| {
            format!(
                "in data file number {}, but the header has {}, counted from 0",
                entry.shard,
                self.shards.len()
            )
        })?;
        if let Some(what) = self.ends.note(shard, entry) {
            return Err(what);
        }
        let Entry { offset, size, .. } = *entry;
        if offset.checked_add(size).is_none_or(|end| end > i64::MAX as u64) {
            return Err(format!("bytes {offset}+{size} overflow"));
        }
        let data = vec![Extent::Range { file: shard.clone(), offset, len: size }];
        let tensor = Tensor::new(dtype, shape, data, Some(entry.crc32c));
        if self.is_big_endian() { Tensor::from_big_endian(tensor) } else { Ok(tensor) }
    }

    fn is_big_endian(&self) -> bool {
        self.header.as_ref().is_some_and(|header| header.endianness == Endianness::Big)
    }

    /// Returns a warning for each data file that cannot be read and that variables need.
    fn missing_shards(&self) -> Vec<String> {
        let missing = || self.shards.iter().filter(|shard| shard.fault().is_some());
        let mut lost: HashMap<*const SourceFile, usize> =
            missing().map(|shard| (Arc::as_ptr(shard), 0)).collect();
        let tensors = if lost.is_empty() { &[][..] } else { &self.tensors };
        for (_, tensor) in tensors {
            let shards: HashSet<_> = tensor.ranges().iter().map(|(shard, ..)| Arc::as_ptr(shard)).collect();
            shards.iter().for_each(|shard| *lost.entry(*shard).or_default() += 1);
        }
        let warning = |shard: &Arc<SourceFile>| {
            let lost = *lost.get(&Arc::as_ptr(shard))?;
            let reason = shard.fault().map(ToString::to_string).unwrap_or_default();
            (lost > 0).then(|| {
                let (path, all) = (shard.path().display(), self.tensors.len());
                format!("{path}: {reason}; {lost} of {all} variables have names and shapes but no values")
            })
        };
        missing().filter_map(warning).collect()
    }

    fn into_catalog(self) -> Catalog {
        // The index that is written here is little-endian. The index of a big-endian source cannot be reused for it.
        let index = (!self.is_big_endian()).then(|| self.index.clone());
        let truncated = self.ends.truncated(&self.shards);
        let (objects, mut variables) = match self.graph {
            None => (None, self.tensors.into_iter().map(keys::name_based).collect::<Vec<_>>()),
            Some(tensor) => {
                let (graph, tensor) = read_graph(tensor);
                let variables = keys::object_based(graph.as_ref(), self.tensors);
                (Some(Objects { graph: graph.map(Arc::new), tensor: Arc::new(tensor) }), variables)
            }
        };
        variables.sort_by(|a, b| a.name.cmp(&b.name));
        Catalog { variables, objects, index, shards: self.shards, truncated, ..Catalog::default() }
    }
}

/// Returns the damaged tensor of an entry.
fn lost(entry: &Entry, damage: Damage) -> Tensor {
    match Dtype::of_stored(entry.dtype) {
        Ok(dtype) => Tensor::damaged(dtype, Shape(entry.shape.as_slice().into()), damage),
        Err(_) => Tensor::undescribed(&damage.what),
    }
}

/// Returns the object graph and its tensor, which is damaged if there is no graph in it. The graph is `None` too if its
/// data file is missing.
fn read_graph(tensor: Tensor) -> (Option<Graph>, Tensor) {
    if tensor.damage().is_some() {
        return (None, tensor);
    }
    match object_graph::read(&tensor) {
        Ok(graph) => (graph, tensor),
        Err(what) => {
            let range = tensor.ranges().first().map(|(file, at, len)| (Arc::clone(file), *at, *len));
            (None, Tensor::damaged(tensor.dtype, tensor.shape.clone(), Damage::described(&what, range)))
        }
    }
}

/// Checks that a tensor of this dtype and shape takes `size` bytes. Elements of variable size take a length byte
/// each, and checksums.
fn check_size(dtype: Dtype, shape: &Shape, size: u64) -> Result<(), String> {
    let elements = shape.num_elements().ok_or_else(|| format!("shape {shape} has too many elements"))?;
    let (least, exact) = match (dtype.width(), dtype) {
        (Some(width), _) => (elements.checked_mul(width), true),
        (None, Dtype::Variant) => (elements.checked_mul(5), false),
        (None, _) => (elements.checked_add(4), false),
    };
    let least = least.ok_or_else(|| format!("{dtype} {shape} takes too many bytes"))?;
    match size == least || !exact && size > least {
        true => Ok(()),
        false => Err(format!(
            "{size} bytes, but {dtype} {shape} takes {}{least}",
            if exact { "" } else { "at least " }
        )),
    }
}
