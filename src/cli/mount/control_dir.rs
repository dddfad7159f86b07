//! `.ckptfs/`: the log, the active map, and the status of the mount.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::cache::Cache;
use crate::cli::mount::logging::Recent;
use crate::fuse::Metrics;
use crate::name::printable;
use crate::tree::{Checkpoints, Tree};

/// The name of the directory in a mount.
pub(crate) const NAME: &str = ".ckptfs";
/// The file with the status of the mount.
pub(crate) const STATUS: &str = "status.json";

/// The data sources of `status.json`.
pub(crate) struct About {
    pub(crate) source: PathBuf,
    pub(crate) mountpoint: PathBuf,
    pub(crate) threads: usize,
    pub(crate) cache: Arc<Cache>,
    pub(crate) activity: Arc<Metrics>,
    pub(crate) checkpoints: Checkpoints,
}

/// The maximum number of checkpoints that are named because they do not fit. Further ones are only counted.
const NAMED: usize = 20;

/// The unit of the length of `status.json`, which is padded to a multiple of it. So the length stays the same if a
/// number gets more digits while a program reads the file in several parts.
const PADDED: usize = 2048;

/// Adds the files of the directory to a tree.
pub(crate) fn add(tree: &mut Tree, about: About, map: String, log: Arc<Recent>) {
    let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    tree.add_control_dir("log", Box::new(move || log.bytes()));
    tree.add_control_dir("map.toml", Box::new(move || map.clone().into_bytes()));
    tree.add_control_dir(STATUS, Box::new(move || padded(&about.status(started))));
}

impl About {
    fn status(&self, started: u64) -> Value {
        let (counters, activity) = (self.cache.counters(), &self.activity);
        let passthrough = activity.passthrough();
        let checkpoints = self.checkpoints.counts();
        let unfit: Vec<_> = checkpoints.mismatched.iter().take(NAMED).map(|stem| printable(stem)).collect();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "pid": std::process::id(),
            "source": self.source.to_string_lossy(),
            "mountpoint": self.mountpoint.to_string_lossy(),
            "started": started,
            "threads": self.threads,
            "reads": activity.reads(),
            "bytes": activity.bytes(),
            "errors": activity.errors(),
            "opendirs": activity.opendirs(),
            "cache": {
                "size": self.cache.budget(),
                "used": self.cache.used(),
                "hits": counters.hits.load(Ordering::Relaxed),
                "misses": counters.misses.load(Ordering::Relaxed),
                "evictions": counters.evictions.load(Ordering::Relaxed),
            },
            "checkpoints": {
                "all": checkpoints.all,
                "planned": checkpoints.planned,
                "unfit": checkpoints.mismatched.len(),
                "unfit_names": unfit,
            },
            "passthrough": { "on": passthrough.is_ok(), "reason": passthrough.err() },
        })
    }
}

fn padded(status: &Value) -> Vec<u8> {
    let mut text = format!("{status:#}").into_bytes();
    text.resize((text.len() + 1).next_multiple_of(PADDED) - 1, b' ');
    text.push(b'\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_does_not_depend_on_the_numbers() {
        let lengths = [json!({"n": 9}), json!({"n": 10})].map(|status| padded(&status).len());
        assert_eq!(lengths, [PADDED, PADDED]);
        assert_eq!(serde_json::from_slice::<Value>(&padded(&json!({"n": 9}))).unwrap()["n"], 9);
    }
}
