//! The likeness of two templates by their words: the cosine, in which a rare word counts more, and a word of one side
//! only counts half.

use std::collections::HashMap;

use crate::suggest::side::Side;

/// The words of both sides.
pub(crate) struct Vocabulary {
    have: Vec<Vector>,
    want: Vec<Vector>,
}

/// The words of a template, by number, with their weights.
#[derive(Clone, Debug, Default)]
struct Vector {
    words: Vec<Word>,
    norm: f64,
}

#[derive(Clone, Copy, Debug)]
struct Word {
    id: usize,
    count: u32,
    weight: f64,
    /// True if the other side has the word too.
    is_shared: bool,
}

/// The number of variables that have a word.
#[derive(Clone, Copy, Debug, Default)]
struct Frequency {
    id: usize,
    have: usize,
    want: usize,
}

/// The least weight of a word.
const LEAST: f64 = 0.05;

impl Vocabulary {
    pub(crate) fn new(have: &Side, want: &Side) -> Self {
        let mut known: HashMap<&str, Frequency> = HashMap::new();
        for (side, is_have) in [(have, true), (want, false)] {
            for template in &side.templates {
                for (word, _) in &template.meaning.words {
                    let id = known.len();
                    let entry = known.entry(word).or_insert(Frequency { id, ..Frequency::default() });
                    *(if is_have { &mut entry.have } else { &mut entry.want }) += template.members.len();
                }
            }
        }
        let all = have.variables.len() + want.variables.len();
        let vectors =
            |side: &Side| side.templates.iter().map(|t| Vector::new(&t.meaning.words, &known, all)).collect();
        Self { have: vectors(have), want: vectors(want) }
    }

    /// Returns the likeness of two templates, from 0 to 1.
    pub(crate) fn likeness(&self, have: usize, want: usize) -> f64 {
        let (a, b) = (&self.have[have], &self.want[want]);
        let common = pairs(a, b).map(|(a, b)| a.weight * a.weight * f64::from(a.count.min(b.count)));
        match a.norm * b.norm {
            0.0 => 0.0,
            norms => common.sum::<f64>() / norms,
        }
    }

    /// Returns true if each of the two has a word that the other side knows and that the other name lacks.
    pub(crate) fn contradicts(&self, have: usize, want: usize) -> bool {
        let (a, b) = (&self.have[have], &self.want[want]);
        let lacks = |a: &Vector, b: &Vector| {
            a.words.iter().any(|word| word.is_shared && b.words.iter().all(|other| other.id != word.id))
        };
        lacks(a, b) && lacks(b, a)
    }
}

impl Vector {
    fn new(words: &[(String, u32)], known: &HashMap<&str, Frequency>, all: usize) -> Self {
        let mut words: Vec<Word> = words
            .iter()
            .filter_map(|(word, count)| {
                let Frequency { id, have, want } = *known.get(word.as_str())?;
                let is_shared = have > 0 && want > 0;
                let rarity = ((all + 2) as f64 / (1 + have + want) as f64).ln().max(LEAST);
                Some(Word {
                    id,
                    count: *count,
                    weight: rarity * if is_shared { 1.0 } else { 0.5 },
                    is_shared,
                })
            })
            .collect();
        words.sort_by_key(|word| word.id);
        let squares = words.iter().map(|word| word.weight * word.weight * f64::from(word.count));
        let norm = squares.sum::<f64>().sqrt();
        Self { words, norm }
    }
}

/// Iterates over the words that both have.
fn pairs<'v>(a: &'v Vector, b: &'v Vector) -> impl Iterator<Item = (Word, Word)> + 'v {
    a.words.iter().filter_map(|word| {
        let at = b.words.binary_search_by_key(&word.id, |other| other.id).ok()?;
        Some((*word, b.words[at]))
    })
}
