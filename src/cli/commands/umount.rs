//! `ckptfs umount`: unmounts ckptfs mounts.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;

use crate::mount;

/// Unmount mounts of ckptfs
#[derive(clap::Args)]
#[command(after_long_help = "Examples:
  $ ckptfs umount m
  $ ckptfs umount --lazy m other/m    # even if they are in use")]
pub(crate) struct Args {
    /// The mountpoints
    #[arg(required = true)]
    mountpoint: Vec<PathBuf>,
    /// Detach at once, even if the mount is in use; its daemon ends when it is no longer in use
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
