//! The command for what no few flags can do: a map that a suggestion writes. The map was tried on HAVE in memory.

use std::path::{Path, absolute};

use crate::cli::commands::diff::trial::Sides;
use crate::cli::flags::listing::Listing;
use crate::directory::Directory;
use crate::name::{is_printable, python};
use crate::source;
use crate::suggest::{Confidence, Item, Pair, items, map, suggest, toml};

/// The commands that write a map and use it.
pub(crate) struct ByMap {
    /// The line, quoted for a shell.
    pub(crate) line: String,
    /// The line of the program that loads the weights, if they come out as a file of weights.
    pub(crate) python: Option<String>,
    /// The number of wanted variables that get a value of HAVE, and of all.
    pub(crate) restored: (usize, usize),
}

/// The ending of a file of weights of Keras 3.
const WEIGHTS: &str = ".weights.h5";

/// Returns the commands if a map gives HAVE all names that WANT has, and more than `least` of them.
pub(crate) fn by_map(sides: &Sides<'_>, have: &Listing, want: &Listing, least: usize) -> Option<ByMap> {
    let is_done = least == want.catalog.variables.len();
    if is_done || !sides.map.typed().is_empty() || !have.has_values {
        return None;
    }
    let is_file = want.name.ends_with(WEIGHTS);
    let (old, new) = (items(&have.catalog), items(&want.catalog));
    let mut found = suggest(&old, &new);
    let names = toml::Sides { have: &have.name, want: &want.name };
    let map = map::map(&have.catalog, &old, &new, names, &mut found);
    let is_sure = |pair: &Pair| pair.confidence == Confidence::Sure;
    // A program that loads weights does not ask for the state of an optimizer.
    let is_enough = |(item, pair): (&Item, &Pair)| is_sure(pair) || (is_file && item.state.is_some());
    let sure = found.pairs.iter().filter(|pair| is_sure(pair)).count();
    if !map.is_of_use || sure <= least || !new.iter().zip(&found.pairs).all(is_enough) {
        return None;
    }
    let (old, new) = (source::word(sides.have), source::word(sides.want));
    // A mount shows a legacy file in its own layout, if nothing else is asked for.
    let is_legacy = is_file && sides.have.extension().is_some_and(|end| end == "h5");
    let layout = if is_legacy && cfg!(feature = "fuse") { " --h5-layout keras3" } else { "" };
    let line = format!("ckptfs suggest {old} {new} -o fix.toml && {} --map fix.toml{layout}", command(&old));
    let python = (is_file && cfg!(feature = "fuse")).then(|| load_weights(sides.have)).flatten();
    is_printable(&line).then_some(ByMap { line, python, restored: (sure, found.pairs.len()) })
}

fn command(have: &str) -> String {
    let is_mount = cfg!(feature = "fuse");
    if is_mount { format!("mkdir -p m && ckptfs mount {have} m") } else { format!("ckptfs check {have}") }
}

/// Returns the line that loads the weights from the file that the mount shows.
fn load_weights(have: &Path) -> Option<String> {
    let path = absolute(have).ok()?;
    let is_model = Directory::open(&path).is_ok_and(|directory| source::is_saved_model(&directory));
    let stem = match is_model {
        true => "remapped".into(),
        false => source::candidates(&path).ok()?.located.into_iter().next()?.prefix.stem,
    };
    let file = ["m/".as_bytes(), stem.as_encoded_bytes(), b"/model", WEIGHTS.as_bytes()].concat();
    Some(format!("model.load_weights({})", python(&file)))
}
