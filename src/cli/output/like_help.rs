//! The help for a checkpoint that is not like WANTED: the renames that a suggestion is sure of, and the command that tries
//! flags.

use std::sync::Arc;

use crate::catalog::{Catalog, Variable};
use crate::name::quoted;
use crate::suggest::map::map;
use crate::suggest::toml::Sides;
use crate::suggest::{Confidence, items, suggest};
use crate::tensor::Tensor;
use crate::transform::like::LikeMismatch;
use crate::transform::like::mismatch::Unmatched;

/// The maximum number of weights on one side that are compared for a message.
const COMPARED: usize = 5_000;

/// Returns the lines of help.
pub(crate) fn like_help(mismatch: &LikeMismatch) -> Vec<String> {
    let (source, wanted) = (quoted(&mismatch.source), quoted(mismatch.wanted()));
    let renames = mismatch.unmatched().and_then(|[have, want]| renames(have, want, (&source, &wanted)));
    let tries = format!("`ckptfs fix {source} --like {wanted}` tries flags, and prints those that fit");
    let tries = (!mismatch.source.is_empty()).then_some(tries);
    renames.into_iter().chain(tries).map(|help| format!("  help: {help}")).collect()
}

/// Returns the renames that give weights without a match their names. `None` if nothing is sure.
fn renames(have: &[Unmatched], want: &[Unmatched], (source, wanted): (&str, &str)) -> Option<String> {
    if have.is_empty() || have.len() > COMPARED || want.len() > COMPARED {
        return None;
    }
    let (catalog, want) = (catalog(have), items(&catalog(want)));
    let have = items(&catalog);
    let mut found = suggest(&have, &want);
    let map = map(&catalog, &have, &want, Sides { have: source, want: wanted }, &mut found);
    let sure = found.pairs.iter().filter(|pair| pair.confidence == Confidence::Sure).count();
    let all = want.len();
    match &map.flags {
        _ if sure == 0 || !map.is_of_use => None,
        Some(flags) => {
            let flags = flags.iter().map(|flag| flag.words()).collect::<Vec<_>>().join(" ");
            Some(format!("{flags} matches {sure} of the {all} missing weights"))
        }
        None => {
            let file = format!("`ckptfs suggest {source} {wanted} -o fix.toml`");
            Some(format!("{file} writes a map that matches {sure} of the {all} missing weights"))
        }
    }
}

/// Returns a catalog of weights without values.
fn catalog(weights: &[Unmatched]) -> Catalog {
    let variable = |(name, dtype, shape): &Unmatched| {
        let tensor = Arc::new(Tensor::new(*dtype, shape.clone(), vec![], None));
        Variable {
            name: name.as_str().into(),
            key: None,
            plain_key: None,
            full_name: None,
            tensor,
            origin: None,
        }
    };
    Catalog { variables: weights.iter().map(variable).collect(), ..Catalog::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::Dtype;
    use crate::tensor::Shape;

    fn weights(names: &[(&str, &[u64])]) -> Vec<Unmatched> {
        names
            .iter()
            .map(|(name, shape)| ((*name).to_owned(), Dtype::Float32, Shape((*shape).into())))
            .collect()
    }

    #[test]
    fn renames_by_number_are_printed_as_flags() {
        let have =
            weights(&[("dense/kernel", &[3, 4]), ("dense_1/kernel", &[4, 4]), ("dense_2/kernel", &[4, 2])]);
        let want =
            weights(&[("dense_7/kernel", &[3, 4]), ("dense_8/kernel", &[4, 4]), ("dense_9/kernel", &[4, 2])]);
        let help = renames(&have, &want, ("old", "new")).unwrap();
        assert!(
            help.starts_with("--rename ") && help.ends_with("matches 3 of the 3 missing weights"),
            "{help}"
        );
    }

    #[test]
    fn what_is_not_sure_has_no_help() {
        let have = weights(&[("left/kernel", &[8, 8]), ("right/kernel", &[8, 8])]);
        let want = weights(&[("a/kernel", &[8, 8]), ("b/kernel", &[8, 8])]);
        assert_eq!(renames(&have, &want, ("old", "new")), None);
    }
}
