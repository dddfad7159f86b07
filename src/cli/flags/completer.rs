//! The completion of values: bundled maps, forms, and the variables of the checkpoint on the command line.

use std::collections::BTreeSet;
use std::env;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::{ArgMatches, Command, CommandFactory, FromArgMatches};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter};
use clap_complete::env::CompleteEnv;

use crate::catalog::Catalog;
use crate::cli::args::Cli;
use crate::cli::commands::completions::VAR;
use crate::cli::flags::map_flags::MapFlags;
use crate::map::builtin::{BUILTIN_MAPS, SIGN};
use crate::transform::like::options::{FIT, MISSING};
use crate::{remap, source};

type Complete = fn(&OsStr) -> Vec<CompletionCandidate>;

/// The completers of arguments: the command (empty for any command), the argument's id and the function.
const COMPLETERS: &[(&str, &str, Complete)] = &[
    ("", "map", maps),
    ("show", "name", builtin_maps),
    ("cat", "name", mapped),
    ("ls", "patterns", mapped),
    ("", "drop", own_names),
    ("", "keep", own_names),
    ("", "rename", own_assigned),
    ("", "alias", own_assigned),
    ("", "cast", own_assigned),
    ("", "take", own_assigned),
    ("", "pair", own_assigned),
    ("", "new", wanted_names),
    ("", "missing", fills),
    ("", "fit", fits),
    #[cfg(feature = "fuse")]
    ("", "show", forms),
];

/// The ids of the argument that the flags of the map act on.
const SOURCES: &[&str] = &["source", "have"];

/// Completes the words of this process and returns true, if a completion script called it. Errors are not printed,
/// because they would appear in the line that the user is typing.
pub(crate) fn complete() -> bool {
    let directory = std::env::current_dir().ok();
    let completion = CompleteEnv::with_factory(command).var(VAR);
    completion.try_complete(std::env::args_os(), directory.as_deref()).unwrap_or(true)
}

/// Returns the command line with its completers.
fn command() -> Command {
    completed(Cli::command())
}

fn completed(command: Command) -> Command {
    let name = command.get_name().to_owned();
    let of = |command: &str, id: &str, arg: &clap::Arg| {
        (command.is_empty() || command == name) && arg.get_id() == id
    };
    let command =
        command.mut_args(|arg| match COMPLETERS.iter().find(|(command, id, _)| of(command, id, &arg)) {
            Some((_, _, complete)) => arg.add(ArgValueCompleter::new(*complete)),
            None => arg,
        });
    command.mut_subcommands(completed)
}

/// Completes a map: `@NAME` or a file.
fn maps(current: &OsStr) -> Vec<CompletionCandidate> {
    let is_named = current.to_str().is_some_and(|text| text.starts_with(SIGN));
    let files = if is_named { Vec::new() } else { PathCompleter::file().complete(current) };
    let names = BUILTIN_MAPS.iter().map(|map| (format!("{SIGN}{}", map.name), map.summary()));
    described(names, current).chain(files).collect()
}

fn builtin_maps(current: &OsStr) -> Vec<CompletionCandidate> {
    described(BUILTIN_MAPS.iter().map(|map| (map.name.to_owned(), map.summary())), current).collect()
}

fn described(
    words: impl Iterator<Item = (String, &'static str)>,
    current: &OsStr,
) -> impl Iterator<Item = CompletionCandidate> {
    let words =
        words.filter(move |(word, _)| current.to_str().is_some_and(|current| word.starts_with(current)));
    words.map(|(word, help)| CompletionCandidate::new(word).help(Some(help.into())))
}

/// Completes the last word of a comma-separated list of forms.
#[cfg(feature = "fuse")]
fn forms(current: &OsStr) -> Vec<CompletionCandidate> {
    let current = current.to_string_lossy();
    let (before, last) = current.split_at(current.rfind(',').map_or(0, |at| at + 1));
    let words = crate::tree::Show::words().into_iter().filter(|word| word.starts_with(last));
    words.map(|word| CompletionCandidate::new(format!("{before}{word}"))).collect()
}

/// Completes a target name, which is a variable's name after the map.
fn mapped(current: &OsStr) -> Vec<CompletionCandidate> {
    candidates(true, current, "")
}

/// Completes a variable's name in the source.
fn own_names(current: &OsStr) -> Vec<CompletionCandidate> {
    candidates(false, current, "")
}

/// Completes a variable's name in the source and adds `=`, because a second value follows.
fn own_assigned(current: &OsStr) -> Vec<CompletionCandidate> {
    candidates(false, current, "=")
}

/// Completes a variable's name in WANTED.
fn wanted_names(current: &OsStr) -> Vec<CompletionCandidate> {
    let wanted =
        |typed: &ArgMatches| of_catalog(&source::open(typed.get_one::<PathBuf>("like")?).ok()?.catalog);
    offered(current, "", || typed().and_then(|typed| wanted(&typed)))
}

/// Completes `[PATTERN=]zeros|like`.
fn fills(current: &OsStr) -> Vec<CompletionCandidate> {
    filled(current, &MISSING.iter().map(|(word, _)| *word).collect::<Vec<_>>())
}

/// Completes `[PATTERN=]like`.
fn fits(current: &OsStr) -> Vec<CompletionCandidate> {
    filled(current, &FIT.iter().map(|(word, _)| *word).collect::<Vec<_>>())
}

fn filled(current: &OsStr, words: &[&str]) -> Vec<CompletionCandidate> {
    let text = current.to_string_lossy();
    let (pattern, last) = text.split_at(text.rfind('=').map_or(0, |at| at + 1));
    let words = words.iter().filter(|word| word.starts_with(last));
    let words = words.map(|word| CompletionCandidate::new(format!("{pattern}{word}")));
    words.chain(wanted_names(current)).collect()
}

fn candidates(is_mapped: bool, current: &OsStr, after: &str) -> Vec<CompletionCandidate> {
    offered(current, after, || typed().and_then(|typed| names(&typed, is_mapped)))
}

/// Returns the next completions by the names that `names` returns, each with `after` behind it.
fn offered(
    current: &OsStr,
    after: &str,
    names: impl FnOnce() -> Option<Vec<String>>,
) -> Vec<CompletionCandidate> {
    let Some(current) = current.to_str().filter(|current| !current.contains('=')) else { return Vec::new() };
    let names = names().unwrap_or_default();
    let next = next(&names, current).into_iter();
    next.map(|name| if name.ends_with('/') { name } else { name + after })
        .map(CompletionCandidate::new)
        .collect()
}

/// Returns the completions of `current` up to the next slash, or further if there is only one.
fn next(names: &[String], current: &str) -> Vec<String> {
    let (mut current, mut found) = (current.to_owned(), BTreeSet::new());
    loop {
        for name in names.iter().filter(|name| name.starts_with(&current)) {
            let end = name[current.len()..].find('/').map_or(name.len(), |at| current.len() + at + 1);
            found.insert(name[..end].to_owned());
        }
        match found.pop_first() {
            Some(scope) if found.is_empty() && scope.ends_with('/') && scope != current => current = scope,
            first => return first.into_iter().chain(found).collect(),
        }
    }
}

/// Returns the variable names of the checkpoint on the command line. Only its index is read.
fn names(typed: &ArgMatches, is_mapped: bool) -> Option<Vec<String>> {
    let path = SOURCES.iter().find_map(|id| typed.try_get_one::<PathBuf>(id).ok()?)?;
    let mut catalog = source::open(path).ok()?.catalog;
    if is_mapped {
        let map = MapFlags::from_arg_matches(typed).ok()?.parse().ok()?;
        remap::apply(&map, &mut catalog).ok()?;
    }
    of_catalog(&catalog)
}

fn of_catalog(catalog: &Catalog) -> Option<Vec<String>> {
    let names = catalog.variables.iter().map(|variable| str::from_utf8(variable.name.as_bytes()));
    Some(names.flatten().filter(|name| !name.contains(char::is_control)).map(str::to_owned).collect())
}

/// Returns the typed arguments of the subcommand, without the word to complete.
fn typed() -> Option<ArgMatches> {
    let mut words: Vec<OsString> = env::args_os().skip_while(|word| word != "--").skip(1).collect();
    let index = env::var("_CLAP_COMPLETE_INDEX").ok().and_then(|index| index.parse().ok());
    let index = index.unwrap_or(words.len().saturating_sub(1));
    if index < words.len() {
        words.remove(index);
    }
    let typed = Cli::command().ignore_errors(true).try_get_matches_from(words).ok()?;
    typed.subcommand().map(|(_, typed)| typed.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_completer_has_its_argument() {
        let mut found = Vec::new();
        let mut open = vec![Cli::command()];
        while let Some(command) = open.pop() {
            let name = command.get_name().to_owned();
            found.extend(command.get_arguments().map(|arg| (name.clone(), arg.get_id().to_string())));
            open.extend(command.get_subcommands().cloned());
        }
        for (command, id, _) in COMPLETERS {
            let is_it = |(name, arg): &(String, String)| arg == id && (command.is_empty() || name == command);
            assert!(found.iter().any(is_it), "{command} {id}");
        }
    }

    #[test]
    fn names_are_completed_one_component_at_a_time() {
        let names = ["a/b/c", "a/b/d", "a/b/d/Adam", "step"].map(String::from);
        assert_eq!(next(&names, ""), ["a/", "step"]);
        assert_eq!(next(&names, "a"), ["a/b/c", "a/b/d", "a/b/d/"]);
        assert_eq!(next(&names, "a/b/d/"), ["a/b/d/Adam"]);
        assert!(next(&names, "x").is_empty());
    }
}
