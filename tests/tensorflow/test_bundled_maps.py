"""The bundled maps: each is checked with the program that it is for, or with NumPy if that program is too large."""

import textwrap

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from safetensors.numpy import load_file, save_file

import bert
import bert_math
import slim
from harness import ROOT, assert_same, ckptfs, fixture, refused, values
from test_restore import at
from test_values import floats, save

BERT = bert.Size(vocab=11, positions=7, layers=3, hidden=24, inner=40)
HEADS = 4


def weights(shapes, seed=7):
    """Returns small numbers, so that no activation saturates. Variances are positive."""
    random = np.random.default_rng(seed)
    draw = {True: lambda shape: random.uniform(0.5, 2, shape), False: lambda shape: random.normal(0, 0.3, shape)}
    return {name: np.asarray(draw["variance" in name](shape), np.float32) for name, shape in shapes.items()}


def text_of(name):
    return (ROOT / "maps" / f"{name}.toml").read_text()


def program(name, first):
    """Returns the program in a map's comment that begins with a line."""
    lines = [line.removeprefix("#") for line in text_of(name).splitlines() if line.startswith("#")]
    start = next(i for i, line in enumerate(lines) if line.strip() == first)
    depth = len(lines[start]) - len(lines[start].lstrip())
    rest = lines[start:]
    end = next(i for i, line in enumerate(rest) if line.strip() and len(line) - len(line.lstrip()) < depth)
    return textwrap.dedent("\n".join(rest[:end]))


def run(name, first, model, directory, monkeypatch):
    """Runs the program as a user does, next to the model."""
    monkeypatch.chdir(directory)
    exec(program(name, first), {"model": model})  # noqa: S102


# The name of a bundled map, its shown rules, and its variables.


def test_the_applied_rules_are_shown_with_positions_in_the_bundled_map(mount):
    m = mount(fixture("ddp"), "-o", "map=@ddp")
    shown = (m / ".ckptfs" / "map.toml").read_text()
    assert "# @ddp:" in shown and "module" in shown
    rules = [line.split("\t") for line in (m / "ckpt-9" / "remap.tsv").read_text().splitlines()]
    assert any("@ddp:" in cell for row in rules for cell in row)
    again = mount(fixture("ddp"), "--map", m / ".ckptfs" / "map.toml")
    assert_same(values(at(again, "ckpt-9")), values(at(m, "ckpt-9")))


@pytest.mark.parametrize("flags", [["--map", "@bert-to-modelgarden", "--var", "heads=2"], ["-o", "map=@bert-to-modelgarden,var=heads=2"]])
def test_a_var_flag_sets_a_number_of_a_map(mount, flags):
    m = mount(fixture("tf1_bert_tiny"), *flags)
    assert "heads = 2" in (m / ".ckptfs" / "map.toml").read_text()
    kernel = "transformer/layer_0/self_attention/query/kernel"
    assert values(at(m, "ckpt-9"), [kernel])[kernel].shape == (4, 2, 2)


# Prefixes and averages.


def test_ddp(mount):
    source = values(fixture("ddp"))
    assert_same(values(at(mount(fixture("ddp"), "--map", "@ddp"), "ckpt-9")), {n[len("module.") :]: v for n, v in source.items()})


def test_ddp_removes_only_one_prefix_from_safetensors(mount, tmp_path):
    source = floats({"module.a.weight": [2, 3], "module.module.bias": [3], "step": [1]})
    save_file(source, tmp_path / "model.safetensors")
    m = mount(tmp_path / "model.safetensors", "--map", "@ddp")
    found = load_file(next(m.path.glob("*/model.safetensors")))
    assert_same(found, {"a.weight": source["module.a.weight"], "module.bias": source["module.module.bias"], "step": source["step"]})


def test_ddp_of_an_object_graph(mount, tmp_path):
    inner = tf.Module()
    inner.kernel = tf.Variable([1.0, 2.0])
    outer = tf.Module()
    outer.net = inner
    tf.train.Checkpoint(module=outer).write(str(tmp_path / "ckpt-9"))
    m = mount(tmp_path / "ckpt-9", "--map", "@ddp")
    target = tf.Module()
    target.kernel = tf.Variable([0.0, 0.0])
    tf.train.Checkpoint(net=target).read(at(m, "ckpt-9")).assert_consumed()
    assert target.kernel.numpy().tolist() == [1, 2]


def test_averages(mount):
    m = mount(fixture("ema"), "--map", "@averages")
    source = values(fixture("ema"))
    averages = {n: source[f"{n}/ExponentialMovingAverage"] for n in ("model/layer/kernel", "model/layer/bias")}
    assert_same(values(at(m, "ckpt-9")), averages | {"model/raw_only": source["model/raw_only"]})


def test_averages_with_optimizer_slots(mount, tmp_path):
    average = "/ExponentialMovingAverage"
    source = floats({f"w{end}": [2, 3] for end in ("", "/Adam", "/Adam_1", average)} | {"beta1_power": [], "global_step": []})
    prefix = save(tmp_path / "source", source)
    expected = {n: v for n, v in source.items() if n not in ("w", f"w{average}")} | {"w": source[f"w{average}"]}
    assert_same(values(at(mount(prefix, "--map", "@averages"), "ckpt-9")), expected)
    alone = {"w": source[f"w{average}"], "global_step": source["global_step"]}
    assert_same(values(at(mount(prefix, "--map", "@averages", "--drop-optimizer"), "ckpt-9")), alone)


# BERT.


def pretrained():
    """Returns everything that the pretraining of google-research/bert saves."""
    return weights(bert.with_slots(bert.shapes(BERT))) | {"global_step": np.int64(7)}


def sentences():
    random = np.random.default_rng(1)
    return random.integers(0, BERT.vocab, [2, 5]), random.integers(0, 2, [2, 5])


def computed(source):
    return bert_math.of_checkpoint(source, HEADS, BERT.layers, *sentences())


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


class Block(tf_keras.layers.Layer):
    """A layer of the Model Garden's encoder, with its names."""

    def __init__(self, size, heads, **others):
        super().__init__(**others)
        layers = tf_keras.layers
        self.attention = layers.MultiHeadAttention(heads, size.hidden // heads, name="self_attention")
        self.attention_norm = layers.LayerNormalization(epsilon=1e-12, name="self_attention_layer_norm")
        self.intermediate = layers.Dense(size.inner, activation=lambda x: tf.nn.gelu(x, approximate=False), name="intermediate")
        self.shrink = layers.Dense(size.hidden, name="output")
        self.output_norm = layers.LayerNormalization(epsilon=1e-12, name="output_layer_norm")

    def call(self, x):
        x = self.attention_norm(x + self.attention(x, x))
        return self.output_norm(x + self.shrink(self.intermediate(x)))


def model_garden_encoder(size, heads):
    layers, inputs = tf_keras.layers, [tf_keras.Input([None], dtype="int32") for _ in range(3)]
    tables = [("word_embeddings", size.vocab), ("type_embeddings", 2), ("position_embedding", size.positions)]
    parts = [layers.Embedding(rows, size.hidden, name=name)(ids) for (name, rows), ids in zip(tables, inputs, strict=True)]
    x = layers.LayerNormalization(epsilon=1e-12, name="embeddings/layer_norm")(sum(parts[1:], start=parts[0]))
    for i in range(size.layers):
        x = Block(size, heads, name=f"transformer/layer_{i}")(x)
    return tf_keras.Model(inputs, [x, layers.Dense(size.hidden, "tanh", name="pooler_transform")(x[:, 0])])


def full_names(model):
    return {variable.name.removesuffix(":0") for variable in model.variables}


# The names of the heads in the Model Garden's converter, as BertPretrainerV2 has them.
MODEL_GARDEN_HEADS = {
    "bert/cls/predictions/output_bias/bias": "cls/predictions/output_bias",
    "bert/cls/predictions/transform/dense/kernel": "cls/predictions/transform/dense/kernel",
    "bert/cls/predictions/transform/dense/bias": "cls/predictions/transform/dense/bias",
    "bert/cls/predictions/transform/LayerNorm/gamma": "cls/predictions/transform/LayerNorm/gamma",
    "bert/cls/predictions/transform/LayerNorm/beta": "cls/predictions/transform/LayerNorm/beta",
    "predictions/transform/logits/bias": "cls/seq_relationship/output_bias",
    "predictions/transform/logits/kernel": "cls/seq_relationship/output_weights",
}


def test_a_model_garden_encoder_computes_the_same_as_bert(mount, tmp_path):
    source = pretrained()
    m = mount(save(tmp_path / "source", source), "--map", "@bert-to-modelgarden", "--var", f"heads={HEADS}")
    encoder = model_garden_encoder(BERT, HEADS)
    found = values(at(m, "ckpt-9"))
    assert set(found) == full_names(encoder) | set(MODEL_GARDEN_HEADS)
    for new, old in MODEL_GARDEN_HEADS.items():
        np.testing.assert_array_equal(found[new], source[old].T if new.endswith("logits/kernel") else source[old])
    tf.train.Checkpoint(encoder).read(at(m, "ckpt-9")).assert_existing_objects_matched()
    ids, types = sentences()
    last, pooled = encoder([ids, types, np.tile(np.arange(5), [2, 1])])
    expected = computed(source)
    close(last, expected[0])
    close(pooled, expected[1])


def test_the_model_refuses_a_wrong_number_of_heads(mount, tmp_path):
    m = mount(save(tmp_path / "source", pretrained()), "--map", "@bert-to-modelgarden", "--var", "heads=3")
    with pytest.raises(ValueError, match="[Ss]hape"):
        tf.train.Checkpoint(model_garden_encoder(BERT, HEADS)).read(at(m, "ckpt-9")).assert_existing_objects_matched()


def hugging_face(size):
    """Returns the shapes of the parameters of Hugging Face's BertForPreTraining by name, without the tied
    parameters."""
    h = size.hidden
    linear = lambda at, rows, columns: {f"{at}.weight": [columns, rows], f"{at}.bias": [columns]}
    norm = lambda at: {f"{at}.LayerNorm.weight": [h], f"{at}.LayerNorm.bias": [h]}
    found = {
        "bert.embeddings.word_embeddings.weight": [size.vocab, h],
        "bert.embeddings.position_embeddings.weight": [size.positions, h],
        "bert.embeddings.token_type_embeddings.weight": [2, h],
        **norm("bert.embeddings"),
        **linear("bert.pooler.dense", h, h),
        "cls.predictions.bias": [size.vocab],
        **linear("cls.predictions.transform.dense", h, h),
        **norm("cls.predictions.transform"),
        **linear("cls.seq_relationship", h, 2),
    }
    for at in (f"bert.encoder.layer.{i}" for i in range(size.layers)):
        for part in ("query", "key", "value"):
            found |= linear(f"{at}.attention.self.{part}", h, h)
        found |= linear(f"{at}.attention.output.dense", h, h) | norm(f"{at}.attention.output")
        found |= linear(f"{at}.intermediate.dense", h, size.inner)
        found |= linear(f"{at}.output.dense", size.inner, h) | norm(f"{at}.output")
    return found


def as_pytorch_computes(found):
    """Computes the same network from PyTorch's parameters, whose linear layers multiply by the transposed weight."""
    name = lambda at: at.replace("layer_", "layer.").replace("/", ".")
    linear = lambda at, x: x @ found[f"{name(at)}.weight"].T + found[f"{name(at)}.bias"]
    norm = lambda at, x: bert_math.normed(x, found[f"{name(at)}.LayerNorm.weight"], found[f"{name(at)}.LayerNorm.bias"])
    embedding = lambda part: found[f"bert.embeddings.{part}.weight"]
    x, pooled, words = bert_math.forward(embedding, linear, norm, HEADS, BERT.layers, *sentences())
    return x, pooled, words + found["cls.predictions.bias"], linear("cls/seq_relationship", pooled)


def test_hugging_face_parameters_compute_the_same_as_bert(mount, tmp_path):
    source = pretrained()
    m = mount(save(tmp_path / "source", source), "--map", "@bert-to-huggingface")
    found = load_file(m / "ckpt-9" / "model.safetensors")
    assert {name: list(value.shape) for name, value in found.items()} == hugging_face(BERT)
    for one, other in zip(as_pytorch_computes(found), computed(source), strict=True):
        close(one, other)


TIED = {
    "cls.predictions.decoder.weight": ("bert/embeddings/word_embeddings", "bert.embeddings.word_embeddings.weight"),
    "cls.predictions.decoder.bias": ("cls/predictions/output_bias", "cls.predictions.bias"),
}


def test_aliases_add_the_tied_parameters_of_hugging_face(mount, tmp_path):
    aliases = [flag for new, (old, _) in TIED.items() for flag in ("--alias", f"{old}={new}")]
    assert all(" ".join(pair) in text_of("bert-to-huggingface") for pair in zip(aliases[::2], aliases[1::2], strict=True))
    m = mount(save(tmp_path / "source", pretrained()), "--map", "@bert-to-huggingface", *aliases)
    found = load_file(m / "ckpt-9" / "model.safetensors")
    assert set(found) == set(hugging_face(BERT)) | set(TIED)
    for new, (_, same_as) in TIED.items():
        np.testing.assert_array_equal(found[new], found[same_as])


@pytest.mark.parametrize("old, new", [("", "classifier"), ("cls/squad/", "qa_outputs")])
def test_fine_tuned_heads_get_the_names_of_hugging_face(mount, tmp_path, old, new):
    body = {name: shape for name, shape in bert.shapes(BERT).items() if name.startswith("bert/")}
    source = weights(body | {f"{old}output_weights": [3, BERT.hidden], f"{old}output_bias": [3]})
    found = load_file(mount(save(tmp_path / "source", source), "--map", "@bert-to-huggingface") / "ckpt-9" / "model.safetensors")
    np.testing.assert_array_equal(found[f"{new}.weight"], source[f"{old}output_weights"])
    np.testing.assert_array_equal(found[f"{new}.bias"], source[f"{old}output_bias"])
    assert set(found) == {name for name in hugging_face(BERT) if name.startswith("bert.")} | {f"{new}.weight", f"{new}.bias"}


# GPT-2.


def gpt2(layers, width, words, positions):
    """Returns the shapes by name, as openai/gpt-2 saves them."""
    norm = lambda at: {f"{at}/g": [width], f"{at}/b": [width]}
    conv = lambda at, rows, columns: {f"{at}/w": [1, rows, columns], f"{at}/b": [columns]}
    found = {"model/wte": [words, width], "model/wpe": [positions, width], **norm("model/ln_f")}
    for at in (f"model/h{i}" for i in range(layers)):
        found |= norm(f"{at}/ln_1") | norm(f"{at}/ln_2")
        found |= conv(f"{at}/attn/c_attn", width, 3 * width) | conv(f"{at}/attn/c_proj", width, width)
        found |= conv(f"{at}/mlp/c_fc", width, 4 * width) | conv(f"{at}/mlp/c_proj", 4 * width, width)
    return found


def test_gpt2_for_hugging_face(mount, tmp_path):
    source = floats(gpt2(layers=11, width=6, words=13, positions=5))
    expected = {"transformer.wte.weight": source["model/wte"], "transformer.wpe.weight": source["model/wpe"]}
    for leaf, new in (("g", "weight"), ("b", "bias")):
        expected[f"transformer.ln_f.{new}"] = source[f"model/ln_f/{leaf}"]
        expected |= {f"transformer.h.{i}.{n}.{new}": source[f"model/h{i}/{n}/{leaf}"] for i in range(11) for n in ("ln_1", "ln_2")}
    for i in range(11):
        for part in ("attn/c_attn", "attn/c_proj", "mlp/c_fc", "mlp/c_proj"):
            at = f"transformer.h.{i}.{part.replace('/', '.')}"
            expected |= {f"{at}.weight": source[f"model/h{i}/{part}/w"][0], f"{at}.bias": source[f"model/h{i}/{part}/b"]}
    m = mount(save(tmp_path / "source", source), "--map", "@gpt2-to-huggingface")
    assert_same(load_file(m / "ckpt-9" / "model.safetensors"), expected)


# Slim's ResNets.


def resnet50():
    return weights(slim.shapes(50)) | {"global_step": np.int64(3)}


def assert_is_slims(model, source):
    """Checks every weight, with a conversion to slim's names that is independent of the map."""
    unseen = {name for name in source if name not in ("global_step", "resnet_v1_50/mean_rgb")}
    for layer in (layer for layer in model.layers if layer.weights):
        name, kind = layer.name.rsplit("_", 1) if layer.name != "predictions" else ("logits", "dense")
        parts = name.replace("conv", "").replace("block", "").split("_")
        unit = "conv1" if name == "conv1" else "logits"
        if len(parts) == 3:
            block, number, conv = (int(part) for part in parts)
            unit = f"block{block - 1}/unit_{number}/bottleneck_v1/" + (f"conv{conv}" if conv else "shortcut")
        old = {"kernel": "weights", "bias": "biases"} if kind != "bn" else {}
        for weight in layer.weights:
            leaf = weight.name.removesuffix(":0").rsplit("/", 1)[-1]
            at = f"resnet_v1_50/{unit}/" + ("BatchNorm/" if kind == "bn" else "") + old.get(leaf, leaf)
            expected = np.zeros(weight.shape, "float32") if kind == "conv" and leaf == "bias" else source[at]
            np.testing.assert_array_equal(weight.numpy(), expected.reshape(weight.shape), err_msg=at)
            unseen.discard(at)
    assert not unseen


@pytest.mark.parametrize("library", [keras, tf_keras], ids=["keras", "tf_keras"])
def test_a_slim_resnet_loads_into_keras_by_layer_name(mount, tmp_path, monkeypatch, library):
    library.backend.clear_session()
    source, model = resnet50(), library.applications.ResNet50(weights=None)
    run("slim-resnet-to-keras", 'with open("wanted.tsv", "w") as f:', model, tmp_path, monkeypatch)
    flags = ["--map", "@slim-resnet-to-keras", "--like", tmp_path / "wanted.tsv", "--missing", "zeros", "--h5-layout", "legacy"]
    m = mount(save(tmp_path / "source", source), *flags)
    model.load_weights(str(m / "ckpt-9" / "model.h5"), by_name=True)
    assert_is_slims(model, source)


def test_a_slim_resnet50_loads_into_keras_3_from_weights_h5(mount, tmp_path):
    keras.utils.clear_session()
    source, model = resnet50(), keras.applications.ResNet50(weights=None)
    model.save_weights(tmp_path / "wanted.weights.h5")
    listed = ckptfs("ls", tmp_path / "wanted.weights.h5", "--tsv")
    (tmp_path / "wanted.tsv").write_text(listed.stdout)
    biases = "layers/conv2d*/vars/1=zeros"
    flags = ["--map", "@slim-resnet50-to-keras3-h5", "--like", tmp_path / "wanted.tsv", "--missing", biases]
    m = mount(save(tmp_path / "source", source), *flags)
    model.load_weights(m / "ckpt-9" / "model.weights.h5")
    assert_is_slims(model, source)


@pytest.mark.parametrize("depth", [101, 152])
def test_deeper_resnets_get_the_names_of_keras(tmp_path, depth):
    keras.utils.clear_session()
    model = getattr(keras.applications, f"ResNet{depth}")(weights=None)
    biases = {f"{layer.name}/bias" for layer in model.layers if layer.name.endswith("_conv")}
    prefix = save(tmp_path / "source", floats(slim.shapes(depth, width=1, classes=2)))
    found = ckptfs("ls", prefix, "--map", "@slim-resnet-to-keras").stdout.split()
    assert set(found) == {weight.path for weight in model.weights} - biases and len(biases) == depth + 3


# Keras 2 and Keras 3.


def many_layers(library):
    """Returns a model with most of the classes that the maps support, some of them twice, and a nested model."""
    layers = library.layers
    a, b = library.Input([6, 4]), library.Input([6], dtype="int32")
    x = layers.Concatenate()([layers.Conv1D(3, 2, padding="same", name="front")(a), layers.Embedding(9, 3, name="words")(b)])
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.Bidirectional(layers.GRU(2, return_sequences=True), name="both")(x)
    x = layers.MultiHeadAttention(2, 3, name="attention")(x, x)
    x = layers.LayerNormalization(name="later")(x)
    x = layers.DepthwiseConv1D(2, padding="same", name="deep")(x)
    x = layers.PReLU(name="bend")(x)
    inner = [layers.InputLayer([6, 4]), layers.Dense(4, name="first"), layers.Dropout(0.5), layers.Dense(3, name="second")]
    x = library.Sequential(inner, name="inner")(x)
    x = layers.SimpleRNN(3, return_sequences=True, name="simple")(x)
    x = layers.LSTM(4, name="memory")(x)
    x = layers.Add()([layers.Dense(4, name="left")(x), layers.Dense(4, use_bias=False, name="right")(x)])
    return library.Model([a, b], layers.Dense(2, name="out")(x))


def a_sequence(library):
    layers = library.layers
    layered = [layers.InputLayer([8, 8, 2]), layers.Conv2D(3, 3), layers.BatchNormalization(), layers.Conv2D(3, 3), layers.Flatten()]
    return library.Sequential([*layered, layers.Dense(5), layers.Dense(2)])


INPUTS = {
    many_layers: [np.random.default_rng(0).normal(size=[3, 6, 4]).astype("float32"), np.random.default_rng(0).integers(0, 9, [3, 6])],
    a_sequence: np.random.default_rng(0).normal(size=[3, 8, 8, 2]).astype("float32"),
}

SAVED = {
    "save_weights": lambda model, directory: model.save_weights(directory / "ckpt-9", save_format="tf"),
    "Checkpoint": lambda model, directory: tf.train.Checkpoint(model=model).write(str(directory / "ckpt-9")),
}
SAVED_H5 = {
    "weights": lambda model, directory: model.save_weights(directory / "ckpt-9.h5"),
    "model": lambda model, directory: model.save(directory / "ckpt-9.h5"),
}


def old_model(kind, compiled):
    tf_keras.backend.clear_session()
    model, random = kind(tf_keras), np.random.default_rng(1)
    if compiled:
        model.compile("adam", "mse")
        model.fit(INPUTS[kind], np.zeros([3, 2]), verbose=0)
    model.set_weights([random.uniform(0.1, 0.9, weight.shape) for weight in model.get_weights()])
    return model


def new_model(kind):
    keras.utils.clear_session()
    return kind(keras)


def assert_loads(mount, source, name, kind, old, *flags):
    path = next(mount(source, "--map", f"@{name}", *flags).path.glob("*/model.weights.h5"))
    new = new_model(kind)
    new.load_weights(path)
    expected = old.predict(INPUTS[kind], verbose=0)
    assert not np.allclose(new_model(kind).predict(INPUTS[kind], verbose=0), expected)
    np.testing.assert_allclose(new.predict(INPUTS[kind], verbose=0), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("compiled", [False, True], ids=["alone", "trained"])
@pytest.mark.parametrize("saved", SAVED)
@pytest.mark.parametrize("kind", INPUTS, ids=lambda kind: kind.__name__)
def test_keras_3_predicts_the_same_as_keras_2_from_a_tensorflow_checkpoint(mount, tmp_path, monkeypatch, kind, saved, compiled):
    old = old_model(kind, compiled)
    SAVED[saved](old, tmp_path)
    run("keras2-to-keras3", "import re", old, tmp_path, monkeypatch)
    assert_loads(mount, tmp_path / "ckpt-9", "keras2-to-keras3", kind, old, "--map", tmp_path / "layers.toml")


@pytest.mark.parametrize("saved", SAVED_H5)
@pytest.mark.parametrize("kind", INPUTS, ids=lambda kind: kind.__name__)
def test_keras_3_predicts_the_same_as_keras_2_from_h5(mount, tmp_path, monkeypatch, kind, saved):
    old = old_model(kind, compiled=True)
    SAVED_H5[saved](old, tmp_path)
    run("keras2-h5-to-keras3-h5", "import re", new_model(kind), tmp_path, monkeypatch)
    assert_loads(mount, tmp_path / "ckpt-9.h5", "keras2-h5-to-keras3-h5", kind, old, "--map", tmp_path / "layers.toml", "--h5-layout", "keras3")


def two_branches(library, first, second):
    """Returns a model of two equal layers, which are built and joined in this order."""
    x = library.layers.Input([4])
    branches = [library.layers.Dense(4, name=name)(x) for name in (first, second)]
    return library.Model(x, library.layers.Concatenate()(branches))


def test_layers_are_paired_by_name_though_the_new_model_has_another_order(mount, tmp_path, monkeypatch):
    old, new = two_branches(tf_keras, "left", "right"), two_branches(keras, "right", "left")
    old.save_weights(tmp_path / "ckpt-9.h5")
    run("keras2-h5-to-keras3-h5", "import re", new, tmp_path, monkeypatch)
    flags = ["--map", "@keras2-h5-to-keras3-h5", "--map", tmp_path / "layers.toml", "--h5-layout", "keras3"]
    new.load_weights(next(mount(tmp_path / "ckpt-9.h5", *flags).path.glob("*/model.weights.h5")))
    for name in ("left", "right"):
        for expected, actual in zip(old.get_layer(name).get_weights(), new.get_layer(name).get_weights(), strict=True):
            np.testing.assert_array_equal(actual, expected)


def test_a_table_of_the_old_model_whose_order_may_be_another_is_refused(tmp_path, monkeypatch):
    with pytest.raises(SystemExit, match="not the Keras 3 model"):
        run("keras2-h5-to-keras3-h5", "import re", two_branches(tf_keras, "left", "right"), tmp_path, monkeypatch)
    assert not (tmp_path / "layers.toml").exists()


def test_the_table_of_layers_is_the_same_for_a_model_built_with_keras_3(tmp_path, monkeypatch):
    tables = []
    for model in (old_model(many_layers, False), new_model(many_layers)):
        run("keras2-to-keras3", "import re", model, tmp_path, monkeypatch)
        tables.append((tmp_path / "layers.toml").read_text())
    assert tables[0] == tables[1] and "sequential/layers/dense_1" in tables[0]


@pytest.mark.parametrize("name", ["keras2-to-keras3", "keras2-h5-to-keras3-h5"])
def test_without_the_users_table_the_error_says_where_to_read_more(name):
    said = refused("check", fixture("object_keras2"), "--map", f"@{name}", code=2)
    assert "unknown table `layer`" in said and f"ckptfs maps show {name}" in said and f"--> @{name}:" in said


def odd_layers(library):
    layers = library.layers
    layered = [layers.InputLayer([8, 8, 2]), layers.BatchNormalization(scale=False), layers.SeparableConv2D(3, 3, name="separable"), layers.Flatten()]
    return library.Sequential([*layered, layers.Dense(2)])


ODD = [
    "layer_with_weights-0/beta=layers/batch_normalization/vars/0",
    "layer_with_weights-0/moving_mean=layers/batch_normalization/vars/1",
    "layer_with_weights-0/moving_variance=layers/batch_normalization/vars/2",
    "layer_with_weights-1/bias=layers/separable_conv2d/vars/2",
]


def test_ambiguous_layers_are_refused_unless_flags_rename_them(mount, tmp_path, monkeypatch):
    monkeypatch.setitem(INPUTS, odd_layers, INPUTS[a_sequence])
    old = old_model(odd_layers, False)
    old.save_weights(tmp_path / "ckpt-9", save_format="tf")
    run("keras2-to-keras3", "import re", old, tmp_path, monkeypatch)
    flags = ["--map", tmp_path / "layers.toml"]
    renames = [flag for rename in ODD for flag in ("--rename", rename)]
    assert "layer_with_weights-2/bias=layers/separable_conv2d/vars/2" in text_of("keras2-to-keras3")
    assert_loads(mount, tmp_path / "ckpt-9", "keras2-to-keras3", odd_layers, old, *flags, *renames)
    without_separable = mount(tmp_path / "ckpt-9", "--map", "@keras2-to-keras3", *flags, *renames[:6], "--collision", "first")
    without_norm = mount(tmp_path / "ckpt-9", "--map", "@keras2-to-keras3", *flags, *renames[6:])
    for m in (without_separable, without_norm):
        with pytest.raises((ValueError, KeyError)):
            new_model(odd_layers).load_weights(m / "ckpt-9" / "model.weights.h5")
