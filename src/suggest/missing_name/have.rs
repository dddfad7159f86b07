//! The names of a checkpoint as the inference looks at them.

use crate::catalog::{Catalog, Variable};
use crate::name::Name;
use crate::slot_names;
use crate::suggest::missing_name::{MissingName, fits};

/// The variables of a checkpoint that a program can want by another name: all that are no optimizer's.
pub(crate) struct Have<'a> {
    pub(crate) variables: Vec<(&'a str, &'a Variable)>,
    /// The names of all variables.
    pub(crate) all: Vec<&'a str>,
}

impl<'a> Have<'a> {
    pub(crate) fn new(catalog: &'a Catalog) -> Self {
        let slots = at_slots(catalog);
        let named = |variable: &'a Variable| Some((str::from_utf8(variable.name.as_bytes()).ok()?, variable));
        let is_own = |(at, (name, _)): &(usize, (&str, &Variable))| {
            !slots[*at] && !slot_names::is_optimizer_number(name.as_bytes())
        };
        let all: Vec<_> = catalog.variables.iter().map(named).collect();
        let variables = all.iter().enumerate().filter_map(|(at, named)| Some((at, (*named)?)));
        Self {
            variables: variables.filter(is_own).map(|(_, named)| named).collect(),
            all: all.iter().flatten().map(|(name, _)| *name).collect(),
        }
    }

    /// Iterates over the variables that may be a missing one by their dtype and shape.
    pub(crate) fn fitting<'m>(
        &'m self,
        missing: &'m MissingName,
    ) -> impl Iterator<Item = (&'a str, &'a Variable)> + 'm {
        self.variables.iter().copied().filter(|(_, variable)| fits(variable, missing))
    }

    /// Returns true if a name begins with `scope`.
    pub(crate) fn has_scope(&self, scope: &str) -> bool {
        self.all.iter().any(|name| name.starts_with(scope))
    }
}

/// Returns the names of the optimizer slots of a catalog.
pub(crate) fn slots(catalog: &Catalog) -> Vec<&Name> {
    let slots = at_slots(catalog).into_iter().zip(&catalog.variables);
    slots.filter(|(is_slot, _)| *is_slot).map(|(_, variable)| &variable.name).collect()
}

fn at_slots(catalog: &Catalog) -> Vec<bool> {
    let names: Vec<_> = catalog.variables.iter().map(|variable| variable.name.as_bytes()).collect();
    slot_names::slots(&names).into_iter().map(|slot| slot.is_some()).collect()
}
