//! `.ckptfs/`: the log, the map in force, and how the mount fares.

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

/// The folder, in a mount.
pub(crate) const FOLDER: &str = ".ckptfs";
/// The file that says how the mount fares.
pub(crate) const STATUS: &str = "status.json";

/// What `status.json` tells of.
pub(crate) struct About {
    pub(crate) source: PathBuf,
    pub(crate) mountpoint: PathBuf,
    pub(crate) threads: usize,
    pub(crate) cache: Arc<Cache>,
    pub(crate) activity: Arc<Metrics>,
    pub(crate) checkpoints: Checkpoints,
}

/// Checkpoints that do not fit and are named; more are counted.
const NAMED: usize = 20;

/// `status.json` is a multiple of this long whatever its numbers are, so that one that grows while it is read in pieces
/// ends where it did.
const PADDED: usize = 2048;

/// Adds the files to a tree.
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
    fn the_length_does_not_follow_the_numbers() {
        let lengths = [json!({"n": 9}), json!({"n": 10})].map(|status| padded(&status).len());
        assert_eq!(lengths, [PADDED, PADDED]);
        assert_eq!(serde_json::from_slice::<Value>(&padded(&json!({"n": 9}))).unwrap()["n"], 9);
    }
}
