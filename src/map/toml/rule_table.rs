//! A `[[rule]]` of a map file.

use toml::de::DeTable;

use crate::map::diagnostic::{Error, Kind};
use crate::map::lookup::Table;
use crate::map::ops::WrittenOp;
use crate::map::ops::concat::Division;
use crate::map::ops::create::Creation;
use crate::map::rule::{
    COMMON_KEYS, MATCH_ON, NewValue, OPS, OPTIMIZER, ROLE, ROLES, Rule, RuleFlags, Targets, VERBS, Verb,
    VerbRow,
};
use crate::map::span::SpannedStr;
use crate::map::suggest::did_you_mean;
use crate::map::toml::value_reader::{Reader, Value, a_kind, in_order, quoted};

impl Reader<'_> {
    pub(crate) fn rule(&mut self, value: &Value<'_>, tables: &[Table]) -> Option<Rule> {
        let Some(table) = value.get_ref().as_table() else {
            self.wrong(value, "a rule is a table: write [[rule]], and its verb below");
            return None;
        };
        let row = self.verb(value, table)?;
        let faults = self.errors.len();
        self.known_keys(table, &known_keys(row), &format!("in a `{}` rule", row.name));
        let (manner, what) = (self.manner(table), table.get(row.name)?);
        let rule = match row.verb {
            Verb::Drop if what.get_ref().is_table() => {
                self.drop_by_role(what, what.get_ref().as_table()?, manner)
            }
            Verb::Create => self.create(what, table, manner),
            Verb::Join => self.join(row, what, table, (manner, tables)),
            _ => self.of_pattern(row, what, table, (manner, tables)),
        };
        let ops = self.ops(row, table);
        let rule = Rule { ops: ops?, given: self.given(row, table), ..rule? };
        (self.errors.len() == faults).then_some(rule)
    }

    /// Reads a rule with one pattern.
    fn of_pattern(
        &mut self,
        row: &VerbRow,
        what: &Value<'_>,
        table: &DeTable<'_>,
        (manner, tables): (RuleFlags, &[Table]),
    ) -> Option<Rule> {
        let from = self.text(row.name, what);
        let targets = self.targets(row, table);
        let parts = targets.as_ref().map_or(1, Vec::len);
        let new_value = match row.verb {
            Verb::Split => Some(NewValue::Split(Division::read(self, what, table, parts)?)),
            _ => None,
        };
        let rule = Rule::new(row.verb, from?, targets?, manner, tables, self.errors)?;
        Some(Rule { new_value, ..rule })
    }

    /// Reads `join = ["a", "b"]`.
    fn join(
        &mut self,
        row: &VerbRow,
        what: &Value<'_>,
        table: &DeTable<'_>,
        (manner, tables): (RuleFlags, &[Table]),
    ) -> Option<Rule> {
        let members = self.list(row.name, what, |reader, key, value| reader.text(key, value));
        let targets = self.targets(row, table);
        let division = Division::read(self, what, table, 0);
        let (members, target) = (members?, targets?.pop()?);
        if members.len() < 2 {
            self.wrong(what, "`join` is a list of two patterns or more");
            return None;
        }
        let rule = Rule::join(members, target, manner, tables, self.errors)?;
        Some(Rule { new_value: Some(NewValue::Join(division?)), ..rule })
    }

    fn create(&mut self, what: &Value<'_>, table: &DeTable<'_>, manner: RuleFlags) -> Option<Rule> {
        let name = self.text("create", what);
        let creation = Creation::read(self, what, table);
        if name.as_ref().is_some_and(|name| name.text.is_empty()) {
            self.wrong(what, "the name is empty");
        }
        Some(Rule::create(name?, creation?, manner))
    }

    /// Reads the ops. A `convert` must have some, because it does nothing else.
    fn ops(&mut self, row: &VerbRow, table: &DeTable<'_>) -> Option<Vec<WrittenOp>> {
        match table.get(OPS) {
            Some(value) if row.ops => {
                let ops = self.list(OPS, value, |reader, _, value| WrittenOp::read(reader, value))?;
                if ops.is_empty() && row.verb == Verb::Convert {
                    self.wrong(value, "`ops` is an empty list, so nothing is converted");
                }
                Some(ops)
            }
            None if row.verb == Verb::Convert => {
                let verb = table.get(row.name)?;
                self.wrong_at(verb.span(), "`convert` needs `ops`", "as in ops = [{ cast = \"bfloat16\" }]");
                None
            }
            _ => Some(vec![]),
        }
    }

    /// Returns the keys about values, from which the rule can be written again.
    fn given(&self, row: &VerbRow, table: &DeTable<'_>) -> Vec<(&'static str, toml::Value)> {
        let keys = row.keys.iter().copied().flatten().chain([&OPS]);
        keys.filter_map(|key| Some((*key, self.plain_of(key, table.get(*key)?)))).collect()
    }

    /// Reads `drop = { role = "optimizer" }` or another role.
    fn drop_by_role(&mut self, what: &Value<'_>, role: &DeTable<'_>, manner: RuleFlags) -> Option<Rule> {
        self.known_keys(role, &[ROLE], "in what is dropped");
        let Some(value) = role.get(ROLE) else {
            self.wrong(what, format!("what is dropped is a pattern, or {{ {ROLE} = \"{OPTIMIZER}\" }}"));
            return None;
        };
        let rule = self.word(ROLE, value, ROLES)?;
        Some(rule(SpannedStr::in_file(self.source, what.span(), ""), manner))
    }

    /// Returns the only verb of a rule.
    fn verb(&mut self, rule: &Value<'_>, table: &DeTable<'_>) -> Option<&'static VerbRow> {
        let verbs = in_order(table).into_iter();
        let verbs: Vec<_> = verbs
            .filter_map(|(key, _)| Some((key, VERBS.iter().find(|row| row.name == key.get_ref())?)))
            .collect();
        match verbs[..] {
            [(_, row)] => return Some(row),
            [] => self.no_verb(rule, table),
            [(first, _), (second, _), ..] => {
                let names: Vec<_> = verbs.iter().map(|(_, row)| row.name).collect();
                let what = format!("a rule has exactly one verb; this one has {}", quoted(&names));
                let error = Error::new(Kind::Key, &self.place(second.span()), what);
                let error = error.related(&self.place(first.span()), "the first");
                self.errors.push(error.help("write a [[rule]] for each"));
            }
        }
        None
    }

    /// Reports a missing verb. The place is a misspelled verb, or the whole rule if no key is similar to a verb.
    fn no_verb(&mut self, rule: &Value<'_>, table: &DeTable<'_>) {
        let names: Vec<_> = VERBS.iter().map(|row| row.name).collect();
        let known: Vec<_> = VERBS.iter().flat_map(known_keys).collect();
        let strange = in_order(table).into_iter().map(|(key, _)| key);
        let strange = strange.filter(|key| !known.contains(&key.get_ref().as_ref()));
        let mut near =
            strange.filter_map(|key| Some((key, did_you_mean(key.get_ref(), names.iter().copied())?)));
        let error = match near.next() {
            Some((key, help)) => {
                let what = format!("`{}` is not a verb", key.get_ref());
                Error::new(Kind::Key, &self.place(key.span()), what).help(help)
            }
            None => {
                let what = "a rule has exactly one verb; this one has none";
                Error::new(Kind::Key, &self.place(rule.span()), what)
                    .help(format!("one of {}", quoted(&names)))
            }
        };
        self.errors.push(error);
    }

    fn manner(&mut self, table: &DeTable<'_>) -> RuleFlags {
        let plain = RuleFlags::default();
        RuleFlags {
            optional: self.boolean(table, "optional", plain.optional),
            ignore_case: self.boolean(table, "ignore_case", plain.ignore_case),
            follow_slots: self.boolean(table, "follow_slots", plain.follow_slots),
            match_on: table.get("match").and_then(|value| self.word("match", value, MATCH_ON)),
        }
    }

    fn text(&mut self, key: &str, value: &Value<'_>) -> Option<SpannedStr> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.wrong(value, format!("`{key}` is a text in quotes, not {}", a_kind(value.get_ref())));
        }
        Some(SpannedStr::in_file(self.source, value.span(), text?))
    }

    /// Reads `to`. `None` if it is missing or wrong.
    fn targets(&mut self, row: &VerbRow, table: &DeTable<'_>) -> Option<Vec<SpannedStr>> {
        if row.targets == Targets::None {
            return Some(vec![]);
        }
        let (verb, _) = table.get_key_value(row.name)?;
        let Some(to) = table.get("to") else {
            let what = format!("a `{}` rule needs `to`", row.name);
            self.errors.push(Error::new(Kind::Key, &self.place(verb.span()), what));
            return None;
        };
        match to.get_ref().as_array() {
            None => Some(vec![self.text("to", to)?]),
            Some(list) if row.targets == Targets::Many && !list.is_empty() => {
                let texts: Vec<_> = list.iter().map(|value| self.text("to", value)).collect();
                texts.into_iter().collect()
            }
            Some(_) if row.targets == Targets::Many => {
                self.wrong(to, "`to` is an empty list");
                None
            }
            Some(_) => {
                let what =
                    format!("`{}` has one name in `to`; `alias` and `split` may have a list", row.name);
                self.wrong(to, what);
                None
            }
        }
    }
}

/// Returns the keys that a rule with this verb may have.
fn known_keys(row: &VerbRow) -> Vec<&'static str> {
    let to: &[&str] = if row.targets == Targets::None { &[] } else { &["to"] };
    let ops: &[&str] = if row.ops { &[OPS] } else { &[] };
    let own = row.keys.iter().copied().flatten();
    [row.name].iter().chain(to).chain(ops).chain(own).chain(COMMON_KEYS).copied().collect()
}
