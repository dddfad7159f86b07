//! The metadata of a file, under the empty key.

use crate::format::bundle::{Version, entry};
use crate::format::wire::{Field, Fields, fields};
use crate::format::{Malformed, Result, bundle, wire};

/// The tensors of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// The tensors. A tensor may be only partly in this file.
    pub(crate) tensors: Vec<Saved>,
    /// The versions that can read the file.
    pub(crate) version: Version,
}

/// A tensor of which the file holds slices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    /// The variable's name.
    pub(crate) name: Vec<u8>,
    /// Size of each dimension of the whole tensor. The product of the sizes may overflow.
    pub(crate) shape: Vec<u64>,
    /// Number of the `DataType`.
    pub(crate) dtype: u32,
    /// The extents of the slices in this file.
    pub(crate) slices: Vec<bundle::Slice>,
}

impl Meta {
    /// Decodes the value under the empty key.
    pub fn decode(value: &[u8]) -> Result<Self> {
        let mut meta = None;
        for field in fields(value) {
            let field = field?;
            match field.number {
                1 if meta.is_some() => return Err(field.malformed("a second list of tensors")),
                1 => meta = Some(Self::read(field.message()?)?),
                _ => {}
            }
        }
        meta.ok_or(Malformed::new("no list of tensors", 0))
    }

    fn read(fields: Fields) -> Result<Self> {
        let mut meta = Self::default();
        for field in fields {
            let field = field?;
            match field.number {
                1 => meta.tensors.push(Saved::read(&field)?),
                2 => meta.version.merge(field.message()?)?,
                _ => {}
            }
        }
        Ok(meta)
    }

    /// Encodes the value under the empty key.
    pub fn encode(&self) -> Vec<u8> {
        let (mut meta, mut out) = (Vec::new(), Vec::new());
        self.tensors.iter().for_each(|tensor| wire::put_bytes(&mut meta, 1, &tensor.encode()));
        wire::put_bytes(&mut meta, 2, &self.version.encode());
        wire::put_bytes(&mut out, 1, &meta);
        out
    }
}

impl Saved {
    fn read(message: &Field) -> Result<Self> {
        let mut saved = Self::default();
        for field in message.message()? {
            let field = field?;
            match field.number {
                1 => saved.name = field.bytes()?.to_vec(),
                2 => entry::merge_shape(&mut saved.shape, field.message()?)?,
                3 => saved.dtype = field.natural32()?,
                4 => saved.slices.push(entry::decode_slice(field.message()?)?),
                _ => {}
            }
        }
        Ok(saved)
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.name.is_empty() {
            wire::put_bytes(&mut out, 1, &self.name);
        }
        wire::put_bytes(&mut out, 2, &entry::encode_shape(&self.shape));
        wire::put_int(&mut out, 3, self.dtype.into());
        self.slices.iter().for_each(|slice| wire::put_bytes(&mut out, 4, &entry::encode_slice(slice)));
        out
    }
}
