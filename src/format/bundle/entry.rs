//! The entry of a variable or a slice.

use crate::format::crc::Masked;
use crate::format::wire::{Fields, fields};
use crate::format::{Result, wire};

/// The index entry of one variable, or of one slice of a variable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Number of the `DataType`. 0 is not a valid type, and the number may be unknown.
    pub dtype: u32,
    /// Size of each dimension. The product of the sizes may overflow.
    pub shape: Vec<u64>,
    /// Number of the data file.
    pub shard: u32,
    /// Offset in the data file at which the value begins.
    pub offset: u64,
    /// Its length in bytes.
    pub size: u64,
    /// Its checksum.
    pub crc32c: Masked,
    /// The extents of each slice of a partitioned variable. The value is then in the entries of the slices, not here.
    pub slices: Vec<Slice>,
}

/// The part of a variable that a slice covers: one extent for each dimension.
pub type Slice = Vec<Extent>;

/// The part of one dimension that a slice covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Extent {
    /// First index that is covered.
    pub start: i64,
    /// Number of indices that are covered; `None` if all are.
    pub length: Option<i64>,
}

impl Entry {
    /// Decodes the value under a variable's name, or under the key of a slice.
    pub fn decode(message: &[u8]) -> Result<Self> {
        let mut entry = Self::default();
        for field in fields(message) {
            let field = field?;
            match field.number {
                1 => entry.dtype = field.natural32()?,
                2 => merge_shape(&mut entry.shape, field.message()?)?,
                3 => entry.shard = field.natural32()?,
                4 => entry.offset = field.natural()?,
                5 => entry.size = field.natural()?,
                6 => entry.crc32c = Masked(field.fixed32()?),
                7 => entry.slices.push(decode_slice(field.message()?)?),
                _ => {}
            }
        }
        Ok(entry)
    }

    /// Encodes the value under a variable's name, or under the key of a slice.
    ///
    /// The checksum is written even if it is zero, which happens once in four billion times. TensorFlow would omit it
    /// then. So the length of an index is known before its checksums are.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(32);
        wire::put_int(&mut out, 1, self.dtype.into());
        wire::put_bytes(&mut out, 2, &encode_shape(&self.shape));
        wire::put_int(&mut out, 3, self.shard.into());
        wire::put_int(&mut out, 4, self.offset);
        wire::put_int(&mut out, 5, self.size);
        if self.slices.is_empty() || self.crc32c != Masked(0) {
            wire::put_fixed32(&mut out, 6, self.crc32c.0);
        }
        for slice in &self.slices {
            wire::put_bytes(&mut out, 7, &encode_slice(slice));
        }
        out
    }
}

pub(in crate::format) fn merge_shape(shape: &mut Vec<u64>, fields: Fields) -> Result<()> {
    for field in fields {
        let field = field?;
        match field.number {
            2 => shape.push(decode_dim(field.message()?)?),
            3 if field.int64()? != 0 => return Err(field.malformed("shape of unknown rank")),
            _ => {}
        }
    }
    Ok(())
}

fn decode_dim(fields: Fields) -> Result<u64> {
    let mut size = 0;
    for field in fields {
        let field = field?;
        match field.number {
            1 if field.int64()? == -1 => return Err(field.malformed("dimension of unknown size")),
            1 => size = field.natural()?,
            2 => _ = field.bytes()?,
            _ => {}
        }
    }
    Ok(size)
}

pub(in crate::format) fn encode_shape(shape: &[u64]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut dim = Vec::new();
    for &size in shape {
        dim.clear();
        wire::put_int(&mut dim, 1, size);
        wire::put_bytes(&mut out, 2, &dim);
    }
    out
}

pub(in crate::format) fn decode_slice(fields: Fields) -> Result<Slice> {
    let mut slice = Slice::new();
    for field in fields {
        let field = field?;
        if field.number == 1 {
            slice.push(decode_extent(field.message()?)?);
        }
    }
    Ok(slice)
}

fn decode_extent(fields: Fields) -> Result<Extent> {
    let mut extent = Extent::default();
    for field in fields {
        let field = field?;
        match field.number {
            1 => extent.start = field.natural()?.cast_signed(),
            2 => extent.length = Some(field.natural()?.cast_signed()),
            _ => {}
        }
    }
    Ok(extent)
}

pub(in crate::format) fn encode_slice(slice: &[Extent]) -> Vec<u8> {
    let mut out = Vec::new();
    for extent in slice {
        let mut message = Vec::new();
        wire::put_int(&mut message, 1, extent.start.cast_unsigned());
        if let Some(length) = extent.length {
            wire::put_present_int(&mut message, 2, length.cast_unsigned());
        }
        wire::put_bytes(&mut out, 1, &message);
    }
    out
}
