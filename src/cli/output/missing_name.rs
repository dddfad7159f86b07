//! The help for a name that a checkpoint does not have: the flags that give it.

use std::process::ExitCode;

use crate::catalog::Catalog;
use crate::cli::output::terminal::{error, say};
use crate::map::Flag;
use crate::map::escape::escape;
use crate::name::is_printable;
use crate::suggest::Confidence;
use crate::suggest::missing_name::{MissingName, Proposal, infer};

/// Prints an error about names that a checkpoint does not have, with the flags that give them.
pub(crate) fn told(why: &anyhow::Error, catalog: &Catalog, names: &[String]) -> ExitCode {
    error(why);
    if let Some(help) = help(catalog, names) {
        say(help);
    }
    ExitCode::FAILURE
}

/// Returns the help: the evidence and the flags. `None` if several renames fit, or none. Patterns have none.
fn help(catalog: &Catalog, names: &[String]) -> Option<String> {
    let is_literal = |name: &String| escape(name).replace(r"\=", "=") == *name;
    let missing = |name: &String| MissingName { name: name.clone(), dtype: None, shape: None };
    if !names.iter().all(is_literal) {
        return None;
    }
    let missing: Vec<_> = names.iter().map(missing).collect();
    let found = infer(catalog, &missing);
    let [Proposal { flags, evidence, confidence, .. }] = found.as_slice() else { return None };
    let line = flags.iter().map(Flag::words).collect::<Vec<_>>().join(" ");
    let is_shown = is_printable(&line) && *confidence >= Confidence::Likely;
    let evidence = evidence.lines().next().unwrap_or_default();
    is_shown.then(|| format!("  help: {evidence}\n  help: {line} gives it"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::catalog::Variable;
    use crate::dtype::Dtype;
    use crate::tensor::{Shape, Tensor};

    #[test]
    fn the_help_for_a_name_is_a_flag_and_patterns_have_none() {
        let variable = |name: &str| {
            let tensor =
                Arc::new(Tensor::new(Dtype::Float32, Shape::default(), vec![vec![0_u8; 4].into()], None));
            Variable { name: name.into(), key: None, plain_key: None, full_name: None, tensor, origin: None }
        };
        let variables = ["bert/a/w", "bert/b/w"].map(variable).to_vec();
        let catalog = Catalog { variables, ..Catalog::default() };
        let help =
            |names: &[&str]| help(&catalog, &names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(
            help(&["encoder/a/w"]).unwrap(),
            "  help: encoder/a/w is not there; bert/a/w [] is, its last two components\n  \
             help: --rename 'bert/**=encoder/**' gives it"
        );
        assert_eq!(help(&["encoder/**"]), None);
        assert_eq!(help(&["c/w"]), None, "it may be both");
    }
}
