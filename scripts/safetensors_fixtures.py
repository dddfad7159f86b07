"""The fixtures that the safetensors package writes: like those of make_fixtures.py, which calls this."""

import json

import ml_dtypes
import numpy as np
import safetensors

WRITER = f"safetensors {safetensors.__version__}"
VERSION = "safetensors-" + ".".join(safetensors.__version__.split(".")[:2])

# The package's name of each dtype, and the dtype of NumPy or ml_dtypes.
DTYPES = {
    **{name: np.dtype(name) for name in ("bool", "uint8", "int8", "int16", "uint16", "int32", "uint32", "int64", "uint64")},
    **{name: np.dtype(name) for name in ("float16", "float32", "float64", "complex64")},
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
    "float8_e4m3fn": np.dtype(ml_dtypes.float8_e4m3fn),
    "float8_e5m2": np.dtype(ml_dtypes.float8_e5m2),
    "float8_e4m3fnuz": np.dtype(ml_dtypes.float8_e4m3fnuz),
    "float8_e5m2fnuz": np.dtype(ml_dtypes.float8_e5m2fnuz),
}


def dtypes(directory):
    """every dtype that TensorFlow has too; scalar, no element, rank 5; metadata"""
    tensors = {}
    for name, dtype in DTYPES.items():
        elements = np.arange(6).astype(dtype)
        tensors |= {f"{name}.vector": elements, f"{name}.scalar": elements[3], f"{name}.empty": elements[:0].reshape(3, 0, 2)}
        tensors[f"{name}.rank5"] = elements.reshape(1, 2, 1, 3, 1)
    write(directory / "model.safetensors", tensors, {"format": "pt"})


def sharded(directory):
    """three files and their index, names as in Hugging Face's models, and a config"""
    weights, shards = {}, 3
    for n in range(shards):
        name = f"model-{n + 1:05}-of-{shards:05}.safetensors"
        part = {f"model.layers.{n}.{leaf}": values(f"{n}{leaf}", shape) for leaf, shape in (("mlp.weight", [4, 3]), ("norm.weight", [3]))}
        write(directory / name, part, {"format": "pt"})
        weights |= dict.fromkeys(part, name)
    index = {"metadata": {"total_size": 180}, "weight_map": weights}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")
    (directory / "config.json").write_text('{"model_type": "none"}\n')


def foreign(directory):
    """dtypes that TensorFlow lacks (F4 in half bytes, F8_E8M0 scales), and one that it has"""
    blocks, scales, weight = np.arange(4, dtype=np.uint8), np.array([127, 128, 126], np.uint8), np.ones(2, np.float32)
    specs = {
        "blocks": spec("float4_e2m1fn_x2", (2, 2), blocks),
        "scales": spec("float8_e8m0fnu", (3,), scales),
        "weight": spec("float32", (2,), weight),
    }
    safetensors.serialize_file(specs, directory / "model.safetensors")


FIXTURES = [dtypes, sharded, foreign]


def write(path, tensors, metadata=None):
    arrays = {name: np.ascontiguousarray(value).reshape(np.shape(value)) for name, value in tensors.items()}
    names = {dtype: name for name, dtype in DTYPES.items()}
    specs = {name: spec(names[array.dtype], array.shape, array) for name, array in arrays.items()}
    safetensors.serialize_file(specs, path, metadata=metadata)


def spec(dtype, shape, array):
    """What the package writes a tensor from; the array must live until then."""
    return safetensors.TensorSpec(dtype=dtype, shape=shape, data_ptr=array.ctypes.data, data_len=array.nbytes)


def values(name, shape):
    """Numbers that depend on the name alone."""
    return (np.arange(np.prod(shape), dtype=np.float32) + len(name) + sum(name.encode())).reshape(shape)
