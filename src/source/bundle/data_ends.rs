//! The variables that lie beyond the ends of their data files. A truncated data file is reported as one fault,
//! regardless of the number of variables that are lost.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::format::bundle::{Entry, Slice};
use crate::graph;
use crate::source::error::{Cut, Fault};
use crate::source_file::SourceFile;
use crate::tensor::slices::text;

/// The entries beyond the ends of data files, by the number of the data file.
#[derive(Default)]
pub(crate) struct DataEnds {
    /// The number of variables in the index, without the object graph.
    pub(crate) all: usize,
    beyond: BTreeMap<u32, Vec<Beyond>>,
    /// The minimum length of each data file, according to the entries that were read.
    needed: BTreeMap<u32, u64>,
}

/// An entry that lies beyond the end of its data file, at least in part.
struct Beyond {
    key: Vec<u8>,
    slice: Option<String>,
    offset: u64,
    size: u64,
}

impl DataEnds {
    /// Records where an entry ends. Returns true if the entry ends beyond the end of its data file.
    pub(crate) fn note(
        &mut self,
        shards: &[Arc<SourceFile>],
        key: &[u8],
        slice: Option<&Slice>,
        entry: &Entry,
    ) -> bool {
        let Entry { shard, offset, size, .. } = *entry;
        let end = offset.checked_add(size).filter(|_| entry.slices.is_empty());
        let (Some(end), Some(file)) = (end, shards.get(shard as usize)) else { return false };
        let needed = self.needed.entry(shard).or_default();
        *needed = end.max(*needed);
        let is_beyond = file.size().is_some_and(|len| end > len);
        if is_beyond {
            let (key, slice) = (key.to_vec(), slice.map(text));
            self.beyond.entry(shard).or_default().push(Beyond { key, slice, offset, size });
        }
        is_beyond
    }

    /// Returns the truncated files. If only one entry lies beyond the end of a file, that is returned as a fault of
    /// the entry.
    pub(crate) fn judge(self, shards: &[Arc<SourceFile>]) -> (Vec<Cut>, Vec<Fault>) {
        let (mut cuts, mut faults) = (Vec::new(), Vec::new());
        for (number, entries) in &self.beyond {
            let shard = &shards[*number as usize];
            match entries.as_slice() {
                [entry] => faults.push(entry.fault(shard)),
                entries => cuts.push(self.cut(shard, self.needed[number], entries)),
            }
        }
        (cuts, faults)
    }

    fn cut(&self, shard: &SourceFile, needed: u64, entries: &[Beyond]) -> Cut {
        let variables = entries.iter().map(|entry| entry.key.as_slice());
        let variables: HashSet<_> = variables.filter(|key| *key != graph::KEY.as_bytes()).collect();
        let (path, len) = (shard.path().into(), shard.size().unwrap_or_default());
        Cut { path, len, needed, beyond: variables.len(), all: self.all }
    }
}

impl Beyond {
    fn fault(&self, shard: &SourceFile) -> Fault {
        let Self { key, slice, offset, size } = self;
        let slice = slice.as_ref().map_or(String::new(), |slice| format!("slice {slice}: "));
        let (name, len) = (shard.name(), shard.size().unwrap_or_default());
        let what = format!("{slice}bytes {offset}+{size} past the end of {name} ({len} bytes)");
        Fault { key: key.as_slice().into(), what }
    }
}
