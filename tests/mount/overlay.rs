//! Overlays in a mount: relative paths given to a daemon, overlays on a directory of checkpoints, and overlays that
//! change.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use crate::support::bundle::{Bundle, f32s};
use crate::support::mount::{can_mount, mount};
use crate::support::{CKPTFS, eventually, list, stderr};

/// Creates `train/` with two checkpoints and a checkpoint without `a`, and `adapter/` with an adapter.
fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().canonicalize().unwrap();
    for step in [8.0, 9.0] {
        let bundle = Bundle::new().floats("a", &[step]).floats("b", &[step]);
        bundle.write(&root.join(format!("train/ckpt-{step}")));
    }
    Bundle::new().floats("b", &[2.0]).floats("lora", &[2.0]).write(&root.join("adapter/ckpt-3"));
    Bundle::new().floats("z", &[5.0]).write(&root.join("train/other-1"));
    (dir, root)
}

/// Returns the options of a mount, with each `@` replaced by `root`.
fn flags(root: &Path, flags: &[(&str, &str)]) -> Vec<String> {
    let flag = |(name, value): &(&str, &str)| {
        [(*name).to_owned(), value.replace('@', &format!("{}/", root.display()))]
    };
    flags.iter().flat_map(flag).collect()
}

/// Mounts `source`, a path below `root`, with the options that [`flags`] returns.
fn mounted(root: &Path, source: &str, options: &[(&str, &str)]) -> Option<crate::support::mount::MountGuard> {
    let flags = flags(root, options);
    mount(&root.join(source), &flags.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn values_come_from_every_overlay_and_tables_name_their_source() {
    let (_dir, root) = place();
    let options = [("--overlay", "@adapter"), ("--take", "a=@train/ckpt-8")];
    let Some(m) = mounted(&root, "train/ckpt-9", &options) else { return };
    for (name, value) in [("a", 8f32), ("b", 2.0), ("lora", 2.0)] {
        assert_eq!(m.read(format!("ckpt-9/raw/{name}")), value.to_le_bytes(), "{name}");
    }
    let info: serde_json::Value = serde_json::from_slice(&m.read("ckpt-9/vars/lora/info.json")).unwrap();
    assert_eq!(info["source"], root.join("adapter/ckpt-3").to_str().unwrap());
    let table = m.text("ckpt-9/remap.tsv");
    assert!(table.starts_with("name\told_name\trule\tvalue\tsource\n"), "{table}");
    assert!(table.contains(&format!("a\ta\t\t\t{}\n", root.join("train/ckpt-8").display())), "{table}");
    let data = list(m.path()).into_iter().filter(|name| name.starts_with("ckpt-9.data")).collect::<Vec<_>>();
    assert_eq!(data.len(), 3, "{data:?}");
}

#[test]
fn relative_paths_start_at_the_working_directory_of_the_command() {
    let (_dir, root) = place();
    if !can_mount() {
        return;
    }
    fs::create_dir(root.join("m")).unwrap();
    let options = "overlay=adapter,take=a=train/ckpt-8,target=name";
    let mut command = Command::new(CKPTFS);
    let said =
        command.args(["mount", "train/ckpt-9", "m", "-o", options]).current_dir(&root).output().unwrap();
    let values = ["a", "lora"].map(|name| fs::read(root.join("m/ckpt-9/raw").join(name)));
    let unmounted = Command::new(CKPTFS).arg("umount").arg(root.join("m")).output().unwrap();
    assert!(said.status.success(), "{}", stderr(&said));
    assert!(unmounted.status.success(), "{}", stderr(&unmounted));
    assert_eq!(values.map(Result::unwrap), [f32s(&[8.0]), f32s(&[2.0])]);
}

#[test]
fn every_checkpoint_of_a_directory_gets_the_overlays_or_an_error_file() {
    let (_dir, root) = place();
    let options = [("--overlay", "@adapter"), ("--take", "a=@train/ckpt-8")];
    fs::remove_file(root.join("train/other-1.index")).unwrap();
    let Some(m) = mounted(&root, "train", &options) else { return };
    for step in [8, 9] {
        assert_eq!(m.read(format!("ckpt-{step}/raw/a")), f32s(&[8.0]));
        assert_eq!(m.read(format!("ckpt-{step}/raw/lora")), f32s(&[2.0]));
    }
    Bundle::new().floats("z", &[5.0]).write(&root.join("train/other-1"));
    eventually("it is looked at", || {
        fs::read(m.join("other-1/raw/z")).is_err() && m.join("other-1.error").exists()
    });
    let said = m.text("other-1.error");
    assert!(said.contains("an overlay does not fit") && said.contains("no variable `a`"), "{said}");
}

#[test]
fn a_changed_overlay_is_stale_and_its_new_values_are_never_served() {
    let (_dir, root) = place();
    let Some(m) = mounted(&root, "train/ckpt-9", &[("--overlay", "@adapter")]) else { return };
    assert_eq!(m.read("ckpt-9/raw/lora"), f32s(&[2.0]));
    let data = root.join("adapter/ckpt-3.data-00000-of-00001");
    fs::write(&data, f32s(&[7.0, 7.0])).unwrap();
    let later = SystemTime::now() + Duration::from_secs(10);
    fs::File::options().write(true).open(&data).unwrap().set_modified(later).unwrap();
    eventually("it is refused", || {
        let read = fs::read(m.join("ckpt-9/raw/lora"));
        assert!(read.as_ref().map_or(true, |bytes| *bytes == f32s(&[2.0])), "{read:?}");
        read.is_err_and(|error| error.raw_os_error() == Some(libc::ESTALE))
    });
    let of_bundle = fs::read(m.join("ckpt-9.data-00001-of-00002"));
    assert_eq!(of_bundle.unwrap_err().raw_os_error(), Some(libc::ESTALE));
    assert_eq!(m.read("ckpt-9/raw/a"), f32s(&[9.0]));
}
