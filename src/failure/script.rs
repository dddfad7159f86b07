//! The program in which a failure happened, as Python's traceback names it.

use std::sync::LazyLock;

use regex::Regex;

/// A frame of a traceback that is the body of a file.
static FRAME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"File "([^"\n]+)", line \d+, in <module>"#).expect("the pattern is sound"));

/// The parts of paths that are not the user's program.
const OF_PYTHON: &[&str] = &["/site-packages/", "/dist-packages/", "/lib/python"];

/// Returns the path of the program: the first file of a traceback whose body ran and that is not a part of Python.
pub(crate) fn script(text: &str) -> Option<&str> {
    let frames = FRAME.captures_iter(text).filter_map(|frame| Some(frame.get(1)?.as_str()));
    let is_program = |path: &&str| {
        !path.starts_with('<')
            && !path.contains(char::is_control)
            && !OF_PYTHON.iter().any(|part| path.contains(part))
    };
    frames.into_iter().find(is_program)
}
