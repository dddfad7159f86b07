use crate::map::Map;
use crate::map::flags::Flag;
use crate::map::test_util::{faults, file, map};

#[test]
fn a_syntax_error_has_its_place() {
    assert_eq!(faults("version = 1\n[[rule]\n"), ["2:8 not TOML: unclosed array table, expected `]`"]);
    assert_eq!(faults("version = 1\nversion = 1"), ["2:1 not TOML: duplicate key"]);
}

#[test]
fn only_version_1_is_read_and_a_missing_version_is_valid() {
    assert_eq!(faults("version = 2"), ["1:11 this is not a map of version 1"]);
    assert_eq!(faults("version = '1'"), ["1:11 this is not a map of version 1"]);
    assert!(map(&[], "").is_empty());
}

#[test]
fn every_mistake_is_reported_at_once_with_its_place() {
    let text = "\
unknown = 1
[options]
unusd = 'warn'
collision = 'last'
[vars]
heads = 1.5
[tables]
op = { 0 = true }
[[rule]]
rename = 'a/{x:integer}'
to = 'b'
[[rule]]
renam = 'a'
[[rule]]
to = 'x'
[[rule]]
rename = 'a'
alias = 'b'
[[rule]]
drop = 3
to = 'b'
optional = 1
[[rule]]
alias = 'a'
[[rule]]
rename = 'a'
to = ['b', 'c']
match = 'name'
";
    assert_eq!(
        faults(text),
        [
            "1:1 unknown key `unknown` here",
            "3:1 unknown key `unusd` in [options]",
            "4:13 `collision` is one of `error`, `first`",
            "6:9 a number of [vars] is a whole number",
            "8:12 a table gives texts or whole numbers",
            "10:16 unknown kind of capture `integer`",
            "13:1 `renam` is not a verb",
            "14:1 a rule has exactly one verb; this one has none",
            "18:1 a rule has exactly one verb; this one has `rename`, `alias`",
            "20:8 `drop` is a text in quotes, not an integer",
            "21:1 unknown key `to` in a `drop` rule",
            "22:12 `optional` is true or false",
            "24:1 a `alias` rule needs `to`",
            "27:6 `rename` has one name in `to`; `alias` and `split` may have a list",
            "28:9 `match` is one of `key`, `path`, `full_name`",
        ]
    );
}

#[test]
fn a_verb_where_a_rule_should_be_says_how_rules_are_written() {
    let error = Map::parse(&[], &[file("[[rename]]\nfrom = 'a'\nto = 'b'")]).unwrap_err().to_string();
    assert!(error.contains("help: a rule is a table `[[rule]]`, in which there is `rename = …`"), "{error}");
}

#[test]
fn a_fault_in_a_text_with_escapes_points_at_the_whole_text() {
    assert_eq!(faults("[[rule]]\ndrop = \"re:\\\\d(\"")[0], "2:8 bad regular expression: unclosed group");
    assert_eq!(faults("[[rule]]\ndrop = \"re:d(\"")[0], "2:13 bad regular expression: unclosed group");
}

#[test]
fn files_that_contradict_each_other_are_refused_with_both_places() {
    let with =
        |one: &str, two: &str| Map::parse(&[], &[file(one), file(two)]).map_err(|errors| errors.to_string());
    let error = with("[options]\nunused = 'warn'", "[options]\nunused = 'error'").unwrap_err();
    assert!(error.contains("option `unused` has two values") && error.contains("and here"), "{error}");
    assert!(
        with("[tables]\nt = { a = 1 }", "[tables]\nt = { a = 2 }").unwrap_err().contains("written twice")
    );
    assert!(with("[vars]\nx = 1", "[vars]\nx = 2").unwrap_err().contains("`x` is 1 here and 2 there"));
    assert!(
        with("[vars]\nx = 1\n[tables]\nt = { a = 1 }", "[vars]\nx = 1\n[tables]\nt = { a = '1' }").is_ok()
    );
}

#[test]
fn faults_of_flags_are_shown_as_they_were_typed() {
    let error = |flag| Map::parse(&[flag], &[]).unwrap_err().to_string();
    let shown = error(Flag::Rename("{layer}=x/{layr}".into()));
    assert_eq!(
        shown,
        "\
error: the pattern does not capture `layr`
 |
 | --rename '{layer}=x/{layr}'
 |                      ^^^^
 |
 = help: did you mean `layer`?"
    );
    assert!(error(Flag::Rename("bert".into())).contains("`--rename` needs FROM=TO"));
    assert!(error(Flag::Rename("a{x=b".into())).contains("`{` is never closed"));
    assert!(error(Flag::AddPrefix(String::new())).contains("`--add-prefix` needs a prefix"));
}
