//! The writer of a table. Its output equals that of TensorFlow's writer byte for byte: blocks of 256 KiB, a restart
//! every 16 entries, the shortest possible separators, no compression.

use crate::format::crc::Masked;
use crate::format::table::block::RAW;
use crate::format::table::{FOOTER, MAGIC};
use crate::format::varint::put;

const BLOCK: usize = 256 << 10;
const RESTART_INTERVAL: usize = 16;
const INDEX_RESTART_INTERVAL: usize = 1;

/// The minimum size of a row that starts a new block.
const OVERSIZE: usize = 2 * BLOCK;

/// Encodes the table of `rows`, whose keys must increase strictly.
pub fn encode<K: AsRef<[u8]>, V: AsRef<[u8]>>(rows: impl IntoIterator<Item = (K, V)>) -> Vec<u8> {
    let mut writer = Writer::default();
    for (key, value) in rows {
        writer.add(key.as_ref(), value.as_ref());
    }
    writer.finish()
}

struct Writer {
    file: Vec<u8>,
    data: BlockWriter,
    index: BlockWriter,
    /// The handle of a finished block. Its separator depends on the next key.
    pending: Option<Vec<u8>>,
}

impl Default for Writer {
    fn default() -> Self {
        let data = BlockWriter::new(RESTART_INTERVAL);
        Self { file: Vec::new(), data, index: BlockWriter::new(INDEX_RESTART_INTERVAL), pending: None }
    }
}

impl Writer {
    fn add(&mut self, key: &[u8], value: &[u8]) {
        debug_assert!(self.file.is_empty() && self.data.entries.is_empty() || *self.data.last_key < *key);
        if key.len().saturating_add(value.len()) >= OVERSIZE {
            self.flush();
        }
        if let Some(handle) = self.pending.take() {
            self.index.add(&separator(&self.data.last_key, key), &handle);
        }
        self.data.add(key, value);
        if self.data.size() >= BLOCK {
            self.flush();
        }
    }

    /// Ends the data block, unless it is empty.
    fn flush(&mut self) {
        if !self.data.entries.is_empty() {
            self.pending = Some(self.data.end(&mut self.file));
        }
    }

    fn finish(mut self) -> Vec<u8> {
        self.flush();
        let mut footer = BlockWriter::new(RESTART_INTERVAL).end(&mut self.file);
        if let Some(handle) = self.pending {
            self.index.add(&successor(&self.data.last_key), &handle);
        }
        footer.extend(self.index.end(&mut self.file));
        footer.resize(FOOTER.saturating_sub(MAGIC.len()), 0);
        footer.extend(MAGIC);
        self.file.extend(footer);
        self.file
    }
}

/// Returns the shortest key from `last` on that is still before `next`, according to TensorFlow's rule.
fn separator(last: &[u8], next: &[u8]) -> Vec<u8> {
    let shared = shared_len(last, next);
    match (last.get(shared), next.get(shared)) {
        (Some(byte), Some(limit)) => match byte.checked_add(1) {
            Some(above) if above < *limit => with_last(last, shared, above),
            _ => last.to_vec(),
        },
        _ => last.to_vec(),
    }
}

/// Returns the shortest key after `last`, according to TensorFlow's rule.
fn successor(last: &[u8]) -> Vec<u8> {
    let raised = last.iter().enumerate().find_map(|(at, byte)| Some((at, byte.checked_add(1)?)));
    raised.map_or_else(|| last.to_vec(), |(at, above)| with_last(last, at, above))
}

fn with_last(key: &[u8], at: usize, byte: u8) -> Vec<u8> {
    key.iter().copied().take(at).chain([byte]).collect()
}

/// Returns the length of the common prefix. Compares words first, because names share long prefixes.
#[inline]
fn shared_len(a: &[u8], b: &[u8]) -> usize {
    const WORD: usize = size_of::<u64>();
    let (words, _) = a.as_chunks::<WORD>();
    let (other_words, _) = b.as_chunks::<WORD>();
    let shared = words.iter().zip(other_words).take_while(|(a, b)| a == b).count().saturating_mul(WORD);
    let tail = a.iter().skip(shared).zip(b.iter().skip(shared)).take_while(|(a, b)| a == b).count();
    shared.saturating_add(tail)
}

/// A block that is being written.
struct BlockWriter {
    interval: usize,
    entries: Vec<u8>,
    restarts: Vec<u32>,
    /// The number of entries since the last restart.
    run: usize,
    last_key: Vec<u8>,
}

impl BlockWriter {
    fn new(interval: usize) -> Self {
        Self { interval, entries: Vec::new(), restarts: Vec::new(), run: interval, last_key: Vec::new() }
    }

    fn add(&mut self, key: &[u8], value: &[u8]) {
        let mut shared = 0;
        if self.run >= self.interval {
            self.restarts.push(offset(&self.entries));
            self.run = 0;
        } else {
            shared = shared_len(&self.last_key, key);
        }
        let suffix = key.get(shared..).unwrap_or_default();
        for len in [shared, suffix.len(), value.len()] {
            put(&mut self.entries, len as u64);
        }
        self.entries.extend_from_slice(suffix);
        self.entries.extend_from_slice(value);
        self.last_key.truncate(shared);
        self.last_key.extend_from_slice(suffix);
        self.run = self.run.saturating_add(1);
    }

    /// Returns the current length of the contents.
    fn size(&self) -> usize {
        let array = self.restarts.len().saturating_add(1).saturating_mul(size_of::<u32>());
        self.entries.len().saturating_add(array)
    }

    /// Appends the block to `file`, and returns its handle. The next entry begins a new block.
    fn end(&mut self, file: &mut Vec<u8>) -> Vec<u8> {
        if self.restarts.is_empty() {
            self.restarts.push(0);
        }
        let start = file.len();
        file.append(&mut self.entries);
        self.restarts.iter().for_each(|offset| file.extend(offset.to_le_bytes()));
        file.extend(offset(&self.restarts).to_le_bytes());
        let len = file.len().saturating_sub(start);
        file.push(RAW);
        let crc = Masked::of(file.get(start..).unwrap_or_default());
        file.extend(crc.0.to_le_bytes());
        self.restarts.clear();
        self.run = self.interval;
        handle(start, len)
    }
}

fn handle(start: usize, len: usize) -> Vec<u8> {
    let mut handle = Vec::new();
    put(&mut handle, start as u64);
    put(&mut handle, len as u64);
    handle
}

/// Returns a length inside a block. The format keeps these below 4 GiB, and the sizes of keys and values too.
fn offset<T>(of: &[T]) -> u32 {
    u32::try_from(of.len()).unwrap_or(u32::MAX)
}
