//! Directories that change under a mount, and a mount over its own source: the caches of the kernel must not become
//! stale.

use std::fs;
use std::io::{Read, Seek};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::support::bundle::Bundle;
use crate::support::mount::{mount, mount_on};
use crate::support::{eventually, list};

fn save(prefix: &Path, value: f32) {
    Bundle::new().floats("w", &[value]).write(prefix);
}

#[test]
fn the_kernel_lists_new_checkpoints_and_forgets_deleted_ones() {
    let dir = tempfile::tempdir().unwrap();
    save(&dir.path().join("ckpt-1"), 1.0);
    let Some(m) = mount(dir.path(), &[]) else { return };
    assert!(!list(m.path()).contains(&"ckpt-2".into()));
    save(&dir.path().join("ckpt-2"), 2.0);
    eventually("it is listed", || list(m.path()).contains(&"ckpt-2".into()));
    eventually("it is the newest", || fs::read_link(m.join("latest")).unwrap() == Path::new("ckpt-2"));
    assert_eq!(m.read("latest/raw/w"), 2f32.to_le_bytes());
    let mut open = fs::File::open(m.join("ckpt-1.data-00000-of-00001")).unwrap();
    for name in ["ckpt-1.index", "ckpt-1.data-00000-of-00001"] {
        fs::remove_file(dir.path().join(name)).unwrap();
    }
    eventually("it is gone", || !list(m.path()).iter().any(|name| name.starts_with("ckpt-1")));
    eventually("nor is it found", || fs::read(m.join("ckpt-1/raw/w")).is_err());
    let mut bytes = vec![];
    open.rewind().unwrap();
    open.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, 1f32.to_le_bytes());
}

#[test]
fn the_kernel_reads_the_new_values_of_an_overwritten_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    save(&dir.path().join("ckpt-1"), 1.0);
    let Some(m) = mount(dir.path(), &[]) else { return };
    let (index, raw) = (fs::metadata(m.join("ckpt-1.index")).unwrap().ino(), m.read("ckpt-1/raw/w"));
    assert_eq!(raw, 1f32.to_le_bytes());
    for (file, bytes) in
        [("index", Bundle::new().floats("w", &[2.0, 3.0]).index()), ("data-00000-of-00001", vec![9; 8])]
    {
        fs::write(dir.path().join("new"), bytes).unwrap();
        fs::rename(dir.path().join("new"), dir.path().join(format!("ckpt-1.{file}"))).unwrap();
    }
    eventually("the new one is seen", || fs::read(m.join("ckpt-1/raw/w")).is_ok_and(|bytes| bytes == [9; 8]));
    let inode = || fs::metadata(m.join("ckpt-1.index")).map(|meta| meta.ino()).unwrap_or(index);
    eventually("its index is another file", || inode() != index);
    assert_eq!(m.text("ckpt-1/vars/w/shape"), "2\n");
}

#[test]
fn a_mount_over_its_source_shows_the_map_and_does_not_change_the_source() {
    let dir = tempfile::tempdir().unwrap();
    let source = fs::canonicalize(dir.path()).unwrap();
    save(&source.join("ckpt-1"), 1.0);
    save(&source.join("ckpt-2"), 2.0);
    fs::write(source.join("vocab.txt"), "a\n").unwrap();
    let before = list(&source);
    let Some(m) = mount_on(&source, &source, &["-o", "nonempty", "--rename", "w=v"]) else { return };
    assert_eq!(m.read("ckpt-1/raw/v"), 1f32.to_le_bytes());
    assert_eq!(m.read("ckpt-2/raw/v"), 2f32.to_le_bytes());
    assert_eq!(m.text("vocab.txt"), "a\n");
    assert!(list(&source).contains(&"latest".into()));
    drop(m);
    assert_eq!(list(&source), before);
}
