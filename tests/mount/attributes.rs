//! Extended attributes of the files and directories that show a variable.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use ckptfs::format::crc::Masked;
use rustix::fs::{getxattr, listxattr};
use rustix::io::Errno;

use crate::support::bundle::{Bundle, f32s};
use crate::support::mount::{MountGuard, mount};
use crate::support::stderr;

fn mounted() -> Option<(tempfile::TempDir, MountGuard)> {
    let dir = tempfile::tempdir().unwrap();
    let prefix = dir.path().join("ckpt-9");
    Bundle::new().floats("bert/kernel", &[1.0, 2.0]).floats("step", &[3.0]).write(&prefix);
    let m = mount(&prefix, &["--rename", "bert/**=encoder/**"])?;
    Some((dir, m))
}

fn attribute(path: &Path, name: &str) -> Result<String, Errno> {
    let mut value = [0; 256];
    let n = getxattr(path, name, &mut value)?;
    Ok(String::from_utf8(value[..n].into()).unwrap())
}

fn attributes(path: &Path) -> BTreeMap<String, String> {
    let mut names = [0; 1024];
    let n = listxattr(path, &mut names).unwrap();
    let names = str::from_utf8(&names[..n]).unwrap().split_terminator('\0');
    names.map(|name| (name.to_owned(), attribute(path, name).unwrap())).collect()
}

#[test]
fn paths_that_show_a_variable_have_its_attributes() {
    let Some((_dir, m)) = mounted() else { return };
    let crc32c = Masked::of(&f32s(&[1.0, 2.0])).unmask().to_string();
    let expected = [
        ("name", "encoder/kernel"),
        ("dtype", "float32"),
        ("shape", "2"),
        ("key", "encoder/kernel"),
        ("crc32c", &crc32c),
        ("source", "bert/kernel"),
    ];
    let expected = expected.map(|(name, value)| (format!("user.ckptfs.{name}"), value.to_owned())).into();
    for path in [
        "vars/encoder/kernel",
        "npy/encoder/kernel.npy",
        "raw/encoder/kernel",
        "vars/encoder/kernel/array.npy",
    ] {
        assert_eq!(attributes(&m.join("ckpt-9").join(path)), expected, "{path}");
    }
}

#[test]
fn unknown_attributes_are_no_data_and_the_kernel_keeps_asking() {
    let Some((_dir, m)) = mounted() else { return };
    let kernel = m.join("ckpt-9/raw/encoder/kernel");
    for (path, name) in [
        (kernel.clone(), "user.ckptfs.color"),
        (kernel.clone(), "user.other"),
        (m.join("ckpt-9/vars/encoder"), "user.ckptfs.name"),
        (m.join("ckpt-9/vars/encoder/kernel/shape"), "user.ckptfs.name"),
        (m.join("ckpt-9.index"), "user.ckptfs.name"),
        (m.path().into(), "user.ckptfs.name"),
        (m.join(".ckptfs/log"), "user.ckptfs.name"),
    ] {
        assert_eq!(attribute(&path, name), Err(Errno::NODATA), "{name} of {}", path.display());
    }
    assert!(attributes(&m.join("ckpt-9/vars/encoder")).is_empty());
    // After `ENOSYS` the kernel would ask for no attribute again.
    assert_eq!(attribute(&kernel, "user.ckptfs.name").as_deref(), Ok("encoder/kernel"));
}

#[test]
fn a_small_buffer_is_an_error_and_an_empty_buffer_returns_the_length() {
    let Some((_dir, m)) = mounted() else { return };
    let kernel = m.join("ckpt-9/raw/encoder/kernel");
    let len = "encoder/kernel".len();
    assert_eq!(getxattr(&kernel, "user.ckptfs.name", &mut vec![0; len - 1]), Err(Errno::RANGE));
    assert_eq!(getxattr(&kernel, "user.ckptfs.name", &mut vec![0; len]), Ok(len));
    assert_eq!(rustix::fs::getxattr_query(&kernel, "user.ckptfs.name"), Ok(len));
    let listed = rustix::fs::listxattr_query(&kernel).unwrap();
    assert_eq!(listxattr(&kernel, &mut vec![0; listed - 1]), Err(Errno::RANGE));
    assert_eq!(listxattr(&kernel, &mut vec![0; listed]), Ok(listed));
}

#[test]
fn a_copy_with_attributes_keeps_these() {
    let Some((dir, m)) = mounted() else { return };
    let script = "set -e; cp -a \"$1\" cp; mkdir tar; tar --xattrs -C \"$1\" -cf - raw npy | tar --xattrs -C tar -xf -";
    let from = m.join("ckpt-9");
    let mut command = Command::new("sh");
    let output = command.current_dir(dir.path()).args(["-c", script, "sh"]).arg(&from).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", stderr(&output));
    let file = "raw/encoder/kernel";
    for copy in ["cp", "tar"] {
        let kept = attributes(&dir.path().join(copy).join(file));
        assert!(
            kept.is_empty() == cannot_keep(dir.path()) && [0, 6].contains(&kept.len()),
            "{copy}: {kept:?}"
        );
        if !kept.is_empty() {
            assert_eq!(kept, attributes(&from.join(file)), "{copy}");
        }
    }
}

/// Returns true if the file system of a directory has no user attributes.
fn cannot_keep(directory: &Path) -> bool {
    rustix::fs::setxattr(directory, "user.probe", b"1", rustix::fs::XattrFlags::empty()).is_err()
}
