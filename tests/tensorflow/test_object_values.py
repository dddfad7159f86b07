"""Object graphs in which a map joins, splits and creates variables: the new program restores, with TensorFlow's
assertions."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from harness import refused
from test_objects import assert_restores, at, module, saved

PARTS = ("query", "key", "value")
JOIN = """
[[rule]]
join = ["{l}/query/w", "{l}/key/w", "{l}/value/w"]
to = "{l}/qkv/w"
axis = 1
[[rule]]
join = ["{l}/query/b", "{l}/key/b", "{l}/value/b"]
to = "{l}/qkv/b"
axis = 0
"""
SPLIT = """
[[rule]]
split = "{l:**}/qkv/w"
to = ["{l}/query/w", "{l}/key/w", "{l}/value/w"]
axis = 1
[[rule]]
split = "{l:**}/qkv/b"
to = ["{l}/query/b", "{l}/key/b", "{l}/value/b"]
axis = 0
"""


def dense(columns, seed=None):
    """Returns a module with a kernel and a bias. Without a seed they are zero, and a checkpoint fills them."""
    rng = np.random.default_rng(seed)
    value = (lambda *shape: np.zeros(shape)) if seed is None else (lambda *shape: rng.normal(size=shape))
    return module(
        w=tf.Variable(value(4, columns), dtype=tf.float32, name="w"), b=tf.Variable(value(columns), dtype=tf.float32, name="b")
    )


def apart(seed=None):
    return module(**{part: dense(6, seed and seed + at) for at, part in enumerate(PARTS)})


def fused(seed=None):
    return module(qkv=dense(18, seed))


def trained(layers):
    """Returns an optimizer that has slots for all variables of these layers."""
    optimizer = tf_keras.optimizers.legacy.Adam(0.1)
    weights = [weight for layer in layers for weight in (layer.w, layer.b)]
    optimizer.apply_gradients([(tf.random.stateless_normal(w.shape, (at, 7)), w) for at, w in enumerate(weights)])
    return optimizer


def prepared(layers):
    """Returns the optimizer of a program that restores: its slots exist and are zero."""
    optimizer = tf_keras.optimizers.legacy.Adam(0.1)
    optimizer._create_all_weights([weight for layer in layers for weight in (layer.w, layer.b)])
    return optimizer


def all_parts(layer):
    return [getattr(layer, part) for part in PARTS]


def assert_fuses(whole, parts, of=lambda variable: variable):
    for name, axis in (("w", 1), ("b", 0)):
        expected = np.concatenate([of(getattr(part, name)).numpy() for part in parts], axis)
        assert of(getattr(whole, name)).numpy().tobytes() == expected.tobytes()


def mapped(mount, tmp_path, prefix, text, *flags):
    path = tmp_path / "map.toml"
    path.write_text("version = 1\n" + text)
    return mount(prefix, "--map", path, *flags)


@pytest.mark.parametrize("flags", [(), ("--rename", "net/a=net/other")])
def test_q_k_and_v_kernels_are_joined_to_a_fused_kernel(mount, tmp_path, flags):
    a, b = apart(1), apart(11)
    old = saved(tmp_path, net=module(a=a, b=b))
    text = JOIN.replace("{l}", "net/b" if flags else "net/{l}")
    new_a, new_b = apart() if flags else fused(), fused()
    new = tf.train.Checkpoint(net=module(**{"other" if flags else "a": new_a, "b": new_b}))
    m = mapped(mount, tmp_path, old, text, *flags)
    assert_restores(new, at(m))
    assert_fuses(new_b.qkv, all_parts(b))
    if flags:
        assert new_a.query.w.numpy().tobytes() == a.query.w.numpy().tobytes()
    else:
        assert_fuses(new_a.qkv, all_parts(a))


def test_a_fused_kernel_is_split_into_q_k_and_v(mount, tmp_path):
    old, new = fused(3), apart()
    m = mapped(mount, tmp_path, saved(tmp_path, net=module(a=old)), SPLIT)
    assert_restores(tf.train.Checkpoint(net=module(a=new)), at(m))
    assert_fuses(old.qkv, all_parts(new))


def test_a_join_and_a_split_restore_the_variables(mount, tmp_path):
    old = apart(5)
    prefix = saved(tmp_path, net=module(a=old))
    new = apart()
    m = mapped(mount, tmp_path, prefix, JOIN.replace("{l}", "net/{l}"))
    n = mapped(mount, tmp_path, at(m), SPLIT)
    assert_restores(tf.train.Checkpoint(net=module(a=new)), at(n))
    for part in PARTS:
        assert getattr(new, part).w.numpy().tobytes() == getattr(old, part).w.numpy().tobytes()


def test_slots_are_joined_with_their_variables(mount, tmp_path):
    layer = apart(1)
    optimizer = trained(all_parts(layer))
    old = saved(tmp_path, net=module(a=layer), optimizer=optimizer)
    new = fused()
    restored = prepared([new.qkv])
    m = mapped(mount, tmp_path, old, JOIN.replace("{l}", "net/{l}"))
    assert_restores(tf.train.Checkpoint(net=module(a=new), optimizer=restored), at(m))
    assert_fuses(new.qkv, all_parts(layer))
    for slot in ("m", "v"):
        found = restored.get_slot(new.qkv.w, slot).numpy()
        expected = np.concatenate([optimizer.get_slot(part.w, slot).numpy() for part in all_parts(layer)], 1)
        assert found.any() and found.tobytes() == expected.tobytes()


def test_slots_are_split_with_their_variables_under_a_renamed_optimizer(mount, tmp_path):
    layer = fused(1)
    optimizer = trained([layer.qkv])
    old = saved(tmp_path, net=module(a=layer), optimizer=optimizer)
    new = apart()
    restored = prepared(all_parts(new))
    m = mapped(mount, tmp_path, old, SPLIT, "--rename", "optimizer=state/adam")
    assert_restores(tf.train.Checkpoint(net=module(a=new), state=module(adam=restored)), at(m))
    for slot in ("m", "v"):
        found = np.concatenate([restored.get_slot(part.w, slot).numpy() for part in all_parts(new)], 1)
        assert found.any() and found.tobytes() == optimizer.get_slot(layer.qkv.w, slot).numpy().tobytes()


def test_a_shared_variable_is_joined_once(mount, tmp_path):
    shared = apart(2)
    prefix = saved(tmp_path, net=module(a=shared, b=module(query=shared.query, key=shared.key, value=shared.value)))
    a = fused()
    b = module(qkv=a.qkv)
    text = JOIN.replace("{l}", "net/{l}")
    m = mapped(mount, tmp_path, prefix, text)
    assert_restores(tf.train.Checkpoint(net=module(a=a, b=b)), at(m))
    assert_fuses(a.qkv, all_parts(shared))


def test_a_created_variable_is_restored(mount, tmp_path):
    layer, new = fused(1), fused()
    steps, scale = tf.Variable(0, dtype=tf.int64), tf.Variable([0.0, 0.0])
    text = """
[[rule]]
create = "train/steps"
dtype = "int64"
shape = []
value = 7
[[rule]]
create = "net/a/qkv/scale"
dtype = "float32"
shape = [2]
values = [1.5, -2.0]
"""
    new.qkv.scale = scale
    m = mapped(mount, tmp_path, saved(tmp_path, net=module(a=layer)), text)
    assert_restores(tf.train.Checkpoint(net=module(a=new), train=module(steps=steps)), at(m))
    assert (int(steps), scale.numpy().tolist()) == (7, [1.5, -2.0])
    assert new.qkv.w.numpy().tobytes() == layer.qkv.w.numpy().tobytes()


def test_an_impossible_join_or_create_is_refused_with_its_rule(tmp_path):
    prefix = saved(tmp_path, net=module(a=apart(1)))
    text = """version = 1
[[rule]]
join = ["net/{l}/query/w", "net/{l}/lock/w"]
to = "net/{l}/x"
axis = 1
[[rule]]
create = "net/a/key"
dtype = "int64"
shape = []
value = 7
"""
    path = tmp_path / "map.toml"
    path.write_text(text)
    message = refused("ls", prefix, "--map", path)
    assert "`net/a/lock/w` is missing, to be joined with `net/a/query/w`" in message and "map.toml:3:" in message
    assert '"net/a/key" cannot be created: another object is there' in message and "map.toml:7:" in message
