//! Tests of whole suggestions, with schemes of names that a property makes.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::catalog::Catalog;
use crate::map::{Map, MapText};
use crate::remap;
use crate::suggest::map::map;
use crate::suggest::toml::Sides;
use crate::suggest::{Confidence, Item, Suggestion, items, suggest};
use crate::transform::like::table;

/// A name, and a shape as a table has it.
type Line = (String, String);

/// Returns a list of variables, as `ls --tsv` writes it.
fn catalog(lines: &[Line]) -> Catalog {
    let rows = lines.iter().map(|(name, shape)| format!("{name}\tfloat32\t{shape}\n"));
    table::decode(
        "test.tsv",
        ["name\tdtype\tshape\n".to_owned()].into_iter().chain(rows).collect::<String>().as_bytes(),
    )
    .unwrap()
}

fn lines(names: &[(&str, &str)]) -> Vec<Line> {
    names.iter().map(|(name, shape)| ((*name).to_owned(), (*shape).to_owned())).collect()
}

/// Returns each wanted name with its source, and the trust in it.
fn by_name(have: &[Item], want: &[Item], found: &Suggestion) -> BTreeMap<String, (String, Confidence)> {
    let pair = |(wanted, pair): (&Item, &crate::suggest::Pair)| {
        let source = pair.have.map_or_else(|| "-".to_owned(), |at| have[at].name.clone());
        (wanted.name.clone(), (source, pair.confidence))
    };
    want.iter().zip(&found.pairs).map(pair).collect()
}

fn suggested(have: &[Line], want: &[Line]) -> BTreeMap<String, (String, Confidence)> {
    let (have, want) = (items(&catalog(have)), items(&catalog(want)));
    by_name(&have, &want, &suggest(&have, &want))
}

/// Returns the variables of a model with some layers: two square matrices, a wide and a high one, biases and a norm.
fn model(layers: u64, name: impl Fn(u64, &str, &str) -> String) -> Vec<Line> {
    let parts = [("query", "8 8"), ("key", "8 8"), ("wide", "8 16"), ("high", "16 8")];
    let layer = |i: u64| {
        let dense = parts.iter().flat_map(|(part, shape)| {
            let columns = shape.rsplit(' ').next().unwrap_or_default();
            [(*part, "kernel", *shape), (*part, "bias", columns)]
        });
        let norm = [("norm", "gamma", "8"), ("norm", "beta", "8")];
        dense
            .chain(norm)
            .map(|(part, leaf, shape)| (name(i, part, leaf), shape.to_owned()))
            .collect::<Vec<_>>()
    };
    (0..layers).flat_map(layer).collect()
}

prop_compose! {
    /// A scheme of names: a prefix, a separator, a word before the number, and what is added to numbers.
    fn scheme()(
        prefix in "[a-z]{0,6}",
        separator in "[/.]",
        word in "(layer_|block|h|_operations/|x-)",
        offset in 0..20u64,
        is_nested: bool,
    ) -> (String, String, String, u64, bool) {
        (prefix, separator, word, offset, is_nested)
    }
}

/// Returns the names of a model in a scheme.
fn named(
    layers: u64,
    (prefix, separator, word, offset, is_nested): &(String, String, String, u64, bool),
) -> Vec<Line> {
    let end = if *is_nested { separator.as_str() } else { "_" };
    model(layers, |i, part, leaf| {
        format!("{prefix}{separator}{word}{}{separator}{part}{end}{leaf}", i + offset)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_renamed_model_is_found_or_flagged(layers in 1..6u64, old in scheme(), new in scheme()) {
        let (have, want) = (named(layers, &old), named(layers, &new));
        let found = suggested(&have, &want);
        let answers: BTreeMap<_, _> = want.iter().zip(&have).map(|(want, have)| (&want.0, &have.0)).collect();
        for (want, (have, confidence)) in &found {
            prop_assert!(*confidence != Confidence::Sure || *answers[want] == *have, "{want} <- {have}");
        }
        let sure = found.values().filter(|(_, confidence)| *confidence == Confidence::Sure).count();
        prop_assert!(old.4 != new.4 || sure == found.len(), "{found:?}");
    }

    #[test]
    fn the_order_of_the_lists_changes_nothing(old in scheme(), new in scheme(), seed: u64) {
        let (have, want) = (named(3, &old), named(4, &new));
        let (sources, wanted) = (items(&catalog(&have)), items(&catalog(&want)));
        let shuffled = |items: &[Item]| {
            let mut items: Vec<Item> = items.to_vec();
            items.sort_by_key(|item| {
                item.name.bytes().fold(seed, |hash, byte| hash.rotate_left(5).wrapping_mul(0x517c_c1b7_2722_0a95) ^ u64::from(byte))
            });
            items
        };
        let (others, other_want) = (shuffled(&sources), shuffled(&wanted));
        let expected = by_name(&sources, &wanted, &suggest(&sources, &wanted));
        prop_assert_eq!(by_name(&others, &other_want, &suggest(&others, &other_want)), expected);
    }

    #[test]
    fn a_list_is_its_own_source(names in proptest::collection::btree_map("[a-c0-2/_.]{1,8}", 1..4u64, 1..24)) {
        let same: Vec<Line> = names.into_iter().map(|(name, size)| (name, size.to_string())).collect();
        for (want, (have, confidence)) in suggested(&same, &same) {
            prop_assert_eq!((want, confidence), (have, Confidence::Sure));
        }
    }

    #[test]
    fn a_written_map_gives_every_sure_pair_its_name(
        layers in 1..4u64, old in scheme(), new in scheme(), gone in proptest::collection::vec(0..30usize, 0..4),
    ) {
        let (mut have, want) = (named(layers, &old), named(layers, &new));
        gone.iter().filter(|at| **at < have.len()).collect::<std::collections::BTreeSet<_>>().into_iter().rev().for_each(|at| _ = have.remove(*at));
        prop_assume!(!have.is_empty());
        check_map(&have, &want);
    }

    #[test]
    fn strange_names_are_no_panic(have in proptest::collection::btree_set("[a#0-9{}*|=:./\"'_-]{1,9}", 1..12), want in proptest::collection::btree_set("[a#0-9{}*|=:./\"'_-]{1,9}", 1..12)) {
        let line = |name: String| (name, "2".to_owned());
        check_map(&have.into_iter().map(line).collect::<Vec<_>>(), &want.into_iter().map(line).collect::<Vec<_>>());
    }
}

/// Writes the map, reads it, and applies it.
#[track_caller]
fn check_map(have: &[Line], want: &[Line]) {
    let (old, new) = (catalog(have), catalog(want));
    let (sources, wanted) = (items(&old), items(&new));
    let mut found = suggest(&sources, &wanted);
    let sides = Sides { have: "have.tsv", want: "want.tsv" };
    let written = map(&old, &sources, &wanted, sides, &mut found);
    let parsed = Map::parse(&[], &[MapText { name: "suggested".into(), text: written.text.clone() }]);
    let parsed = parsed.unwrap_or_else(|errors| panic!("{errors}\n{}", written.text));
    let mut after = crate::suggest::replay::with_values(&old);
    remap::apply(&parsed, &mut after).unwrap_or_else(|mismatch| panic!("{mismatch}\n{}", written.text));
    for (item, pair) in wanted.iter().zip(&found.pairs) {
        let variable = after.variable(item.name.as_bytes());
        match pair.confidence {
            Confidence::Sure => {
                let variable =
                    variable.unwrap_or_else(|| panic!("{} is not there\n{}", item.name, written.text));
                assert_eq!(variable.tensor.shape, item.shape);
                assert_eq!(variable.name_before().as_bytes(), sources[pair.have.unwrap()].name.as_bytes());
            }
            _ => assert!(variable.is_none(), "{} is not sure, and there\n{}", item.name, written.text),
        }
    }
}

#[test]
fn twins_without_a_hint_are_reported() {
    let have = lines(&[("net/left/kernel", "8 8"), ("net/right/kernel", "8 8")]);
    let want = lines(&[("model/a/kernel", "8 8"), ("model/b/kernel", "8 8")]);
    assert!(suggested(&have, &want).values().all(|(_, confidence)| *confidence == Confidence::Ambiguous));
}

#[test]
fn a_source_whose_twin_is_wanted_is_not_sure() {
    let have = lines(&[("enc/key/kernel", "8 8"), ("enc/output/kernel", "8 8"), ("enc/gate/kernel", "8 8")]);
    let want =
        lines(&[("dec/query/kernel", "8 8"), ("dec/output/kernel", "8 8"), ("dec/key/other/kernel", "8 8")]);
    let found = suggested(&have, &want);
    assert_ne!(found["dec/query/kernel"].1, Confidence::Sure, "{found:?}");
}

#[test]
fn numbers_are_no_evidence_if_the_counts_differ() {
    let dense =
        |count: u64| (0..count).map(|i| (format!("dense_{i}/kernel"), "8 8".to_owned())).collect::<Vec<_>>();
    let found = suggested(&dense(3), &dense(4));
    assert!(found.values().all(|(_, confidence)| *confidence != Confidence::Sure), "{found:?}");
}

#[test]
fn equal_names_of_another_layer_are_traps() {
    let dense = |from: u64| {
        (from..from + 6).map(|i| (format!("dense_{i}/kernel"), "8 8".to_owned())).collect::<Vec<_>>()
    };
    let found = suggested(&dense(1), &dense(4));
    assert_eq!(found["dense_4/kernel"], ("dense_1/kernel".into(), Confidence::Sure));
    assert_eq!(found["dense_9/kernel"], ("dense_6/kernel".into(), Confidence::Sure));
}

#[test]
fn a_square_matrix_follows_the_others_of_its_kind() {
    let have = lines(&[("a/q/kernel", "8 8"), ("a/wide/kernel", "8 9")]);
    let want = lines(&[("b.q.weight", "8 8"), ("b.wide.weight", "9 8")]);
    let (sources, wanted) = (items(&catalog(&have)), items(&catalog(&want)));
    let changes: Vec<_> =
        suggest(&sources, &wanted).pairs.into_iter().map(|pair| (pair.change, pair.confidence)).collect();
    assert_eq!(changes, vec![(Some(crate::suggest::Change::Transpose), Confidence::Sure); 2]);
    let (alone, wanted) = (items(&catalog(&have[..1])), items(&catalog(&want[..1])));
    let pair = suggest(&alone, &wanted).pairs.remove(0);
    assert_eq!(pair.confidence, Confidence::Likely);
    assert!(pair.reason.starts_with("orientation unknown"), "{}", pair.reason);
}

#[test]
fn paths_and_full_names_that_disagree_are_reported() {
    let item = |name: &str, full: &str| {
        let mut item = items(&catalog(&lines(&[(name, "4 4")]))).remove(0);
        item.full_name = Some(full.to_owned());
        item
    };
    let have = [item("layer-0/kernel", "left/kernel"), item("layer-1/kernel", "right/kernel")];
    let want = [item("layer-0/kernel", "right/kernel"), item("layer-1/kernel", "left/kernel")];
    let found = suggest(&have, &want);
    assert!(found.pairs.iter().all(|pair| pair.confidence == Confidence::Ambiguous), "{found:?}");
}
