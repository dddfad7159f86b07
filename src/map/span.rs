//! The place of a text in a map: a file or a flag, and a span of its bytes.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A text that rules are read from: a map file, or the value of one flag.
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

    /// Returns the name of the map file or of the flag.
    pub(crate) fn file(&self) -> &str {
        &self.source.name
    }

    /// Returns the line in that text, counted from 1.
    pub(crate) fn line(&self) -> usize {
        self.before().matches('\n').count() + 1
    }

    /// Returns the column in that line, in characters, counted from 1.
    #[cfg(test)]
    pub(crate) fn column(&self) -> usize {
        self.before().rsplit('\n').next().unwrap_or_default().chars().count() + 1
    }

    /// Returns true if the text was given on the command line.
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

/// A text with its place, so that an error can point at a fault inside it.
#[derive(Clone, Debug)]
pub(crate) struct SpannedStr {
    pub(crate) text: String,
    pub(crate) span: Span,
    /// The position of `text` in its source. `None` if the source does not contain it literally, because a TOML
    /// string has escapes.
    start: Option<usize>,
}

impl SpannedStr {
    /// Returns the part `span` of a flag's value.
    pub(crate) fn in_flag(source: &Arc<Source>, span: Range<usize>) -> Self {
        let text = source.text[span.clone()].to_owned();
        Self { text, start: Some(span.start), span: Span::new(source, span) }
    }

    /// Returns the text of a TOML string. `span` includes its quotes.
    pub(crate) fn in_file(source: &Arc<Source>, span: Range<usize>, text: &str) -> Self {
        let raw = source.text.get(span.clone()).unwrap_or_default();
        let quotes = if raw.starts_with("'''") || raw.starts_with("\"\"\"") { 3 } else { 1 };
        let verbatim = raw.get(quotes..).is_some_and(|rest| rest.starts_with(text));
        let start = verbatim.then_some(span.start + quotes);
        Self { text: text.to_owned(), span: Span::new(source, span), start }
    }

    /// Returns a text that was derived from the text at `place`.
    pub(crate) fn made(text: String, place: Span) -> Self {
        Self { text, span: place, start: None }
    }

    /// Returns the place of a part of the text. If the part has no exact place, returns the place of the whole text.
    pub(crate) fn part(&self, span: Range<usize>) -> Span {
        match self.start {
            Some(start) => Span::new(&self.span.source, start + span.start..start + span.end),
            None => self.span.clone(),
        }
    }
}
