"""The sorted table format of a checkpoint's index, read and written in Python.

This codec is independent of ckptfs on purpose. Fixtures and damage are made with it, so a mistake in one codec cannot
hide in the other. A table is a list of (key, value) in key order. `encode` takes the block size, the restart interval
and a flag for compression.
"""

import struct

FOOTER, MAGIC = 48, 0xDB4775248B80FB57
EMPTY_BLOCK = struct.pack("<II", 0, 1)


def decode(file):
    """Returns the entries of a table without compressed blocks, as TensorFlow's Python writes it."""
    handle = len(file) - FOOTER
    for _ in range(2):  # the metaindex handle: skipped
        _, handle = varint(file, handle)
    start, handle = varint(file, handle)
    size, _ = varint(file, handle)
    entries = []
    for _, where in block_entries(file[start : start + size]):
        at, end = varint(where, 0)
        size, _ = varint(where, end)
        assert file[at + size] == 0, "a compressed block"
        entries += block_entries(file[at : at + size])
    return entries


def encode(entries, block_size=262144, restart_interval=16, snappy=False):
    """Returns a table file.

    With TensorFlow's settings (the defaults) it equals TensorFlow's file, except for separators.
    """
    file, handles = bytearray(), []
    for run in runs(entries, block_size):
        handles.append((run[-1][0], append_block(file, block(run, restart_interval), snappy)))
    metaindex = append_block(file, EMPTY_BLOCK)
    index = append_block(file, block(handles, 1))
    footer = metaindex + index
    return bytes(file + footer.ljust(40, b"\0") + struct.pack("<Q", MAGIC))


def block_entries(contents):
    """Returns the entries of a block.

    Each has shared, non-shared and value lengths, then the rest of the key and the value.
    """
    restarts = struct.unpack("<I", contents[-4:])[0]
    at, end, key, entries = 0, len(contents) - 4 - 4 * restarts, b"", []
    while at < end:
        shared, at = varint(contents, at)
        rest, at = varint(contents, at)
        length, at = varint(contents, at)
        key = key[:shared] + contents[at : at + rest]
        entries.append((key, contents[at + rest : at + rest + length]))
        at += rest + length
    return entries


def runs(entries, block_size):
    run, size = [], 0
    for key, value in entries:
        run.append((key, value))
        size += len(key) + len(value)
        if size >= block_size:
            yield run
            run, size = [], 0
    if run:
        yield run


def block(entries, restart_interval):
    out, restarts, last = bytearray(), [], b""
    for n, (key, value) in enumerate(entries):
        shared = 0
        if n % restart_interval == 0:
            restarts.append(len(out))
        else:
            while shared < min(len(key), len(last)) and key[shared] == last[shared]:
                shared += 1
        out += as_varint(shared) + as_varint(len(key) - shared) + as_varint(len(value)) + key[shared:] + value
        last = key
    return bytes(out) + struct.pack(f"<{len(restarts) + 1}I", *restarts, len(restarts))


def append_block(file, contents, snappy=False):
    """Appends a block and its trailer (type, masked checksum). Returns its handle."""
    stored = (snappy_compress(contents) + b"\1") if snappy else (contents + b"\0")
    handle = as_varint(len(file)) + as_varint(len(stored) - 1)
    file += stored + struct.pack("<I", mask(crc32c(stored)))
    return handle


def snappy_compress(data):
    """Returns raw snappy: the length, then literals, and copies of four bytes or more from a greedy search of
    earlier bytes."""
    out, seen, at, literal = bytearray(as_varint(len(data))), {}, 0, 0
    while at + 4 <= len(data):
        found = seen.get(data[at : at + 4])
        seen[data[at : at + 4]] = at
        if found is None or at - found > 0xFFFF:
            at += 1
            continue
        length = 4
        while length < 64 and at + length < len(data) and data[found + length] == data[at + length]:
            length += 1
        out += snappy_literal(data[literal:at]) + snappy_copy(at - found, length)
        at += length
        literal = at
    return bytes(out + snappy_literal(data[literal:]))


def snappy_literal(data):
    if not data:
        return b""
    if len(data) <= 60:
        return bytes([(len(data) - 1) << 2]) + data
    return bytes([61 << 2]) + struct.pack("<H", len(data) - 1) + data


def snappy_copy(offset, length):
    if offset < 2048 and length <= 11:  # one offset byte
        return bytes([(offset >> 8) << 5 | (length - 4) << 2 | 1, offset & 0xFF])
    return bytes([(length - 1) << 2 | 2]) + struct.pack("<H", offset)


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at, value, shift = at + 1, value | (byte & 0x7F) << shift, shift + 7
        if byte < 0x80:
            return value, at


def as_varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC_TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def mask(crc):
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def crc_row(byte):
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    return byte


CRC_TABLE = [crc_row(byte) for byte in range(256)]
