//! The tree of a mount: its paths, `stat`, escaped names and directory listings.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirEntryExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use ckptfs::dtype::Dtype;
use tempfile::TempDir;

use crate::support::bundle::{Bundle, f32s};
use crate::support::mount::{MountGuard, mount};
use crate::support::{copy, fixture, list};

fn source(bundle: &Bundle) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let prefix = dir.path().join("ckpt-9");
    bundle.write(&prefix);
    (dir, prefix)
}

fn dense() -> Bundle {
    Bundle::sharded(2)
        .tensor("dense/kernel", Dtype::Float32, &[2, 2], &f32s(&[1.0, 2.0, 3.0, 4.0]))
        .tensor_in(1, "dense/kernel/Adam", Dtype::Float32, &[1], &f32s(&[5.0]))
        .tensor("step", Dtype::Int64, &[], &9i64.to_le_bytes())
        .tensor("half", Dtype::Bfloat16, &[2], &[0x80, 0x3f, 0, 0x40])
}

/// Returns the metadata of everything in a mount, by path. Does not follow links.
fn walk(m: &MountGuard) -> BTreeMap<PathBuf, Metadata> {
    let (mut found, mut left) = (BTreeMap::new(), vec![PathBuf::new()]);
    while let Some(path) = left.pop() {
        let meta = fs::symlink_metadata(m.join(&path)).unwrap();
        if meta.is_dir() {
            left.extend(
                fs::read_dir(m.join(&path)).unwrap().map(|entry| path.join(entry.unwrap().file_name())),
            );
        }
        found.insert(path, meta);
    }
    found
}

#[test]
fn the_tree_has_exactly_the_expected_paths() {
    let (_dir, prefix) = source(&dense());
    let Some(m) = mount(&prefix, &[]) else { return };
    let tree: Vec<_> = walk(&m)
        .into_iter()
        .filter(|(_, meta)| !meta.is_dir())
        .map(|(path, meta)| {
            let link = meta.is_symlink().then(|| fs::read_link(m.join(&path)).unwrap());
            path.display().to_string() + &link.map_or(String::new(), |to| format!(" -> {}", to.display()))
        })
        .collect();
    let drawn = "\
.ckptfs/log
.ckptfs/map.toml
.ckptfs/status.json
checkpoint
ckpt-9/.data-00000-of-00002 -> ../ckpt-9.data-00000-of-00002
ckpt-9/.data-00001-of-00002 -> ../ckpt-9.data-00001-of-00002
ckpt-9/.index -> ../ckpt-9.index
ckpt-9/checkpoint
ckpt-9/model.safetensors
ckpt-9/model.weights.h5
ckpt-9/npy/dense/kernel/Adam.npy
ckpt-9/npy/dense/kernel.npy
ckpt-9/npy/half.npy
ckpt-9/npy/step.npy
ckpt-9/raw/dense/kernel
ckpt-9/raw/dense/kernel%/Adam
ckpt-9/raw/half
ckpt-9/raw/step
ckpt-9/remap.tsv
ckpt-9/stats.tsv
ckpt-9/text/dense/kernel/Adam.txt
ckpt-9/text/dense/kernel.txt
ckpt-9/text/half.txt
ckpt-9/text/step.txt
ckpt-9/variables.tsv
ckpt-9/vars/dense/kernel/Adam/array.npy -> ../../../../npy/dense/kernel/Adam.npy
ckpt-9/vars/dense/kernel/Adam/dtype
ckpt-9/vars/dense/kernel/Adam/info.json
ckpt-9/vars/dense/kernel/Adam/raw -> ../../../../raw/dense/kernel%/Adam
ckpt-9/vars/dense/kernel/Adam/shape
ckpt-9/vars/dense/kernel/Adam/stats
ckpt-9/vars/dense/kernel/Adam/values.txt -> ../../../../text/dense/kernel/Adam.txt
ckpt-9/vars/dense/kernel/array.npy -> ../../../npy/dense/kernel.npy
ckpt-9/vars/dense/kernel/dtype
ckpt-9/vars/dense/kernel/info.json
ckpt-9/vars/dense/kernel/raw -> ../../../raw/dense/kernel
ckpt-9/vars/dense/kernel/shape
ckpt-9/vars/dense/kernel/stats
ckpt-9/vars/dense/kernel/values.txt -> ../../../text/dense/kernel.txt
ckpt-9/vars/half/array.npy -> ../../npy/half.npy
ckpt-9/vars/half/dtype
ckpt-9/vars/half/info.json
ckpt-9/vars/half/raw -> ../../raw/half
ckpt-9/vars/half/shape
ckpt-9/vars/half/stats
ckpt-9/vars/half/values.txt -> ../../text/half.txt
ckpt-9/vars/step/array.npy -> ../../npy/step.npy
ckpt-9/vars/step/dtype
ckpt-9/vars/step/info.json
ckpt-9/vars/step/raw -> ../../raw/step
ckpt-9/vars/step/shape
ckpt-9/vars/step/stats
ckpt-9/vars/step/values.txt -> ../../text/step.txt
ckpt-9.data-00000-of-00002
ckpt-9.data-00001-of-00002
ckpt-9.index
latest -> ckpt-9
latest.data-00000-of-00002 -> ckpt-9.data-00000-of-00002
latest.data-00001-of-00002 -> ckpt-9.data-00001-of-00002
latest.index -> ckpt-9.index";
    assert_eq!(tree.join("\n"), drawn);
}

#[test]
fn files_have_the_expected_content_and_links_lead_to_them() {
    let (_dir, prefix) = source(&dense());
    let Some(m) = mount(&prefix, &[]) else { return };
    assert_eq!(
        m.text("checkpoint"),
        "model_checkpoint_path: \"ckpt-9\"\nall_model_checkpoint_paths: \"ckpt-9\"\n"
    );
    assert!(m.text("ckpt-9/checkpoint").starts_with("model_checkpoint_path: \"../ckpt-9\"\n"));
    for name in ["ckpt-9.index", "latest.index", "ckpt-9/.index"] {
        assert_eq!(m.read(name), fs::read(prefix.with_added_extension("index")).unwrap());
    }
    let data = fs::read(prefix.with_added_extension("data-00001-of-00002")).unwrap();
    assert_eq!(
        (m.read("latest.data-00001-of-00002"), m.read("ckpt-9/.data-00001-of-00002")),
        (data.clone(), data)
    );
    let kernel = "latest/vars/dense/kernel";
    assert_eq!(
        (m.text(format!("{kernel}/shape")), m.text(format!("{kernel}/dtype"))),
        ("2 2\n".into(), "float32\n".into())
    );
    assert_eq!(m.text("ckpt-9/vars/step/shape"), "\n");
    assert_eq!(m.read(format!("{kernel}/raw")), f32s(&[1.0, 2.0, 3.0, 4.0]));
    assert_eq!(m.read(format!("{kernel}/Adam/raw")), f32s(&[5.0]));
    assert!(m.read(format!("{kernel}/array.npy")).ends_with(&f32s(&[1.0, 2.0, 3.0, 4.0])));
    assert!(m.read("ckpt-9/npy/half.npy").ends_with(&f32s(&[1.0, 2.0])));
    assert_eq!(m.text("ckpt-9/vars/half/values.txt"), " 1.00000000e+00\n 2.00000000e+00\n");
    let info: serde_json::Value =
        serde_json::from_slice(&m.read(format!("{kernel}/Adam/info.json"))).unwrap();
    assert_eq!(
        (&info["name"], &info["shard"]),
        (&"dense/kernel/Adam".into(), &"ckpt-9.data-00001-of-00002".into())
    );
    assert!(walk(&m).keys().all(|path| m.join(path).exists()), "a link leads nowhere");
}

#[test]
fn stat_is_correct_for_every_path() {
    let dir = tempfile::tempdir().unwrap();
    copy(&fixture("tf1_bert_tiny"), dir.path());
    let then = SystemTime::UNIX_EPOCH + Duration::new(1_234_567_890, 123_456_789);
    File::options().write(true).open(dir.path().join("ckpt-9.index")).unwrap().set_modified(then).unwrap();
    let Some(m) = mount(dir.path(), &[]) else { return };
    let (tree, owner) = (walk(&m), fs::metadata(dir.path()).unwrap());
    assert!(tree.len() > 500);
    for (path, meta) in tree.iter().filter(|(path, _)| !path.starts_with(".ckptfs")) {
        let place = path.display();
        assert_eq!(meta.blocks(), meta.len().div_ceil(512), "{place}");
        assert_eq!(
            (meta.modified().unwrap(), meta.uid(), meta.gid()),
            (then, owner.uid(), owner.gid()),
            "{place}"
        );
        let mode = meta.permissions().mode() & 0o7777;
        if meta.is_dir() {
            let below =
                tree.iter().filter(|(child, meta)| meta.is_dir() && child.parent() == Some(path)).count();
            assert_eq!((mode, meta.nlink()), (0o555, 2 + below as u64), "{place}");
        } else if meta.is_symlink() {
            let target = fs::read_link(m.join(path)).unwrap();
            assert_eq!((mode, meta.len()), (0o777, target.as_os_str().len() as u64), "{place}");
        } else {
            assert_eq!((mode, meta.nlink(), meta.len()), (0o444, 1, m.read(path).len() as u64), "{place}");
        }
    }
    let inodes: BTreeSet<_> = tree.values().map(MetadataExt::ino).collect();
    assert_eq!(inodes.len(), tree.len(), "an inode twice");
}

#[test]
fn inodes_equal_those_of_the_listing_and_survive_a_remount() {
    let (_dir, prefix) = source(&dense());
    let inodes = |m: &MountGuard| {
        walk(m).into_iter().map(|(path, meta)| (path, meta.ino())).collect::<BTreeMap<_, _>>()
    };
    let Some(first) = mount(&prefix, &[]) else { return };
    let before = inodes(&first);
    for entry in fs::read_dir(first.join("ckpt-9/vars/dense/kernel")).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.ino(), before[entry.path().strip_prefix(first.path()).unwrap()]);
    }
    drop(first);
    let Some(second) = mount(&prefix, &[]) else { return };
    assert_eq!(inodes(&second), before);
    // Other content under the same name is another file.
    Bundle::new().floats("step", &[1.0]).write(&prefix);
    let Some(third) = mount(&prefix, &[]) else { return };
    assert_ne!(
        inodes(&third)[Path::new("ckpt-9/vars/step/shape")],
        before[Path::new("ckpt-9/vars/step/shape")]
    );
}

#[test]
fn files_have_no_more_permissions_than_the_source() {
    let (_dir, prefix) = source(&dense());
    fs::set_permissions(prefix.with_added_extension("index"), fs::Permissions::from_mode(0o640)).unwrap();
    let Some(m) = mount(&prefix, &[]) else { return };
    let mode = |path: &str| fs::metadata(m.join(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("ckpt-9.index"), mode("ckpt-9/raw/step"), mode("ckpt-9/raw")), (0o440, 0o440, 0o550));
}

#[test]
fn a_directory_with_thousands_of_entries_is_listed_completely() {
    let names: BTreeSet<_> =
        (0..4000).map(|i| format!("variable-number-{i:05}-{}", "x".repeat(i % 50))).collect();
    let bundle =
        names.iter().fold(Bundle::new(), |bundle, name| bundle.tensor(name, Dtype::Uint8, &[1], &[1]));
    let (_dir, prefix) = source(&bundle);
    let Some(m) = mount(&prefix, &[]) else { return };
    for (folder, suffix) in [("ckpt-9/vars", ""), ("ckpt-9/npy", ".npy"), ("ckpt-9/raw", "")] {
        let listed = list(&m.join(folder));
        assert_eq!(
            listed,
            names.iter().map(|name| format!("{name}{suffix}")).collect::<Vec<_>>(),
            "{folder}"
        );
        let ls = Command::new("ls").arg("-f").arg(m.join(folder)).output().unwrap();
        let ls: Vec<_> = crate::support::stdout(&ls)
            .lines()
            .map(str::to_owned)
            .filter(|name| !name.starts_with('.'))
            .collect();
        assert_eq!(ls, listed, "sorted as it comes");
    }
    // `ls -l` also asks for attributes, which the kernel gets with another request.
    let long = Command::new("ls").arg("-l").arg(m.join("ckpt-9/raw")).output().unwrap();
    assert_eq!(crate::support::stdout(&long).lines().count(), 4001);
    // A listing continues while other listings start and end.
    let mut open = fs::read_dir(m.join("ckpt-9/vars")).unwrap();
    let first: Vec<_> = open.by_ref().take(1500).map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(list(&m.join("ckpt-9/vars")).len(), 4000);
    let rest = open.map(|entry| entry.unwrap().file_name());
    assert!(first.into_iter().chain(rest).eq(names.iter().map(String::as_str)));
}

#[test]
fn unusual_names_are_escaped_and_lead_to_their_values() {
    let long = "y".repeat(300);
    let names: &[(&[u8], &str)] = &[
        (b"..", "%2E%2E"),
        (b"a//b", "a/%/b"),
        (b"a/./c", "a/%2E/c"),
        (b"/lead", "%/lead"),
        (b"trail/", "trail/%"),
        (b"50%", "50%25"),
        (b"new\nline", "new%0Aline"),
        (b"\xff\xfe", "%FF%FE"),
        (".hidden".as_bytes(), ".hidden"),
        ("größe × 2".as_bytes(), "größe × 2"),
    ];
    let bundle = names
        .iter()
        .zip(1u8..)
        .fold(Bundle::new().tensor(&long, Dtype::Uint8, &[1], &[99]), |bundle, ((name, _), value)| {
            bundle.tensor(name, Dtype::Uint8, &[1], &[value])
        });
    let (_dir, prefix) = source(&bundle);
    let Some(m) = mount(&prefix, &[]) else { return };
    for ((name, path), value) in names.iter().zip(1u8..) {
        assert_eq!(m.read(format!("ckpt-9/raw/{path}")), [value], "{path}");
        let vars = format!("ckpt-9/vars/{path}");
        assert_eq!(
            (m.text(format!("{vars}/dtype")), m.read(format!("{vars}/raw"))),
            ("uint8\n".into(), vec![value])
        );
        let info: serde_json::Value = serde_json::from_slice(&m.read(format!("{vars}/info.json"))).unwrap();
        let hex: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(info["name_hex"].as_str(), str::from_utf8(name).is_err().then_some(hex.as_str()));
    }
    let listed = list(&m.join("ckpt-9/raw"));
    let cut: Vec<_> = listed.iter().filter(|name| name.starts_with("yyy")).collect();
    assert!(cut.len() == 1 && cut[0].len() <= 255 && cut[0].contains("%~"));
    assert_eq!(m.read(format!("ckpt-9/raw/{}", cut[0])), [99]);
    for absent in ["ckpt-9/raw/none", "ckpt-9/raw/%2e%2e", "ckpt-9/vars/a/b"] {
        assert_eq!(m.errno(absent), libc::ENOENT, "{absent}");
    }
    assert_eq!(m.errno(Path::new("ckpt-9/raw").join(OsStr::from_bytes(b"\xff\xfe"))), libc::ENOENT);
}

#[test]
fn a_variable_named_like_a_per_variable_file_is_escaped() {
    let names = ["x", "x/shape", "x/raw", "x/stats", "shape", "x/dtype/deep"];
    let bundle = names
        .iter()
        .zip(1u8..)
        .fold(Bundle::new(), |bundle, (name, value)| bundle.tensor(name, Dtype::Uint8, &[1], &[value]));
    let (_dir, prefix) = source(&bundle);
    let Some(m) = mount(&prefix, &[]) else { return };
    assert_eq!((m.text("ckpt-9/vars/x/shape"), m.read("ckpt-9/vars/x/raw")), ("1\n".into(), vec![1]));
    let escaped = ["x", "x/%73hape", "x/%72aw", "x/%73tats", "shape", "x/%64type/deep"];
    for (path, value) in escaped.iter().zip(1u8..) {
        assert_eq!(m.read(format!("ckpt-9/vars/{path}/raw")), [value], "{path}");
    }
    let in_raw = ["x", "x%/shape", "x%/raw", "x%/stats", "shape", "x%/dtype/deep"];
    for (path, value) in in_raw.iter().zip(1u8..) {
        assert_eq!(m.read(format!("ckpt-9/raw/{path}")), [value], "{path}");
    }
    assert_eq!(m.read("ckpt-9/npy/x/shape.npy").last(), Some(&2));
}

#[test]
fn a_variable_can_be_a_file_and_a_directory_without_a_name_collision() {
    let names = ["a", "a/b", "a.npy", "a.npy/b", "a.txt/c", "a%"];
    let bundle = names
        .iter()
        .zip(1u8..)
        .fold(Bundle::new(), |bundle, (name, value)| bundle.tensor(name, Dtype::Uint8, &[1], &[value]));
    let (_dir, prefix) = source(&bundle);
    let Some(m) = mount(&prefix, &[]) else { return };
    for (path, value) in ["a", "a/b", "a.npy", "a.npy/b", "a.txt/c", "a%25"].iter().zip(1u8..) {
        for link in ["raw", "array.npy", "values.txt"] {
            let bytes = m.read(format!("ckpt-9/vars/{path}/{link}"));
            let shown =
                if link == "values.txt" { bytes[bytes.len() - 2] - b'0' } else { bytes[bytes.len() - 1] };
            assert_eq!(shown, value, "{path}/{link}");
        }
    }
    for folder in ["ckpt-9/npy", "ckpt-9/raw", "ckpt-9/text"] {
        let listed = list(&m.join(folder));
        assert_eq!(listed.iter().collect::<BTreeSet<_>>().len(), listed.len(), "a name twice: {listed:?}");
    }
}
