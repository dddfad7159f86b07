//! Tensors stored big-endian, presented as little-endian.
//!
//! Numbers are swapped on read, component by component. In a tensor of strings, only the checksum of the lengths
//! differs. It covers other bytes, so the whole tensor is generated, and checked against its checksum on the way.
//! One-byte elements are unchanged.

use std::hash::{Hash, Hasher};
use std::io;
use std::sync::Arc;

use crate::cache::{Cache, Decode, Identity};
use crate::dtype::Dtype;
use crate::extent::Extent;
use crate::format::bundle::Endianness;
use crate::format::string_tensor;
use crate::tensor::{Origins, Tensor, memory};

impl Tensor {
    /// Returns the little-endian form of the big-endian tensor `stored`.
    ///
    /// # Errors
    /// The reason why a variant is unsupported: only the program that wrote it understands its bytes.
    pub fn from_big_endian(stored: Self) -> Result<Self, String> {
        let stored = Arc::new(stored);
        let data = match (stored.dtype, stored.dtype.component_width()) {
            (Dtype::Variant, _) => return Err("a big-endian variant, which TensorFlow does not read".into()),
            (Dtype::String, _) => strings(&stored),
            (_, 1) => return Ok(Arc::unwrap_or_clone(stored)),
            (_, width) => Extent::Decoded {
                len: stored.len(),
                data: Arc::new(Swapped { stored: stored.clone(), width }),
            },
        };
        let tensor = Self::new(stored.dtype, stored.shape.clone(), vec![data], None);
        Ok(Self { made: Some(Box::new(Origins::Turned(stored))), ..tensor })
    }
}

fn strings(stored: &Arc<Tensor>) -> Extent {
    let (of, tensor) = (vec![stored.clone()], stored.clone());
    let make = move || tensor.elements_in(Endianness::Big, turned);
    memory::extent(stored.len(), of, Box::new(make))
}

/// Returns the stored bytes with the little-endian checksum of lengths, which is just before the elements.
fn turned(stored: &[u8], elements: &[&[u8]]) -> Vec<u8> {
    let together: usize = elements.iter().map(|element| element.len()).sum();
    let mut bytes = stored.to_vec();
    let (lengths, _) = bytes.split_at_mut(stored.len() - together);
    let checksum = string_tensor::checksum_of_lengths(elements).0.to_le_bytes();
    lengths.last_chunk_mut().into_iter().for_each(|stored| *stored = checksum);
    bytes
}

/// Numbers with their byte order reversed.
struct Swapped {
    stored: Arc<Tensor>,
    /// The width of a number in bytes.
    width: usize,
}

impl Decode for Swapped {
    fn identity(&self) -> Identity {
        Identity { of: std::ptr::from_ref(self).addr(), to: "swapped" }
    }

    fn decode(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        self.stored.file().read_at(&Cache::new(0), &mut bytes, at)?;
        bytes.chunks_exact_mut(self.width).for_each(<[u8]>::reverse);
        Ok(bytes)
    }

    fn verify(&self) -> io::Result<()> {
        self.stored.file().verify()
    }

    fn fingerprint(&self, mut to: &mut dyn Hasher) -> Option<()> {
        ("swapped", self.width).hash(&mut to);
        self.stored.file().fingerprint(to)
    }

    fn alignment(&self) -> u64 {
        self.width as u64
    }

    fn skip_cache(&self) -> bool {
        self.stored.file().skip_cache()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::format::crc::Masked;
    use crate::tensor::Shape;

    fn stored(dtype: Dtype, bytes: Vec<u8>, crc32c: Masked) -> Tensor {
        let elements = dtype.width().map_or(2, |width| bytes.len() as u64 / width);
        let shape = Shape([elements].into());
        Tensor::from_big_endian(Tensor::new(dtype, shape, vec![bytes.into()], Some(crc32c))).unwrap()
    }

    fn read(tensor: &Tensor) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; tensor.len() as usize];
        tensor.file().read_at(&Cache::new(1 << 20), &mut bytes, 0)?;
        Ok(bytes)
    }

    #[test]
    fn complex_numbers_are_swapped_by_component_and_single_bytes_are_unchanged() {
        let bytes: Vec<u8> = (0..16).collect();
        let crc = Masked::of(&bytes);
        let complex = stored(Dtype::Complex64, bytes.clone(), crc);
        assert_eq!(read(&complex).unwrap(), [3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12]);
        assert_eq!(complex.checksum().unwrap(), Masked::of(&read(&complex).unwrap()));
        let single = stored(Dtype::Float8E5m2, bytes.clone(), crc);
        assert_eq!((read(&single).unwrap(), single.crc32c), (bytes, Some(crc)));
    }

    #[test]
    fn a_flipped_bit_in_a_number_fails_the_stored_checksum() {
        let bytes: Vec<u8> = (0..8).collect();
        for bit in 0..64 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let error = stored(Dtype::Int32, flipped, Masked::of(&bytes)).checksum().unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        }
    }

    /// Encodes strings as TensorFlow does on a big-endian machine: only the hashed lengths and their stored checksum
    /// are big-endian.
    fn big_endian(elements: &[&[u8]]) -> (Vec<u8>, Masked) {
        let (mut bytes, _) = string_tensor::encode(elements);
        let integers: Vec<u8> = elements.iter().flat_map(|e| (e.len() as u32).to_be_bytes()).collect();
        let lengths = Masked::of(&integers);
        let at = bytes.len() - elements.concat().len();
        bytes[at - 4..at].copy_from_slice(&lengths.0.to_be_bytes());
        (bytes, Masked::of(&[&integers, &lengths.0.to_be_bytes()[..], &elements.concat()].concat()))
    }

    #[test]
    fn strings_are_unchanged_and_any_flipped_bit_is_detected() {
        let elements = [&b"hello"[..], &[7; 300]];
        let (bytes, crc) = big_endian(&elements);
        let (little, summed) = string_tensor::encode(&elements);
        let tensor = stored(Dtype::String, bytes.clone(), crc);
        assert_eq!((read(&tensor).unwrap(), tensor.checksum().unwrap()), (little, summed));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&stored(Dtype::String, flipped, crc)).is_err(), "bit {bit}");
        }
    }

    proptest! {
        #[test]
        fn strings_of_any_bytes_are_converted(a: Vec<u8>, b: Vec<u8>) {
            let (bytes, crc) = big_endian(&[&a, &b]);
            prop_assert_eq!(string_tensor::checksum_in(Endianness::Big, &[&a, &b]), crc);
            prop_assert_eq!(read(&stored(Dtype::String, bytes, crc)).unwrap(), string_tensor::encode(&[a, b]).0);
        }
    }
}
