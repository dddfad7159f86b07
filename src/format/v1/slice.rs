//! A slice of a tensor: the locations of its parts in a value that is not in memory.

use std::ops::Range;

use crate::format::bundle::entry;
use crate::format::v1::Window;
use crate::format::v1::coding::{CONTENT, Coding, Form, LAST, STRINGS};
use crate::format::v1::field_header::FieldHeader;
use crate::format::wire::fields_at;
use crate::format::{Malformed, Result, bundle, wire};

/// The parts of a slice's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// The variable's name.
    pub name: Vec<u8>,
    /// The part of the variable that this slice covers.
    pub extents: bundle::Slice,
    /// The range of the message with the values.
    pub tensor: Range<u64>,
}

/// The maximum length of a name or of the extents in bytes, far above any real one.
const LONGEST: u64 = 1 << 20;

impl Slice {
    /// Finds the slice whose value is at the range `value` of the window.
    pub fn locate<W: Window>(window: &mut W, mut value: Range<u64>) -> std::result::Result<Self, W::Error> {
        let (mut data, start) = (None, value.start);
        while let Some(frame) = FieldHeader::next(window, &mut value)? {
            if frame.number == 2 {
                once(&frame, &mut data, frame.bytes()?)?;
            }
        }
        let data = data.ok_or(Malformed { what: "no slice of a tensor".into(), at: start })?;
        Self::read(window, data)
    }

    fn read<W: Window>(window: &mut W, mut data: Range<u64>) -> std::result::Result<Self, W::Error> {
        let (mut name, mut extents, mut tensor, start) = (None, None, None, data.start);
        while let Some(frame) = FieldHeader::next(window, &mut data)? {
            match frame.number {
                1 => once(&frame, &mut name, short(window, &frame)?)?,
                2 => {
                    let message = short(window, &frame)?;
                    let base = usize::try_from(frame.value.start).unwrap_or(usize::MAX);
                    once(&frame, &mut extents, entry::decode_slice(fields_at(&message, base))?)?;
                }
                3 => once(&frame, &mut tensor, frame.bytes()?)?,
                _ => {}
            }
        }
        let tensor = tensor.ok_or(Malformed { what: "a slice without values".into(), at: start })?;
        Ok(Self { name: name.unwrap_or_default(), extents: extents.unwrap_or_default(), tensor })
    }

    /// Returns the only run of numbers of this encoding, and the form of the numbers in it. The run is empty if there
    /// are no numbers.
    pub fn run<W: Window>(
        &self,
        window: &mut W,
        coding: &Coding,
    ) -> std::result::Result<(Range<u64>, Form), W::Error> {
        let (mut run, mut message) = (None, self.tensor.clone());
        while let Some(frame) = FieldHeader::next(window, &mut message)? {
            let form = match frame.number {
                CONTENT if !frame.value.is_empty() => Form::Raw,
                number if number == coding.field => coding.form,
                CONTENT..=LAST if !frame.value.is_empty() => {
                    let what = format!("values, where this dtype has them in field {}", coding.field);
                    return Err(frame.malformed(what).into());
                }
                _ => continue,
            };
            once(&frame, &mut run, (frame.bytes()?, form))?;
        }
        Ok(run.unwrap_or((self.tensor.end..self.tensor.end, coding.form)))
    }

    /// Encodes the value that contains a message with values.
    pub fn encode(name: &[u8], extents: &[bundle::Extent], tensor: &[u8]) -> Vec<u8> {
        let (mut data, mut out) = (Vec::new(), Vec::new());
        wire::put_bytes(&mut data, 1, name);
        wire::put_bytes(&mut data, 2, &entry::encode_slice(extents));
        wire::put_bytes(&mut data, 3, tensor);
        wire::put_bytes(&mut out, 2, &data);
        out
    }
}

/// Decodes the strings of a message with values. Errors report offsets from `at` on.
pub fn strings(tensor: &[u8], at: u64) -> Result<Vec<&[u8]>> {
    let mut strings = Vec::new();
    for field in fields_at(tensor, usize::try_from(at).unwrap_or(usize::MAX)) {
        let field = field?;
        match field.number {
            STRINGS => strings.push(field.bytes()?),
            CONTENT..=LAST => return Err(field.malformed("values that are not strings")),
            _ => {}
        }
    }
    Ok(strings)
}

/// Encodes the message with the numbers whose bytes in memory are `elements`.
pub fn encode_numbers(coding: &Coding, elements: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    if !elements.is_empty() {
        wire::put_bytes(&mut out, coding.field, &coding.encode(elements));
    }
    out
}

/// Encodes the message with these strings.
pub fn encode_strings<T: AsRef<[u8]>>(strings: &[T]) -> Vec<u8> {
    let mut out = Vec::new();
    strings.iter().for_each(|string| wire::put_bytes(&mut out, STRINGS, string.as_ref()));
    out
}

/// Stores the value of a field. Returns an error if a value is already there.
fn once<T>(frame: &FieldHeader, place: &mut Option<T>, found: T) -> Result<()> {
    match place.replace(found) {
        None => Ok(()),
        Some(_) => Err(frame.malformed("a second time")),
    }
}

/// Reads the bytes of a field that must be short.
fn short<W: Window>(window: &mut W, frame: &FieldHeader) -> std::result::Result<Vec<u8>, W::Error> {
    let bytes = frame.bytes()?;
    let len = bytes.end.saturating_sub(bytes.start);
    let fits = usize::try_from(len).ok().filter(|_| len <= LONGEST);
    let len = fits.ok_or_else(|| frame.malformed(format_args!("{len} bytes, more than any has")))?;
    let found = window.bytes(bytes.start, len)?;
    match found.len() == len {
        true => Ok(found.to_vec()),
        false => Err(frame.malformed("cut short").into()),
    }
}
