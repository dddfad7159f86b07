//! The output of a report: folded to the width of a terminal. If the output is not a terminal, lines are neither
//! folded nor colored.

use std::io::{self, BufWriter, StdoutLock, Write};

use anstream::AutoStream;
use anstyle::Style;

use crate::cli::output::terminal::styled;
use crate::cli::output::width::{cut, of_terminal, width};

/// The plain style.
pub(crate) const PLAIN: Style = Style::new();

/// A writer that folds lines to the terminal's width.
pub(crate) struct Page<W: Write> {
    out: W,
    columns: Option<usize>,
}

impl Page<BufWriter<AutoStream<StdoutLock<'static>>>> {
    /// Returns a page that writes to standard output.
    pub(crate) fn standard_output() -> Self {
        let out = BufWriter::new(AutoStream::auto(io::stdout().lock()));
        Self { out, columns: of_terminal() }
    }
}

impl<W: Write> Page<W> {
    /// Writes a line, folded at blanks if it is too long. Continuation lines begin in column `hang`.
    pub(crate) fn line(&mut self, style: Style, hang: usize, text: &str) -> io::Result<()> {
        let write = |line: &String| match style == PLAIN {
            true => writeln!(self.out, "{line}"),
            false => writeln!(self.out, "{}", styled(style, line)),
        };
        folded(text, self.columns, hang).iter().try_for_each(write)
    }
}

impl<W: Write> Write for Page<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Folds a text into lines of at most `columns` columns. A word that is longer than a line loses its middle.
fn folded(text: &str, columns: Option<usize>, hang: usize) -> Vec<String> {
    let Some(columns) = columns.filter(|columns| width(text) > *columns) else { return vec![text.into()] };
    let hang = hang.min(columns / 2);
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split_inclusive(' ') {
        if width(&line) + width(word.trim_end()) > columns && !line.trim().is_empty() {
            lines.push(std::mem::replace(&mut line, " ".repeat(hang)));
        }
        let (text, blank) = word.split_at(word.trim_end().len());
        line += &cut(text, columns.saturating_sub(width(&line)));
        line += blank;
    }
    lines.push(line);
    lines.into_iter().map(|line| line.trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: &str = "  --rename     199  bert/encoder/layer_0/attention/self/query/kernel [768, 768] float32 -> \
                        encoder/layer_0/attention/self/query/kernel [768, 768] float32";

    #[test]
    fn every_line_fits_and_no_word_is_lost() {
        for columns in [80, 100] {
            let lines = folded(LONG, Some(columns), 20);
            assert!(lines.iter().all(|line| width(line) <= columns), "{lines:?}");
            assert!(lines[1..].iter().all(|line| line.starts_with(&" ".repeat(20))), "{lines:?}");
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(words(&lines.join(" ")), words(LONG));
        }
        assert_eq!(folded(LONG, None, 20), [LONG]);
    }

    #[test]
    fn a_word_that_is_longer_than_a_line_keeps_both_ends() {
        let lines = folded(LONG, Some(40), 20);
        assert!(lines.iter().all(|line| width(line) <= 40), "{lines:?}");
        assert!(lines.iter().any(|line| line.contains("bert/") && line.ends_with("kernel")), "{lines:?}");
    }
}
