//! Reading single values: numbers, lists, dtypes, sizes, names of files. What is wrong is noted with its place.

use std::ops::Range;
use std::path::{self, Path};

use toml::de::{DeTable, DeValue};

use super::{
    super::{
        error::{Error, Kind},
        expression::Expression,
        nearest::did_you_mean,
        place::{Place, Written},
    },
    Reader, Value, a_kind, integer,
};
use crate::dtype::Dtype;

/// Keys that name files.
const FILES: &[&str] = &["old", "new", "index", "npy"];

impl Reader<'_> {
    /// How many faults there are so far.
    pub(in crate::remap) fn faults(&self) -> usize {
        self.errors.len()
    }

    pub(in crate::remap) fn wrong_place(&mut self, place: &Place, what: impl Into<String>) {
        self.errors.push(Error::new(Kind::Key, place, what));
    }

    pub(in crate::remap) fn wrong_at(&mut self, span: Range<usize>, what: impl Into<String>, help: &str) {
        self.errors.push(Error::new(Kind::Key, &self.place(span), what).help(help));
    }

    /// A value as a text with its place.
    pub(in crate::remap) fn written(&self, value: &Value<'_>, text: &str) -> Written {
        Written::in_file(self.source, value.span(), text)
    }

    pub(in crate::remap) fn whole(&mut self, key: &str, value: &Value<'_>) -> Option<i64> {
        let number = integer(value.get_ref());
        if number.is_none() {
            self.wrong(value, format!("`{key}` is a whole number, not {}", a_kind(value.get_ref())));
        }
        number
    }

    pub(in crate::remap) fn natural(&mut self, key: &str, value: &Value<'_>) -> Option<u64> {
        let number = self.whole(key, value)?;
        let natural = u64::try_from(number).ok();
        if natural.is_none() {
            self.wrong(value, format!("`{key}` is a number from 0 up, not {number}"));
        }
        natural
    }

    pub(in crate::remap) fn real(&mut self, key: &str, value: &Value<'_>) -> Option<f64> {
        let float = value.get_ref().as_float().and_then(|float| float.as_str().parse().ok());
        let number = float.or_else(|| integer(value.get_ref()).map(|number| number as f64));
        if number.is_none() {
            self.wrong(value, format!("`{key}` is a number, not {}", a_kind(value.get_ref())));
        }
        number
    }

    pub(in crate::remap) fn boolean(&mut self, table: &DeTable<'_>, key: &str, default: bool) -> bool {
        let Some(value) = table.get(key) else { return default };
        value.get_ref().as_bool().unwrap_or_else(|| {
            self.wrong(value, format!("`{key}` is true or false"));
            default
        })
    }

    /// All of a list; none if any of it is wrong.
    pub(in crate::remap) fn list<T>(
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

    pub(in crate::remap) fn dtype(&mut self, key: &str, value: &Value<'_>) -> Option<Dtype> {
        let Some(name) = value.get_ref().as_str() else {
            self.wrong(value, format!("`{key}` is the name of a dtype, such as \"bfloat16\""));
            return None;
        };
        let dtype = Dtype::written(name);
        if dtype.is_none() {
            let error =
                Error::new(Kind::Key, &self.place(value.span()), format!("no dtype is called `{name}`"));
            self.errors.push(error.help(near_dtype(name)));
        }
        dtype
    }

    /// A size, which is a part of a text.
    pub(in crate::remap) fn expression(&mut self, written: &Written, at: Range<usize>) -> Option<Expression> {
        let parsed = Expression::parse(&written.text[at.clone()], self.vars);
        let mut fault = match parsed {
            Ok(expression) => return Some(expression.shifted(at.start)),
            Err(fault) => fault,
        };
        fault.at = at.start + fault.at.start..at.start + fault.at.end;
        self.errors.push(Error::new(Kind::Key, &written.part(fault.at), fault.what).helps(fault.help));
        None
    }

    /// A path that is relative to the map file. Absolute, for the process that looks there may have left its directory.
    pub(in crate::remap) fn beside(&self, name: &str) -> path::PathBuf {
        let map = Path::new(&self.source.name);
        let path = map.parent().unwrap_or(Path::new("")).join(name);
        path::absolute(&path).unwrap_or(path)
    }

    /// The value without its places, and with files that are found from anywhere.
    pub(in crate::remap) fn plain(&self, value: &Value<'_>) -> toml::Value {
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
                let row = |(key, value): (&super::Key<'_>, &Value<'_>)| {
                    (key.get_ref().to_string(), self.plain_of(key.get_ref(), value))
                };
                toml::Table::from_iter(table.iter().map(row)).into()
            }
        }
    }

    /// The same of what a key is set to.
    pub(in crate::remap) fn plain_of(&self, key: &str, value: &Value<'_>) -> toml::Value {
        match value.get_ref().as_str() {
            Some(name) if FILES.contains(&key) => self.beside(name).to_string_lossy().into_owned().into(),
            _ => self.plain(value),
        }
    }
}

/// The dtype that was meant, or how they are called.
pub(in crate::remap) fn near_dtype(name: &str) -> String {
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
