//! The message about damaged variables: the files, the variables, and lines that can be pasted.

use std::fmt;

use crate::catalog::{TruncatedFile, Variable};
use crate::graph::{KEY, key};
use crate::map::escape::escape;
use crate::name::{flag, quoted};
use crate::tensor::{Damage, Tensor};

/// The maximum number of damaged variables that a message names. It counts the others.
const NAMED: usize = 20;
/// The maximum number of damaged variables that the suggested flags name one by one.
const TAKEN: usize = 5;

/// The error that a checkpoint still has damaged variables, for which nothing was said.
#[derive(Clone)]
pub struct DamagedVariables {
    /// The prefix of the checkpoint.
    pub(crate) path: String,
    /// The damaged variables that are left.
    pub(crate) variables: Vec<Variable>,
    /// The data files of these that end too early.
    pub(super) truncated: Vec<TruncatedFile>,
    /// The number of variables in the source that have no values, and of all.
    pub(super) counts: (usize, usize),
    /// Another step of the same directory in which these variables are sound.
    pub(crate) other_step: Option<String>,
    /// The command line to which the flags can be added. It may be empty.
    pub(crate) command: String,
}

/// Flags that leave out or replace what is damaged, and their effect.
type WayOut = (String, &'static str);

impl DamagedVariables {
    /// Returns the command that mounts this checkpoint alone.
    pub(crate) fn mount_command(&self) -> String {
        format!("ckptfs mount {} DIR", quoted(&self.path))
    }

    /// Returns the first lines: the files and the variables.
    fn description(&self) -> String {
        let files: String = self.truncated.iter().map(|file| format!("\n  {file}")).collect();
        // If nothing is sound in a file, its length says all.
        let is_all = self.counts.0 == self.counts.1 && !files.is_empty() && self.graph().is_none();
        self.summary() + &files + &if is_all { String::new() } else { named(&self.variables) }
    }

    fn summary(&self) -> String {
        let (damaged, all) = self.counts;
        let are = if damaged == 1 { "is" } else { "are" };
        match (self.graph(), all.saturating_sub(damaged)) {
            (Some(_), _) if damaged == 0 => "its object graph is damaged, and all variables are sound".into(),
            (Some(_), _) => format!("its object graph and {damaged} of {all} variables are damaged"),
            (None, 0) => format!("all {all} variables are damaged"),
            (None, 1) => format!("{damaged} of {all} variables {are} damaged; the other one is sound"),
            (None, sound) => {
                format!("{damaged} of {all} variables {are} damaged; the other {sound} are sound")
            }
        }
    }

    /// Returns the object graph, if it is damaged.
    fn graph(&self) -> Option<&Variable> {
        self.variables.iter().find(|variable| is_graph(variable))
    }

    fn ways_out(&self) -> Vec<WayOut> {
        if self.counts.0 == self.counts.1 {
            return Vec::new();
        }
        let salvage = || Some(("--salvage".to_owned(), "leaves out what is damaged"));
        match (self.graph(), &self.other_step) {
            (None, _) => [salvage(), self.take(), self.drop()].into_iter().flatten().collect(),
            (Some(_), None) => Vec::new(),
            (Some(_), Some(step)) => {
                let graph = take(KEY, step);
                let also = |(flags, effect): WayOut| (format!("{graph} {flags}"), effect);
                match self.variables.len() {
                    1 => vec![(graph, "takes the object graph of another step")],
                    _ => [salvage(), self.take()].into_iter().flatten().map(also).collect(),
                }
            }
        }
    }

    fn take(&self) -> Option<WayOut> {
        let step = self.other_step.as_ref()?;
        Some((self.flags(|name| take(name, step))?, "takes the values of another step"))
    }

    /// Returns the flags that drop the variables. A variable of an object graph may have several paths, and a pattern
    /// drops only one of them.
    fn drop(&self) -> Option<WayOut> {
        let is_path = |variable: &Variable| key::split(variable.key().as_bytes()).is_some();
        if self.variables.iter().any(is_path) {
            return None;
        }
        Some((self.flags(|name| flag("drop", &escape(name)))?, "leaves out these"))
    }

    /// Returns a flag for each variable. `None` if there are too many, or if a name cannot be written.
    fn flags(&self, flag: impl Fn(&str) -> String) -> Option<String> {
        let variables = self.variables.iter().filter(|variable| !is_graph(variable));
        let names = variables.map(|variable| str::from_utf8(variable.name_before().as_bytes()).ok());
        let names = names.collect::<Option<Vec<_>>>().filter(|names| names.len() <= TAKEN)?;
        Some(names.into_iter().map(flag).collect::<Vec<_>>().join(" "))
    }

    /// Returns a line for each way out, or advice if there is none.
    fn advice(&self) -> String {
        let ways = self.ways_out();
        let command = if self.command.is_empty() { String::new() } else { format!("{} ", self.command) };
        let width = ways.iter().map(|(flags, _)| flags.chars().count()).max().unwrap_or(0);
        let line = |(flags, effect): &WayOut| format!("\n  help: {command}{flags:width$}  # {effect}");
        match ways.is_empty() {
            true if self.truncated.iter().any(|file| file.instead.is_some()) => String::new(),
            true => "\n  help: copy all its files again from where they were saved".into(),
            false => ways.iter().map(line).collect(),
        }
    }
}

/// Returns the flag that takes a variable from another step.
pub(crate) fn take(name: &str, step: &str) -> String {
    flag("take", &format!("{}={step}", name.replace('=', "\\=")))
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
pub(super) fn named(variables: &[Variable]) -> String {
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
    let place = |damage: &Damage| {
        let (file, at, len) = damage.range.as_ref()?;
        let name = file.name();
        (!damage.what.contains(&*name)).then(|| format!(", in {name} at {at}+{len}"))
    };
    let damage = tensor.damage().map(|damage| damage.what.to_string() + &place(damage).unwrap_or_default());
    damage.or_else(missing).unwrap_or_else(|| "it has no values".into())
}
