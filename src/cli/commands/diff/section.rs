//! A section of the report as text.

use std::io::{self, Write};

use anstyle::Style;

use crate::cli::output::page::{PLAIN, Page};
use crate::cli::output::terminal::FAINT;

/// The maximum number of lines of one section.
pub(super) const LISTED: usize = 20;

/// A section: its style, its heading, and its lines. It is left out if it has none.
pub(super) struct Section {
    pub(super) style: Style,
    pub(super) heading: String,
    pub(super) lines: Vec<String>,
}

impl Section {
    pub(super) fn print<W: Write>(&self, page: &mut Page<W>) -> io::Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        page.line(self.style, 2, &self.heading)?;
        self.lines.iter().take(LISTED).try_for_each(|line| page.line(PLAIN, 6, &format!("  {line}")))?;
        match self.lines.len().saturating_sub(LISTED) {
            0 => Ok(()),
            more => page.line(FAINT, 2, &format!("  … and {more} more (--json has all)")),
        }
    }
}

/// Returns the one section of a kind.
pub(super) fn one(style: Style, heading: String, lines: Vec<String>) -> Vec<Section> {
    vec![Section { style, heading, lines }]
}
