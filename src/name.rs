//! The name of a variable: bytes, as in the file format, usually UTF-8.

use std::fmt;
use std::sync::Arc;

/// The bytes that name a variable or a key. Clones share them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<[u8]>);

impl Name {
    /// Returns the bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Name {
    /// Parses the text that `Display` writes.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text);
        while let Some(at) = rest.find('\\') {
            bytes.extend(&rest.as_bytes()[..at]);
            rest = escaped(&rest[at + 1..], &mut bytes)?;
        }
        bytes.extend(rest.as_bytes());
        Some(bytes.into())
    }
}

/// Decodes an escape, given without its backslash, and appends its bytes. Returns the rest of the text.
fn escaped<'a>(text: &'a str, bytes: &mut Vec<u8>) -> Option<&'a str> {
    let mut chars = text.chars();
    let plain = match chars.next()? {
        't' => b'\t',
        'r' => b'\r',
        'n' => b'\n',
        '\\' => b'\\',
        'x' => {
            bytes.push(u8::from_str_radix(text.get(1..3)?, 16).ok()?);
            return text.get(3..);
        }
        'u' => {
            let (digits, rest) = text.strip_prefix("u{")?.split_once('}')?;
            let char = char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
            bytes.extend(char.encode_utf8(&mut [0; 4]).as_bytes());
            return Some(rest);
        }
        _ => return None,
    };
    bytes.push(plain);
    Some(chars.as_str())
}

impl From<&[u8]> for Name {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

impl From<Vec<u8>> for Name {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().into())
    }
}

/// The name as text that is safe on a terminal and in a line of a table: control characters are escaped, and bytes
/// that are not UTF-8 become `\xNN`.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&printable(&self.0))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", printable(&self.0))
    }
}

/// Quotes a word for a shell, if necessary.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-:,@+".contains(&byte);
    match !word.is_empty() && word.bytes().all(is_plain) {
        true => word.into(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// Returns a flag for a shell, with its value if it has one: `--drop 'a b'`. A value that begins with `-` follows a `=`,
/// because it would be taken for a flag.
pub(crate) fn flag(name: &str, value: &str) -> String {
    match value {
        "" => format!("--{name}"),
        value if value.starts_with('-') => format!("--{name}={}", quoted(value)),
        value => format!("--{name} {}", quoted(value)),
    }
}

/// Returns a string literal of Python. Bytes that are not UTF-8 are escaped as Python's file functions do.
pub(crate) fn python(bytes: &[u8]) -> String {
    let mut out = String::from("'");
    for chunk in bytes.utf8_chunks() {
        for char in chunk.valid().chars() {
            match char {
                '\\' | '\'' => out.extend(['\\', char]),
                '\n' => out.push_str("\\n"),
                char if char.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(char))),
                char => out.push(char),
            }
        }
        chunk.invalid().iter().for_each(|byte| out.push_str(&format!("\\udc{byte:02x}")));
    }
    out + "'"
}

/// Lists up to `most` names and the number of the others.
pub(crate) fn listed(names: &[impl fmt::Display], most: usize) -> String {
    let some: Vec<_> = names.iter().take(most).map(ToString::to_string).collect();
    match names.len().saturating_sub(most) {
        0 => some.join(", "),
        more => format!("{} and {more} more", some.join(", ")),
    }
}

/// Returns bytes as text, with control characters, backslashes and bytes that are not UTF-8 escaped.
pub(crate) fn printable(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                c if c.is_control() => out.extend(c.escape_default()),
                c => out.push(c),
            }
        }
        out.extend(chunk.invalid().iter().map(|b| format!("\\x{b:02x}")));
    }
    out
}

/// Returns true if a text has no control characters, so that a terminal shows it as it is.
pub(crate) fn is_printable(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

/// Returns a text with its control characters escaped, and nothing else.
pub(crate) fn without_controls(text: &str) -> String {
    printable(text.as_bytes()).replace(r"\\", r"\")
}

/// The maximum number of names that suggestions are drawn from.
const SAMPLE: usize = 5_000;
/// The maximum number of suggestions in a message.
const SUGGESTIONS: usize = 3;

/// Returns the names most similar to `text`, the most similar first.
pub(crate) fn near_names(text: &str, names: &[&[u8]]) -> Vec<String> {
    let names = sample(names).into_iter().filter_map(|name| std::str::from_utf8(name).ok());
    let mut near: Vec<_> = names.map(|name| (strsim::jaro_winkler(text, name), name)).collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    near.truncate(SUGGESTIONS);
    near.into_iter()
        .filter(|(likeness, _)| *likeness > 0.7)
        .map(|(_, name)| printable(name.as_bytes()))
        .collect()
}

/// Returns all names, or every n-th if there are very many.
pub(crate) fn sample<'a>(names: &[&'a [u8]]) -> Vec<&'a [u8]> {
    names.iter().step_by(names.len() / SAMPLE + 1).copied().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_displayed_name_parses_back(bytes: Vec<u8>) {
            let name = Name::from(bytes);
            prop_assert_eq!(Name::parse(&name.to_string()), Some(name));
        }

        #[test]
        fn parsing_any_text_does_not_panic(text in ".*|[\\\\xu{}0-9n]*") {
            let _ = Name::parse(&text);
        }
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(Name::from("dense/kernel").to_string(), "dense/kernel");
        assert_eq!(Name::from(&b"a\nb\x1b[1m\xff\\"[..]).to_string(), r"a\nb\u{1b}[1m\xff\\");
        assert_eq!(Name::from("größe").to_string(), "größe");
    }

    #[test]
    fn a_literal_is_one_that_python_reads_back() {
        assert_eq!(python(b"train/ckpt-3"), "'train/ckpt-3'");
        assert_eq!(python(b"it's\\\n\x07"), r"'it\'s\\\n\u0007'");
        assert_eq!(python(b"a\xff"), r"'a\udcff'");
    }

    #[test]
    fn a_flag_is_quoted_and_its_value_never_begins_a_flag() {
        assert_eq!(flag("drop", "a/b"), "--drop a/b");
        assert_eq!(flag("drop-optimizer", ""), "--drop-optimizer");
        assert_eq!(flag("drop", "a b"), "--drop 'a b'");
        assert_eq!(flag("drop", "-x"), "--drop=-x");
        assert_eq!(flag("drop", "'; touch x; '"), r"--drop ''\''; touch x; '\'''");
    }
}
