#!/usr/bin/env python3
"""Writes what NumPy and ml_dtypes make of each other's awkward numbers: a fixture for the casts.

    scripts/cast_fixtures.py [--into tests/fixtures]

The members of `casts.zip` go through the dtypes in the order of NAMES. `counts`: how many elements of each there are, in
four bytes. `elements`: those, as a checkpoint has them. `casts`: of each dtype the elements cast to every dtype, one after
the other. `fits`: in the same order a byte for each element, 1 where the cast is defined. Where it is not (an integer type
that cannot hold the number) `casts` has the nearest that it can hold, 0 for NaN. Signaling NaNs are left out: what becomes of their payload depends on the processor.
"""

import argparse
import math
import zipfile
from pathlib import Path

import ml_dtypes
import numpy as np

SMALL = ["float8_e5m2", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e4m3b11fnuz", "float8_e5m2fnuz", "float4_e2m1fn"]
FLOATS = ["float32", "float64", "float16", "bfloat16", *SMALL]
BITS = {"int2": 2, "uint2": 2, "int4": 4, "uint4": 4} | {f"{u}int{n}": n for u in ("", "u") for n in (8, 16, 32, 64)}
NAMES = [*FLOATS, *BITS, "bool"]
VERSION = "numpy-" + ".".join(np.__version__.split(".")[:2])
ROW = f"| {VERSION}/casts | NumPy {np.__version__}, ml_dtypes {ml_dtypes.__version__} | the special numbers of every dtype, cast to every dtype |"


def main():
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--into", type=Path, default=Path(__file__).resolve().parent.parent / "tests" / "fixtures")
    write(options.parse_args().into)


def write(into):
    """The fixture and its row in the list, which is there."""
    (into / VERSION / "casts").mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(into / VERSION / "casts" / "casts.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        sources = [elements(name) for name in NAMES]
        cast = [(*to(source, target), target) for source in sources for target in NAMES]
        add(archive, "counts", np.array([len(source) for source in sources], "<u4").tobytes())
        add(archive, "elements", b"".join(stored(source, name) for source, name in zip(sources, NAMES)))
        add(archive, "casts", b"".join(stored(values, target) for values, _, target in cast))
        add(archive, "fits", b"".join(bytes(fits) for _, fits, _ in cast))
    rows = (into / "LIST.md").read_text().splitlines()
    head = [row for row in rows if not row.startswith("| ") or row.startswith("| name")]
    body = {row for row in rows if row not in head and not row.startswith(f"| {VERSION}/casts ")} | {ROW}
    (into / "LIST.md").write_text("\n".join(head + sorted(body)) + "\n")


def add(archive, name, data):
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(info, data)


def dtype(name):
    return np.dtype(getattr(ml_dtypes, name, name))


def limits(name):
    signed, bits = not name.startswith("u"), BITS[name]
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)


def elements(name):
    if name == "bool":
        return np.array([False, True])
    if name in BITS:
        low, high = limits(name)
        if BITS[name] <= 4:
            return np.arange(low, high + 1).astype(dtype(name))
        odd = [0, 1, 2, 3, 6, 7, 17, 100, 127, 128, 129, 255, 256, 257, 448, 449, 464, 465, 480, 2049, 2051, 61440, 65519, 65520]
        odd += [1 << 24, (1 << 24) + 1, (1 << 24) + 3, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 53) + 1]
        odd += [(1 << 40) + (1 << 24) + 1, (1 << 62) + 1, (1 << 63) - 1, (1 << 63), (1 << 63) + 1025, low, high, low + 1, high - 1]
        odd = sorted({x for y in odd for x in (y, -y) if low <= x <= high and (x >= -300 or x < -(1 << 31))})
        return np.array(odd, dtype(name))
    if name in SMALL:
        return np.arange(1 << (4 if name.startswith("float4") else 8), dtype=np.uint8).view(dtype(name))
    odd = awkward(name)
    return np.concatenate([odd, -odd[::6], -odd[-5:]])


def awkward(name):
    """Zero, subnormals, the largest, infinity, NaN, and ties of every smaller float with what is beside them."""
    wide = dtype(name)
    info = ml_dtypes.finfo(wide)
    values = [0.0, 0.5, 1.0, 1.5, 2.5, 3.5, 1 / 3, 0.1, math.pi, 126.5, 127.5, 127.9, 128.0, 255.5, 255.9, 256.0, 32767.5, 65535.5]
    values += [2.0**31 - 1, 2.0**31, 2.0**32, 2.0**63, 2.0**64, 2.0**24 + 1, 2.0**53 + 1, 1e-9, 1e9, 448, 464, 480, 65519.0, 65520.0]
    ties = []
    for small in ["float32", "float16", "bfloat16", *SMALL]:
        codes = dtype(small)
        some = [float(ml_dtypes.finfo(codes).smallest_subnormal), float(ml_dtypes.finfo(codes).max), 1.0, 1.0 + float(ml_dtypes.finfo(codes).eps)]
        unit = float(ml_dtypes.finfo(codes).eps)
        ties += [some[0] / 2, some[0] * 1.5, some[1] * (1 + unit / 4), 1 + unit / 2, 1 + 1.5 * unit]
        values += some
    with np.errstate(all="ignore"):
        exact = np.array([x for x in ties if float(np.float64(x).astype(wide)) == x], np.float64).astype(wide)
        beside = np.concatenate([np.nextafter(exact, wide.type(0)), np.nextafter(exact, wide.type(1e30))])
        odd = [info.max, info.smallest_normal, info.smallest_subnormal, np.inf, np.nan]
        values = np.concatenate([np.array(values, np.float64).astype(wide), exact, beside, np.array(odd, np.float64).astype(wide)])
    _, first = np.unique(values.view(f"u{wide.itemsize}"), return_index=True)
    return values[np.sort(first)]


def to(source, name):
    """The elements cast, and for each whether it is defined."""
    with np.errstate(all="ignore"):
        if name not in BITS:
            # ml_dtypes cannot cast between dtypes of fewer than 8 bits. 8 bits hold all their values.
            return source.astype(dtype(name)), [1] * len(source)
        low, high = limits(name)
        exact = [whole(x) for x in source]
        fits = [int(x is not None and low <= x <= high) for x in exact]
        nearest = [0 if x is None else min(max(x, low), high) for x in exact]
        cast = (source.astype(np.int8) if source.dtype.name in BITS and BITS[source.dtype.name] < 8 else source).astype(dtype(name))
        held = np.array([int(x) if fit else 0 for x, fit in zip(cast, fits)], object)
        assert all(int(x) == y for x, y, fit in zip(held, nearest, fits) if fit), (source.dtype, name)
        return np.array(nearest, object), fits


def whole(x):
    """Towards zero; beyond every integer for an infinity; None for NaN."""
    if isinstance(x, (np.bool_, np.integer)) or x.dtype.name in BITS:
        return int(x)
    x = float(x)
    return None if math.isnan(x) else int(math.copysign(1 << 80, x)) if math.isinf(x) else int(x)


def stored(values, name):
    """As a checkpoint has them: sub-byte kinds in the low bits of a byte."""
    if name in BITS:
        size, mask = max(BITS[name] // 8, 1), (1 << BITS[name]) - 1
        return b"".join((int(x) & mask).to_bytes(size, "little") for x in values)
    return values.tobytes()


if __name__ == "__main__":
    main()
