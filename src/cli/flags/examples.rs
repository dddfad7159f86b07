//! Tests of every `--help`: its examples against the command line, its order, and the length of `-h`.

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

/// The columns of the help of a flag of the map in `-h`: what is left of 100 columns beside the flag.
const SHORT: usize = 65;

#[test]
fn every_flag_that_takes_a_value_names_the_value() {
    for command in commands() {
        for arg in
            command.get_arguments().filter(|arg| arg.get_action().takes_values() && !arg.is_positional())
        {
            let named = arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
            let is_default = named.as_deref() == Some(arg.get_id().as_str());
            assert!(named.is_some() && !is_default, "{} --{}", command.get_name(), arg.get_id());
        }
    }
}

#[test]
fn a_command_shows_its_own_flags_first_and_the_map_under_one_heading() {
    for mut command in
        commands().into_iter().filter(|command| command.get_arguments().any(|arg| arg.get_id() == "rename"))
    {
        let help = command.render_help().to_string();
        let headings: Vec<_> =
            help.lines().filter(|line| line.ends_with(':') && !line.starts_with(' ')).collect();
        assert_eq!(headings, ["Arguments:", "Options:", "Map:"], "{}", command.get_name());
        for arg in command.get_arguments().filter(|arg| arg.get_help_heading() == Some("Map")) {
            let short = arg.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(!short.is_empty() && short.len() <= SHORT, "--{}: {short}", arg.get_id());
        }
    }
}
