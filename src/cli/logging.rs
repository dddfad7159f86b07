//! Where log lines go: to the end of a file, to standard error in the foreground, and always to a short memory that the
//! mount shows as a file.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use env_logger::{Builder, Target};
use log::LevelFilter;

/// The last lines of the log.
#[derive(Default)]
pub(super) struct Recent(Mutex<VecDeque<u8>>);

/// Bytes that are remembered.
const MEMORY: usize = 64 << 10;

/// Starts the log. `RUST_LOG` chooses what is logged, as in other programs.
pub(super) fn start(file: Option<&Path>, foreground: bool) -> anyhow::Result<Arc<Recent>> {
    let recent = Arc::<Recent>::default();
    let beside: Box<dyn Write + Send> = match file {
        Some(path) => {
            let file = File::options().append(true).create(true).open(path);
            Box::new(file.with_context(|| format!("log {}", path.display()))?)
        }
        None if foreground => Box::new(io::stderr()),
        None => Box::new(io::sink()),
    };
    let both = Both { recent: recent.clone(), beside };
    let mut builder = Builder::new();
    builder.filter_level(LevelFilter::Warn).filter_module("ckptfs", LevelFilter::Info);
    // It warns of every request that is answered with "not needed", as is meant.
    builder.filter_module("fuser", LevelFilter::Error).parse_default_env();
    builder.format(|out, record| {
        writeln!(out, "{} {}: {}", now(), record.level().as_str().to_lowercase(), record.args())
    });
    builder.target(Target::Pipe(Box::new(both))).try_init()?;
    Ok(recent)
}

/// Seconds since the epoch: `date -d @…` reads them.
fn now() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("{}.{:03}", since.as_secs(), since.subsec_millis())
}

struct Both {
    recent: Arc<Recent>,
    beside: Box<dyn Write + Send>,
}

impl Write for Both {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.recent.remember(line);
        self.beside.write_all(line)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.beside.flush()
    }
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

    /// The lines.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_lines_are_forgotten_first_and_whole() {
        let recent = Recent::default();
        (0..10_000).for_each(|i| recent.remember(format!("line {i}\n").as_bytes()));
        let text = String::from_utf8(recent.bytes()).unwrap();
        assert!(text.len() <= MEMORY && text.starts_with("line ") && text.ends_with("line 9999\n"));
    }
}
