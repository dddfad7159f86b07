//! One `[[rule]]` of a map file.

use toml::de::DeTable;

use super::{
    super::{
        error::{Error, Kind},
        nearest::did_you_mean,
        place::Written,
        rule::{COMMON_KEYS, MATCH_ON, Manner, OPTIMIZER, ROLE, Rule, Targets, VERBS, Verb, VerbRow},
        table::Table,
    },
    Key, Reader, Value, a_kind, in_order, quoted,
};

impl Reader<'_> {
    pub(super) fn rule(&mut self, value: &Value<'_>, tables: &[Table]) -> Option<Rule> {
        let Some(table) = value.get_ref().as_table() else {
            self.wrong(value, "a rule is a table: write [[rule]], and its verb below");
            return None;
        };
        let row = self.verb(value, table)?;
        let faults = self.errors.len();
        let keys: Vec<&str> = [row.name].iter().chain(row.keys).chain(COMMON_KEYS).copied().collect();
        let to: &[&str] = if row.targets == Targets::None { &[] } else { &["to"] };
        self.known_keys(table, &[&keys, to].concat(), &format!("in a rule that says `{}`", row.name));
        let manner = self.manner(table);
        let verb = self.names_only(row, table)?;
        if let (Verb::Drop, Some(what)) = (verb, table.get(row.name))
            && let Some(role) = what.get_ref().as_table()
        {
            let rule = self.drop_by_role(what, role, manner);
            return rule.filter(|_| self.errors.len() == faults);
        }
        let from = self.text(row.name, table.get(row.name)?);
        let targets = self.targets(row, table);
        let (from, targets) = (from?, targets?);
        let rule = Rule::new(verb, from, targets, manner, tables, self.errors)?;
        (self.errors.len() == faults).then_some(rule)
    }

    /// `drop = { role = "optimizer" }`
    fn drop_by_role(&mut self, what: &Value<'_>, role: &DeTable<'_>, manner: Manner) -> Option<Rule> {
        self.known_keys(role, &[ROLE], "in what is dropped");
        let Some(value) = role.get(ROLE) else {
            self.wrong(what, format!("what is dropped is a pattern, or {{ {ROLE} = \"{OPTIMIZER}\" }}"));
            return None;
        };
        self.word(ROLE, value, &[(OPTIMIZER, ())])?;
        Some(Rule::drop_optimizer(Written::in_file(self.source, what.span(), ""), manner))
    }

    /// The one verb of a rule.
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

    /// A misspelled verb is pointed at; without any, the whole rule is.
    fn no_verb(&mut self, rule: &Value<'_>, table: &DeTable<'_>) {
        let names: Vec<_> = VERBS.iter().map(|row| row.name).collect();
        let known: Vec<_> = VERBS.iter().flat_map(|row| row.keys).chain(COMMON_KEYS).chain(&["to"]).collect();
        let strange = in_order(table).into_iter().map(|(key, _)| key);
        let strange = strange.filter(|key| !known.contains(&&key.get_ref().as_ref()));
        let mut near =
            strange.filter_map(|key| Some((key, did_you_mean(key.get_ref(), names.iter().copied())?)));
        let error = match near.next() {
            Some((key, help)) => {
                let what = format!("`{}` is no verb", key.get_ref());
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

    /// Refuses what computes values: verbs of their own, or `ops` on others.
    fn names_only(&mut self, row: &VerbRow, table: &DeTable<'_>) -> Option<Verb> {
        const HELP: &str = "names only: rename, alias, drop, keep";
        let keys = in_order(table).into_iter().map(|(key, _)| key);
        let wanted = |key: &&Key<'_>| match row.verb {
            None => key.get_ref() == row.name,
            Some(_) => row.keys.contains(&key.get_ref().as_ref()),
        };
        let Some(key) = keys.into_iter().find(wanted) else { return row.verb };
        let what = format!("`{}` computes values, which this version does not do yet", key.get_ref());
        self.errors.push(Error::new(Kind::Unsupported, &self.place(key.span()), what).help(HELP));
        None
    }

    fn manner(&mut self, table: &DeTable<'_>) -> Manner {
        let plain = Manner::default();
        Manner {
            optional: self.boolean(table, "optional", plain.optional),
            ignore_case: self.boolean(table, "ignore_case", plain.ignore_case),
            follow_slots: self.boolean(table, "follow_slots", plain.follow_slots),
            match_on: table.get("match").and_then(|value| self.word("match", value, MATCH_ON)),
        }
    }

    fn boolean(&mut self, table: &DeTable<'_>, key: &str, default: bool) -> bool {
        let Some(value) = table.get(key) else { return default };
        value.get_ref().as_bool().unwrap_or_else(|| {
            self.wrong(value, format!("`{key}` is true or false"));
            default
        })
    }

    fn text(&mut self, key: &str, value: &Value<'_>) -> Option<Written> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.wrong(value, format!("`{key}` is a text in quotes, not {}", a_kind(value.get_ref())));
        }
        Some(Written::in_file(self.source, value.span(), text?))
    }

    /// What `to` says; none if it is missing or wrong.
    fn targets(&mut self, row: &VerbRow, table: &DeTable<'_>) -> Option<Vec<Written>> {
        if row.targets == Targets::None {
            return Some(vec![]);
        }
        let (verb, _) = table.get_key_value(row.name)?;
        let Some(to) = table.get("to") else {
            let what = format!("a rule that says `{}` needs `to`", row.name);
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
                let what = format!("`{}` has one name in `to`; `alias` may have a list", row.name);
                self.wrong(to, what);
                None
            }
        }
    }
}
