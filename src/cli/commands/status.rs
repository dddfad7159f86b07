//! `ckptfs status`: lists mounts and their health.

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

/// List mounts and their health
///
/// Exits with 1 if MOUNTPOINT has no mount of ckptfs, or the mount does not answer.
#[derive(clap::Args)]
#[command(after_long_help = "Examples:
  $ ckptfs status
  $ ckptfs status m
  $ ckptfs status --json | jq '.[].state'")]
pub(crate) struct Args {
    /// The mountpoint; all mounts if omitted
    mountpoint: Option<PathBuf>,
    /// Print a JSON array of objects
    #[arg(long)]
    json: bool,
}

/// The time limit for a mount's answer. A healthy mount answers in less than a millisecond.
const PATIENCE: Duration = Duration::from_secs(2);

/// The answer of a mount that was asked for its status.
enum Answer {
    /// The mount's `status.json`.
    Healthy(Value),
    /// The state of a mount that gave no status, in one word, and its explanation.
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
        let is_well = answers.iter().all(|answer| matches!(answer, Answer::Healthy(_)));
        Ok(if is_well || self.mountpoint.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Asks all mounts at once, each from its own thread: a read of a mount that hangs never returns.
fn ask(mounts: &[Mounted]) -> Vec<Answer> {
    let until = Instant::now() + PATIENCE;
    let lines = mounts.iter().map(|mounted| {
        let (sender, answer) = channel();
        let path = mounted.path.join(control_dir::NAME).join(control_dir::STATUS);
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
        Ok(status) => Answer::Healthy(status),
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
            Answer::Healthy(status) => ("answers", Some(status)),
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
        Answer::Healthy(status) => {
            let number = |pointer: &str| status.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
            let count = |pointer: &str, noun: &str| counted(number(pointer) as usize, noun);
            let passthrough = match status.pointer("/passthrough/reason").and_then(Value::as_str) {
                None => "the kernel also reads data files directly".into(),
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
                count("/cache/hits", "block"),
                number("/cache/misses"),
            )
        }
    }
}

/// Returns the line about a directory's checkpoints. It is empty for a mount of a single checkpoint that fits.
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

/// Returns the time since `started` (in seconds since the epoch), in words.
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

/// Returns the process that serves a mount, as its `status.json` says. For a mount that gave no status, returns the
/// process that the kernel shows, if this user may inspect it.
fn pid(mounted: &Mounted, answer: &Answer) -> Option<u64> {
    match answer {
        Answer::Healthy(status) => status["pid"].as_u64(),
        Answer::Silent(..) => mount::daemon_of(mounted).map(u64::from),
    }
}
