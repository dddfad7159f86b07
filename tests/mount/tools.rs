//! Standard tools on a mount: what they copy, pack, count and compare agrees with `read` and `stat`, and with a plain
//! copy of
//! the source. `.ckptfs/` changes with every request, so it is left out of comparisons.

use std::fs;
use std::path::Path;
use std::process::Command;

use ckptfs::dtype::Dtype;
use tempfile::TempDir;

use crate::support::bundle::{Bundle, f32s};
use crate::support::mount::{MountGuard, mount};
use crate::support::{copy, fixture, stdout};

/// Creates checkpoints with names and dtypes of every kind, and the other files of a training directory.
fn source() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    copy(&fixture("odd_names"), &dir.path().join("odd"));
    copy(&fixture("two_steps"), dir.path());
    let zeros = vec![0; 1 << 18];
    Bundle::new()
        .tensor("holes", Dtype::Uint8, &[1 << 18], &zeros)
        .floats("dense/kernel", &[1.0, 2.0])
        .floats("dense/kernel/Adam", &[3.0])
        .tensor("none", Dtype::Float32, &[0], &f32s(&[]))
        .write(&dir.path().join("ckpt-10"));
    fs::create_dir_all(dir.path().join("logs/empty")).unwrap();
    fs::write(dir.path().join("logs/run one.txt"), "the quick\nbrown fox\n").unwrap();
    fs::write(dir.path().join("none.bin"), "").unwrap();
    std::os::unix::fs::symlink("vocab.txt", dir.path().join("words")).unwrap();
    dir
}

/// Mounts [`source`], and creates a directory to copy to.
fn mounted() -> Option<(TempDir, MountGuard, TempDir)> {
    let source = source();
    let mounted = mount(source.path(), &[])?;
    Some((source, mounted, tempfile::tempdir().unwrap()))
}

/// Runs a shell command line and returns its output. `$m` is the mount and `$c` the copy. A status other than 0, or
/// text on
/// standard error, fails the test.
#[track_caller]
fn sh(m: &Path, c: &Path, line: &str) -> String {
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-c", line]).env("m", m).env("c", c).env("LC_ALL", "C");
    let output = command.output().unwrap();
    let said = crate::support::stderr(&output);
    assert!(
        output.status.success() && said.is_empty(),
        "{line}: {}\n{}{said}",
        output.status,
        stdout(&output)
    );
    stdout(&output)
}

/// Checks that a copy equals the mount: names, types, sizes, link targets, times and modes with `find`, every byte
/// with `diff`.
#[track_caller]
fn assert_copied(m: &MountGuard, copy: &Path) {
    let all = r"find . -path ./.ckptfs -prune -o ! -type d -printf '%P %y %s %l %m %T@\n' | sort";
    let files = |at| sh(m.path(), copy, &format!("cd ${at}; {all}"));
    assert!(files("m").lines().count() > 300);
    assert_same_lines(&files("m"), &files("c"));
    let folders = r"find . -path ./.ckptfs -prune -o -type d -printf '%P %m %T@\n' | sort";
    let folders = |at| sh(m.path(), copy, &format!("cd ${at}; {folders}"));
    assert_same_lines(&folders("m"), &folders("c"));
    assert_eq!(sh(m.path(), copy, "diff -r --no-dereference --exclude .ckptfs $m $c"), "");
}

/// Compares two long texts. A failure shows the first lines that differ.
#[track_caller]
fn assert_same_lines(one: &str, other: &str) {
    let differs = one.lines().zip(other.lines()).find(|(one, other)| one != other);
    assert_eq!(differs, None);
    assert_eq!(one.lines().count(), other.lines().count());
}

/// Makes a copy writable. Without this, only root could remove the temporary directory.
fn make_writable(copy: &Path) {
    sh(copy, copy, "chmod -R u+w $c");
}

#[test]
fn cp_a_copies_everything() {
    let Some((_source, m, copy)) = mounted() else { return };
    sh(m.path(), copy.path(), "cp -a $m/. $c");
    assert_copied(&m, copy.path());
    make_writable(copy.path());
}

/// The archive has the pax format, which stores times in nanoseconds.
#[test]
fn tar_packs_everything_with_and_without_sparse_detection() {
    for flags in ["", "-S"] {
        let Some((_source, m, copy)) = mounted() else { return };
        sh(m.path(), copy.path(), &format!("tar -C $m --format=posix {flags} -c . | tar -C $c -xp"));
        assert_copied(&m, copy.path());
        make_writable(copy.path());
    }
}

#[test]
fn rsync_a_copies_everything_and_a_second_run_finds_no_change() {
    if Command::new("rsync").arg("--version").output().is_err() {
        eprintln!("NOT TESTED: rsync is not there (Debian, Ubuntu: apt install rsync)");
        return;
    }
    let Some((_source, m, copy)) = mounted() else { return };
    // By default, rsync treats two times within one second as equal.
    let rsync = "rsync -a --modify-window=-1 --exclude /.ckptfs";
    sh(m.path(), copy.path(), &format!("{rsync} $m/ $c"));
    assert_copied(&m, copy.path());
    assert_eq!(sh(m.path(), copy.path(), &format!("{rsync} --itemize-changes --checksum $m/ $c")), "");
    make_writable(copy.path());
}

#[test]
fn diff_finds_no_difference_between_an_unmapped_mount_and_its_source() {
    let Some((source, m, _copy)) = mounted() else { return };
    let ours = "--exclude .ckptfs --exclude checkpoint --exclude 'latest*' --exclude ckpt-8 --exclude ckpt-9 --exclude ckpt-10";
    let differences = sh(m.path(), source.path(), &format!("diff -r --no-dereference {ours} $m $c"));
    assert_eq!(differences, "");
}

#[test]
fn find_counts_and_selects_as_in_a_copy() {
    let Some((_source, m, copy)) = mounted() else { return };
    sh(m.path(), copy.path(), "cp -a $m/. $c; touch -d 2001-01-01 $c/../old");
    let count = |at: &str, tests: &str| {
        let line = format!("find ${at} -path ${at}/.ckptfs -prune -o {tests} -print | wc -l");
        sh(m.path(), copy.path(), &line).trim().parse::<usize>().unwrap()
    };
    let some = [
        "-type f",
        "-type l",
        "-mindepth 1 -type d",
        "-type f -size +1k",
        "-type f -size -2",
        "-type f -empty",
    ];
    let newer = [
        "-newer $c/ckpt-8.index",
        "-newermt 2001-01-01",
        "-links 1 -type f",
        "-perm -444 -type f",
        "-name '*.npy'",
    ];
    for tests in some.iter().chain(&newer) {
        let (in_mount, in_copy) = (count("m", tests), count("c", tests));
        assert_eq!(in_mount, in_copy, "{tests}");
    }
    for tests in ["-type f -size +1k", "-type f -empty", "-name '*.npy'", "-type l"] {
        assert_ne!(count("m", tests), 0, "{tests}");
    }
    assert_eq!(count("m", "-newermt '10 years'"), 0);
    make_writable(copy.path());
}

#[test]
fn grep_r_finds_the_same_lines_as_in_a_copy() {
    let Some((_source, m, copy)) = mounted() else { return };
    sh(m.path(), copy.path(), "cp -a $m/. $c");
    let grep = |at: &str, what: &str| {
        sh(m.path(), copy.path(), &format!("cd ${at}; grep -r --exclude-dir .ckptfs {what} . | sort"))
    };
    for what in ["float32", "-l model", "-c ''", "-e 'quick'"] {
        let found = grep("m", what);
        assert_eq!(found, grep("c", what), "{what}");
        assert!(!found.is_empty(), "{what}");
    }
    assert!(grep("m", "quick").contains("./logs/run one.txt:the quick\n"));
    assert_eq!(grep("m", "--include dtype uint8"), "./ckpt-10/vars/holes/dtype:uint8\n");
    make_writable(copy.path());
}

#[test]
fn du_counts_the_same_bytes_as_in_a_copy() {
    let Some((source, m, copy)) = mounted() else { return };
    sh(m.path(), copy.path(), "cp -a $m/. $c");
    // Directory sizes depend on the file system, so only files are compared.
    let apparent = |at: &str| {
        let files = format!("cd ${at}; find . -path ./.ckptfs -prune -o -type f -print0");
        let du = "du --apparent-size -b --files0-from=- | sort -k 2";
        sh(m.path(), copy.path(), &format!("{files} | {du}"))
    };
    assert_eq!(apparent("m"), apparent("c"));
    let data = "ckpt-10.data-00000-of-00001";
    let size = fs::metadata(source.path().join(data)).unwrap().len();
    let blocks = sh(m.path(), copy.path(), &format!("du -B 512 $m/{data} | cut -f 1"));
    assert_eq!(blocks.trim().parse::<u64>().unwrap(), size.div_ceil(512), "in use: all of it");
    make_writable(copy.path());
}

#[test]
fn df_shows_a_full_file_system_as_large_as_the_source() {
    let Some((source, m, _copy)) = mounted() else { return };
    let line = sh(m.path(), source.path(), "df --output=fstype,size,used,avail,pcent -B 1 $m | tail -n 1");
    let fields: Vec<_> = line.split_whitespace().collect();
    assert_eq!((fields[0], fields[3], fields[4]), ("fuse.ckptfs", "0", "100%"), "{line}");
    let files = sh(m.path(), source.path(), r"find $c -type f -printf '%s\n'");
    let all: u64 = files.lines().map(|size| size.parse::<u64>().unwrap()).sum();
    let all = all.next_multiple_of(512).to_string();
    assert_eq!((fields[1], fields[2]), (all.as_str(), all.as_str()), "{line}");
}
