//! The built-in sample: a small checkpoint with the variable names of BERT, in TensorFlow's format.

use std::path::Path;
use std::{fs, io};

use crate::dtype::Dtype;
use crate::format::bundle::{Entry, Header, Version};
use crate::format::crc::Masked;
use crate::format::table;

/// The variables that have Adam slots, with their shapes.
const WEIGHTS: &[(&str, &[u64])] = &[
    ("bert/embeddings/word_embeddings", &[32, 8]),
    ("bert/encoder/layer_0/attention/self/query/kernel", &[8, 8]),
    ("bert/encoder/layer_0/attention/self/query/bias", &[8]),
    ("bert/encoder/layer_0/output/dense/kernel", &[8, 8]),
    ("bert/encoder/layer_0/output/dense/bias", &[8]),
    ("bert/pooler/dense/bias", &[8]),
    ("bert/pooler/dense/kernel", &[8, 8]),
];
const SLOTS: &[&str] = &["", "/adam_m", "/adam_v"];
const VERSION: Version = Version { producer: 1, min_consumer: 0, bad_consumers: Vec::new() };

/// Writes the sample's index and data file under a prefix.
pub(crate) fn write(prefix: &Path) -> io::Result<()> {
    let (index, data) = bundle();
    fs::write(prefix.with_added_extension("index"), index)?;
    fs::write(prefix.with_added_extension("data-00000-of-00001"), data)
}

fn bundle() -> (Vec<u8>, Vec<u8>) {
    let mut data = Vec::new();
    let header = Header { num_shards: 1, version: VERSION, ..Header::default() };
    let mut rows = vec![(String::new(), header.encode())];
    for (weight, shape) in WEIGHTS {
        for slot in SLOTS {
            let values = (0..shape.iter().product::<u64>()).map(|i| ((i as f32) * 0.7).sin() * 0.02);
            let bytes: Vec<u8> = values.flat_map(f32::to_le_bytes).collect();
            rows.push((format!("{weight}{slot}"), entry(Dtype::Float32, shape, &bytes, &mut data)));
        }
    }
    rows.push(("global_step".into(), entry(Dtype::Int64, &[], &9_000i64.to_le_bytes(), &mut data)));
    rows.sort();
    (table::encode(rows.iter().map(|(key, value)| (key.as_bytes(), value.as_slice()))), data)
}

fn entry(dtype: Dtype, shape: &[u64], bytes: &[u8], data: &mut Vec<u8>) -> Vec<u8> {
    let (offset, size) = (data.len() as u64, bytes.len() as u64);
    data.extend(bytes);
    let crc32c = Masked::of(bytes);
    Entry { dtype: dtype.tensorflow(), shape: shape.into(), offset, size, crc32c, ..Entry::default() }
        .encode()
}
