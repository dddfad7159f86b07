//! Tests of maps on catalogs of small tensors: the variables that each rule changes, and the errors if a value is
//! impossible.

use crate::catalog::Catalog;
use crate::map::flags::Flag;
use crate::map::test_util::{file, map};
use crate::name::Name;
use crate::remap::apply;
use crate::remap::plan::MapMismatch;
use crate::remap::report::Report;
use crate::remap::values::*;
use crate::tensor::Shape;

fn catalog(variables: &[(&str, &[u64])]) -> Catalog {
    let variable = |(name, shape): &(&str, &[u64])| {
        let shape = Shape((*shape).into());
        let bytes = vec![0; 4 * shape.num_elements().unwrap() as usize];
        let tensor = Arc::new(Tensor::new(Dtype::Float32, shape, vec![bytes.into()], None));
        Variable {
            name: Name::from(*name),
            key: None,
            plain_key: None,
            full_name: None,
            tensor,
            origin: None,
        }
    };
    let mut variables: Vec<_> = variables.iter().map(variable).collect();
    variables.sort_by(|a, b| a.name.cmp(&b.name));
    Catalog { variables, ..Catalog::default() }
}

fn applied(
    flags: &[Flag],
    text: &str,
    variables: &[(&str, &[u64])],
) -> Result<(Vec<String>, Report), MapMismatch> {
    let mut catalog = catalog(variables);
    let report = apply(&map(flags, text), &mut catalog)?;
    // The written form of the map must have the same result.
    let written = Map::parse(&[], &[file(&map(flags, text).to_toml())]).unwrap();
    let mut again = crate::remap::values::tests::catalog(variables);
    apply(&written, &mut again).unwrap();
    let shown = |catalog: Catalog| {
        let line = |v: &Variable| format!("{} {} {}", v.name, v.tensor.shape, v.tensor.dtype);
        catalog.variables.iter().map(line).collect::<Vec<_>>()
    };
    let lines = shown(catalog);
    assert_eq!(shown(again), lines);
    Ok((lines, report))
}

fn shown(text: &str, variables: &[(&str, &[u64])]) -> Vec<String> {
    applied(&[], text, variables).unwrap_or_else(|mismatch| panic!("{mismatch}")).0
}

fn refused(text: &str, variables: &[(&str, &[u64])]) -> String {
    applied(&[], text, variables).map(|(shown, _)| shown).unwrap_err().to_string()
}

const TRANSPOSED: &str = "[[rule]]\nconvert = 'w'\nops = [{ transpose = [1, 0] }, { cast = 'float16' }]\n";

#[test]
fn slots_follow_ops_that_move_elements_and_keep_their_dtype() {
    let variables: &[(&str, &[u64])] =
        &[("w", &[2, 3]), ("w/Adam", &[2, 3]), ("w/Adam/ExponentialMovingAverage", &[2, 3])];
    let expected =
        ["w [3, 2] float16", "w/Adam [3, 2] float32", "w/Adam/ExponentialMovingAverage [3, 2] float32"];
    assert_eq!(shown(TRANSPOSED, variables), expected);
    assert_eq!(shown(&format!("{TRANSPOSED}follow_slots = false"), variables)[1], "w/Adam [2, 3] float32");
    let itself = format!("{TRANSPOSED}[[rule]]\nconvert = 'w/Adam'\nops = [{{ reshape = [6] }}]");
    assert_eq!(
        shown(&itself, variables)[1..],
        ["w/Adam [6] float32", "w/Adam/ExponentialMovingAverage [6] float32"]
    );
    let cast = format!("{TRANSPOSED}[[rule]]\nconvert = 'w/Adam'\nops = [{{ cast = 'float64' }}]");
    assert_eq!(shown(&cast, variables)[1], "w/Adam [3, 2] float64");
    let both = "[[rule]]\nrename = 'w**'\nto = 'v**'\nops = [{ transpose = [1, 0] }, { cast = 'float16' }]";
    assert_eq!(shown(both, variables)[1], "v/Adam [3, 2] float16");
}

#[test]
fn a_slot_of_another_shape_keeps_its_value_with_a_warning() {
    let variables: &[(&str, &[u64])] = &[("w", &[2, 3]), ("w/Adafactor", &[2]), ("w/local_step", &[])];
    let text = "[[rule]]\nrename = 'w'\nto = 'v'\nops = [{ transpose = [1, 0] }]";
    let (shown, report) = applied(&[], text, variables).unwrap();
    assert_eq!(shown, ["v [3, 2] float32", "v/Adafactor [2] float32", "v/local_step [] float32"]);
    assert_eq!(report.warnings.len(), 1);
    let what = "the slot `w/Adafactor` [2] keeps its value: its shape is not that of `w` [2, 3]";
    assert_eq!(report.warnings.iter().next().unwrap().what(), what);
    let (shown, report) =
        applied(&[], "[[rule]]\nsplit = 'w'\nto = ['a', 'b']\naxis = 0", variables).unwrap();
    let expected =
        ["a [1, 3] float32", "b [1, 3] float32", "w/Adafactor [2] float32", "w/local_step [] float32"];
    assert_eq!((shown, report.warnings.len()), (expected.map(String::from).to_vec(), 2));
}

#[test]
fn the_rule_that_takes_applies_first_then_converts_and_aliases_in_their_order() {
    let text = "\
[[rule]]
convert = 'w'
ops = [{ reshape = [\"d0*d1\"] }]
[[rule]]
alias = 'w'
to = 'u'
ops = [{ expand = 0 }]
[[rule]]
convert = '*'
ops = [{ cast = 'float64' }]
[[rule]]
rename = 'w'
to = 'v'
ops = [{ slice = ['1:'] }]";
    let (shown, report) = applied(&[], text, &[("w", &[3, 4]), ("x", &[1])]).unwrap();
    assert_eq!(shown, ["u [1, 8] float64", "v [8] float64", "x [1] float64"]);
    assert!(report.rules.iter().all(|rule| rule.hits > 0));
}

const JOIN: &str = "[[rule]]\njoin = ['{i}/q', '{i}/k']\nto = '{i}/qk'\naxis = 0\n";

#[test]
fn the_members_of_a_group_have_the_same_captures() {
    let variables: &[(&str, &[u64])] =
        &[("0/q", &[2]), ("0/k", &[3]), ("1/k", &[5]), ("1/q", &[1]), ("x", &[])];
    assert_eq!(shown(JOIN, variables), ["0/qk [5] float32", "1/qk [6] float32", "x [] float32"]);
    let stars = JOIN.replace("{i}", "*");
    assert_eq!(shown(&stars, variables), ["0/qk [5] float32", "1/qk [6] float32", "x [] float32"]);
    let squeezed = format!("{JOIN}ops = [{{ reshape = [-1] }}]");
    assert_eq!(shown(&squeezed, &[("0/q", &[2, 2]), ("0/k", &[3])]), ["0/qk [7] float32"]);
}

#[test]
fn an_incomplete_group_reports_its_missing_member_and_the_rule_that_took_it() {
    let message = refused(JOIN, &[("0/q", &[2]), ("0/k", &[3]), ("1/q", &[1])]);
    assert_eq!(
        message,
        "\
error: `1/k` is missing, to be joined with `1/q`
 --> fix.toml:2:18
  |
2 | join = ['{i}/q', '{i}/k']
  |                  ^^^^^^^
  |
  = note: the checkpoint has no variable of that name"
    );
    let taken = format!("[[rule]]\nrename = '0/k'\nto = 'y'\n{JOIN}");
    let message = refused(&taken, &[("0/q", &[2]), ("0/k", &[3])]);
    assert!(message.contains("`0/k` is missing") && message.contains("this rule has it"), "{message}");
    let dropped = format!("[[rule]]\ndrop = '0/k'\n{JOIN}");
    let message = refused(&dropped, &[("0/q", &[2]), ("0/k", &[3])]);
    assert!(message.contains("it is there, but a rule leaves it out"), "{message}");
    let either = "[[rule]]\njoin = ['{a|b}/q', 'k']\nto = 'x'\naxis = 0";
    let message = refused(either, &[("a/q", &[2]), ("b/q", &[2]), ("k", &[3])]);
    assert!(message.contains("`b/q` is one too many for the group of `a/q`, `k`"), "{message}");
}

#[test]
fn slots_are_joined_if_all_members_have_them_and_keep_their_names_otherwise() {
    let variables: &[(&str, &[u64])] =
        &[("0/k", &[3]), ("0/k/Adam", &[3]), ("0/k/Adam_1", &[3]), ("0/q", &[2]), ("0/q/Adam", &[2])];
    let (shown, report) = applied(&[], JOIN, variables).unwrap();
    assert_eq!(shown, ["0/k/Adam_1 [3] float32", "0/qk [5] float32", "0/qk/Adam [5] float32"]);
    assert_eq!(report.warnings.len(), 1);
    assert_eq!((report.rules[0].hits, report.rules[0].followed), (2, 2));
}

#[test]
fn an_impossible_join_or_split_reports_all_shapes() {
    let message = refused(JOIN, &[("0/q", &[2, 2]), ("0/k", &[3, 4])]);
    let what = "[2, 2] and [3, 4] cannot be joined along axis 0: all other axes must be equal";
    assert!(message.contains(what), "{message}");
    assert!(message.contains("`0/q` [2, 2] float32 with `0/k` [3, 4] float32"), "{message}");
    let split = "[[rule]]\nsplit = 'w'\nto = ['a', 'b']\naxis = 1\nsizes = [1, 'd1-1']";
    assert_eq!(shown(split, &[("w", &[2, 3])]).len(), 2);
    let message = refused(&split.replace("-1", "/3"), &[("w", &[2, 9])]);
    assert!(message.contains("the sizes 1 + 3 are not 9, the size of axis 1"), "{message}");
    assert!(message.contains("for `w` [2, 9] float32"), "{message}");
}

#[test]
fn variables_with_the_same_mistake_share_its_message() {
    let names: Vec<_> = (0..9).map(|i| format!("w{i}")).collect();
    let variables: Vec<(&str, &[u64])> = names.iter().map(|name| (name.as_str(), &[5u64][..])).collect();
    let message = refused("[[rule]]\nconvert = 'w*'\nops = [{ squeeze = 0 }]", &variables);
    assert_eq!(message.matches("error").count(), 1);
    assert!(
        message.contains("for `w0` [5] float32, ") && message.ends_with("`w4` [5] float32 and 4 more"),
        "{message}"
    );
    let text = "[[rule]]\nconvert = 'w*'\nops = [{ expand = 0 }, { squeeze = 1 }]";
    let message = refused(text, &[("w", &[5])]);
    assert!(message.contains("`w` [5] float32, which is [1, 5] float32 by then"), "{message}");
}

const CREATE: &str = "[[rule]]\ncreate = 'step'\ndtype = 'int64'\nshape = []\nvalue = 0\n";

#[test]
fn a_created_variable_collides_even_if_the_first_wins() {
    assert_eq!(shown(CREATE, &[("w", &[2])]), ["step [] int64", "w [2] float32"]);
    let message = refused(CREATE, &[("step", &[])]);
    assert!(message.contains("two variables would be called `step`"), "{message}");
    assert!(applied(&[Flag::CollisionFirst], CREATE, &[("step", &[])]).is_err());
    assert_eq!(shown(&format!("{CREATE}[[rule]]\ndrop = 'step'"), &[("step", &[]), ("w", &[])]).len(), 2);
    assert!(applied(&[], &format!("{CREATE}{CREATE}"), &[("w", &[2])]).is_err());
}

#[test]
fn mistakes_about_names_and_about_values_are_reported_together() {
    let text = "[[rule]]\nrename = 'w'\nto = 'v'\nops = [{ squeeze = 0 }]\n[[rule]]\nconvert = 'none'\nops = [{ flip = 0 }]";
    let message = refused(text, &[("v", &[2]), ("w", &[2])]);
    for what in
        ["two variables would be called `v`", "axis 0 has the size 2, not 1", "`none` matched none of"]
    {
        assert!(message.contains(what), "{what} in {message}");
    }
}

#[test]
fn a_cast_of_everything_leaves_values_without_fractions() {
    let mut catalog = catalog(&[("w", &[2])]);
    let step = Tensor::new(Dtype::Int64, Shape::default(), vec![vec![0; 8].into()], None);
    let source = Variable { name: "step".into(), tensor: Arc::new(step), ..catalog.variables[0].clone() };
    catalog.variables.insert(0, source);
    let cast = |flag: &str| {
        let mut catalog = catalog.clone();
        let report = apply(&map(&[Flag::Cast(flag.into())], ""), &mut catalog).unwrap();
        (catalog.variables.iter().map(|v| v.tensor.dtype).collect::<Vec<_>>(), report.warnings.len())
    };
    assert_eq!(cast("**=bfloat16"), (vec![Dtype::Int64, Dtype::Bfloat16], 1));
    assert_eq!(cast("*=bfloat16"), (vec![Dtype::Bfloat16, Dtype::Bfloat16], 0));
    assert_eq!(cast("**=int64"), (vec![Dtype::Int64, Dtype::Int64], 0));
}

#[test]
fn the_operations_on_a_value_are_kept_with_the_rule() {
    let mut catalog = catalog(&[("0/k", &[3]), ("0/q", &[2]), ("w", &[4])]);
    let text =
        format!("{JOIN}{CREATE}[[rule]]\nsplit = 'w'\nto = ['a', 'b']\naxis = 0\nops = [{{ flip = 0 }}]");
    apply(&map(&[], &text), &mut catalog).unwrap();
    let origin = |variable: &Variable| {
        let origin = variable.origin.clone().unwrap();
        format!("{} <- {}: {}, {}", variable.name, origin.name, origin.rule, origin.value.unwrap())
    };
    assert_eq!(
        catalog.variables.iter().map(origin).collect::<Vec<_>>(),
        [
            "0/qk <- 0/q: fix.toml:2, joined from 0/q, 0/k",
            "a <- w: fix.toml:11, flip = 0; part 1 of 2",
            "b <- w: fix.toml:11, flip = 0; part 2 of 2",
            "step <- : fix.toml:6, created",
        ]
    );
}

/// Returns the warnings of a report, and those about casts.
fn doubts(text: &str, variables: &[(&str, &[u64])]) -> (Vec<String>, Vec<String>) {
    let report = applied(&[], text, variables).unwrap().1;
    let whats = |errors: &Errors| errors.iter().map(|error| error.what().to_owned()).collect();
    (whats(&report.warnings), whats(&report.casts))
}

#[test]
fn a_cast_to_a_narrower_range_is_reported_once_for_all_variables() {
    let variables: &[(&str, &[u64])] = &[("a", &[2]), ("b", &[3]), ("c", &[3])];
    let cast = |op: &str| format!("[[rule]]\nconvert = '{{a|b}}'\nops = [{{ {op} }}]");
    let half = "2 variables can overflow: float32 reaches 3.4e38, float16 65504; can underflow: float32 reaches \
                1.2e-38, float16 6.1e-5";
    let byte = "2 variables can be out of range: float32 reaches 3.4e38, int8 127";
    for (op, expected) in [
        ("cast = 'float16'", vec![half]),
        ("cast = 'int8'", vec![byte]),
        ("cast = 'int8', saturate = true", vec![]),
        ("cast = 'bfloat16'", vec![]),
        ("cast = 'float32'", vec![]),
    ] {
        let (warnings, casts) = doubts(&cast(op), variables);
        assert_eq!(casts, expected, "{op}");
        assert!(warnings.is_empty(), "{op}");
    }
    let error = applied(&[], &cast("cast = 'int8'"), variables).unwrap().1.casts.to_string();
    assert!(error.contains("`a` [2] float32, `b` [3] float32"), "{error}");
}

#[test]
fn a_second_cast_in_a_chain_is_compared_with_the_first() {
    let text = "[[rule]]\nconvert = 'a'\nops = [{ cast = 'bfloat16' }, { cast = 'float32' }]";
    assert!(doubts(text, &[("a", &[2])]).1.is_empty());
    let text = "[[rule]]\nconvert = 'a'\nops = [{ cast = 'float64' }, { cast = 'float32' }]";
    assert!(doubts(text, &[("a", &[2])]).1[0].contains("float64 reaches 1.8e308, float32 3.4e38"));
}

#[test]
fn transposes_of_square_variables_alone_are_a_warning() {
    let text = "[[rule]]\nconvert = '*/kernel'\nops = [{ transpose = [1, 0] }]";
    let squares = "transposes 2 square variables and no other: shapes cannot show a mistake";
    let square: &[(&str, &[u64])] =
        &[("a/kernel", &[4, 4]), ("a/kernel/Adam", &[4, 4]), ("b/kernel", &[4, 4])];
    assert_eq!(doubts(text, square).0, [squares]);
    let witness: &[(&str, &[u64])] = &[("a/kernel", &[4, 4]), ("b/kernel", &[4, 5])];
    assert!(doubts(text, witness).0.is_empty());
    let split = "[[rule]]\nsplit = 'a'\nto = ['b', 'c']\naxis = 0\nops = [{ transpose = [1, 0] }]";
    assert_eq!(doubts(split, &[("a", &[4, 4])]).0.len(), 1);
    let join = "[[rule]]\njoin = ['a', 'b']\nto = 'c'\naxis = 0\nops = [{ transpose = [1, 0] }]";
    assert_eq!(doubts(join, &[("a", &[4, 4]), ("b", &[4, 4])]).0, [squares]);
}

#[test]
fn a_transpose_that_moves_no_element_needs_no_witness() {
    for (axes, shape) in [("[0, 1]", [4, 4]), ("[1, 0]", [1, 1])] {
        let text = format!("[[rule]]\nconvert = 'a'\nops = [{{ transpose = {axes} }}]");
        assert!(doubts(&text, &[("a", &shape)]).0.is_empty(), "{axes}");
    }
    let text = "[[rule]]\nconvert = 'a'\nops = [{ transpose = [2, 1, 0] }]";
    assert_eq!(doubts(text, &[("a", &[4, 2, 4])]).0.len(), 1, "the shape is the same, the order is not");
}
