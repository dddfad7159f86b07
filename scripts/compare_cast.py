"""Times float32 to bfloat16 through a mount against NumPy with a load and a save; run by scripts/compare. A measurement, not a test."""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from compare_rename import CKPTFS, daemon, large_checkpoint

BLOCK = 1 << 20
RUNS = 3

NUMPY = """
import os, sys, time
from pathlib import Path
import ml_dtypes, numpy as np
source, target = map(Path, sys.argv[1:])
started = time.perf_counter(), time.process_time()
if source.is_dir():
    for path in sorted(source.iterdir()):
        np.save(target / path.name, np.load(path, mmap_mode="r").astype(ml_dtypes.bfloat16))
else:
    arrays = np.load(source)
    np.savez(target / source.name, **{name: arrays[name].astype(ml_dtypes.bfloat16) for name in arrays})
print(time.perf_counter() - started[0], time.process_time() - started[1])
"""


def main():
    with contextlib.ExitStack() as cleanup:
        kept = Path(sys.argv[1]) if len(sys.argv) > 1 else None
        scratch = Path(cleanup.enter_context(tempfile.TemporaryDirectory(dir=kept and kept.parent, prefix="ckptfs-compare-")))
        source = large_checkpoint(kept or scratch / "bert")
        arrays = arrays_of(source, scratch)
        # The methods run in turns, so that other load on the machine affects all of them.
        archive = scratch / "checkpoint.npz"
        np.savez(archive, **{path.stem: np.load(path, mmap_mode="r") for path in arrays.iterdir()})
        runs = [
            (through_a_mount(source, scratch), by_numpy(archive, scratch), by_numpy(arrays, scratch)) for _ in range(RUNS)
        ]
    report([min(side) for side in zip(*runs)])


def arrays_of(source, scratch):
    """The float32 variables as arrays in files, which NumPy is given."""
    arrays = scratch / "arrays"
    arrays.mkdir()
    with mounted(source, scratch) as at:
        for path in (at / "ckpt-9/npy").rglob("*.npy"):
            if (at / "ckpt-9/vars" / path.relative_to(at / "ckpt-9/npy").with_suffix("") / "dtype").read_text() == "float32\n":
                name = "-".join(path.relative_to(at / "ckpt-9/npy").parts)
                (arrays / name).write_bytes(path.read_bytes())
    return arrays


def through_a_mount(source, scratch):
    """Wall and CPU seconds from the launch until all of the cast data were read."""
    started, own = time.perf_counter(), cpu()
    with mounted(source, scratch, "--cast", "**=bfloat16") as at:
        pid = daemon(at)
        # The last data file holds the computed values.
        with open(sorted(at.glob("ckpt-9.data-*"))[-1], "rb", buffering=0) as file:
            block = bytearray(BLOCK)
            length = 0
            while count := file.readinto(block):
                length += count
        assert length > 600_000_000, length
        wall = time.perf_counter() - started
        return wall, cpu() - own + cpu_of(pid)


def by_numpy(arrays, scratch):
    """The same inside a process of NumPy's, whose start is not counted: of an archive of arrays, or of mapped arrays."""
    with tempfile.TemporaryDirectory(dir=scratch) as target:
        run = subprocess.run([sys.executable, "-c", NUMPY, arrays, target], check=True, capture_output=True, text=True)
    return tuple(map(float, run.stdout.split()))


@contextlib.contextmanager
def mounted(source, scratch, *flags):
    with tempfile.TemporaryDirectory(dir=scratch) as directory:
        at = Path(directory).resolve() / "m"
        at.mkdir()
        try:
            subprocess.run([CKPTFS, "mount", source, at, *flags], check=True, stdin=subprocess.DEVNULL)
            yield at
        finally:
            subprocess.run([CKPTFS, "umount", at], check=False) if os.path.ismount(at) else None
            subprocess.run(["umount", "-l", at], check=False) if os.path.ismount(at) else None


def cpu():
    times = os.times()
    return sum(times[:4])


def cpu_of(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def report(sides):
    print(f"\n{'float32 to bfloat16':40}{'seconds':>10}{'CPU':>10}")
    rows = "ckptfs mount --cast, read from end to end", "NumPy: load, astype, savez", "NumPy, mapped file by file: astype, save"
    for what, row in zip(rows, sides):
        print(f"{what:42}{row[0]:8.2f}{row[1]:10.2f}")
    mount, *numpy = sides
    for what, row in zip(("NumPy / ckptfs", "NumPy, mapped / ckptfs"), numpy):
        print(f"{what:40}{row[0] / mount[0]:9.1f}×{row[1] / mount[1]:9.1f}×")


if __name__ == "__main__":
    main()
