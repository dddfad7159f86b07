//! The index of a remapped bundle: the rows of its table, made at once if every checksum is known.
//!
//! Where some value is put together of parts, nobody has summed it yet. Its checksum has a fixed width, so the index has
//! a known length all the same; its bytes are computed when it is first read, which reads those values once.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use crate::cache::{Decode, Identity};
use crate::extent::{Extent, VirtualFile};
use crate::format::bundle::Entry;
use crate::format::crc::Masked;
use crate::format::table;
use crate::tensor::Tensor;

/// A row: its key and its value.
pub(super) struct Row {
    pub(super) key: Vec<u8>,
    pub(super) value: Value,
}

/// What stands under a key.
#[derive(Clone)]
pub(super) enum Value {
    Known(Vec<u8>),
    /// The entry lacks its checksum, that of the tensor.
    Unsummed(Entry, Arc<Tensor>),
}

/// The index with these rows, in any order.
pub(super) fn file(mut rows: Vec<Row>) -> VirtualFile {
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    let bytes = encode(&rows);
    if rows.iter().all(|row| matches!(row.value, Value::Known(_))) {
        return bytes.into();
    }
    let len = bytes.len() as u64;
    [Extent::Decoded { data: Arc::new(Unsummed { rows, bytes: Mutex::new(None) }), len }]
        .into_iter()
        .collect()
}

/// With zeros for the checksums that are not known.
fn encode(rows: &[Row]) -> Vec<u8> {
    let values: Vec<_> = rows.iter().map(|row| row.value.encode()).collect();
    table::encode(rows.iter().zip(&values).map(|(row, value)| (row.key.as_slice(), value.as_slice())))
}

impl Value {
    fn encode(&self) -> Vec<u8> {
        match self {
            Self::Known(bytes) => bytes.clone(),
            Self::Unsummed(entry, _) => entry.encode(),
        }
    }

    fn summed(&self) -> io::Result<Self> {
        match self {
            Self::Known(_) => Ok(self.clone()),
            Self::Unsummed(entry, tensor) => {
                let crc32c = checksum(tensor)?;
                Ok(Self::Known(Entry { crc32c, ..entry.clone() }.encode()))
            }
        }
    }
}

/// What is missing or damaged gets a checksum that fails when it is restored itself: the rest is none the worse for it.
fn checksum(tensor: &Tensor) -> io::Result<Masked> {
    match tensor.checksum() {
        Err(error) if !tensor.is_there() || error.kind() == io::ErrorKind::InvalidData => {
            log::error!("a value of the bundle cannot be restored: {error}");
            Ok(Masked(0))
        }
        result => result,
    }
}

/// An index that lacks checksums.
struct Unsummed {
    rows: Vec<Row>,
    /// Computed once: readers of different pieces wait for each other, which is what they want.
    bytes: Mutex<Option<Vec<u8>>>,
}

impl Unsummed {
    fn bytes(&self) -> io::Result<Vec<u8>> {
        let row = |row: &Row| Ok(Row { key: row.key.clone(), value: row.value.summed()? });
        let rows = self.rows.iter().map(row).collect::<io::Result<Vec<_>>>()?;
        Ok(encode(&rows))
    }
}

impl Decode for Unsummed {
    fn identity(&self) -> Identity {
        Identity { of: std::ptr::from_ref(self).addr(), to: "index" }
    }

    fn decode(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        if bytes.is_none() {
            *bytes = Some(self.bytes()?);
        }
        let piece = bytes.as_deref().unwrap_or_default().get(at as usize..).and_then(|rest| rest.get(..len));
        piece.map(<[u8]>::to_vec).ok_or_else(|| io::Error::other("a piece past the end of the index"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Cache;
    use crate::dtype::Dtype;
    use crate::tensor::Shape;

    #[test]
    fn an_index_without_checksums_is_as_long_as_the_one_with_them_and_equal_once_read() {
        let tensor = Arc::new(Tensor::new(
            Dtype::Uint8,
            Shape([3].into()),
            vec![Extent::from(b"ab".to_vec()), Extent::from(b"c".to_vec())],
            None,
        ));
        let entry = |crc32c| Entry { dtype: 4, shape: vec![3], size: 3, crc32c, ..Entry::default() };
        let row = |key: &str, value| Row { key: key.into(), value };
        let header = || row("", Value::Known(b"\x08\x01".to_vec()));
        let lazy = file(vec![row("x", Value::Unsummed(entry(Masked(0)), tensor)), header()]);
        let eager = file(vec![header(), row("x", Value::Known(entry(Masked::of(b"abc")).encode()))]);
        let read = |file: &VirtualFile| {
            let mut bytes = vec![0; file.len() as usize];
            file.read_at(&Cache::new(1 << 20), &mut bytes, 0).unwrap();
            bytes
        };
        assert_eq!(lazy.len(), eager.len());
        assert_eq!(read(&lazy), read(&eager));
    }
}
