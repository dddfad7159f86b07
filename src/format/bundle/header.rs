//! The header of a bundle.

use crate::format::wire::{Fields, fields};
use crate::format::{Result, varint, wire};

/// The index entry of the whole bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Number of data files.
    pub num_shards: u32,
    /// Byte order of the data files.
    pub endianness: Endianness,
    /// The versions that can read the bundle.
    pub version: Version,
}

/// Byte order of numbers in data files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Endianness {
    /// Little-endian: the low byte first.
    #[default]
    Little,
    /// Big-endian: the high byte first.
    Big,
}

/// TensorFlow's version stamp.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Version {
    /// Version of the format that the writer wrote.
    pub producer: i32,
    /// Minimum version of the format that a reader must support.
    pub min_consumer: i32,
    /// Versions whose readers would misread the bundle.
    pub bad_consumers: Vec<i32>,
}

/// The reason why TensorFlow would refuse to read a bundle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Incompatible {
    /// A bundle whose writer was too old.
    #[error("producer version {0} is below {MIN_PRODUCER}, the lowest that is read")]
    Producer(i32),
    /// A bundle that needs a newer reader.
    #[error("it asks for readers of version {0} or later, and only version {CONSUMER} is known")]
    MinConsumer(i32),
    /// A bundle that lists the supported version as one that would misread it.
    #[error("it says that readers of version {CONSUMER} would read it wrongly")]
    BadConsumer,
}

/// The version of the format that this reader supports. It is also the version of every TensorFlow so far.
const CONSUMER: i32 = 1;
const MIN_PRODUCER: i32 = 0;

impl Header {
    /// Decodes the value under the empty key.
    pub fn decode(message: &[u8]) -> Result<Self> {
        let mut header = Self::default();
        for field in fields(message) {
            let field = field?;
            match field.number {
                1 => header.num_shards = field.natural32()?,
                2 => header.endianness = endianness(&field)?,
                3 => header.version.merge(field.message()?)?,
                _ => {}
            }
        }
        Ok(header)
    }

    /// Encodes the value under the empty key.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        wire::put_int(&mut out, 1, self.num_shards.into());
        wire::put_int(&mut out, 2, u64::from(self.endianness == Endianness::Big));
        if self.version != Version::default() {
            wire::put_bytes(&mut out, 3, &self.version.encode());
        }
        out
    }

    /// Checks that TensorFlow, and therefore this reader, may read the bundle.
    pub fn check_version(&self) -> std::result::Result<(), Incompatible> {
        self.version.check()
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
    /// Checks that TensorFlow, and therefore this reader, may read a file with this stamp.
    pub(crate) fn check(&self) -> std::result::Result<(), Incompatible> {
        let Self { producer, min_consumer, bad_consumers } = self;
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

    pub(in crate::format) fn merge(&mut self, fields: Fields) -> Result<()> {
        for field in fields {
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

    pub(in crate::format) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let signed = |value: i32| i64::from(value).cast_unsigned();
        wire::put_int(&mut out, 1, signed(self.producer));
        wire::put_int(&mut out, 2, signed(self.min_consumer));
        if !self.bad_consumers.is_empty() {
            let mut packed = Vec::new();
            self.bad_consumers.iter().for_each(|&value| varint::put(&mut packed, signed(value)));
            wire::put_bytes(&mut out, 3, &packed);
        }
        out
    }
}
