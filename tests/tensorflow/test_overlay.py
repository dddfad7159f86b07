"""`--overlay` and `--take`: the values that TensorFlow restores from a checkpoint with overlays."""

import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import save_file

from harness import assert_same, ckptfs, copy_of, fixture, refused, values
from programs import floats


def saver(prefix, variables):
    """Writes a checkpoint with TF1's `Saver`."""
    with tf.compat.v1.Graph().as_default(), tf.compat.v1.Session() as session:
        variables = {name: tf.compat.v1.Variable(value, name=name) for name, value in variables.items()}
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.train.Saver(variables).save(session, str(prefix), write_meta_graph=False)
    return prefix


def restored_by_saver(prefix, like):
    """Returns the values that TF1's `Saver` restores in a program with these variables."""
    with tf.compat.v1.Graph().as_default(), tf.compat.v1.Session() as session:
        variables = {name: tf.compat.v1.Variable(np.zeros_like(value), name=name) for name, value in like.items()}
        tf.compat.v1.train.Saver(variables).restore(session, str(prefix))
        return {name: session.run(variable) for name, variable in variables.items()}


@pytest.fixture
def adapted(tmp_path):
    """Creates a base and an adapter, and returns them with the values of both together."""
    base = floats(1, dense__kernel=(3, 4), dense__bias=(4,), head__kernel=(4, 2))
    adapter = floats(2, head__kernel=(4, 5), lora__a=(3, 2), lora__b=(2, 4))
    return saver(tmp_path / "base-1", base), saver(tmp_path / "adapter-3", adapter), base | adapter


def test_a_saver_restores_a_base_with_an_adapter(mount, adapted):
    base, adapter, both = adapted
    m = mount(base, "--overlay", adapter)
    assert_same(restored_by_saver(m / "base-1", both), both)
    assert_same(values(m / "base-1"), both)


def test_rules_apply_to_the_names_of_both(mount, adapted):
    base, adapter, both = adapted
    m = mount(base, "--overlay", adapter, "--rename", "lora/**=dense/lora/**", "--drop", "head/**")
    wanted = {name.replace("lora/", "dense/lora/"): value for name, value in both.items() if not name.startswith("head")}
    assert_same(restored_by_saver(m / "base-1", wanted), wanted)


def test_an_export_has_the_same_values(adapted, tmp_path):
    base, adapter, both = adapted
    for flags in [], ["--link"]:
        out = tmp_path / f"out{len(flags)}"
        run = ckptfs("export", base, out, "--overlay", adapter, *flags)
        assert run.returncode == 0, run.stderr
        assert_same(values(out), both)


def flip(file, at):
    data = bytearray(file.read_bytes())
    data[at] ^= 1
    file.write_bytes(data)


def test_a_damaged_variable_is_taken_from_the_step_before(mount, tmp_path):
    now, before = floats(1, a=(4,), b=(4,)), floats(2, a=(4,), b=(4,))
    base, other = saver(tmp_path / "ckpt-9", now), saver(tmp_path / "ckpt-8", before)
    [data] = tmp_path.glob("ckpt-9.data*")
    flip(data, data.read_bytes().index(now["b"].tobytes()))
    with pytest.raises(tf.errors.DataLossError):
        restored_by_saver(mount(base) / "ckpt-9", now)
    m = mount(base, "--take", f"b={other}")
    assert_same(restored_by_saver(m / "ckpt-9", now), {"a": now["a"], "b": before["b"]})


def test_a_safetensors_file_is_an_overlay(mount, adapted, tmp_path):
    base, _, _ = adapted
    adapter = floats(7, head__kernel=(4, 2), lora__a=(3, 2))
    save_file(adapter, tmp_path / "adapter.safetensors")
    expected = values(base) | adapter
    m = mount(base, "--overlay", tmp_path / "adapter.safetensors")
    assert_same(restored_by_saver(m / "base-1", expected), expected)


def test_strings_and_big_endian_values_are_an_overlay(mount, tmp_path):
    base = saver(tmp_path / "base-1", floats(1, only__here=(3,)))
    expected = values(fixture("dtypes")) | values(fixture("strings"))
    for flags in ["--overlay", fixture("big_endian")], ["--overlay", fixture("dtypes"), "--overlay", fixture("strings")]:
        m = mount(base, *flags)
        assert_same(values(m / "base-1", list(expected)), expected)
        assert_same(values(m / "base-1", ["only/here"]), values(base))


def test_a_partitioned_variable_replaces_one_that_is_not(mount, tmp_path):
    base = saver(tmp_path / "base-1", floats(1, table=(7, 3), bias=(3,)))
    tuned = floats(2, table=(7, 3))["table"]
    with tf.compat.v1.Graph().as_default(), tf.compat.v1.Session() as session:
        parts = tf.compat.v1.fixed_size_partitioner(3)
        table = tf.compat.v1.get_variable("table", initializer=tf.constant(tuned), partitioner=parts, use_resource=False)
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.train.Saver([table]).save(session, str(tmp_path / "over"), write_meta_graph=False)
    m = mount(base, "--overlay", tmp_path / "over")
    expected = values(base) | {"table": tuned}
    assert_same(restored_by_saver(m / "base-1", expected), expected)


class Layer(tf.Module):
    def __init__(self, seed, **shapes):
        super().__init__()
        for name, value in floats(seed, **shapes).items():
            setattr(self, name, tf.Variable(value, name=f"{type(self).__name__}/{name}"))


class Model(tf.Module):
    """A network, optionally with an adapter inside."""

    def __init__(self, seed, adapter=False):
        super().__init__()
        self.dense = Layer(seed, kernel=(3, 4), bias=(4,))
        if adapter:
            self.adapter = Layer(seed + 1, up=(3, 2), down=(2, 4))


def same_weights(layer, other):
    return all(np.array_equal(a, b) for a, b in zip(layer.variables, other.variables, strict=True))


def test_an_object_based_checkpoint_gets_the_objects_of_the_adapter(mount, tmp_path):
    base, tuned, new = Model(1), Model(3, adapter=True), Model(5, adapter=True)
    tf.train.Checkpoint(model=base).save(str(tmp_path / "base"))
    only = tf.train.Checkpoint(model=tf.train.Checkpoint(adapter=tuned.adapter))
    only.save(str(tmp_path / "adapter"))
    m = mount(tmp_path / "base-1", "--overlay", tmp_path / "adapter-1")
    tf.train.Checkpoint(model=new).restore(str(m / "base-1")).assert_consumed()
    assert same_weights(new.dense, base.dense) and same_weights(new.adapter, tuned.adapter)


def test_an_overlay_of_a_whole_model_replaces_values_and_keeps_the_optimizer(mount, tmp_path):
    import keras

    def trained(seed):
        keras.utils.clear_session()
        keras.utils.set_random_seed(seed)
        model = keras.Sequential([keras.layers.Input([3]), keras.layers.Dense(2, name="out")])
        model.compile(optimizer=keras.optimizers.Adam(0.1), loss="mse")
        model.fit(np.ones([8, 3]), np.zeros([8, 2]), verbose=0, epochs=seed)
        return model

    models = [trained(seed) for seed in (1, 2, 3)]
    for model, name in zip(models, ["base", "over"]):
        tf.train.Checkpoint(model=model).write(str(tmp_path / name))
    base, over, new = models
    m = mount(tmp_path / "base", "--overlay", tmp_path / "over")
    tf.train.Checkpoint(model=new).read(str(m / "base")).assert_consumed()
    for found, expected in zip(new.get_weights(), over.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)
    for found, expected in zip(new.optimizer.variables, base.optimizer.variables, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_take_of_an_object_keeps_the_graph(mount, tmp_path):
    now, before, new = Model(1), Model(2), Model(3)
    for model, name in (now, "now"), (before, "before"):
        tf.train.Checkpoint(model=model).write(str(tmp_path / name))
    m = mount(tmp_path / "now", "--take", f"model/dense/bias={tmp_path / 'before'}")
    tf.train.Checkpoint(model=new).read(str(m / "now")).assert_consumed()
    np.testing.assert_array_equal(new.dense.bias, before.dense.bias)
    np.testing.assert_array_equal(new.dense.kernel, now.dense.kernel)


def test_a_saved_model_loads_with_the_overlays_values(mount, tmp_path):
    base, over = Model(1), Model(2)
    tf.saved_model.save(base, str(tmp_path / "saved"))
    tf.train.Checkpoint(dense=over.dense).write(str(tmp_path / "over"))
    m = mount(tmp_path / "saved", "--overlay", tmp_path / "over")
    loaded = tf.saved_model.load(str(m)).dense
    np.testing.assert_array_equal(loaded.kernel, over.dense.kernel)
    np.testing.assert_array_equal(loaded.bias, over.dense.bias)


def test_new_plain_names_are_refused_under_an_object_graph(tmp_path):
    tf.train.Checkpoint(model=Model(1)).write(str(tmp_path / "base"))
    over = saver(tmp_path / "over", floats(2, model__dense__kernal=(3, 4)))
    said = refused("ls", tmp_path / "base", "--overlay", over)
    assert "model/dense/kernal" in said and "nearest: model/dense/kernel" in said


def stack(seed, *names):
    """Creates a Keras 3 model of equal layers. Its h5 file names them by their number alone."""
    import keras

    keras.utils.set_random_seed(seed)
    layers = [keras.layers.Dense(4, name=name, bias_initializer="normal") for name in names]
    return keras.Sequential([keras.layers.Input([4]), *layers])


@pytest.mark.parametrize(("by", "pairs"), [("name", ["new=", "a=a", "b=b", "c=c"]), ("position", ["new=a", "a=b", "b=c", "c="])])
def test_an_overlay_of_a_model_with_another_layer_needs_a_choice(mount, tmp_path, by, pairs):
    base, over, new = stack(1, "new", "a", "b", "c"), stack(2, "a", "b", "c"), stack(3, "new", "a", "b", "c")
    base.save_weights(tmp_path / "base.weights.h5")
    over.save_weights(tmp_path / "over.weights.h5")
    flags = ["--overlay", tmp_path / "over.weights.h5"]
    said = refused("check", tmp_path / "base.weights.h5", *flags)
    assert "layers/dense/vars/0: a/0 there, new/0 here; by full name it is layers/dense_1/vars/0" in said
    new.load_weights(next(mount(tmp_path / "base.weights.h5", *flags, "--match", by).path.glob("*/model.weights.h5")))
    for to, source in (pair.split("=") for pair in pairs):
        expected = over.get_layer(source) if source else base.get_layer(to)
        for found, value in zip(new.get_layer(to).get_weights(), expected.get_weights(), strict=True):
            np.testing.assert_array_equal(found, value)
