//! The flags that define a map, which most commands have, and the code that opens a source through the map.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::builder::PossibleValuesParser;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Args, Command, FromArgMatches};

use crate::catalog::{H5_LAYOUTS, H5Layout};
use crate::cli::error::{ParseError, Usage};
use crate::cli::flags::like_flags::{FIT, LIKE, LikeFlags, MISSING, NEW, PAIR};
use crate::cli::flags::listing::{Listing, valueless};
use crate::cli::flags::overlay_flags::{OVERLAY, OverlayFlags, TAKE};
use crate::cli::flags::{like_flags, overlay_flags};
use crate::cli::output::terminal;
use crate::map::Map;
use crate::map::builtin::{BuiltinMap, SIGN, UnknownMap};
use crate::map::flags::Flag;
use crate::map::toml::file::MapText;
use crate::mounted_source::newest::{Opened, open_damaged, open_newest};
use crate::name::{flag, quoted};
use crate::source;
use crate::source::Checkpoint;
use crate::transform::kind::{TARGETS, Target};
use crate::transform::like::Likeness;
use crate::transform::{MATCHINGS, Matching, Transform, Transformed};

/// The map of a command line.
#[derive(Clone, Debug, Default)]
pub(crate) struct MapFlags {
    overlays: OverlayFlags,
    flags: Vec<Flag>,
    files: Vec<PathBuf>,
    target: Option<Target>,
    like: LikeFlags,
    matching: Option<Matching>,
    h5_layout: Option<H5Layout>,
    /// All these flags, quoted for a shell.
    typed: Vec<String>,
}

/// A flag: its name, the placeholder of its value in the help (empty if the flag takes no value), its help, and its
/// rule.
struct Row {
    name: &'static str,
    value: &'static str,
    help: &'static str,
    flag: fn(String) -> Flag,
}

const HEADING: &str = "Map";
const FILES: &str = "map";
const TARGET: &str = "target";
const MATCH: &str = "match";
const LAYOUT: &str = "h5-layout";

/// The flags that name another checkpoint; `--match` needs one of them.
const OTHERS: &str = "other checkpoints";

#[rustfmt::skip]
const ROWS: &[Row] = &[
    Row { name: "rename", value: "FROM=TO", help: "Rename variables: 'bert/**=encoder/**', or a scope: bert=encoder", flag: Flag::Rename },
    Row { name: "alias", value: "FROM=TO", help: "Add another name to variables", flag: Flag::Alias },
    Row { name: "drop", value: "PATTERN", help: "Drop variables: '**/adam_*', or a scope", flag: Flag::Drop },
    Row { name: "keep", value: "PATTERN", help: "Drop all variables except these", flag: Flag::Keep },
    Row { name: "cast", value: "PATTERN=DTYPE", help: "Convert values to another dtype: '**=bfloat16'", flag: Flag::Cast },
    Row { name: "strip-prefix", value: "TEXT", help: "Remove TEXT from the start of names", flag: Flag::StripPrefix },
    Row { name: "add-prefix", value: "TEXT", help: "Add TEXT to the start of names, after --strip-prefix", flag: Flag::AddPrefix },
    Row { name: "drop-optimizer", value: "", help: "Drop optimizer state, regardless of its names", flag: |_| Flag::DropOptimizer },
    Row { name: "salvage", value: "", help: "Leave out damaged variables, and name them", flag: |_| Flag::Salvage },
    Row { name: "var", value: "NAME=NUMBER", help: "Override a number in a map's [vars]: heads=16", flag: Flag::Var },
    Row { name: "collision", value: "first", help: "Keep the first of two variables that get the same name", flag: |_| Flag::CollisionFirst },
];

impl Row {
    fn arg(&self) -> Arg {
        let arg = Arg::new(self.name).long(self.name).help(self.help).help_heading(HEADING);
        match self.value {
            "" => arg.action(ArgAction::SetTrue),
            first @ "first" => {
                let arg = arg.value_parser([first]).hide_possible_values(true);
                arg.value_name(first).action(ArgAction::Append)
            }
            value => arg.value_name(value).action(ArgAction::Append),
        }
    }

    /// Returns the occurrences of the flag with their positions on the command line. Rules apply in that order.
    fn occurrences(&self, matches: &ArgMatches) -> Vec<(usize, Flag)> {
        let indices = matches.indices_of(self.name).into_iter().flatten();
        match self.value {
            "" if !matches.get_flag(self.name) => vec![],
            "" => indices.map(|at| (at, (self.flag)(String::new()))).collect(),
            _ => {
                let values = matches.get_many::<String>(self.name).into_iter().flatten();
                indices.zip(values).map(|(at, value)| (at, (self.flag)(value.clone()))).collect()
            }
        }
    }
}

/// Returns the flags that apply to the whole checkpoint, after the rules.
fn ends() -> [Arg; 3] {
    // A test compares the words with the tables.
    let arg = |name: &'static str| Arg::new(name).long(name).help_heading(HEADING);
    let choice = |name: &'static str, value: &'static str| {
        let words: Vec<_> = value.split('|').collect();
        arg(name).value_name(value).value_parser(PossibleValuesParser::new(words)).hide_possible_values(true)
    };
    [
        choice(TARGET, "object|name")
            .help("Convert to an object-based or a name-based checkpoint")
            .long_help(
                "Convert to the kind of checkpoint that a program reads: object for tf.train.Checkpoint and Keras, name \
                 for tf.compat.v1.train.Saver",
            ),
        choice(MATCH, "name|position")
            .requires(OTHERS)
            .help("Pair variables by full name or by position")
            .long_help(
                "Pair the variables of two checkpoints by full name or by position where these disagree, instead of \
                 refusing: for --like and --overlay",
            ),
        choice(LAYOUT, "keras3|legacy")
            .help("Layout of HDF5 weights")
            .long_help(
                "Layout of HDF5 weights: keras3 (model.weights.h5), or legacy (model.h5) for Keras 2 (tf_keras)",
            ),
    ]
}

impl clap::Args for MapFlags {
    fn augment_args(command: Command) -> Command {
        let files = Arg::new(FILES)
            .long(FILES)
            .value_name("FILE")
            .help("A map file, or @NAME for a bundled map (ckptfs maps)")
            .long_help(
                "A map file (TOML), or @NAME for a bundled map (ckptfs maps); repeatable, applied after the flags",
            );
        let files =
            files.value_parser(clap::value_parser!(PathBuf)).action(ArgAction::Append).help_heading(HEADING);
        let others = ArgGroup::new(OTHERS).args([LIKE, OVERLAY]).multiple(true);
        let command = command.arg(files).args(ROWS.iter().map(Row::arg)).args(overlay_flags::args(HEADING));
        let [target, matching, layout] = ends();
        command.arg(target).args(like_flags::args(HEADING)).args([matching, layout]).group(others)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for MapFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        let mut found: Vec<_> = ROWS.iter().flat_map(|row| row.occurrences(matches)).collect();
        found.sort_by_key(|(at, _)| *at);
        self.flags.extend(found.into_iter().map(|(_, flag)| flag));
        let word = |name| matches.get_one::<String>(name);
        self.target = word(TARGET).and_then(|kind| one_of(TARGETS, kind).ok()).or(self.target);
        self.like.update(matches);
        self.matching = word(MATCH).and_then(|by| one_of(MATCHINGS, by).ok()).or(self.matching);
        let layout = word(LAYOUT).and_then(|name| one_of(H5_LAYOUTS, name).ok());
        self.h5_layout = layout.or(self.h5_layout);
        self.overlays.update(matches);
        self.typed.extend(typed(matches));
        self.files.extend(matches.get_many::<PathBuf>(FILES).into_iter().flatten().cloned());
        Ok(())
    }
}

/// Returns the value that a word names.
///
/// # Errors
/// The list of known words, if `word` is unknown.
fn one_of<T: Copy>(known: &[(&str, T)], word: &str) -> Result<T, String> {
    let found = known.iter().find(|(other, _)| *other == word).map(|(_, value)| *value);
    let words = || known.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(" or ");
    found.ok_or_else(|| format!("it is {}", words()))
}

/// Returns the flags as typed, in their order.
fn typed(matches: &ArgMatches) -> Vec<String> {
    let names = ROWS
        .iter()
        .map(|row| row.name)
        .chain([FILES, OVERLAY, TAKE, TARGET, LIKE, MISSING, FIT, PAIR, NEW, MATCH, LAYOUT]);
    let given = names.filter(|name| matches.value_source(name) == Some(ValueSource::CommandLine));
    let words = |name: &'static str| {
        let values = matches.get_raw(name).into_iter().flatten();
        let values = values.map(move |value| match value.to_str() {
            Some("true") => format!("--{name}"),
            _ => flag(name, &value.to_string_lossy()),
        });
        matches.indices_of(name).into_iter().flatten().zip(values)
    };
    let mut typed: Vec<_> = given.flat_map(words).collect();
    typed.sort();
    typed.into_iter().map(|(_, words)| words).collect()
}

impl MapFlags {
    /// Adds a map file after the others.
    #[cfg(feature = "fuse")]
    pub(crate) fn add_file(&mut self, path: PathBuf) {
        self.typed.push(flag(FILES, &path.to_string_lossy()));
        self.files.push(path);
    }

    /// Returns the layout of HDF5 files, or `None` if the flag is not given.
    pub(crate) fn h5_layout(&self) -> Option<H5Layout> {
        self.h5_layout
    }

    /// Adds the rule that leaves out what is damaged.
    #[cfg(feature = "fuse")]
    pub(crate) fn add_salvage(&mut self) {
        self.typed.push("--salvage".into());
        self.flags.push(Flag::Salvage);
    }

    /// Adds a number for the map's `[vars]`: `heads=16`.
    #[cfg(feature = "fuse")]
    pub(crate) fn add_var(&mut self, var: &str) {
        self.typed.push(flag("var", var));
        self.flags.push(Flag::Var(var.into()));
    }

    /// Sets a flag from an option of mount(8).
    ///
    /// # Errors
    /// The valid values of the flag, if `value` is invalid.
    #[cfg(feature = "fuse")]
    pub(crate) fn set(&mut self, name: &'static str, value: &str) -> Result<(), String> {
        match name {
            OVERLAY => self.overlays.add_overlay(value.into()),
            TAKE => self.overlays.add_take(value)?,
            TARGET => self.target = Some(one_of(TARGETS, value)?),
            LIKE | MISSING | FIT | PAIR | NEW => self.like.set(name, value)?,
            MATCH => self.matching = Some(one_of(MATCHINGS, value)?),
            LAYOUT => self.h5_layout = Some(one_of(H5_LAYOUTS, value)?),
            _ => return Err("it is not a flag of the map".into()),
        }
        self.typed.push(flag(name, value));
        Ok(())
    }

    /// Returns an error message for each flag that requires another flag that is missing.
    #[cfg(feature = "fuse")]
    pub(crate) fn lacks(&self) -> Vec<String> {
        let pairs = self.matching.is_some() && !self.like.is_given() && !self.overlays.has_whole();
        let pairs = pairs.then(|| format!("{MATCH} needs {LIKE}=… or {OVERLAY}=…"));
        self.like.lacks().into_iter().chain(pairs).collect()
    }

    /// Returns the flags, quoted for use in another command line.
    pub(crate) fn typed(&self) -> &[String] {
        &self.typed
    }

    /// Returns true if `--like` is given.
    pub(crate) fn has_like(&self) -> bool {
        self.like.is_given()
    }

    /// Returns the flags without `--like`, and its WANTED.
    pub(crate) fn without_like(&self) -> (Self, Option<PathBuf>) {
        let mut flags = self.clone();
        let wanted = flags.like.take_wanted();
        flags.typed.retain(|typed| !is_of(typed, LIKE));
        (flags, wanted)
    }

    /// Returns the flags as typed that make the map, and those that do not.
    pub(crate) fn typed_map(&self) -> (Vec<&str>, Vec<&str>) {
        let of_map =
            |typed: &&str| ROWS.iter().map(|row| row.name).chain([FILES]).any(|name| is_of(typed, name));
        self.typed.iter().map(String::as_str).partition(of_map)
    }

    /// Returns these flags and more, as if all were on one command line.
    ///
    /// # Errors
    /// The error of a command line with them.
    pub(crate) fn with(&self, words: &[String]) -> Result<Self, clap::Error> {
        let command = Self::augment_args(Command::new("flags").no_binary_name(true));
        let mut flags = self.clone();
        flags.update_from_arg_matches(&command.try_get_matches_from(words)?)?;
        Ok(flags)
    }

    /// Reads and parses the map.
    pub(crate) fn parse(&self) -> anyhow::Result<Map> {
        let files = self.files.iter().map(|path| map_text(path)).collect::<anyhow::Result<Vec<_>>>()?;
        Ok(Map::parse(&self.flags, &files).map_err(ParseError)?)
    }

    /// Returns the transform that the flags define: the overlays, the map, and the steps after it.
    pub(crate) fn transform(&self) -> anyhow::Result<Transform> {
        let like = self.like.open()?;
        let map = self.parse()?;
        let overlays = self.overlays.open(map.salvages())?;
        let Self { target, matching, h5_layout, .. } = *self;
        Ok(Transform { overlays, map, target, like, matching, h5_layout })
    }

    /// Opens a source and applies the transform to it. Prints the warnings of both.
    pub(crate) fn open(&self, source: &Path) -> anyhow::Result<Checkpoint> {
        let (transform, candidates) = (self.transform()?, source::candidates(source)?);
        let opened = open_newest(&candidates, &transform);
        Ok(self.warned(opened.map_err(|error| error.in_command(&command_line()))?))
    }

    /// Like [`Self::open`], but accepts damaged variables, and names them in a warning.
    pub(crate) fn open_damaged(&self, source: &Path) -> anyhow::Result<Checkpoint> {
        let (transform, candidates) = (self.transform()?, source::candidates(source)?);
        let opened = open_damaged(&candidates, &transform);
        Ok(self.warned(opened.map_err(|error| error.in_command(&command_line()))?))
    }

    /// Opens a list of variables, and applies the transform to it. Damaged variables are listed too. Prints the warnings of
    /// both.
    pub(crate) fn open_listing(&self, path: &Path) -> anyhow::Result<Listing> {
        let name = path.display().to_string();
        match valueless(path)? {
            Some(mut catalog) => {
                self.transform()?.apply(&mut catalog)?;
                Ok(Listing { name, catalog, has_values: false })
            }
            None => Ok(Listing { name, catalog: self.open_damaged(path)?.catalog, has_values: true }),
        }
    }

    /// Prints the warnings about a checkpoint.
    fn warned(&self, opened: Opened) -> Checkpoint {
        let Opened { checkpoint, transformed, skipped, damaged } = opened;
        let Transformed { overlays, report, likeness, warnings, salvaged } = transformed;
        skipped.iter().for_each(terminal::warning);
        checkpoint.warnings.iter().for_each(terminal::warning);
        overlays.warnings.iter().for_each(terminal::warning);
        salvaged.iter().for_each(terminal::warning);
        report.warnings.iter().for_each(terminal::warning);
        warnings.iter().for_each(terminal::warning);
        damaged.iter().for_each(terminal::warning);
        if let Some(likeness) = likeness {
            log::info!("{}", self.summary(&likeness).join("\n"));
        }
        checkpoint
    }

    /// Returns the result of `--like`: a line for each kind of variables, followed by their names.
    pub(crate) fn summary(&self, likeness: &Likeness) -> Vec<String> {
        self.like.summary(likeness)
    }
}

/// Returns the text of a map file or of a bundled map.
fn map_text(path: &Path) -> anyhow::Result<MapText> {
    if let Some(name) = path.to_str().filter(|path| path.starts_with(SIGN)) {
        return Ok(BuiltinMap::by_name(name).map_err(|unknown| elsewhere(unknown, path))?.into());
    }
    if let Some(instead) = instead(path) {
        return Err(Usage(format!("map {}: {instead}", path.display())).into());
    }
    let text = fs::read_to_string(path).with_context(|| format!("map {}", path.display()))?;
    Ok(MapText { name: path.display().to_string(), text })
}

/// The file extensions of other formats for settings.
const NOT_TOML: &[&str] = &["yaml", "yml", "json", "ini", "py"];

/// Returns advice for a path that cannot be a map file: what to write instead.
fn instead(path: &Path) -> Option<String> {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    if NOT_TOML.contains(&ending.to_lowercase().as_str()) {
        let toml = path.with_extension("toml");
        let help = format!("write the rules into {}, as `ckptfs maps --help` shows", toml.display());
        return Some(format!("maps are TOML files, not {}\n  help: {help}", ending.to_uppercase()));
    }
    let name = path.to_str()?.trim_end_matches(".toml");
    let bundled = BuiltinMap::by_name(name).ok().filter(|_| !path.exists())?;
    let help = format!("`--map {SIGN}{}` is the map of that name that comes with ckptfs", bundled.name);
    Some(format!("no such file\n  help: {help}"))
}

/// Returns the error for an unknown bundled map. If a file has this name, the error says how to write its path.
fn elsewhere(unknown: UnknownMap, path: &Path) -> anyhow::Error {
    match path.exists() {
        true => anyhow::anyhow!("{unknown}; for the file write ./{}", path.display()),
        false => unknown.into(),
    }
}

/// Returns this command line, to which flags can be added. It is empty if it ends in another command.
pub(crate) fn command_line() -> String {
    let words: Vec<_> = std::env::args().skip(1).map(|word| quoted(&word)).collect();
    match words.first().map(String::as_str) {
        Some("run") | None => String::new(),
        Some(_) => format!("ckptfs {}", words.join(" ")),
    }
}

/// Returns true if a typed flag has this name.
fn is_of(typed: &str, name: &str) -> bool {
    let rest = typed.strip_prefix("--").and_then(|typed| typed.strip_prefix(name));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '=']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_choice_are_those_of_its_table() {
        let joined = |words: Vec<&str>| words.join("|");
        let tables = [
            (TARGET, joined(TARGETS.iter().map(|(word, _)| *word).collect())),
            (MATCH, joined(MATCHINGS.iter().map(|(word, _)| *word).collect())),
            (LAYOUT, joined(H5_LAYOUTS.iter().map(|(word, _)| *word).collect())),
        ];
        for (name, words) in tables {
            let arg = ends().into_iter().find(|arg| arg.get_id() == name).unwrap();
            assert_eq!(arg.get_value_names().unwrap()[0].as_str(), words);
        }
    }

    #[test]
    fn a_path_that_cannot_be_a_map_is_refused_with_advice() {
        for (path, said) in [
            ("ddp", "`--map @ddp`"),
            ("bert-to-modelgarden.toml", "`--map @bert-to-modelgarden`"),
            ("fix.yaml", "write the rules into fix.toml"),
            ("dir/fix.JSON", "maps are TOML files, not JSON"),
        ] {
            let error = map_text(Path::new(path)).unwrap_err();
            assert!(error.is::<Usage>() && error.to_string().contains(said), "{error}");
        }
        assert!(!map_text(Path::new("own.toml")).unwrap_err().is::<Usage>());
    }
}
