//! The changes that a map makes, for reports: counts, and an example of a change.

use crate::catalog::{Catalog, Variable};
use crate::map::rule::{Rule, Verb};
use crate::remap::report::{Example, RuleReport};

/// Counts the changes that a map made to the variables of a catalog: `199 under new names, 412 left out`.
#[cfg(feature = "fuse")]
pub(crate) fn done(catalog: &Catalog, left_out: usize) -> String {
    let origins =
        || catalog.variables.iter().filter_map(|variable| Some((variable, variable.origin.as_ref()?)));
    let renamed = origins().filter(|(variable, origin)| origin.name != variable.name).count();
    let computed = origins().filter(|(variable, origin)| {
        let value = origin.value.as_deref();
        value.is_some_and(|value| !value.contains("cast") || variable.tensor.sources().next().is_some())
    });
    // A cast leaves integers unchanged, so nothing is computed for them.
    let computed = match computed.count() {
        0 => String::new(),
        n => format!("{n} with computed values, "),
    };
    format!("{renamed} under new names, {computed}{left_out} left out")
}

/// Returns an example of what a rule did: the report's example, or if that is unchanged, one with a changed variable.
pub(crate) fn example(rule: &Rule, report: &RuleReport, old: &Catalog, new: &Catalog) -> Option<Example> {
    let first = report.example.as_ref()?;
    if rule.verb() == Verb::Drop || !is_unchanged(first, old, new) {
        return Some(first.clone());
    }
    let mut changed = new.variables.iter().filter(|variable| changes(variable, old));
    let found = changed.find(|variable| rule.is_match(variable.name_before().as_bytes()));
    let example = |variable: &Variable| Example {
        from: vec![variable.name_before().as_bytes().to_vec()],
        to: vec![variable.name.as_bytes().to_vec()],
    };
    Some(found.map_or_else(|| first.clone(), example))
}

/// Returns true if an example has only one variable, and the map left it unchanged.
fn is_unchanged(example: &Example, old: &Catalog, new: &Catalog) -> bool {
    let Example { from, to } = example;
    let [to] = to.as_slice() else { return false };
    from == std::slice::from_ref(to) && new.variable(to).is_some_and(|variable| !changes(variable, old))
}

/// Returns true if a variable's name, dtype or shape has changed.
fn changes(variable: &Variable, old: &Catalog) -> bool {
    let kind = |variable: &Variable| (variable.tensor.dtype, variable.tensor.shape.clone());
    old.variable(variable.name.as_bytes()).is_none_or(|before| kind(before) != kind(variable))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::dtype::Dtype;
    use crate::map::Map;
    use crate::map::flags::Flag;
    use crate::remap;
    use crate::tensor::{Shape, Tensor};

    fn catalog() -> Catalog {
        let variable = |name: &str, dtype: Dtype| {
            let data = vec![vec![0_u8; dtype.width().unwrap() as usize].into()];
            let tensor = Arc::new(Tensor::new(dtype, Shape::default(), data, None));
            Variable { name: name.into(), key: None, plain_key: None, full_name: None, tensor, origin: None }
        };
        let variables = vec![variable("step", Dtype::Int64), variable("w", Dtype::Float32)];
        Catalog { variables, ..Catalog::default() }
    }

    fn mapped(flag: Flag) -> (Map, RuleReport, Catalog) {
        let (map, mut catalog) = (Map::parse(&[flag], &[]).unwrap(), catalog());
        let report = remap::apply(&map, &mut catalog).unwrap();
        (map, report.rules[0].clone(), catalog)
    }

    #[test]
    fn the_example_of_a_cast_is_a_variable_that_it_changes() {
        let (map, report, new) = mapped(Flag::Cast("**=bfloat16".into()));
        assert_eq!(report.example.as_ref().unwrap().from, [b"step"], "the first that the rule matches");
        assert_eq!(example(map.rules().next().unwrap(), &report, &catalog(), &new).unwrap().from, [b"w"]);
    }

    #[test]
    #[cfg(feature = "fuse")]
    fn a_cast_gives_no_new_names() {
        let (.., cast) = mapped(Flag::Cast("**=bfloat16".into()));
        assert_eq!(done(&cast, 0), "0 under new names, 1 with computed values, 0 left out");
        let (.., renamed) = mapped(Flag::Rename("w=v".into()));
        assert_eq!(done(&renamed, 3), "1 under new names, 3 left out");
    }
}
