//! The maps that are built into ckptfs, `--map @NAME`: the files of `maps/`. Each file opens with comments that name
//! its source and target layouts, what it expects and how it was checked.

use crate::map::suggest::did_you_mean;
use crate::map::toml::file::MapText;

/// The first character of a bundled map's name. It distinguishes the name from a file's.
pub(crate) const SIGN: char = '@';

/// A bundled map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BuiltinMap {
    /// The name, without the `@`.
    pub(crate) name: &'static str,
    /// The map file.
    pub(crate) text: &'static str,
}

macro_rules! bundled {
    ($($name:literal),* $(,)?) => {
        &[$(BuiltinMap { name: $name, text: include_str!(concat!("../../maps/", $name, ".toml")) }),*]
    };
}

/// All bundled maps, sorted by name.
pub(crate) const BUILTIN_MAPS: &[BuiltinMap] = bundled![
    "averages",
    "bert-to-huggingface",
    "bert-to-modelgarden",
    "ddp",
    "gpt2-to-huggingface",
    "keras2-h5-to-keras3-h5",
    "keras2-to-keras3",
    "slim-resnet-to-keras",
    "slim-resnet50-to-keras3-h5",
];

/// The error for a name that no bundled map has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown map {SIGN}{name}\n  help: {help}")]
pub(crate) struct UnknownMap {
    name: String,
    help: String,
}

impl BuiltinMap {
    /// Returns the map with that name. A leading `@` is allowed.
    ///
    /// # Errors The name is unknown. The error suggests the nearest name and lists all names.
    pub(crate) fn by_name(name: &str) -> Result<Self, UnknownMap> {
        let name = name.strip_prefix(SIGN).unwrap_or(name);
        let found = BUILTIN_MAPS.iter().find(|map| map.name == name);
        found.copied().ok_or_else(|| UnknownMap { name: name.into(), help: help(name) })
    }

    /// Returns the first line of the map, which names its source and target layouts.
    pub(crate) fn summary(self) -> &'static str {
        self.text.lines().next().unwrap_or_default().trim_start_matches(['#', ' '])
    }
}

/// The conversion names the text as the user types it, with the `@`, so that messages show that name.
impl From<BuiltinMap> for MapText {
    fn from(map: BuiltinMap) -> Self {
        Self { name: format!("{SIGN}{}", map.name), text: map.text.into() }
    }
}

fn help(name: &str) -> String {
    let names = BUILTIN_MAPS.iter().map(|map| map.name);
    let near = did_you_mean(name, names.clone()).map(|near| near + " ").unwrap_or_default();
    format!("{near}there are {}", names.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::map::Map;

    /// The text that a user has to add to some bundled maps before they parse.
    const BESIDE: &str = "[tables]\nlayer = { 0 = 'dense' }";

    #[test]
    fn every_file_of_the_directory_is_bundled_under_its_name() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("maps");
        let files =
            fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut files: Vec<_> = files.collect();
        files.sort();
        assert_eq!(files, BUILTIN_MAPS.iter().map(|map| format!("{}.toml", map.name)).collect::<Vec<_>>());
    }

    #[test]
    fn every_map_is_valid_and_its_rewritten_text_is_valid() {
        for map in BUILTIN_MAPS {
            let beside = MapText { name: "own.toml".into(), text: BESIDE.into() };
            let parsed =
                Map::parse(&[], &[(*map).into(), beside]).unwrap_or_else(|errors| panic!("{errors}"));
            assert!(!parsed.is_empty());
            let written = MapText { name: "written.toml".into(), text: parsed.to_toml() };
            assert!(Map::parse(&[], &[written]).is_ok(), "{}", map.name);
        }
    }

    #[test]
    fn every_map_has_a_summary_and_says_what_it_expects_and_how_it_was_checked() {
        for map in BUILTIN_MAPS {
            let comment: Vec<_> = map.text.lines().take_while(|line| line.starts_with('#')).collect();
            let said = comment.join("\n");
            assert!(["Expects", "Checked"].iter().all(|word| said.contains(word)), "{}", map.name);
            assert!(!map.summary().is_empty() && map.summary().len() <= 100, "{}", map.summary());
        }
    }

    #[test]
    fn a_map_is_found_by_its_name_with_and_without_the_sign() {
        assert_eq!(BuiltinMap::by_name("@ddp"), BuiltinMap::by_name("ddp"));
        assert_eq!(MapText::from(BuiltinMap::by_name("ddp").unwrap()).name, "@ddp");
        let unknown = BuiltinMap::by_name("@dpd").unwrap_err().to_string();
        assert!(unknown.contains("unknown map @dpd") && unknown.contains("did you mean `ddp`?"), "{unknown}");
        assert!(BUILTIN_MAPS.iter().all(|map| unknown.contains(map.name)), "{unknown}");
    }
}
