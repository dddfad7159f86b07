//! The width of a terminal, and the functions that fit texts into it.

use std::io::{self, IsTerminal};

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The number of columns if the output is not a terminal, for example a pipe.
const PIPED: usize = 120;
/// The mark in place of removed text.
const CUT: char = '…';

/// Returns the number of columns of standard output: `COLUMNS` if it is set, else the terminal's width, else
/// [`PIPED`].
pub(crate) fn columns() -> usize {
    let set = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    set.filter(|columns| *columns > 0).or_else(of_terminal).unwrap_or(PIPED)
}

/// Returns the number of columns of standard output; `None` if it is not a terminal, or its size is unknown.
pub(crate) fn of_terminal() -> Option<usize> {
    let stdout = io::stdout();
    let size = stdout.is_terminal().then(|| rustix::termios::tcgetwinsize(stdout).ok())??;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// Returns the number of columns that a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// Returns the text, padded with blanks to a width.
pub(crate) fn padded(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// Returns the text, cut in the middle if it is wider than `columns`: `bert/enc…kernel`.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let room = columns.saturating_sub(1);
    let start = taken(text.chars(), room.div_ceil(2));
    let end: Vec<_> = taken(text.chars().rev(), room / 2).chars().rev().collect();
    let mark = (columns > 0).then_some(CUT);
    start.chars().chain(mark).chain(end).collect()
}

/// Returns as many of the first characters as fit.
fn taken(chars: impl Iterator<Item = char>, columns: usize) -> String {
    let mut left = columns;
    let fits = |c: &char| {
        let rest = left.checked_sub(c.width().unwrap_or(0));
        left = rest.unwrap_or(left);
        rest.is_some()
    };
    chars.take_while(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_in_the_middle_to_any_width() {
        assert_eq!(cut("encoder/kernel", 14), "encoder/kernel");
        assert_eq!(cut("encoder/kernel", 9), "enco…rnel");
        assert_eq!(cut("encoder/kernel", 8), "enco…nel");
        assert_eq!([cut("kernel", 1), cut("kernel", 0)], ["…", ""]);
        for columns in 0..20 {
            assert!(width(&cut("層/カーネル/kernel", columns)) <= columns);
        }
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!((width("層"), padded("層", 4)), (2, "層  ".to_owned()));
    }
}
