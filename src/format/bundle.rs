//! The two messages in the index of a bundle: the header under the empty key, and an entry under each variable's name.
//!
//! ```text
//! Header  { 1 num_shards, 2 endianness, 3 version { 1 producer, 2 min_consumer, 3 bad_consumers* } }
//! Entry   { 1 dtype, 2 shape, 3 shard, 4 offset, 5 size, 6 crc32c (fixed32), 7 slice* }
//! shape   { 2 dim* { 1 size, 2 name }, 3 unknown_rank }
//! slice   { 1 extent* { 1 start, 2 length (absent: the whole dimension) } }
//! ```
//!
//! Written in field order without defaults, which is what TensorFlow writes, except for `shape`, which is always there.
//! Stricter than protobuf: a known field of the wrong wire type or with a number out of range is malformed, because
//! TensorFlow would read it as something else or abort.

use super::Result;
use super::crc::Masked;
use super::wire::{self, fields};

/// What the index says about the whole bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Number of data files.
    pub num_shards: u32,
    /// Byte order of the data files.
    pub endianness: Endianness,
    /// Who can read the bundle.
    pub version: Version,
}

/// Byte order of numbers in data files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Endianness {
    /// Low byte first.
    #[default]
    Little,
    /// High byte first.
    Big,
}

/// TensorFlow's version stamp.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Version {
    /// Version of the format that the writer wrote.
    pub producer: i32,
    /// Least version of the format a reader must know.
    pub min_consumer: i32,
    /// Versions whose readers would read the bundle wrongly.
    pub bad_consumers: Vec<i32>,
}

/// What the index says about one variable, or one slice of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Number of the `DataType`; 0 is no type at all, and unknown numbers are possible.
    pub dtype: u32,
    /// Size of each dimension. Their product may overflow.
    pub shape: Vec<u64>,
    /// Number of the data file.
    pub shard: u32,
    /// Where the value begins in the data file.
    pub offset: u64,
    /// Its length in bytes.
    pub size: u64,
    /// Its checksum.
    pub crc32c: Masked,
    /// For a partitioned variable, what each slice covers. The value is then in the entries of the slices, not here.
    pub slices: Vec<Slice>,
}

/// The part of a variable that a slice covers: one extent for each dimension.
pub type Slice = Vec<Extent>;

/// The part of one dimension that a slice covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Extent {
    /// First index covered.
    pub start: i64,
    /// Number of indices covered; all when absent.
    pub length: Option<i64>,
}

/// Why TensorFlow would refuse to read a bundle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Incompatible {
    /// Its writer was too old.
    #[error("producer version {0} is below {MIN_PRODUCER}, the least that can be read")]
    Producer(i32),
    /// It is for newer readers.
    #[error("it asks for readers of version {0} or later, and only version {CONSUMER} is known")]
    MinConsumer(i32),
    /// It names our version as one that would misread it.
    #[error("it says that readers of version {CONSUMER} would read it wrongly")]
    BadConsumer,
}

/// The version of the format that is read here, and in all of TensorFlow so far.
const CONSUMER: i32 = 1;
const MIN_PRODUCER: i32 = 0;

impl Header {
    /// Reads the value under the empty key.
    pub fn decode(message: &[u8]) -> Result<Self> {
        let mut header = Self::default();
        for field in fields(message, 0) {
            let field = field?;
            match field.number {
                1 => header.num_shards = field.natural32()?,
                2 => header.endianness = endianness(&field)?,
                3 => header.version.merge(field.bytes()?)?,
                _ => {}
            }
        }
        Ok(header)
    }

    /// The value under the empty key.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        wire::put_int(&mut out, 1, self.num_shards.into());
        wire::put_int(&mut out, 2, u64::from(self.endianness == Endianness::Big));
        if self.version != Version::default() {
            wire::put_bytes(&mut out, 3, &self.version.encode());
        }
        out
    }

    /// Whether TensorFlow, and so we, may read the bundle.
    pub fn check_version(&self) -> std::result::Result<(), Incompatible> {
        let Version { producer, min_consumer, bad_consumers } = &self.version;
        if *producer < MIN_PRODUCER {
            return Err(Incompatible::Producer(*producer));
        }
        if *min_consumer > CONSUMER {
            return Err(Incompatible::MinConsumer(*min_consumer));
        }
        if bad_consumers.contains(&CONSUMER) {
            return Err(Incompatible::BadConsumer);
        }
        Ok(())
    }
}

fn endianness(field: &wire::Field) -> Result<Endianness> {
    match field.natural32()? {
        0 => Ok(Endianness::Little),
        1 => Ok(Endianness::Big),
        other => Err(field.malformed(format_args!("endianness {other}, neither 0 (little) nor 1 (big)"))),
    }
}

impl Version {
    fn merge(&mut self, (message, at): (&[u8], usize)) -> Result<()> {
        for field in fields(message, at) {
            let field = field?;
            match field.number {
                1 => self.producer = field.int32()?,
                2 => self.min_consumer = field.int32()?,
                3 => self.bad_consumers.extend(field.int32s()?),
                _ => {}
            }
        }
        Ok(())
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let signed = |value: i32| i64::from(value).cast_unsigned();
        wire::put_int(&mut out, 1, signed(self.producer));
        wire::put_int(&mut out, 2, signed(self.min_consumer));
        if !self.bad_consumers.is_empty() {
            let mut packed = Vec::new();
            self.bad_consumers.iter().for_each(|&value| super::varint::put(&mut packed, signed(value)));
            wire::put_bytes(&mut out, 3, &packed);
        }
        out
    }
}

impl Entry {
    /// Reads the value under a variable's name, or under the key of a slice.
    pub fn decode(message: &[u8]) -> Result<Self> {
        let mut entry = Self::default();
        for field in fields(message, 0) {
            let field = field?;
            match field.number {
                1 => entry.dtype = field.natural32()?,
                2 => merge_shape(&mut entry.shape, field.bytes()?)?,
                3 => entry.shard = field.natural32()?,
                4 => entry.offset = field.natural()?,
                5 => entry.size = field.natural()?,
                6 => entry.crc32c = Masked(field.fixed32()?),
                7 => entry.slices.push(decode_slice(field.bytes()?)?),
                _ => {}
            }
        }
        Ok(entry)
    }

    /// The value under a variable's name, or under the key of a slice.
    ///
    /// The checksum is written even in the one case in four billion that it is zero, where TensorFlow would leave it
    /// out: so the length of an index is known before its checksums are.
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

fn merge_shape(shape: &mut Vec<u64>, (message, at): (&[u8], usize)) -> Result<()> {
    for field in fields(message, at) {
        let field = field?;
        match field.number {
            2 => shape.push(decode_dim(field.bytes()?)?),
            3 if field.int64()? != 0 => return Err(field.malformed("shape of unknown rank")),
            _ => {}
        }
    }
    Ok(())
}

fn decode_dim((message, at): (&[u8], usize)) -> Result<u64> {
    let mut size = 0;
    for field in fields(message, at) {
        let field = field?;
        match field.number {
            1 if field.int64()? == -1 => return Err(field.malformed("dimension of unknown size")),
            1 => size = field.natural()?,
            2 => drop(field.bytes()?),
            _ => {}
        }
    }
    Ok(size)
}

fn encode_shape(shape: &[u64]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut dim = Vec::new();
    for &size in shape {
        dim.clear();
        wire::put_int(&mut dim, 1, size);
        wire::put_bytes(&mut out, 2, &dim);
    }
    out
}

fn decode_slice((message, at): (&[u8], usize)) -> Result<Slice> {
    let mut slice = Slice::new();
    for field in fields(message, at) {
        let field = field?;
        if field.number == 1 {
            slice.push(decode_extent(field.bytes()?)?);
        }
    }
    Ok(slice)
}

fn decode_extent((message, at): (&[u8], usize)) -> Result<Extent> {
    let mut extent = Extent::default();
    for field in fields(message, at) {
        let field = field?;
        match field.number {
            1 => extent.start = field.natural()?.cast_signed(),
            2 => extent.length = Some(field.natural()?.cast_signed()),
            _ => {}
        }
    }
    Ok(extent)
}

fn encode_slice(slice: &[Extent]) -> Vec<u8> {
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

#[cfg(test)]
mod tests;
