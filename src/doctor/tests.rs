//! Tests of the examinations on copies of a small checkpoint.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::*;

/// A directory with copies of a checkpoint that `tf.train.Checkpoint` saved.
struct Steps(TempDir);

impl Steps {
    /// Creates the directory with these steps and a state file that lists them.
    fn new(stems: &[&str]) -> Self {
        let steps = Self(tempfile::tempdir().unwrap());
        stems.iter().for_each(|stem| steps.copy(stem));
        steps.state(stems.last().unwrap(), stems);
        steps
    }

    fn copy(&self, stem: &str) {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tf-2.21/object_module/ckpt-9");
        for suffix in ["index", "data-00000-of-00001"] {
            fs::copy(from.with_added_extension(suffix), self.at(&format!("{stem}.{suffix}"))).unwrap();
        }
    }

    fn state(&self, latest: &str, all: &[&str]) {
        let all: String =
            all.iter().map(|stem| format!("all_model_checkpoint_paths: \"{stem}\"\n")).collect();
        self.write("checkpoint", &format!("model_checkpoint_path: \"{latest}\"\n{all}"));
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.at(name), text).unwrap();
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Examines the directory, or a path in it.
    fn found(&self, name: &str) -> Vec<Finding> {
        examine(&self.at(name), false)
    }

    /// Returns the ids of the errors and warnings.
    fn ids(&self, name: &str) -> Vec<&'static str> {
        wrong(&self.found(name))
    }
}

fn wrong(findings: &[Finding]) -> Vec<&'static str> {
    let wrong = findings.iter().filter(|finding| finding.severity != Severity::Note);
    wrong.map(|finding| finding.id).collect()
}

fn of<'a>(findings: &'a [Finding], id: &str) -> &'a Finding {
    findings.iter().find(|finding| finding.id == id).unwrap_or_else(|| panic!("no {id} in {findings:?}"))
}

/// Returns the lines that mend a finding.
fn lines(finding: &Finding) -> String {
    let text = |mend: &Mend| match mend {
        Mend::Command(line) | Mend::Python(line) | Mend::Advice(line) => line.clone(),
    };
    finding.mends.iter().map(text).collect::<Vec<_>>().join("\n")
}

#[test]
fn nothing_is_wrong_with_a_healthy_directory_or_checkpoint() {
    let steps = Steps::new(&["ckpt-8", "ckpt-9"]);
    for path in ["", "ckpt-9", "ckpt-9.index", "ckpt-8.data-00000-of-00001", "checkpoint"] {
        assert_eq!(steps.ids(path), [""; 0], "{path}");
        let found = steps.found(path);
        assert!(of(&found, "contents").evidence.ends_with("Its files are whole."));
        assert!(lines(of(&found, "restore-calls")).contains("tf.train.Checkpoint("));
    }
    let values = examine(&steps.at(""), true);
    assert!(of(&values, "values-intact").evidence.contains("of 2 checkpoints match"));
    assert_eq!(wrong(&values), [""; 0]);
}

#[test]
fn a_path_that_is_meant_otherwise_leads_to_the_checkpoint() {
    let steps = Steps::new(&["ckpt-8", "ckpt-9", "training-1"]);
    for (path, id, step) in [
        ("ckpt", "step-missing", "ckpt-9"),
        ("training", "directory-as-prefix", "training-1"),
        ("training/", "directory-as-prefix", "training-1"),
        (r"..\NAME\ckpt-8", "backslash", "ckpt-8"),
    ] {
        let name = steps.0.path().file_name().unwrap().to_str().unwrap();
        let found = steps.found(&path.replace("NAME", name));
        assert_eq!(wrong(&found), [id], "{path}: {found:?}");
        assert!(lines(of(&found, id)).contains(&format!("{step}')")), "{found:?}");
    }
    assert_eq!(steps.ids("best"), ["no-such-checkpoint"]);
}

#[test]
fn what_is_wrong_with_the_checkpoint_that_is_meant_follows() {
    let steps = Steps::new(&["ckpt-8", "ckpt-9"]);
    fs::write(steps.at("ckpt-9.index"), "<html>").unwrap();
    assert_eq!(steps.ids("ckpt"), ["step-missing", "web-page"]);
}

#[test]
fn every_fault_of_a_state_file_has_an_id_and_a_line_that_mends_it() {
    let absolute = "model_checkpoint_path: \"/nowhere/ckpt-9\"";
    for (text, id) in [
        (None, "state-missing"),
        (Some(""), "state-empty"),
        (Some("all_model_checkpoint_paths: \"ckpt-9\""), "state-empty"),
        (Some("hello {"), "state-garbled"),
        (Some(absolute), "state-moved"),
        (Some("model_checkpoint_path: \"ckpt-10\""), "state-deleted-step"),
        (Some("model_checkpoint_path: \"ckpt-8\""), "state-behind"),
    ] {
        let steps = Steps::new(&["ckpt-8", "ckpt-9"]);
        match text {
            None => fs::remove_file(steps.at("checkpoint")).unwrap(),
            Some(text) => steps.write("checkpoint", text),
        }
        let found = steps.found("");
        assert_eq!(wrong(&found), [id]);
        assert!(lines(&found[0]).contains("ckpt-9')"), "{found:?}");
        assert_eq!(steps.ids("ckpt-9"), [""; 0], "the path needs no state file");
    }
}

#[test]
fn a_state_file_that_leads_to_another_directory_is_found() {
    let (steps, other) = (Steps::new(&["ckpt-9"]), Steps::new(&["ckpt-9"]));
    steps.state(other.at("ckpt-9").to_str().unwrap(), &["ckpt-9"]);
    assert_eq!(steps.ids(""), ["state-elsewhere"]);
    steps.state(steps.at("ckpt-9").to_str().unwrap(), &["ckpt-9"]);
    assert_eq!(steps.ids(""), [""; 0]);
}

#[test]
fn deleted_steps_are_told_from_two_managers() {
    let steps = Steps::new(&["ckpt-8", "ckpt-9"]);
    steps.state("ckpt-9", &["ckpt-6", "ckpt-7", "ckpt-9"]);
    let found = steps.found("");
    assert_eq!(wrong(&found), ["two-managers"]);
    assert!(
        found[0].evidence.contains("ckpt-6, ckpt-7") && found[0].evidence.contains("does not list ckpt-8")
    );
    steps.state("ckpt-9", &["ckpt-7", "ckpt-8", "ckpt-9"]);
    assert_eq!(steps.ids(""), ["state-lists-deleted"]);
}

#[test]
fn files_that_are_not_whole_are_named_with_the_newest_whole_step() {
    const DATA: &str = "ckpt-9.data-00000-of-00001";
    const LFS: &str = "version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 4816\n";
    for (file, text, id) in [
        (DATA, Some(LFS), "lfs-pointer"),
        (DATA, Some("<?xml version='1.0'?><Error><Code>AccessDenied</Code>"), "server-error"),
        (DATA, Some("{\"error\": \"login\"}"), "server-error"),
        (DATA, Some("PK\x03\x04"), "archive"),
        (DATA, Some(""), "empty-file"),
        (DATA, Some("shor"), "data-truncated"),
        (DATA, None, "data-missing"),
        ("ckpt-9.index", Some(LFS), "lfs-pointer"),
        ("ckpt-9.index", Some("<!DOCTYPE html>"), "web-page"),
        ("ckpt-9.index", Some(""), "empty-file"),
        ("ckpt-9.index", Some("something else"), "index-damaged"),
    ] {
        let steps = Steps::new(&["ckpt-8", "ckpt-9"]);
        match text {
            Some(text) => steps.write(file, text),
            None => fs::remove_file(steps.at(file)).unwrap(),
        }
        let found = steps.found("");
        assert_eq!(wrong(&found), [id, "newest-not-whole"], "{file} {text:?}");
        assert!(found[0].evidence.contains(file) && lines(&found[0]).contains("ckpt-8')"), "{found:?}");
        assert_eq!(steps.ids("ckpt-9"), [id]);
    }
}

#[test]
fn a_save_that_never_finished_and_data_without_an_index_are_found() {
    let steps = Steps::new(&["ckpt-8", "ckpt-9"]);
    fs::create_dir(steps.at("ckpt-10_temp")).unwrap();
    steps.write("ckpt-10_temp/part-00000-of-00001.data-00000-of-00001", "x");
    steps.write("ckpt-7.data-00000-of-00001", "x");
    let found = steps.found("");
    assert_eq!(wrong(&found), ["index-missing", "half-written"]);
    assert!(found.iter().take(2).all(|finding| lines(finding).contains("ckpt-9')")));
    assert_eq!(steps.ids("ckpt-10"), ["half-written"]);
    fs::create_dir(steps.at("first")).unwrap();
    fs::rename(steps.at("ckpt-10_temp"), steps.at("first/ckpt-1_temp")).unwrap();
    assert_eq!(steps.ids("first"), ["no-checkpoints", "half-written"]);
    assert_eq!(steps.ids("ckpt-7.data-00000-of-00001"), ["index-missing"]);
}

#[test]
fn a_damaged_value_is_named_with_its_place_and_taken_from_a_sound_step() {
    let steps = Steps::new(&["ckpt-7", "ckpt-8", "ckpt-9"]);
    let data = steps.at("ckpt-9.data-00000-of-00001");
    let variable = source::open(&steps.at("ckpt-9")).unwrap().catalog.variables[0].clone();
    let at = variable.tensor.ranges()[0].1 as usize;
    let flip = |path: &Path| {
        let mut bytes = fs::read(path).unwrap();
        bytes[at] ^= 4;
        fs::write(path, bytes).unwrap();
    };
    flip(&data);
    flip(&steps.at("ckpt-8.data-00000-of-00001"));
    let found = examine(&steps.at("ckpt-9"), true);
    assert_eq!(wrong(&found), ["values-damaged"]);
    assert!(found[0].evidence.contains(&format!("{} ", variable.name)), "{found:?}");
    assert!(found[0].evidence.contains("of ckpt-9.data-00000-of-00001"), "{found:?}");
    let take = format!("--take '{}={}'", variable.name, steps.at("ckpt-7").display());
    assert!(lines(&found[0]).contains(&take), "the older step is damaged there too: {found:?}");

    let stored = variable.tensor.crc32c.unwrap().unmask();
    assert!(found[0].evidence.contains(&format!("(\"stored {stored}\")")), "{found:?}");
    let owners = variable_with_checksum(&steps.at("ckpt-9"), stored);
    assert_eq!((owners.len(), owners[0].is_intact), (1, false));
    assert_eq!((&owners[0].name, owners[0].prefix.clone()), (&variable.name, steps.at("ckpt-9")));
    assert_eq!(owners[0].range, Some((data, at as u64, variable.tensor.len())));
    assert!(owners[0].mends.iter().any(|mend| matches!(mend, Mend::Command(line) if line.contains(&take))));
    let all = variable_with_checksum(&steps.at(""), stored);
    let sound = all.iter().map(|owner| owner.is_intact).collect::<Vec<_>>();
    assert_eq!(sound, [false, false, true], "the damaged ones come first");
    assert!(variable_with_checksum(&steps.at("ckpt-9"), stored ^ 1).is_empty());
    assert!(variable_with_checksum(&steps.at("missing"), stored).is_empty());
}

#[test]
fn a_path_with_brackets_is_mounted_elsewhere() {
    let steps = Steps::new(&["ckpt-9"]);
    let run = steps.at("run[1]");
    fs::create_dir(&run).unwrap();
    for file in ["ckpt-9.index", "ckpt-9.data-00000-of-00001", "checkpoint"] {
        fs::rename(steps.at(file), run.join(file)).unwrap();
    }
    for (path, restored) in [("run[1]/ckpt-9", "/ckpt-9')"), ("run[1]", "latest_checkpoint('m")] {
        let found = steps.found(path);
        assert_eq!(wrong(&found), ["pattern-in-path"]);
        assert!(
            lines(&found[0]).contains("ckptfs mount '") && lines(&found[0]).contains(restored),
            "{found:?}"
        );
    }
}

#[test]
fn a_saved_model_below_and_a_path_in_a_mount_are_recognized() {
    let steps = Steps::new(&["ckpt-9"]);
    fs::create_dir_all(steps.at("sm/m/variables")).unwrap();
    steps.write("sm/m/saved_model.pb", "");
    for suffix in ["index", "data-00000-of-00001"] {
        let to = steps.at("sm/m/variables/variables").with_added_extension(suffix);
        fs::rename(steps.at("ckpt-9").with_added_extension(suffix), to).unwrap();
    }
    let found = steps.found("sm");
    assert_eq!(wrong(&found), ["saved-model-below"]);
    assert!(lines(&found[0]).starts_with("tf.saved_model.load('"), "{found:?}");
    let model = steps.found("sm/m");
    assert_eq!(wrong(&model), [""; 0]);
    assert!(lines(of(&model, "restore-calls")).contains("tf.saved_model.load('"), "{model:?}");
    fs::create_dir(steps.at("sm/.ckptfs")).unwrap();
    steps.write("sm/.ckptfs/status.json", "{}");
    let mounted = steps.found("sm/m");
    assert!(lines(of(&mounted, "read-only-mount")).contains("sm-new', max_to_keep=5)"), "{mounted:?}");
}

#[test]
fn a_file_that_may_not_be_read_is_named_with_its_mode() {
    if rustix::process::geteuid().is_root() {
        return assert_eq!(rights::on_the_way(Path::new("/root")), None, "root may read everything");
    }
    let steps = Steps::new(&["ckpt-9"]);
    let data = steps.at("ckpt-9.data-00000-of-00001");
    fs::set_permissions(&data, fs::Permissions::from_mode(0o000)).unwrap();
    let found = steps.found("ckpt-9");
    assert_eq!(wrong(&found), ["not-readable"]);
    assert!(
        found[0].evidence.contains("---------- ") && lines(&found[0]).contains("chmod u+r "),
        "{found:?}"
    );
}

#[test]
fn loops_of_symlinks_and_hostile_names_end_in_findings() {
    let steps = Steps::new(&["ckpt-9"]);
    symlink("loop", steps.at("loop")).unwrap();
    symlink(".", steps.at("here")).unwrap();
    steps.copy("it's; touch x;\n-1");
    for path in ["loop", "loop/ckpt-9", "here/here/here/nothing", "it's; touch x;\n"] {
        assert!(!steps.found(path).is_empty(), "{path}");
    }
    let found = steps.found("it's; touch x;\n");
    let commands = found.iter().flat_map(|finding| &finding.mends).filter_map(|mend| match mend {
        Mend::Command(line) => Some(shlex::split(line).unwrap()),
        _ => None,
    });
    let path = steps.at("it's; touch x;\n-1").display().to_string();
    assert_eq!(commands.collect::<Vec<_>>(), [["ckptfs", "ls", &path]]);
    assert!(!found[0].evidence.contains(";\n"), "{found:?}");
}

#[test]
fn of_many_checkpoints_only_the_newest_are_opened() {
    let steps = Steps::new(&["ckpt-1"]);
    let (index, data) = (steps.at("ckpt-1.index"), steps.at("ckpt-1.data-00000-of-00001"));
    for step in 2..5_000 {
        fs::hard_link(&index, steps.at(&format!("ckpt-{step}.index"))).unwrap();
        fs::hard_link(&data, steps.at(&format!("ckpt-{step}.data-00000-of-00001"))).unwrap();
    }
    steps.state("ckpt-4999", &["ckpt-4999"]);
    let found = steps.found("");
    assert_eq!(wrong(&found), [""; 0]);
    assert!(of(&found, "contents").evidence.contains("ckpt-4999: "), "{found:?}");
}
