//! The documents: the README is short and links to every page, links lead to existing files and headings, the words
//! are plain,
//! and the named flags and versions exist. A build without `fuse` lacks commands whose flags are named.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use regex::Regex;

use crate::project_files::{read, root};
use crate::support::{ckptfs, list, stdout};
use crate::words::{BANNED, matches};

/// The documents outside docs/.
const OTHERS: &[&str] =
    &["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "contrib/README.md"];

/// The pages that the README links to directly, because a new user needs them: to mount, to write a map, to fix an
/// error, to contribute.
const ONE_CLICK: &[&str] = &[
    "#install",
    "docs/mount.md",
    "docs/guide.md",
    "docs/maps.md",
    "docs/troubleshooting.md",
    "CONTRIBUTING.md",
];

#[test]
fn the_readme_has_at_most_900_words() {
    let text = prose(&read("README.md"));
    let words = text.lines().filter(|line| !line.starts_with('|')).flat_map(str::split_whitespace).count();
    assert!((200..=900).contains(&words), "{words} words");
}

#[test]
fn the_readme_leads_to_every_page_with_one_click() {
    let readme = read("README.md");
    let links: BTreeSet<_> = links(&readme).into_iter().map(|(_, target)| target).collect();
    assert!(links.len() >= 20, "{} links", links.len());
    let missing: Vec<_> = ONE_CLICK.iter().filter(|page| !links.contains(**page)).collect();
    assert!(missing.is_empty(), "the README has no link to {missing:?}");

    let pages = links.iter().map(|link| link.split('#').next().unwrap_or_default().to_owned());
    let pages: BTreeSet<_> = pages.collect();
    let unlinked: Vec<_> = documents().into_iter().filter(|page| !pages.contains(page)).collect();
    assert_eq!(unlinked, ["README.md"], "pages without a link in the README");
}

#[test]
fn every_relative_link_leads_to_a_file_and_a_heading() {
    let broken: Vec<_> = documents().iter().flat_map(|document| broken_links(document)).collect();
    assert!(broken.is_empty(), "broken links:\n  {}", broken.join("\n  "));
}

#[test]
fn the_documents_use_plain_words() {
    let banned = Regex::new(&format!(r"(?i)\b({})\b", BANNED.join("|"))).unwrap();
    let found: Vec<_> = documents().iter().flat_map(|document| matches(document, &banned)).collect();
    assert!(found.is_empty(), "words that are not plain:\n  {}", found.join("\n  "));
}

#[test]
fn documents_do_not_write_is_no_for_is_not() {
    let negation = Regex::new(r"(?i)(\w+)\s+(is|are) no (\w+)").unwrap();
    let found = |document: &String| {
        let text = prose(&read(document));
        let plain = |found: &regex::Captures<'_>| {
            ["there", "it"].contains(&found[1].to_lowercase().as_str()) || &found[3] == "longer"
        };
        let bad = negation.captures_iter(&text).filter(|found| !plain(found));
        bad.map(|found| format!("{document}: {}", &found[0])).collect::<Vec<_>>()
    };
    let found: Vec<_> = documents().iter().flat_map(found).collect();
    assert!(found.is_empty(), "say what it is not: {found:?}");
}

#[test]
fn the_readme_names_the_rust_version_of_the_manifest() {
    let manifest = read("Cargo.toml");
    let version = Regex::new(r#"(?m)^rust-version = "(.+)"$"#).unwrap();
    let version = version.captures(&manifest).expect("a rust-version")[1].to_owned();
    let named = format!("Rust {version} or later");
    assert!(read("README.md").contains(&named), "the README does not say {named:?}");
}

#[test]
fn every_flag_that_troubleshooting_names_exists() {
    let flag = Regex::new(r"--[a-z][a-z0-9-]+").unwrap();
    let flags =
        |text: &str| flag.find_iter(text).map(|flag| flag.as_str().to_owned()).collect::<BTreeSet<_>>();
    let commands = ["mount", "run", "ls", "cat", "check", "export", "maps", "status", "umount", "doctor"];
    let known: BTreeSet<_> =
        commands.iter().flat_map(|command| flags(&stdout(&ckptfs([command, "--help"])))).collect();
    let named = flags(&read("docs/troubleshooting.md"));
    let unknown: Vec<_> = named.difference(&known).collect();
    assert!(named.len() > 10 && unknown.is_empty(), "flags that no command has: {unknown:?}");
}

#[test]
fn a_heading_has_the_anchor_that_github_gives_it() {
    assert_eq!(anchor("## When the source changes"), "when-the-source-changes");
    assert_eq!(anchor("## `ckptfs ls --json`"), "ckptfs-ls---json");
    assert_eq!(anchor("# No error, but wrong or random weights"), "no-error-but-wrong-or-random-weights");
}

/// Returns all documents, by their paths below the root.
fn documents() -> Vec<String> {
    let docs = list(&root().join("docs")).into_iter().map(|name| format!("docs/{name}"));
    OTHERS.iter().map(|path| (*path).to_owned()).chain(docs).collect()
}

/// Returns a document without its fenced blocks.
fn prose(text: &str) -> String {
    let mut fenced = false;
    let keep = |line: &&str| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    };
    text.lines().filter(keep).map(|line| format!("{line}\n")).collect()
}

/// Returns the links of a document: the text and the target of each.
fn links(text: &str) -> Vec<(String, String)> {
    let link = Regex::new(r"\[([^\]]+)\]\(([^)\s]+)\)").unwrap();
    let text = prose(text);
    link.captures_iter(&text).map(|found| (found[1].to_owned(), found[2].to_owned())).collect()
}

/// Returns the relative links of a document that lead nowhere.
fn broken_links(document: &str) -> Vec<String> {
    let targets = links(&read(document)).into_iter().map(|(_, target)| target);
    let relative = targets.filter(|target| !target.contains("://") && !target.starts_with("mailto:"));
    let broken = relative.filter(|target| !leads_somewhere(document, target));
    broken.map(|target| format!("{document}: {target}")).collect()
}

fn leads_somewhere(document: &str, target: &str) -> bool {
    let (path, heading) = target.split_once('#').unwrap_or((target, ""));
    let directory = Path::new(document).parent().unwrap_or(Path::new(""));
    let file = if path.is_empty() { root().join(document) } else { root().join(directory).join(path) };
    let Ok(text) = fs::read_to_string(&file) else { return false };
    let prose = prose(&text);
    heading.is_empty() || prose.lines().any(|line| line.starts_with('#') && anchor(line) == heading)
}

/// Returns the anchor of a heading, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let title = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}
