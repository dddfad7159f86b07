//! The grammar of an object-based checkpoint's keys.
//!
//! ```text
//! object key := path "/.ATTRIBUTES/" attribute                (of the root itself: "/.ATTRIBUTES/" attribute)
//! slot key   := variable's path "/.OPTIMIZER_SLOT/" optimizer's path "/" slot name "/.ATTRIBUTES/" attribute
//! path       := component ("/" component)*
//! component  := a local name with "." written "..", then "/" written ".S"
//! ```
//!
//! So a component that begins with one dot and a capital can only be one of the two marks, and a path splits at `/`.

use std::borrow::Cow;

use memchr::{memchr_iter, memchr2};

/// What stands between a path and an attribute.
pub(crate) const ATTRIBUTES: &str = "/.ATTRIBUTES/";
/// What stands between a variable's path and an optimizer's.
pub(crate) const OPTIMIZER_SLOT: &str = "/.OPTIMIZER_SLOT/";
/// The attribute that is a variable's value.
pub(crate) const VARIABLE_VALUE: &str = "VARIABLE_VALUE";

/// A local name as a path has it.
pub(crate) fn escape(name: &str) -> Cow<'_, str> {
    if is_plain(name) { Cow::Borrowed(name) } else { Cow::Owned(name.replace('.', "..").replace('/', ".S")) }
}

/// The local name that a path's component stands for, if it stands for one.
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

/// The local names along an escaped path; none for the root's.
pub(crate) fn components(path: &str) -> Option<Vec<Cow<'_, str>>> {
    if path.is_empty() { Some(Vec::new()) } else { path.split('/').map(unescape).collect() }
}

/// A key's path and its attribute, if it is an object's key.
pub(crate) fn split(key: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = find(key, ATTRIBUTES.as_bytes())?;
    Some((&key[..at], &key[at + ATTRIBUTES.len()..]))
}

/// The same of a key that is text.
pub(crate) fn split_text(key: &str) -> Option<(&str, &str)> {
    let at = find(key.as_bytes(), ATTRIBUTES.as_bytes())?;
    Some((&key[..at], &key[at + ATTRIBUTES.len()..]))
}

/// A key without the mark of a variable's value: what a person would call it.
pub(crate) fn stem(key: &[u8]) -> &[u8] {
    match split(key) {
        Some((path, attribute)) if attribute == VARIABLE_VALUE.as_bytes() && !path.is_empty() => path,
        _ => key,
    }
}

/// The variable's path in a slot's path.
pub(crate) fn slot_of(path: &[u8]) -> Option<&[u8]> {
    find(path, OPTIMIZER_SLOT.as_bytes()).map(|at| &path[..at])
}

/// Where a mark stands, all of which begin with a slash and a dot. Dots are rare.
fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let mut slashes = memchr_iter(b'.', haystack).filter_map(|dot| dot.checked_sub(1));
    slashes.find(|&slash| haystack[slash..].starts_with(needle))
}

/// Whether a name and its component are the same.
fn is_plain(name: &str) -> bool {
    memchr2(b'.', b'/', name.as_bytes()).is_none()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_escaped_as_tensorflow_tests_it() {
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
    fn a_mark_is_not_a_name() {
        for component in [".ATTRIBUTES", ".OPTIMIZER_SLOT", "a.", "a.b", "a/b"] {
            assert_eq!(unescape(component), None, "{component}");
        }
    }

    #[test]
    fn a_key_splits_at_the_mark_and_not_at_a_name_like_it() {
        assert_eq!(split(b"a/..ATTRIBUTES/b/.ATTRIBUTES/X"), Some((&b"a/..ATTRIBUTES/b"[..], &b"X"[..])));
        assert_eq!(split(b"/.ATTRIBUTES/VARIABLE_VALUE"), Some((&b""[..], &b"VARIABLE_VALUE"[..])));
        assert_eq!(split(b"dense/kernel"), None);
        assert_eq!(slot_of(b"v/.OPTIMIZER_SLOT//m"), Some(&b"v"[..]));
    }

    #[test]
    fn only_a_variables_value_loses_its_mark() {
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
