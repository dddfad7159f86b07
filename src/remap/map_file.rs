//! Map files: TOML in, rules, options, tables and numbers out, with the place of everything.

mod encode;
mod read;
mod rule_table;

use std::{borrow::Cow, collections::BTreeMap, ops::Range, sync::Arc};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    MapText,
    error::{Error, Errors, Kind},
    expression::reserved,
    nearest::did_you_mean,
    options::{COLLISION, Choice, Options, UNMATCHED, UNUSED},
    place::{Place, Source},
    rule::{Rule, VERBS},
    table::Table,
};

pub(super) use read::near_dtype;

pub(super) const TOP_KEYS: &[&str] = &["version", "vars", "tables", "options", "rule"];
pub(super) const OPTION_KEYS: &[&str] = &["unmatched", "unused", "collision"];

pub(super) type Key<'t> = Spanned<Cow<'t, str>>;
pub(super) type Value<'t> = Spanned<DeValue<'t>>;

/// A number of `[vars]`, and where it was given.
pub(super) type Var = Choice<i64>;

/// A map file whose TOML is sound.
pub(super) struct MapFile<'t> {
    source: Arc<Source>,
    top: DeTable<'t>,
}

impl<'t> MapFile<'t> {
    /// Parses the TOML. After a syntax error nothing more is said about the file.
    pub(super) fn parse(map: &'t MapText, errors: &mut Errors) -> Option<Self> {
        let source = Source { name: map.name.clone(), text: map.text.clone(), is_flag: false };
        let source = Arc::new(source);
        let (top, faults) = DeTable::parse_recoverable(&map.text);
        for fault in &faults {
            let place = Place::new(&source, fault.span().unwrap_or_default());
            errors.push(Error::new(Kind::Syntax, &place, format!("not TOML: {}", fault.message())));
        }
        faults.is_empty().then(|| Self { source, top: top.into_inner() })
    }

    /// Everything but the rules, which need the tables of all files.
    pub(super) fn read_settings(
        &self,
        options: &mut Options,
        tables: &mut Vec<Table>,
        vars: &mut BTreeMap<String, Var>,
        errors: &mut Errors,
    ) {
        let mut reader = self.reader(&[], errors);
        reader.known_keys(&self.top, TOP_KEYS, "here");
        if let Some(version) = self.top.get("version") {
            reader.version(version);
        }
        for (key, value) in reader.entries(&self.top, "options") {
            reader.option(key, value, options);
        }
        for (key, value) in reader.entries(&self.top, "tables") {
            reader.look_up_table(key, value, tables);
        }
        for (key, value) in reader.entries(&self.top, "vars") {
            reader.var(key, value, vars);
        }
    }

    /// What its `[vars]` are called.
    pub(super) fn var_names(&self) -> impl Iterator<Item = &str> {
        let vars = self.top.get("vars").and_then(|vars| vars.get_ref().as_table());
        vars.into_iter().flat_map(|vars| vars.keys().map(|name| name.get_ref().as_ref()))
    }

    /// The rules, in the order written.
    pub(super) fn rules(
        &self,
        tables: &[Table],
        vars: &BTreeMap<String, Var>,
        errors: &mut Errors,
    ) -> Vec<Rule> {
        let vars: Vec<_> = vars.iter().map(|(name, var)| (name.as_str(), var.value)).collect();
        let mut reader = self.reader(&vars, errors);
        let Some(rules) = self.top.get("rule") else { return vec![] };
        let Some(list) = rules.get_ref().as_array() else {
            reader.wrong(rules, "`rule` is a list of tables: write [[rule]], in double brackets");
            return vec![];
        };
        list.iter().filter_map(|rule| reader.rule(rule, tables)).collect()
    }

    fn reader<'a>(&'a self, vars: &'a [(&'a str, i64)], errors: &'a mut Errors) -> Reader<'a> {
        Reader { source: &self.source, vars, errors }
    }
}

/// Reads values, and notes what is wrong with them.
pub(super) struct Reader<'a> {
    source: &'a Arc<Source>,
    /// The numbers that sizes may name.
    vars: &'a [(&'a str, i64)],
    errors: &'a mut Errors,
}

impl Reader<'_> {
    pub(super) fn place(&self, span: Range<usize>) -> Place {
        Place::new(self.source, span)
    }

    pub(super) fn wrong(&mut self, value: &Value<'_>, what: impl Into<String>) {
        let place = self.place(value.span());
        self.wrong_place(&place, what);
    }

    pub(super) fn known_keys(&mut self, table: &DeTable<'_>, known: &[&str], whose: &str) {
        for key in in_order(table).into_iter().map(|(key, _)| key) {
            if !known.contains(&key.get_ref().as_ref()) {
                self.unknown_key(key, known, whose);
            }
        }
    }

    fn unknown_key(&mut self, key: &Key<'_>, known: &[&str], whose: &str) {
        let verb = VERBS.iter().find(|row| row.name == key.get_ref() && known == TOP_KEYS);
        let rule =
            verb.map(|row| format!("a rule is a table `[[rule]]`, in which there is `{} = …`", row.name));
        let help = rule.or_else(|| did_you_mean(key.get_ref(), known.iter().copied()));
        let help = help.unwrap_or_else(|| format!("there are {}", quoted(known)));
        let what = format!("key `{}` means nothing {whose}", key.get_ref());
        self.errors.push(Error::new(Kind::Key, &self.place(key.span()), what).help(help));
    }

    fn version(&mut self, version: &Value<'_>) {
        let number = integer(version.get_ref());
        if number != Some(1) {
            let place = self.place(version.span());
            let error = Error::new(Kind::Key, &place, "this is not a map of version 1");
            self.errors.push(error.help("this ckptfs reads `version = 1`; a newer one may be needed"));
        }
    }

    /// The entries of a table under `name`, in the order written; none if it is missing or no table.
    fn entries<'t>(&mut self, top: &'t DeTable<'t>, name: &str) -> Vec<(&'t Key<'t>, &'t Value<'t>)> {
        let Some(value) = top.get(name) else { return vec![] };
        match value.get_ref().as_table() {
            Some(table) => in_order(table),
            None => {
                self.wrong(value, format!("`{name}` is a table: write [{name}]"));
                vec![]
            }
        }
    }

    fn option(&mut self, key: &Key<'_>, value: &Value<'_>, options: &mut Options) {
        match key.get_ref().as_ref() {
            name @ "unmatched" => self.choose(name, value, UNMATCHED, &mut options.unmatched),
            name @ "unused" => self.choose(name, value, UNUSED, &mut options.unused),
            name @ "collision" => self.choose(name, value, COLLISION, &mut options.collision),
            _ => self.unknown_key(key, OPTION_KEYS, "in [options]"),
        }
    }

    fn choose<T: Copy + PartialEq>(
        &mut self,
        name: &str,
        value: &Value<'_>,
        words: &[(&str, T)],
        option: &mut super::options::Opt<T>,
    ) {
        if let Some(chosen) = self.word(name, value, words) {
            option.set(name, Choice { value: chosen, place: self.place(value.span()) }, self.errors);
        }
    }

    pub(super) fn word<T: Copy>(&mut self, name: &str, value: &Value<'_>, words: &[(&str, T)]) -> Option<T> {
        let chosen = value.get_ref().as_str().and_then(|word| words.iter().find(|(known, _)| *known == word));
        if chosen.is_none() {
            let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            let near = value.get_ref().as_str().and_then(|word| did_you_mean(word, known.iter().copied()));
            let what = format!("`{name}` is one of {}", quoted(&known));
            self.errors.push(Error::new(Kind::Key, &self.place(value.span()), what).helps(near));
        }
        chosen.map(|(_, value)| *value)
    }

    fn look_up_table(&mut self, key: &Key<'_>, value: &Value<'_>, tables: &mut Vec<Table>) {
        let Some(rows) = value.get_ref().as_table() else {
            return self.wrong(value, format!("`{}` is a look-up: {{ from = \"to\", ... }}", key.get_ref()));
        };
        let (name, place) = (key.get_ref().to_string(), self.place(key.span()));
        let entries: BTreeMap<_, _> = in_order(rows)
            .into_iter()
            .filter_map(|(key, value)| Some((key.get_ref().to_string(), self.looked_up(value)?)))
            .collect();
        match tables.iter().find(|table| table.name == name) {
            Some(first) if first.entries != entries => {
                let error = Error::new(Kind::Conflict, &place, format!("table `{name}` is written twice"));
                self.errors.push(error.related(&first.place, "first here"));
            }
            Some(_) => {}
            None => tables.push(Table { name, place, entries }),
        }
    }

    /// What a table gives: a text or a whole number.
    fn looked_up(&mut self, value: &Value<'_>) -> Option<String> {
        let text = value.get_ref().as_str().map(str::to_owned);
        let text = text.or_else(|| integer(value.get_ref()).map(|number| number.to_string()));
        if text.is_none() {
            self.wrong(value, "a table gives texts or whole numbers");
        }
        text
    }

    fn var(&mut self, key: &Key<'_>, value: &Value<'_>, vars: &mut BTreeMap<String, Var>) {
        let Some(number) = integer(value.get_ref()) else {
            return self.wrong(value, "a number of [vars] is a whole number");
        };
        let var = Var { value: number, place: self.place(key.span()) };
        if let Some(why) = reserved(key.get_ref()) {
            let what = format!("`{}` {why}", key.get_ref());
            return self.wrong_place(&var.place, what);
        }
        match vars.get(key.get_ref().as_ref()) {
            // A flag wins.
            Some(first) if first.place.is_flag() => {}
            Some(first) if first.value != number => {
                let what = format!("`{}` is {} here and {number} there", key.get_ref(), first.value);
                self.errors
                    .push(Error::new(Kind::Conflict, &var.place, what).related(&first.place, "first here"));
            }
            _ => _ = vars.insert(key.get_ref().to_string(), var),
        }
    }
}

/// The entries as they were written; the map sorts them by key.
fn in_order<'a, 't>(table: &'a DeTable<'t>) -> Vec<(&'a Key<'t>, &'a Value<'t>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

pub(super) fn integer(value: &DeValue<'_>) -> Option<i64> {
    let integer = value.as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

fn a_kind(value: &DeValue<'_>) -> String {
    let kind = value.type_str();
    format!("{} {kind}", if kind.starts_with(['a', 'i']) { "an" } else { "a" })
}

fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
