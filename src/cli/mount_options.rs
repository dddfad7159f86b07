//! `-o a,b=c`: the words of mount(8) and fstab, and the flags they stand for.

use super::mount::Args;

/// What a word does.
enum Effect {
    /// Sets something, without a value.
    Set(fn(&mut Args)),
    /// Sets something to the value.
    With(fn(&mut Args, &str) -> Result<(), String>),
    /// Means nothing to us, and is no mistake: words for mount(8) itself, and what every mount of ours is.
    Swallowed,
    /// Cannot be had, and is no reason to fail.
    Refused(&'static str),
}

use Effect::{Refused, Set, Swallowed, With};

const WORDS: &[(&str, Effect)] = &[
    ("allow_other", Set(|args| args.allow_other = true)),
    ("cache_size", With(|args, value| parse_size(value).map(|size| args.cache_size = size))),
    ("foreground", Set(|args| args.foreground = true)),
    ("map", With(add_map)),
    ("nonempty", Set(|args| args.nonempty = true)),
    (
        "threads",
        With(|args, value| value.parse().map(|n| args.threads = Some(n)).map_err(|_| "a number".into())),
    ),
    ("rw", Refused("mounted read-only all the same: ckptfs never writes")),
    ("ro", Swallowed),
    ("nosuid", Swallowed),
    ("nodev", Swallowed),
    ("noexec", Swallowed),
    ("noatime", Swallowed),
    ("default_permissions", Swallowed),
    ("_netdev", Swallowed),
    ("auto", Swallowed),
    ("defaults", Swallowed),
    ("dev", Swallowed),
    ("exec", Swallowed),
    ("noauto", Swallowed),
    ("nofail", Swallowed),
    ("suid", Swallowed),
    ("user", Swallowed),
];

fn add_map(args: &mut Args, path: &str) -> Result<(), String> {
    args.map.add_file(path.into());
    Ok(())
}

/// Applies the words of all `-o`; returns what the user should know.
///
/// # Errors
/// Words that are unknown or lack a value, all at once.
pub(super) fn apply(args: &mut Args) -> Result<Vec<String>, String> {
    let (mut warnings, mut faults) = (Vec::new(), Vec::new());
    for word in args.options.clone().iter().flat_map(|words| words.split(',')).filter(|word| !word.is_empty())
    {
        let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
        match (WORDS.iter().find(|(known, _)| *known == name).map(|(_, effect)| effect), value) {
            _ if name.starts_with("x-") => {}
            (Some(Set(set)), None) => set(args),
            (Some(With(set)), Some(value)) => {
                faults.extend(set(args, value).err().map(|what| format!("{name}={value}: {what}")))
            }
            (Some(With(_)), None) => faults.push(format!("{name} needs a value: {name}=…")),
            (Some(Swallowed), _) => {}
            (Some(Refused(why)), _) => warnings.push(format!("-o {name}: {why}")),
            (Some(Set(_)), Some(_)) => faults.push(format!("{name} takes no value")),
            (None, _) => faults.push(format!("{name} is unknown")),
        }
    }
    match faults.is_empty() {
        true => Ok(warnings),
        false => Err(format!("-o: {}\n  help: it knows {}", faults.join("; "), known())),
    }
}

fn known() -> String {
    let ours = WORDS.iter().filter(|(_, effect)| matches!(effect, Set(_) | With(_)));
    ours.map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

/// A number of bytes, perhaps with a unit: `256M`, `1G`, `64KiB`.
pub(super) fn parse_size(text: &str) -> Result<usize, String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(parse_size("256M"), Ok(256 << 20));
        assert_eq!(parse_size("64KiB"), Ok(64 << 10));
        assert_eq!(parse_size("7"), Ok(7));
        assert!(
            parse_size("M").is_err() && parse_size("1X").is_err() && parse_size("99999999999999G").is_err()
        );
    }
}
