//! Random models and random changes of them: a value that is served is the right one.

use proptest::prelude::*;

use crate::transform::like::tests::*;

/// A layer: an identity that no file shows, and the length of its only weight.
type Layer = (u8, u64);

/// A change of a model.
#[derive(Clone, Debug)]
enum Change {
    Insert(prop::sample::Index, u64),
    Remove(prop::sample::Index),
    Swap(prop::sample::Index),
}

fn change() -> impl Strategy<Value = Change> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        (index(), 1u64..4).prop_map(|(at, len)| Change::Insert(at, len)),
        index().prop_map(Change::Remove),
        index().prop_map(Change::Swap),
    ]
}

/// Returns the layers after the changes.
fn changed(layers: &[Layer], changes: &[Change]) -> Vec<Layer> {
    let mut layers = layers.to_vec();
    for (number, change) in changes.iter().enumerate() {
        match change {
            Change::Insert(at, len) => {
                let at = at.index(layers.len() + 1);
                layers.insert(at, (100 + number as u8, *len));
            }
            Change::Remove(at) if layers.len() > 1 => _ = layers.remove(at.index(layers.len())),
            Change::Swap(at) if layers.len() > 1 => {
                let at = at.index(layers.len() - 1);
                layers.swap(at, at + 1);
            }
            _ => {}
        }
    }
    layers
}

/// The way in which a program writes names.
#[derive(Clone, Copy, Debug)]
enum Naming {
    /// `dense`, `dense_1`, … and no graph.
    Tf1,
    /// Positions, and full names that only count.
    Counted,
    /// Positions, and full names that mean something.
    Named,
    /// Positions alone.
    Nameless,
}

/// Builds the checkpoint of a program that had built `before` layers.
fn saved(layers: &[Layer], naming: Naming, before: usize, fill: impl Fn(u8) -> u8) -> Catalog {
    let counted = |at: usize| if at == 0 { "dense".to_owned() } else { format!("dense_{at}") };
    let name = |at: usize| match naming {
        Naming::Tf1 => format!("{}/w", counted(before + at)),
        _ => format!("m/{at}/w"),
    };
    let names: Vec<_> = (0..layers.len()).map(name).collect();
    let dims: Vec<_> = layers.iter().map(|(_, len)| [*len]).collect();
    let all = names.iter().zip(&dims).zip(layers);
    let all: Vec<_> = all.map(|((name, dims), (tag, _))| (name.as_str(), &dims[..], fill(*tag))).collect();
    if let Naming::Tf1 = naming {
        return plain(&all);
    }
    let mut catalog = object(&all);
    for (at, (tag, _)) in layers.iter().enumerate() {
        match naming {
            Naming::Named => call(&mut catalog, &names[at], &format!("net/layer{tag}x/w")),
            _ => call(&mut catalog, &names[at], &format!("net/{}/w", counted(before + at))),
        }
    }
    if let Naming::Nameless = naming {
        catalog.variables.iter_mut().for_each(|variable| variable.full_name = None);
    }
    catalog
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn a_value_that_is_served_is_the_right_one(
        lens in prop::collection::vec(1u64..4, 1..6),
        changes in prop::collection::vec(change(), 0..3),
        naming in prop::sample::select(vec![Naming::Tf1, Naming::Counted, Naming::Named, Naming::Nameless]),
        before in 0usize..3,
        fills in any::<bool>(),
    ) {
        let old: Vec<Layer> = lens.into_iter().enumerate().map(|(at, len)| (at as u8, len)).collect();
        let new = changed(&old, &changes);
        let lens = |layers: &[Layer]| layers.iter().map(|(_, len)| *len).collect::<Vec<_>>();
        // Nothing in the files tells these models apart.
        prop_assume!(matches!(naming, Naming::Named) || old == new || lens(&old) != lens(&new));
        let (source, goal) = (saved(&old, naming, 0, |tag| tag + 1), saved(&new, naming, before, |_| 255));
        let order: Vec<_> = goal.variables.iter().map(|variable| variable.name.to_string()).collect();
        let flags: &[&str] = if fills { &["missing like"] } else { &[] };
        if let Ok((values, _)) = made(&source, &wanted(goal), flags) {
            prop_assert_eq!(values.len(), new.len());
            for (at, (tag, len)) in new.iter().enumerate() {
                let number = |name: &str| name.rsplit_once('/').unwrap().0.rsplit(['/', '_']).next().unwrap().parse().unwrap_or(0);
                let name = order.iter().find(|name| number(name) == match naming { Naming::Tf1 => before + at, _ => at });
                let (_, value) = values.iter().find(|(known, _)| Some(known) == name).unwrap();
                let right = old.iter().any(|layer| layer == &(*tag, *len)).then_some(tag + 1);
                prop_assert!(value[0] == 255 || Some(value[0]) == right, "{name:?} has {value:?}, not {right:?}");
            }
        } else {
            // Nothing changed, so there is nothing to refuse.
            prop_assert!(old != new);
        }
    }
}
