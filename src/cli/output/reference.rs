//! The reference of the map language, made from one text: for a terminal, and as the manual page ckptfs-map(5).
//!
//! The text uses the subset of Markdown to which `docs/maps.md` is limited: headings, paragraphs of one line, lists,
//! tables and code blocks.

use std::fmt::Write;

use anstyle::Style;
use clap::builder::StyledStr;
use roff::{Inline, Roff, bold, roman};

use crate::map::reference::REFERENCE;

/// The width of the text in columns. It does not depend on the terminal.
const WIDTH: usize = 79;
/// The width of a table's first column. A longer cell gets its own line.
const CELL: usize = 26;
const BOLD: Style = Style::new().bold();

/// A block of the text.
#[derive(Debug, PartialEq, Eq)]
enum Block<'a> {
    Title(&'a str),
    Heading(&'a str),
    Code(Vec<&'a str>),
    Table(Vec<[String; 2]>),
    /// A list of items, each with its bullet or number.
    List(Vec<(&'a str, &'a str)>),
    Paragraph(&'a str),
}

/// Returns the reference for a terminal, with bold headings.
pub(crate) fn for_terminal() -> StyledStr {
    let mut text = String::new();
    for block in blocks(REFERENCE) {
        match block {
            Block::Title(title) | Block::Heading(title) => _ = writeln!(text, "{BOLD}{title}{BOLD:#}\n"),
            Block::Code(lines) => {
                lines.iter().for_each(|line| _ = writeln!(text, "{}", format!("    {line}").trim_end()));
                text.push('\n');
            }
            Block::Table(rows) => {
                rows.iter().for_each(|[cell, meaning]| row(&mut text, cell, meaning));
                text.push('\n');
            }
            Block::List(items) => {
                items.iter().for_each(|(mark, item)| {
                    wrap(&mut text, &format!("  {mark} "), 4 + mark.len() - 1, item)
                });
                text.push('\n');
            }
            Block::Paragraph(paragraph) => {
                wrap(&mut text, "", 0, paragraph);
                text.push('\n');
            }
        }
    }
    text.truncate(text.trim_end().len());
    StyledStr::from(text)
}

fn row(text: &mut String, cell: &str, meaning: &str) {
    let first = format!("  {cell}");
    let width = first.chars().count();
    match width > CELL {
        true => {
            let _ = writeln!(text, "{first}");
            wrap(text, &" ".repeat(CELL + 2), CELL + 2, meaning);
        }
        false => wrap(text, &format!("{first}{}", " ".repeat(CELL + 2 - width)), CELL + 2, meaning),
    }
}

/// Writes words in lines of at most [`WIDTH`] columns. All lines except the first are indented.
fn wrap(text: &mut String, first: &str, indent: usize, words: &str) {
    let mut line = first.to_owned();
    let mut is_begun = false;
    for word in words.split(' ') {
        if is_begun && line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(text, "{line}");
            (line, is_begun) = (" ".repeat(indent), false);
        }
        line += if is_begun { " " } else { "" };
        line += word;
        is_begun = true;
    }
    let _ = writeln!(text, "{line}");
}

/// Returns the manual page ckptfs-map(5).
pub(crate) fn as_manual_page() -> String {
    let mut page = Roff::new();
    let version = concat!("ckptfs ", env!("CARGO_PKG_VERSION"));
    page.control("TH", ["ckptfs-map", "5", "\"\"", version]);
    for block in blocks(REFERENCE) {
        match block {
            Block::Title(title) => {
                page.control("SH", ["NAME"]);
                page.text([roman(format!("ckptfs-map - {}", title.to_lowercase()))]);
                page.control("SH", ["DESCRIPTION"]);
            }
            Block::Heading(heading) => _ = page.control("SH", [heading.to_uppercase().as_str()]),
            Block::Code(lines) => {
                page.control("PP", []).control("RS", ["4"]).control("nf", []);
                lines.iter().for_each(|line| _ = page.text([roman(*line)]));
                page.control("fi", []).control("RE", []);
            }
            Block::Table(rows) => {
                for [cell, meaning] in rows {
                    page.control("TP", []).text(inlines(&cell)).text(inlines(&meaning));
                }
            }
            Block::List(items) => {
                for (mark, item) in items {
                    page.control("IP", [if mark == "*" { "\\(bu" } else { mark }, "3"]).text(inlines(item));
                }
            }
            Block::Paragraph(paragraph) => _ = page.control("PP", []).text(inlines(paragraph)),
        }
    }
    page.to_roff()
}

/// Converts text to roff, with the parts between backticks in bold.
fn inlines(text: &str) -> Vec<Inline> {
    let parts = text.split('`').enumerate().filter(|(_, part)| !part.is_empty());
    parts.map(|(at, part)| if at % 2 == 1 { bold(part) } else { roman(part) }).collect()
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let (mut blocks, mut lines) = (vec![], text.lines());
    while let Some(line) = lines.next() {
        match (line, marked(line), blocks.last_mut()) {
            ("", ..) => blocks.push(Block::Paragraph("")),
            (line, ..) if line.starts_with("```") => {
                blocks.push(Block::Code(lines.by_ref().take_while(|line| *line != "```").collect()));
            }
            (line, _, Some(Block::Table(rows))) if line.starts_with('|') => rows.extend(cells(line)),
            // The header row and the line below it are skipped: they add nothing to the rows.
            (line, ..) if line.starts_with('|') => {
                lines.next();
                blocks.push(Block::Table(vec![]));
            }
            (_, Some(item), Some(Block::List(items))) => items.push(item),
            (_, Some(item), _) => blocks.push(Block::List(vec![item])),
            (line, ..) => blocks.push(match (line.strip_prefix("## "), line.strip_prefix("# ")) {
                (Some(heading), _) => Block::Heading(heading),
                (None, Some(title)) => Block::Title(title),
                (None, None) => Block::Paragraph(line),
            }),
        }
    }
    blocks.retain(|block| *block != Block::Paragraph(""));
    blocks
}

/// Splits a list item into its mark and its text: `* item`, `1. item`. Returns `None` for other lines.
fn marked(line: &str) -> Option<(&str, &str)> {
    let (mark, item) = line.split_once(' ')?;
    let is_number = mark.strip_suffix('.').is_some_and(|number| number.parse::<u8>().is_ok());
    (mark == "*" || is_number).then_some((mark, item))
}

/// Splits a table row into its two cells. A `|` inside a cell is written `\|`.
fn cells(line: &str) -> Option<[String; 2]> {
    let inside = line.trim_matches('|').trim();
    let between = inside.match_indices(" | ").map(|(at, _)| at).next()?;
    Some([&inside[..between], &inside[between + 3..]].map(|cell| cell.trim().replace("\\|", "|")))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn blocks_are_distinguished() {
        let text = "# T\n\np `a` q\n\n## H\n\n* one\n* two\n\n| x | y |\n|---|---|\n| `a\\|b` | c |\n\n```toml\nd\n\ne\n```\n1. f";
        assert_eq!(
            blocks(text),
            [
                Block::Title("T"),
                Block::Paragraph("p `a` q"),
                Block::Heading("H"),
                Block::List(vec![("*", "one"), ("*", "two")]),
                Block::Table(vec![["`a|b`".into(), "c".into()]]),
                Block::Code(vec!["d", "", "e"]),
                Block::List(vec![("1.", "f")]),
            ]
        );
    }

    #[test]
    fn the_text_fits_a_terminal_and_has_every_part() {
        let text = for_terminal().to_string();
        let long: Vec<_> = text.lines().filter(|line| line.chars().count() > WIDTH + 1).collect();
        assert_eq!(long, Vec::<&str>::new());
        for heading in REFERENCE.lines().filter_map(|line| line.strip_prefix("## ")) {
            assert!(text.contains(&format!("\n{heading}\n")), "{heading}");
        }
        let words =
            |text: &str| text.split_whitespace().filter(|word| !word.contains(['|', '#', '`'])).count();
        assert!(words(&text) * 10 >= words(REFERENCE) * 9, "words are lost");
    }

    #[test]
    fn the_page_opens_with_its_name_and_section_and_escapes_text() {
        let page = as_manual_page();
        assert!(page.starts_with(".TH ckptfs-map 5 "), "{}", &page[..60]);
        assert!(page.contains(".SH PATTERNS\n") && page.contains("[[rule]]") && page.contains(r"\fB\\*\fR"));
        assert!(!page.contains('`'), "a backtick is left");
    }

    /// Runs groff with `-ww`, which enables all warnings.
    #[test]
    fn groff_accepts_the_page() {
        let mut groff = Command::new("groff");
        groff.args(["-man", "-Tutf8", "-ww", "-z"]);
        let piped = groff.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let Ok(mut groff) = piped.spawn() else { return eprintln!("skipped: groff is not installed") };
        groff.stdin.take().unwrap().write_all(as_manual_page().as_bytes()).unwrap();
        let done = groff.wait_with_output().unwrap();
        assert!(done.status.success(), "{done:?}");
        assert_eq!(String::from_utf8_lossy(&done.stderr), "");
    }
}
