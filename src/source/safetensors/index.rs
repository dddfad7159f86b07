//! The file `model.safetensors.index.json`, in the same directory as the files that it names.
//!
//! The index is checked against the headers of the files: each tensor that it names must be in the file that it
//! names. Other tensors of the files are skipped.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::path::{Component, Path};
use std::sync::Arc;

use crate::directory::Directory;
use crate::format::safetensors::index;
use crate::name::{Name, listed};
use crate::source::checkpoint::Checkpoint;
use crate::source::error::Error;
use crate::source::file_format::{SourceFormat, without_suffix};
use crate::source::prefix::Prefix;
use crate::source::safetensors::{File, OWN, SHOWN, checkpoint, named, stamp, unreadable};
use crate::source_file;
use crate::source_file::SourceFile;
use crate::tensor::Tensor;

/// The format of an index with its files.
pub(in crate::source) const SOURCE: SourceFormat = SourceFormat {
    stem: |name| without_suffix(name, ".safetensors.index.json"),
    is_head: |ends| {
        let text = ends.head.trim_ascii_start();
        text.starts_with(b"{") && [&b"\"weight_map\""[..], b"\"metadata\""].iter().any(|key| holds(text, key))
    },
    suffix: Some(OWN),
    open,
};

fn holds(text: &[u8], key: &[u8]) -> bool {
    text.windows(key.len()).any(|window| window == key)
}

/// The maximum length of an index. Ten million tensors would need it.
const MAX_INDEX: u64 = 1 << 30;

fn open(prefix: &Prefix, directory: &Arc<Directory>) -> Result<Checkpoint, Error> {
    let index = SourceFile::open_in(directory, &prefix.head);
    let stamp = stamp(&index)?;
    let map = read(&index, stamp.len)?;
    source_file::make_room(map.len() as u64);
    let (mut files, mut faults, mut lost, mut warnings) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (name, tensors) in map {
        match file(directory, &name, &tensors) {
            Ok((file, unlisted)) => {
                warnings.extend(unlisted);
                files.push(file);
            }
            Err(what) => {
                lost.extend(tensors.iter().map(|tensor| named(tensor, Tensor::undescribed(&what))));
                faults.push(what);
            }
        }
    }
    match files.is_empty() && !faults.is_empty() {
        true => Err(Error::Disagree(index.path().into(), faults)),
        false => checkpoint(prefix, stamp, files, lost, warnings),
    }
}

/// Returns the names of the tensors by the names of their files.
fn read(index: &SourceFile, len: u64) -> Result<BTreeMap<String, Vec<String>>, Error> {
    if len > MAX_INDEX {
        let what = format!("{len} bytes, far more than the index of any model has");
        return Err(Error::Unsupported(index.path().into(), what));
    }
    let mut text = vec![0; len as usize];
    index.read_exact_at(&mut text, 0).map_err(|error| unreadable(index.path(), &error))?;
    let pairs = index::decode(&text).map_err(|fault| Error::Malformed(index.path().into(), fault))?;
    let mut map = BTreeMap::<_, Vec<_>>::new();
    pairs.into_iter().for_each(|(tensor, file)| map.entry(file).or_default().push(tensor));
    Ok(map)
}

/// Returns a file with the tensors that the index lists in it, and a warning if it has others.
fn file(
    directory: &Arc<Directory>,
    name: &str,
    tensors: &[String],
) -> Result<(File, Option<String>), String> {
    let shown = Name::from(name);
    let needs = || format!("{} tensors are said to be in it", tensors.len());
    if !is_beside(name) {
        return Err(format!("{shown}: not a file of the index's own folder; {}", needs()));
    }
    let shard = Arc::new(SourceFile::open_in(directory, OsStr::new(name)));
    if let Some(fault) = shard.fault() {
        return Err(format!("{shown}: {fault}; {}", needs()));
    }
    let mut file = File::read(shard).map_err(|error| error.to_string())?;
    let wanted: HashSet<_> = tensors.iter().map(String::as_str).collect();
    let found: HashSet<_> = file.header.tensors.iter().map(|entry| entry.name.as_str()).collect();
    let missing: Vec<_> =
        tensors.iter().filter(|name| !found.contains(name.as_str())).map(printable).collect();
    if !missing.is_empty() {
        return Err(format!(
            "{shown}: it lacks {} tensors that the index has in it: {}",
            missing.len(),
            listed(&missing, SHOWN)
        ));
    }
    let entries = file.header.tensors.iter().map(|entry| &entry.name);
    let unlisted: Vec<_> = entries.filter(|name| !wanted.contains(name.as_str())).map(printable).collect();
    file.header.tensors.retain(|entry| wanted.contains(entry.name.as_str()));
    let (path, count) = (file.shard.path().display(), unlisted.len());
    let warning = (count > 0).then(|| {
        format!(
            "{path}: {count} left out, which the index does not have in this file: {}",
            listed(&unlisted, SHOWN)
        )
    });
    Ok((file, warning))
}

/// Returns true if a name is that of a file in the same directory.
fn is_beside(name: &str) -> bool {
    let mut components = Path::new(name).components();
    matches!(components.next(), Some(Component::Normal(only)) if only == name) && components.next().is_none()
}

fn printable(name: impl AsRef<str>) -> String {
    Name::from(name.as_ref()).to_string()
}
