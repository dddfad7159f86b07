//! Where in a map something was written: a file or a flag, and a span of its bytes.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// One text that rules are read from: a map file, or the value of one flag.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) is_flag: bool,
}

/// A span of a map file or of a flag. Its `Display` is `fix.toml:12` or `--rename`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) source: Arc<Source>,
    pub(crate) span: Range<usize>,
}

impl Span {
    pub(crate) fn new(source: &Arc<Source>, span: Range<usize>) -> Self {
        let text = &source.text;
        let boundary =
            |at: usize| (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let start = boundary(span.start);
        let end = boundary(span.end).max(start);
        Self { source: source.clone(), span: start..end }
    }

    /// The name of the map file, or the flag.
    pub(crate) fn file(&self) -> &str {
        &self.source.name
    }

    /// Line in that text, from 1.
    pub(crate) fn line(&self) -> usize {
        self.before().matches('\n').count() + 1
    }

    /// Column in that line, in characters, from 1.
    #[cfg(test)]
    pub(crate) fn column(&self) -> usize {
        self.before().rsplit('\n').next().unwrap_or_default().chars().count() + 1
    }

    /// Whether it was given on the command line.
    pub(crate) fn is_flag(&self) -> bool {
        self.source.is_flag
    }

    fn before(&self) -> &str {
        &self.source.text[..self.span.start]
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.source.is_flag {
            true => f.write_str(self.file()),
            false => write!(f, "{}:{}", self.file(), self.line()),
        }
    }
}

/// A text together with where it stands, so that a fault inside it can be pointed at.
#[derive(Clone, Debug)]
pub(crate) struct SpannedStr {
    pub(crate) text: String,
    pub(crate) place: Span,
    /// Where `text` begins in its source; none when it does not stand there letter by letter (escapes in a TOML string).
    start: Option<usize>,
}

impl SpannedStr {
    /// `span` of a flag's value.
    pub(crate) fn in_flag(source: &Arc<Source>, span: Range<usize>) -> Self {
        let text = source.text[span.clone()].to_owned();
        Self { text, start: Some(span.start), place: Span::new(source, span) }
    }

    /// A TOML string: `span` covers its quotes too.
    pub(crate) fn in_file(source: &Arc<Source>, span: Range<usize>, text: &str) -> Self {
        let raw = source.text.get(span.clone()).unwrap_or_default();
        let quotes = if raw.starts_with("'''") || raw.starts_with("\"\"\"") { 3 } else { 1 };
        let verbatim = raw.get(quotes..).is_some_and(|rest| rest.starts_with(text));
        let start = verbatim.then_some(span.start + quotes);
        Self { text: text.to_owned(), place: Span::new(source, span), start }
    }

    /// Text that was made from what stands at `place`.
    pub(crate) fn made(text: String, place: Span) -> Self {
        Self { text, place, start: None }
    }

    /// The place of a part of the text, or of all of it if that is the best that can be said.
    pub(crate) fn part(&self, span: Range<usize>) -> Span {
        match self.start {
            Some(start) => Span::new(&self.place.source, start + span.start..start + span.end),
            None => self.place.clone(),
        }
    }
}
