//! The parts of a name: its words, its numbers, and its template, in which a `#` stands for each number.
//!
//! ```text
//! encoder/layer_10/selfAttention/kernel
//! words     encoder, layer, self, attention       the leaf `kernel` is a role, not a word
//! numbers   10
//! template  encoder/layer_#/selfAttention/kernel
//! ```
//!
//! The number of dimensions in `conv2d` is a part of the word.

use crate::suggest::leaf_role::{LeafRole, without_leaf};
use crate::suggest::synonyms::plain_words;

/// The sign for a number in a template.
pub(crate) const NUMBER: char = '#';

/// The parts of a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) template: String,
    pub(crate) numbers: Vec<u64>,
}

impl Parts {
    /// Splits a name into its template and its numbers.
    pub(crate) fn of(name: &str) -> Self {
        let (mut parts, mut rest) = (Self::default(), name);
        while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
            let (before, from) = rest.split_at(start);
            let end = from.find(|c: char| !c.is_ascii_digit()).unwrap_or(from.len());
            let (digits, after) = from.split_at(end);
            parts.push(before);
            match digits.parse() {
                Ok(number) if !is_dimension(before, digits, after) => {
                    parts.template.push(NUMBER);
                    parts.numbers.push(number);
                }
                _ => parts.template.push_str(digits),
            }
            rest = after;
        }
        parts.push(rest);
        parts
    }

    /// Adds a text. It keeps no `#`, which stands for a number.
    fn push(&mut self, text: &str) {
        let plain = text.chars().map(|c| if c == NUMBER { char::REPLACEMENT_CHARACTER } else { c });
        self.template.extend(plain);
    }
}

/// Returns true for the digit in `conv2d`.
fn is_dimension(before: &str, digits: &str, after: &str) -> bool {
    let ends = |text: &str| !text.starts_with(|c: char| c.is_ascii_alphanumeric());
    let follows = before.ends_with(|c: char| c.is_ascii_alphabetic());
    follows && ["1", "2", "3"].contains(&digits) && after.strip_prefix(['d', 'D']).is_some_and(ends)
}

/// The words of a template, and the role of its last component.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Meaning {
    /// The words with the number of their occurrences, sorted.
    pub(crate) words: Vec<(String, u32)>,
    pub(crate) role: Option<LeafRole>,
}

impl Meaning {
    /// Reads the words of a template.
    pub(crate) fn of(template: &str) -> Self {
        let mut words = split(template);
        let role = without_leaf(template, &mut words);
        let mut plain: Vec<String> = words.iter().flat_map(|word| plain_words(word)).collect();
        plain.sort();
        let mut counted: Vec<(String, u32)> = Vec::new();
        for word in plain {
            match counted.last_mut().filter(|(last, _)| *last == word) {
                Some((_, count)) => *count += 1,
                None => counted.push((word, 1)),
            }
        }
        Self { words: counted, role }
    }
}

/// Splits a text at everything but letters, and where a capital letter follows a small one. The words are in lower case.
fn split(text: &str) -> Vec<String> {
    let (mut words, mut word, mut was_small) = (Vec::new(), String::new(), false);
    for c in text.chars() {
        let is_inside = c.is_alphanumeric();
        if !is_inside || was_small && c.is_uppercase() {
            words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty()));
        }
        if is_inside {
            word.extend(c.to_lowercase());
        }
        was_small = c.is_lowercase();
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_apart_from_the_template() {
        for (name, template, numbers) in [
            ("bert/layer_10/kernel", "bert/layer_#/kernel", &[10][..]),
            ("layers/conv2d_6/vars/0", "layers/conv2d_#/vars/#", &[6, 0]),
            ("h0.ln_1.g", "h#.ln_#.g", &[0, 1]),
            ("block2d3", "block#d#", &[2, 3]),
            ("x99999999999999999999", "x99999999999999999999", &[]),
        ] {
            assert_eq!(
                Parts::of(name),
                Parts { template: template.into(), numbers: numbers.into() },
                "{name}"
            );
        }
    }

    #[test]
    fn a_template_has_words_and_a_role() {
        let words = |template: &str| {
            Meaning::of(template)
                .words
                .into_iter()
                .map(|(word, count)| format!("{word}{count}"))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            words("bert/layer_#/attention/selfAttn/kernel"),
            ["attention2", "bert1", "layer1", "self1"]
        );
        assert_eq!(words("x.ln_f.weight"), words("x/LayerNorm/f/gamma"));
        assert_eq!(Meaning::of("a/kernel").role, Meaning::of("b.weight").role);
        assert_ne!(Meaning::of("a/kernel").role, Meaning::of("a/bias").role);
    }
}
