"""Times ckptfs at very many variables, beside TensorFlow and a plain directory tree; run by scripts/scale. A measurement, not a test."""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from compare_rename import CKPTFS, SCRIPTS, daemon, memory, quiet

MANY = 100_000
# The number of variables is lower here, because writing a plain tree of seven files for each variable takes long.
FEWER = 30_000
RUNS = 3

MAP = ["--rename", "model/decoder/layer_{i:int}/**=net/block_{i+1}/**", "--drop", "**/adam_v"]
TENSORFLOW = "import sys, tensorflow as tf; print(*(name for name, _ in tf.train.list_variables(sys.argv[1])), sep='\\n')"


def main():
    with contextlib.ExitStack() as cleanup:
        kept = Path(sys.argv[1]) if len(sys.argv) > 1 else None
        if kept:
            kept.mkdir(parents=True, exist_ok=True)
        scratch = Path(cleanup.enter_context(tempfile.TemporaryDirectory(dir=kept, prefix="ckptfs-scale-")))
        many, fewer = (checkpoint((kept or scratch) / str(count), count) for count in (MANY, FEWER))
        listing(many)
        mounting(many, scratch)
        walking(fewer, scratch)


def checkpoint(directory, count):
    """A checkpoint of so many variables, written there unless it is."""
    prefix = directory / "ckpt-9"
    if not prefix.with_name("ckpt-9.index").exists():
        print(f"writing {count:,} variables to {directory}", flush=True)
        quiet(sys.executable, SCRIPTS / "make_fixtures.py", "--many", directory, "--count", count)
    return prefix


def listing(source):
    header(f"{MANY:,} variables, every name into a pipe", "seconds")
    row("ckptfs ls", best(lambda: piped(CKPTFS, "ls", source)))
    row("ckptfs ls, with a map", best(lambda: piped(CKPTFS, "ls", source, *MAP)))
    row("tf.train.list_variables, its import included", piped(sys.executable, "-c", TENSORFLOW, source))


def mounting(source, scratch):
    header(f"{MANY:,} variables, mounted", "seconds", "RSS MiB", "anon MiB")
    for how, flags in (("", []), (", with a map", MAP)):
        with mounted(source, scratch, flags) as (at, seconds):
            row(f"mount until the first stat{how}", seconds, *held(at))
            row("  then ls -lR of all of it", piped("ls", "-lR", at), *held(at))


def held(at):
    """What the process behind a mount holds in memory."""
    used = memory(daemon(at))
    return used["rss"], used["anonymous"]


def walking(source, scratch):
    """The very tree that the mount shows, links and all, beside its copy on a disk."""
    plain = scratch / "plain"
    with mounted(source, scratch, []) as (at, _):
        tree = at / "ckpt-9" / "vars"
        quiet("cp", "-a", tree, plain)
        filesystem = subprocess.run(["df", "--output=fstype", plain], capture_output=True, text=True, check=True).stdout.split()[-1]
        header(f"{FEWER:,} variables, seven files each", "first", "warm")
        for where, path in (("in a mount", tree), (f"copied to {filesystem}", plain)):
            first = piped("ls", "-lR", path)
            row(f"ls -lR vars, {where}", first, best(lambda: piped("ls", "-lR", path)))


@contextlib.contextmanager
def mounted(source, scratch, flags):
    """A mount, and the time from the launch until a path in it was found."""
    at = Path(tempfile.mkdtemp(dir=scratch))
    started = time.perf_counter()
    try:
        subprocess.run([CKPTFS, "mount", source, at, *flags], check=True, stdin=subprocess.DEVNULL)
        os.stat(at / "ckpt-9.index")
        yield at, time.perf_counter() - started
    finally:
        subprocess.run([CKPTFS, "umount", at], check=False) if os.path.ismount(at) else None
        subprocess.run(["umount", "-l", at], check=False) if os.path.ismount(at) else None


def piped(*command):
    """Seconds of a command whose output is read to its end."""
    started = time.perf_counter()
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
        while run.stdout.read(1 << 20):
            pass
    assert run.returncode == 0, f"{command} failed"
    return time.perf_counter() - started


def best(measure):
    return min(measure() for _ in range(RUNS))


def header(what, *columns):
    print(f"\n{what:56}" + "".join(f"{column:>10}" for column in columns))


def row(what, *figures):
    print(f"{what:56}" + "".join(f"{figure:10.3f}" for figure in figures), flush=True)


if __name__ == "__main__":
    main()
