//! The text of a failure: of what a program printed, the part that is searched, without colors, in lines.

use std::borrow::Cow;
use std::io;
use std::io::Read;

/// The maximum length of a text that is searched as a whole.
const WHOLE: usize = 16 << 20;
/// The length of the end of a longer text that is searched.
const TAIL: usize = 1 << 20;
/// The maximum number of lines that a name with line breaks in it is searched back through.
const JOINED: usize = 4;
/// The maximum length of a line. The rest of it is searched as a line of its own.
const LINE: usize = 1 << 20;

/// The words before and after a name that may have line breaks in it.
const AROUND_NAME: (&str, &str) = ("Key ", " not found in checkpoint");

/// Reads a text of any length. Of a text of more than 16 MiB, the last MiB is kept.
pub(crate) fn read(mut from: impl Read) -> io::Result<Vec<u8>> {
    let (mut text, mut most) = (Vec::new(), WHOLE);
    loop {
        let read = from.by_ref().take(TAIL as u64).read_to_end(&mut text)?;
        if text.len() > most {
            text.drain(..text.len() - TAIL);
            most = TAIL;
        }
        if read == 0 {
            return Ok(text);
        }
    }
}

/// Returns the text that is searched: without colors, and without bytes that are not UTF-8.
pub(crate) fn clean(bytes: &[u8]) -> String {
    let start = if bytes.len() > WHOLE { bytes.len() - TAIL } else { 0 };
    let plain = anstream::adapter::strip_bytes(&bytes[start..]).into_vec();
    String::from_utf8_lossy(&plain).into_owned()
}

/// Iterates over the lines of a text. A line that ends a name with line breaks in it begins where the name begins.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let mut before: Vec<&str> = Vec::new();
    text.split('\n').flat_map(chunks).map(move |line| {
        let joined = joined(&before, line);
        before.push(line);
        if before.len() > JOINED {
            before.remove(0);
        }
        joined
    })
}

/// Returns a line with the lines before it that hold the beginning of the same name.
fn joined<'t>(before: &[&'t str], line: &'t str) -> Cow<'t, str> {
    let (opens, closes) = AROUND_NAME;
    let is_open = |end: usize| !line[..end].contains(opens);
    let start = || before.iter().rposition(|line| line.contains(opens));
    match line.find(closes).filter(|end| is_open(*end)).and_then(|_| start()) {
        Some(start) => Cow::Owned([&before[start..], &[line]].concat().join("\n")),
        None => Cow::Borrowed(line),
    }
}

/// Splits a line that is too long, at the boundaries of characters.
fn chunks(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(line.strip_suffix('\r').unwrap_or(line));
    std::iter::from_fn(move || {
        let line = rest?;
        let end = line.floor_char_boundary(LINE);
        rest = (end < line.len()).then(|| &line[end..]);
        Some(&line[..end])
    })
}
