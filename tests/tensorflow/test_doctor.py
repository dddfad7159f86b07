"""The findings of `ckptfs doctor`, judged by TensorFlow: a line that it prints is run, and the right values are restored.

The calls that it says restore a checkpoint do so, and those that it says do not, fail or change nothing.
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from harness import PATIENCE, assert_same, binary, same, values
from programs import KERAS, Blocks, Program, Saver, Steps, built, flip, floats, fresh_process, latest, sequential, trained, v1
from verdicts import mended

both = pytest.mark.parametrize("library", KERAS, ids=["keras3", "keras2"])


def doctor(*arguments, code=1):
    """Returns the findings by their ids, with the lines that mend them by their kinds."""
    command = [binary(), "doctor", "--json", *map(str, arguments)]
    run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)
    assert run.returncode == code, f"exit {run.returncode}: {run.stdout}{run.stderr}"
    return {finding["id"]: Finding(finding) for finding in json.loads(run.stdout)}


class Finding:
    def __init__(self, finding):
        self.evidence, self.severity = finding["evidence"], finding["severity"]
        self.mends = [(mend["kind"], mend["line"]) for mend in finding["mends"]]

    def python(self, start=""):
        return self.first("python", start)

    def command(self, start=""):
        return self.first("command", start)

    def first(self, kind, start):
        lines = [line for own, line in self.mends if own == kind and start in line]
        assert lines, f"no {kind} with {start!r} in {self.mends}"
        return lines[0]

    def failing_calls(self, path):
        """Returns the calls that it says do not restore the checkpoint."""
        calls = re.findall(r"((?:tf|model|keras)\.[^…]*?…\S*) \(", self.evidence)
        return [call.replace("…", repr(str(path))) for call in calls]


def shell(line):
    """Runs a printed command line in the working directory, with the ckptfs under test."""
    path = f"{Path(binary()).parent}{os.pathsep}{os.environ['PATH']}"
    run = subprocess.run(["sh", "-c", line], env=os.environ | {"PATH": path}, capture_output=True, text=True, timeout=PATIENCE)
    assert run.returncode == 0, f"{line}: {run.stderr}"
    return run.stdout


@pytest.fixture
def steps(tmp_path, monkeypatch):
    """Returns `train` with ckpt-1, ckpt-2 and ckpt-3, in the working directory."""
    monkeypatch.chdir(tmp_path)
    return Steps(tmp_path / "train")


def restored_step(steps, line):
    """Runs a printed line of Python, and returns the step whose values it restores."""
    steps.kernel.assign(tf.fill([300, 4], 77.0))
    exec(line, {"tf": tf, "checkpoint": steps.checkpoint, "latest": latest})
    found = [step for step, kernel in enumerate(steps.kernels, 1) if same(kernel, steps.kernel)]
    return found[0] if found else None


# The path.


@mended(16)
def test_a_missing_step_is_printed(steps):
    found = doctor("train/ckpt")
    assert restored_step(steps, found["step-missing"].python()) == 3
    assert "kernel" in shell(found["step-missing"].command())


@mended(17)
def test_a_directory_leads_to_its_newest_checkpoint(steps):
    with pytest.raises(tf.errors.DataLossError, match="Is a directory"):
        steps.restore("train")
    line = doctor("train", code=0)["restore-calls"].python("Checkpoint(")
    steps.kernel.assign(tf.fill([300, 4], 77.0))
    exec(line, {"tf": tf, "kernel": steps.kernel, "bias": steps.bias})
    assert same(steps.kernel, steps.kernels[2])


@mended(18)
@pytest.mark.parametrize("file", ["ckpt-1.index", "ckpt-1.data-00000-of-00001"])
def test_a_file_of_a_checkpoint_leads_to_its_prefix(steps, file):
    found = doctor(f"train/{file}", code=0)
    assert "the prefix that TensorFlow takes" in found["file-of-checkpoint"].evidence
    line = found["restore-calls"].python("Checkpoint(")
    steps.kernel.assign(tf.fill([300, 4], 77.0))
    exec(line, {"tf": tf, "kernel": steps.kernel, "bias": steps.bias})
    assert same(steps.kernel, steps.kernels[0])


@mended(22)
def test_a_directory_that_was_used_as_a_prefix_is_restored_by_the_printed_line(steps, tmp_path):
    steps.checkpoint.save(str(tmp_path / "training_checkpoints"))
    assert latest("./training_checkpoints") is None
    steps.kernels.append(steps.kernel.numpy())
    found = doctor("./training_checkpoints")["directory-as-prefix"]
    assert "latest_checkpoint('./training_checkpoints') is None" in found.evidence
    assert restored_step(steps, found.python()) in (3, 4)


@mended(23)
def test_a_path_of_another_directory_a_tilde_and_backslashes_are_corrected(steps, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for path, where, finding in [
        ("./train/ckpt-3", "train", "wrong-directory"),
        ("/gone/train/ckpt-3", ".", "wrong-directory"),
        ("~/train/ckpt-3", ".", "home-not-expanded"),
        ("train\\ckpt-3", ".", "backslash"),
    ]:
        monkeypatch.chdir(tmp_path / where)
        with pytest.raises(tf.errors.NotFoundError):
            steps.checkpoint.restore(path)
        assert restored_step(steps, doctor(path)[finding].python()) == 3, path


@mended(24)
def test_a_path_with_brackets_is_restored_from_the_printed_mount(fuse, steps, tmp_path):
    steps.directory = steps.directory.rename(tmp_path / "run[1]")
    for path in "run[1]/ckpt-2", "run[1]":
        found = doctor(path)["pattern-in-path"]
        shell(found.command())
        assert restored_step(steps, found.python()) == (2 if "ckpt" in path else 3)
        shell("ckptfs umount m && rmdir m")
    os.chdir("run[1]")
    assert steps.restore("ckpt-2") == 2
    assert "pattern-above" in doctor("ckpt-2", code=0)


def test_characters_that_match_themselves_are_no_pattern(steps, tmp_path):
    for name in "a*b", "a?b", "a{1,2}", "a[b", "a]b", "a b", "~":
        shutil.copytree(tmp_path / "train", tmp_path / name)
        assert steps.restore(tmp_path / name / "ckpt-2") == 2
        assert "pattern-in-path" not in doctor(tmp_path / name, code=0)


# The state file.


@mended(19, 20, 21)
@pytest.mark.parametrize(
    ("text", "finding", "step"),
    [
        (None, "state-missing", 3),
        ("", "state-empty", 3),
        ("hello {", "state-garbled", 3),
        ('model_checkpoint_path: "/gone/train/ckpt-3"', "state-moved", 3),
        ('model_checkpoint_path: "ckpt-9"', "state-deleted-step", 3),
    ],
)
def test_a_state_file_is_mended_by_the_printed_command(steps, text, finding, step):
    (steps / "checkpoint").unlink()
    if text is not None:
        (steps / "checkpoint").write_text(text)
    try:
        assert latest("train") is None
    except ValueError as error:
        assert finding == "state-empty" and "Invalid checkpoint state" in str(error)
    found = doctor("train")[finding]
    assert restored_step(steps, found.python()) == step
    shell(found.command("printf"))
    assert steps.restore(latest("train")) == step
    manager = tf.train.CheckpointManager(steps.checkpoint, "train", max_to_keep=9)
    assert [Path(path).name for path in manager.checkpoints] == ["ckpt-1", "ckpt-2", "ckpt-3"]
    doctor("train", code=0)


@mended(20)
def test_the_state_file_of_a_deleted_step_leads_to_the_newest_that_is_left(steps):
    for file in steps.directory.glob("ckpt-3.*"):
        file.unlink()
    assert latest("train") is None
    found = doctor("train")["state-deleted-step"]
    assert restored_step(steps, found.python()) == 2
    shell(found.command("printf"))
    assert steps.restore(latest("train")) == 2


def test_a_copied_directory_whose_state_file_leads_to_the_old_one_is_found(steps, tmp_path):
    state = f'model_checkpoint_path: "{steps / "ckpt-3"}"\nall_model_checkpoint_paths: "{steps / "ckpt-3"}"\n'
    (steps / "checkpoint").write_text(state)
    shutil.copytree("train", "copy")
    assert Path(latest("copy")) == steps / "ckpt-3"
    found = doctor("copy")["state-elsewhere"]
    shell(found.command("printf"))
    assert Path(latest("copy")) == Path("copy/ckpt-3")
    assert steps.restore(latest("copy")) == 3


def test_steps_that_a_second_manager_deleted_are_noted_and_the_printed_manager_keeps_all(steps):
    tf.train.CheckpointManager(steps.checkpoint, "train", max_to_keep=1).save()
    assert [file.stem for file in steps.directory.glob("*.index")] == ["ckpt-4"]
    found = doctor("train", code=0)["steps-rotated"]
    assert "ckpt-4 is save number 4, and 1 of them" in found.evidence
    scope = {"tf": tf, "checkpoint": steps.checkpoint}
    exec(found.python(), scope)
    for _ in range(3):
        scope["manager"].save()
    assert len(list(steps.directory.glob("*.index"))) == 4


def test_two_managers_that_save_in_turn_are_found(steps):
    other = tf.train.CheckpointManager(steps.checkpoint, "train", max_to_keep=1)
    other.save()
    steps.save(5)
    found = doctor("train")["two-managers"]
    assert "ckpt-4" in found.evidence and "ckpt-1, ckpt-2, ckpt-3" in found.evidence
    shell(found.command("printf"))
    assert Path(latest("train")).name == "ckpt-5"
    doctor("train", code=0)


# Rights.


@mended(25)
def test_missing_rights_are_granted_by_the_printed_command(tmp_path):
    # Imported here, because the module has tests of its own.
    from test_failures import without_rights

    if os.geteuid() != 0:
        pytest.skip("NOT RUN, it needs another user's files")
    with tempfile.TemporaryDirectory() as base:
        base = Path(base)
        base.chmod(0o755)
        steps, program = Steps(base / "train", count=2), base / "ckptfs"
        shutil.copy(binary(), program)
        prefix = str(steps / "ckpt-2")
        for path, mode, finding in [
            (steps.directory, 0o700, "not-searchable"),
            (steps.directory, 0o711, "not-listable"),
            (steps / "ckpt-2.data-00000-of-00001", 0o600, "not-readable"),
            (steps / "ckpt-2.index", 0o600, "not-readable"),
        ]:
            path.chmod(mode)
            with without_rights():
                with pytest.raises(tf.errors.OpError) if finding != "not-listable" else contextlib.nullcontext():
                    steps.restore(prefix)
                run = subprocess.run([program, "doctor", "--json", prefix], capture_output=True, text=True, timeout=PATIENCE)
            found = {one["id"]: Finding(one) for one in json.loads(run.stdout)}
            assert str(path) in found[finding].evidence, (oct(mode), found[finding].evidence)
            shell(found[finding].command("chmod "))
            with without_rights():
                assert steps.restore(prefix) == 2


# Files that are not whole.


def truncate(file, text=None):
    os.truncate(file, file.stat().st_size - 100) if text is None else file.write_text(text)


LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 4816\n"
DATA, INDEX = "ckpt-3.data-00000-of-00001", "ckpt-3.index"


@mended(26, 29, 30)
@pytest.mark.parametrize(
    ("file", "damage", "finding"),
    [
        (DATA, Path.unlink, "data-missing"),
        (INDEX, lambda index: flip(index, 60), "index-damaged"),
        (INDEX, lambda index: os.truncate(index, 100), "index-damaged"),
        (INDEX, lambda index: os.truncate(index, 0), "empty-file"),
        (DATA, lambda data: data.write_text(LFS), "lfs-pointer"),
        (INDEX, lambda index: index.write_text("<!DOCTYPE html><html>404</html>"), "web-page"),
        (INDEX, lambda index: index.write_text(f"PK\3\4{'junk' * 20}"), "archive"),
        (DATA, lambda data: data.write_text('{"error": "unauthorized"}'), "server-error"),
        (DATA, lambda data: data.write_text("<?xml version='1.0'?><Error/>"), "server-error"),
    ],
)
def test_the_newest_whole_step_is_restored_by_the_printed_line(steps, file, damage, finding):
    damage(steps / file)
    with pytest.raises((tf.errors.OpError, IndexError)):
        steps.restore(steps / "ckpt-3")
    for path in "train", "train/ckpt-3":
        found = doctor(path)
        assert file.split(".")[0] in found[finding].evidence
        assert restored_step(steps, found[finding].python()) == 2
    assert restored_step(steps, doctor("train")["newest-not-whole"].python()) == 2


@mended(31)
def test_a_half_written_save_leads_to_the_step_before(steps):
    (steps / "ckpt-3_temp").mkdir()
    (steps / INDEX).unlink()
    (steps / DATA).rename(steps / "ckpt-3_temp/part-00000-of-00001.data-00000-of-00001")
    found = doctor("train")
    assert restored_step(steps, found["half-written"].python()) == 2
    assert "ckpt-3_temp" in found["half-written"].evidence
    assert "half-written" in doctor("train/ckpt-3")


@mended(27)
def test_a_truncated_file_is_served_without_what_is_lost_or_with_the_step_before(fuse, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    old, new = (floats(seed, **{f"l{i}__w": (64, 64) for i in range(10)}) for seed in (1, 2))
    Saver(old).save(tmp_path / "train/ckpt-1")
    Saver(new).save(tmp_path / "train/ckpt-2")
    truncate(tmp_path / "train/ckpt-2.data-00000-of-00001")
    with pytest.raises(tf.errors.OutOfRangeError):
        Saver(new).restore("train/ckpt-2")
    found = doctor("train/ckpt-2")["data-truncated"]
    assert "is 163,740 bytes of 163,840" in found.evidence and "lost: l9/w (1 of 10 variables)" in found.evidence
    shell(found.command("--take"))
    assert_same(values(tmp_path / "m/ckpt-2"), new | {"l9/w": old["l9/w"]})
    shell("ckptfs umount m && rmdir m")
    shell(found.command("--salvage"))
    assert_same(values(tmp_path / "m/ckpt-2"), {name: value for name, value in new.items() if name != "l9/w"})


@mended(28)
def test_a_flipped_bit_is_found_by_reading_all_values_and_mended_by_the_printed_mount(fuse, steps):
    data = steps / DATA
    flip(data, data.read_bytes().index(steps.kernels[2].tobytes()) + 700)
    with pytest.raises(tf.errors.DataLossError) as raised:
        steps.restore("train/ckpt-3")
    stored = re.search(r"stored \d+", str(raised.value)).group()
    doctor("train/ckpt-3", code=0)
    for path in "train/ckpt-3", "train":
        found = doctor(path, "--data")["values-damaged"]
        assert all(said in found.evidence for said in ("kernel [300, 4]", DATA, stored))
        shell(found.command("--take"))
        assert steps.restore("m/ckpt-3") == 2
        shell("ckptfs umount m && rmdir m")


def test_numbers_that_are_not_finite_are_found(tmp_path):
    odd = np.array([1, np.nan, np.inf, -np.inf], np.float32)
    Saver({"a": odd, "b": np.ones(3, np.float32)}).save(tmp_path / "ckpt")
    found = doctor(tmp_path / "ckpt", "--data")
    assert "a [4]: 1 NaN, 2 inf" in found["not-finite"].evidence
    assert "all 2 values match" in found["values-intact"].evidence


# What is in it, and the calls that restore it.


@mended(49)
def test_a_saved_model_below_is_loaded_by_the_printed_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = sequential(tf_keras, [4, 2])
    tf.saved_model.save(model, "sm/m")
    with pytest.raises(OSError, match="SavedModel file does not exist at"):
        tf.saved_model.load("sm")
    found = doctor("sm")["saved-model-below"]
    loaded = eval(found.python(), {"tf": tf})
    assert all(same(a, b) for a, b in zip(loaded.variables, model.get_weights(), strict=True))
    shell(found.command("ckptfs check"))


@both
def test_a_model_that_was_saved_unbuilt_is_saved_again_by_the_printed_line(tmp_path, monkeypatch, library):
    monkeypatch.chdir(tmp_path)
    fresh_process(library)
    model = library.Sequential([library.layers.Dense(4), library.layers.Dense(2)])
    Program(model).save(tmp_path / "ckpt")
    found = doctor("ckpt-1")["no-weights"]
    model.build([None, 4])
    exec(found.python(), {"model": model})
    other = sequential(library, [4, 2], seed=7)
    other.load_weights("ckpt-1.weights.h5")
    assert all(same(a, b) for a, b in zip(other.get_weights(), model.get_weights(), strict=True))


def test_a_list_of_layers_is_saved_again_by_the_printed_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model, other = built(Blocks("ab")), built(Blocks("ab"), 2)
    Program(model).save(tmp_path / "ckpt")
    found = doctor("ckpt-1")["no-weights"]
    exec(found.python(), {"model": model})
    other.load_weights("ckpt-1.weights.h5")
    assert all(same(a, b) for a, b in zip(other.get_weights(), model.get_weights(), strict=True))


@mended(60)
def test_the_printed_manager_saves_beside_a_mount(mount, steps):
    m = mount(steps.directory)
    for path in m.path, m / "ckpt-3":
        found = doctor(path, code=0)["read-only-mount"]
    scope = {"tf": tf, "checkpoint": steps.checkpoint}
    exec(found.python(), scope)
    assert steps.restore(latest(m)) == 3
    assert steps.restore(scope["manager"].save()) == 3


OVERWRITTEN = 77


def untouched(model):
    return all((np.asarray(weight) == OVERWRITTEN).all() for weight in model.get_weights())


def judge(prefix, model, right, code=0, **objects):
    """Runs every call that doctor prints for a checkpoint: those that restore it, and those that do not."""
    note = doctor(prefix, code=code)["restore-calls"]
    scope = {"tf": tf, "keras": keras, "model": model} | objects
    overwrite = lambda: model.set_weights([np.full_like(weight, OVERWRITTEN) for weight in model.get_weights()])
    works = [line for kind, line in note.mends if kind == "python" and "Saver" not in line]
    for line in works:
        overwrite()
        exec(line, scope)
        assert all(same(a, b) for a, b in zip(model.get_weights(), right, strict=True)), line
    fails = [call for call in note.failing_calls(prefix) if "Saver" not in call]
    assert works and fails
    for call in fails:
        overwrite()
        with pytest.raises((AssertionError, ValueError, OSError)):
            eval(call, scope)
        assert untouched(model), call
    return note


@both
def test_the_calls_for_a_checkpoint_of_a_model(tmp_path, library):
    old, new = sequential(library, [6, 3]), sequential(library, [6, 3], seed=2)
    note = judge(Program(old).save(tmp_path / "ckpt"), new, old.get_weights())
    saver = note.python("Saver")
    names = {"dense": "sequential/dense", "dense_1": "sequential/dense_1"} if library is keras else {}
    right = {name: value for name, value in Program(old).values().items()}
    right = {f"{names.get(name.split('/')[0], name.split('/')[0])}/{name.split('/')[1]}": value for name, value in right.items()}
    assert_same(restored_by_saver(saver, right), right)


def restored_by_saver(line, wanted):
    """Runs a printed line in a program of TF1 that has variables of these names."""
    with v1.Graph().as_default(), v1.Session() as session:
        variables = {name: v1.get_variable(name, initializer=tf.zeros(value.shape)) for name, value in wanted.items()}
        session.run(v1.global_variables_initializer())
        exec(line, {"tf": tf, "session": session})
        return session.run(variables)


@both
def test_the_calls_for_a_checkpoint_of_a_trained_model(tmp_path, library):
    old, new = (trained(sequential(library, [4, 2], seed=seed), library.optimizers.Adam(0.1)) for seed in (1, 2))
    prefix = old.save(tmp_path / "ckpt")
    judge(prefix, new.model, old.model.get_weights(), optimizer=new.optimizer)
    assert "optimizer adam" in doctor(prefix, code=0)["contents"].evidence
    assert ("Keras 3" if library is keras else "Keras 2") in doctor(prefix, code=0)["contents"].evidence


@mended(53)
@both
def test_averages_of_keras_are_put_into_the_model_by_the_printed_line(tmp_path, library):
    adam = lambda: library.optimizers.Adam(0.1, use_ema=True, ema_momentum=0.5)
    old, new = trained(sequential(library, [6, 3]), adam(), steps=3), trained(sequential(library, [6, 3], seed=2), adam())
    averages = [average.numpy() for average in old.optimizer._model_variables_moving_average]
    prefix = old.save(tmp_path / "ckpt")
    new.restore(prefix)
    assert all(same(a, b) for a, b in zip(new.model.get_weights(), old.model.get_weights(), strict=True))
    exec(doctor(prefix, code=0)["averages"].python(), {"model": new.model, "optimizer": new.optimizer})
    assert all(same(a, b) for a, b in zip(new.model.get_weights(), averages, strict=True))
    without = trained(sequential(library, [6, 3]), library.optimizers.Adam(0.1)).save(tmp_path / "without")
    assert "averages" not in doctor(without, code=0)


@both
def test_the_calls_for_a_checkpoint_whose_root_is_the_model(tmp_path, library):
    old, new = sequential(library, [6, 3]), sequential(library, [6, 3], seed=2)
    judge(tf.train.Checkpoint(old).save(str(tmp_path / "root/ckpt")), new, old.get_weights())
    judge(tf.train.Checkpoint(old).write(str(tmp_path / "written/ckpt")), new, old.get_weights())


def test_the_calls_for_weights_in_tensorflows_format(tmp_path):
    old, new = sequential(tf_keras, [6, 3]), sequential(tf_keras, [6, 3], seed=2)
    old.save_weights(str(tmp_path / "weights"))
    judge(tmp_path / "weights", new, old.get_weights())
    new.compile(tf_keras.optimizers.legacy.Adam(0.1), "mse")
    new.fit(np.ones([4, 4], np.float32), np.ones([4, 3], np.float32), verbose=0)
    right = new.get_weights()
    new.save_weights(str(tmp_path / "compiled/weights"))
    judge(tmp_path / "compiled/weights", new, right)


@both
def test_the_calls_for_a_file_of_weights(tmp_path, library):
    old, new = sequential(library, [6, 3]), sequential(library, [6, 3], seed=2)
    for name in "model.weights.h5", "legacy.h5":
        if (library, name) == (keras, "legacy.h5"):
            continue
        old.save_weights(str(tmp_path / name))
        note = doctor(tmp_path / name, code=0)["restore-calls"]
        exec(note.python(), {"model": new})
        assert all(same(a, b) for a, b in zip(new.get_weights(), old.get_weights(), strict=True))


@both
def test_the_calls_for_a_saved_model(tmp_path, library):
    old, new = sequential(library, [6, 3]), sequential(library, [6, 3], seed=2)
    tf.saved_model.save(old, str(tmp_path / "sm"))
    note = doctor(tmp_path / "sm", code=0)["restore-calls"]
    scope = {"tf": tf, "keras": keras, "model": new}
    exec(note.python("saved_model"), scope)
    inputs = np.random.default_rng(3).normal(size=[2, 4]).astype(np.float32)
    outputs = scope["loaded"].signatures["serving_default"](tf.constant(inputs))
    np.testing.assert_allclose(next(iter(outputs.values())), old(inputs), rtol=1e-5)
    if library is tf_keras:
        exec(note.python("load_weights"), scope)
        assert all(same(a, b) for a, b in zip(new.get_weights(), old.get_weights(), strict=True))
    new.set_weights([np.full_like(weight, OVERWRITTEN) for weight in new.get_weights()])
    restore, load = note.failing_calls(tmp_path / "sm")
    eval(restore, scope).expect_partial()
    with pytest.raises(ValueError, match="File format not supported|legacy SavedModel format is not supported"):
        eval(load, scope)
    assert untouched(new)


def test_the_calls_for_a_checkpoint_of_a_saver(tmp_path):
    old = floats(1, dense__kernel=(4, 6), dense__bias=6)
    prefix = Saver(old).save(tmp_path / "ckpt")
    note = doctor(prefix, code=0)["restore-calls"]
    assert_same(restored_by_saver(note.python("Saver"), old), old)
    model = sequential(keras, [6])
    for call in note.failing_calls(prefix):
        with pytest.raises((AssertionError, ValueError, OSError)):
            eval(call, {"tf": tf, "model": model})


def test_the_printed_mount_of_a_saver_restores_objects(fuse, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    old = floats(1, dense__kernel=(4, 6), dense__bias=6)
    Saver(old).save(tmp_path / "ckpt")
    shell(doctor("ckpt", code=0)["restore-calls"].command("--target object"))
    layer = tf.Module()
    layer.kernel, layer.bias = tf.Variable(tf.zeros([4, 6])), tf.Variable(tf.zeros([6]))
    tf.train.Checkpoint(dense=layer).restore(str(tmp_path / "m/ckpt")).assert_consumed()
    assert same(layer.kernel, old["dense/kernel"]) and same(layer.bias, old["dense/bias"])
