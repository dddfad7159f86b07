//! `[tables]`: lookups that targets may use. A table maps captured text to the text to write.

use std::collections::BTreeMap;

use crate::map::span::Span;
use crate::name::printable;

/// A lookup table. Its keys and values were strings or whole numbers.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) span: Span,
    pub(crate) entries: BTreeMap<String, String>,
}

impl Table {
    /// Returns the value for `key`, padded on the left with zeros to `width`.
    pub(crate) fn look_up(&self, key: &[u8], width: usize) -> Result<Vec<u8>, String> {
        let value = std::str::from_utf8(key).ok().and_then(|key| self.entries.get(key));
        let value =
            value.ok_or_else(|| format!("table `{}` has no entry for `{}`", self.name, printable(key)))?;
        Ok(if width > 0 { format!("{value:0>width$}") } else { value.clone() }.into_bytes())
    }

    #[cfg(test)]
    pub(crate) fn of(name: &str, entries: &[(&str, &str)]) -> Self {
        let source = crate::map::span::Source { name: "test".into(), text: String::new(), is_flag: false };
        let entries = entries.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        Self { name: name.into(), span: Span::new(&std::sync::Arc::new(source), 0..0), entries }
    }
}
