//! Options of a mount: its type, its flags, access for other users and cache modes. Every write is refused.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ckptfs::dtype::Dtype;
use tempfile::TempDir;

use crate::support::bundle::Bundle;
use crate::support::mount::{MountGuard, can_mount, mount, mount_on};
use crate::support::{ckptfs, list, stderr};

fn source(stem: &str, bundle: &Bundle) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let prefix = dir.path().join(stem);
    bundle.write(&prefix);
    (dir, prefix)
}

fn small() -> Bundle {
    Bundle::new().floats("dense/kernel", &[1.0, 2.0]).floats("dense/bias", &[3.0])
}

/// Returns a bundle with a variable of three mebibytes whose pages all differ and with small variables, and the
/// variable's bytes.
fn large() -> (Bundle, Vec<u8>) {
    let bytes: Vec<u8> = (0..3u32 << 20).map(|i| (i ^ i >> 8 ^ i >> 13) as u8).collect();
    (small().tensor("large", Dtype::Uint8, &[bytes.len() as u64], &bytes).floats("after", &[4.0]), bytes)
}

#[test]
fn mountinfo_shows_a_read_only_mount_of_ckptfs_for_its_owner() {
    let (_dir, prefix) = source("ckpt-9", &small());
    let Some(m) = mount(&prefix, &[]) else { return };
    let line = m.mountinfo().unwrap();
    let fields: Vec<_> = line.split(' ').collect();
    let dash = fields.iter().position(|field| *field == "-").unwrap();
    assert_eq!(fields[dash + 1..dash + 3], ["fuse.ckptfs", prefix.to_str().unwrap()]);
    for option in ["ro", "nosuid", "nodev", "noexec", "noatime"] {
        assert!(fields[5].split(',').any(|word| word == option), "{option}: {line}");
    }
    let of_super: Vec<_> = fields[dash + 3].split(',').collect();
    let owner = format!("user_id={}", rustix::process::geteuid().as_raw());
    assert!(of_super.contains(&owner.as_str()) && of_super.contains(&"default_permissions"), "{line}");
    assert!(!of_super.contains(&"allow_other"), "{line}");
}

/// Lists a directory as an unprivileged user.
fn list_as_nobody(path: &Path) -> Output {
    Command::new("ls").arg(path).uid(65534).gid(65534).output().unwrap()
}

#[test]
fn only_the_owner_has_access_without_allow_other() {
    if !can_mount() || !rustix::process::geteuid().is_root() {
        return;
    }
    let (dir, prefix) = source("ckpt-9", &small());
    for path in [dir.path(), &dir.path().join("m")] {
        let _ = fs::create_dir(path);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let m = mount_on(&prefix, &dir.path().join("m"), &[]).unwrap();
    let refused = list_as_nobody(m.path());
    assert!(
        !refused.status.success() && stderr(&refused).contains("ermission denied"),
        "{}",
        stderr(&refused)
    );
    drop(m);
    for flag in ["--allow-other", "-oallow_other"] {
        let m = mount_on(&prefix, &dir.path().join("m"), &[flag]).unwrap();
        assert!(m.mountinfo().unwrap().contains("allow_other"));
        assert!(list_as_nobody(&m.join("ckpt-9")).status.success(), "{flag}");
    }
}

#[test]
fn every_write_is_refused() {
    let (_dir, prefix) = source("ckpt-9", &small());
    let Some(m) = mount(&prefix, &[]) else { return };
    let (file, directory) = (m.join("ckpt-9/raw/dense/bias"), m.join("ckpt-9/new"));
    let attempts: &[(&str, io::Result<()>)] = &[
        ("create a file", File::create(m.join("ckpt-10.index")).map(drop)),
        ("write to a file", File::options().write(true).open(&file).map(drop)),
        ("append to the checkpoint", File::options().append(true).open(m.join("checkpoint")).map(drop)),
        ("truncate", File::options().write(true).truncate(true).open(m.join("ckpt-9.index")).map(drop)),
        ("make a directory", fs::create_dir(&directory)),
        ("remove a file", fs::remove_file(&file)),
        ("remove a directory", fs::remove_dir(m.join("ckpt-9/raw/dense"))),
        ("rename", fs::rename(&file, m.join("ckpt-9/raw/dense/other"))),
        ("link", symlink("ckpt-9", m.join("newest"))),
        ("link hard", fs::hard_link(&file, m.join("hard"))),
        ("change the mode", fs::set_permissions(&file, fs::Permissions::from_mode(0o644))),
    ];
    for (what, result) in attempts {
        let error = result.as_ref().expect_err(what);
        assert_eq!(error.raw_os_error(), Some(libc::EROFS), "{what}: {error}");
    }
}

#[test]
fn a_source_called_latest_or_checkpoint_keeps_its_name() {
    for stem in ["latest", "checkpoint"] {
        let (_dir, prefix) = source(stem, &small());
        let Some(m) = mount(&prefix, &[]) else { return };
        assert!(fs::symlink_metadata(m.join(stem)).unwrap().is_dir());
        assert_eq!(m.text(format!("{stem}/vars/dense/bias/shape")), "1\n");
        for suffix in ["index", "data-00000-of-00001"] {
            let own = prefix.with_added_extension(suffix);
            assert_eq!(m.read(own.file_name().unwrap()), fs::read(&own).unwrap());
        }
        let state = m.text(format!("{stem}/checkpoint"));
        assert!(state.contains(&format!("\"../{stem}\"")), "{state}");
    }
}

#[test]
fn every_cache_mode_reads_the_same_bytes() {
    let (bundle, bytes) = large();
    let (_dir, prefix) = source("ckpt-9", &bundle);
    let data = fs::read(prefix.with_added_extension("data-00000-of-00001")).unwrap();
    for mode in ["auto", "kernel", "direct"] {
        let Some(m) = mount(&prefix, &["--cache", mode]) else { return };
        assert!(m.read("ckpt-9.data-00000-of-00001") == data, "{mode}: the data file differs");
        assert!(m.read("ckpt-9/raw/large") == bytes, "{mode}: raw differs");
        assert!(m.read("ckpt-9/npy/large.npy").ends_with(&bytes), "{mode}: npy differs");
        assert_eq!(m.read("ckpt-9/raw/after"), 4f32.to_le_bytes());
        let file = File::open(m.join("ckpt-9/raw/large")).unwrap();
        for (at, len) in
            [(0, 1), (4095, 2), (1 << 20, 1 << 19), (bytes.len() - 5, 100), (bytes.len(), 9), (17, 262_144)]
        {
            let mut buf = vec![0; len];
            let n = read_fully(&file, &mut buf, at as u64);
            assert!(buf[..n] == bytes[at..bytes.len().min(at + len)], "{mode}: {len} bytes from {at} differ");
        }
        let (text, mut line) = (File::open(m.join("ckpt-9/text/large.txt")).unwrap(), [0; 21]);
        text.read_exact_at(&mut line, 2_000_000 * 21).unwrap();
        assert_eq!(str::from_utf8(&line).unwrap(), format!("{:>20}\n", bytes[2_000_000]));
    }
}

fn read_fully(file: &File, buf: &mut [u8], offset: u64) -> usize {
    let mut done = 0;
    loop {
        match file.read_at(&mut buf[done..], offset + done as u64).unwrap() {
            0 => return done,
            n => done += n,
        }
    }
}

#[test]
fn handles_on_one_data_file_share_its_passthrough() {
    let (bundle, _) = large();
    let (_dir, prefix) = source("ckpt-9", &bundle);
    let Some(m) = mount(&prefix, &[]) else { return };
    // Two handles on one inode share its passthrough file, in any order of closing.
    let (first, second) =
        (File::open(m.join("ckpt-9.data-00000-of-00001")), File::open(m.join("latest.data-00000-of-00001")));
    let (first, second, mut byte) = (first.unwrap(), second.unwrap(), [0; 4]);
    drop(first);
    second.read_exact_at(&mut byte, 0).unwrap();
    let third = File::open(m.join("ckpt-9.data-00000-of-00001")).unwrap();
    drop(second);
    third.read_exact_at(&mut byte, 4).unwrap();
    assert!(m.logged("cannot read data files directly") <= 1);
}

#[test]
fn cp_and_tar_copy_the_tree() {
    let (dir, prefix) = source("ckpt-9", &small());
    let Some(m) = mount(&prefix, &[]) else { return };
    let from = m.path().to_str().unwrap();
    let script = "set -e; cp -a \"$1\" cp; mkdir tar; tar -C \"$1\" -cSf - . | tar -C tar -xf -; \
        diff -r --no-dereference -x .ckptfs \"$1\" cp; diff -r --no-dereference -x .ckptfs \"$1\" tar; diff -r \"$1/ckpt-9\" cp/ckpt-9; \
        test \"$(find \"$1\" -name shape | wc -l)\" = 2; grep -rq float32 \"$1/ckpt-9/vars\"";
    let output =
        Command::new("sh").current_dir(dir.path()).args(["-c", script, "sh", from]).output().unwrap();
    assert!(output.status.success(), "{}{}", crate::support::stdout(&output), stderr(&output));
    let log = m.text(".ckptfs/log");
    assert!(log.contains(" is mounted on ") && !log.contains("warn") && !log.contains("error"), "{log}");
}

#[test]
fn statfs_shows_a_full_file_system_as_large_as_its_data() {
    let (bundle, _) = large();
    let (_dir, prefix) = source("ckpt-9", &bundle);
    let Some(m) = mount(&prefix, &[]) else { return };
    let output = Command::new("stat").args(["-f", "-c", "%S %b %f %a %l"]).arg(m.path()).output().unwrap();
    let numbers = crate::support::stdout(&output);
    let numbers: Vec<u64> = numbers.split_whitespace().map(|number| number.parse().unwrap()).collect();
    let files = ["index", "data-00000-of-00001"].map(|suffix| prefix.with_added_extension(suffix));
    let data: u64 = files.iter().map(|file| file.metadata().unwrap().len()).sum();
    assert_eq!(numbers[1], data.div_ceil(numbers[0]));
    assert_eq!(numbers[2..], [0, 0, 255]);
}

#[test]
fn fstab_options_are_accepted_and_unknown_options_exit_with_2() {
    let (dir, prefix) = source("ckpt-9", &small());
    let words = "ro,noauto,nofail,_netdev,x-systemd.automount,user,defaults,nosuid,threads=3,cache_size=8M";
    let Some(m) = mount(&prefix, &["-o", words, "-o", "rw"]) else { return };
    assert!(stderr(&m.said).contains("mounted read-only anyway"), "{}", stderr(&m.said));
    assert!(m.mountinfo().unwrap().contains(" ro,"));
    let empty = dir.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let output =
        ckptfs([Path::new("mount"), &prefix, &empty, Path::new("-osync,threads=x,allow_other=1,map")]);
    assert_eq!(output.status.code(), Some(2));
    for word in ["sync is unknown", "threads=x", "allow_other takes no value", "map needs a value"] {
        assert!(stderr(&output).contains(word), "{word}: {}", stderr(&output));
    }
    assert!(list(&empty).is_empty());
}

#[test]
fn a_map_is_applied_and_a_map_that_does_not_fit_mounts_nothing() {
    let (dir, prefix) = source("ckpt-9", &small());
    let Some(m) = mount(&prefix, &["--rename", "dense/**=d/**", "--alias", "dense/bias=b"]) else { return };
    assert_eq!(list(&m.join("ckpt-9/vars")), ["b", "d"]);
    assert_eq!(
        (m.read("ckpt-9/raw/d/bias"), m.read("ckpt-9/raw/b")),
        (3f32.to_le_bytes().into(), 3f32.to_le_bytes().into())
    );
    assert_ne!(m.read("ckpt-9.index"), fs::read(prefix.with_added_extension("index")).unwrap());
    assert_eq!(names_through(&m), ["b", "d/bias", "d/kernel"]);
    let empty = dir.path().join("empty");
    fs::create_dir(&empty).unwrap();
    for (flag, code) in [("--drop=none", 1), ("--drop={", 2)] {
        let output = ckptfs([Path::new("mount"), &prefix, &empty, Path::new(flag)]);
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        assert!(crate::support::mount::mountinfo(&empty).is_none());
    }
}

/// Returns the names that `ckptfs ls` reads from the checkpoint in a mount.
fn names_through(m: &MountGuard) -> Vec<String> {
    let output = ckptfs([Path::new("ls"), &m.join("latest")]);
    crate::support::stdout(&output).lines().map(str::to_owned).collect()
}
