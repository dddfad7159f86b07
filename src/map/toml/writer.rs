//! The writer of a map as one equivalent file, regardless of the flags and files that it came from.
//!
//! Rules keep their order. A rule of a flag becomes a rule of the file, with one difference: a flag that matches nothing
//! is an error even under `unused = "warn"`.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::map::Map;
use crate::map::options::{COLLISION, Opt, UNMATCHED, UNUSED};
use crate::map::rule::{DAMAGED, MATCH_ON, Matcher, OPTIMIZER, ROLE, Rule, RuleFlags, VERBS};

impl Map {
    /// Returns the map as the text of a map file, with each rule's place in a comment.
    pub fn to_toml(&self) -> String {
        let settings = toml::to_string(&Settings::of(self)).expect("texts, numbers and tables of them");
        settings + &self.rules.iter().map(lines).collect::<String>()
    }
}

/// Everything except the rules.
#[derive(Serialize)]
struct Settings<'a> {
    version: u8,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    options: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    vars: BTreeMap<&'a str, i64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tables: BTreeMap<&'a str, &'a BTreeMap<String, String>>,
}

impl<'a> Settings<'a> {
    fn of(map: &'a Map) -> Self {
        let options = [
            ("unmatched", chosen(&map.options.unmatched, UNMATCHED)),
            ("unused", chosen(&map.options.unused, UNUSED)),
            ("collision", chosen(&map.options.collision, COLLISION)),
        ];
        Self {
            version: 1,
            options: options.into_iter().filter_map(|(name, word)| Some((name, word?))).collect(),
            vars: map.vars.iter().map(|(name, var)| (name.as_str(), var.value)).collect(),
            tables: map.tables.iter().map(|table| (table.name.as_str(), &table.entries)).collect(),
        }
    }
}

fn chosen<T: Copy + PartialEq>(option: &Opt<T>, words: &[(&'static str, T)]) -> Option<&'static str> {
    let choice = option.0.as_ref()?.value;
    words.iter().find(|(_, value)| *value == choice).map(|(word, _)| *word)
}

fn lines(rule: &Rule) -> String {
    let keys = row(rule).into_iter().map(|(key, value)| format!("{key} = {value}\n"));
    format!("\n# {}\n[[rule]]\n{}", rule.span(), keys.collect::<String>())
}

/// Returns the keys of a rule and their values, the verb first.
fn row(rule: &Rule) -> Vec<(&'static str, toml::Value)> {
    let verb = VERBS.iter().find(|row| row.verb == rule.verb).expect("every verb has its row").name;
    let what: toml::Value = match &rule.matcher {
        Matcher::Pattern(_) | Matcher::Nothing => rule.from().text.clone().into(),
        Matcher::Members(_) => rule.from.iter().map(|from| from.text.clone()).collect::<Vec<_>>().into(),
        Matcher::Optimizer => toml::Table::from_iter([(ROLE.to_owned(), OPTIMIZER.into())]).into(),
        Matcher::Damaged(_) => toml::Table::from_iter([(ROLE.to_owned(), DAMAGED.into())]).into(),
    };
    let targets: Vec<toml::Value> = rule.targets.iter().map(|(_, to)| to.text.clone().into()).collect();
    let to = match targets.as_slice() {
        [] => None,
        [to] => Some(to.clone()),
        _ => Some(targets.into()),
    };
    let plain = RuleFlags::default();
    let ignore_case = rule.patterns().iter().any(|pattern| pattern.ignore_case);
    let flag = |value: bool, plain: bool| (value != plain).then(|| value.into());
    let matched = rule.match_on.and_then(|on| MATCH_ON.iter().find(|(_, each)| *each == on));
    let keys = [
        (verb, Some(what)),
        ("to", to),
        ("optional", flag(rule.optional, plain.optional)),
        ("ignore_case", flag(ignore_case, plain.ignore_case)),
        ("follow_slots", flag(rule.follow_slots, plain.follow_slots)),
        ("match", matched.map(|(word, _)| (*word).into())),
    ];
    let keys = keys.into_iter().filter_map(|(key, value)| Some((key, value?)));
    keys.chain(rule.given.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::flags::Flag;
    use crate::map::test_util::map;

    const FILE: &str = r#"version = 1
[vars]
heads = 12
[tables]
op = { 0 = 1, "1" = "x\ny", 'a b' = '"' }
[options]
unused = "warn"
[[rule]]
rename = 'a/{i:int}/**/{k:x|y}'
to = "b/{op[i]}/**/{k|lower}"
optional = true
[[rule]]
alias = "re:(?<s>.+)/é\"\\\\'"
to = ['{s}', "x/{s}\u0007"]
ignore_case = true
follow_slots = false
[[rule]]
drop = '**/\{*'
match = "full_name"
[[rule]]
drop = { role = "optimizer" }
optional = true
[[rule]]
convert = 'a'
ops = [{ reshape = ["d0/heads", -1] }, { pad = { to = [3, "d1"], value = 0.5 } }, { cast = "int8", saturate = true }]
[[rule]]
convert = 'b'
ops = [{ vocab = { old = "sub/old.txt", new = "/new.txt", missing = { normal = { std = 0.1, seed = 3 } } } }]
[[rule]]
join = ['{x}/q', '{x}/k']
to = '{x}'
axis = -1
layout = "interleaved"
heads = "heads"
[[rule]]
split = 'c'
to = ['d', 'e']
axis = 0
sizes = [1, "d0-1"]
[[rule]]
create = 'f'
dtype = "bfloat16"
shape = [2, "heads"]
normal = { std = 1e-3 }
"#;

    #[test]
    fn every_key_and_setting_is_written_and_read_again() {
        let first = map(
            &[Flag::Rename(r"a\=b=c'd".into()), Flag::CollisionFirst, Flag::DropOptimizer, Flag::Salvage],
            FILE,
        );
        let text = first.to_toml();
        let second = map(&[], &text);
        let keys = |map: &Map| map.rules.iter().map(row).collect::<Vec<_>>();
        assert_eq!(keys(&first), keys(&second), "{text}");
        assert_eq!(first.tables[0].entries, second.tables[0].entries);
        assert_eq!(second.var("heads"), Some(12));
        let absolute = std::path::absolute("sub/old.txt").unwrap();
        assert!(
            text.contains(&format!("\"{}\"", absolute.display())) && text.contains("\"/new.txt\""),
            "{text}"
        );
        assert!(text.contains("# --rename\n[[rule]]\nrename = "), "{text}");
        assert!(text.contains("# fix.toml:8") || text.contains("# fix.toml:9"), "{text}");
        let places = |text: &str| {
            text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(places(&second.to_toml()), places(&text));
    }

    #[test]
    fn an_empty_map_is_an_empty_file() {
        assert_eq!(Map::default().to_toml(), "version = 1\n");
        assert!(map(&[], &Map::default().to_toml()).is_empty());
    }
}
