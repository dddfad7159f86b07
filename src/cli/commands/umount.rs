//! `ckptfs umount`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;

use crate::mount;

/// Unmount what ckptfs mounted
#[derive(clap::Args)]
#[command(after_long_help = "Examples:
  $ ckptfs umount m
  $ ckptfs umount --lazy m other/m    # even if they are in use")]
pub(crate) struct Args {
    /// The directories it is mounted on
    #[arg(required = true)]
    mountpoint: Vec<PathBuf>,
    /// Detach at once even if it is in use, and end when it is free
    #[arg(short, long)]
    lazy: bool,
}

impl Args {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        for path in &self.mountpoint {
            let Some(mounted) = mount::find(path)? else {
                bail!("{}: nothing is mounted there", path.display());
            };
            if !mounted.is_ours() {
                bail!(
                    "{}: not a mount of ckptfs but of {}; `umount` unmounts it",
                    path.display(),
                    mounted.fstype
                );
            }
            mount::unmount(&mounted.path, self.lazy)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
