//! The kinds of files that users give instead of a checkpoint, recognized by their first and last bytes.

use std::ffi::OsStr;
use std::io::{self, Read, Seek, SeekFrom};

use crate::directory::Directory;
use crate::format::varint::Reader;
use crate::source::prefix::with_suffix;
use crate::source_file::SourceFile;

/// A kind of file that users have in the place of a checkpoint.
#[derive(Debug)]
pub(crate) struct Lookalike {
    /// The name of the kind, to follow "this is".
    pub(crate) what: &'static str,
    /// The advice for the user.
    pub(crate) advice: &'static str,
    matches: fn(&Probe) -> bool,
}

/// A file's length and its first and last bytes.
pub(crate) struct Probe {
    pub(crate) len: u64,
    pub(crate) head: Vec<u8>,
    pub(crate) tail: Vec<u8>,
}

const HEAD: u64 = 512;
const TAIL: i64 = 8;
/// The tag of field 1, of bytes.
const LIST_OF_TENSORS: u64 = 0x0a;
/// The magic number of a table, the last eight bytes of the file.
pub(crate) const TABLE: &[u8] = b"\x57\xfb\x80\x8b\x24\x75\x47\xdb";

/// The number of rows of [`LOOKALIKES`] that a failed copy or download leaves in the place of any file.
const STAND_INS: usize = 7;

#[rustfmt::skip]
const LOOKALIKES: &[Lookalike] = &[
    kind("an empty file", "the copy or download that made it did not finish; fetch it again", |e| e.len == 0),
    kind("a git-lfs pointer, not the file itself", "run `git lfs pull` in that repository", |e| e.head.starts_with(b"version https://git-lfs")),
    kind("a web page (HTML)", "the download saved a page instead of the file; fetch the raw file", |e| is_html(&e.head)),
    kind("the error message of a server (XML)", "the download saved a message instead of the file; fetch it again, logged in", |e| is_xml(&e.head)),
    kind("the error message of a server (JSON)", "the download saved a message instead of the file; fetch it again, logged in", |e| is_json(&e.head)),
    kind("a PyTorch checkpoint (zip)", "ckptfs reads TensorFlow's checkpoints; in Python, `torch.load` opens this one", |e| zip_holds(e, b"data.pkl")),
    kind("a zip archive", "unpack it first", |e| e.head.starts_with(b"PK\x03\x04")),
    kind("a Python pickle (an old PyTorch or NumPy file)", "ckptfs reads TensorFlow's checkpoints", |e| matches!(e.head.as_slice(), [0x80, 2..=5, b'}' | b'c' | b']' | b'(' | b'\x8a' | 0x95, ..])),
    kind("a NumPy array", "open it with `numpy.load`", |e| e.head.starts_with(b"\x93NUMPY")),
    kind("a compressed archive", "unpack it first", |e| [&b"\x1f\x8b"[..], b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd"].iter().any(|magic| e.head.starts_with(magic))),
    kind("a tar archive", "unpack it first", |e| e.head.get(257..262) == Some(b"ustar")),
    kind("a TensorFlow V1 checkpoint (SaverDef.V1)", "give its name without `.index`", |e| e.tail == TABLE),
    kind("the beginning of a TensorFlow V1 checkpoint (SaverDef.V1), cut short", "the copy or download that made it did not finish; fetch it again", |e| begins_as_v1(&e.head)),
    kind("a `checkpoint` state file, which only names checkpoints", "give its directory", |e| e.head.starts_with(b"model_checkpoint_path:")),
];

const fn kind(what: &'static str, advice: &'static str, matches: fn(&Probe) -> bool) -> Lookalike {
    Lookalike { what, advice, matches }
}

/// Returns the kind of a file that is not a checkpoint; `None` if the kind is unknown.
pub(crate) fn lookalike(probe: &Probe) -> Option<&'static Lookalike> {
    LOOKALIKES.iter().find(|kind| (kind.matches)(probe))
}

/// Returns what a failed copy or download left in the place of a data file. Data may begin like other kinds of files.
pub(crate) fn stand_in(probe: &Probe) -> Option<&'static Lookalike> {
    LOOKALIKES[..STAND_INS].iter().find(|kind| (kind.matches)(probe))
}

/// Returns true if a file can be read and ends with the magic number of a sorted table.
pub(crate) fn is_table(directory: &Directory, name: &OsStr) -> bool {
    Probe::read(directory, name).is_ok_and(|probe| probe.is_some_and(|probe| probe.is_table()))
}

/// Returns true if the index of a stem ends with the magic number of a sorted table.
pub(crate) fn is_index(directory: &Directory, stem: &OsStr) -> bool {
    is_table(directory, &with_suffix(stem, ".index"))
}

impl Probe {
    /// Reads the probe of a file. Returns `None` if it is not a regular file.
    ///
    /// # Errors
    /// An error of opening or reading the file.
    pub(crate) fn read(directory: &Directory, name: &OsStr) -> io::Result<Option<Self>> {
        let mut file = directory.open_file(name)?;
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Ok(None);
        }
        let (mut head, mut tail) = (Vec::new(), Vec::new());
        file.by_ref().take(HEAD).read_to_end(&mut head)?;
        if meta.len() >= TAIL as u64 {
            file.seek(SeekFrom::End(-TAIL))?;
            file.take(TAIL as u64).read_to_end(&mut tail)?;
        }
        Ok(Some(Self { len: meta.len(), head, tail }))
    }

    /// Returns the probe of an open data file, without its last bytes. Returns `None` if it cannot be read.
    pub(crate) fn of_data(file: &SourceFile) -> Option<Self> {
        let len = file.size()?;
        let mut head = vec![0; len.min(HEAD) as usize];
        file.read_exact_at(&mut head, 0).ok()?;
        Some(Self { len, head, tail: Vec::new() })
    }

    /// Returns true if the file ends with the magic number of a sorted table.
    pub(crate) fn is_table(&self) -> bool {
        self.tail == TABLE
    }
}

fn is_html(head: &[u8]) -> bool {
    let text = head.trim_ascii_start().to_ascii_lowercase();
    text.starts_with(b"<!doctype html") || text.starts_with(b"<html")
}

/// Returns true for the XML that object stores answer with: `<?xml …?><Error><Code>AccessDenied`.
fn is_xml(head: &[u8]) -> bool {
    let text = head.trim_ascii_start();
    text.starts_with(b"<?xml") || text.starts_with(b"<Error>")
}

/// Returns true for the JSON that servers answer with: `{"error":…`, `{"message":…`.
fn is_json(head: &[u8]) -> bool {
    let Some(text) = head.trim_ascii_start().strip_prefix(b"{") else { return false };
    [&b"\"error"[..], b"\"message\"", b"\"detail\"", b"\"code\"", b"\"status\""]
        .iter()
        .any(|key| text.trim_ascii_start().starts_with(key))
}

/// Returns true if the path of the first member of a zip archive ends with `name`.
pub(crate) fn zip_holds(ends: &Probe, name: &[u8]) -> bool {
    let Some(len) = ends.head.get(26..28) else { return false };
    let len = usize::from(u16::from_le_bytes([len[0], len[1]]));
    ends.head.starts_with(b"PK\x03\x04")
        && ends.head.get(30..30 + len).is_some_and(|member| member.ends_with(name))
}

/// Returns true if the head begins with the first entry of a V1 table: the empty key, and a list of tensors that is
/// as long as the entry.
fn begins_as_v1(head: &[u8]) -> bool {
    let value_len = |reader: &mut Reader| {
        let [shared, non_shared, len] = [reader.varint().ok()?, reader.varint().ok()?, reader.varint().ok()?];
        (shared == 0 && non_shared == 0).then_some(len)
    };
    let mut reader = Reader::new(head);
    let Some(len) = value_len(&mut reader) else { return false };
    let start = reader.at() as u64;
    let list = reader.varint().ok().filter(|tag| *tag == LIST_OF_TENSORS).and_then(|_| reader.varint().ok());
    list.is_some_and(|list| (reader.at() as u64 - start).checked_add(list) == Some(len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_in_the_place_of_a_checkpoint_are_recognized_by_their_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let zip = |name: &[u8]| [&b"PK\x03\x04"[..], &[0; 22], &[name.len() as u8, 0, 0, 0], name].concat();
        for (bytes, what) in [
            (&b""[..], Some("an empty file")),
            (
                b"version https://git-lfs.github.com/spec/v1\noid",
                Some("a git-lfs pointer, not the file itself"),
            ),
            (b"\n<!DOCTYPE html><html>", Some("a web page (HTML)")),
            (
                b"<?xml version='1.0'?><Error><Code>AccessDenied</Code>",
                Some("the error message of a server (XML)"),
            ),
            (b"{\"error\": \"Invalid credentials\"}", Some("the error message of a server (JSON)")),
            (&zip(b"archive/data.pkl"), Some("a PyTorch checkpoint (zip)")),
            (&zip(b"x.txt"), Some("a zip archive")),
            (b"\x80\x02}q\x00", Some("a Python pickle (an old PyTorch or NumPy file)")),
            (b"0123456789\x57\xfb\x80\x8b\x24\x75\x47\xdb", Some("a TensorFlow V1 checkpoint (SaverDef.V1)")),
            (
                b"\0\0\x1c\x0a\x1a\x0a\x09\x0a\x01a\x12\0",
                Some("the beginning of a TensorFlow V1 checkpoint (SaverDef.V1), cut short"),
            ),
            (b"\0\0\x06\x08\x01\x1a\x02\x08\x01", None),
            (b"plain weights", None),
        ] {
            std::fs::write(dir.path().join("file"), bytes).unwrap();
            let directory = Directory::open(dir.path()).unwrap();
            let probe = Probe::read(&directory, OsStr::new("file")).unwrap().unwrap();
            assert_eq!(lookalike(&probe).map(|kind| kind.what), what);
        }
    }
}
