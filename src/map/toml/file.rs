//! Map files: the reader of their rules, options, tables and numbers, which keeps the place of everything.

use std::collections::BTreeMap;
use std::sync::Arc;

use toml::de::DeTable;

use crate::map::diagnostic::{Error, Errors, Kind};
use crate::map::lookup::Table;
use crate::map::ops::size_expr::reserved;
use crate::map::options::{COLLISION, Choice, Opt, Options, UNMATCHED, UNUSED};
use crate::map::rule::{Rule, VERBS};
use crate::map::span::{Source, Span};
use crate::map::toml::value_reader::{Key, Reader, Value, in_order, integer};

pub(crate) const TOP_KEYS: &[&str] = &["version", "vars", "tables", "options", "rule"];
pub(crate) const OPTION_KEYS: &[&str] = &["unmatched", "unused", "collision"];

/// A number of `[vars]`, and the place where it was given.
pub(crate) type Var = Choice<i64>;

/// The text of a map file, and its name in messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapText {
    /// The file's name.
    pub name: String,
    /// The whole text.
    pub text: String,
}

/// A map file with valid TOML.
pub(crate) struct MapFile<'t> {
    source: Arc<Source>,
    document: DeTable<'t>,
}

impl<'t> MapFile<'t> {
    /// Parses the TOML. After a syntax error, the file is not checked further.
    pub(crate) fn parse(map: &'t MapText, errors: &mut Errors) -> Option<Self> {
        let source = Source { name: map.name.clone(), text: map.text.clone(), is_flag: false };
        let source = Arc::new(source);
        let (top, faults) = DeTable::parse_recoverable(&map.text);
        for fault in &faults {
            let place = Span::new(&source, fault.span().unwrap_or_default());
            errors.push(Error::new(Kind::Syntax, &place, format!("not TOML: {}", fault.message())));
        }
        faults.is_empty().then(|| Self { source, document: top.into_inner() })
    }

    /// Reads everything except the rules, which need the tables of all files.
    pub(crate) fn read_settings(
        &self,
        options: &mut Options,
        tables: &mut Vec<Table>,
        vars: &mut BTreeMap<String, Var>,
        errors: &mut Errors,
    ) {
        let mut reader = self.reader(&[], errors);
        reader.known_keys_or(&self.document, TOP_KEYS, "here", verb_hint);
        if let Some(version) = self.document.get("version") {
            reader.version(version);
        }
        for (key, value) in reader.entries(&self.document, "options") {
            reader.option(key, value, options);
        }
        for (key, value) in reader.entries(&self.document, "tables") {
            reader.look_up_table(key, value, tables);
        }
        for (key, value) in reader.entries(&self.document, "vars") {
            reader.var(key, value, vars);
        }
    }

    /// Iterates over the names of its `[vars]`.
    pub(crate) fn var_names(&self) -> impl Iterator<Item = &str> {
        let vars = self.document.get("vars").and_then(|vars| vars.get_ref().as_table());
        vars.into_iter().flat_map(|vars| vars.keys().map(|name| name.get_ref().as_ref()))
    }

    /// Reads the rules, in the order in which they are written.
    pub(crate) fn rules(
        &self,
        tables: &[Table],
        vars: &BTreeMap<String, Var>,
        errors: &mut Errors,
    ) -> Vec<Rule> {
        let vars: Vec<_> = vars.iter().map(|(name, var)| (name.as_str(), var.value)).collect();
        let mut reader = self.reader(&vars, errors);
        let Some(rules) = self.document.get("rule") else { return vec![] };
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

/// Returns help for a verb that is a key at the top of a file.
fn verb_hint(key: &str) -> Option<String> {
    let verb = VERBS.iter().find(|row| row.name == key)?;
    Some(format!("a rule is a table `[[rule]]`, in which there is `{} = …`", verb.name))
}

/// Settings: everything in a map file except its rules.
impl Reader<'_> {
    fn version(&mut self, version: &Value<'_>) {
        let number = integer(version.get_ref());
        if number != Some(1) {
            let place = self.place(version.span());
            let error = Error::new(Kind::Key, &place, "this is not a map of version 1");
            self.errors.push(error.help("this ckptfs reads `version = 1`; a newer one may be needed"));
        }
    }

    fn option(&mut self, key: &Key<'_>, value: &Value<'_>, options: &mut Options) {
        match key.get_ref().as_ref() {
            name @ "unmatched" => self.choose(name, value, UNMATCHED, &mut options.unmatched),
            name @ "unused" => self.choose(name, value, UNUSED, &mut options.unused),
            name @ "collision" => self.choose(name, value, COLLISION, &mut options.collision),
            _ => self.unknown_key(key, OPTION_KEYS, "in [options]", None),
        }
    }

    fn choose<T: Copy + PartialEq>(
        &mut self,
        name: &str,
        value: &Value<'_>,
        words: &[(&str, T)],
        option: &mut Opt<T>,
    ) {
        if let Some(chosen) = self.word(name, value, words) {
            option.set(name, Choice { value: chosen, span: self.place(value.span()) }, self.errors);
        }
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
                self.errors.push(error.related(&first.span, "first here"));
            }
            Some(_) => {}
            None => tables.push(Table { name, span: place, entries }),
        }
    }

    /// Returns a value of a lookup table as text. It is a string or a whole number.
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
        let var = Var { value: number, span: self.place(key.span()) };
        if let Some(why) = reserved(key.get_ref()) {
            let what = format!("`{}` {why}", key.get_ref());
            return self.wrong_place(&var.span, what);
        }
        match vars.get(key.get_ref().as_ref()) {
            // A flag overrides the file.
            Some(first) if first.span.is_flag() => {}
            Some(first) if first.value != number => {
                let what = format!("`{}` is {} here and {number} there", key.get_ref(), first.value);
                self.errors
                    .push(Error::new(Kind::Conflict, &var.span, what).related(&first.span, "first here"));
            }
            _ => _ = vars.insert(key.get_ref().to_string(), var),
        }
    }
}
