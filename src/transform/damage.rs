//! The damaged variables of a checkpoint: an error if the overlays and the map leave any, a warning with `--salvage`.

use std::collections::HashSet;
use std::fmt;

use crate::catalog::{Catalog, TruncatedFile, Variable};
use crate::graph::KEY;
use crate::map::Map;
use crate::map::escape::escape;
use crate::map::rule::Matcher;
use crate::name::{Name, quoted};
use crate::remap::report::Report;
use crate::tensor::Tensor;

/// The maximum number of damaged variables that a message names. It counts the others.
const NAMED: usize = 20;
/// The maximum number of damaged variables for which a message has a line to take them from another step.
const TAKEN: usize = 5;

/// The error that a checkpoint still has damaged variables, for which nothing was said.
#[derive(Clone)]
pub struct DamagedVariables {
    /// The prefix of the checkpoint.
    pub(crate) path: String,
    /// The damaged variables that are left.
    pub(crate) variables: Vec<Variable>,
    /// The data files of these that end too early.
    truncated: Vec<TruncatedFile>,
    /// The number of variables in the source that have no values, and of all.
    counts: (usize, usize),
    /// Another step of the same directory in which these variables are sound.
    pub(crate) other_step: Option<String>,
    /// The command line to which the flags can be added. It may be empty.
    pub(crate) command: String,
}

/// The soundness of the variables of a source, before anything changes them.
pub(crate) struct Soundness {
    /// The number of variables without values, and of all.
    counts: (usize, usize),
}

impl Soundness {
    pub(crate) fn of(catalog: &Catalog) -> Self {
        Self { counts: (catalog.lost().count(), catalog.variables.len()) }
    }

    /// Returns the error for the variables that are still damaged, or `None`.
    pub(crate) fn judge(&self, catalog: &Catalog) -> Option<Box<DamagedVariables>> {
        self.error(catalog, catalog.damaged_graph().into_iter().chain(catalog.damaged().cloned()).collect())
    }

    /// Returns the error for a lost object graph, without which nothing can be matched or left out.
    pub(crate) fn judge_graph(&self, catalog: &Catalog) -> Option<Box<DamagedVariables>> {
        catalog.damaged_graph().and_then(|_| self.judge(catalog))
    }

    fn error(&self, catalog: &Catalog, variables: Vec<Variable>) -> Option<Box<DamagedVariables>> {
        let files = variables.iter().filter_map(|variable| variable.tensor.damage()?.range.as_ref());
        let files: HashSet<_> = files.map(|(file, ..)| file.path().to_owned()).collect();
        let truncated = catalog.truncated.iter().filter(|file| files.contains(&file.path)).cloned().collect();
        let (path, other_step, command) = Default::default();
        let counts = self.counts;
        let is_sound = variables.is_empty();
        let error = DamagedVariables { path, variables, truncated, counts, other_step, command };
        (!is_sound).then(|| error.into())
    }
}

/// The variables that `--salvage` leaves out.
pub(crate) struct Salvage {
    lost: Vec<Variable>,
    names: Vec<Name>,
}

impl Salvage {
    /// Returns what the map will leave out because it has no values.
    ///
    /// # Errors
    /// The damage, if nothing would be left.
    pub(crate) fn of(map: &Map, catalog: &Catalog, sound: &Soundness) -> Result<Self, Box<DamagedVariables>> {
        if !map.salvages() {
            return Ok(Self { lost: Vec::new(), names: Vec::new() });
        }
        let lost: Vec<_> = catalog.lost().cloned().collect();
        let names = catalog.variables.iter().map(|variable| variable.name.clone()).collect();
        match sound.error(catalog, lost.clone()).filter(|_| lost.len() == catalog.variables.len()) {
            Some(error) => Err(error),
            None => Ok(Self { lost, names }),
        }
    }

    /// Returns the warning that names what was left out, and removes the data files that no variable needs any more.
    pub(crate) fn finish(self, map: &Map, report: &Report, catalog: &mut Catalog) -> Option<String> {
        if self.lost.is_empty() {
            return None;
        }
        catalog.shards.retain(|shard| shard.fault().is_none());
        let lines = named(&self.lost);
        let lost: HashSet<_> = self.lost.iter().map(|variable| &variable.name).collect();
        let is_ours = |rule: &_| matches!(map.rule(*rule).matcher, Matcher::Damaged(_));
        let with_them = report.dropped.iter().filter(|(_, rule)| rule.as_ref().is_some_and(is_ours));
        let with_them = with_them.filter(|(at, _)| !lost.contains(&self.names[*at]));
        let with_them: String =
            with_them.map(|(at, _)| format!("\n  {}: it belongs to one of them", self.names[*at])).collect();
        let (left_out, all) = (self.lost.len(), self.names.len());
        Some(format!("{left_out} of {all} variables left out (--salvage){lines}{with_them}"))
    }
}

impl DamagedVariables {
    /// Returns the command that mounts this checkpoint alone.
    pub(crate) fn mount_command(&self) -> String {
        format!("ckptfs mount {} DIR", quoted(&self.path))
    }

    /// Returns the first lines: the files and the variables.
    pub(crate) fn description(&self) -> String {
        let (damaged, all) = self.counts;
        let (are, sound) = (if damaged == 1 { "is" } else { "are" }, all.saturating_sub(damaged));
        let head = match sound {
            _ if self.has_graph() && damaged == 0 => {
                "its object graph is damaged, and all variables are sound".into()
            }
            _ if self.has_graph() => {
                format!("its object graph and {damaged} of {all} variables are damaged")
            }
            0 => format!("all {all} variables are damaged"),
            1 => format!("{damaged} of {all} variables {are} damaged; the other one is sound"),
            _ => format!("{damaged} of {all} variables {are} damaged; the other {sound} are sound"),
        };
        let files: String = self.truncated.iter().map(|file| format!("\n  {file}")).collect();
        // If nothing is sound in a file, its length says all.
        let is_all = sound == 0 && !files.is_empty() && !self.has_graph();
        head + &files + &if is_all { String::new() } else { named(&self.variables) }
    }

    /// Returns true if the object graph is damaged.
    fn has_graph(&self) -> bool {
        self.variables.iter().any(|variable| is_graph(variable))
    }

    /// Returns the flags that leave out or replace what is damaged, each with its effect.
    pub(crate) fn ways_out(&self) -> Vec<(String, String)> {
        if self.counts.0 == self.counts.1 {
            return Vec::new();
        }
        let variables = self.variables.iter().filter(|variable| !is_graph(variable));
        let names: Vec<_> = variables.map(Variable::name_before).take(TAKEN).collect();
        let names: Option<Vec<_>> =
            names.into_iter().map(|name| str::from_utf8(name.as_bytes()).ok()).collect();
        let names = names.filter(|_| self.variables.len() <= TAKEN).unwrap_or_default();
        let flags =
            |flag: &dyn Fn(&str) -> String| names.iter().map(|name| flag(name)).collect::<Vec<_>>().join(" ");
        let salvage = ("--salvage".to_owned(), "leaves out what is damaged".to_owned());
        let take = self.other_step.as_ref().map(|step| {
            let take = |name: &str| quoted(&format!("{}={step}", name.replace('=', "\\=")));
            (flags(&|name| format!("--take {}", take(name))), "takes the values of another step".to_owned())
        });
        let drop =
            (flags(&|name| format!("--drop {}", quoted(&escape(name)))), "leaves out these".to_owned());
        if self.has_graph() {
            let Some(step) = &self.other_step else { return Vec::new() };
            let graph = format!("--take {}", quoted(&format!("{KEY}={step}")));
            let also =
                |(flag, effect): (String, String)| (format!("{graph} {flag}"), format!("and {effect}"));
            let alone = (graph.clone(), "takes the object graph of another step".to_owned());
            return match self.variables.len() {
                1 => vec![alone],
                _ => [Some(salvage), take]
                    .into_iter()
                    .flatten()
                    .filter(|(flag, _)| !flag.is_empty())
                    .map(also)
                    .collect(),
            };
        }
        [Some(salvage), take, Some(drop)].into_iter().flatten().filter(|(flag, _)| !flag.is_empty()).collect()
    }

    /// Returns the description and the ways out in one line each, without the checkpoint's path.
    fn advice(&self) -> String {
        let ways = self.ways_out();
        let command = if self.command.is_empty() { String::new() } else { format!("{} ", self.command) };
        let width = ways.iter().map(|(flag, _)| flag.chars().count()).max().unwrap_or(0);
        let line =
            |(flag, effect): &(String, String)| format!("\n  help: {command}{flag:width$}  # {effect}");
        match ways.is_empty() {
            true if self.truncated.iter().any(|file| file.instead.is_some()) => String::new(),
            true => "\n  help: copy all its files again from where they were saved".into(),
            false => ways.iter().map(line).collect(),
        }
    }
}

/// Format: the checkpoint and its counts, a line for each file and variable, and lines that can be pasted.
impl fmt::Display for DamagedVariables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let colon = if self.path.is_empty() { "" } else { ": " };
        write!(f, "{}{colon}{}{}", self.path, self.description(), self.advice())
    }
}

impl fmt::Debug for DamagedVariables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.description())
    }
}

impl std::error::Error for DamagedVariables {}

/// Returns a line for each variable without values, and the number of those that are not named.
fn named(variables: &[Variable]) -> String {
    let line = |variable: &Variable| format!("\n  {}: {}", variable.name_before(), reason(&variable.tensor));
    let lines: String = variables.iter().take(NAMED).map(line).collect();
    match variables.len().saturating_sub(NAMED) {
        0 => lines,
        more => format!("{lines}\n  and {more} more"),
    }
}

fn is_graph(variable: &Variable) -> bool {
    variable.name.as_bytes() == KEY.as_bytes()
}

/// Returns the reason why a tensor has no values.
fn reason(tensor: &Tensor) -> String {
    let missing = || {
        let ranges = tensor.ranges();
        let (file, ..) = ranges.iter().find(|(file, ..)| file.fault().is_some())?;
        Some(format!("in {}, which cannot be read ({})", file.name(), file.fault()?))
    };
    let damage = tensor.damage().map(|damage| damage.what.to_string());
    damage.or_else(missing).unwrap_or_else(|| "it has no values".into())
}
