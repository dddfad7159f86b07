//! Tests of the examples in every `--help` against the command line.

use clap::{Command, CommandFactory, Parser};

use crate::cli::args::Cli;

/// The columns of an example in a terminal of 80 columns, without indentation and prompt.
const WIDTH: usize = 76;

/// Returns the command line and all subcommands.
fn commands() -> Vec<Command> {
    let (mut all, mut open) = (Vec::new(), vec![Cli::command()]);
    while let Some(command) = open.pop() {
        open.extend(command.get_subcommands().cloned());
        all.push(command);
    }
    all
}

/// Returns the example command lines in a command's help, without the prompt.
fn examples(command: &Command) -> Vec<String> {
    let help = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
    let lines = help.lines().map(str::trim).map(|line| line.strip_prefix("$ ").unwrap_or(line));
    lines.filter(|line| line.starts_with("ckptfs ")).map(str::to_owned).collect()
}

/// Returns the words of the first command of a line, split as a shell does: up to a pipe, a redirection or a comment.
fn words(line: &str) -> Vec<String> {
    let words = shlex::split(line).unwrap_or_else(|| panic!("a shell does not read {line}"));
    words.into_iter().take_while(|word| !["|", ">"].contains(&word.as_str())).collect()
}

#[test]
fn every_command_has_two_or_three_examples_and_each_parses() {
    for command in commands() {
        let examples = examples(&command);
        assert!((2..=3).contains(&examples.len()), "{}: {examples:?}", command.get_name());
        for line in examples {
            assert!(line.len() <= WIDTH, "{line}");
            let parsed = Cli::try_parse_from(words(&line)).map(|_| ());
            assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
        }
    }
}

#[test]
fn the_short_help_leaves_the_examples_out() {
    for mut command in commands() {
        let (short, long) = (command.render_help().to_string(), command.render_long_help().to_string());
        assert!(!short.contains("Examples:"), "{}", command.get_name());
        assert!(short.lines().count() < long.lines().count(), "{}", command.get_name());
    }
}
