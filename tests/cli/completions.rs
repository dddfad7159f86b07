//! Completion in shells. For bash, the script of `ckptfs completions bash` is sourced, and its function gets the
//! words as bash splits them.

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::support::bundle::Bundle;
use crate::support::{CKPTFS, stderr, stdout};

fn checkpoint() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    Bundle::new()
        .floats("bert/embeddings/word", &[1.0])
        .floats("bert/encoder/kernel", &[1.0])
        .floats("module.head", &[1.0])
        .floats("step", &[1.0])
        .write(&dir.path().join("CK"));
    dir
}

/// Runs bash with a function `complete_words LINE CURRENT WORD…` that prints what a TAB after LINE offers. CURRENT is
/// the
/// word that bash passes to a completer. WORD… are the words that bash splits LINE into.
fn bash(dir: &Path, call: &str) -> Output {
    let script = r#"
        source <(ckptfs completions bash)
        complete_words() {
            COMP_LINE=$1 COMP_POINT=${#1} current=$2; shift 2
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_TYPE=9 COMPREPLY=()
            _ckptfs ckptfs "$current" "${COMP_WORDS[COMP_CWORD - 1]}"
            printf '%s\n' "${COMPREPLY[@]}"
        }
    "#;
    let path =
        format!("{}:{}", Path::new(CKPTFS).parent().unwrap().display(), std::env::var("PATH").unwrap());
    let script = format!("{script}\n{call}");
    let mut command = Command::new("bash");
    command
        .args(["--norc", "--noprofile", "-c", &script])
        .current_dir(dir)
        .env("PATH", path)
        .output()
        .unwrap()
}

/// Returns the words that bash offers. Standard error must be empty.
#[track_caller]
fn offered(call: &str) -> Vec<String> {
    let dir = checkpoint();
    let output = bash(dir.path(), &format!("complete_words {call}"));
    assert!(output.status.success() && stderr(&output).is_empty(), "{call}: {}", stderr(&output));
    stdout(&output).lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[test]
fn bundled_maps_are_offered_after_an_at_sign() {
    let all = offered("'ckptfs check CK --map @' @ ckptfs check CK --map @");
    assert!(all.contains(&"@ddp".to_owned()) && all.contains(&"@bert-to-huggingface".to_owned()), "{all:?}");
    assert!(all.iter().all(|map| map.starts_with('@')), "{all:?}");
    assert_eq!(offered("'ckptfs check CK --map @dd' @dd ckptfs check CK --map @ dd"), ["@ddp"]);
    assert_eq!(offered("'ckptfs check CK --map=@dd' @dd ckptfs check CK --map =@ dd"), ["@ddp"]);
    assert_eq!(offered("'ckptfs maps show dd' dd ckptfs maps show dd"), ["ddp"]);
}

#[test]
fn variable_names_are_offered_one_component_at_a_time() {
    let below = ["bert/embeddings/", "bert/encoder/"];
    assert_eq!(offered("'ckptfs cat CK ber' ber ckptfs cat CK ber"), below);
    assert_eq!(offered("'ckptfs ls CK ber' ber ckptfs ls CK ber"), below);
    assert_eq!(offered("'ckptfs cat CK bert/en' bert/en ckptfs cat CK bert/en"), ["bert/encoder/kernel"]);
    assert_eq!(offered("\"ckptfs ls CK 'ber\" ber ckptfs ls CK \"'ber\""), below);
    assert!(offered("'ckptfs cat CK nothing' nothing ckptfs cat CK nothing").is_empty());
}

#[test]
fn rules_complete_source_names_and_cat_completes_mapped_names() {
    let drop = "'ckptfs mount CK m --drop mod' mod ckptfs mount CK m --drop mod";
    assert_eq!(offered(drop), ["module.head"]);
    assert_eq!(offered("'ckptfs check CK --rename st' st ckptfs check CK --rename st"), ["step="]);
    assert_eq!(offered("'ckptfs diff CK CK --rename st' st ckptfs diff CK CK --rename st"), ["step="]);
    let mapped = "'ckptfs cat CK --map @ddp hea' hea ckptfs cat CK --map @ ddp hea";
    assert_eq!(offered(mapped), ["head"]);
}

#[test]
fn what_wanted_has_completes_the_flags_about_it() {
    let missing = |last: &str| {
        offered(&format!(
            "'ckptfs ls CK --like CK --missing {last}' {last} ckptfs ls CK --like CK --missing {last}"
        ))
    };
    assert_eq!(missing("st"), ["step"]);
    assert_eq!(missing("z"), ["zeros"]);
    assert_eq!(offered("'ckptfs ls CK --like CK --new st' st ckptfs ls CK --like CK --new st"), ["step"]);
    assert_eq!(offered("'ckptfs ls CK --pair st' st ckptfs ls CK --pair st"), ["step="]);
}

#[test]
fn completion_with_an_invalid_source_is_not_an_error() {
    assert!(offered("'ckptfs cat nowhere ber' ber ckptfs cat nowhere ber").is_empty());
    assert!(offered("'ckptfs cat CK --map @none ber' ber ckptfs cat CK --map @ none ber").is_empty());
}

#[test]
fn commands_flags_and_files_are_offered_too() {
    assert_eq!(offered("'ckptfs exp' exp ckptfs exp"), ["export"]);
    assert_eq!(offered("'ckptfs ls CK --drop-o' --drop-o ckptfs ls CK --drop-o"), ["--drop-optimizer"]);
    assert_eq!(offered("'ckptfs ls CK.i' CK.i ckptfs ls CK.i"), ["CK.index"]);
    #[cfg(feature = "fuse")]
    assert_eq!(
        offered("'ckptfs mount CK m --show npy,ra' npy,ra ckptfs mount CK m --show npy,ra"),
        ["npy,raw"]
    );
}

#[test]
fn zsh_and_fish_scripts_call_ckptfs() {
    for shell in ["zsh", "fish"] {
        let script = stdout(&Command::new(CKPTFS).args(["completions", shell]).output().unwrap());
        assert!(script.contains("CKPTFS_COMPLETE") && script.contains("-- "), "{shell}: {script}");
        let (dir, mut command) = (checkpoint(), Command::new(CKPTFS));
        command.env("CKPTFS_COMPLETE", shell).env("_CLAP_COMPLETE_INDEX", "3").current_dir(dir.path());
        let asked = command.args(["--", "ckptfs", "cat", "CK", "st"]).output().unwrap();
        assert_eq!((stdout(&asked).trim_end(), stderr(&asked).as_str()), ("step", ""), "{shell}");
    }
}
