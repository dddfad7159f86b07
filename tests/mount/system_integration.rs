//! Integration with the system: mount(8), fstab, systemd, other users, terminals, manual pages, and a killed daemon.

use std::fs::{self, Permissions};
use std::io::Read;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, geteuid, kill_process};

use crate::support::mount::{MountGuard, Place, can_mount, is_alive, mount, mountinfo, run_to_end};
use crate::support::{CKPTFS, ckptfs, eventually, fixture, stderr, stdout};

/// A guard that unmounts a path when it is dropped, regardless of the program that mounted it.
struct Unmounting(PathBuf);

impl Drop for Unmounting {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(&self.0, rustix::mount::UnmountFlags::DETACH);
    }
}

fn umount(path: &Path) {
    let output = ckptfs([Path::new("umount"), path]);
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn mount_is_the_default_subcommand() {
    let place = Place::new();
    if !can_mount() {
        return;
    }
    for options in [&["-o", "rw,dev,suid"][..], &[]] {
        let _unmounting = Unmounting(place.mountpoint());
        let output =
            Command::new(CKPTFS).args([place.prefix(), place.mountpoint()]).args(options).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        assert!(mountinfo(&place.mountpoint()).unwrap().contains("fuse.ckptfs"));
        assert_eq!(stderr(&output).contains("mounted read-only anyway"), !options.is_empty());
        umount(&place.mountpoint());
    }
}

/// Runs `script` in a new mount namespace, where `mount` finds ckptfs under the name `helper`. `$1` is the root of
/// `place`.
fn with_helper(place: &Place, helper: &str, script: &str) -> Output {
    let bin = place.root.join("bin");
    let _ = fs::create_dir(&bin);
    let _ = symlink(CKPTFS, bin.join(helper));
    // mount(8) looks in directories of its own, where another ckptfs may be installed.
    let world = "set -e; cp -a /sbin/mount.fuse* \"$1/bin/\" 2>/dev/null || :; for d in /usr/sbin /usr/local/bin /usr/local/sbin; do mount --bind \"$1/bin\" $d; done; cd \"$1\"; PATH=\"$1/bin:$PATH\"; eval \"$2\"";
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", world, "sh"]).arg(&place.root).arg(script).output().unwrap()
}

#[test]
fn mount_8_and_fstab_use_the_helper_of_ckptfs() {
    let place = Place::new();
    if !can_mount() || !geteuid().is_root() {
        return;
    }
    let fstab = "ckpt-9 m ckptfs ro,noauto,nofail,user,_netdev,x-systemd.automount,threads=2 0 0\n";
    fs::write(
        place.root.join("fstab"),
        fstab.replace("ckpt-9 m", &format!("{} {}", place.prefix().display(), place.mountpoint().display())),
    )
    .unwrap();
    let script = "mount -t ckptfs ckpt-9 m -o ro,map=/dev/null; grep -c \" $1/m fuse.ckptfs ro\" /proc/mounts; cat m/ckpt-9/vars/w/dtype; umount m; \
        mount -T fstab \"$1/m\"; cat m/ckpt-9/vars/w/dtype; umount m; \
        mount --fake -t ckptfs ckpt-9 m; ls m; ! mount -t ckptfs none m 2>&1";
    let output = with_helper(&place, "mount.ckptfs", script);
    assert!(output.status.success(), "{}{}", stdout(&output), stderr(&output));
    assert!(stdout(&output).starts_with("1\nfloat32\nfloat32\nwarning: -o rw: "), "{}", stdout(&output));
    assert!(stdout(&output).contains("none: no checkpoint there"), "{}", stdout(&output));
}

#[test]
fn mount_8_uses_the_helper_of_fuse_for_the_type_fuse_ckptfs() {
    let place = Place::new();
    if !can_mount() || !geteuid().is_root() {
        return;
    }
    assert!(Path::new("/sbin/mount.fuse3").exists(), "the package fuse3 is not installed");
    let script = "mount -t fuse.ckptfs \"$1/ckpt-9\" m -o nofail; cat m/ckpt-9/vars/w/dtype; umount m";
    let output = with_helper(&place, "ckptfs", script);
    assert!(output.status.success(), "{}{}", stdout(&output), stderr(&output));
    assert_eq!(stdout(&output), "float32\n");
    assert!(
        stderr(&output).contains("mounted read-only anyway"),
        "mount says rw unless told otherwise: {}",
        stderr(&output)
    );
}

#[test]
fn uid_gid_and_umask_set_the_owner_and_the_mode_of_files() {
    let place = Place::new();
    for args in
        [&["--uid", "1234", "--gid", "2345", "--umask", "027"][..], &["-o", "uid=1234,gid=2345,umask=027"]]
    {
        let Some(m) = place.mount(args) else { return };
        for (path, mode) in [
            ("", 0o550),
            ("ckpt-9.index", 0o440),
            ("ckpt-9/vars/w", 0o550),
            ("ckpt-9/raw/w", 0o440),
            (".ckptfs/log", 0o440),
        ] {
            let meta = m.join(path).metadata().unwrap();
            assert_eq!(
                (meta.uid(), meta.gid(), meta.mode() & 0o777),
                (1234, 2345, mode),
                "{path} with {args:?}"
            );
        }
    }
    let Some(m) = place.mount(&[]) else { return };
    let meta = m.join("ckpt-9.index").metadata().unwrap();
    assert_eq!((meta.uid(), meta.mode() & 0o777), (geteuid().as_raw(), 0o444));
}

#[test]
fn allow_root_denies_other_users() {
    let place = Place::new();
    if !can_mount() || !geteuid().is_root() {
        return;
    }
    fs::set_permissions(&place.root, Permissions::from_mode(0o755)).unwrap();
    let list = |uid: u32| {
        Command::new("ls").arg(place.mountpoint()).uid(uid).gid(uid).output().unwrap().status.success()
    };
    let (Some(_m), everybody) = (place.mount(&["-o", "allow_root"]), 65534) else { return };
    assert!(list(0) && !list(everybody), "also what the kernel has cached by now is not everybody's");
    let output =
        ckptfs([Path::new("mount"), &place.prefix(), &place.root, Path::new("-oallow_root,allow_other")]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("exclude each other"), "{}", stderr(&output));
}

/// Runs `script` as an unprivileged user with a copy of the program, in a mount namespace where users may open
/// /dev/fuse.
fn as_nobody(place: &Place, script: &str) -> Output {
    let program = place.root.join("ckptfs");
    fs::copy(CKPTFS, &program).unwrap();
    fs::set_permissions(&place.root, Permissions::from_mode(0o777)).unwrap();
    fs::set_permissions(place.mountpoint(), Permissions::from_mode(0o777)).unwrap();
    // fusermount3 reads /etc/mtab, which a minimal system lacks.
    // mount(8) looks in directories of its own, where another ckptfs may be installed.
    let world = "set -e; cd \"$0\"; \
        [ -e /etc/mtab ] || { cp -a /etc etc; ln -s /proc/self/mounts etc/mtab; mount --bind etc /etc; }; mknod -m 666 node c 10 229; mount --bind node /dev/fuse; printf '# nothing\\n#user_allow_other\\n' > conf; \
        mount --bind conf /etc/fuse.conf; chown 65534 m; exec setpriv --reuid=65534 --regid=65534 --clear-groups sh -c \"$1\"";
    Command::new("unshare").args(["-m", "sh", "-c", world]).arg(&place.root).arg(script).output().unwrap()
}

#[test]
fn an_unprivileged_user_can_mount_and_allow_other_says_what_it_needs() {
    let place = Place::new();
    if !can_mount() || !geteuid().is_root() {
        return;
    }
    assert!(Path::new("/etc/fuse.conf").exists(), "the package fuse3 is not installed");
    let script = "./ckptfs mount ckpt-9 m --auto-unmount && cat m/ckpt-9/vars/w/dtype && ./ckptfs status m | grep -c answers; \
        cat m/ckpt-9.data-00000-of-00001 | cmp - ckpt-9.data-00000-of-00001; grep 'read data files directly' m/.ckptfs/log | wc -l; ./ckptfs umount m; \
        ./ckptfs mount ckpt-9 m --allow-other; echo $?";
    let output = as_nobody(&place, script);
    assert_eq!(stdout(&output), "float32\n1\n1\n1\n", "{}", stderr(&output));
    assert!(
        stderr(&output).contains("put a line `user_allow_other` into /etc/fuse.conf"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_killed_daemon_leaves_no_mount_behind_with_auto_unmount() {
    let place = Place::new();
    for (args, is_left) in [(&["--auto-unmount"][..], false), (&["-oauto_unmount"], false), (&[], true)] {
        let Some(m) = place.mount(args) else { return };
        let daemon = m.daemon();
        kill_process(daemon, Signal::KILL).unwrap();
        match is_left {
            false => eventually("the mount goes", || mountinfo(m.path()).is_none()),
            true => {
                eventually("the daemon ends", || !is_alive(daemon));
                std::thread::sleep(Duration::from_millis(100));
                assert!(mountinfo(m.path()).is_some());
            }
        }
    }
}

/// Returns the guardian processes of a mountpoint.
fn guardians(path: &Path) -> Vec<Pid> {
    let wanted = [b"guard\0", path.as_os_str().as_encoded_bytes()].concat();
    let is_one = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.windows(wanted.len()).any(|part| part == wanted)
    };
    let pids =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    pids.filter(is_one).filter_map(Pid::from_raw).filter(|pid| is_alive(*pid)).collect()
}

#[test]
fn a_guardian_ends_with_its_mount_and_does_not_unmount_a_later_one() {
    let place = Place::new();
    let Some(m) = place.mount(&["--auto-unmount"]) else { return };
    let guardian = guardians(m.path())[0];
    for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
        kill_process(guardian, signal).unwrap();
    }
    assert_eq!(guardians(m.path()), [guardian], "signals to all leave it to the daemon");
    let daemon = m.daemon();
    kill_process(daemon, Signal::STOP).unwrap();
    rustix::mount::unmount(m.path(), rustix::mount::UnmountFlags::DETACH).unwrap();
    let Some(later) = place.mount(&[]) else { return };
    kill_process(daemon, Signal::KILL).unwrap();
    eventually("the guardian ends", || !is_alive(guardian));
    assert_eq!(later.text("ckpt-9/vars/w/dtype"), "float32\n");
}

#[test]
fn systemd_is_notified_when_the_mount_is_ready_and_when_it_stops() {
    let place = Place::new();
    if !can_mount() {
        return;
    }
    let name = format!("ckptfs-manners-{}", std::process::id());
    let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let told = || {
        let mut buf = [0; 100];
        let n = socket.recv(&mut buf).unwrap();
        String::from_utf8(buf[..n].into()).unwrap()
    };
    let mut command = Command::new(CKPTFS);
    command
        .args(["mount", "-f"])
        .args([place.prefix(), place.mountpoint()])
        .env("NOTIFY_SOCKET", format!("@{name}"));
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let _unmounting = Unmounting(place.mountpoint());
    assert_eq!(told(), "READY=1");
    assert_eq!(fs::read_to_string(place.mountpoint().join("ckpt-9/vars/w/dtype")).unwrap(), "float32\n");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(told(), "STOPPING=1");
    assert!(child.wait().unwrap().success());
}

/// Runs a command on a terminal and returns its output.
fn on_a_terminal(place: &Place, line: &str, environment: &[(&str, &str)]) -> String {
    let mut command = Command::new("script");
    command.args(["-qec", line, "/dev/null"]).current_dir(&place.root).stdin(Stdio::null());
    command.env_remove("NO_COLOR").env("TERM", "xterm").envs(environment.iter().copied());
    stdout(&command.output().unwrap()).replace('\r', "")
}

#[test]
fn a_successful_mount_is_reported_only_on_a_terminal() {
    let place = Place::new();
    if !can_mount() {
        return;
    }
    let _unmounting = Unmounting(place.mountpoint());
    let line = format!("{CKPTFS} mount ckpt-9 m --rename w=v; {CKPTFS} umount m");
    let said = on_a_terminal(&place, &line, &[]);
    let expected = format!(
        "{} is mounted on m: 1 variable, 2.1 MB\n  map      1 rule: 1 under new names, 0 left out\n  restore  m/ckpt-9\n  \
         look     ls m/ckpt-9/vars\n  unmount  ckptfs umount m\nIt is read-only: save new checkpoints elsewhere.\n",
        place.prefix().display()
    );
    assert_eq!(said, expected);
    let Some(m) = place.mount(&[]) else { return };
    assert!(m.said.stdout.is_empty() && m.said.stderr.is_empty(), "{}", stderr(&m.said));
}

#[test]
fn the_message_for_an_object_based_checkpoint_says_that_a_restore_may_read_later() {
    let place = Place::new();
    if !can_mount() {
        return;
    }
    let _unmounting = Unmounting(place.mountpoint());
    let line = format!("{CKPTFS} mount {} m; {CKPTFS} umount m", fixture("object_keras3").display());
    let said = on_a_terminal(&place, &line, &[]);
    let last = "A model that is not built yet is read when it is built: keep the mount until then.\n";
    assert!(said.ends_with(last), "{said}");
}

#[test]
fn errors_have_colors_only_on_a_terminal_without_no_color() {
    let place = Place::new();
    for line in ["check ckpt-9 --rename bert=x", "check ckpt-9 --drop {", "check none"] {
        let line = format!("{CKPTFS} {line}");
        let colored = on_a_terminal(&place, &line, &[]);
        let plain = on_a_terminal(&place, &line, &[("NO_COLOR", "1")]);
        assert!(colored.contains("\x1b[") && !plain.contains('\x1b'), "{colored}{plain}");
        let piped = Command::new("sh").args(["-c", &line]).current_dir(&place.root).output().unwrap();
        assert!(!stderr(&piped).is_empty() && !stderr(&piped).contains('\x1b'));
        assert_eq!(format!("{}{}", stdout(&piped), stderr(&piped)), plain, "the words are the same");
    }
}

#[test]
fn the_log_is_appended_to_a_file_and_shown_in_the_mount() {
    let place = Place::new();
    let log = place.root.join("log.txt");
    fs::write(&log, "before\n").unwrap();
    let Some(m) = place.mount(&["--log", log.to_str().unwrap()]) else { return };
    let (file, own) = (fs::read_to_string(&log).unwrap(), m.text(".ckptfs/log"));
    assert!(own.contains("is mounted on") && file == format!("before\n{own}"), "{file}{own}");
    let output =
        ckptfs([Path::new("mount"), &place.prefix(), &place.root.join("m"), Path::new("--log=/none/log")]);
    assert!(stderr(&output).contains("/none/log"), "{}", stderr(&output));
}

#[test]
fn in_the_foreground_the_log_goes_to_standard_error_and_verbose_adds_lines() {
    let place = Place::new();
    let ended =
        run_to_end(&place.prefix(), &place.mountpoint(), |pid| kill_process(pid, Signal::INT).unwrap());
    let Some(output) = ended else { return };
    assert!(output.status.success());
    assert!(
        stderr(&output).contains("info: ") && stderr(&output).contains("unmounted on signal 2"),
        "{}",
        stderr(&output)
    );
    let log =
        |args: &[&str]| mount(&place.prefix(), args).map(|m: MountGuard| m.text(".ckptfs/log")).unwrap();
    assert!(log(&["--verbose"]).contains("debug: ") && !log(&[]).contains("debug: "));
}

#[test]
fn every_command_has_a_manual_page_and_every_shell_has_completions() {
    let help = stdout(&ckptfs(["--help"]));
    let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names: Vec<_> = commands
        .lines()
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| !line.starts_with(' '))
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    assert!(
        names.contains(&"mount") && names.contains(&"run") && names.contains(&"status") && names.len() > 9,
        "{names:?}"
    );
    assert!(!names.contains(&"guard"));
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let completions = stdout(&ckptfs(["completions", shell]));
        assert!(completions.contains("CKPTFS_COMPLETE") && completions.contains("ckptfs"), "{shell}");
    }
    let dir = tempfile::tempdir().unwrap();
    let pages = dir.path().join("man1");
    assert!(ckptfs([Path::new("man"), Path::new("--all"), &pages]).status.success());
    for name in names.iter().filter(|name| **name != "help") {
        let page = fs::read_to_string(pages.join(format!("ckptfs-{name}.1"))).unwrap();
        assert!(page.starts_with(".ie") && page.contains(".SH SYNOPSIS"), "{name}: {page}");
        assert_eq!(stdout(&ckptfs(["man", name])), page, "{name}");
    }
    assert_eq!(stdout(&ckptfs(["man"])), fs::read_to_string(pages.join("ckptfs.1")).unwrap());
    assert_eq!(ckptfs(["man", "fly"]).status.code(), Some(2));
    assert_eq!(stdout(&ckptfs(["--version"])), format!("ckptfs {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn output_to_a_closed_pipe_is_not_an_error() {
    for args in [&["completions", "bash"][..], &["man"], &["status", "--json"]] {
        let mut child =
            Command::new(CKPTFS).args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(child.wait().unwrap().success() && said.is_empty(), "{args:?}: {said}");
    }
}
