//! The values of protobuf's text format: strings with C escapes, and floating-point numbers.
//!
//! The decoder follows Python's protobuf: a backslash before a character that needs no escape is kept, and `\u` and
//! `\U` produce the character's UTF-8.

use crate::format::checkpoint_state::token::{Token, Tokens};
use crate::format::{Malformed, Result};

/// Reads one string. It may be written as several literals in a row.
pub(crate) fn string(tokens: &mut Tokens) -> Result<Vec<u8>> {
    let mut value = Vec::new();
    let mut literals = 0usize;
    while let Token::Quoted(inner) = tokens.next {
        unescape(&mut value, inner, tokens.at.saturating_add(1))?;
        tokens.advance()?;
        literals = literals.saturating_add(1);
    }
    if literals == 0 { Err(tokens.malformed("string expected")) } else { Ok(value) }
}

/// Reads one number.
pub(crate) fn float(tokens: &mut Tokens) -> Result<f64> {
    let (Token::Word(text) | Token::Number(text)) = tokens.next else {
        return Err(tokens.malformed("number expected"));
    };
    let value = std::str::from_utf8(text).ok().filter(|text| !is_octal(text)).and_then(read_float);
    let value = value.ok_or_else(|| tokens.malformed(format!("not a number: {}", text.escape_ascii())))?;
    tokens.advance()?;
    Ok(value)
}

/// Formats a number as Python does.
pub(crate) fn write_float(value: f64) -> String {
    let text = format!("{value:?}").to_ascii_lowercase();
    match text.split_once('e').and_then(|(digits, exponent)| Some((digits, exponent.parse::<i32>().ok()?))) {
        Some((digits, exponent)) => format!("{digits}e{exponent:+03}"),
        None => text,
    }
}

/// Appends `bytes` in the form that they have between double quotes. Valid UTF-8 is kept.
pub(crate) fn escape(out: &mut Vec<u8>, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        chunk.valid().bytes().for_each(|byte| match byte {
            b'\t' => out.extend(b"\\t"),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'"' | b'\'' | b'\\' => out.extend([b'\\', byte]),
            0..0x20 | 0x7f => out.extend(format!("\\{byte:03o}").bytes()),
            _ => out.push(byte),
        });
        chunk.invalid().iter().for_each(|byte| out.extend(format!("\\{byte:03o}").bytes()));
    }
}

/// Returns true if a number has a leading zero before another digit. C reads it as octal, and protobuf refuses it.
fn is_octal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.strip_prefix('0').is_some_and(|rest| rest.starts_with(|next: char| next.is_ascii_digit()))
}

/// Parses a number in Rust's syntax, which is Python's without underscores. It may end in C's `f`.
fn read_float(text: &str) -> Option<f64> {
    let shorter = text.strip_suffix(['f', 'F']).unwrap_or(text);
    let shortest = text.trim_end_matches(['f', 'F']);
    [text, shorter, shortest].iter().find_map(|text| text.parse().ok())
}

/// Appends the unescaped bytes of `inner`, which begins at offset `at`.
fn unescape(out: &mut Vec<u8>, inner: &[u8], at: usize) -> Result<()> {
    let mut rest = inner;
    while let [first, after @ ..] = rest {
        let Some(escape) = rest.strip_prefix(b"\\") else {
            out.push(*first);
            rest = after;
            continue;
        };
        let fault = || {
            Malformed::new(
                "bad escape in a string",
                at.saturating_add(inner.len().saturating_sub(rest.len())),
            )
        };
        rest = unescape_one(out, escape).ok_or_else(fault)?;
    }
    Ok(())
}

/// Appends the bytes for a backslash followed by the start of `escape`. Returns the rest of `escape`.
fn unescape_one<'a>(out: &mut Vec<u8>, escape: &'a [u8]) -> Option<&'a [u8]> {
    let (&kind, rest) = escape.split_first()?;
    match kind {
        b'0'..=b'7' => return byte(out, escape, 3, 8),
        b'x' => return byte(out, rest, 2, 16),
        b'u' => return character(out, rest, 4),
        b'U' => return character(out, rest, 8),
        // The escape of a character by its Unicode name: only Python has it.
        b'N' => return None,
        _ => {}
    }
    match C_ESCAPES.iter().find(|(letter, _)| *letter == kind) {
        Some((_, byte)) => out.push(*byte),
        None => out.extend([b'\\', kind]),
    }
    Some(rest)
}

const C_ESCAPES: [(u8, u8); 10] = [
    (b'a', 0x07),
    (b'b', 0x08),
    (b'f', 0x0c),
    (b'n', b'\n'),
    (b'r', b'\r'),
    (b't', b'\t'),
    (b'v', 0x0b),
    (b'\\', b'\\'),
    (b'\'', b'\''),
    (b'"', b'"'),
];

/// Appends the byte whose number is in the next digits, at most `most` of them.
fn byte<'a>(out: &mut Vec<u8>, text: &'a [u8], most: usize, radix: u32) -> Option<&'a [u8]> {
    let len = text.iter().take(most).take_while(|&&digit| char::from(digit).is_digit(radix)).count();
    let (value, rest) = number(text, len, radix)?;
    out.push(u8::try_from(value).ok()?);
    Some(rest)
}

/// Appends the character whose number is in the next `len` digits.
fn character<'a>(out: &mut Vec<u8>, text: &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (value, rest) = number(text, len, 16)?;
    out.extend(char::from_u32(value)?.encode_utf8(&mut [0; 4]).bytes());
    Some(rest)
}

fn number(text: &[u8], len: usize, radix: u32) -> Option<(u32, &[u8])> {
    let (digits, rest) = text.split_at_checked(len)?;
    if digits.first() == Some(&b'+') {
        return None;
    }
    let value = u32::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()?;
    Some((value, rest))
}
