//! A tensor of strings, whose elements vary in size: the length of files with them, and the location of each element.
//!
//! This requires one read of the whole tensor, including its checksum. It is done on first use. Its result is kept
//! and is small: elements are located by *groups*, which are consecutive elements with about 256 KiB of text.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use crate::cache::Cache;
use crate::format::bundle::Endianness;
use crate::format::string_tensor;
use crate::format::varint::Reader;
use crate::name::{Name, printable};
use crate::tensor::checksum::damaged;
use crate::tensor::{Tensor, mismatch};

/// The layout of a tensor of strings, obtained by reading it once.
#[derive(Debug, Default)]
pub(crate) struct Strings {
    /// The length of the longest element in bytes.
    pub(crate) longest: u64,
    /// True if an element ends in a NUL byte.
    pub(crate) ends_in_nul: bool,
    /// The length in bytes of all elements as [`line()`]s.
    pub(crate) text_len: u64,
    /// The starts of the groups. The last entry is the end of all elements.
    groups: Vec<ElementOffset>,
}

/// The location of an element.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ElementOffset {
    /// The index of the element.
    pub(crate) element: u64,
    /// The offset of its length in the stored bytes.
    length_at: u64,
    /// The offset of its bytes in the stored bytes.
    bytes_at: u64,
    /// The offset of its line in the text.
    pub(crate) text_at: u64,
}

/// The length of a group's text in bytes, unless a single element is longer.
const GROUP: u64 = 256 << 10;

/// Returns an element as a line of text. Unprintable characters, including newlines, are escaped.
pub(crate) fn line(element: &[u8]) -> String {
    printable(element) + "\n"
}

impl Tensor {
    /// Returns the layout of this tensor of strings; `None` if it cannot be read or is damaged. The first call reads
    /// the tensor, and logs an error with the variable's `name`.
    pub(crate) fn strings(&self, name: &Name) -> Option<&Arc<Strings>> {
        let read = || Strings::read(self).inspect_err(|error| log::error!("{name}: not readable: {error}"));
        self.strings.get_or_init(|| read().ok().map(Arc::new)).as_ref()
    }

    /// Calls `each` with the bytes and the elements of this tensor of strings, after checking them against the
    /// checksum.
    ///
    /// # Errors
    /// Errors of the source; `InvalidData` if the tensor is damaged.
    pub(crate) fn with_elements<T>(&self, each: impl FnOnce(&[u8], &[&[u8]]) -> T) -> io::Result<T> {
        match self.stored() {
            Some(stored) => stored.elements_in(Endianness::Big, each),
            None => self.elements_in(Endianness::Little, each),
        }
    }

    pub(super) fn elements_in<T>(
        &self,
        order: Endianness,
        each: impl FnOnce(&[u8], &[&[u8]]) -> T,
    ) -> io::Result<T> {
        // A damaged tensor may claim any length.
        if let Some(damage) = self.damage() {
            return Err(damaged(&damage.what));
        }
        let bytes = stored(self, 0..self.len())?;
        let num_elements = self.shape.num_elements().ok_or_else(|| damaged("too many elements"))?;
        let elements = string_tensor::decode_with_order(order, &bytes, num_elements).map_err(damaged)?;
        let actual = string_tensor::checksum_in(order, &elements);
        match self.crc32c {
            Some(recorded) if recorded != actual => Err(mismatch(actual, recorded)),
            _ => Ok(each(&bytes, &elements)),
        }
    }
}

impl Strings {
    fn read(tensor: &Tensor) -> io::Result<Self> {
        tensor.with_elements(Self::measure)?
    }

    fn measure(bytes: &[u8], elements: &[&[u8]]) -> io::Result<Self> {
        let (mut strings, mut lengths) = (Self::default(), Reader::new(bytes));
        let mut here = ElementOffset { bytes_at: bytes_at(bytes, elements), ..ElementOffset::default() };
        strings.groups.push(here);
        for element in elements {
            lengths.varint().map_err(damaged)?;
            let (len, text) = (element.len() as u64, line(element).len() as u64);
            strings.longest = strings.longest.max(len);
            strings.ends_in_nul |= element.last() == Some(&0);
            strings.text_len += text;
            here = ElementOffset {
                element: here.element + 1,
                length_at: lengths.at() as u64,
                bytes_at: here.bytes_at + len,
                text_at: strings.text_len,
            };
            if here.text_at - strings.groups[strings.groups.len() - 1].text_at >= GROUP {
                strings.groups.push(here);
            }
        }
        strings.groups.push(here);
        Ok(strings)
    }

    /// Returns the start of the group that contains byte `at` of the text.
    pub(crate) fn before_text(&self, at: u64) -> ElementOffset {
        self.groups[self.groups.partition_point(|place| place.text_at <= at).saturating_sub(1)]
    }

    /// Returns the start of the group that contains an element.
    pub(crate) fn before_element(&self, element: u64) -> ElementOffset {
        self.groups[self.groups.partition_point(|place| place.element <= element).saturating_sub(1)]
    }

    /// Calls `each` with the elements from an offset on, until it returns false.
    ///
    /// # Errors
    /// Errors of the source, and the error that the bytes have changed since they were measured.
    pub(crate) fn visit(
        &self,
        tensor: &Tensor,
        from: ElementOffset,
        each: &mut dyn FnMut(&[u8]) -> bool,
    ) -> io::Result<()> {
        let first = self.groups.partition_point(|place| place.element < from.element);
        for group in self.groups[first..].windows(2) {
            let lengths = stored(tensor, group[0].length_at..group[1].length_at)?;
            let bytes = stored(tensor, group[0].bytes_at..group[1].bytes_at)?;
            let (mut lengths, mut bytes) = (Reader::new(&lengths), Reader::new(&bytes));
            for _ in group[0].element..group[1].element {
                let element = lengths.varint().and_then(|length| bytes.take(length)).map_err(damaged)?;
                if !each(element) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// Returns the offset of the first element's bytes: the elements are at the end of the bytes.
fn bytes_at(bytes: &[u8], elements: &[&[u8]]) -> u64 {
    let together: usize = elements.iter().copied().map(<[u8]>::len).sum();
    (bytes.len() - together) as u64
}

/// Returns stored bytes of the tensor. Fails before allocating memory if a data file is missing.
fn stored(tensor: &Tensor, range: Range<u64>) -> io::Result<Vec<u8>> {
    if !tensor.is_there() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "its data file is missing"));
    }
    let mut bytes = vec![0; (range.end - range.start) as usize];
    match tensor.file().read_at(&Cache::new(0), &mut bytes, range.start)? {
        len if len == bytes.len() => Ok(bytes),
        len => Err(damaged(format!("{len} bytes where there were {}", bytes.len()))),
    }
}
