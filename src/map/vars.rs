//! `--var NAME=NUMBER`: numbers of `[vars]` that are changed for one command. They override files. A file must define
//! each of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::map::diagnostic::{Error, Errors, Kind};
use crate::map::flags::Flag;
use crate::map::span::{Source, Span};
use crate::map::suggest::did_you_mean;
use crate::map::toml::file::{MapFile, Var};

/// Returns the numbers that flags give.
pub(crate) fn given(flags: &[Flag], errors: &mut Errors) -> BTreeMap<String, Var> {
    let mut vars = BTreeMap::<String, Var>::new();
    for flag in flags {
        let Some((name, var)) = one(flag, errors) else { continue };
        match vars.get(&name) {
            Some(first) if first.value != var.value => {
                let what = format!("`{name}` is {} here and {} there", first.value, var.value);
                errors.push(Error::new(Kind::Conflict, &var.span, what).related(&first.span, "first here"));
            }
            _ => _ = vars.insert(name, var),
        }
    }
    vars
}

/// Checks that a map file defines every number that a flag changes. Otherwise the flag is probably a typing error.
pub(crate) fn check_known(vars: &BTreeMap<String, Var>, files: &[MapFile<'_>], errors: &mut Errors) {
    let known: Vec<&str> = files.iter().flat_map(MapFile::var_names).collect();
    let unknown = vars.iter().filter(|(name, var)| var.span.is_flag() && !known.contains(&name.as_str()));
    for (name, var) in unknown {
        let what = format!("no map file has a number `{name}` in [vars]");
        let help = did_you_mean(name, known.iter().copied()).unwrap_or_else(|| listed(&known));
        errors.push(Error::new(Kind::Key, &var.span, what).help(help));
    }
}

fn listed(known: &[&str]) -> String {
    match known {
        [] => "--var changes a number of a --map file, and there is none".into(),
        known => format!("there are {}", known.join(", ")),
    }
}

fn one(flag: &Flag, errors: &mut Errors) -> Option<(String, Var)> {
    let Flag::Var(text) = flag else { return None };
    let source = Arc::new(Source { name: "--var".into(), text: text.clone(), is_flag: true });
    let parsed = text.split_once('=').and_then(|(name, number)| Some((name, number.trim().parse().ok()?)));
    let Some((name, value)) = parsed else {
        let place = Span::new(&source, 0..text.len());
        let error = Error::new(Kind::Key, &place, "`--var` needs NAME=NUMBER, a whole number");
        errors.push(error.help("as in --var heads=16"));
        return None;
    };
    let name = name.trim().to_owned();
    let place = Span::new(&source, 0..text.find('=').unwrap_or(text.len()));
    Some((name, Var { value, span: place }))
}

#[cfg(test)]
mod tests {
    use crate::map::Map;
    use crate::map::flags::Flag;
    use crate::map::test_util::file;
    use crate::map::toml::file::MapText;

    const HEADS: &str =
        "[vars]\nheads = 12\ngroups = 2\n[[rule]]\nconvert = 'w'\nops = [{ reshape = ['heads', -1] }]";

    fn parsed(vars: &[&str], texts: &[&str]) -> Result<Map, String> {
        let flags: Vec<_> = vars.iter().map(|var| Flag::Var((*var).into())).collect();
        let files: Vec<MapText> = texts.iter().map(|text| file(text)).collect();
        Map::parse(&flags, &files).map_err(|errors| errors.to_string())
    }

    #[track_caller]
    fn refused(vars: &[&str], texts: &[&str], parts: &[&str]) {
        let said = parsed(vars, texts).unwrap_err();
        assert!(parts.iter().all(|part| said.contains(part)), "{said}");
        assert_eq!(said.matches("error: ").count(), 1, "{said}");
    }

    #[test]
    fn a_flag_overrides_the_file_and_is_in_the_written_map() {
        let map = parsed(&["heads=16"], &[HEADS]).unwrap();
        assert_eq!((map.var("heads"), map.var("groups")), (Some(16), Some(2)));
        assert!(map.to_toml().contains("heads = 16"), "{}", map.to_toml());
        assert_eq!(parsed(&[" heads = 7 "], &[HEADS]).unwrap().var("heads"), Some(7));
    }

    #[test]
    fn a_flag_resolves_a_contradiction_between_two_files() {
        let other = "[vars]\nheads = 8";
        assert!(parsed(&[], &[HEADS, other]).unwrap_err().contains("`heads` is 12 here and 8 there"));
        assert_eq!(parsed(&["heads=4"], &[HEADS, other]).unwrap().var("heads"), Some(4));
    }

    #[test]
    fn an_unknown_number_is_refused_with_the_nearest_name() {
        refused(&["head=16"], &[HEADS], &["no map file has a number `head`", "did you mean `heads`?"]);
        refused(&["zzzzzz=16"], &[HEADS], &["there are groups, heads"]);
        refused(&["heads=16"], &[], &["there is none"]);
        let undeclared = "[[rule]]\nconvert = 'w'\nops = [{ reshape = ['heads', -1] }]";
        refused(&["heads=16"], &[undeclared], &["no map file has a number `heads`"]);
    }

    #[test]
    fn an_invalid_number_is_reported() {
        for var in ["heads", "heads=", "heads=1.5", "heads=twelve", "=", ""] {
            refused(&[var], &[HEADS], &["`--var` needs NAME=NUMBER"]);
        }
        refused(&["heads=1", "heads=2"], &[HEADS], &["`heads` is 1 here and 2 there"]);
    }
}
