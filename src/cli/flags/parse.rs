//! The parsers of flag values.

/// Parses permission bits in octal: `022`.
pub(crate) fn parse_mode(text: &str) -> Result<u16, String> {
    let mode = u16::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777);
    mode.ok_or_else(|| "permission bits are three octal digits: 022".into())
}

/// Parses a number of bytes with an optional unit: `256M`, `1G`, `64KiB`.
pub(crate) fn parse_size(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let shift = match text[digits.len()..].trim_end_matches("iB").trim_end_matches('B') {
        "" => 0,
        "k" | "K" => 10,
        "m" | "M" => 20,
        "g" | "G" => 30,
        _ => return Err("a size is a number and perhaps K, M or G: 256M".into()),
    };
    let number: usize = digits.parse().map_err(|_| "a size is a number and perhaps K, M or G: 256M")?;
    number.checked_mul(1 << shift).ok_or_else(|| "too large".into())
}
