//! A tensor of strings, whose elements vary in size: how long files of them are, and where each element is.
//!
//! All of that takes one reading of the whole tensor, checksum and all. It is done when first asked for and its result
//! kept, which is small: elements are found again by *groups*, runs of them that are some 256 KiB of text.

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

/// What one reading of a tensor of strings tells.
#[derive(Debug, Default)]
pub(crate) struct Strings {
    /// Bytes of the longest element.
    pub(crate) longest: u64,
    /// Whether an element ends in a NUL byte.
    pub(crate) ends_in_nul: bool,
    /// Bytes of all elements as [`line()`]s.
    pub(crate) text_len: u64,
    /// Where the groups begin; the last is where everything ends.
    groups: Vec<ElementOffset>,
}

/// Where an element is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ElementOffset {
    /// Its number, counted from 0.
    pub(crate) element: u64,
    /// Where its length is among the stored bytes.
    length_at: u64,
    /// Where its own bytes are.
    bytes_at: u64,
    /// Where its line is in the text.
    pub(crate) text_at: u64,
}

/// Text of a group, unless a single element has more.
const GROUP: u64 = 256 << 10;

/// An element as a line of text: what is not printable is escaped, a newline among it.
pub(crate) fn line(element: &[u8]) -> String {
    printable(element) + "\n"
}

impl Tensor {
    /// What a reading of this tensor of strings tells; `None` if it cannot be read or is damaged. The first call reads, and
    /// logs under the variable's `name` what is wrong.
    pub(crate) fn strings(&self, name: &Name) -> Option<&Arc<Strings>> {
        let read = || Strings::read(self).inspect_err(|error| log::error!("{name}: not readable: {error}"));
        self.strings.get_or_init(|| read().ok().map(Arc::new)).as_ref()
    }

    /// Hands out the bytes of this tensor of strings and the elements in them, once they agree with the checksum.
    ///
    /// # Errors
    /// Those of the source; `InvalidData` if it is damaged.
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
        let bytes = stored(self, 0..self.len())?;
        let num_elements = self.shape.num_elements().ok_or_else(|| damaged("too many elements"))?;
        let elements = string_tensor::decode_in(order, &bytes, num_elements).map_err(damaged)?;
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

    /// The last place to begin at so as to meet byte `at` of the text.
    pub(crate) fn before_text(&self, at: u64) -> ElementOffset {
        self.groups[self.groups.partition_point(|place| place.text_at <= at).saturating_sub(1)]
    }

    /// The last place to begin at so as to meet the element of that number.
    pub(crate) fn before_element(&self, element: u64) -> ElementOffset {
        self.groups[self.groups.partition_point(|place| place.element <= element).saturating_sub(1)]
    }

    /// Calls `each` with the elements from a place on, until it says that it has enough.
    ///
    /// # Errors
    /// Those of the source, and that its bytes are not those that were measured.
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

/// Where the first element is: the elements are the last of the bytes.
fn bytes_at(bytes: &[u8], elements: &[&[u8]]) -> u64 {
    let together: usize = elements.iter().copied().map(<[u8]>::len).sum();
    (bytes.len() - together) as u64
}

/// Bytes of the tensor as they are stored. What the files do not hold is refused before there is memory for it.
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
