//! A slice of a tensor: where its parts lie in a value that is not in memory.

use std::ops::Range;

use crate::format::bundle::entry;
use crate::format::v1::Window;
use crate::format::v1::coding::{CONTENT, Coding, Form, LAST, STRINGS};
use crate::format::v1::field_header::FieldHeader;
use crate::format::wire::fields_at;
use crate::format::{Malformed, Result, bundle, wire};

/// A slice as its value has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// The variable's name.
    pub name: Vec<u8>,
    /// The part of it that this covers.
    pub extents: bundle::Slice,
    /// Where the message with the values lies.
    pub tensor: Range<u64>,
}

/// No name nor slice comes near; what claims more is not read.
const LONGEST: u64 = 1 << 20;

impl Slice {
    /// Finds the slice whose value lies at `value` of the window's bytes.
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

    /// The one run of numbers of that coding, and the form that they have in it. Empty if there are no numbers.
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

    /// The value, around a message with values.
    pub fn encode(name: &[u8], extents: &[bundle::Extent], tensor: &[u8]) -> Vec<u8> {
        let (mut data, mut out) = (Vec::new(), Vec::new());
        wire::put_bytes(&mut data, 1, name);
        wire::put_bytes(&mut data, 2, &entry::encode_slice(extents));
        wire::put_bytes(&mut data, 3, tensor);
        wire::put_bytes(&mut out, 2, &data);
        out
    }
}

/// The strings of a message with values, which lies at offset `at` of what errors should speak of.
pub fn strings(tensor: &[u8], at: u64) -> Result<Vec<&[u8]>> {
    let mut strings = Vec::new();
    for field in fields_at(tensor, usize::try_from(at).unwrap_or(usize::MAX)) {
        let field = field?;
        match field.number {
            STRINGS => strings.push(field.bytes()?),
            CONTENT..=LAST => return Err(field.malformed("values that are no strings")),
            _ => {}
        }
    }
    Ok(strings)
}

/// The message with the numbers that `elements` are in memory.
pub fn encode_numbers(coding: &Coding, elements: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    if !elements.is_empty() {
        wire::put_bytes(&mut out, coding.field, &coding.encode(elements));
    }
    out
}

/// The message with these strings.
pub fn encode_strings<T: AsRef<[u8]>>(strings: &[T]) -> Vec<u8> {
    let mut out = Vec::new();
    strings.iter().for_each(|string| wire::put_bytes(&mut out, STRINGS, string.as_ref()));
    out
}

/// Puts what a field says in its place, where nothing may be yet.
fn once<T>(frame: &FieldHeader, place: &mut Option<T>, found: T) -> Result<()> {
    match place.replace(found) {
        None => Ok(()),
        Some(_) => Err(frame.malformed("a second time")),
    }
}

/// The bytes of a field that has few.
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
