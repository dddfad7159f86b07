//! The flags that make a map, which most commands have, and opening a source through them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::terminal;
use crate::remap::{self, Errors, Flag, Map, MapText, Report};
use crate::source::{self, Checkpoint};

/// The map of a command line.
#[derive(Clone, Debug, Default)]
pub(super) struct MapFlags {
    flags: Vec<Flag>,
    files: Vec<PathBuf>,
}

/// A map that cannot be understood, whatever it is applied to.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct DoesNotParse(Errors);

/// A flag: its name, what stands for its value in the help (nothing: it takes none), its help, and the rule it is.
struct Row {
    name: &'static str,
    value: &'static str,
    help: &'static str,
    flag: fn(String) -> Flag,
}

const HEADING: &str = "Map";
const FILES: &str = "map";

#[rustfmt::skip]
const ROWS: &[Row] = &[
    Row { name: "rename", value: "FROM=TO", help: "Give variables another name: 'bert/**=encoder/**'", flag: Flag::Rename },
    Row { name: "alias", value: "FROM=TO", help: "Give them one more name", flag: Flag::Alias },
    Row { name: "drop", value: "PATTERN", help: "Leave variables out: '**/adam_*'", flag: Flag::Drop },
    Row { name: "keep", value: "PATTERN", help: "Leave all others out", flag: Flag::Keep },
    Row { name: "strip-prefix", value: "TEXT", help: "Take TEXT off names that begin with it", flag: Flag::StripPrefix },
    Row { name: "add-prefix", value: "TEXT", help: "Put TEXT in front of names, after --strip-prefix", flag: Flag::AddPrefix },
    Row { name: "drop-optimizer", value: "", help: "Leave optimizer state out, whatever it is called", flag: |_| Flag::DropOptimizer },
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

impl clap::Args for MapFlags {
    fn augment_args(command: Command) -> Command {
        let files = Arg::new(FILES)
            .long(FILES)
            .value_name("FILE")
            .help("A map file (TOML); repeatable, after the flags");
        let files =
            files.value_parser(clap::value_parser!(PathBuf)).action(ArgAction::Append).help_heading(HEADING);
        command.arg(files).args(ROWS.iter().map(Row::arg))
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
        self.files.extend(matches.get_many::<PathBuf>(FILES).into_iter().flatten().cloned());
        Ok(())
    }
}

impl MapFlags {
    /// One more map file, after the others.
    #[cfg(feature = "fuse")]
    pub(super) fn add_file(&mut self, path: PathBuf) {
        self.files.push(path);
    }

    /// Reads and parses the map.
    pub(super) fn parse(&self) -> anyhow::Result<Map> {
        let read = |path: &PathBuf| -> anyhow::Result<MapText> {
            let text = fs::read_to_string(path).with_context(|| format!("map {}", path.display()))?;
            Ok(MapText { name: path.display().to_string(), text })
        };
        let files = self.files.iter().map(read).collect::<anyhow::Result<Vec<_>>>()?;
        Ok(Map::parse(&self.flags, &files).map_err(DoesNotParse)?)
    }

    /// Opens a source and applies the map; tells the user what is odd about either.
    pub(super) fn open(&self, source: &Path) -> anyhow::Result<(Checkpoint, Report)> {
        let map = self.parse()?;
        let mut checkpoint = open(source)?;
        if map.is_empty() {
            return Ok((checkpoint, Report::default()));
        }
        let report = remap::apply(&map, &mut checkpoint.catalog)?;
        report.warnings.iter().for_each(terminal::warning);
        Ok((checkpoint, report))
    }
}

/// Opens a source and tells the user what is odd about it.
pub(super) fn open(source: &Path) -> anyhow::Result<Checkpoint> {
    let checkpoint = source::open(source)?;
    checkpoint.warnings.iter().for_each(terminal::warning);
    Ok(checkpoint)
}
