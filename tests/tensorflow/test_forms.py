"""Every fixture in every form of a mount, each opened by the package of its form: all have the same values."""

import json

import pytest
import tensorflow as tf

from harness import ROOT, ckptfs, restored, stored_bytes
from test_safetensors import read as in_safetensors
from test_weights_h5 import datasets as in_hdf5
from test_weights_h5 import equal

WRITTEN = ROOT / "tests" / "fixtures"
# These have only graphs, a table of numbers, or names that TensorFlow's Python cannot represent.
NONE = {"tf-2.21/graphs", "numpy-2.4/casts", "tf-2.21/not_utf8"}
SOURCES = sorted({str(path.relative_to(WRITTEN)) for path in WRITTEN.glob("*/*") if path.is_dir()} - NONE)

# TensorFlow cannot join slices of these dtypes.
NEVER_JOINED = {"float16", "uint16", "uint32", "uint64", "string", "float8_e5m2", "float8_e4m3fn"}


def test_every_writer_has_a_source():
    assert {source.split("/")[0] for source in SOURCES} == {"tf-2.21", "tf_keras-2.21", "keras-3.15", "h5py-3.14", "safetensors-0.8"}


@pytest.mark.parametrize("source", SOURCES)
def test_all_forms_have_the_same_values(mount, source):
    listed = ckptfs("ls", "--json", WRITTEN / source)
    assert listed.returncode == 0, listed.stderr
    m = mount(WRITTEN / source)
    variables = {variable["name"]: variable for variable in json.loads(listed.stdout)}
    expected = of_bundle(m / "latest", {name: variable for name, variable in variables.items() if joins(variable)})
    [h5] = (m / "latest").glob("model*.h5")
    safe, (hdf5, lacking) = in_safetensors(m / "latest" / "model.safetensors"), in_hdf5(h5)

    assert expected or not variables
    assert [name for name in safe if name in expected and safe[name].tobytes() != stored_bytes(expected[name])] == []
    assert {name for name in expected if variables[name]["dtype"] in HELD} <= set(safe)
    assert [name for name in hdf5 if name in expected and not equal(hdf5[name], expected[name])] == []
    assert h5.name == "model.h5" or set(hdf5) | set(lacking) == set(variables)


HELD = {*("float16", "float32", "float64", "bfloat16", "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")}


def joins(variable):
    return variable["dtype"] != "variant" and not (variable.get("slices") and variable["dtype"] in NEVER_JOINED)


def of_bundle(prefix, variables):
    dtypes = tf.train.load_checkpoint(str(prefix)).get_variable_to_dtype_map()
    values = restored(prefix, {variable["key"]: dtypes[variable["key"]] for variable in variables.values()})
    return {name: values[variable["key"]] for name, variable in variables.items()}
