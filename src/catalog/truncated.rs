//! A data file that ends too early, in numbers and words for the user.

use std::fmt;
use std::path::PathBuf;

/// A data file that ends before the variables in it end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TruncatedFile {
    /// The path of the file.
    pub(crate) path: PathBuf,
    /// The length in bytes.
    pub(crate) len: u64,
    /// The length in bytes that the index requires.
    pub(crate) needed: u64,
    /// The kind of file that is there instead, and the advice about it. `None` if it is the beginning of the data file.
    pub(crate) instead: Option<(&'static str, &'static str)>,
}

/// Format: `ckpt-3.data-00000-of-00001 is 163,740 bytes of 163,840: the copy stopped early (100 bytes are missing)`
impl fmt::Display for TruncatedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let (len, needed) = (grouped(self.len), grouped(self.needed));
        if let Some((what, advice)) = self.instead {
            return write!(f, "{name} is {what} ({len} bytes instead of {needed}): {advice}");
        }
        let (missing, verb) = match self.needed.saturating_sub(self.len) {
            1 => ("1 byte".into(), "is"),
            n => (format!("{} bytes", grouped(n)), "are"),
        };
        write!(f, "{name} is {len} bytes of {needed}: the copy stopped early ({missing} {verb} missing)")
    }
}

/// Formats a number, with commas if it has five digits or more.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    if digits.len() < 5 {
        return digits;
    }
    let (first, rest) = digits.split_at((digits.len() - 1) % 3 + 1);
    let groups = rest.as_bytes().chunks(3).map(|group| format!(",{}", String::from_utf8_lossy(group)));
    first.to_owned() + &groups.collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_truncated_file_is_one_line_with_both_lengths_and_their_difference() {
        let file =
            |len, instead| TruncatedFile { path: "train/c.data".into(), len, needed: 1_223_643, instead };
        let early = |rest| format!("c.data is {rest}");
        assert_eq!(
            file(1000, None).to_string(),
            early("1000 bytes of 1,223,643: the copy stopped early (1,222,643 bytes are missing)")
        );
        assert_eq!(
            file(1_223_642, None).to_string(),
            early("1,223,642 bytes of 1,223,643: the copy stopped early (1 byte is missing)")
        );
        assert_eq!(
            file(131, Some(("a git-lfs pointer", "run `git lfs pull`"))).to_string(),
            early("a git-lfs pointer (131 bytes instead of 1,223,643): run `git lfs pull`")
        );
    }
}
