//! `ckptfs demo`: a tour of the main use on a built-in sample. Each step runs the command that a user would type.

#[cfg(feature = "fuse")]
pub(crate) mod sample;

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::name::quoted;

/// Demonstrate ckptfs on a small built-in checkpoint
///
/// Writes the sample to a temporary directory, mounts it under other names, lists the mount, and unmounts on Ctrl-C.
#[derive(clap::Args)]
#[command(after_long_help = "Examples:
  $ ckptfs demo
  $ ckptfs demo --once")]
pub(crate) struct Args {
    /// Unmount at once instead of waiting for Ctrl-C
    #[arg(long)]
    once: bool,
}

const MAP: &[&str] = &["--rename", "bert/**=encoder/**", "--drop", "**/adam_*"];

impl Args {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let dir = tempfile::Builder::new()
            .prefix("ckptfs-demo-")
            .tempdir()
            .context("a directory for the sample")?;
        // Signals are handled before anything is mounted, so that no signal can end the process and leave a mount
        // behind.
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        let tour = Tour { dir: dir.path() };
        fs::create_dir(dir.path().join("train"))?;
        fs::create_dir(dir.path().join("m"))?;
        sample::write(&dir.path().join("train/ckpt-9"))?;
        let source = Path::new("train/ckpt-9");

        tour.say("A checkpoint as some program saved it, optimizer state and all:")?;
        tour.ckptfs(&[&["ls".as_ref(), source.as_os_str(), "--tree".as_ref()]])?;
        tour.say(
            "Your program calls it `encoder`, not `bert`, and has a fresh optimizer. What would that map do?",
        )?;
        tour.ckptfs(&[&["check".as_ref(), source.as_os_str()], &words(MAP)])?;
        tour.say("Mounted under the new names. No data is copied:")?;
        tour.ckptfs(&[&["mount".as_ref(), source.as_os_str(), "m".as_ref()], &words(MAP)])?;
        let mount = Mounted(dir.path().join("m"));
        tour.say("The mount holds a checkpoint that TensorFlow restores from, and a tree to look at:")?;
        tour.run("ls", &["m"])?;
        tour.run("ls", &["m/ckpt-9/vars/encoder/pooler/dense/kernel"])?;
        tour.run("cat", &["m/ckpt-9/vars/encoder/pooler/dense/kernel/shape"])?;
        tour.run("head", &["-n", "3", "m/ckpt-9/text/encoder/pooler/dense/kernel.txt"])?;
        tour.run("grep", &["-r", "float32", "m/ckpt-9/vars/encoder/pooler"])?;
        tour.say(&format!(
            "In Python, every name is where the new program looks for it:\n  \
             tf.train.load_checkpoint({0:?}).get_tensor(\"encoder/pooler/dense/kernel\")\n  \
             tf.compat.v1.train.Saver().restore(sess, {0:?})\n  \
             np.load(\"{1}/npy/encoder/pooler/dense/kernel.npy\", mmap_mode=\"r\")",
            mount.0.join("ckpt-9"),
            mount.0.join("ckpt-9").display()
        ))?;
        if !self.once {
            tour.say(&format!(
                "It is mounted on {}. Look around from another terminal; Ctrl-C unmounts.",
                mount.0.display()
            ))?;
            signals.forever().next();
        }
        mount.unmount(&tour)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// A tour in the sample's directory, in which all commands run.
struct Tour<'a> {
    dir: &'a Path,
}

impl Tour<'_> {
    fn say(&self, text: &str) -> io::Result<()> {
        writeln!(io::stdout(), "\n{text}")
    }

    /// Runs ckptfs itself.
    fn ckptfs(&self, args: &[&[&OsStr]]) -> anyhow::Result<()> {
        self.step("ckptfs", "/proc/self/exe".into(), &args.concat())
    }

    fn run(&self, program: &str, args: &[&str]) -> anyhow::Result<()> {
        self.step(program, program.into(), &words(args))
    }

    fn step(&self, shown: &str, program: PathBuf, args: &[&OsStr]) -> anyhow::Result<()> {
        let typed: Vec<_> = args.iter().map(|arg| quoted(&arg.to_string_lossy())).collect();
        writeln!(io::stdout(), "\n$ {shown} {}", typed.join(" "))?;
        let status = Command::new(program).args(args).current_dir(self.dir).status();
        match status.with_context(|| shown.to_owned())?.success() {
            true => Ok(()),
            false => bail!("`{shown} {}` failed", typed.join(" ")),
        }
    }
}

fn words<'a>(args: &[&'a str]) -> Vec<&'a OsStr> {
    args.iter().map(|&arg| OsStr::new(arg)).collect()
}

/// A guard that unmounts the sample even if a step fails.
struct Mounted(PathBuf);

impl Mounted {
    fn unmount(self, tour: &Tour) -> anyhow::Result<()> {
        let unmounted = tour.ckptfs(&[&["umount".as_ref(), "m".as_ref()]]);
        if unmounted.is_ok() {
            std::mem::forget(self);
        }
        unmounted
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = crate::mount::unmount(&self.0, true);
    }
}
