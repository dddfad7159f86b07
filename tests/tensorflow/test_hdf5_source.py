"""HDF5 files as a source: every dataset has the value that h5py reads, under the name that Keras uses."""

import io
import resource
import subprocess
import zipfile

import h5py
import keras
import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf

from harness import ROOT, array, assert_same, assert_widens_to, binary, ckptfs, refused, values

FIXTURES = ROOT / "tests" / "fixtures"
FILES = sorted(
    str(path.relative_to(FIXTURES))
    for writer in ("keras-*", "tf_keras-*", "h5py-*")
    for path in FIXTURES.glob(f"{writer}/*/*")
)
KERAS = [name for name in FILES if not name.startswith("h5py")]


def test_every_writer_has_a_fixture():
    assert {name.partition("-")[0] for name in FILES} == {"keras", "tf_keras", "h5py"}


@pytest.mark.parametrize("name", FILES)
def test_every_dataset_is_listed_with_dtype_and_shape_or_named_as_left_out(name):
    expected = expectations(FIXTURES / name)
    run = ckptfs("ls", FIXTURES / name, "--tsv")
    assert run.returncode == 0, run.stderr
    rows = [line.split("\t") for line in run.stdout.splitlines()[1:]]
    shown = {row[0]: (row[1], row[2]) for row in rows}
    assert shown == {key: (dtype_name(value), " ".join(map(str, np.shape(value)))) for key, value in expected.items()}
    for path in strange(FIXTURES / name):
        assert f" {path}: " in run.stderr, f"{path} is neither shown nor spoken of"
    assert run.stderr.count("left out") >= len(strange(FIXTURES / name))


@pytest.mark.parametrize("name", FILES)
def test_cat_writes_the_values_that_h5py_reads(name):
    for variable, value in expectations(FIXTURES / name).items():
        if array(value).dtype == object:
            shown = np.load(io.BytesIO(cat(name, variable, "npy")))
            assert shown.tolist() == array(value).tolist(), variable
        else:
            assert_widens_to(np.load(io.BytesIO(cat(name, variable, "npy"))), value)
            assert cat(name, variable, "raw") == np.asarray(value).tobytes(), variable


@pytest.mark.parametrize("name", FILES)
def test_tensorflow_reads_the_bundle_that_the_mount_shows(mount, name):
    m = mount(FIXTURES / name)
    expected = expectations(FIXTURES / name)
    prefix = prefix_in(m)
    assert sorted(found for found, _ in tf.train.list_variables(prefix)) == sorted(expected)
    assert_same(values(prefix), expected)
    tree = m / next(path.name for path in m.path.iterdir() if path.is_dir() and not path.is_symlink() and path.name != ".ckptfs")
    for variable, value in expected.items():
        if array(value).dtype != object:
            assert_widens_to(np.load(tree / f"npy/{variable}.npy", mmap_mode="r"), value)


@pytest.mark.parametrize("name", [name for name in KERAS if "deflated" not in name])
def test_the_first_data_file_of_the_bundle_is_the_source_file(mount, name):
    m = mount(FIXTURES / name)
    (data,) = m.path.glob("[!l]*.data-00000-of-00001")
    assert data.read_bytes() == (FIXTURES / name).read_bytes()


def test_a_map_renames_keras_weights_for_a_tensorflow_program(mount):
    name = "tf_keras-2.21/sequential/model.h5"
    m = mount(FIXTURES / name, "--rename", "{layer}/{leaf}:0=model/{layer}/{leaf}", "--drop", "optimizer_weights/**")
    weights = {key: value for key, value in expectations(FIXTURES / name).items() if not key.startswith("optimizer_weights")}
    assert_same(values(prefix_in(m)), {f"model/{key.removesuffix(':0')}": value for key, value in weights.items()})


def test_a_keras_archive_and_the_weights_in_it_are_one_checkpoint(tmp_path):
    archive = FIXTURES / "keras-3.15/archive/model.keras"
    with zipfile.ZipFile(archive) as members:
        members.extract("model.weights.h5", tmp_path)
    listed = [ckptfs("ls", path, "--tsv").stdout for path in (archive, tmp_path / "model.weights.h5")]
    assert listed[0] == listed[1] and len(listed[0].splitlines()) > 10


def test_the_weights_equal_those_that_keras_loads():
    model = keras.saving.load_model(FIXTURES / "keras-3.15/archive/model.keras", compile=False)
    found = expectations(FIXTURES / "keras-3.15/archive/model.keras")
    layer = model.get_layer("twice")
    for i, weight in enumerate(layer.get_weights()):
        assert np.load(io.BytesIO(cat("keras-3.15/archive/model.keras", f"layers/dense/vars/{i}", "npy"))).tobytes() == weight.tobytes()
    assert len(found) > len(model.weights)


def test_a_real_keras_archive_is_read(real, mount):
    source = real / "keras_nested_container_keras" / "pre_pr22362_nested_container.keras"
    m = mount(source)
    assert_same(values(prefix_in(m)), expectations(source))


def test_large_chunked_values_are_read_in_blocks(tmp_path, mount):
    """Reads more than one block, with chunks that cross the blocks and partial chunks at the edges."""
    rng = np.random.default_rng(9)
    large = {
        "square": (rng.integers(0, 9, (1501, 1777)).astype(np.float32), {"chunks": (313, 313)}),
        "tall": (rng.integers(0, 9, (3000, 700)).astype(">f4"), {"chunks": (3000, 7), "shuffle": True}),
        "wide": (rng.integers(0, 9, (5, 900_001)).astype(np.int16), {"chunks": (1, 100_000)}),
        "deep": (rng.integers(0, 9, (13, 40, 50, 60)).astype(np.complex64), {"chunks": (4, 9, 50, 7)}),
    }
    with h5py.File(tmp_path / "large.h5", "w") as file:
        for name, (value, flags) in large.items():
            file.create_dataset(name, data=value, compression="gzip", compression_opts=1, **flags)
        file["swapped"] = large["tall"][0]
    m = mount(tmp_path / "large.h5")
    expected = {name: value.astype(value.dtype.newbyteorder("<")) for name, (value, _) in large.items()}
    assert_same(values(prefix_in(m)), expected | {"swapped": expected["tall"]})


def test_opening_a_large_file_does_not_read_it_all(tmp_path):
    """Opens six gigabytes of holes with memory for a sixth of them."""
    with h5py.File(tmp_path / "large.h5", "w") as file:
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        for name, kind in ((b"large", h5py.h5t.IEEE_F32LE), (b"swapped", h5py.h5t.IEEE_F32BE)):
            h5py.h5d.create(file.id, name, kind, h5py.h5s.create_simple((3 << 18, 1 << 10)), properties)
        file["small"] = np.float32([1, 2, 3])
    assert (tmp_path / "large.h5").stat().st_size > 6 << 30
    run = subprocess.run(
        [binary(), "ls", tmp_path / "large.h5", "--tsv"],
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30)),
    )
    assert run.returncode == 0, run.stderr
    assert [line.split("\t")[3] for line in run.stdout.splitlines()[1:]] == [str(3 << 30), "12", str(3 << 30)]


@pytest.mark.parametrize("keep", [0, 4, 8, 100, 3000])
def test_a_truncated_file_is_refused(tmp_path, keep):
    whole = (FIXTURES / "tf_keras-2.21/sequential/model.h5").read_bytes()
    (tmp_path / "cut.h5").write_bytes(whole[:keep])
    assert "cut.h5" in refused("ls", tmp_path / "cut.h5")


def test_an_archive_without_weights_or_with_encryption_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "none.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    assert "without model.weights.h5" in refused("ls", tmp_path / "none.keras")
    weights = (FIXTURES / "keras-3.15/narrow/model.weights.h5").read_bytes()
    for method, word in ((zipfile.ZIP_BZIP2, "ompress"), (zipfile.ZIP_LZMA, "ompress")):
        with zipfile.ZipFile(tmp_path / "other.keras", "w", method) as archive:
            archive.writestr("model.weights.h5", weights)
        assert word in refused("ls", tmp_path / "other.keras")
    with zipfile.ZipFile(tmp_path / "locked.keras", "w") as archive:
        archive.writestr("model.weights.h5", weights)
    bytes_ = bytearray((tmp_path / "locked.keras").read_bytes())
    bytes_[6] |= 1
    bytes_[bytes_.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "locked.keras").write_bytes(bytes_)
    assert "encrypted" in refused("ls", tmp_path / "locked.keras")


def test_a_zip64_member_is_read(tmp_path):
    weights = (FIXTURES / "keras-3.15/narrow/model.weights.h5").read_bytes()
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        with archive.open("model.weights.h5", "w", force_zip64=True) as member:
            member.write(weights)
    run = ckptfs("ls", tmp_path / "m.keras")
    assert run.stdout == ckptfs("ls", FIXTURES / "keras-3.15/narrow/model.weights.h5").stdout and run.stdout


# The expected values: from h5py, and from the attributes that Keras writes.


def expectations(path):
    """Returns the value of every dataset that a tensor can hold, by name, in TensorFlow's dtypes."""
    with opened(path) as file:
        found, names = datasets(file), legacy_names(file)
        count = {name: sum(other == name for other in names.values()) for name in names.values()}
        shown = {path: names[path] if count.get(names.get(path)) == 1 else path for path in found}
        return {shown[path]: value(dataset) for path, dataset in found.items() if path not in STRANGE}


def strange(path):
    with opened(path) as file:
        return sorted(set(datasets(file)) & STRANGE)


STRANGE = {
    *("compound", "reference", "region", "array", "sequences", "empty", "opaque", "opaque_noted", "half_complex", "twelve_bits"),
    *("bit_field", "other_bias", "outside", "virtual", "szip", "huge"),
}


def opened(path):
    if path.suffix != ".keras":
        return h5py.File(path)
    with zipfile.ZipFile(path) as archive:
        return h5py.File(io.BytesIO(archive.read("model.weights.h5")))


def datasets(file):
    """Returns the datasets by path, each group once. Soft links to datasets of this file count."""
    found, rest = {}, [("", file)]
    while rest:
        below, group = rest.pop()
        for name in group:
            link, path = group.get(name, getlink=True), f"{below}{name}"
            target = None if isinstance(link, h5py.ExternalLink) else group.get(name)
            if isinstance(target, h5py.Dataset):
                found[path] = target
            elif isinstance(target, h5py.Group) and isinstance(link, h5py.HardLink) and target != file["/"]:
                rest.append((f"{path}/", target))
    return found


def legacy_names(file):
    names = {}
    for base in ("", "model_weights/"):
        top = file[base] if base and base in file else file if not base else None
        if top is None:
            continue
        layers = attribute(top, "layer_names")
        for layer in [*layers, "top_level_model_weights"] if layers else []:
            for weight in attribute(top[layer], "weight_names") if layer in top else []:
                names[f"{base}{layer}/{weight}"] = weight
    return names


def attribute(group, name):
    parts = [name] if name in group.attrs else sorted(key for key in group.attrs if key.startswith(name))
    return [text.decode() if isinstance(text, bytes) else text for part in parts for text in group.attrs[part]]


def value(dataset):
    found = dataset[()]
    if h5py.check_string_dtype(dataset.dtype):
        found = np.asarray(found, object)
        return found[()] if found.shape == () else np.vectorize(bytes, otypes=[object])(found) if found.size else found
    if dataset.dtype.kind == "V":
        return found.view(getattr(ml_dtypes, dataset.attrs["dtype"]))
    return found.astype(found.dtype.newbyteorder("<"))


def dtype_name(value):
    dtype = array(value).dtype
    return "string" if dtype == object else tf.as_dtype(dtype).name


def cat(name, variable, form):
    run = subprocess.run(
        [binary(), "cat", FIXTURES / name, variable, "--as", form], stdin=subprocess.DEVNULL, capture_output=True, timeout=60
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def prefix_in(m):
    """Returns the prefix of the only checkpoint of a mount."""
    (index,) = [path for path in m.path.glob("*.index") if not path.is_symlink()]
    return str(index).removesuffix(".index")
