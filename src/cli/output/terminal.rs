//! The messages on standard error: errors, warnings and progress, with their styles and units.

use std::fmt::Display;
use std::io::Write;

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::error::ParseError;
use crate::cli::output::like_help::like_help;
use crate::map::diagnostic::Errors;
use crate::mounted_source;
use crate::remap::plan::MapMismatch;
use crate::transform::TransformError;
use crate::transform::like::LikeMismatch;

/// Prints an error and its causes. The errors of a map have their own layout.
pub(crate) fn error(error: &anyhow::Error) {
    match colored(error) {
        Some(text) => say(text),
        None => say(format_args!("{}: {error:#}", styled(BAD, "error"))),
    }
    let mismatch = error.chain().find_map(like_mismatch);
    mismatch.iter().flat_map(|mismatch| like_help(mismatch)).for_each(say);
}

/// Prints a warning.
pub(crate) fn warning(text: impl Display) {
    let text = text.to_string();
    match text.starts_with("warning") {
        // The map's warnings bring their own layout.
        true => say(text),
        false => say(format_args!("{}: {text}", styled(ODD, "warning"))),
    }
}

/// Prints a line on standard error. A failure is ignored, so that the program continues if standard error is closed.
pub(crate) fn say(line: impl Display) {
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// Returns the error that a checkpoint is not like WANTED. The errors around it show it as their own text, and are not
/// its causes.
fn like_mismatch<'e>(cause: &'e (dyn std::error::Error + 'static)) -> Option<&'e LikeMismatch> {
    let of_transform = |error: &'e TransformError| match error {
        TransformError::Like(mismatch) => Some(mismatch),
        _ => None,
    };
    let outer = cause.downcast_ref::<mounted_source::Error>();
    let transform = || cause.downcast_ref::<TransformError>().and_then(of_transform);
    match outer {
        Some(mounted_source::Error::Transform(error)) => of_transform(error),
        _ => transform().or_else(|| cause.downcast_ref::<LikeMismatch>()),
    }
}

/// Returns the text of a map's errors in colors, or `None` for other errors. The stream removes the colors if it is
/// not a terminal, or `NO_COLOR` is set.
fn colored(error: &anyhow::Error) -> Option<String> {
    let causes = || error.chain();
    let unfit = causes().find_map(|cause| cause.downcast_ref::<MapMismatch>()).map(|unfit| &unfit.errors);
    let unparsed = || causes().find_map(|cause| cause.downcast_ref::<ParseError>()).map(|errors| &errors.0);
    let errors = || causes().find_map(|cause| cause.downcast_ref::<Errors>());
    unfit.or_else(unparsed).or_else(errors).map(Errors::to_colored_string)
}

/// The style of good results.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// The style of bad results.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// The style of warnings.
pub(crate) const ODD: Style = AnsiColor::Yellow.on_default().bold();
/// The style of details.
pub(crate) const FAINT: Style = Style::new().dimmed();

/// Returns a text in a style. The stream removes the style if it is not a terminal.
pub(crate) fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Returns a progress bar for bytes, which is drawn only on a terminal.
pub(crate) fn progress_bar(total: u64) -> ProgressBar {
    let style = "{bar:40} {decimal_bytes} of {decimal_total_bytes}, {decimal_bytes_per_sec}, {eta} to go";
    let bar = ProgressBar::new(total);
    bar.with_style(ProgressStyle::with_template(style).expect("the template is sound"))
}

/// Formats a number of bytes in a suitable unit: `1.3 GB`, decimal as in `ls --si`.
pub(crate) fn bytes(n: u64) -> String {
    const UNITS: &[(u64, &str)] =
        &[(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match UNITS.iter().find(|(unit, _)| n >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", n as f64 / *unit as f64),
        None => format!("{n} bytes"),
    }
}

/// Formats a number with a noun: `1 variable`, `2 variables`.
pub(crate) fn counted(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_formatted_in_a_suitable_unit() {
        assert_eq!(bytes(999), "999 bytes");
        assert_eq!(bytes(1_330_000_000), "1.3 GB");
        assert_eq!(counted(1, "variable"), "1 variable");
    }
}
