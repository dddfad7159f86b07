"""Fixtures for all tests: mounts that are always unmounted, and checkpoints of other writers."""

import collections
import contextlib
import os
import shutil
from pathlib import Path

os.environ |= {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0"}

import pytest  # noqa: E402

import harness  # noqa: E402

WITHOUT_FUSE = "CKPTFS_TEST_WITHOUT_FUSE"


def pytest_configure():
    if not os.access(harness.binary(), os.X_OK):
        pytest.exit(f"no ckptfs at {harness.binary()}: cargo build --release, or set CKPTFS_BIN", returncode=2)


def pytest_terminal_summary(terminalreporter):
    """Says in one line which tests were skipped."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = collections.Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    if reasons:
        counted = "; ".join(f"{count} because {reason}" for reason, count in reasons.most_common())
        terminalreporter.write_line(f"{len(skipped)} skipped: {counted}")


@pytest.fixture(scope="session")
def fuse():
    """Checks that mounting is possible. If it is not, the test fails, or is skipped if the environment says so."""
    if os.environ.get(WITHOUT_FUSE) == "1":
        pytest.skip(f"NOT RUN, it mounts and {WITHOUT_FUSE}=1")
    if trouble := why_not_mount():
        pytest.fail(f"{trouble}. To run only what needs no mount: {WITHOUT_FUSE}=1", pytrace=False)


def why_not_mount():
    if not os.path.exists("/dev/fuse"):
        return "/dev/fuse is missing: `modprobe fuse`, or give the container --device /dev/fuse"
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR))
    except OSError as error:
        return f"/dev/fuse cannot be opened ({error.strerror}): run as its group or as root"
    if os.geteuid() != 0 and not shutil.which("fusermount3"):
        return "only root may mount here: fusermount3 is missing (apt install fuse3)"


@pytest.fixture(autouse=True)
def nothing_stays_mounted(tmp_path):
    """Unmounts what a failed test left mounted, including a mount that should have been refused."""
    yield
    for at in harness.mountpoints():
        if tmp_path in at.parents:
            harness.unmount(at)


@pytest.fixture
def mount(fuse, tmp_path):
    """Returns `mount(SOURCE, FLAG…)`: a mount on its own directory, unmounted after the test, also if it fails."""
    with contextlib.ExitStack() as mounts:
        count = iter(range(1000))

        def mount(source, *flags):
            return mounts.enter_context(harness.mounted(source, tmp_path / f"m{next(count)}", *flags))

        yield mount


@pytest.fixture
def serves(mount):
    """Returns `serves(SOURCE, FLAG…, restore=…, right=…)`: a program that restores from the mount gets the right
    values, and `check` has nothing against it."""

    def serves(source, *flags, restore, right):
        run = harness.ckptfs("check", source, *flags)
        assert run.returncode == 0, f"check: {run.stdout}{run.stderr}"
        m = mount(source, *flags)
        harness.assert_same(restore(m / Path(source).name), right)
        return m

    return serves


@pytest.fixture
def never_wrong(serves, tmp_path):
    """Returns `never_wrong(SOURCE, FLAG…, restore=…, right=…)`, which returns the message of the refusal.

    If `check` exits with 0, it returns "", and the mount has served the right values. Else both commands exited with 1.
    """

    def never_wrong(source, *flags, restore, right):
        if harness.ckptfs("check", source, *flags).returncode == 0:
            serves(source, *flags, restore=restore, right=right)
            return ""
        (tmp_path / "refused").mkdir(exist_ok=True)
        harness.refused("mount", source, tmp_path / "refused", *flags)
        return harness.refused("check", source, *flags)

    return never_wrong


@pytest.fixture
def serves_by_rules(serves, never_wrong):
    """Returns `serves_by_rules(SOURCE, RULE…, match=…, restore=…, right=…)`.

    Rules that move or drop layers whose names only count decide alone, or are refused with a message that names the
    flag that decides. With it they must be served.
    """

    def serves_by_rules(source, *rules, match, restore, right):
        if said := never_wrong(source, *rules, restore=restore, right=right):
            assert f"--match {match}" in said
            serves(source, *rules, "--match", match, restore=restore, right=right)

    return serves_by_rules


@pytest.fixture(scope="module")
def plain(fuse, tmp_path_factory):
    """Returns `plain(NAME)`: a fixture mounted without a map, with one mount for all tests of a file."""
    with contextlib.ExitStack() as mounts:
        standing = {}

        def plain(name):
            if name not in standing:
                at = tmp_path_factory.mktemp(name, numbered=True) / "m"
                standing[name] = mounts.enter_context(harness.mounted(harness.fixture(name), at))
            return standing[name]

        yield plain


@pytest.fixture(scope="session")
def real():
    """Returns the directory of real checkpoints, which are not part of the project."""
    where = Path(os.environ.get("CKPTFS_REAL_CHECKPOINTS") or harness.ROOT.parent / "shared" / "checkpoints")
    if not where.is_dir():
        pytest.skip("CKPTFS_REAL_CHECKPOINTS names no real checkpoints")
    return where
