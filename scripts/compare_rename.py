"""Times ckptfs against TensorFlow at renaming a large checkpoint; run by scripts/compare. A measurement, not a test."""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent
sys.path.insert(0, str(SCRIPTS.parent / "tests" / "tensorflow"))

import table  # noqa: E402

CKPTFS = os.environ["CKPTFS_BIN"]
OLD, NEW = "bert/", "encoder/"

KIB_IN_MIB = 1024


def main():
    with contextlib.ExitStack() as cleanup:
        kept = Path(sys.argv[1]) if len(sys.argv) > 1 else None
        scratch = Path(cleanup.enter_context(tempfile.TemporaryDirectory(dir=kept and kept.parent, prefix="ckptfs-compare-")))
        source = large_checkpoint(kept or scratch / "bert")
        print(f"{source}: {size_of(source.parent) / 1e9:.2f} GB; renaming {OLD}** to {NEW}**", flush=True)
        report([by_ckptfs(source, scratch, state) for state in ("first", "again")], by_tensorflow(source, scratch))


def large_checkpoint(directory):
    """BERT-base in a directory, written there unless it is."""
    prefix = directory / "ckpt-9"
    if not prefix.with_name("ckpt-9.index").exists():
        print(f"writing BERT-base with its Adam slots to {directory}", flush=True)
        quiet(sys.executable, SCRIPTS / "make_fixtures.py", "--large", directory)
    return prefix


def by_ckptfs(source, scratch, label):
    """From the launch until the new names were read through the mount; then what the daemon holds in memory."""
    at = scratch / f"m-{label}"
    at.mkdir()
    started = time.perf_counter()
    try:
        subprocess.run([CKPTFS, "mount", source, at, "--rename", f"{OLD}**={NEW}**"], check=True, stdin=subprocess.DEVNULL)
        index = (at / "ckpt-9.index").read_bytes()
        seconds = time.perf_counter() - started
        names = [key.decode() for key, _ in table.decode(index)]
        assert f"{NEW}pooler/dense/kernel" in names and not any(name.startswith(OLD) for name in names)
        assert (at / "ckpt-9/vars/encoder/pooler/dense/kernel/shape").read_text() == "768 768\n"
        return {"what": f"ckptfs mount, {label}", "seconds": seconds} | memory(daemon(at))
    finally:
        subprocess.run([CKPTFS, "umount", at], check=False) if os.path.ismount(at) else None
        subprocess.run(["umount", "-l", at], check=False) if os.path.ismount(at) else None


def by_tensorflow(source, scratch):
    """The whole script in a process of its own, the import of TensorFlow included: wall time and peak memory."""
    target = scratch / "renamed" / "ckpt-9"
    target.parent.mkdir()
    started = time.perf_counter()
    peak = quiet(sys.executable, SCRIPTS / "rename_with_tensorflow.py", source, target, OLD, NEW)
    seconds = time.perf_counter() - started
    return {"what": "TensorFlow script", "seconds": seconds, "rss": peak, "disk": size_of(target.parent) / 1e6}


def daemon(at):
    """The process that serves a mountpoint: the ckptfs that has it among its arguments."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if os.path.basename(CKPTFS).encode() in arguments[0] and str(at).encode() in arguments:
                return pid
    sys.exit(f"no process serves {at}")


def memory(pid):
    """MiB, from the kernel's status of a process."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {"rss": int(fields["VmRSS"].split()[0]) / KIB_IN_MIB, "anonymous": int(fields["RssAnon"].split()[0]) / KIB_IN_MIB, "disk": 0.0}


def report(mounts, script):
    print(f"\n{'':24}{'seconds':>10}{'RSS MiB':>10}{'anon MiB':>10}{'written MB':>12}")
    for row in [*mounts, script]:
        anonymous = f"{row['anonymous']:.1f}" if "anonymous" in row else "-"
        print(f"{row['what']:24}{row['seconds']:10.3f}{row['rss']:10.1f}{anonymous:>10}{row['disk']:12.0f}")
    first = mounts[0]
    print(f"{'TensorFlow / ckptfs':24}{script['seconds'] / first['seconds']:9.0f}×{script['rss'] / first['rss']:9.0f}×")


def quiet(*command):
    """Runs a command whose chatter matters only when it fails; gives its peak memory in MiB."""
    with tempfile.TemporaryFile("w+") as chatter:
        run = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=chatter, stderr=chatter)
        _, status, usage = os.wait4(run.pid, 0)
        run.returncode = os.waitstatus_to_exitcode(status)
        if run.returncode:
            chatter.seek(0)
            sys.exit(f"{command[1]} failed:\n{chatter.read()}")
    return usage.ru_maxrss / KIB_IN_MIB


def size_of(directory):
    return sum(path.stat().st_size for path in directory.iterdir())


if __name__ == "__main__":
    main()
