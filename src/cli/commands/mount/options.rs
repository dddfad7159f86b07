//! `-o a,b=c`: the options of mount(8) and fstab, and their effects.

use crate::cli::commands::mount::Args;
use crate::cli::flags::parse::{parse_mode, parse_size};
use crate::tree::Show;

/// The effect of an option.
enum Effect {
    /// A setting without a value.
    Set(fn(&mut Args)),
    /// A setting with a value.
    With(fn(&mut Args, &str) -> Result<(), String>),
    /// An option that is accepted and ignored: it is for mount(8) itself, or every ckptfs mount has it.
    Swallowed,
    /// An unsupported option that causes this warning instead of an error.
    Refused(&'static str),
}

use Effect::{Refused, Set, Swallowed, With};

const WORDS: &[(&str, Effect)] = &[
    ("allow_other", Set(|args| args.allow_other = true)),
    ("allow_root", Set(|args| args.allow_root = true)),
    ("auto_unmount", Set(|args| args.auto_unmount = true)),
    ("cache_size", With(|args, value| parse_size(value).map(|size| args.serve.cache_size = size))),
    ("foreground", Set(|args| args.foreground = true)),
    ("gid", With(|args, value| parse_id(value).map(|id| args.gid = Some(id)))),
    ("fit", With(|args, value| args.map.set("fit", value))),
    ("h5_layout", With(|args, value| args.map.set("h5-layout", value))),
    ("like", With(|args, value| args.map.set("like", value))),
    (
        "map",
        With(|args, value| {
            args.map.add_file(value.into());
            Ok(())
        }),
    ),
    ("match", With(|args, value| args.map.set("match", value))),
    ("missing", With(|args, value| args.map.set("missing", value))),
    ("new", With(|args, value| args.map.set("new", value))),
    ("nonempty", Set(|args| args.nonempty = true)),
    ("overlay", With(|args, value| args.map.set("overlay", value))),
    ("pair", With(|args, value| args.map.set("pair", value))),
    ("salvage", Set(|args| args.map.add_salvage())),
    ("show", With(|args, value| Show::parse(value).map(|show| args.serve.show = show))),
    ("take", With(|args, value| args.map.set("take", value))),
    ("target", With(|args, value| args.map.set("target", value))),
    ("threads", With(|args, value| parse_threads(value).map(|n| args.serve.threads = Some(n)))),
    ("uid", With(|args, value| parse_id(value).map(|id| args.uid = Some(id)))),
    ("umask", With(|args, value| parse_mode(value).map(|mode| args.umask = Some(mode)))),
    (
        "var",
        With(|args, value| {
            args.map.add_var(value);
            Ok(())
        }),
    ),
    ("verify", Set(|args| args.serve.verify = true)),
    ("rw", Refused("mounted read-only anyway, because ckptfs never writes; `ro` says so")),
    ("ro", Swallowed),
    ("nosuid", Swallowed),
    ("nodev", Swallowed),
    ("noexec", Swallowed),
    ("noatime", Swallowed),
    ("default_permissions", Swallowed),
    ("_netdev", Swallowed),
    ("async", Swallowed),
    ("auto", Swallowed),
    ("defaults", Swallowed),
    ("dev", Swallowed),
    ("exec", Swallowed),
    ("group", Swallowed),
    ("noauto", Swallowed),
    ("nofail", Swallowed),
    ("nouser", Swallowed),
    ("owner", Swallowed),
    ("relatime", Swallowed),
    ("suid", Swallowed),
    ("user", Swallowed),
    ("users", Swallowed),
];
/// The prefix of options for other programs: `x-systemd.automount`.
const OTHERS: &str = "x-";

/// Applies the options of all `-o` flags and returns warnings for the user.
///
/// # Errors
/// One message for all invalid options: unknown options, missing or invalid values, and options that exclude each
/// other.
pub(crate) fn apply(args: &mut Args) -> Result<Vec<String>, String> {
    let (mut warnings, mut faults) = (Vec::new(), Vec::new());
    for word in args.options.iter().flat_map(|words| split(words)).collect::<Vec<_>>() {
        let (name, value) = word.split_once('=').map_or((&*word, None), |(name, value)| (name, Some(value)));
        match (WORDS.iter().find(|(known, _)| *known == name).map(|(_, effect)| effect), value) {
            _ if name.starts_with(OTHERS) || name.is_empty() => {}
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
    if args.allow_other && args.allow_root {
        faults.push("allow_other and allow_root exclude each other".into());
    }
    faults.extend(args.map.lacks());
    match faults.is_empty() {
        true => Ok(warnings),
        false => Err(format!("-o: {}\n  help: it knows {}", faults.join("; "), known())),
    }
}

/// Splits a list at commas. A backslash escapes the next character, as in other FUSE programs.
fn split(words: &str) -> Vec<String> {
    let (mut split, mut chars) = (vec![String::new()], words.chars());
    while let Some(c) = chars.next() {
        match c {
            ',' => split.push(String::new()),
            '\\' => split.last_mut().expect("it begins with one").extend(chars.next()),
            c => split.last_mut().expect("it begins with one").push(c),
        }
    }
    split
}

fn known() -> String {
    let ours = WORDS.iter().filter(|(_, effect)| matches!(effect, Set(_) | With(_)));
    ours.map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

fn parse_id(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| "an id is a number".into())
}

fn parse_threads(text: &str) -> Result<u16, String> {
    text.parse().ok().filter(|n| (2..=256).contains(n)).ok_or_else(|| "a number from 2 to 256".into())
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, FromArgMatches};

    use super::*;

    fn args(words: &[&str]) -> Args {
        let command = Args::augment_args(clap::Command::new("mount"));
        let options = words.iter().flat_map(|word| ["-o", word]);
        let matches = command.get_matches_from(["mount", "source", "m"].into_iter().chain(options));
        Args::from_arg_matches(&matches).unwrap()
    }

    fn applied(words: &str) -> Args {
        let mut args = args(&[words]);
        apply(&mut args).unwrap();
        args
    }

    fn fault(words: &str) -> String {
        apply(&mut args(&[words])).unwrap_err()
    }

    #[test]
    fn each_option_sets_the_same_as_its_flag() {
        let args = applied(
            "allow_other,auto_unmount,nonempty,foreground,uid=7,gid=8,umask=027,cache_size=1M,threads=3,h5_layout=legacy,map=@ddp,var=heads=2",
        );
        assert!(
            args.allow_other && args.auto_unmount && args.nonempty && args.foreground && !args.allow_root
        );
        assert_eq!((args.uid, args.gid, args.umask), (Some(7), Some(8), Some(0o27)));
        assert_eq!((args.serve.cache_size, args.serve.threads), (1 << 20, Some(3)));
        for flag in ["--h5-layout legacy", "--map @ddp", "--var 'heads=2'"] {
            assert!(args.map.typed().contains(&flag.to_owned()), "{flag}");
        }
        assert!(applied("allow_root").allow_root);
    }

    #[test]
    fn forms_to_show_are_separated_by_colons() {
        assert_eq!(Ok(applied("ro,show=npy:raw,nodev").serve.show), Show::parse("npy,raw"));
        assert_eq!(applied("ro").serve.show, Show::default());
        let said = fault("show=numpy");
        assert!(said.contains("show=numpy: unknown `numpy`; it is one or more of ") && said.contains("npy"));
    }

    #[test]
    fn options_of_the_map_set_its_flags() {
        let words =
            "overlay=a,take=x=b,target=object,like=wanted,missing=zeros,fit=like,match=position,overlay=c";
        let flags = [
            "overlay a",
            "take 'x=b'",
            "target object",
            "like wanted",
            "missing zeros",
            "fit like",
            "match position",
            "overlay c",
        ];
        assert_eq!(applied(words).map.typed(), flags.map(|flag| format!("--{flag}")));
    }

    #[test]
    fn all_invalid_map_options_are_reported_at_once() {
        let said = fault("take=x,target=9,missing=8,fit=7,match=6");
        for part in [
            "take=x: it is NAME=SOURCE",
            "target=9: it is object or name",
            "missing=8: it is zeros or like",
            "fit=7: it is like",
            "match=6: it is name or position",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(fault("missing=zeros").contains("missing, fit, pair and new need like=…"));
        assert!(fault("match=name").contains("match needs like=… or overlay=…"));
    }

    #[test]
    fn every_option_of_ckptfs_has_a_long_flag() {
        let command = Args::augment_args(clap::Command::new("mount"));
        let flags: Vec<_> = command.get_arguments().filter_map(|arg| arg.get_long()).collect();
        for (word, effect) in WORDS {
            let ours = matches!(effect, Set(_) | With(_));
            assert_eq!(flags.contains(&&*word.replace('_', "-")), ours, "{word}");
        }
    }

    #[test]
    fn the_options_of_fstab_are_ignored_and_rw_causes_a_warning() {
        let words =
            "rw,x-systemd.automount,x-gvfs-show=1,_netdev,nofail,noauto,user=me,defaults,auto,dev,suid,exec,";
        let said = apply(&mut args(&[words])).unwrap();
        assert!(matches!(said.as_slice(), [rw] if rw.contains("read-only")), "{said:?}");
        assert!(apply(&mut args(&["ro,nosuid,nodev"])).unwrap().is_empty());
    }

    #[test]
    fn all_invalid_options_are_reported_at_once() {
        let said = fault(
            "alow_other,threads,uid=me,umask=9,nonempty=1,threads=1,h5_layout=4,allow_other,allow_root",
        );
        for part in [
            "alow_other is unknown",
            "threads needs a value",
            "uid=me: an id is a number",
            "umask=9: permission bits",
            "nonempty takes no value",
            "threads=1: a number from 2",
            "h5_layout=4: it is keras3 or legacy",
            "exclude each other",
            "help: it knows allow_other",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }

    #[test]
    fn a_backslash_escapes_a_comma() {
        assert_eq!(split(r"map=a\,b.toml,ro"), ["map=a,b.toml", "ro"]);
        assert_eq!(split(""), [""]);
    }

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
