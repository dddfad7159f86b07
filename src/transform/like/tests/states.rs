//! Optimizers' state, in the spellings of all versions.

use crate::transform::like::role::{Role, roles};
use crate::transform::like::tests::*;

/// Returns the state in the role of each variable as `optimizer:name:weight`, or the role.
fn described(catalog: &Catalog) -> Vec<(String, String)> {
    let name = |at: usize| catalog.variables[at].name.to_string();
    let one = |(at, role): (usize, Role)| {
        let text = match role {
            Role::State(state) => {
                let of = state.of.map(name).unwrap_or_default();
                format!("{}:{}:{of}", state.optimizer.unwrap_or_default(), state.name.unwrap_or_default())
            }
            role => format!("{role:?}"),
        };
        (name(at), text)
    };
    roles(catalog).into_iter().enumerate().map(one).collect()
}

/// Builds a catalog of a Keras 3 model with the weights `NAMES`, and an optimizer with the full names `state`, at
/// `optimizer/_variables/N`.
fn keras(weights: &[&str], state: &[(&str, u8)]) -> Catalog {
    let layers = weights.iter().enumerate().map(|(at, _)| format!("model/_operations/{at}/w"));
    let slots = (0..state.len()).map(|at| format!("optimizer/_variables/{at}"));
    let extra = ["optimizer/_iterations", "optimizer/_learning_rate"].map(str::to_owned);
    let names: Vec<_> = layers.chain(slots).chain(extra).collect();
    let fills = (1..=weights.len() as u8).chain(state.iter().map(|(_, fill)| *fill)).chain([0, 0]);
    let all: Vec<(&str, &[u64], u8)> =
        names.iter().map(String::as_str).zip(fills).map(|(name, fill)| (name, &[1u64][..], fill)).collect();
    let mut catalog = object(&all);
    for (at, full_name) in weights.iter().enumerate() {
        call(&mut catalog, &format!("model/_operations/{at}/w"), full_name);
    }
    for (at, (full_name, _)) in state.iter().enumerate() {
        call(&mut catalog, &format!("optimizer/_variables/{at}"), full_name);
    }
    catalog
}

#[test]
fn state_is_recognized_in_every_spelling() {
    let text = |catalog: &Catalog, name: &str| {
        described(catalog).into_iter().find(|(known, _)| known == name).map(|(_, text)| text)
    };
    let tf1 =
        plain(&[("d/w", &[1], 1), ("d/w/Adam", &[1], 2), ("d/w/Adam_1", &[1], 3), ("beta1_power", &[], 4)]);
    assert_eq!(text(&tf1, "d/w").as_deref(), Some("Weight"));
    assert_eq!(text(&tf1, "d/w/Adam").as_deref(), Some("adam:m:d/w"));
    assert_eq!(text(&tf1, "d/w/Adam_1").as_deref(), Some("adam:v:d/w"));
    assert_eq!(text(&tf1, "beta1_power").as_deref(), Some(":beta1_power:"));
    let keras3 = keras(
        &["net/dense_1/w", "net/dense/w"],
        &[("adam_2/net_dense_1_w_momentum", 5), ("adam_2/net_dense_w_velocity", 6)],
    );
    assert_eq!(text(&keras3, "optimizer/_variables/0").as_deref(), Some("adam:m:model/_operations/0/w"));
    assert_eq!(text(&keras3, "optimizer/_variables/1").as_deref(), Some("adam:v:model/_operations/1/w"));
    let keras2 = keras(&["dense/w"], &[("Adam/m/dense/w", 5), ("v/dense/w", 6)]);
    assert_eq!(text(&keras2, "optimizer/_variables/0").as_deref(), Some("adam:m:model/_operations/0/w"));
    assert_eq!(text(&keras2, "optimizer/_variables/1").as_deref(), Some(":v:model/_operations/0/w"));
    let sgd = keras(&["dense/w"], &[("sgd/dense_w_momentum", 5)]);
    assert_eq!(text(&sgd, "optimizer/_variables/0").as_deref(), Some("sgd:momentum:model/_operations/0/w"));
}

#[test]
fn slots_of_tf1_become_those_of_keras() {
    let source = plain(&[("a/w", &[1], 1), ("a/w/Adam", &[1], 2), ("a/w/Adam_1", &[1], 3)]);
    let goal = keras(&["a/w"], &[("adam/a_w_velocity", 0), ("adam/a_w_momentum", 0)]);
    let values = values_with(&source, goal, &["missing **=like"]);
    let value = |name: &str| values.iter().find(|(known, _)| known == name).map(|(_, value)| value[0]);
    assert_eq!(value("optimizer/_variables/0"), Some(3));
    assert_eq!(value("optimizer/_variables/1"), Some(2));
}

#[test]
fn a_position_that_means_another_value_is_refused_unless_a_flag_decides() {
    let source = keras(&["a/w", "b/w"], &[("adam/b_w_momentum", 7)]);
    let goal = || keras(&["a/w", "b/w"], &[("adam_1/a_w_momentum", 8), ("adam_1/b_w_momentum", 9)]);
    let found = problems_with(&source, goal(), &["missing like"]);
    let is_other = |problem: &Problem| matches!(problem, Problem::OtherState { .. });
    assert!(found.iter().any(is_other), "{found:?}");
    let slots = |given: &[&str]| {
        let values = values_with(&source, goal(), given);
        values
            .into_iter()
            .filter(|(name, _)| name.contains("_variables"))
            .map(|(_, value)| value[0])
            .collect::<Vec<_>>()
    };
    assert_eq!(slots(&["match name", "missing like"]), [8, 7]);
    assert_eq!(slots(&["match position", "missing like"]), [7, 9]);
}

#[test]
fn an_optimizer_of_another_class_is_refused() {
    let source = keras(&["a/w"], &[("adam/a_w_momentum", 7)]);
    let found = problems_with(&source, keras(&["a/w"], &[("sgd/a_w_momentum", 9)]), &["missing like"]);
    let classes = found.iter().find_map(|problem| match problem {
        Problem::OtherOptimizer { classes, .. } => Some(classes.clone()),
        _ => None,
    });
    assert_eq!(classes, Some(["adam".into(), "sgd".into()]), "{found:?}");
}

#[test]
fn positions_of_unknown_state_count_only_if_all_shapes_agree() {
    let nameless = |slots: &[u64]| {
        let slots: Vec<(String, [u64; 1])> =
            slots.iter().enumerate().map(|(at, len)| (format!("optimizer/vars/{at}"), [*len])).collect();
        let slots = slots.iter().map(|(name, dims)| (name.as_str(), &dims[..], 5));
        plain(&slots.chain([("a/w", &[1u64][..], 1)]).collect::<Vec<_>>())
    };
    assert!(made(&nameless(&[1, 2]), &wanted(nameless(&[1, 2])), &[]).is_ok());
    for other in [&[1, 3][..], &[1, 2, 2], &[1]] {
        let refused = made(&nameless(&[1, 2]), &wanted(nameless(other)), &["missing like"]).err();
        assert!(
            refused.is_some_and(|mismatch| mismatch.to_string().contains("of an optimizer")),
            "{other:?}"
        );
    }
}
