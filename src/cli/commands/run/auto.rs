//! `ckptfs run --auto`: runs the command, and once more if it fails by a known error whose mend is sure.
//!
//! ```text
//! ckptfs run … -- CMD ─ standard error ─► passed on, the last 64 KiB kept ─ fails ─► Answer ─ sure, `y` ─► exec ckptfs run FLAGS … -- CMD
//! ```
//!
//! Each of the two runs is a `ckptfs run` of its own, so that both see the checkpoint in the same way.

use std::ffi::OsString;
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{ChildStderr, Command, ExitCode, Stdio};
use std::{env, thread};

use anyhow::Context;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use signal_hook::iterator::Signals;

use crate::cli::commands::fix::answer::Mended;
use crate::cli::commands::fix::case::Case;
use crate::cli::commands::fix::{answer_to, text, wanted};
use crate::cli::commands::run::stdin::Stdin;
use crate::cli::commands::run::{Args, FORWARDED, Forward, SIGNALLED, exit_code};
use crate::cli::output::terminal::say;
use crate::failure;
use crate::name::{is_printable, quoted};
use crate::suggest::Confidence;

/// The length of the end of standard error that is searched.
const KEPT: usize = 64 << 10;

impl Args {
    /// Runs the command, and once more if that mends it. Returns the exit code of the last run.
    pub(super) fn run_and_mend(self) -> anyhow::Result<ExitCode> {
        let (before, mut command) = (Stdin::now(), self.command_line(&[])?);
        let mut child = command.stderr(Stdio::piped()).spawn().context("ckptfs run")?;
        let forward = Forward::to(&child)?;
        let mut signals = Signals::new(FORWARDED)?;
        thread::spawn(move || signals.forever().for_each(|signal| forward.send(signal)));
        let stderr = child.stderr.take().context("its standard error")?;
        let kept = passed_on(stderr, &child)?;
        let status = child.wait()?;
        // A command that a signal ended has such an exit code too.
        let failed = status.code().is_some_and(|code| (1..=SIGNALLED).contains(&code));
        if failed && let Some(mended) = self.mended(&kept, before) {
            let again = self.command_line(&mended.words)?.exec();
            return Err(anyhow::Error::new(again).context("ckptfs run"));
        }
        Ok(exit_code(status))
    }

    /// Returns `ckptfs run` with this command line and more flags, without --auto.
    fn command_line(&self, more: &[String]) -> anyhow::Result<Command> {
        let mut command = Command::new(env::current_exe()?);
        command.args(self.words(more));
        Ok(command)
    }

    fn words(&self, more: &[String]) -> Vec<OsString> {
        let all: Vec<_> = env::args_os().skip(1).collect();
        let own = &all[..all.len().saturating_sub(self.command.len())];
        let is_own = |word: &&OsString| *word != "--auto" && *word != "--yes" && *word != "--";
        let words = own.iter().filter(is_own).cloned();
        let more = more.iter().map(OsString::from).chain(["--".into()]);
        words.chain(more).chain(self.command.iter().cloned()).collect()
    }

    /// Returns the flags for a second run, if the mend is sure and the user agrees.
    fn mended(&self, kept: &[u8], before: Stdin) -> Option<Mended> {
        let case = Case::new(&failure::clean(kept), Some(self.source.clone()), self.map.clone());
        if case.failures.is_empty() {
            return None;
        }
        let mut answer = answer_to(&case);
        let is_sure = answer.mended.len() == 1 && answer.mended[0].confidence == Confidence::Sure;
        let words = if is_sure { answer.mended[0].words.as_slice() } else { &[] };
        let line = self.words(words).iter().map(|word| quoted(&word.to_string_lossy())).collect::<Vec<_>>();
        let line = format!("ckptfs {}", line.join(" "));
        if words.is_empty() || !is_printable(&line) {
            if let Some(line) = wanted::command(&case, "") {
                say(format_args!("help: the error is known, but its mend is not sure: {line}"));
            }
            return None;
        }
        if before.may_have_been_read() {
            say(format_args!("{}", text::summary(&answer)));
            say(format_args!(
                "not run again, because the command may have read from standard input\ntry   {line}"
            ));
            return None;
        }
        say(format_args!("{}", text::summary(&answer)));
        say(format_args!("again {line}"));
        (self.yes || agreed()).then(|| answer.mended.remove(0))
    }
}

/// Asks on the terminal whether to run the command again.
fn agreed() -> bool {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        say("help: --yes runs it without a question");
        return false;
    }
    let _ = write!(io::stderr(), "run it? [y/N] ");
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).is_ok()
        && ["y", "yes"].contains(&line.trim().to_lowercase().as_str())
}

/// Passes standard error on until it is closed, or until the command has ended and nothing more is there. Returns its end.
fn passed_on(mut from: ChildStderr, child: &std::process::Child) -> io::Result<Vec<u8>> {
    let (mut kept, mut block) = (Vec::new(), vec![0; KEPT]);
    let ended = rustix::process::pidfd_open(
        rustix::process::Pid::from_child(child),
        rustix::process::PidfdFlags::empty(),
    )?;
    loop {
        let mut waiting = [PollFd::new(&from, PollFlags::IN), PollFd::new(&ended, PollFlags::IN)];
        match poll(&mut waiting, None) {
            Err(Errno::INTR) => continue,
            polled => polled?,
        };
        // What the command wrote is read before its end counts.
        if waiting[0].revents().is_empty() {
            return Ok(kept);
        }
        let read = from.read(&mut block)?;
        if read == 0 {
            return Ok(kept);
        }
        // A closed standard error does not end the command.
        let _ = io::stderr().write_all(&block[..read]);
        kept.extend_from_slice(&block[..read]);
        let more = kept.len().saturating_sub(KEPT);
        kept.drain(..more);
    }
}
