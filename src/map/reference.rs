//! The reference of the map language: one text for `ckptfs maps --help`, for ckptfs-map(5) and for the repository.

/// The text of `docs/maps.md`.
pub(crate) const REFERENCE: &str = include_str!("../../docs/maps.md");

#[cfg(test)]
mod tests {
    use crate::map::Map;
    use crate::map::ops::OPS;
    use crate::map::options::{COLLISION, UNMATCHED, UNUSED};
    use crate::map::reference::REFERENCE;
    use crate::map::rule::{COMMON_KEYS, MATCH_ON, VERBS};
    use crate::map::test_util::file;
    use crate::map::toml::file::{OPTION_KEYS, TOP_KEYS};

    /// Returns the TOML code blocks.
    fn examples() -> Vec<&'static str> {
        let blocks = REFERENCE.split("```toml\n").skip(1);
        blocks.map(|block| block.split("```").next().unwrap()).collect()
    }

    #[test]
    fn every_example_parses() {
        assert!(examples().len() >= 3);
        for example in examples() {
            let map =
                Map::parse(&[], &[file(example)]).unwrap_or_else(|errors| panic!("{errors}\n{example}"));
            assert!(!map.is_empty(), "{example}");
        }
    }

    #[test]
    fn every_word_that_the_code_knows_is_explained() {
        let verbs = VERBS
            .iter()
            .flat_map(|row| [row.name].into_iter().chain(row.keys.iter().copied().flatten().copied()));
        let ops = OPS.iter().flat_map(|row| [row.name].into_iter().chain(row.keys.iter().copied()));
        let options = UNMATCHED
            .iter()
            .map(|row| row.0)
            .chain(UNUSED.iter().map(|row| row.0))
            .chain(COLLISION.iter().map(|row| row.0));
        let keys = TOP_KEYS.iter().chain(OPTION_KEYS).chain(COMMON_KEYS).copied();
        let words = verbs.chain(ops).chain(options).chain(keys).chain(MATCH_ON.iter().map(|row| row.0));
        let spans: Vec<_> = REFERENCE.split('`').skip(1).step_by(2).collect();
        for word in words {
            let is_word =
                |span: &&str| span.split(|c: char| !c.is_alphanumeric() && c != '_').any(|part| part == word);
            assert!(spans.iter().any(is_word), "docs/maps.md does not name `{word}`");
        }
    }

    #[test]
    fn the_verbs_and_ops_of_the_tables_are_those_of_the_code() {
        for row in VERBS {
            assert!(REFERENCE.contains(&format!("\n| `{} = ", row.name)), "{}", row.name);
        }
        for row in OPS {
            assert!(REFERENCE.contains(&format!("\n| `{} = ", row.name)), "{}", row.name);
        }
    }
}
