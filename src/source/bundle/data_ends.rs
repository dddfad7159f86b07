//! The ends of data files. An entry that goes past the end of its file is damaged. A file that a failed copy or
//! download left in the place of a data file has none of its values.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::catalog::TruncatedFile;
use crate::format::bundle::Entry;
use crate::source::sniff::{Probe, stand_in};
use crate::source_file::SourceFile;

/// The length up to which a data file is probed although it is long enough: a pointer of git-lfs is about as long as the
/// data of a tiny checkpoint.
const SMALL: u64 = 1024;

/// The data files, with the lengths that the entries need.
#[derive(Default)]
pub(super) struct DataEnds {
    /// The length that the entries of each data file need, by its number.
    needed: BTreeMap<u32, u64>,
    /// The offset of the first entry in each data file that goes past its end.
    first_lost: BTreeMap<u32, u64>,
    /// The data files that are something else, by their numbers, each with what it is and with advice.
    stand_ins: BTreeMap<u32, (&'static str, &'static str)>,
}

impl DataEnds {
    /// Probes the data files that are small.
    pub(super) fn of(shards: &[Arc<SourceFile>]) -> Self {
        let is_small = |shard: &Arc<SourceFile>| shard.size().is_some_and(|len| 0 < len && len <= SMALL);
        let small = (0..).zip(shards).filter(|(_, shard)| is_small(shard));
        let stand_ins = small.filter_map(|(number, shard)| Some((number, instead(shard)?))).collect();
        Self { stand_ins, ..Self::default() }
    }

    /// Records where an entry ends. Returns a description if its bytes are not all there.
    pub(super) fn note(&mut self, shard: &SourceFile, entry: &Entry) -> Option<String> {
        let Entry { shard: number, offset, size, .. } = *entry;
        let (name, len) = (shard.name(), shard.size()?);
        let end = offset.saturating_add(size);
        let needed = self.needed.entry(number).or_default();
        *needed = end.max(*needed);
        if let Some((what, _)) = self.stand_ins.get(&number).filter(|_| size > 0) {
            return Some(format!("in {name}, which is {what}"));
        }
        if end > len {
            let first = self.first_lost.entry(number).or_insert(offset);
            *first = offset.min(*first);
        }
        (end > len).then(|| format!("bytes {offset}+{size} past the end of {name} ({len} bytes)"))
    }

    /// Returns the files that end too early. Entries are stored without gaps, so if the first that is lost begins past
    /// the end, its offset is wrong and not the length of the file.
    pub(super) fn truncated(&self, shards: &[Arc<SourceFile>]) -> Vec<TruncatedFile> {
        let truncated = |(number, &needed): (&u32, &u64)| {
            let shard = &shards[*number as usize];
            let (len, known) = (shard.size()?, self.stand_ins.get(number).copied());
            let is_cut = self.first_lost.get(number).is_some_and(|first| *first <= len);
            (known.is_some() || is_cut).then(|| {
                let instead = known.or_else(|| instead(shard));
                TruncatedFile { path: shard.path().into(), len, needed, instead }
            })
        };
        self.needed.iter().filter_map(truncated).collect()
    }
}

fn instead(shard: &SourceFile) -> Option<(&'static str, &'static str)> {
    Probe::of_data(shard).as_ref().and_then(stand_in).map(|kind| (kind.what, kind.advice))
}
