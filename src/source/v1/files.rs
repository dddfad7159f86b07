//! The files of a stem: `P`, or `P-SSSSS-of-NNNNN` (five digits or more, counted from 0).

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use crate::directory::Directory;
use crate::source::error::Error;
use crate::source::prefix::Prefix;
use crate::source::sniff;

/// Returns the file names of a V1 checkpoint; empty if there is no such checkpoint. If there are several sets of
/// shards, only complete sets are returned. If several sets are returned, [`check_complete`] rejects them.
pub(super) fn files(prefix: &Prefix, directory: &Directory) -> Vec<OsString> {
    if sniff::is_table(directory, &prefix.stem) {
        return vec![prefix.stem.clone()];
    }
    let mut sets: BTreeMap<u64, BTreeSet<OsString>> = BTreeMap::new();
    for entry in directory.entries().unwrap_or_default() {
        if let Some((stem, _, of)) = split(&entry.name)
            && stem == prefix.stem.as_bytes()
        {
            sets.entry(of).or_default().insert(entry.name);
        }
    }
    sets.retain(|_, names| names.iter().any(|name| sniff::is_table(directory, name)));
    let is_complete = |(of, names): (&u64, &BTreeSet<_>)| *of == names.len() as u64;
    if sets.iter().any(is_complete) {
        sets.retain(|of, names| is_complete((of, names)));
    }
    sets.into_values().flatten().collect()
}

/// Returns the stem of a name that a V1 file is likely to have: the name without the number of a shard. Returns
/// `None` if the stem has an extension other than `ckpt…`, which is more likely that of another format.
pub(super) fn likely_stem(name: &OsStr) -> Option<OsString> {
    let stem = stem(name);
    let end = Path::new(&stem).extension();
    end.is_none_or(|end| end.as_bytes().starts_with(b"ckpt")).then_some(stem)
}

/// Returns the stem of the checkpoint to which a file belongs: the file's name without the number of a shard.
fn stem(name: &OsStr) -> OsString {
    match split(name) {
        Some((stem, _, _)) => OsString::from_vec(stem.to_vec()),
        None => name.to_owned(),
    }
}

/// Returns an error if the files are not exactly one complete set.
pub(super) fn check_complete(prefix: &Prefix, names: &[OsString]) -> Result<(), Error> {
    let sets: BTreeSet<u64> = names.iter().filter_map(|name| Some(split(name)?.2)).collect();
    let of = match sets.into_iter().collect::<Vec<_>>()[..] {
        _ if names == [prefix.stem.clone()] => return Ok(()),
        [of] => of,
        _ => return Err(Error::Unsupported(prefix.path(), several(names))),
    };
    match of.saturating_sub(names.len() as u64) {
        0 => Ok(()),
        missing => Err(Error::Unsupported(prefix.path(), incomplete(prefix, names, of, missing))),
    }
}

fn several(names: &[OsString]) -> String {
    let listed: Vec<_> = names.iter().map(|name| name.to_string_lossy()).collect();
    format!(
        "shards of more than one save: {}\n  help: move those of the other one elsewhere",
        listed.join(", ")
    )
}

fn incomplete(prefix: &Prefix, names: &[OsString], of: u64, missing: u64) -> String {
    const NAMED: usize = 5;
    let there: BTreeSet<u64> = names.iter().filter_map(|name| Some(split(name)?.1)).collect();
    let gone = (0..of).filter(|shard| !there.contains(shard)).take(NAMED);
    let gone: Vec<_> =
        gone.map(|shard| format!("{}-{shard:05}-of-{of:05}", prefix.stem.to_string_lossy())).collect();
    let more = missing.saturating_sub(gone.len() as u64);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!(
        "{missing} of its {of} files missing: {}{more}\n  help: each file has names of its own; copy them all",
        gone.join(", ")
    )
}

/// Splits a name into the stem, the number of the shard and the number of shards.
fn split(name: &OsStr) -> Option<(&[u8], u64, u64)> {
    let bytes = name.as_bytes();
    let at = bytes.windows(4).rposition(|part| part == b"-of-")?;
    let of = number(&bytes[at + 4..])?;
    let dash = bytes[..at].iter().rposition(|&byte| byte == b'-')?;
    let (stem, digits) = (&bytes[..dash], &bytes[dash + 1..at]);
    let shard = number(digits).filter(|shard| *shard < of)?;
    (!stem.is_empty()).then_some((stem, shard, of))
}

fn number(digits: &[u8]) -> Option<u64> {
    let is_number = digits.len() >= 5 && digits.iter().all(u8::is_ascii_digit);
    str::from_utf8(digits).ok().filter(|_| is_number)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stem_of_a_shard_is_its_name_without_the_number() {
        for (name, expected) in [
            ("export-00000-of-00001", "export"),
            ("m-5-00001-of-00002", "m-5"),
            ("m-123456-of-234567", "m"),
            ("m-5", "m-5"),
            ("m-00002-of-00002", "m-00002-of-00002"),
            ("m-1-of-2", "m-1-of-2"),
            ("-00000-of-00001", "-00000-of-00001"),
            ("model.data-00000-of-00001", "model.data"),
        ] {
            assert_eq!(stem(OsStr::new(name)), expected, "{name}");
        }
    }
}
