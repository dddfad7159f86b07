"""`ckptfs fix` reads the exact words of TensorFlow and Keras. Each program fails; then the printed command mends it.

A test catches the real exception, gives its text to `ckptfs fix`, and runs what it prints.
"""

import contextlib
import os
import re
import shlex
import subprocess
import sys
import traceback
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from harness import PATIENCE, assert_same, binary, same
from programs import KERAS, Program, Saver, Steps, WeightsFile, adam_of_tf1, crossing, filled, flip, floats, fresh_process, latest, sequential, trained, v1  # fmt: skip
from test_failures import (
    MODEL, Attribute, adam_of, attribute, built, drop_layer, grown, moved, replaced, scaled, words, wrong,
)  # fmt: skip
from verdicts import chosen, mended

both = pytest.mark.parametrize("library", KERAS, ids=["keras3", "keras2"])


def failing(restore, *arguments):
    """Returns what Python prints when a restore fails."""
    try:
        restore(*arguments)
    except Exception:
        return traceback.format_exc()
    raise AssertionError("nothing was raised")


class Answer:
    """What `ckptfs fix` prints: the lines to paste, without their labels. Of several of a kind, the first counts."""

    def __init__(self, text, source=None, *flags, like=None, code=0):
        like = ["--like", like] if like else []
        command = [binary(), "fix", *([source] if source else []), "-", *like, *flags]
        run = subprocess.run([*map(str, command)], input=text, capture_output=True, text=True, timeout=PATIENCE)
        self.text = run.stdout
        assert run.returncode == code, f"exit {run.returncode}: {run.stdout}{run.stderr}"
        self.lines = {label: line for label, line in re.findall(r"^(try|keep|then|in the program:) +(.+)$", run.stdout, re.M)[::-1]}

    def flags(self):
        """Returns the flags of the first command, which `run` gives to a mount too."""
        words = shlex.split(self.lines["try"])
        assert words[:2] == ["ckptfs", "run"], words
        return words[3 : words.index("--")]

    def paste(self, directory, **program):
        """Runs the first command, and then the line of the program if there is one."""
        if "try" in self.lines:
            path = f"{Path(binary()).parent}{os.pathsep}{os.environ['PATH']}"
            command = ["sh", "-c", self.lines["try"]]
            run = subprocess.run(command, cwd=directory, env=os.environ | {"PATH": path}, capture_output=True, text=True, timeout=PATIENCE)
            assert run.returncode == 0, f"{self.lines['try']}: {run.stderr}"
        if line := self.lines.get("in the program:"):
            with contextlib.chdir(directory):
                exec(line, program)


@pytest.fixture
def mends(mount):
    """Returns a function that fails a restore, mounts by the printed flags, and compares the values."""

    def mends(source, *, restore, right, fails=None, like=None):
        text = failing(fails or restore, source)
        answer = Answer(text, source, like=like)
        assert_same(restore(mount(source, *answer.flags()) / source.name), right)
        return answer

    return mends


@mended(1, 2, 3, 4, 5)
@pytest.mark.parametrize(
    ("have", "want", "flag"),
    [
        (lambda n: n, lambda n: n.replace("model/", "net/"), "--rename model/**=net/**"),
        (lambda n: n, lambda n: n.replace("model/", ""), "--strip-prefix model/"),
        (lambda n: n.replace("model/", ""), lambda n: n, "--add-prefix model/"),
        (lambda n: f"module.{n.replace('/', '.')}", lambda n: n, "--rename"),
        (lambda n: n, lambda n: n.replace("dense", "Dense"), "--rename model/dense{x:**}=model/Dense{x}"),
        (lambda n: n, lambda n: re.sub(r"dense_?(\d*)", lambda d: f"dense_{int(d[1] or 0) + 12}", n), "--rename"),
    ],
    ids=["scope", "strip", "add", "dots", "case", "numbers"],
)
def test_a_missing_key_is_mended_by_the_printed_flags(mends, tmp_path, have, want, flag):
    """Rows 1 to 5."""
    source = Saver({have(name): value for name, value in MODEL.items()}).save(tmp_path / "ckpt")
    program = Saver({want(name): value for name, value in MODEL.items()})
    answer = mends(source, restore=program.restore, right=program.values)
    assert " ".join(answer.flags()).startswith(flag), answer.text


@mended(52)
def test_missing_averages_and_averages_in_place_of_weights_are_mended(mends, tmp_path):
    averages = {f"{name}/ExponentialMovingAverage": value for name, value in MODEL.items()}
    for have, want, at in (MODEL, averages, "raw"), (averages, MODEL, "averages"):
        program = Saver(want)
        mends(Saver(have).save(tmp_path / at), restore=program.restore, right=program.values)


@mended(37)
def test_other_dtypes_are_mended(mends, tmp_path):
    source = Saver(MODEL | {"global_step": np.int64(1000)}).save(tmp_path / "ckpt")
    program = Saver({name: value.astype(np.float16) for name, value in MODEL.items()} | {"global_step": np.int32(1000)})
    answer = mends(source, restore=program.restore, right=program.values)
    assert "--cast" in answer.text


@mended(42)
@both
def test_a_checkpoint_of_tf1_restores_into_objects(mount, tmp_path, library):
    old = floats(1, net__hidden__kernel=(4, 4), net__hidden__bias=4, net__out__kernel=(4, 2), net__out__bias=2)
    source = Saver(old | {"global_step": np.int64(5)}).save(tmp_path / "ckpt")
    new = Program(sequential(library, [4, 2], ["hidden", "out"], seed=2))
    like, right = new.save(tmp_path / "wanted"), replaced(old, "net/", "")
    fails = lambda at: tf.train.Checkpoint(model=new.model).restore(str(at)).assert_consumed()  # noqa: E731
    text = failing(fails, source)
    assert "Some objects had attributes which were not restored" in text
    answers = [Answer(text, source, like=like)]
    if library is tf_keras:
        answers.append(Answer(text, source))
        assert answers[1].flags() == ["--strip-prefix", "net/"]
    for answer in answers:
        m = mount(source, *answer.flags())
        assert_same(new.restore(m / "ckpt", "assert_existing_objects_matched"), right)


# What only the program's own names and shapes decide.


def asks_for_wanted(text, source, api):
    answer = Answer(text, source, code=1)
    assert f"ckptfs want --{api}" in answer.lines["try"] and "--like wanted" in answer.lines["then"], answer.text
    return answer


@mended(9)
@both
def test_an_inserted_layer_is_mended_with_wanted(mends, tmp_path, library):
    """Rows 7 and 9: by its shape, only one layer can be new."""
    old, new = Program(sequential(library, [6, 3])), Program(sequential(library, [6, 6, 3], seed=2))
    source, like, own = old.save(tmp_path / "ckpt"), new.save(tmp_path / "wanted"), new.values()
    text = failing(new.restore, source)
    asks_for_wanted(text, source, "checkpoint")
    right = own | moved(old.values(), {"dense": "dense", "dense_1": "dense_2"})
    answer = mends(source, restore=new.restore, right=right, like=like)
    assert "--new" in answer.lines["try"] or "--pair" in answer.lines["try"]


def test_an_inserted_layer_of_tf1_is_mended_with_wanted(mends, tmp_path):
    """Row 7: which of two layers of one shape is new cannot be known."""
    source, new = Saver(MODEL).save(tmp_path / "ckpt"), floats(2, model__dense_1__kernel=(4, 4), model__dense_1__bias=4)
    program = Saver(new | moved(MODEL, {"model/dense": "model/dense", "model/dense_1": "model/dense_2", "model/dense_2": "model/dense_3"}))
    like = Saver(program.values).save(tmp_path / "wanted")
    asks_for_wanted(failing(program.restore, source), source, "saver")
    assert "--new model/dense_" in Answer(failing(program.restore, source), source, like=like, code=1).text


@both
def test_which_of_equal_layers_is_new_is_a_choice(tmp_path, library):
    """Rows 8, 10 and 45: no exit 0, and the choices are listed."""
    old, new = Program(sequential(library, [4, 4])), Program(sequential(library, [4, 4, 4], seed=2))
    source, like = old.save(tmp_path / "ckpt"), new.save(tmp_path / "wanted")
    text = failing(new.restore, source)
    assert "Found 2 Python objects that were not bound" in text
    asks_for_wanted(text, source, "checkpoint")
    answer = Answer(text, source, like=like, code=1)
    assert answer.text.count("--new ") > 1 and "try   ckptfs run" not in answer.text


@mended(11)
@both
def test_layers_in_another_order_are_mended_by_name(mount, tmp_path, library):
    """Row 11: nothing is raised, so there is no text."""
    old, new = Program(crossing(library, ["left", "right"], 1)), Program(crossing(library, ["right", "left"], 2))
    source, like, right = old.save(tmp_path / "ckpt"), new.save(tmp_path / "wanted"), old.values()
    answer = Answer("", source, like=like)
    assert "--match name" in answer.lines["try"]
    assert_same(new.restore(mount(source, *answer.flags()) / "ckpt-1"), right)


@mended(13)
def test_a_renamed_attribute_is_found_and_mended_with_wanted(mends, tmp_path):
    old, new = Program(attribute("fc1", 1)), Program(attribute("hidden", 2))
    source, like, right = old.save(tmp_path / "ckpt"), new.save(tmp_path / "wanted"), old.values()
    answer = asks_for_wanted(failing(new.restore, source), source, "checkpoint")
    assert "attribute/dense/kernel [4, 4] is not there; of its shape: model/fc1/_kernel" in answer.text
    mends(source, restore=new.restore, right=right, like=like)


@mended(33)
@both
def test_other_units_and_classes_are_mended_with_wanted(mends, tmp_path, library):
    names = ["a", "b", "head"]
    old, new = Program(sequential(library, [4, 4, 2], names)), Program(sequential(library, [4, 4, 5], names, seed=2))
    own, source, like = new.values(), old.save(tmp_path / "ckpt"), new.save(tmp_path / "wanted")
    asks_for_wanted(failing(new.restore_partly, source), source, "checkpoint")
    right = own | moved(old.values(), {"a": "a", "b": "b"})
    mends(source, restore=new.restore, fails=new.restore_partly, right=right, like=like)


@mended(34)
@both
def test_a_grown_vocabulary_is_mended_with_wanted(mends, tmp_path, library):
    old, new = Program(words(library, 10, 1)), Program(words(library, 12, 2))
    own, source, like = new.values(), old.save(tmp_path / "ckpt"), new.save(tmp_path / "wanted")
    right = {name: grown(old.values()[name], own[name]) for name in own}
    answer = mends(source, restore=new.restore, fails=new.restore_partly, right=right, like=like)
    assert "--fit" in answer.lines["try"]


def test_a_table_of_tf1_with_more_rows_is_mended_with_wanted(mends, tmp_path):
    """Rows 34 and 36."""
    old, own = MODEL | {"emb": floats(1, t=(10, 4))["t"]}, MODEL | {"emb": floats(2, t=(12, 4))["t"]}
    source, like, program = Saver(old).save(tmp_path / "ckpt"), Saver(own).save(tmp_path / "wanted"), Saver(own, resource=False)
    right = MODEL | {"emb": grown(old["emb"], own["emb"])}
    mends(source, restore=program.restore, right=right, like=like)
    answer = asks_for_wanted("InvalidArgumentError: indices[0] = 11 is not in [0, 10)", source, "saver")
    assert "emb [10, 4] is in the checkpoint" in answer.text
    mended = Answer("InvalidArgumentError: indices[0] = 11 is not in [0, 10)", source, like=like)
    assert "--fit" in mended.lines["try"]


@chosen(43)
@both
def test_adam_of_tf1_is_mended_with_wanted(mount, tmp_path, library):
    """Keras 2 takes the slots and the step too. For Keras 3 the optimizer is fresh, as the line says."""
    source, old = adam_of_tf1(tmp_path / "ckpt", units=2)
    fresh_process(library)
    model = library.Sequential([library.layers.Input([3]), library.layers.Dense(2, name="net")], name="m")
    new = trained(filled(model, 2), library.optimizers.Adam(0.1))
    own, like = new.values(), new.save(tmp_path / "wanted")
    right = own | {name: old[name] for name in ("net/kernel", "net/bias")}
    text = failing(lambda: new.checkpoint.restore(str(source)).assert_existing_objects_matched())
    answer = Answer(text, source, like=like)
    flags = answer.flags()
    assert "--drop-optimizer" in flags
    assert_same(new.restore(mount(source, *flags) / "ckpt"), right)
    if library is tf_keras:
        slots = {f"Adam/{ours}/net/{name}": old[f"net/{name}/{theirs}"] for name in ("kernel", "bias") for ours, theirs in [("m", "Adam"), ("v", "Adam_1")]}
        line = next(line for line in answer.text.splitlines() if "--match name" in line)
        m = mount(source, *shlex.split(line.partition("     ")[0]))
        assert_same(new.restore(m / "ckpt"), right | slots | {"iteration": old["global_step"]})


@mended(32)
@both
def test_other_units_are_fresh_with_wanted(mends, tmp_path, library):
    old, new = Program(sequential(library, [6, 3])), Program(sequential(library, [8, 3], seed=2))
    own, source, like = new.values(), old.save(tmp_path / "ckpt"), new.save(tmp_path / "wanted")
    right = own | {"dense_1/bias": old.values()["dense_1/bias"]}
    mends(source, restore=new.restore, fails=new.restore_partly, right=right, like=like)


@mended(32)
def test_other_units_of_tf1_are_fresh_with_wanted(mends, tmp_path):
    old, own = floats(1, dense__kernel=(4, 10), out__bias=3), floats(2, dense__kernel=(4, 12), out__bias=3)
    source, like, program = Saver(old).save(tmp_path / "ckpt"), Saver(own).save(tmp_path / "wanted"), Saver(own, resource=False)
    mends(source, restore=program.restore, right=own | {"out/bias": old["out/bias"]}, like=like)


@mended(35)
def test_a_shrunk_vocabulary_is_fresh_with_wanted(mends, tmp_path):
    old, own = floats(1, emb=(10, 4), out__kernel=(3, 4)), floats(2, emb=(6, 4), out__kernel=(3, 4))
    source, like, program = Saver(old).save(tmp_path / "ckpt"), Saver(own).save(tmp_path / "wanted"), Saver(own, resource=False)
    mends(source, restore=program.restore, right=own | {"out/kernel": old["out/kernel"]}, like=like)


@mended(35)
def test_a_transposed_kernel_is_mended_with_wanted(fuse, tmp_path):
    old = floats(1, emb=(10, 4), out__kernel=(3, 4))
    right = old | {"out/kernel": old["out/kernel"].T.copy()}
    source, program = Saver(old).save(tmp_path / "ckpt"), Saver(right, resource=False)
    like = Saver(floats(2, emb=(10, 4), out__kernel=(4, 3))).save(tmp_path / "wanted")
    Answer(failing(program.restore, source), source, like=like).paste(tmp_path)
    assert_same(program.restore(tmp_path / "m/ckpt"), right)


@mended(14)
def test_a_changed_custom_layer_is_mended_with_wanted(mends, tmp_path):
    old, new = Program(scaled("w")), Program(scaled("gain", "offset", seed=2))
    own, source, like = new.values(), old.save(tmp_path / "ckpt"), new.save(tmp_path / "wanted")
    right = own | moved(old.values(), {"dense": "dense"}) | {"my_scale/gain": old.values()["my_scale/w"]}
    mends(source, restore=new.restore, right=right, like=like)


@mended(38)
@both
def test_another_optimizer_is_mended_with_wanted(mends, tmp_path, library):
    old = trained(sequential(library, [4, 2]), library.optimizers.Adam(0.1))
    new = trained(sequential(library, [4, 2], seed=2), library.optimizers.SGD(0.2, momentum=0.9))
    own, source, like = new.values(), old.save(tmp_path / "ckpt"), new.save(tmp_path / "wanted")
    right = own | Program(old.model).values()
    answer = mends(source, restore=new.restore, fails=new.restore_partly, right=right, like=like)
    assert "--drop-optimizer" in answer.lines["try"]


@mended(40)
def test_missing_slots_are_mended_with_wanted(mends, tmp_path):
    shapes = {name.replace("/", "__"): value.shape for name, value in MODEL.items()}
    source, program = Saver(MODEL).save(tmp_path / "ckpt"), Saver(adam_of(floats(2, **shapes)))
    like, text = program.save(tmp_path / "wanted"), failing(program.restore, source)
    assert "no such state of an optimizer" in asks_for_wanted(text, source, "saver").text
    mends(source, restore=program.restore, right=program.values | MODEL, like=like)


@mended(47)
def test_a_checkpoint_of_keras_2_is_mended_with_wanted_in_keras_3(mends, tmp_path):
    old, new = Program(sequential(tf_keras, [4, 2])), Program(sequential(keras, [4, 2], seed=2))
    source, like = old.save(tmp_path / "ckpt"), new.save(tmp_path / "wanted")
    mends(source, restore=new.restore, right=old.values(), like=like)


# Paths and files: doctor's answer.


@pytest.fixture
def steps(tmp_path):
    return Steps(tmp_path / "train")


def pasted(answer, directory):
    """Runs the first printed command, which must succeed."""
    run = subprocess.run(["sh", "-c", answer.lines["try"].replace("ckptfs", binary(), 1)], cwd=directory, capture_output=True, text=True)
    assert run.returncode == 0, f"{answer.lines['try']}: {run.stderr}"


def test_a_missing_step_a_directory_and_a_file_are_named_by_the_error(steps, tmp_path):
    """Rows 16, 17, 18 and 31: the path is in the text."""
    for path in steps / "ckpt", steps.directory, steps / "ckpt-1.data-00000-of-00001":
        answer = Answer(failing(steps.restore, path))
        assert str(steps.directory) in answer.text, answer.text


def test_state_files_and_damage_are_doctors(steps, tmp_path):
    """Rows 19 to 22 and 26 to 30."""
    (steps / "checkpoint").write_text("")
    answer = Answer(failing(latest, steps.directory))
    assert "empty" in answer.text
    data = steps / "ckpt-3.data-00000-of-00001"
    flip(data, data.read_bytes().index(steps.kernels[2].tobytes()) + 700)
    answer = Answer(failing(steps.restore, steps / "ckpt-3"))
    assert "kernel [300, 4]" in answer.text and "--take 'kernel=" in answer.text, answer.text
    data.unlink()
    answer = Answer(failing(steps.restore, steps / "ckpt-3"))
    assert "ckpt-3.data-00000-of-00001" in answer.text, answer.text


# Keras and calls.


@mended(15)
def test_a_model_with_a_class_that_is_unknown_has_weights(fuse, tmp_path):
    old, new = scaled("w"), WeightsFile(scaled("w", seed=2))
    old.save(tmp_path / "m.keras")
    answer = Answer(failing(keras.saving.load_model, tmp_path / "m.keras"), tmp_path / "m.keras")
    assert f"ckptfs mount {tmp_path / 'm.keras'} m" in answer.lines["try"]
    answer.paste(tmp_path, model=new.model)
    assert_same(new.values(), Program(old).values())


@mended(48)
def test_a_model_whose_layers_have_unknown_arguments_has_weights(fuse, tmp_path):
    def model(library, seed):
        fresh_process(library)
        layers = library.layers
        return filled(library.Sequential([layers.Input([3, 4]), layers.LSTM(2, name="lstm"), layers.Dense(2, name="out")]), seed)

    old, new = model(tf_keras, 1), model(keras, 2)
    old.save(tmp_path / "old.h5")
    answer = Answer(failing(keras.saving.load_model, tmp_path / "old.h5"), tmp_path / "old.h5")
    answer.paste(tmp_path, model=new)
    assert all(same(a, b) for a, b in zip(new.get_weights(), old.get_weights(), strict=True))


@mended(46)
def test_weights_in_tensorflows_format_are_mended_with_wanted_in_keras_3(fuse, tmp_path):
    old, new = sequential(tf_keras, [4, 4]), WeightsFile(sequential(keras, [4, 4], seed=2))
    old.save_weights(str(tmp_path / "w"))
    text = failing(new.model.load_weights, str(tmp_path / "w"))
    Answer(text, tmp_path / "w", like=new.save(tmp_path / "new.weights.h5")).paste(tmp_path, model=new.model)
    assert_same(new.values(), Program(old).values())


@mended(51)
def test_a_saved_model_of_keras_2_is_mended_with_wanted_in_keras_3(fuse, tmp_path):
    old, new = sequential(tf_keras, [4, 4]), WeightsFile(sequential(keras, [4, 4], seed=2))
    tf.saved_model.save(old, str(tmp_path / "saved"))
    text = failing(keras.saving.load_model, str(tmp_path / "saved"))
    Answer(text, tmp_path / "saved", like=new.save(tmp_path / "new.weights.h5")).paste(tmp_path, model=new.model)
    assert_same(new.values(), Program(old).values())


@mended(44)
def test_a_legacy_file_with_a_renamed_layer_is_mended_with_wanted(fuse, tmp_path):
    """Loaded by name, the renamed layer is left, and nothing is raised."""
    old, new = sequential(tf_keras, [6, 3], ["a", "b"]), WeightsFile(sequential(keras, [6, 3], ["a", "zz"], seed=2))
    old.save_weights(tmp_path / "legacy.h5")
    right, like = moved(Program(old).values(), {"a": "a", "b": "zz"}), new.save(tmp_path / "new.weights.h5")
    assert wrong(new.restore(tmp_path / "legacy.h5", by_name=True), right) == ["zz/bias", "zz/kernel"]
    Answer("", tmp_path / "legacy.h5", like=like).paste(tmp_path, model=new.model)
    assert_same(new.values(), right)


@mended(56)
def test_a_model_that_is_not_built_is_built_by_the_printed_line(tmp_path):
    old = Program(sequential(keras, [4, 2]))
    source = old.save(tmp_path / "ckpt")
    fresh_process(keras)
    new = Program(keras.Sequential([keras.layers.Dense(4), keras.layers.Dense(2)]))
    status = new.checkpoint.restore(str(source))
    answer = Answer(failing(status.assert_consumed), source, code=1)
    assert "keep a mount until then" in answer.text
    exec(answer.lines["in the program:"], {"model": new.model, "x": np.ones([1, 4], np.float32)})
    status.assert_consumed()
    assert_same(new.values(), old.values())


@mended(59)
def test_a_manager_without_restore_is_a_line_of_the_program(steps, tmp_path):
    answer = Answer(failing(lambda: steps.manager.restore(None)))
    steps.kernel.assign(tf.fill([300, 4], 77.0))
    answer.paste(tmp_path, checkpoint=steps.checkpoint, manager=steps.manager)
    assert same(steps.kernel, steps.kernels[2])


def test_the_program_of_the_traceback_is_in_the_command(tmp_path):
    """The text is all that a program printed, and the checkpoint is relative to its directory."""
    source = Saver(MODEL).save(tmp_path / "ckpt")
    program = tmp_path / "eval it.py"
    program.write_text(
        "import tensorflow as tf\n"
        f"tf.raw_ops.RestoreV2(prefix={str(source)!r}, tensor_names=['net/dense/bias'], shape_and_slices=[''], dtypes=[tf.float32])\n"
    )
    run = subprocess.run([sys.executable, program], capture_output=True, text=True)
    assert run.returncode == 1
    answer = Answer(run.stderr, source)
    assert answer.lines["try"].endswith(f"-- python '{program}'")


def test_a_second_run_after_y_on_a_terminal_restores(fuse, tmp_path):
    """`run --auto`: the program fails in TensorFlow, and restores in its second run."""
    source, wanted = Saver(MODEL).save(tmp_path / "train/ckpt"), Saver(replaced(MODEL, "model/", "net/"))
    (tmp_path / "eval.py").write_text(
        "import tensorflow as tf\n"
        f"kernel = tf.train.load_checkpoint('train/ckpt').get_tensor('net/dense/kernel')\n"
        "print('restored', float(kernel.sum()))\n"
    )
    command = [binary(), "run", "--auto", "train/ckpt", "--", sys.executable, "eval.py"]
    for answer, code in (b"n\n", 1), (b"y\n", 0):
        terminal, other = os.openpty()
        run = subprocess.Popen(command, cwd=tmp_path, stdin=other, stdout=subprocess.PIPE, stderr=other)
        os.close(other)
        os.write(terminal, answer)
        out = run.communicate(timeout=PATIENCE)[0].decode()
        said = os.read(terminal, 1 << 20).decode()
        os.close(terminal)
        assert run.returncode == code, said
        assert ("restored" in out) == (code == 0) and "--rename" in said, said
        if code == 0:
            assert float(out.split()[1]) == pytest.approx(float(wanted.values["net/dense/kernel"].sum()))
