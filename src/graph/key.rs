//! The grammar of an object-based checkpoint's keys.
//!
//! ```text
//! object key := path "/.ATTRIBUTES/" attribute                (of the root itself: "/.ATTRIBUTES/" attribute)
//! slot key   := variable's path "/.OPTIMIZER_SLOT/" optimizer's path "/" slot name "/.ATTRIBUTES/" attribute
//! path       := component ("/" component)*
//! component  := a local name with "." written "..", then "/" written ".S"
//! ```
//!
//! In a path, a component that begins with a single dot and a capital letter is therefore one of the two separators,
//! and a path splits at `/`.

use std::borrow::Cow;

use memchr::{memchr_iter, memchr2};

/// The separator between a path and an attribute.
pub(crate) const ATTRIBUTES: &str = "/.ATTRIBUTES/";
/// The separator between a variable's path and an optimizer's path.
pub(crate) const OPTIMIZER_SLOT: &str = "/.OPTIMIZER_SLOT/";
/// The attribute that holds a variable's value.
pub(crate) const VARIABLE_VALUE: &str = "VARIABLE_VALUE";

/// Escapes a local name into a path component.
pub(crate) fn escape(name: &str) -> Cow<'_, str> {
    if is_plain(name) { Cow::Borrowed(name) } else { Cow::Owned(name.replace('.', "..").replace('/', ".S")) }
}

/// Returns the local name of a path component, or `None` if the component is not validly escaped.
pub(crate) fn unescape(component: &str) -> Option<Cow<'_, str>> {
    if is_plain(component) {
        return Some(Cow::Borrowed(component));
    }
    let mut name = String::with_capacity(component.len());
    let mut chars = component.chars();
    while let Some(char) = chars.next() {
        name.push(match char {
            '.' => match chars.next()? {
                '.' => '.',
                'S' => '/',
                _ => return None,
            },
            '/' => return None,
            plain => plain,
        });
    }
    Some(Cow::Owned(name))
}

/// Splits an escaped path into its local names; the root's path is empty and has none. Returns `None` if a component
/// is invalid.
pub(crate) fn components(path: &str) -> Option<Vec<Cow<'_, str>>> {
    if path.is_empty() { Some(Vec::new()) } else { path.split('/').map(unescape).collect() }
}

/// Splits an object key into its path and its attribute. Returns `None` for any other key.
pub(crate) fn split(key: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = find(key, ATTRIBUTES.as_bytes())?;
    Some((&key[..at], &key[at + ATTRIBUTES.len()..]))
}

/// Like `split`, for a key that is text.
pub(crate) fn split_text(key: &str) -> Option<(&str, &str)> {
    let at = find(key.as_bytes(), ATTRIBUTES.as_bytes())?;
    Some((&key[..at], &key[at + ATTRIBUTES.len()..]))
}

/// Returns a key without `/.ATTRIBUTES/VARIABLE_VALUE`, which is how users write it. Other keys stay whole.
pub(crate) fn stem(key: &[u8]) -> &[u8] {
    match split(key) {
        Some((path, attribute)) if attribute == VARIABLE_VALUE.as_bytes() && !path.is_empty() => path,
        _ => key,
    }
}

/// Returns the variable's path at the start of a slot's path, or `None` if the path is not a slot's.
pub(crate) fn slot_of(path: &[u8]) -> Option<&[u8]> {
    find(path, OPTIMIZER_SLOT.as_bytes()).map(|at| &path[..at])
}

/// Finds a separator. Every separator begins with `/.`, and dots are rare, so the search looks for dots.
fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let mut slashes = memchr_iter(b'.', haystack).filter_map(|dot| dot.checked_sub(1));
    slashes.find(|&slash| haystack[slash..].starts_with(needle))
}

/// Returns true if a local name is its own escaped form.
fn is_plain(name: &str) -> bool {
    memchr2(b'.', b'/', name.as_bytes()).is_none()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escaping_matches_tensorflows_tests() {
        for (name, component) in [
            ("a/b/c", "a.Sb.Sc"),
            ("c/", "c.S"),
            ("d/.S", "d.S..S"),
            ("d/.ATTRIBUTES/f", "d.S..ATTRIBUTES.Sf"),
            (".c", "..c"),
        ] {
            assert_eq!(escape(name), component);
            assert_eq!(unescape(component).as_deref(), Some(name));
        }
    }

    #[test]
    fn a_separator_is_not_a_valid_component() {
        for component in [".ATTRIBUTES", ".OPTIMIZER_SLOT", "a.", "a.b", "a/b"] {
            assert_eq!(unescape(component), None, "{component}");
        }
    }

    #[test]
    fn a_key_splits_at_the_separator_and_not_at_an_escaped_name() {
        assert_eq!(split(b"a/..ATTRIBUTES/b/.ATTRIBUTES/X"), Some((&b"a/..ATTRIBUTES/b"[..], &b"X"[..])));
        assert_eq!(split(b"/.ATTRIBUTES/VARIABLE_VALUE"), Some((&b""[..], &b"VARIABLE_VALUE"[..])));
        assert_eq!(split(b"dense/kernel"), None);
        assert_eq!(slot_of(b"v/.OPTIMIZER_SLOT//m"), Some(&b"v"[..]));
    }

    #[test]
    fn stem_shortens_only_the_key_of_a_variables_value() {
        assert_eq!(stem(b"a/.ATTRIBUTES/VARIABLE_VALUE"), b"a");
        for key in ["t/.ATTRIBUTES/table-keys", "/.ATTRIBUTES/VARIABLE_VALUE", "plain"] {
            assert_eq!(stem(key.as_bytes()), key.as_bytes());
        }
    }

    proptest! {
        #[test]
        fn unescape_undoes_escape(name in "[.S/aA]{0,8}|.*") {
            let component = escape(&name);
            prop_assert!(!component.contains('/'));
            let back = unescape(&component).map(Cow::into_owned);
            prop_assert_eq!(back, Some(name));
        }
    }
}
