//! The first listing of a mount, and the links to the newest checkpoint: a name that one call returns is found by the
//! next
//! call.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::bundle::Bundle;
use crate::support::mount::{MountGuard, Place, can_mount, mount, mount_on};
use crate::support::{CKPTFS, ckptfs, fixture, list, stderr, stdout};

/// Creates ten object-based checkpoints. The map adds a data file to each. One is damaged, so it fits no map.
fn train() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for step in 0..10 {
        for end in ["index", "data-00000-of-00001"] {
            let from = fixture("object_module").join(format!("ckpt-9.{end}"));
            fs::copy(from, dir.path().join(format!("ckpt-{step}.{end}"))).unwrap();
        }
    }
    fs::write(dir.path().join("ckpt-4.index"), "no index at all").unwrap();
    fs::write(dir.path().join("checkpoint"), "model_checkpoint_path: 'ckpt-9'").unwrap();
    dir
}

const MAP: [&str; 2] = ["--rename", "model=net"];

/// Runs a shell script in a new mount of [`train`]. Its commands are the first that use the mount.
fn first_look(script: &str) {
    let (source, out) = (train(), tempfile::tempdir().unwrap());
    let Some(m) = mount(source.path(), &MAP) else { return };
    let output =
        Command::new("bash").args(["-ec", script, "sh"]).args([m.path(), out.path()]).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{script}: {}", stderr(&output));
    let listed = list(m.path());
    assert!(
        listed.contains(&"ckpt-4.error".into()) && !listed.contains(&"ckpt-4.index".into()),
        "{listed:?}"
    );
    assert!(listed.contains(&"ckpt-3.data-00001-of-00002".into()), "{listed:?}");
}

#[test]
fn ls_finds_every_name_that_it_lists() {
    first_look(
        "ls -l \"$1\" > \"$2\"/listed; ! grep -q '?' \"$2\"/listed; grep -q ckpt-4.error \"$2\"/listed",
    );
}

#[test]
fn cp_copies_every_name_that_it_lists() {
    first_look("cp -r \"$1\"/. \"$2\"; test -s \"$2\"/ckpt-3.data-00001-of-00002");
}

#[test]
fn tar_packs_every_name_that_it_lists() {
    first_look("tar -C \"$1\" -cf - . | tar -C \"$2\" -xf -; test -s \"$2\"/ckpt-3.data-00001-of-00002");
}

#[test]
fn status_counts_the_checkpoints_that_do_not_fit() {
    let source = train();
    let Some(m) = mount(source.path(), &MAP) else { return };
    assert!(!list(m.path()).is_empty());
    let status: Value = serde_json::from_str(&m.text(".ckptfs/status.json")).unwrap();
    let expected = serde_json::json!({ "all": 10, "planned": 10, "unfit": 1, "unfit_names": ["ckpt-4"] });
    assert_eq!(status["checkpoints"], expected);
    let said = stdout(&ckptfs(["status".as_ref(), m.path().as_os_str()]));
    assert!(said.contains("holds    10 checkpoints: 1 of 10 looked at does not fit (ckpt-4)\n"), "{said}");
}

#[test]
fn checkpoints_are_planned_in_the_background() {
    let source = train();
    let Some(m) = mount(source.path(), &MAP) else { return };
    crate::support::eventually("all are planned, without a listing", || {
        let status: Value = serde_json::from_str(&m.text(".ckptfs/status.json")).unwrap();
        status["checkpoints"]["planned"] == 10
    });
}

#[test]
fn on_a_terminal_the_message_counts_the_checkpoints_that_do_not_fit() {
    if !can_mount() {
        return;
    }
    let (source, place) = (train(), Place::new());
    let at = place.mountpoint();
    let command = format!("{CKPTFS} mount {} {} --rename model=net", source.path().display(), at.display());
    // script(1) gives the command a terminal.
    let said = Command::new("script").args(["-qec", &command, "/dev/null"]).output().unwrap();
    let _m = MountGuard::of(&at, said.clone());
    assert!(said.status.success(), "{}", stdout(&said));
    assert!(stdout(&said).contains("1 of 10 looked at does not fit (ckpt-4)"), "{}", stdout(&said));
    assert!(stdout(&said).contains("ckpt-4.error says why"), "{}", stdout(&said));
}

/// The number of directories that are trained in at the same time. Each gets [`SAVES`] saves: 200 saves in the time
/// of ten.
const RUNS: usize = 20;
const SAVES: usize = 10;

/// Writes a checkpoint and then a state file that names it, like TensorFlow.
fn save(run: &Path, step: usize) {
    Bundle::new().floats("w", &[step as f32]).write(&run.join(format!("ckpt-{step}")));
    fs::write(run.join("checkpoint.tmp"), format!("model_checkpoint_path: 'ckpt-{step}'\n")).unwrap();
    fs::rename(run.join("checkpoint.tmp"), run.join("checkpoint")).unwrap();
}

/// Returns the step in the name of a checkpoint or of one of its files.
fn step(name: &str) -> usize {
    let digits = name.split("ckpt-").nth(1).unwrap();
    digits.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

/// Returns the steps that the links to the newest checkpoint lead to.
fn latest(run: &Path) -> Vec<usize> {
    let link = |name: &str| step(fs::read_link(run.join(name)).unwrap().to_str().unwrap());
    ["latest", "latest.index", "latest.data-00000-of-00001"].map(link).to_vec()
}

#[test]
fn latest_is_never_older_than_the_step_in_the_state_file() {
    let source = tempfile::tempdir().unwrap();
    let runs: Vec<_> = (0..RUNS).map(|run| source.path().join(format!("run{run}"))).collect();
    for run in &runs {
        fs::create_dir(run).unwrap();
        save(run, 0);
    }
    save(source.path(), 0);
    let place = Place::new();
    let Some(m) = mount_on(source.path(), &place.mountpoint(), &[]) else { return };
    let (mut seen, mut older) = (0, vec![]);
    for saved in 1..=SAVES {
        runs.iter().for_each(|run| save(run, saved));
        for run in 0..RUNS {
            let shown = m.join(format!("run{run}"));
            let begun = Instant::now();
            loop {
                // The kernel may cache the links that it reads here.
                let _ = latest(&shown);
                let named = step(&fs::read_to_string(shown.join("checkpoint")).unwrap());
                older.extend(
                    latest(&shown).into_iter().filter(|&step| step < named).map(|step| (named, step)),
                );
                if named == saved {
                    break;
                }
                assert!(begun.elapsed() < Duration::from_secs(20), "step {saved} is never named");
            }
            seen += 1;
        }
    }
    assert_eq!((seen, older), (RUNS * SAVES, vec![]));
}
