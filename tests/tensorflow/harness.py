"""Functions that run the ckptfs binary, and comparisons of values by their bytes."""

import contextlib
import os
import shutil
import subprocess
import time
from pathlib import Path

import ml_dtypes
import numpy as np
import tensorflow as tf

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests" / "fixtures" / "tf-2.21"
OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"

# The timeout in seconds, long enough for a busy machine: a command that exceeds it hangs.
PATIENCE = 60


def binary():
    return os.environ.get("CKPTFS_BIN") or str(ROOT / "target" / "release" / "ckptfs")


def ckptfs(*arguments, text=True):
    """Runs a command to its end. Its stdin is closed, as in a script."""
    command = [binary(), *map(str, arguments)]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=text, timeout=PATIENCE)


def refused(*arguments, code=1):
    """Runs a command that must fail, and returns its standard error."""
    run = ckptfs(*arguments)
    assert run.returncode == code, f"exit {run.returncode}, not {code}: {run.stdout}{run.stderr}"
    assert "panicked" not in run.stderr
    return run.stderr


def on_a_terminal(*arguments):
    """Runs a command to its end, with a terminal as its standard error. Returns what it prints there."""
    reader, writer = os.openpty()
    try:
        command = [binary(), *map(str, arguments)]
        run = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=writer, timeout=PATIENCE)
        os.set_blocking(reader, False)  # A daemon may keep the terminal open.
        with contextlib.suppress(BlockingIOError):
            printed = b""
            while part := os.read(reader, 1 << 16):
                printed += part
    finally:
        os.close(reader)
        os.close(writer)
    printed = printed.decode().replace("\r\n", "\n")
    assert run.returncode == 0, printed
    return printed


class Mount:
    """A mount: its path, and the standard error of the command that made it."""

    def __init__(self, path, stderr):
        self.path, self.stderr = path, stderr

    def __truediv__(self, below):
        return self.path / below

    def __str__(self):
        return str(self.path)


@contextlib.contextmanager
def mounted(source, at, *flags):
    """Runs `ckptfs mount SOURCE AT FLAGS`, which returns when the mount answers. Always unmounts at the end."""
    at.mkdir(exist_ok=True)
    try:
        run = ckptfs("mount", source, at, *flags)
        assert run.returncode == 0, f"mount failed: {run.stderr}"
        assert is_mounted(at), f"mount said nothing wrong but nothing is there: {run.stderr}"
        yield Mount(at, run.stderr)
    finally:
        unmount(at)


def unmount(at):
    if is_mounted(at):
        ckptfs("umount", at)
    if is_mounted(at):
        subprocess.run(["umount", "-l", at], check=False)


def is_mounted(at):
    return Path(at) in mountpoints()


def mountpoints():
    """Returns all mountpoints, latest first. The kernel writes blanks and backslashes as octal escapes."""
    lines = Path("/proc/self/mounts").read_bytes().splitlines()
    return [Path(line.split()[1].decode("unicode_escape").encode("latin-1").decode()) for line in reversed(lines)]


def daemons(at):
    """Returns the ids of the ckptfs processes that serve a mountpoint."""
    return [pid for pid in processes() if str(at) in arguments_of(pid) and "ckptfs" in arguments_of(pid)[0]]


def processes():
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def arguments_of(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
    except OSError:
        return [""]


def eventually(holds, what):
    """Waits for an event that another process causes soon."""
    deadline = time.monotonic() + PATIENCE / 3
    while not holds():
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.02)


def fixture(name):
    return FIXTURES / name / "ckpt-9"


def copy_of(name, into):
    """Copies the files of a fixture, so that a test can damage them. Returns the prefix of the copy."""
    shutil.copytree(FIXTURES / name, into)
    return into / "ckpt-9"


def values(prefix, names=None):
    """Returns every value of a checkpoint, as TensorFlow restores it, without the object graph."""
    dtypes = tf.train.load_checkpoint(str(prefix)).get_variable_to_dtype_map()
    names = sorted(set(dtypes) - {OBJECT_GRAPH}) if names is None else names
    return restored(prefix, {name: dtypes[name] for name in names})


def restored(prefix, dtypes):
    """Returns values restored by RestoreV2, which does not need to list the names."""
    tensors = tf.raw_ops.RestoreV2(
        prefix=str(prefix), tensor_names=list(dtypes), shape_and_slices=[""] * len(dtypes), dtypes=list(dtypes.values())
    )
    return {name: tensor.numpy() for name, tensor in zip(dtypes, tensors)}


def assert_same(found, expected):
    """Checks that two sets of values have the same names, and that each value has the same dtype, shape and bytes."""
    assert sorted(found) == sorted(expected)
    different = [name for name in expected if not same(found[name], expected[name])]
    assert not different


def same(a, b):
    a, b = array(a), array(b)
    return (a.dtype, a.shape) == (b.dtype, b.shape) and (a.tolist() == b.tolist() if a.dtype == object else a.tobytes() == b.tobytes())


def array(value):
    """Returns a value of TensorFlow as an array. A single string is `bytes`, which NumPy would cut at a final NUL."""
    return np.asarray(value, object if isinstance(value, bytes) else None)


def widened(value):
    """Returns the expected array in `npy/`: NumPy's own dtypes are unchanged, the others are widened without loss."""
    value = np.asarray(value)
    return value.astype(WIDER[value.dtype]) if value.dtype in WIDER else value


WIDER = {np.dtype(getattr(ml_dtypes, name)): np.dtype(np.float32) for name in dir(ml_dtypes) if name.startswith(("bfloat16", "float"))} | {
    np.dtype(ml_dtypes.int2): np.dtype(np.int8),
    np.dtype(ml_dtypes.int4): np.dtype(np.int8),
    np.dtype(ml_dtypes.uint2): np.dtype(np.uint8),
    np.dtype(ml_dtypes.uint4): np.dtype(np.uint8),
}


def assert_widens_to(shown, value):
    """Checks an array of `npy/` against TensorFlow's value.

    NaN has many bit patterns in a narrow float: any NaN is accepted.
    """
    expected = widened(value)
    assert (shown.dtype, shown.shape) == (expected.dtype, expected.shape)
    if np.asarray(value).dtype in WIDER and expected.dtype == np.float32:
        np.testing.assert_array_equal(shown, expected)
        assert (np.signbit(shown) == np.signbit(expected))[~np.isnan(expected)].all()
    else:
        assert shown.tobytes() == expected.tobytes()


def stored_bytes(value):
    """Returns the expected bytes in `raw/`.

    A dtype below one byte uses one byte per element, with zero upper bits.
    """
    value = np.asarray(value)
    narrow = {np.dtype(ml_dtypes.int2): 0x03, np.dtype(ml_dtypes.int4): 0x0F}.get(value.dtype)
    return value.tobytes() if narrow is None else (value.astype(np.int8).view(np.uint8) & narrow).tobytes()
