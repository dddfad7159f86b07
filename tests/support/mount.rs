//! Mounts made by the built binary, each on its own directory. They are always unmounted, also if the test fails.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rustix::mount::{UnmountFlags, unmount};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::bundle::{Bundle, f32s};
use super::{CKPTFS, eventually, stderr};

/// The environment variable that is `1` where mounts are known to be impossible.
const WITHOUT: &str = "CKPTFS_TEST_WITHOUT_FUSE";

/// A mount that is unmounted when it is dropped.
pub(crate) struct MountGuard {
    path: PathBuf,
    /// The output of the command that mounted it.
    pub(crate) said: Output,
    _dir: Option<TempDir>,
}

/// Returns true if mounts can be tested. Panics if they are impossible and [`WITHOUT`] is not `1`.
pub(crate) fn can_mount() -> bool {
    if std::env::var_os(WITHOUT).is_some_and(|value| value == "1") {
        return false;
    }
    let device = fs::File::options().read(true).write(true).open("/dev/fuse");
    let helper = Command::new("fusermount3").arg("--version").output().is_ok();
    let possible =
        device.is_ok() && rustix::process::geteuid().is_root() || helper && Path::new("/dev/fuse").exists();
    assert!(
        possible,
        "no mounts here (/dev/fuse: {:?}, fusermount3: {helper}); {WITHOUT}=1 leaves them out",
        device.err()
    );
    true
}

/// Mounts a source on a new directory. Returns `None` if mounts are not tested.
#[track_caller]
pub(crate) fn mount(source: &Path, args: &[&str]) -> Option<MountGuard> {
    let dir = tempfile::tempdir().unwrap();
    // The temporary directory may be reached through a symlink, but the kernel lists the real path.
    let path = dir.path().canonicalize().unwrap().join("m");
    fs::create_dir(&path).unwrap();
    let mut mounted = mount_on(source, &path, args)?;
    mounted._dir = Some(dir);
    Some(mounted)
}

/// Mounts a source on a directory. Returns `None` if mounts are not tested.
#[track_caller]
pub(crate) fn mount_on(source: &Path, path: &Path, args: &[&str]) -> Option<MountGuard> {
    if !can_mount() {
        return None;
    }
    let said = Command::new(CKPTFS).arg("mount").arg(source).arg(path).args(args).output().unwrap();
    let guard = MountGuard::of(path, said);
    assert!(guard.said.status.success(), "not mounted: {}", stderr(&guard.said));
    Some(guard)
}

/// A directory with a checkpoint `ckpt-9`, a mountpoint `m`, and the values of its variable `w`.
pub(crate) struct Place {
    _dir: TempDir,
    pub(crate) root: PathBuf,
    pub(crate) values: Vec<u8>,
}

impl Place {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let values: Vec<f32> = (0..1 << 19).map(|i| i as f32).collect();
        Bundle::new().floats("w", &values).write(&root.join("ckpt-9"));
        fs::create_dir(root.join("m")).unwrap();
        Self { _dir: dir, root, values: f32s(&values) }
    }

    pub(crate) fn prefix(&self) -> PathBuf {
        self.root.join("ckpt-9")
    }

    pub(crate) fn mountpoint(&self) -> PathBuf {
        self.root.join("m")
    }

    pub(crate) fn mount(&self, args: &[&str]) -> Option<MountGuard> {
        mount_on(&self.prefix(), &self.mountpoint(), args)
    }
}

impl MountGuard {
    /// Wraps an existing mount and the output of the command that made it.
    pub(crate) fn of(path: &Path, said: Output) -> Self {
        Self { path: path.into(), said, _dir: None }
    }

    /// Returns the mountpoint.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns a path in the mount.
    pub(crate) fn join(&self, path: impl AsRef<Path>) -> PathBuf {
        self.path.join(path)
    }

    /// Returns the bytes of a file in the mount.
    #[track_caller]
    pub(crate) fn read(&self, path: impl AsRef<Path>) -> Vec<u8> {
        let path = self.join(path);
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Returns the text of a file in the mount.
    #[track_caller]
    pub(crate) fn text(&self, path: impl AsRef<Path>) -> String {
        String::from_utf8(self.read(path)).unwrap()
    }

    /// Returns the error of reading a file in the mount, from open to end.
    #[track_caller]
    pub(crate) fn errno(&self, path: impl AsRef<Path>) -> i32 {
        match fs::read(self.join(&path)) {
            Ok(bytes) => panic!("{} reads: {} bytes", path.as_ref().display(), bytes.len()),
            Err(error) => error.raw_os_error().unwrap(),
        }
    }

    /// Returns the number of log lines that contain a text.
    pub(crate) fn logged(&self, text: &str) -> usize {
        self.text(".ckptfs/log").lines().filter(|line| line.contains(text)).count()
    }

    /// Returns the line of the mount in mountinfo.
    pub(crate) fn mountinfo(&self) -> Option<String> {
        mountinfo(&self.path)
    }

    /// Returns the process that serves the mount.
    #[track_caller]
    pub(crate) fn daemon(&self) -> Pid {
        daemon(&self.path).expect("its daemon runs")
    }

    /// Sends the daemon a signal and waits for it to end.
    pub(crate) fn signal_and_wait(&self, signal: Signal) {
        let daemon = self.daemon();
        kill_process(daemon, signal).unwrap();
        eventually("the daemon ends", || !is_alive(daemon));
    }
}

impl Drop for MountGuard {
    fn drop(&mut self) {
        let daemon = daemon(&self.path);
        if unmount(&self.path, UnmountFlags::empty()).is_err() {
            let _ = unmount(&self.path, UnmountFlags::DETACH);
        }
        let Some(daemon) = daemon else { return };
        // Other tests check that a daemon ends with its mount. Here a daemon that does not end is killed and fails
        // the test.
        let ends = || {
            (0..4000).any(|_| {
                std::thread::sleep(std::time::Duration::from_millis(5));
                !is_alive(daemon)
            })
        };
        if !is_alive(daemon) || ends() {
            return;
        }
        let _ = kill_process(daemon, Signal::KILL);
        assert!(std::thread::panicking(), "the daemon of {} did not end with its mount", self.path.display());
    }
}

/// Returns the last line of mountinfo for a directory, which belongs to the topmost mount.
pub(crate) fn mountinfo(path: &Path) -> Option<String> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let path = path.to_str().unwrap();
    table.lines().rfind(|line| line.split(' ').nth(4) == Some(path)).map(str::to_owned)
}

/// Returns the daemon: the only `ckptfs mount` process whose command line names the directory.
fn daemon(mountpoint: &Path) -> Option<Pid> {
    let wanted = mountpoint.as_os_str().as_encoded_bytes();
    let names = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut args = line.split(|&byte| byte == 0);
        args.nth(1) == Some(b"mount") && args.any(|arg| arg == wanted)
    };
    let pids =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    let pid = pids.filter(names).find(|&pid| Pid::from_raw(pid).is_some_and(is_alive))?;
    Pid::from_raw(pid)
}

/// Returns true if a process runs. A zombie does not run.
pub(crate) fn is_alive(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    state.is_some_and(|state| !"ZX".contains(state))
}

/// Runs `ckptfs mount -f` until the mount answers, calls `during`, and returns the output of the command.
pub(crate) fn run_to_end(source: &Path, path: &Path, during: impl FnOnce(Pid)) -> Option<Output> {
    if !can_mount() {
        return None;
    }
    let mut command = Command::new(CKPTFS);
    command.arg("mount").arg(source).arg(path).arg("-f").stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let pid = Pid::from_child(&child);
    let said = Output { status: ExitStatusExt::from_raw(0), stdout: vec![], stderr: vec![] };
    let _guard = MountGuard { path: path.into(), said, _dir: None };
    eventually("the mount is there", || mountinfo(path).is_some() && path.join(".ckptfs").is_dir());
    during(pid);
    Some(child.wait_with_output().unwrap())
}
