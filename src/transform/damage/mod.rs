//! The damaged variables of a checkpoint: an error if the overlays and the map leave any, a warning with `--salvage`.

mod message;

use std::collections::HashSet;

use message::named;
pub(crate) use message::{DamagedVariables, take};

use crate::catalog::{Catalog, Variable};
use crate::map::Map;
use crate::map::rule::Matcher;
use crate::name::Name;
use crate::remap::report::Report;

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
