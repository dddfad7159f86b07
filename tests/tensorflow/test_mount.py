"""The mount as a citizen of the system: where it may stand, how it goes, and that it lets nothing be written."""

import errno
import os
import signal
import subprocess

import pytest

from harness import assert_same, binary, ckptfs, daemons, eventually, fixture, is_mounted, mounted, refused, values

pytestmark = pytest.mark.usefixtures("fuse")
SOURCE = fixture("tf1_adam")


class TestMountpoint:
    def test_that_is_missing(self, tmp_path):
        said = refused("mount", SOURCE, tmp_path / "absent")
        assert str(tmp_path / "absent") in said

    def test_that_is_a_file(self, tmp_path):
        (tmp_path / "file").write_text("mine")
        assert "directory" in refused("mount", SOURCE, tmp_path / "file")
        assert (tmp_path / "file").read_text() == "mine"

    def test_that_is_not_empty(self, tmp_path):
        (tmp_path / "full").mkdir()
        (tmp_path / "full" / "mine").write_text("mine")
        assert "empty" in refused("mount", SOURCE, tmp_path / "full")
        assert not is_mounted(tmp_path / "full")

    def test_that_is_mounted_already(self, mount):
        m = mount(SOURCE)
        assert "already" in refused("mount", SOURCE, m)
        assert_same(values(m / "ckpt-9"), values(SOURCE))

    def test_whose_daemon_died(self, mount):
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

    def test_umount_of_what_is_not_mounted_says_so(self, tmp_path):
        assert str(tmp_path) in refused("umount", tmp_path)

    @pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
    def test_a_signal_unmounts(self, mount, name):
        m = mount(SOURCE)
        for pid in daemons(m):
            os.kill(pid, getattr(signal, name))
        eventually(lambda: not daemons(m) and not is_mounted(m.path), f"{name} unmounts")

    def test_in_the_foreground_it_stays_until_a_signal_and_exits_0(self, tmp_path):
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

    def test_an_outside_unmount_takes_down_nothing_that_was_mounted_there_since(self, mount, tmp_path):
        first = mount(SOURCE)
        served_first = daemons(first)
        outside = ["umount"] if os.geteuid() == 0 else ["fusermount3", "-u"]
        subprocess.run([*outside, first.path], check=True)
        with mounted(fixture("ema"), first.path) as second:
            eventually(lambda: not set(served_first) & set(daemons(first)), "the first daemon ends")
            assert_same(values(second / "ckpt-9"), values(fixture("ema")))


def test_success_says_nothing_when_no_one_looks(mount):
    assert mount(SOURCE).stderr == ""


def test_it_is_shown_as_a_read_only_ckptfs(mount):
    m = mount(SOURCE)
    line = next(line for line in open("/proc/self/mounts") if line.split()[1] == str(m))
    assert line.split()[2] == "fuse.ckptfs"
    assert {"ro", "nosuid", "nodev"} <= set(line.split()[3].split(","))


def test_the_daemon_keeps_no_standard_stream_of_the_one_who_mounted(mount):
    m = mount(SOURCE)
    for pid in daemons(m):
        assert {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in (0, 1, 2)} == {"/dev/null"}


def test_nothing_can_be_written(mount):
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


def test_demo_runs_once_and_leaves_nothing(tmp_path):
    before = [line.split()[1] for line in open("/proc/self/mounts")]
    run = ckptfs("demo", "--once")
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() or run.stderr.strip()
    assert [line.split()[1] for line in open("/proc/self/mounts")] == before


def is_stale(m):
    try:
        os.listdir(m.path)
    except OSError as error:
        return error.errno == errno.ENOTCONN
    return False
