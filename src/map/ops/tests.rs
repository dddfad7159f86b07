//! Tests of the errors in ops as they are written, and of the operation that each op resolves to for a shape.

use crate::map::Map;
use crate::map::flags::Flag;
use crate::map::ops::files::Files;
use crate::map::ops::*;
use crate::map::test_util::{faults, map};
use crate::op::Fill;
use crate::tensor::Shape;

/// Checks the fault of one op in a map. `expected` has no line number, because the line is always the same.
#[track_caller]
fn fault(op: &str, expected: &str) {
    let text = format!("[vars]\nheads = 12\n[[rule]]\nconvert = 'w'\nops = [{op}]");
    assert_eq!(faults(&text), [format!("5:{expected}")], "{op}");
}

#[test]
fn a_mistake_in_an_op_is_reported_with_its_place() {
    fault("3", "8 an op is a table: { transpose = [1, 0] }");
    fault("{}", "8 an op is missing");
    fault("{ transposed = [1, 0] }", "10 unknown key `transposed` among ops");
    fault("{ flip = 0, scale = 2 }", "20 `scale` is a second op in one table");
    fault(
        "{ flip = 0, saturate = true }",
        "20 unknown key `saturate` next to `flip`: each op has its own table",
    );
    fault("{ cast = 'float31' }", "17 unknown dtype `float31`");
    fault("{ cast = 3 }", "17 `cast` is the name of a dtype, such as \"bfloat16\"");
    fault("{ cast = 'int8', saturate = 1 }", "36 `saturate` is true or false");
    fault("{ transpose = 1 }", "22 `transpose` is a list, not an integer");
    fault("{ transpose = [1, '0'] }", "26 `transpose` is a whole number, not a string");
    fault("{ reshape = ['head', 2] }", "22 `head` is not a number of [vars]");
    fault("{ reshape = ['d0 % 2'] }", "25 unexpected `%` in a size");
    fault("{ reshape = [1.5] }", "21 a size of `reshape` is a whole number, or a text such as \"d0/2\"");
    fault("{ reshape = [-1, 2, '-1'] }", "28 a second -1: only one size can be what the others leave");
    fault("{ slice = ['3'] }", "19 a part of `slice` is a text: \"start:stop\", \":\" for all of an axis");
    fault("{ slice = ['0:9:2'] }", "23 a slice has no step: \"start:stop\"");
    fault("{ slice = ['0:x'] }", "22 `x` is not a number of [vars]");
    fault("{ pad = [5] }", "16 `pad` is a table: { to = [50000, \"d1\"], value = 0.0 }");
    fault("{ pad = { value = 0 } }", "16 `pad` needs `to`, the sizes in the end");
    fault("{ pad = { to = [5], value = 1, mean = true } }", "16 `value` and `mean` exclude each other");
    fault("{ pad = { too = [5], to = [5] } }", "18 unknown key `too` in `pad`");
    fault("{ vocab = { old = 'a' } }", "18 `vocab` needs `new`, a file with a token in each line");
    fault(
        "{ vocab = { old = 'a', new = 'b', missing = 'none' } }",
        "52 `missing` is one of `zeros`, `mean`, `normal`",
    );
    fault(
        "{ vocab = { old = 'a', new = 'b', missing = { normal = { std = -1 } } } }",
        "71 `std` is a number from 0 up",
    );
    fault("{ gather = { axis = 0 } }", "19 `gather` needs `index`, a file with a number in each line");
    fault("{ scale = '2' }", "18 `scale` is a number, not a string");
}

#[test]
fn a_mistyped_op_gets_a_suggestion_and_all_mistakes_of_a_rule_are_reported_at_once() {
    let text = "[[rule]]\nconvert = 'w'\nops = [{ transposee = [0] }, { flip = 'x' }, { cast = 'bfloat61' }]";
    let errors = Map::parse(&[], &[crate::map::test_util::file(text)]).unwrap_err();
    assert_eq!(errors.len(), 3);
    let message = errors.to_string();
    assert!(message.contains("did you mean `transpose`?") && message.contains("did you mean `bfloat16`?"));
    assert!(
        message.contains(
            "\
error: unknown key `transposee` among ops
 --> fix.toml:3:10
  |
3 | ops = [{ transposee = [0] }, { flip = 'x' }, { cast = 'bfloat61' }]
  |          ^^^^^^^^^^"
        ),
        "{message}"
    );
}

#[test]
fn a_mistake_in_a_rule_about_values_is_reported_with_its_place() {
    let told = |rule: &str| faults(&format!("[[rule]]\n{rule}"));
    assert_eq!(told("convert = 'w'"), ["2:11 `convert` needs `ops`"]);
    assert_eq!(told("convert = 'w'\nops = []"), ["3:7 `ops` is an empty list, so nothing is converted"]);
    assert_eq!(told("drop = 'w'\nops = []"), ["3:1 unknown key `ops` in a `drop` rule"]);
    assert_eq!(
        told("split = 'w'\nto = ['a', 'b']\nsizes = [1]"),
        ["2:9 `axis` is missing: along which the parts lie", "4:9 1 sizes for 2 names in `to`"]
    );
    assert_eq!(told("join = 'w'\nto = 'x'\naxis = 0"), ["2:8 `join` is a list, not a string"]);
    assert_eq!(told("join = ['w']\nto = 'x'\naxis = 0"), ["2:8 `join` is a list of two patterns or more"]);
    assert_eq!(
        told("join = ['{i}/a', '{j}/b']\nto = 'x'\naxis = 0"),
        ["2:18 `{j}/b` catches `j` where `{i}/a` catches `i`"]
    );
    assert_eq!(
        told("join = ['a', 'b']\nto = 'x'\naxis = 0\nlayout = 'interleaved'"),
        ["5:10 this layout needs `heads`"]
    );
    assert_eq!(
        told("join = ['a', 'b']\nto = 'x'\naxis = 0\ngroups = 3"),
        ["5:10 `groups` is not used in this layout"]
    );
    assert_eq!(
        told("create = ''\nvalue = 1\nvalues = [2]"),
        [
            "2:10 `create` needs `dtype`, such as \"int64\"",
            "2:10 `create` needs `shape`, [] for a scalar",
            "2:10 the name is empty",
            "4:10 `value` and `values` both set the elements",
        ]
    );
    assert_eq!(faults("[vars]\nd0 = 3\n'a b' = 4").len(), 2);
}

#[test]
fn a_cast_by_a_flag_is_a_rule_or_a_mistake_on_the_command_line() {
    let whats = |flag: &str| {
        let errors = Map::parse(&[Flag::Cast(flag.into())], &[]).unwrap_err();
        errors.iter().map(|error| format!("{} {}", error.column(), error.what())).collect::<Vec<_>>()
    };
    assert_eq!(whats("a/**"), ["1 `--cast` needs PATTERN=DTYPE"]);
    assert_eq!(whats("a=bfloat"), ["3 unknown dtype `bfloat`"]);
    assert_eq!(whats("{a=bfloat16"), ["1 `{` is never closed"]);
    let map = map(&[Flag::Cast(r"{x:a|b=}\=c=bfloat16".into())], "");
    assert_eq!(map.rules[0].text(), r"cast '{x:a|b=}\=c' to bfloat16");
}

fn resolved(op: &str, dims: &[u64]) -> Result<Op, String> {
    let map = map(&[], &format!("[vars]\nheads = 12\n[[rule]]\nconvert = 'w'\nops = [{op}]"));
    let met = OpInput { dtype: Dtype::Float32, dims, files: &Files::default() };
    map.rules[0].ops[0].resolve(&met).map_err(|fault| format!("{} {}", fault.span.column(), fault.what))
}

fn reshaped(op: &str, dims: &[u64]) -> Result<Vec<u64>, String> {
    resolved(op, dims).map(|op| match op {
        Op::Reshape(shape) | Op::Pad { shape, .. } => shape.0.to_vec(),
        op => panic!("{op:?}"),
    })
}

#[test]
fn sizes_and_axes_refer_to_the_shape_of_the_input() {
    assert_eq!(reshaped(r#"{ reshape = ["d0", "heads", "d1/heads"] }"#, &[3, 768]), Ok(vec![3, 12, 64]));
    assert_eq!(reshaped("{ reshape = [-1, 2] }", &[3, 4]), Ok(vec![6, 2]));
    assert_eq!(reshaped("{ reshape = [] }", &[1, 1]), Ok(vec![]));
    assert_eq!(reshaped("{ reshape = [0, 5] }", &[0]), Ok(vec![0, 5]));
    assert_eq!(reshaped("{ squeeze = [0, -1] }", &[1, 4, 1]), Ok(vec![4]));
    assert_eq!(reshaped("{ expand = [0, -1] }", &[4]), Ok(vec![1, 4, 1]));
    assert_eq!(reshaped(r#"{ pad = { to = [50, "d1"] } }"#, &[3, 4]), Ok(vec![50, 4]));
    assert_eq!(resolved("{ transpose = [-1, 0] }", &[2, 3]), Ok(Op::Transpose([1, 0].into())));
    assert_eq!(resolved("{ flip = -1 }", &[2, 3]), Ok(Op::Flip(1)));
    assert_eq!(resolved("{ slice = ['1:-1'] }", &[5, 3]), Ok(Op::Slice([1..4, 0..3].into())));
    assert_eq!(resolved("{ slice = [':d0/2', '-2:'] }", &[4, 3]), Ok(Op::Slice([0..2, 1..3].into())));
    let padded = resolved("{ pad = { to = [5], mean = true } }", &[3]);
    assert_eq!(padded, Ok(Op::Pad { shape: Shape([5].into()), fill: Fill::Mean }));
}

#[test]
fn an_op_that_does_not_fit_a_shape_reports_both_numbers() {
    let whats = |op: &str, dims: &[u64]| resolved(op, dims).unwrap_err();
    assert_eq!(whats(r#"{ reshape = ["d1/heads"] }"#, &[1, 770]), "22 770 / 12 leaves a remainder of 2");
    assert_eq!(whats("{ reshape = [5] }", &[2, 3]), "20 [5] has 5 elements, the tensor 6");
    assert_eq!(
        whats("{ reshape = [-1, 4] }", &[2, 3]),
        "21 6 elements do not divide by 4, so no size fits in place of -1"
    );
    assert_eq!(whats(r#"{ reshape = ["d0-3"] }"#, &[2]), "21 the size would be -1");
    assert_eq!(
        whats("{ reshape = [9223372036854775807, 9] }", &[2]),
        "20 the product of the sizes is too large"
    );
    assert_eq!(whats("{ transpose = [1, 0] }", &[2]), "23 there is no axis 1: the tensor has one");
    assert_eq!(whats("{ transpose = [0] }", &[2, 3]), "22 the tensor's axes are 2, but 1 are listed here");
    assert_eq!(whats("{ transpose = [0, -2] }", &[2, 3]), "26 axis 0 is listed twice");
    assert_eq!(whats("{ squeeze = 1 }", &[1, 4]), "20 axis 1 has the size 4, not 1");
    assert_eq!(whats("{ flip = 0 }", &[]), "17 there is no axis 0: the tensor has none");
    assert_eq!(whats("{ slice = ['0:9'] }", &[4]), "19 axis 0 has the size 4, and 9 is outside of it");
    assert_eq!(whats("{ slice = ['3:1'] }", &[4]), "19 3:1 ends before it begins");
    assert_eq!(whats("{ slice = [':', ':'] }", &[4]), "18 the tensor's axes are 1, but 2 are listed here");
    assert_eq!(whats("{ pad = { to = [3] } }", &[4]), "24 axis 0 has the size 4 already, more than 3");
    let mean = whats("{ pad = { to = [5, 5], mean = true } }", &[4, 4]);
    assert_eq!(mean, "23 2 axes grow, so `mean` is ambiguous");
}

#[test]
fn files_of_rows_are_read_from_the_directory_of_the_map_and_checked() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write("old.txt", "a\r\nb\nc\n");
    write("new.txt", "c\nx\na");
    write("twice.txt", "a\na\nb\n");
    write("far.txt", "x\ny\n");
    write("rows.txt", "2\n0\n");
    write("bad.txt", "1\n3\n");
    let resolved = |op: &str| {
        let (name, text) = (dir.path().join("map.toml"), format!("[[rule]]\nconvert = 'w'\nops = [{op}]"));
        let text = crate::map::toml::file::MapText { name: name.display().to_string(), text };
        let map = Map::parse(&[], &[text]).unwrap();
        let met = OpInput { dtype: Dtype::Float32, dims: &[3, 2], files: &Files::default() };
        let what = |fault: OpError| fault.what.replace(&format!("{}/", dir.path().display()), "");
        map.rules[0].ops[0].resolve(&met).map_err(what)
    };
    let gather = |rows: &[Option<u64>], fill| Ok(Op::Gather { axis: 0, rows: rows.into(), fill });
    let (rows, mean) = (&[Some(2), None, Some(0)], Fill::Mean);
    assert_eq!(
        resolved("{ vocab = { old = 'old.txt', new = 'new.txt', missing = 'mean' } }"),
        gather(rows, mean)
    );
    assert_eq!(
        resolved("{ gather = { axis = 0, index = 'rows.txt' } }"),
        gather(&[Some(2), Some(0)], Fill::Value(0.0))
    );
    let vocab =
        |old, new| resolved(&format!("{{ vocab = {{ old = '{old}', new = '{new}' }} }}")).unwrap_err();
    assert_eq!(vocab("rows.txt", "new.txt"), "rows.txt has 2 tokens, the tensor 3 rows");
    assert_eq!(vocab("twice.txt", "new.txt"), "twice.txt: `a` is in lines 1 and 2");
    assert_eq!(vocab("old.txt", "far.txt"), "the two vocabularies share no token");
    assert_eq!(vocab("none.txt", "new.txt"), "none.txt: No such file or directory (os error 2)");
    assert_eq!(vocab(".", "new.txt").split(": ").last().unwrap(), "not a regular file");
    assert_eq!(
        resolved("{ gather = { axis = 0, index = 'bad.txt' } }").unwrap_err(),
        "bad.txt, line 2: `3` is not an index below 3, the size of axis 0"
    );
}
