//! The flags that make a map, which most commands have, and opening a source through them.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::builder::PossibleValuesParser;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::catalog::{H5_LAYOUTS, H5Layout};
use crate::cli::error::{ParseError, Usage};
use crate::cli::flags::overlay_flags;
use crate::cli::flags::overlay_flags::{OVERLAY, OverlayFlags, TAKE};
use crate::cli::output::terminal;
use crate::cli::output::terminal::{counted, quoted};
use crate::map::Map;
use crate::map::builtin::{BuiltinMap, SIGN, UnknownMap};
use crate::map::flags::Flag;
use crate::map::toml::file::MapText;
use crate::remap::report::Report;
use crate::source;
use crate::source::Checkpoint;
use crate::transform::kind::{TARGETS, Target};
use crate::transform::like::{Filling, Likeness, Wanted};
use crate::transform::{Transform, Transformed, like};

/// The map of a command line.
#[derive(Clone, Debug, Default)]
pub(crate) struct MapFlags {
    overlays: OverlayFlags,
    flags: Vec<Flag>,
    files: Vec<PathBuf>,
    target: Option<Target>,
    like: Option<PathBuf>,
    filling: Filling,
    h5_layout: Option<H5Layout>,
    /// All of them, as a shell would take them.
    typed: Vec<String>,
}

/// A flag: its name, what stands for its value in the help (nothing: it takes none), its help, and the rule it is.
struct Row {
    name: &'static str,
    value: &'static str,
    help: &'static str,
    flag: fn(String) -> Flag,
}

const HEADING: &str = "Map";
const FILES: &str = "map";
const TARGET: &str = "target";
const LIKE: &str = "like";
const MISSING: &str = "missing";
const FIT: &str = "fit";
const LAYOUT: &str = "h5-layout";

/// The ways of fitting, as they are written.
const FITS: &[(&str, bool)] = &[("like", true)];

#[rustfmt::skip]
const ROWS: &[Row] = &[
    Row { name: "rename", value: "FROM=TO", help: "Give variables another name: 'bert/**=encoder/**', or for a scope bert=encoder", flag: Flag::Rename },
    Row { name: "alias", value: "FROM=TO", help: "Give them one more name", flag: Flag::Alias },
    Row { name: "drop", value: "PATTERN", help: "Leave variables out: '**/adam_*', or a scope", flag: Flag::Drop },
    Row { name: "keep", value: "PATTERN", help: "Leave all others out", flag: Flag::Keep },
    Row { name: "cast", value: "PATTERN=DTYPE", help: "Give their values another dtype: '**=bfloat16'", flag: Flag::Cast },
    Row { name: "strip-prefix", value: "TEXT", help: "Take TEXT off names that begin with it", flag: Flag::StripPrefix },
    Row { name: "add-prefix", value: "TEXT", help: "Put TEXT in front of names, after --strip-prefix", flag: Flag::AddPrefix },
    Row { name: "drop-optimizer", value: "", help: "Leave optimizer state out, whatever it is called", flag: |_| Flag::DropOptimizer },
    Row { name: "var", value: "NAME=NUMBER", help: "Give a number of a map file's [vars] another value: heads=16", flag: Flag::Var },
    Row { name: "collision", value: "first", help: "Of two variables that get one name, keep the first", flag: |_| Flag::CollisionFirst },
];

impl Row {
    fn arg(&self) -> Arg {
        let arg = Arg::new(self.name).long(self.name).help(self.help).help_heading(HEADING);
        match self.value {
            "" => arg.action(ArgAction::SetTrue),
            "first" => arg.value_parser(["first"]).action(ArgAction::Append),
            value => arg.value_name(value).action(ArgAction::Append),
        }
    }

    /// The flag's occurrences with their places on the command line: rules apply in that order.
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

/// The flags for what the whole checkpoint is to be in the end.
fn ends() -> [Arg; 5] {
    let choice = |name: &'static str, value: &'static str, words: Vec<&'static str>| {
        let arg = Arg::new(name).long(name).value_name(value).value_parser(PossibleValuesParser::new(words));
        arg.help_heading(HEADING)
    };
    [
        choice(TARGET, "KIND", TARGETS.iter().map(|(kind, _)| *kind).collect()).help(
            "Serve the other kind of program: object for tf.train.Checkpoint and Keras, name for tf.compat.v1.train.Saver",
        ),
        Arg::new(LIKE)
            .long(LIKE)
            .value_name("WANTED")
            .value_parser(clap::value_parser!(PathBuf))
            .help_heading(HEADING)
            .help(
                "After the map, take names, order and object graph from WANTED: a checkpoint that the restoring program \
                 wrote, a SavedModel, a graph of TF1 (.meta), or a table as of ls --tsv",
            ),
        choice(MISSING, "WITH", like::MISSING.iter().map(|(with, _)| *with).collect())
            .requires(LIKE)
            .help("Fill what only WANTED has: with zeros, or like WANTED itself"),
        choice(FIT, "WITH", FITS.iter().map(|(with, _)| *with).collect())
            .requires(LIKE)
            .help("Fill the rest of an axis that is too short with WANTED's rows"),
        choice(LAYOUT, "LAYOUT", H5_LAYOUTS.iter().map(|(name, _)| *name).collect()).help(
            "Which Keras is to read the weights as HDF5: keras3 has model.weights.h5, legacy model.h5, for Keras 2 (tf_keras)",
        ),
    ]
}

impl clap::Args for MapFlags {
    fn augment_args(command: Command) -> Command {
        let files = Arg::new(FILES)
            .long(FILES)
            .value_name("FILE")
            .help("A map file (TOML), or @NAME for one that ckptfs brings along (ckptfs maps); repeatable, after the flags");
        let files =
            files.value_parser(clap::value_parser!(PathBuf)).action(ArgAction::Append).help_heading(HEADING);
        command.arg(files).args(ROWS.iter().map(Row::arg)).args(overlay_flags::args(HEADING)).args(ends())
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
        let missing = word(MISSING).and_then(|with| one_of(like::MISSING, with).ok());
        self.filling.missing = missing.or(self.filling.missing);
        self.filling.fit |= word(FIT).is_some();
        self.like = matches.get_one::<PathBuf>(LIKE).cloned().or_else(|| self.like.take());
        let layout = word(LAYOUT).and_then(|name| one_of(H5_LAYOUTS, name).ok());
        self.h5_layout = layout.or(self.h5_layout);
        self.overlays.update(matches);
        self.typed.extend(typed(matches));
        self.files.extend(matches.get_many::<PathBuf>(FILES).into_iter().flatten().cloned());
        Ok(())
    }
}

/// What a word stands for.
fn one_of<T: Copy>(known: &[(&str, T)], word: &str) -> Result<T, String> {
    let found = known.iter().find(|(other, _)| *other == word).map(|(_, value)| *value);
    let words = || known.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(" or ");
    found.ok_or_else(|| format!("it is {}", words()))
}

/// The flags as they were typed, in their order.
fn typed(matches: &ArgMatches) -> Vec<String> {
    let names =
        ROWS.iter().map(|row| row.name).chain([FILES, OVERLAY, TAKE, TARGET, LIKE, MISSING, FIT, LAYOUT]);
    let given = names.filter(|name| matches.value_source(name) == Some(ValueSource::CommandLine));
    let words = |name: &'static str| {
        let values = matches.get_raw(name).into_iter().flatten();
        let values = values.map(move |value| match value.to_str() {
            Some("true") => format!("--{name}"),
            _ => format!("--{name} {}", quoted(&value.to_string_lossy())),
        });
        matches.indices_of(name).into_iter().flatten().zip(values)
    };
    let mut typed: Vec<_> = given.flat_map(words).collect();
    typed.sort();
    typed.into_iter().map(|(_, words)| words).collect()
}

impl MapFlags {
    /// One more map file, after the others.
    #[cfg(feature = "fuse")]
    pub(crate) fn add_file(&mut self, path: PathBuf) {
        self.typed.push(format!("--{FILES} {}", quoted(&path.to_string_lossy())));
        self.files.push(path);
    }

    /// How it is to be laid out as HDF5, if that was said.
    pub(crate) fn h5_layout(&self) -> Option<H5Layout> {
        self.h5_layout
    }

    /// One more number, `heads=16`.
    #[cfg(feature = "fuse")]
    pub(crate) fn add_var(&mut self, var: &str) {
        self.typed.push(format!("--var {}", quoted(var)));
        self.flags.push(Flag::Var(var.into()));
    }

    /// A flag and its value, as an option of mount(8) has them.
    ///
    /// # Errors
    /// What the flag's value may be.
    #[cfg(feature = "fuse")]
    pub(crate) fn set(&mut self, name: &'static str, value: &str) -> Result<(), String> {
        match name {
            OVERLAY => self.overlays.add_overlay(value.into()),
            TAKE => self.overlays.add_take(value)?,
            TARGET => self.target = Some(one_of(TARGETS, value)?),
            LIKE => self.like = Some(value.into()),
            MISSING => self.filling.missing = Some(one_of(like::MISSING, value)?),
            FIT => self.filling.fit = one_of(FITS, value)?,
            LAYOUT => self.h5_layout = Some(one_of(H5_LAYOUTS, value)?),
            _ => return Err("it is not a flag of the map".into()),
        }
        self.typed.push(format!("--{name} {}", quoted(value)));
        Ok(())
    }

    /// What of the flags needs others that are not there.
    #[cfg(feature = "fuse")]
    pub(crate) fn lacks(&self) -> Option<String> {
        let fills = self.filling.missing.is_some() || self.filling.fit;
        (fills && self.like.is_none()).then(|| format!("{MISSING} and {FIT} need {LIKE}=…"))
    }

    /// The flags, for another command line.
    #[cfg(feature = "fuse")]
    pub(crate) fn typed(&self) -> &[String] {
        &self.typed
    }

    /// Reads and parses the map.
    pub(crate) fn parse(&self) -> anyhow::Result<Map> {
        let files = self.files.iter().map(|path| map_text(path)).collect::<anyhow::Result<Vec<_>>>()?;
        Ok(Map::parse(&self.flags, &files).map_err(ParseError)?)
    }

    /// All that the flags ask for: the map, and what comes after it.
    pub(crate) fn transform(&self) -> anyhow::Result<Transform> {
        let like = self.like.as_deref().map(|path| anyhow::Ok((wanted(path)?, self.filling))).transpose()?;
        let (map, overlays) = (self.parse()?, self.overlays.open()?);
        Ok(Transform { overlays, map, target: self.target, like, h5_layout: self.h5_layout })
    }

    /// Opens a source and does what the flags ask for; tells the user what is odd about either.
    pub(crate) fn open(&self, source: &Path) -> anyhow::Result<(Checkpoint, Report)> {
        let transform = self.transform()?;
        let mut checkpoint = open(source)?;
        let Transformed { overlays: overlaid, report, likeness } =
            transform.apply_to(&checkpoint.stamp, &mut checkpoint.catalog)?;
        overlaid.warnings.iter().for_each(terminal::warning);
        report.warnings.iter().for_each(terminal::warning);
        if let Some(likeness) = likeness {
            log::info!("{}", self.summary(&likeness).join("\n"));
        }
        Ok((checkpoint, report))
    }

    /// What came of `--like`, a line for each sort of thing and below it the names.
    pub(crate) fn summary(&self, likeness: &Likeness) -> Vec<String> {
        let wanted = self.like.as_deref().unwrap_or(Path::new("WANTED"));
        summary(likeness, &wanted.display().to_string())
    }
}

/// What a map file says, or a bundled map.
fn map_text(path: &Path) -> anyhow::Result<MapText> {
    if let Some(name) = path.to_str().filter(|path| path.starts_with(SIGN)) {
        return Ok(BuiltinMap::named(name).map_err(|unknown| elsewhere(unknown, path))?.into());
    }
    if let Some(instead) = instead(path) {
        return Err(Usage(format!("map {}: {instead}", path.display())).into());
    }
    let text = fs::read_to_string(path).with_context(|| format!("map {}", path.display()))?;
    Ok(MapText { name: path.display().to_string(), text })
}

/// Endings of the formats in which other programs have their settings.
const NOT_TOML: &[&str] = &["yaml", "yml", "json", "ini", "py"];

/// Returns what would work instead of a path that cannot be a map's.
fn instead(path: &Path) -> Option<String> {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    if NOT_TOML.contains(&ending.to_lowercase().as_str()) {
        let toml = path.with_extension("toml");
        let help = format!("write the rules into {}, as `ckptfs maps --help` shows", toml.display());
        return Some(format!("maps are TOML files, not {}\n  help: {help}", ending.to_uppercase()));
    }
    let name = path.to_str()?.trim_end_matches(".toml");
    let bundled = BuiltinMap::named(name).ok().filter(|_| !path.exists())?;
    let help = format!("`--map {SIGN}{}` is the map of that name that comes with ckptfs", bundled.name);
    Some(format!("no such file\n  help: {help}"))
}

/// A name with the sign may be meant for a file.
fn elsewhere(unknown: UnknownMap, path: &Path) -> anyhow::Error {
    match path.exists() {
        true => anyhow::anyhow!("{unknown}; for the file write ./{}", path.display()),
        false => unknown.into(),
    }
}

/// Names that are listed of one sort.
const LISTED: usize = 20;

/// What came of `--like`, a line for each sort of thing and below it the names.
fn summary(likeness: &Likeness, wanted: &str) -> Vec<String> {
    let Likeness { found, filled, fitted, extra } = likeness;
    let mut lines =
        vec![format!("  --like {wanted}: {} with the source's values", counted(*found, "variable"))];
    for (names, what) in
        [(fitted, "with the rest of WANTED's"), (filled, "filled in"), (extra, "of the source's left out")]
    {
        if !names.is_empty() {
            lines.push(format!("  {} {what}:", names.len()));
            lines.extend(names.iter().take(LISTED).map(|name| format!("    {name}")));
            lines.extend((names.len() > LISTED).then(|| format!("    … and {} more", names.len() - LISTED)));
        }
    }
    lines
}

/// What is at a path that says what is wanted.
fn wanted(path: &Path) -> anyhow::Result<Wanted> {
    let (name, extension) = (path.display().to_string(), path.extension().and_then(|end| end.to_str()));
    if path.is_file() && extension == Some("meta") {
        let catalog = source::wanted_by_graph(path).with_context(|| format!("--like {name}"))?;
        return Ok(Wanted::valueless(name, catalog));
    }
    if path.is_file() && (extension == Some("tsv") || is_table(path)) {
        let text = fs::read(path).with_context(|| name.clone())?;
        return Ok(Wanted::table(name, &text)?);
    }
    // Absolute, because its values are looked at again by a process that has left this directory.
    let checkpoint = source::open(&std::path::absolute(path)?).with_context(|| format!("--like {name}"))?;
    checkpoint.warnings.iter().for_each(terminal::warning);
    Ok(Wanted::checkpoint(name, checkpoint.catalog))
}

fn is_table(path: &Path) -> bool {
    let mut start = [0; 5];
    fs::File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && &start == b"name\t"
}

/// Opens a source and tells the user what is odd about it.
pub(crate) fn open(source: &Path) -> anyhow::Result<Checkpoint> {
    let checkpoint = source::open(source)?;
    checkpoint.warnings.iter().for_each(terminal::warning);
    Ok(checkpoint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_cannot_be_a_maps_is_refused_with_what_would_work() {
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
