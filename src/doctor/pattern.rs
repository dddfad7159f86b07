//! The examination of the characters of a path: TensorFlow takes some for a pattern.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::doctor::finding::{Finding, Mend, finding};
use crate::doctor::line::{literal, mount, mountpoint};
use crate::source::shown;

/// Examines a path that exists.
pub(super) fn examine(path: &Path) -> Option<Finding> {
    let absolute = std::path::absolute(path).ok()?;
    let absolute = if path.is_dir() { absolute } else { absolute.parent()?.to_owned() };
    if !has_pattern(path.as_os_str()) {
        return has_pattern(absolute.as_os_str()).then(|| {
            let evidence = format!(
                "{}: TensorFlow takes `[…]` and `\\` in a path for a pattern, so its absolute path matches nothing. A relative path \
                 without them works.",
                shown(&absolute)
            );
            finding("pattern-above", evidence, Vec::new())
        });
    }
    absolute.exists().then(|| {
        let evidence = format!(
            "{}: TensorFlow takes `[…]` and `\\` in a path for a pattern, which does not match itself: \"Failed to find any matching \
             files\". A mount has another path.",
            shown(path)
        );
        let at = mountpoint();
        let restore = match path.is_dir() {
            true => format!("checkpoint.restore(tf.train.latest_checkpoint({}))", literal(&at)),
            false => format!("checkpoint.restore({})", literal(&at.join(path.file_name().unwrap_or_default()))),
        };
        finding("pattern-in-path", evidence, vec![mount(path, ""), Mend::Python(restore)])
    })
}

/// Returns true if `fnmatch` takes the text for a pattern that does not match the text itself. `*` and `?` match
/// themselves.
fn has_pattern(path: &OsStr) -> bool {
    let is_class = |name: &[u8]| {
        let start = name.iter().position(|&byte| byte == b'[');
        start.is_some_and(|start| name.iter().skip(start + 2).any(|&byte| byte == b']'))
    };
    path.as_bytes().contains(&b'\\') || path.as_bytes().split(|&byte| byte == b'/').any(is_class)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_and_backslashes_are_patterns_and_stars_match_themselves() {
        for path in ["run[1]/ckpt-3", "[ab]", r"a\b/ckpt", "x/[[]y"] {
            assert!(has_pattern(OsStr::new(path)), "{path}");
        }
        for path in ["a*b", "a?b", "a[b", "a]b[c", "a[/]b", "a{1,2}", "a[]b"] {
            assert!(!has_pattern(OsStr::new(path)), "{path}");
        }
    }
}
