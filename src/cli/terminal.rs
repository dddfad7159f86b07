//! What a person reads on standard error: errors, warnings, and sizes in units.

use std::fmt::Display;
use std::io::{self, Write};

/// An error and its causes. Texts of several lines bring their own layout.
pub(super) fn error(error: &anyhow::Error) {
    let text = format!("{error:#}");
    match text.starts_with("error") {
        true => say(text),
        false => say(format_args!("ckptfs: {text}")),
    }
}

/// Something that the user should know and that stops nothing.
pub(super) fn warning(text: impl Display) {
    let text = text.to_string();
    match text.starts_with("warning") {
        true => say(text),
        false => say(format_args!("ckptfs: warning: {text}")),
    }
}

/// A line on standard error. Where nobody reads that, the work goes on all the same.
pub(super) fn say(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// A number of bytes in the unit that suits it: `1.3 GB`, decimal as `ls --si` has it.
pub(super) fn bytes(n: u64) -> String {
    const UNITS: &[(u64, &str)] =
        &[(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match UNITS.iter().find(|(unit, _)| n >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", n as f64 / *unit as f64),
        None => format!("{n} bytes"),
    }
}

/// `1 variable`, `2 variables`.
pub(super) fn counted(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_in_the_unit_that_suits_them() {
        assert_eq!(bytes(999), "999 bytes");
        assert_eq!(bytes(1_330_000_000), "1.3 GB");
        assert_eq!(counted(1, "variable"), "1 variable");
    }
}
