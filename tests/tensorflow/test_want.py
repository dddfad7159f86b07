"""`ckptfs want`: the printed lines run in the program, and what they write is accepted as WANT."""

import keras
import pytest
import tensorflow as tf
import tf_keras

from harness import binary, ckptfs, refused, values
from programs import KERAS, Blocks, Saver, built, floats, fresh_process, sequential, trained, v1

both = pytest.mark.parametrize("library", KERAS, ids=["keras3", "keras2"])


def lines(*flags):
    run = ckptfs("want", *flags)
    assert run.returncode == 0 and not run.stderr, run.stderr
    return compile(run.stdout, "<ckptfs want>", "exec")


def accepted(source, like):
    """Checks that what the lines wrote is WANT for `check --like`, `diff` and `suggest`, and lists the same variables."""
    assert "variables with the source's values" in ckptfs("check", source, "--like", like).stdout
    for command in ["diff", source, like], ["suggest", source, like]:
        run = ckptfs(*command)
        assert run.returncode == 0, f"{command}: {run.stdout}{run.stderr}"


def test_a_table_of_the_graphs_variables(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    old = floats(1, model__dense__kernel=(3, 4), model__dense__bias=4)
    source = Saver(old | {"global_step": tf.constant(7, tf.int64).numpy()}).save(tmp_path / "ckpt")
    with v1.Graph().as_default():
        v1.train.get_or_create_global_step()
        with v1.variable_scope("model/dense"):
            v1.get_variable("kernel", [3, 4], partitioner=v1.fixed_size_partitioner(2))
            v1.get_variable("bias", [4], use_resource=True)
        exec(lines("--saver"), {})
    assert (tmp_path / "wanted.tsv").read_text().splitlines()[0] == "name\tdtype\tshape"
    accepted(source, tmp_path / "wanted.tsv")


def test_a_graph_without_variables_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with v1.Graph().as_default(), pytest.raises(RuntimeError, match="the graph has no variables.*ckptfs want --checkpoint"):
        exec(lines("--saver"), {})
    with v1.Graph().as_default():
        v1.get_variable("w", initializer=tf.zeros([2]), validate_shape=False, use_resource=False)
        v1.get_variable("x", dtype=tf.float32, initializer=lambda: v1.placeholder_with_default([1.0], [None]), validate_shape=False)
        with pytest.raises((RuntimeError, ValueError)):
            exec(lines("--saver"), {})
    assert not list(tmp_path.iterdir())


@both
def test_a_checkpoint_with_the_object_graph(tmp_path, library):
    old, new = (trained(sequential(library, [4, 2], seed=seed), library.optimizers.Adam(0.1)) for seed in (1, 2))
    source, like = old.save(tmp_path / "ckpt"), tmp_path / "wanted"
    exec(lines("--checkpoint", "-o", like), {"checkpoint": new.checkpoint})
    assert set(values(like)) == set(values(source))
    accepted(source, like)


@both
def test_a_checkpoint_of_a_model_that_is_not_built_is_refused(tmp_path, library):
    fresh_process(library)
    code = lines("--checkpoint", "-o", tmp_path / "wanted")
    model = library.Sequential([library.layers.Dense(4)])
    with pytest.raises(RuntimeError, match="not built: model.*model\\(x\\)"):
        exec(code, {"checkpoint": tf.train.Checkpoint(model=model)})
    with pytest.raises(RuntimeError, match="not built: root"):
        exec(code, {"checkpoint": tf.train.Checkpoint(model)})
    with pytest.raises(RuntimeError, match="saves 0 of 0 weights"):
        exec(code, {"checkpoint": tf.train.Checkpoint()})
    assert not list(tmp_path.glob("*.index"))


def test_a_checkpoint_without_the_layers_of_a_list_is_refused(tmp_path):
    model, code = built(Blocks("ab")), lines("--checkpoint", "-o", tmp_path / "wanted")
    with pytest.raises(RuntimeError, match="saves 0 of 4 weights.*ckptfs want --keras"):
        exec(code, {"checkpoint": tf.train.Checkpoint(model=model)})
    assert not list(tmp_path.glob("*.index"))
    exec(lines("--keras", "-o", tmp_path / "wanted.weights.h5"), {"model": model})
    assert len(ckptfs("ls", tmp_path / "wanted.weights.h5").stdout.splitlines()) == 4


def test_a_checkpoint_of_plain_variables(tmp_path):
    checkpoint = tf.train.Checkpoint(w=tf.Variable([1.0]), step=tf.Variable(1))
    exec(lines("--checkpoint", "-o", tmp_path / "wanted"), {"checkpoint": checkpoint})
    assert ckptfs("ls", tmp_path / "wanted").stdout.split() == ["save_counter", "step", "w"]


@both
def test_a_file_of_weights(tmp_path, library):
    old, new = (sequential(library, [4, 2], ["a", "b"], seed=seed) for seed in (1, 2))
    source, like = tmp_path / "o.weights.h5", tmp_path / "wanted.weights.h5"
    old.save_weights(str(source))
    exec(lines("--keras", "-o", like), {"model": new})
    accepted(source, like)


@both
def test_a_file_of_weights_of_a_model_that_is_not_built_is_refused(tmp_path, library):
    fresh_process(library)
    model = library.Sequential([library.layers.Dense(4)])
    with pytest.raises(RuntimeError, match="sequential is not built: call it once"):
        exec(lines("--keras", "-o", tmp_path / "wanted.weights.h5"), {"model": model})
    assert not list(tmp_path.iterdir())


def test_a_layer_that_is_not_used_is_named(tmp_path, capsys):
    class Late(keras.Model):
        def __init__(self):
            super().__init__()
            self.first, self.late = keras.layers.Dense(4), keras.layers.Dense(3, name="late")

        def call(self, x):
            return self.first(x)

    exec(lines("--keras", "-o", tmp_path / "wanted.weights.h5"), {"model": built(Late())})
    assert capsys.readouterr().out == "not built, so without variables: late\n"


def test_the_file_must_have_the_ending_that_the_api_needs(tmp_path):
    assert ".weights.h5" in refused("want", "--keras", "-o", "wanted.h5", code=2)
    assert ".tsv" in refused("want", "--saver", "-o", "wanted", code=2)
    refused("want", code=2)
    refused("want", "--saver", "--keras", code=2)
    model = sequential(tf_keras, [2])
    odd = tmp_path / "it's \"odd\"\n.weights.h5"
    exec(lines("--keras", "-o", odd), {"model": model})
    assert odd.exists(), binary()
