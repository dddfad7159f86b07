//! `ckptfs doctor`: what it prints, its exit codes, and the lines that it prints, run in a shell.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::support::bundle::Bundle;
use crate::support::{CKPTFS, ckptfs, stderr, stdout};

/// A directory with two steps and their state file.
fn train() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for step in ["ckpt-2", "ckpt-3"] {
        Bundle::new()
            .floats("a", &[2.0])
            .floats("b", &[3.0, 4.0])
            .write(&dir.path().join("train").join(step));
    }
    let state = "model_checkpoint_path: \"ckpt-3\"\nall_model_checkpoint_paths: \"ckpt-3\"\n";
    fs::write(dir.path().join("train/checkpoint"), state).unwrap();
    dir
}

/// Runs `ckptfs doctor` in a directory. Returns the exit code and standard output; standard error must be empty.
#[track_caller]
fn doctor(dir: &Path, args: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(CKPTFS).arg("doctor").args(args).current_dir(dir).output().unwrap();
    assert_eq!(stderr(&output), "");
    (output.status.code(), stdout(&output))
}

/// Returns the command lines of an output: they are indented by four blanks.
fn commands(text: &str) -> Vec<String> {
    text.lines().filter_map(|line| line.strip_prefix("    ")).map(str::to_owned).collect()
}

/// Runs a line in a shell that finds the ckptfs under test.
fn sh(dir: &Path, line: &str) -> Output {
    let bin = Path::new(CKPTFS).parent().unwrap().display();
    let path = format!("{bin}:{}", std::env::var("PATH").unwrap());
    Command::new("sh").args(["-c", line]).current_dir(dir).env("PATH", path).output().unwrap()
}

#[test]
fn a_healthy_checkpoint_takes_a_few_lines_and_exits_with_0() {
    let dir = train();
    for args in [&["train"][..], &["train/ckpt-3"], &["train/", "--data"]] {
        let (code, text) = doctor(dir.path(), args);
        assert_eq!(code, Some(0), "{text}");
        assert!(text.lines().count() <= 6, "{text}");
        let start = "note[contents]: train/ckpt-3: name-based (a Saver of TensorFlow 1), 2 variables, 12 bytes. Its files";
        assert!(text.contains(start), "{text}");
        assert!(
            text.contains(
                "\n  in the program:  tf.compat.v1.train.Saver().restore(session, 'train/ckpt-3')\n"
            ),
            "{text}"
        );
    }
    let (code, text) = doctor(&dir.path().join("train"), &[]);
    assert!(
        code == Some(0) && text.contains("]: ckpt-3: name-based"),
        "the default is the working directory: {text}"
    );
}

#[test]
fn an_error_or_a_warning_exits_with_1_and_wrong_usage_with_2() {
    let dir = train();
    assert_eq!(doctor(dir.path(), &["train/ckpt"]).0, Some(1));
    fs::remove_file(dir.path().join("train/checkpoint")).unwrap();
    assert_eq!(doctor(dir.path(), &["train"]).0, Some(1));
    assert_eq!(ckptfs(["doctor", "--deep"]).status.code(), Some(2));
    assert_eq!(ckptfs(["doctor", "a", "b"]).status.code(), Some(2));
}

#[test]
fn a_directory_that_was_used_as_a_prefix_is_explained_with_the_line_for_the_program() {
    let dir = tempfile::tempdir().unwrap();
    Bundle::new().floats("w", &[1.0]).write(&dir.path().join("training_checkpoints-1"));
    let (code, text) = doctor(dir.path(), &["./training_checkpoints"]);
    let absolute = dir.path().join("training_checkpoints-1");
    let expected = format!(
        "error[directory-as-prefix]: ./training_checkpoints: it is a prefix, not a directory: \
         save('./training_checkpoints') wrote training_checkpoints-1.
  So tf.train.latest_checkpoint('./training_checkpoints') is None, and restore(None) does nothing, without a word.
  training_checkpoints-1 has 1 variable.
  absolute: {}
  in the program:  saver.restore(session, 'training_checkpoints-1')
    ckptfs ls training_checkpoints-1
  help: to have a directory, save as './training_checkpoints/ckpt' from now on
",
        absolute.display()
    );
    assert_eq!((code, text.as_str()), (Some(1), expected.as_str()));
    fs::create_dir(dir.path().join("training_checkpoints")).unwrap();
    assert_eq!(
        doctor(dir.path(), &["./training_checkpoints"]).1,
        expected,
        "an empty directory of that name"
    );
    let output =
        Command::new(CKPTFS).args(["ls", "training_checkpoints"]).current_dir(dir.path()).output().unwrap();
    assert!(stderr(&output).contains("help: ckptfs ls training_checkpoints-1"), "{}", stderr(&output));
}

#[test]
fn the_other_commands_end_with_the_same_inference() {
    let dir = train();
    let refused = |command: &str, path: &str| {
        let output = Command::new(CKPTFS)
            .args([command, path])
            .current_dir(dir.path().join("train"))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        stderr(&output)
    };
    let absolute = dir.path().join("train/ckpt-3").display().to_string();
    let here = dir.path().join("train").display().to_string();
    for command in ["ls", "check"] {
        let said = refused(command, "./train/ckpt-3");
        assert!(said.contains(&format!("there is no train in {here} (the working directory)")), "{said}");
        assert!(said.contains(&format!("help: ckptfs ls ./ckpt-3    # absolute: {absolute}")), "{said}");
        assert!(refused(command, "~/no/ckpt-3").contains("only a shell expands `~`"));
        assert!(refused(command, r"..\train\ckpt-3").contains("help: ckptfs ls ../train/ckpt-3"));
        assert!(refused(command, "ckpt").contains("help: ckptfs ls ckpt-3"));
    }
}

#[test]
fn a_saved_model_below_is_named_with_the_call_that_loads_it() {
    let dir = tempfile::tempdir().unwrap();
    Bundle::new().floats("w", &[1.0]).write(&dir.path().join("sm/m/variables/variables"));
    fs::write(dir.path().join("sm/m/saved_model.pb"), "").unwrap();
    let refused = Command::new(CKPTFS).args(["check", "sm"]).current_dir(dir.path()).output().unwrap();
    let said = stderr(&refused);
    assert!(said.contains("no checkpoints in this directory; it holds 1 directory\n"), "{said}");
    assert!(said.contains("one level below: sm/m (a SavedModel)\n"), "{said}");
    assert!(said.ends_with("  help: in the program, tf.saved_model.load('sm/m')\n"), "{said}");
    let (code, text) = doctor(dir.path(), &["sm"]);
    assert!(code == Some(1) && text.contains("sm/m is a SavedModel (1 variable)"), "{text}");
    assert!(
        text.contains("\n  in the program:  tf.saved_model.load('sm/m')\n    ckptfs check sm/m\n"),
        "{text}"
    );
}

#[test]
fn a_printed_state_file_is_one_that_ckptfs_reads() {
    for text in
        ["", "hello {", "model_checkpoint_path: \"/gone/ckpt-3\"", "model_checkpoint_path: \"ckpt-9\""]
    {
        let dir = train();
        fs::write(dir.path().join("train/checkpoint"), text).unwrap();
        let (_, said) = doctor(dir.path(), &["train"]);
        let mends = commands(&said);
        let line = mends.iter().find(|line| line.starts_with("printf ")).unwrap();
        assert!(sh(dir.path(), line).status.success(), "{line}");
        assert_eq!(doctor(dir.path(), &["train"]).0, Some(0), "{line}");
    }
}

#[test]
fn every_printed_command_runs_with_hostile_names() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["-x y'; touch hacked; '", "a\n\u{1b}[31mb", "$(touch hacked)"] {
        Bundle::new().floats("w", &[1.0]).write(&dir.path().join(format!("{name}-7")));
        let output =
            Command::new(CKPTFS).args(["doctor", "--", name]).current_dir(dir.path()).output().unwrap();
        let text = stdout(&output);
        assert!(!text.contains('\u{1b}') && output.status.code() == Some(1), "{text}");
        let json = Command::new(CKPTFS)
            .args(["doctor", "--json", "--", name])
            .current_dir(dir.path())
            .output()
            .unwrap();
        let findings: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
        let mends = findings[0]["mends"].as_array().unwrap();
        let lines: Vec<_> = mends.iter().filter(|mend| mend["kind"] == "command").collect();
        assert_eq!(lines.len(), 1, "{findings}");
        let ran = sh(dir.path(), lines[0]["line"].as_str().unwrap());
        assert_eq!((ran.status.code(), stdout(&ran)), (Some(0), "w\n".into()), "{findings}");
    }
    assert!(!dir.path().join("hacked").exists());
}

/// Runs `ckptfs doctor` as a user who owns nothing, if this process may do so.
fn as_other(args: &[&OsStr]) -> Option<Output> {
    let ids = ["--reuid=65534", "--regid=65534", "--clear-groups", "--"];
    let is_root = rustix::process::geteuid().is_root();
    is_root.then(|| Command::new("setpriv").args(ids).args(args).output().unwrap())
}

#[test]
fn a_component_without_rights_is_named_with_its_owner_and_the_command_that_grants_them() {
    let dir = train();
    let binary = dir.path().join("ckptfs");
    fs::copy(CKPTFS, &binary).unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    let (train, prefix) = (dir.path().join("train"), dir.path().join("train/ckpt-3"));
    let data = dir.path().join("train/ckpt-3.data-00000-of-00001");
    for (path, mode, letters, id, bits) in [
        (&train, 0o700, "drwx------", "not-searchable", "o+rx"),
        (&data, 0o600, "-rw-------", "not-readable", "o+r"),
    ] {
        let before = fs::metadata(path).unwrap().permissions();
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        let examine = || as_other(&[binary.as_os_str(), "doctor".as_ref(), prefix.as_os_str()]);
        let Some(output) = examine() else { return };
        let said = stdout(&output);
        let start = format!("error[{id}]: {}  {letters} root, you are ", path.display());
        assert!(said.starts_with(&start) && output.status.code() == Some(1), "{said}");
        assert!(
            said.contains("  help: ask root (or root) to run this:\n") || said.contains("ask root"),
            "{said}"
        );
        let line = commands(&said).into_iter().find(|line| line.starts_with("chmod ")).unwrap();
        assert_eq!(line, format!("chmod {bits} {}", path.display()));
        assert!(sh(dir.path(), &line).status.success());
        assert_eq!(examine().unwrap().status.code(), Some(0));
        fs::set_permissions(path, before).unwrap();
    }
}

#[test]
fn what_you_own_you_can_grant_yourself() {
    let dir = train();
    let (binary, data) = (dir.path().join("ckptfs"), dir.path().join("train/ckpt-3.data-00000-of-00001"));
    fs::copy(CKPTFS, &binary).unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    if chown(&data, Some(65534), Some(65534)).is_err() {
        return;
    }
    fs::set_permissions(&data, Permissions::from_mode(0o044)).unwrap();
    let prefix = dir.path().join("train/ckpt-3");
    let examine = || as_other(&[binary.as_os_str(), "doctor".as_ref(), prefix.as_os_str()]).unwrap();
    let said = stdout(&examine());
    let line = commands(&said).into_iter().find(|line| line.starts_with("chmod u+r ")).unwrap();
    let grant = as_other(&["sh".as_ref(), "-c".as_ref(), line.as_ref()]).unwrap();
    assert!(grant.status.success() && !said.contains("ask "), "{said}");
    assert_eq!(examine().status.code(), Some(0));
}
