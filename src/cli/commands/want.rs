//! `ckptfs want`: prints the lines of Python that write WANT, which `diff`, `suggest` and `--like` read.
//!
//! | API | writes | because |
//! |---|---|---|
//! | Saver | a table | it needs no session, no initializer and no change of the graph |
//! | Checkpoint | a checkpoint | only that has the object graph |
//! | Keras | `.weights.h5` | only that has the paths of the layers |

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use crate::cli::error::Usage;
use crate::name::printable;

/// Print the lines of Python that write what a program would save
///
/// Put them into the program that restores. They write names, shapes and the object graph, for `ckptfs diff` and --like.
/// They refuse a model that is not built, because that has no variables yet.
#[derive(clap::Args)]
#[command(after_long_help = "Examples:
  $ ckptfs want --checkpoint
  $ ckptfs want --saver -o wanted.tsv
  $ ckptfs want --keras -o new.weights.h5")]
pub(crate) struct Args {
    /// For tf.compat.v1.train.Saver (TF1, Estimator): a table of the graph's variables
    #[arg(long, group = "api", required_unless_present_any = ["checkpoint", "keras"])]
    saver: bool,
    /// For tf.train.Checkpoint: a checkpoint
    #[arg(long, group = "api")]
    checkpoint: bool,
    /// For Model.load_weights of Keras: a file .weights.h5
    #[arg(long, group = "api")]
    keras: bool,
    /// The file that the lines write
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// The lines for an API. `FILE` in them stands for the file.
struct Lines {
    /// The file, if the user names none.
    file: &'static str,
    /// The ending that the file must have.
    ending: &'static str,
    text: &'static str,
}

const SAVER: Lines = Lines { file: "wanted.tsv", ending: ".tsv", text: include_str!("want_saver.py") };
const CHECKPOINT: Lines = Lines { file: "wanted", ending: "", text: include_str!("want_checkpoint.py") };
const KERAS: Lines =
    Lines { file: "wanted.weights.h5", ending: ".weights.h5", text: include_str!("want_keras.py") };

impl Args {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let lines = match self {
            Self { saver: true, .. } => SAVER,
            Self { checkpoint: true, .. } => CHECKPOINT,
            _ => KERAS,
        };
        let path = self.output.clone().unwrap_or_else(|| lines.file.into());
        let Some(path) = path.to_str() else {
            return Err(Usage(format!(
                "-o {}: the name is not UTF-8, so Python cannot spell it",
                path.display()
            ))
            .into());
        };
        if !path.ends_with(lines.ending) {
            return Err(Usage(format!(
                "-o {}: the name must end in {}",
                printable(path.as_bytes()),
                lines.ending
            ))
            .into());
        }
        io::stdout().write_all(lines.text.replace("FILE", &literal(path)).as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Returns a text as a literal of Python.
fn literal(text: &str) -> String {
    let escaped = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        c if c.is_control() => format!("\\U{:08x}", u32::from(c)),
        c => c.to_string(),
    };
    format!("\"{}\"", text.chars().map(escaped).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_a_literal_of_python() {
        assert_eq!(literal("wanted"), r#""wanted""#);
        assert_eq!(literal("a\"b\\c\n'größe'"), r#""a\"b\\c\U0000000a'größe'""#);
    }

    #[test]
    fn every_text_names_the_file_as_often_as_it_needs_it() {
        for lines in [SAVER, CHECKPOINT, KERAS] {
            assert!(lines.text.contains("FILE") && lines.file.ends_with(lines.ending), "{}", lines.file);
        }
    }
}
