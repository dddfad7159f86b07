//! The words of the code: doc comments say first what an item is or does, and plain words stand everywhere.

use regex::Regex;

use crate::project_files::{files, read};

/// Words that a reader has to look up or read twice, and words that make people the agents of code.
pub(crate) const BANNED: &[&str] = &[
    r"reckon\w*",
    r"fares?",
    r"anew",
    r"shall",
    r"dear",
    r"lends? a hand",
    r"(gives?|gave|giving) way",
    r"held against",
    r"holds each",
    r"came of",
    r"by its own account",
    r"somebody",
    r"someone",
    r"anybody",
    r"nobody",
    r"whoever",
    r"kin",
    r"thereof",
    r"wherein",
    r"to be had",
    r"as of now",
    r"for want of",
];

/// Directories and files whose words count, beside the documents.
const PLACES: &[&str] = &[
    "src",
    "tests",
    "scripts",
    "maps",
    "benches",
    "examples",
    "fuzz/fuzz_targets",
    "contrib",
    ".ci",
    "Cargo.toml",
];

/// This list of words, and files that programs wrote.
const EXCEPT: &[&str] =
    &["tests/project/words.rs", "tests/fixtures/", "tests/proptest-regressions/", "__pycache__/"];

/// The share of doc comments, in percent, that may open with a question word.
const SHARE: usize = 5;

#[test]
fn doc_comments_do_not_open_with_a_question_word() {
    let question = Regex::new(r"^//[/!] (What|Whether|How|Who|Whose|Which|Those)\b").unwrap();
    let (mut all, mut questions) = (0, Vec::new());
    for file in files("src").into_iter().filter(|file| file.ends_with(".rs")) {
        let text = read(&file);
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        let is_doc = |line: &str| line.starts_with("///") || line.starts_with("//!");
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| is_doc(line)) {
            let opens = at == 0 || !is_doc(lines[at - 1]);
            all += usize::from(opens);
            if opens && question.is_match(line) {
                questions.push(format!("{file}:{}: {line}", at + 1));
            }
        }
    }
    assert!(all > 1000, "{all} doc comments");
    let share = questions.len() * 100 / all;
    assert!(share <= SHARE, "{share} % open with a question word:\n  {}", questions.join("\n  "));
}

#[test]
fn code_scripts_and_maps_use_plain_words() {
    let banned = Regex::new(&format!(r"(?i)\b({})\b", BANNED.join("|"))).unwrap();
    let files = PLACES.iter().flat_map(|place| files(place));
    let files = files.filter(|file| !EXCEPT.iter().any(|except| file.contains(except)));
    let found: Vec<_> = files.flat_map(|file| matches(&file, &banned)).collect();
    assert!(found.is_empty(), "words that are not plain:\n  {}", found.join("\n  "));
}

/// Returns the lines of a document in which a pattern occurs.
pub(crate) fn matches(document: &str, pattern: &Regex) -> Vec<String> {
    let text = read(document);
    let found = text.lines().enumerate().filter_map(|(number, line)| {
        pattern.find(line).map(|word| format!("{document}:{}: {}", number + 1, word.as_str()))
    });
    found.collect()
}
