//! The part of a checkpoint's directory that a mount shows.
//!
//! A mount shows each variable in every form, so `du`, `tar` and `grep -r` count its bytes several times. A selection
//! limits that. It is a set of names in the checkpoint's directory. The checkpoint itself (`ckpt-9.index` and its
//! data files) is always shown.

use crate::tree::checkpoint::link_trees;
use crate::view::{CHECKPOINT_VIEWS, FORMATS};

/// The names of a checkpoint's directory that are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Show(Vec<&'static str>);

/// The directory of variables with their per-variable files.
pub(crate) const VARS: &str = "vars";

const ALL: &str = "all";
const NONE: &str = "none";

impl Default for Show {
    /// Shows everything.
    fn default() -> Self {
        Self(names().collect())
    }
}

impl Show {
    /// Parses words separated by commas or colons. A word is a name (`npy`, `stats.tsv`), a file extension (`tsv`,
    /// `h5`), `all` or `none`. `graph` and `names` contain links into `vars`, so they select it too.
    ///
    /// # Errors
    /// A message with the unknown words and the list of known words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let words: Vec<_> = text.split([',', ':']).map(str::trim).collect();
        let unknown: Vec<_> = words.iter().filter(|word| parse_word(word).is_none()).collect();
        if let [first, rest @ ..] = unknown.as_slice() {
            let unknown = rest.iter().fold(format!("`{first}`"), |all, word| format!("{all}, `{word}`"));
            return Err(format!("unknown {unknown}; it is one or more of {}", Self::words().join(", ")));
        }
        let mut shown: Vec<_> = words.iter().filter_map(|word| parse_word(word)).flatten().collect();
        if link_trees::NAMES.iter().any(|name| shown.contains(name)) {
            shown.push(VARS);
        }
        Ok(Self(names().filter(|name| shown.contains(name)).collect()))
    }

    /// Returns the known words in the order of a listing: names, or their extension if they have one.
    pub(crate) fn words() -> Vec<&'static str> {
        let mut words: Vec<_> = names().map(|name| ending(name).unwrap_or(name)).collect();
        words.sort_unstable();
        words.dedup();
        [words, vec![ALL, NONE]].concat()
    }

    /// Returns the first directory that is shown.
    pub(crate) fn first_directory(&self) -> Option<&'static str> {
        self.0.iter().copied().find(|name| ending(name).is_none())
    }

    /// Returns true if a name of the directory is shown.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains(&name)
    }
}

/// Returns all names that can be hidden.
fn names() -> impl Iterator<Item = &'static str> {
    let formats = FORMATS.iter().map(|format| format.name);
    let wholes = CHECKPOINT_VIEWS.iter().map(|whole| whole.name);
    std::iter::once(VARS).chain(formats).chain(link_trees::NAMES).chain(wholes)
}

/// Returns the names that a word selects.
fn parse_word(word: &str) -> Option<Vec<&'static str>> {
    let is_meant = |name: &&str| word == ALL || *name == word || ending(name) == Some(word);
    let meant: Vec<_> = names().filter(is_meant).collect();
    (word == NONE || !meant.is_empty()).then_some(meant)
}

/// Returns the extension of a file's name: `h5` of `model.weights.h5`. Directories have none.
fn ending(name: &str) -> Option<&str> {
    name.rsplit_once('.').map(|(_, ending)| ending)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<&'static str> {
        Show::parse(text).unwrap().0
    }

    #[test]
    fn a_word_is_a_name_or_an_extension() {
        assert_eq!(shown("raw,npy"), ["npy", "raw"]);
        assert_eq!(shown("npy:raw"), shown("raw,npy"));
        assert_eq!(shown("tsv"), ["remap.tsv", "stats.tsv", "variables.tsv"]);
        assert_eq!(shown("stats.tsv, safetensors"), ["model.safetensors", "stats.tsv"]);
        assert_eq!(shown("h5"), ["model.h5", "model.weights.h5"]);
        assert_eq!(Show::parse("npy,all"), Ok(Show::default()));
        assert!(shown("none").is_empty());
    }

    #[test]
    fn link_trees_include_their_targets() {
        assert_eq!(shown("graph"), ["vars", "graph"]);
        assert_eq!(shown("names,npy"), ["vars", "npy", "names"]);
    }

    #[test]
    fn every_word_is_known_and_every_name_has_a_word() {
        assert!(Show::words().iter().all(|word| Show::parse(word).is_ok()));
        assert_eq!(Show::parse(&Show::words()[..Show::words().len() - 2].join(",")), Ok(Show::default()));
    }

    #[test]
    fn unknown_words_are_listed_together_with_the_known_ones() {
        let said = Show::parse("numpy,raw,txt").unwrap_err();
        assert!(said.starts_with("unknown `numpy`, `txt`; "), "{said}");
        assert!(Show::words().iter().all(|word| said.contains(word)), "{said}");
        assert!(Show::parse("").is_err());
    }
}
