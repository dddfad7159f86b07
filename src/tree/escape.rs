//! The encoding of variable name components as file names: bytes that a file name cannot contain become `%XX`,
//! reversibly.
//!
//! Escaped are control bytes, `%` itself, bytes that are not valid UTF-8, and the whole of `.` and `..`. An empty
//! component becomes a lone `%`. A component that would be too long is truncated and ends in `%~` and a hash of the
//! whole component. In any other file name, every `%` is followed by two digits. A final `%` is therefore free to
//! mark a directory whose name would collide with a file.

use std::borrow::Cow;
use std::fmt::Write;

/// The maximum length of an escaped component: a file name's 255 bytes, minus the longest suffix of a format and a
/// mark.
const MAX: usize = 255 - 5;
/// The number of bytes kept of a truncated component. `%~` and sixteen digits follow.
const KEPT: usize = MAX - 18;

/// Returns the file name of a component.
pub(super) fn escape(component: &[u8]) -> Cow<'_, str> {
    match component {
        b"" => "%".into(),
        b"." => "%2E".into(),
        b".." => "%2E%2E".into(),
        _ => match str::from_utf8(component) {
            Ok(text) if text.len() <= MAX && !text.bytes().any(needs_escape) => text.into(),
            _ => cut(escaped(component), component).into(),
        },
    }
}

/// Returns the name with its first byte escaped, for places where the plain name has another meaning.
pub(super) fn escape_first(name: &str) -> String {
    name.as_bytes().first().map_or_else(String::new, |first| format!("%{first:02X}{}", &name[1..]))
}

fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == 0x7f || byte == b'%'
}

fn escaped(component: &[u8]) -> String {
    let mut out = String::with_capacity(component.len() + 8);
    let hex = |out: &mut String, byte: u8| {
        let _ = write!(out, "%{byte:02X}");
    };
    for chunk in component.utf8_chunks() {
        for c in chunk.valid().chars() {
            match u8::try_from(c) {
                Ok(byte) if needs_escape(byte) => hex(&mut out, byte),
                _ => out.push(c),
            }
        }
        chunk.invalid().iter().for_each(|&byte| hex(&mut out, byte));
    }
    out
}

fn cut(name: String, component: &[u8]) -> String {
    if name.len() <= MAX {
        return name;
    }
    let mut end = name.floor_char_boundary(KEPT);
    if let Some(escape) = name[..end].rfind('%').filter(|&at| at + 3 > end) {
        end = escape;
    }
    format!("{}%~{:016x}", &name[..end], fnv1a(component))
}

/// Returns the 64-bit FNV-1a hash. It is stable across releases, unlike the hashes of the standard library.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unescape(name: &str) -> Vec<u8> {
        if name == "%" {
            return Vec::new();
        }
        let (mut out, mut rest) = (Vec::new(), name.as_bytes());
        while let Some((&byte, tail)) = rest.split_first() {
            match byte {
                b'%' => {
                    out.push(u8::from_str_radix(str::from_utf8(&tail[..2]).unwrap(), 16).unwrap());
                    rest = &tail[2..];
                }
                _ => {
                    out.push(byte);
                    rest = tail;
                }
            }
        }
        out
    }

    #[test]
    fn bytes_invalid_in_file_names_are_escaped() {
        for (component, name) in [
            (&b"kernel"[..], "kernel"),
            (b"", "%"),
            (b".", "%2E"),
            (b"..", "%2E%2E"),
            (b"...", "..."),
            (b".hidden", ".hidden"),
            (b"a\nb", "a%0Ab"),
            (b"50%", "50%25"),
            (b"\xff", "%FF"),
            ("größe".as_bytes(), "größe"),
        ] {
            assert_eq!(escape(component), name);
        }
        assert_eq!(escape_first("shape"), "%73hape");
    }

    #[test]
    fn long_components_with_a_common_prefix_are_truncated_to_different_names() {
        let (a, b) = ([b'x'; 300], [&[b'x'; 299][..], b"y"].concat());
        let (a, b) = (escape(&a).into_owned(), escape(&b).into_owned());
        assert!(a.len() <= MAX && b.len() <= MAX);
        assert_ne!(a, b);
        assert_eq!(a.split_once("%~").unwrap().0, "x".repeat(KEPT));
    }

    proptest! {
        #[test]
        fn escaping_is_reversible_and_yields_a_file_name(component in prop::collection::vec(any::<u8>().prop_filter("a slash splits", |&b| b != b'/'), 0..80)) {
            let name = escape(&component);
            prop_assert!(!name.is_empty() && name.len() <= 255 && name != "." && name != "..");
            prop_assert!(!name.bytes().any(|b| b < 0x20 || b == 0x7f || b == b'/'));
            prop_assert_eq!(unescape(&name), component);
        }
    }
}
