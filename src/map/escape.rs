//! The backslash escape that patterns, targets and flags share: it makes the next character literal.

use std::ops::Range;

/// Returns the position of the first unescaped `wanted`.
pub(crate) fn find_unescaped(text: &str, wanted: char) -> Option<usize> {
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => _ = chars.next(),
            c if c == wanted => return Some(at),
            _ => {}
        }
    }
    None
}

/// Returns the spans between unescaped separators. There is one span more than there are separators.
pub(crate) fn split_unescaped(text: &str, separator: char) -> Vec<Range<usize>> {
    let (mut parts, mut start) = (vec![], 0);
    while let Some(at) = find_unescaped(&text[start..], separator) {
        parts.push(start..start + at);
        start += at + separator.len_utf8();
    }
    parts.push(start..text.len());
    parts
}

/// Removes the escaping backslashes. A single backslash at the end stays.
pub(crate) fn unescape(text: &str) -> String {
    let mut chars = text.chars();
    let mut plain = String::with_capacity(text.len());
    while let Some(c) = chars.next() {
        plain.push(if c == '\\' { chars.next().unwrap_or('\\') } else { c });
    }
    plain
}

/// Returns a pattern that matches only `text`. As a target it produces `text`. It may stand on either side of the `=` of a
/// flag.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let is_group = c == '$' && text[at + 1..].starts_with(|c: char| c.is_ascii_digit());
        if "\\*{}=".contains(c) || is_group || (at == 0 && text.starts_with("re:")) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
