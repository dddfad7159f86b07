//! The log. Lines are appended to a file, or written to standard error in the foreground. The last lines are always
//! kept in memory too, and the mount shows them as a file.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use env_logger::{Builder, Logger};
use log::{LevelFilter, Log, Metadata, Record};

/// The last lines of the log.
#[derive(Default)]
pub(crate) struct Recent(Mutex<VecDeque<u8>>);

/// The number of bytes of the log that are kept in memory.
const MEMORY: usize = 64 << 10;

/// The part of the log that goes to standard error if there is no log file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stderr {
    /// Nothing.
    Silent,
    /// Only warnings and errors, because standard error belongs to another program.
    Warnings,
    /// All lines.
    All,
}

/// Starts the log. `RUST_LOG` selects what is logged, as in other programs.
pub(crate) fn start(file: Option<&Path>, stderr: Stderr, verbose: bool) -> anyhow::Result<Arc<Recent>> {
    let recent = Arc::<Recent>::default();
    let level = if verbose { LevelFilter::Debug } else { LevelFilter::Info };
    let (out, out_level): (Box<dyn Write + Send>, _) = match (file, stderr) {
        (Some(path), _) => {
            let file = File::options().append(true).create(true).open(path);
            (Box::new(file.with_context(|| format!("log {}", path.display()))?), level)
        }
        (None, Stderr::Silent) => (Box::new(io::sink()), LevelFilter::Off),
        (None, Stderr::Warnings) if !verbose => (Box::new(io::stderr()), LevelFilter::Warn),
        (None, _) => (Box::new(io::stderr()), level),
    };
    let both = Both {
        recent: recent.clone(),
        remembered: filter(level),
        out: Mutex::new(out),
        written: filter(out_level),
    };
    log::set_max_level(both.remembered.filter().max(both.written.filter()));
    log::set_boxed_logger(Box::new(both))?;
    Ok(recent)
}

/// Returns a logger that is used only as a filter of lines.
fn filter(level: LevelFilter) -> Logger {
    let mut builder = Builder::new();
    builder.filter_level(level.min(LevelFilter::Warn)).filter_module("ckptfs", level);
    // The fuser crate warns about each request that is not implemented, which is intended here.
    builder.filter_module("fuser", level.min(LevelFilter::Error));
    if level != LevelFilter::Off {
        builder.parse_default_env();
    }
    builder.build()
}

/// Returns the time as seconds since the epoch, which `date -d @…` reads.
fn now() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("{}.{:03}", since.as_secs(), since.subsec_millis())
}

/// The logger. It keeps lines in memory, and writes them to a file or to standard error, possibly with a stricter
/// filter.
struct Both {
    recent: Arc<Recent>,
    remembered: Logger,
    out: Mutex<Box<dyn Write + Send>>,
    written: Logger,
}

impl Log for Both {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.remembered.enabled(metadata) || self.written.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        let line = format!("{} {}: {}\n", now(), record.level().as_str().to_lowercase(), record.args());
        if self.remembered.matches(record) {
            self.recent.remember(line.as_bytes());
        }
        if self.written.matches(record) {
            // An error is ignored: a full disk must not stop the service.
            let _ = self.out.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.as_bytes());
        }
    }

    fn flush(&self) {}
}

impl Recent {
    fn remember(&self, line: &[u8]) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.extend(line);
        while lines.len() > MEMORY {
            let end = lines.iter().position(|&byte| byte == b'\n').map_or(lines.len(), |at| at + 1);
            lines.drain(..end);
        }
    }

    /// Returns the remembered lines.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_lines_are_removed_first_and_completely() {
        let recent = Recent::default();
        (0..10_000).for_each(|i| recent.remember(format!("line {i}\n").as_bytes()));
        let text = String::from_utf8(recent.bytes()).unwrap();
        assert!(text.len() <= MEMORY && text.starts_with("line ") && text.ends_with("line 9999\n"));
    }
}
