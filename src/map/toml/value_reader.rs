//! The reader of single values: numbers, lists, dtypes, sizes, file names. It records errors with their spans.

use std::borrow::Cow;
use std::ops::Range;
use std::path::{self, Path};
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::dtype::Dtype;
use crate::map::diagnostic::{Error, Errors, Kind};
use crate::map::ops::size_expr::Expression;
use crate::map::span::{Source, Span, SpannedStr};
use crate::map::suggest::did_you_mean;

/// The keys whose values are file names.
const FILES: &[&str] = &["old", "new", "index", "npy"];

/// A reader of values, which records errors.
pub(crate) struct Reader<'a> {
    pub(crate) source: &'a Arc<Source>,
    /// The numbers that sizes may use by name.
    pub(crate) vars: &'a [(&'a str, i64)],
    pub(crate) errors: &'a mut Errors,
}

/// Returns the entries in the order in which they are written. The table itself sorts them by key.
pub(crate) fn in_order<'a, 't>(table: &'a DeTable<'t>) -> Vec<(&'a Key<'t>, &'a Value<'t>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

pub(crate) fn integer(value: &DeValue<'_>) -> Option<i64> {
    let integer = value.as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

pub(crate) fn a_kind(value: &DeValue<'_>) -> String {
    let kind = value.type_str();
    format!("{} {kind}", if kind.starts_with(['a', 'i']) { "an" } else { "a" })
}

pub(crate) fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

pub(crate) type Key<'t> = Spanned<Cow<'t, str>>;

pub(crate) type Value<'t> = Spanned<DeValue<'t>>;

impl Reader<'_> {
    pub(crate) fn place(&self, span: Range<usize>) -> Span {
        Span::new(self.source, span)
    }

    pub(crate) fn wrong(&mut self, value: &Value<'_>, what: impl Into<String>) {
        let place = self.place(value.span());
        self.wrong_place(&place, what);
    }

    pub(crate) fn known_keys(&mut self, table: &DeTable<'_>, known: &[&str], whose: &str) {
        self.known_keys_or(table, known, whose, |_| None);
    }

    /// Like `known_keys`. `hint` returns help for an unknown key.
    pub(crate) fn known_keys_or(
        &mut self,
        table: &DeTable<'_>,
        known: &[&str],
        whose: &str,
        hint: impl Fn(&str) -> Option<String>,
    ) {
        for key in in_order(table).into_iter().map(|(key, _)| key) {
            if !known.contains(&key.get_ref().as_ref()) {
                self.unknown_key(key, known, whose, hint(key.get_ref()));
            }
        }
    }

    pub(crate) fn unknown_key(&mut self, key: &Key<'_>, known: &[&str], whose: &str, hint: Option<String>) {
        let help = hint.or_else(|| did_you_mean(key.get_ref(), known.iter().copied()));
        let help = help.unwrap_or_else(|| format!("there are {}", quoted(known)));
        let what = format!("unknown key `{}` {whose}", key.get_ref());
        self.errors.push(Error::new(Kind::Key, &self.place(key.span()), what).help(help));
    }

    /// Returns the entries of the table `name` in the order in which they are written. Empty if the table is missing
    /// or is not a table.
    pub(crate) fn entries<'t>(
        &mut self,
        top: &'t DeTable<'t>,
        name: &str,
    ) -> Vec<(&'t Key<'t>, &'t Value<'t>)> {
        let Some(value) = top.get(name) else { return vec![] };
        match value.get_ref().as_table() {
            Some(table) => in_order(table),
            None => {
                self.wrong(value, format!("`{name}` is a table: write [{name}]"));
                vec![]
            }
        }
    }

    pub(crate) fn word<T: Copy>(&mut self, name: &str, value: &Value<'_>, words: &[(&str, T)]) -> Option<T> {
        let chosen = value.get_ref().as_str().and_then(|word| words.iter().find(|(known, _)| *known == word));
        if chosen.is_none() {
            let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            let near = value.get_ref().as_str().and_then(|word| did_you_mean(word, known.iter().copied()));
            let what = format!("`{name}` is one of {}", quoted(&known));
            self.errors.push(Error::new(Kind::Key, &self.place(value.span()), what).helps(near));
        }
        chosen.map(|(_, value)| *value)
    }

    /// Returns the number of errors so far.
    pub(crate) fn faults(&self) -> usize {
        self.errors.len()
    }

    pub(crate) fn wrong_place(&mut self, place: &Span, what: impl Into<String>) {
        self.errors.push(Error::new(Kind::Key, place, what));
    }

    pub(crate) fn wrong_at(&mut self, span: Range<usize>, what: impl Into<String>, help: &str) {
        self.errors.push(Error::new(Kind::Key, &self.place(span), what).help(help));
    }

    /// Returns a text with the place of its value.
    pub(crate) fn written(&self, value: &Value<'_>, text: &str) -> SpannedStr {
        SpannedStr::in_file(self.source, value.span(), text)
    }

    pub(crate) fn whole(&mut self, key: &str, value: &Value<'_>) -> Option<i64> {
        let number = integer(value.get_ref());
        if number.is_none() {
            self.wrong(value, format!("`{key}` is a whole number, not {}", a_kind(value.get_ref())));
        }
        number
    }

    pub(crate) fn natural(&mut self, key: &str, value: &Value<'_>) -> Option<u64> {
        let number = self.whole(key, value)?;
        let natural = u64::try_from(number).ok();
        if natural.is_none() {
            self.wrong(value, format!("`{key}` is a number from 0 up, not {number}"));
        }
        natural
    }

    pub(crate) fn real(&mut self, key: &str, value: &Value<'_>) -> Option<f64> {
        let float = value.get_ref().as_float().and_then(|float| float.as_str().parse().ok());
        let number = float.or_else(|| integer(value.get_ref()).map(|number| number as f64));
        if number.is_none() {
            self.wrong(value, format!("`{key}` is a number, not {}", a_kind(value.get_ref())));
        }
        number
    }

    pub(crate) fn boolean(&mut self, table: &DeTable<'_>, key: &str, default: bool) -> bool {
        let Some(value) = table.get(key) else { return default };
        value.get_ref().as_bool().unwrap_or_else(|| {
            self.wrong(value, format!("`{key}` is true or false"));
            default
        })
    }

    /// Reads a list. `None` if any item is wrong.
    pub(crate) fn list<T>(
        &mut self,
        key: &str,
        value: &Value<'_>,
        item: impl Fn(&mut Self, &str, &Value<'_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Some(list) = value.get_ref().as_array() else {
            self.wrong(value, format!("`{key}` is a list, not {}", a_kind(value.get_ref())));
            return None;
        };
        let items: Vec<_> = list.iter().map(|value| item(self, key, value)).collect();
        items.into_iter().collect()
    }

    pub(crate) fn dtype(&mut self, key: &str, value: &Value<'_>) -> Option<Dtype> {
        let Some(name) = value.get_ref().as_str() else {
            self.wrong(value, format!("`{key}` is the name of a dtype, such as \"bfloat16\""));
            return None;
        };
        let dtype = Dtype::written(name);
        if dtype.is_none() {
            let error = Error::new(Kind::Key, &self.place(value.span()), format!("unknown dtype `{name}`"));
            self.errors.push(error.help(near_dtype(name)));
        }
        dtype
    }

    /// Parses a size, which is the part `at` of a text.
    pub(crate) fn expression(&mut self, written: &SpannedStr, at: Range<usize>) -> Option<Expression> {
        let parsed = Expression::parse(&written.text[at.clone()], self.vars);
        let mut fault = match parsed {
            Ok(expression) => return Some(expression.shifted(at.start)),
            Err(fault) => fault,
        };
        fault.at = at.start + fault.at.start..at.start + fault.at.end;
        self.errors.push(Error::new(Kind::Key, &written.part(fault.at), fault.what).helps(fault.help));
        None
    }

    /// Returns a path relative to the map file's directory as an absolute path, because the process may change its
    /// working directory before it opens the file.
    pub(crate) fn relative_path(&self, name: &str) -> path::PathBuf {
        let map = Path::new(&self.source.name);
        let path = map.parent().unwrap_or(Path::new("")).join(name);
        path::absolute(&path).unwrap_or(path)
    }

    /// Returns the value without its places, and with absolute file names.
    pub(crate) fn plain(&self, value: &Value<'_>) -> toml::Value {
        match value.get_ref() {
            DeValue::String(text) => text.to_string().into(),
            number @ DeValue::Integer(text) => match integer(number) {
                Some(number) => number.into(),
                None => text.as_str().to_owned().into(),
            },
            DeValue::Float(text) => text.as_str().parse().unwrap_or(f64::NAN).into(),
            DeValue::Boolean(yes) => (*yes).into(),
            DeValue::Datetime(when) => (*when).into(),
            DeValue::Array(list) => list.iter().map(|value| self.plain(value)).collect::<Vec<_>>().into(),
            DeValue::Table(table) => {
                let row = |(key, value): (&Key<'_>, &Value<'_>)| {
                    (key.get_ref().to_string(), self.plain_of(key.get_ref(), value))
                };
                toml::Table::from_iter(table.iter().map(row)).into()
            }
        }
    }

    /// Like `plain`, for the value of a key. If the key names a file, the path becomes absolute.
    pub(crate) fn plain_of(&self, key: &str, value: &Value<'_>) -> toml::Value {
        match value.get_ref().as_str() {
            Some(name) if FILES.contains(&key) => {
                self.relative_path(name).to_string_lossy().into_owned().into()
            }
            _ => self.plain(value),
        }
    }
}

/// Returns help for an unknown dtype: the nearest name, or examples.
pub(crate) fn near_dtype(name: &str) -> String {
    const KNOWN: &[&str] = &[
        "float32",
        "float64",
        "float16",
        "bfloat16",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "bool",
        "complex64",
        "complex128",
        "string",
        "float8_e5m2",
        "float8_e4m3fn",
        "int4",
        "uint4",
    ];
    let help = did_you_mean(name, KNOWN.iter().copied());
    help.unwrap_or_else(|| "as TensorFlow calls them: float32, bfloat16, int64, ...".into())
}
