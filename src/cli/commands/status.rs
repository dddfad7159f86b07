//! `ckptfs status`: what is mounted, and how it fares.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{fs, thread};

use anyhow::bail;
use serde_json::{Value, json};

use crate::cli::mount::control_dir;
use crate::cli::mount::planning::Misfits;
use crate::cli::output::terminal::{bytes, counted};
use crate::mount;
use crate::mount::Mounted;

/// Say what ckptfs has mounted, and how it fares
///
/// Exits with 1 when nothing is mounted on MOUNTPOINT, or it does not answer.
#[derive(clap::Args)]
#[command(after_long_help = "Examples:
  $ ckptfs status
  $ ckptfs status m
  $ ckptfs status --json | jq '.[].state'")]
pub(crate) struct Args {
    /// The mount; all of them if there is none
    mountpoint: Option<PathBuf>,
    /// An array of objects
    #[arg(long)]
    json: bool,
}

/// How long a mount has to answer. One that is well takes less than a millisecond.
const PATIENCE: Duration = Duration::from_secs(2);

/// What came of asking a mount how it fares.
enum Answer {
    /// Its `status.json`.
    Fares(Value),
    /// A word for it, and what it means.
    Silent(&'static str, String),
}

impl Args {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let mounts = match &self.mountpoint {
            None => mount::ours()?,
            Some(path) => match mount::find(path)? {
                Some(mounted) if mounted.is_ours() => vec![mounted],
                Some(other) => bail!("{}: a mount of {}, not of ckptfs", path.display(), other.fstype),
                None => bail!("{}: nothing is mounted there", path.display()),
            },
        };
        let answers = ask(&mounts);
        let text = if self.json { json_text(&mounts, &answers) } else { plain_text(&mounts, &answers) };
        io::stdout().write_all(text.as_bytes())?;
        let is_well = answers.iter().all(|answer| matches!(answer, Answer::Fares(_)));
        Ok(if is_well || self.mountpoint.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Asks all at once, each in a thread of its own: one that is stuck never returns.
fn ask(mounts: &[Mounted]) -> Vec<Answer> {
    let until = Instant::now() + PATIENCE;
    let lines = mounts.iter().map(|mounted| {
        let (sender, answer) = channel();
        let path = mounted.path.join(control_dir::FOLDER).join(control_dir::STATUS);
        thread::spawn(move || sender.send(fs::read(path)));
        answer
    });
    let lines: Vec<_> = lines.collect();
    lines
        .into_iter()
        .map(|answer| match answer.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(read) => read.map_or_else(silent, parsed),
            Err(RecvTimeoutError::Timeout) => {
                Answer::Silent("stuck", "does not answer: its daemon is stopped, or waits for a disk".into())
            }
            Err(RecvTimeoutError::Disconnected) => Answer::Silent("unknown", "it could not be asked".into()),
        })
        .collect()
}

fn parsed(text: Vec<u8>) -> Answer {
    match serde_json::from_slice(&text) {
        Ok(status) => Answer::Fares(status),
        Err(error) => Answer::Silent("unknown", format!("not understood: {error}")),
    }
}

fn silent(error: io::Error) -> Answer {
    match error.raw_os_error() {
        Some(libc::ENOTCONN | libc::ECONNABORTED) => {
            Answer::Silent("dead", "its daemon is gone: ckptfs umount".into())
        }
        Some(libc::EACCES) => Answer::Silent("private", "another user's".into()),
        _ => Answer::Silent("unknown", error.to_string()),
    }
}

fn json_text(mounts: &[Mounted], answers: &[Answer]) -> String {
    let object = |(mounted, answer): (&Mounted, &Answer)| {
        let (state, status) = match answer {
            Answer::Fares(status) => ("answers", Some(status)),
            Answer::Silent(word, _) => (*word, None),
        };
        json!({
            "mountpoint": mounted.path.to_string_lossy(),
            "source": mounted.source.to_string_lossy(),
            "state": state,
            "pid": pid(mounted, answer),
            "status": status,
        })
    };
    let objects: Vec<_> = mounts.iter().zip(answers).map(object).collect();
    format!("{:#}\n", Value::from(objects))
}

fn plain_text(mounts: &[Mounted], answers: &[Answer]) -> String {
    match mounts {
        [] => "ckptfs has nothing mounted\n".into(),
        _ => mounts.iter().zip(answers).map(|(mounted, answer)| paragraph(mounted, answer)).collect(),
    }
}

fn paragraph(mounted: &Mounted, answer: &Answer) -> String {
    let daemon = pid(mounted, answer).map_or_else(|| "not known".into(), |pid| format!("process {pid}"));
    let head = format!("{}\n  source   {}\n", mounted.path.display(), mounted.source.display());
    match answer {
        Answer::Silent(word, what) => format!("{head}  state    {word}: {what}\n  daemon   {daemon}\n"),
        Answer::Fares(status) => {
            let number = |pointer: &str| status.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
            let count = |pointer: &str, noun: &str| counted(number(pointer) as usize, noun);
            let passthrough = match status.pointer("/passthrough/reason").and_then(Value::as_str) {
                None => "besides, the kernel reads data files by itself".into(),
                Some(why) => format!("all of them; the kernel reads none directly: {why}"),
            };
            format!(
                "{head}  state    answers, for {}\n{}  daemon   {daemon}, {}\n  served   {}, {}, {}; {passthrough}\n  \
                 cache    {} of {}; {} found there, {} decoded\n",
                lasting(number("/started")),
                checkpoints(status),
                count("/threads", "thread"),
                count("/reads", "read"),
                bytes(number("/bytes")),
                count("/errors", "error"),
                bytes(number("/cache/used")),
                bytes(number("/cache/size")),
                count("/cache/hits", "piece"),
                number("/cache/misses"),
            )
        }
    }
}

/// The line on a directory's checkpoints; empty for a mount of one that fits.
fn checkpoints(status: &Value) -> String {
    let number = |key: &str| status["checkpoints"][key].as_u64().unwrap_or(0) as usize;
    let (all, planned, unfit) = (number("all"), number("planned"), number("unfit"));
    if all <= 1 && unfit == 0 {
        return String::new();
    }
    let names = status["checkpoints"]["unfit_names"].as_array().into_iter().flatten();
    let names = names.filter_map(|name| Some(name.as_str()?.to_owned())).collect();
    let misfits = Misfits { all, planned, unfit, names };
    format!("  holds    {}: {misfits}\n", counted(all, "checkpoint"))
}

/// How long it is since a time, which is in seconds since the epoch.
fn lasting(started: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let seconds = now.saturating_sub(started);
    match seconds {
        0..60 => counted(seconds as usize, "second"),
        60..3600 => counted((seconds / 60) as usize, "minute"),
        3600..172_800 => counted((seconds / 3600) as usize, "hour"),
        _ => counted((seconds / 86_400) as usize, "day"),
    }
}

/// The process that serves a mount: what it says itself, else what the kernel shows of the processes we may look at.
fn pid(mounted: &Mounted, answer: &Answer) -> Option<u64> {
    match answer {
        Answer::Fares(status) => status["pid"].as_u64(),
        Answer::Silent(..) => mount::daemon_of(mounted).map(u64::from),
    }
}
