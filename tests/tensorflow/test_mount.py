"""The mount as part of the system: valid mountpoints, the end of a mount, and refused writes."""

import errno
import os
import signal
import subprocess

import pytest

from harness import assert_same, binary, ckptfs, daemons, eventually, fixture, is_mounted, mounted, refused, values

pytestmark = pytest.mark.usefixtures("fuse")
SOURCE = fixture("tf1_adam")


class TestMountpoint:
    def test_a_missing_mountpoint_is_refused(self, tmp_path):
        said = refused("mount", SOURCE, tmp_path / "absent")
        assert str(tmp_path / "absent") in said

    def test_a_file_is_refused(self, tmp_path):
        (tmp_path / "file").write_text("mine")
        assert "directory" in refused("mount", SOURCE, tmp_path / "file")
        assert (tmp_path / "file").read_text() == "mine"

    def test_a_directory_that_is_not_empty_is_refused(self, tmp_path):
        (tmp_path / "full").mkdir()
        (tmp_path / "full" / "mine").write_text("mine")
        assert "empty" in refused("mount", SOURCE, tmp_path / "full")
        assert not is_mounted(tmp_path / "full")

    def test_a_mounted_directory_is_refused(self, mount):
        m = mount(SOURCE)
        assert "already" in refused("mount", SOURCE, m)
        assert_same(values(m / "ckpt-9"), values(SOURCE))

    def test_a_mount_with_a_dead_daemon_is_refused_and_can_be_unmounted(self, mount):
        m = mount(SOURCE)
        for pid in daemons(m):
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: is_stale(m), "the mount has no daemon")
        assert "umount" in refused("mount", SOURCE, m)
        assert ckptfs("umount", m).returncode == 0
        assert not is_mounted(m.path)


class TestGoing:
    def test_umount_leaves_no_mount_and_no_process(self, tmp_path):
        with mounted(SOURCE, tmp_path / "m") as m:
            assert len(daemons(m)) >= 1
            assert ckptfs("umount", m).returncode == 0
            assert not is_mounted(m.path)
            eventually(lambda: not daemons(m), "the daemon ends")
        assert os.listdir(tmp_path / "m") == []

    def test_umount_of_a_directory_without_a_mount_is_refused(self, tmp_path):
        assert str(tmp_path) in refused("umount", tmp_path)

    @pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
    def test_a_signal_unmounts(self, mount, name):
        m = mount(SOURCE)
        for pid in daemons(m):
            os.kill(pid, getattr(signal, name))
        eventually(lambda: not daemons(m) and not is_mounted(m.path), f"{name} unmounts")

    def test_a_foreground_mount_stays_until_a_signal_and_exits_with_0(self, tmp_path):
        (tmp_path / "m").mkdir()
        run = subprocess.Popen([binary(), "mount", "-f", SOURCE, tmp_path / "m"], stdin=subprocess.DEVNULL)
        try:
            eventually(lambda: is_mounted(tmp_path / "m") or run.poll() is not None, "the mount appears")
            assert_same(values(tmp_path / "m" / "ckpt-9"), values(SOURCE))
            run.send_signal(signal.SIGTERM)
            assert run.wait(timeout=60) == 0
            assert not is_mounted(tmp_path / "m")
        finally:
            run.kill()
            if is_mounted(tmp_path / "m"):
                ckptfs("umount", tmp_path / "m")

    def test_after_an_external_umount_the_daemon_leaves_a_later_mount_alone(self, mount, tmp_path):
        first = mount(SOURCE)
        served_first = daemons(first)
        outside = ["umount"] if os.geteuid() == 0 else ["fusermount3", "-u"]
        subprocess.run([*outside, first.path], check=True)
        with mounted(fixture("ema"), first.path) as second:
            eventually(lambda: not set(served_first) & set(daemons(first)), "the first daemon ends")
            assert_same(values(second / "ckpt-9"), values(fixture("ema")))


def test_a_successful_mount_prints_nothing_without_a_terminal(mount):
    assert mount(SOURCE).stderr == ""


def test_mounts_shows_a_read_only_mount_of_type_fuse_ckptfs(mount):
    m = mount(SOURCE)
    line = next(line for line in open("/proc/self/mounts") if line.split()[1] == str(m))
    assert line.split()[2] == "fuse.ckptfs"
    assert {"ro", "nosuid", "nodev"} <= set(line.split()[3].split(","))


def test_the_standard_streams_of_the_daemon_are_dev_null(mount):
    m = mount(SOURCE)
    for pid in daemons(m):
        assert {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in (0, 1, 2)} == {"/dev/null"}


def test_every_write_is_refused(mount):
    m = mount(SOURCE)
    attempts = [
        lambda: (m / "new").write_bytes(b"x"),
        lambda: open(m / "ckpt-9.index", "r+b"),
        lambda: os.truncate(m / "ckpt-9.index", 0),
        lambda: os.remove(m / "checkpoint"),
        lambda: os.mkdir(m / "ckpt-9/vars/new"),
        lambda: os.rename(m / "checkpoint", m / "other"),
        lambda: os.symlink("a", m / "link"),
    ]
    for attempt in attempts:
        with pytest.raises(OSError) as raised:
            attempt()
        assert raised.value.errno == errno.EROFS


def test_demo_runs_once_and_leaves_no_mount(tmp_path_factory):
    tests = str(tmp_path_factory.getbasetemp().parent)

    def mounts():
        """The mounts, except those of tests that run at the same time in other processes."""
        places = [line.split()[1] for line in open("/proc/self/mounts")]
        return [place for place in places if not place.startswith(tests)]

    before = mounts()
    run = ckptfs("demo", "--once")
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() or run.stderr.strip()
    assert mounts() == before


def is_stale(m):
    try:
        os.listdir(m.path)
    except OSError as error:
        return error.errno == errno.ENOTCONN
    return False
