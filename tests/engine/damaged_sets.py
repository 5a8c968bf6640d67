"""Data sets damaged in every way a seed can choose: in their bytes, in what HDF5 lets one say, in their metadata."""

from __future__ import annotations

import functools
import json
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

ROWS = 400
EPISODE = 20
KEYS = ("observations", "actions", "next_observations", "rewards", "terminals", "timeouts")
EPISODE_KEYS = ("observations", "actions", "rewards", "terminations", "truncations")
SIZES = (0, 1, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 40, (1 << 63) - 1, (1 << 64) - 1)
HUGE = 1 << 40
BOMB = 1 << 24

Damage = Callable[[h5py.Group, str, np.random.Generator], None]


def arrays() -> dict[str, np.ndarray]:
    """A good data set of Pendulum's dimensions under D4RL's names."""
    rng = np.random.default_rng(0)
    stream = rng.uniform(-1, 1, (ROWS + 1, 3)).astype(np.float32)
    following, timeouts = stream[1:].copy(), np.zeros(ROWS, np.bool_)
    timeouts[EPISODE - 1 :: EPISODE] = True
    following[timeouts] += np.float32(0.01)
    values = (
        stream[:-1], rng.uniform(-2, 2, (ROWS, 1)).astype(np.float32), following,
        rng.normal(size=ROWS).astype(np.float32), np.zeros(ROWS, np.bool_), timeouts,
    )  # fmt: skip
    return dict(zip(KEYS, values, strict=True))


def write(path: Path, values: dict[str, np.ndarray], **options: Any) -> None:
    with h5py.File(path, "w") as file:
        file.attrs.update({"task": "Pendulum-v1", "made_by": "a test", "ref_min": -1.0, "ref_max": 1.0})
        for key, each in values.items():
            file.create_dataset(key, data=each, **options)


def damage_bytes(content: bytes, rng: np.random.Generator) -> bytes:
    """`content` cut, flipped, blanked, moved about, or with absurd sizes in it, more often near its beginning."""
    data = bytearray(content)
    reach = len(data) if rng.random() < 0.5 else min(len(data), 6000)
    ways = ("flip", "value", "size", "blank", "ones", "move", "cut", "grow")
    for _ in range(rng.choice([1, 1, 2, 8, 60])):
        at, length = int(rng.integers(reach)), int(rng.choice([1, 8, 64, 512]))
        match rng.choice(ways, p=(0.3, 0.2, 0.25, 0.05, 0.05, 0.1, 0.025, 0.025)):
            case "flip":
                data[at] ^= 1 << int(rng.integers(8))
            case "value":
                data[at] = int(rng.integers(256))
            case "size":
                width = int(rng.choice([2, 4, 8]))
                data[at : at + width] = SIZES[rng.integers(len(SIZES))].to_bytes(8, "little")[:width]
            case "blank":
                data[at : at + length] = bytes(length)
            case "ones":
                data[at : at + length] = b"\xff" * length
            case "move":
                source = int(rng.integers(len(data)))
                data[at : at + length] = data[source : source + length]
            case "cut":
                del data[int(rng.integers(8, 1 + max(8, len(data)))) :]
            case "grow":
                data += rng.bytes(length)
        reach = max(1, min(reach, len(data)))
    return bytes(data)


def replaced(group: h5py.Group, key: str, **options: Any) -> h5py.Dataset:
    del group[key]
    return group.create_dataset(key, **options)


def missing(group: h5py.Group, key: str, rng: np.random.Generator) -> None:
    del group[key]


def nested(group: h5py.Group, key: str, rng: np.random.Generator) -> None:
    del group[key]
    group.create_group(f"{key}/inside/{key}")


def text(group: h5py.Group, key: str, rng: np.random.Generator) -> None:
    kind = [np.dtype("S7"), h5py.string_dtype(), h5py.vlen_dtype(np.float32)][rng.integers(3)]
    dataset = replaced(group, key, shape=group[key].shape, dtype=kind)
    if dataset.size and kind != h5py.vlen_dtype(np.float32):
        dataset[(0,) * dataset.ndim] = b"\x1b[31mred"


def kinds(group: h5py.Group, key: str, rng: np.random.Generator) -> None:
    values, ways = group[key][()], ("<i1", ">f8", "<f2", "<u8", "<c8", ">i4", "V5", "reference", "compound", "enum")
    way = ways[rng.integers(len(ways))]
    if way == "reference":
        replaced(group, key, shape=values.shape, dtype=h5py.ref_dtype)
    elif way == "compound":
        replaced(group, key, shape=values.shape, dtype=[("a", "<f4"), ("b", "<i8")])
    elif way == "enum":
        replaced(group, key, shape=values.shape, dtype=h5py.enum_dtype({"no": 0, "yes": 7}, "i8"))
    elif way == "V5":
        replaced(group, key, data=np.zeros(values.shape, "V5"))
    else:
        with np.errstate(all="ignore"):
            replaced(group, key, data=values.astype(way))


def lengths(group: h5py.Group, key: str, rng: np.random.Generator) -> None:
    values = group[key][()]
    replaced(group, key, data=[values[:-1], np.concatenate([values, values]), values[:0], values[:1]][rng.integers(4)])


def shapes(group: h5py.Group, key: str, rng: np.random.Generator) -> None:
    values = group[key][()]
    ways = (values.reshape(-1), values[..., None], values[None], np.float32(3), h5py.Empty("f4"), values.T)
    replaced(group, key, data=ways[rng.integers(len(ways))])


def huge(group: h5py.Group, key: str, rng: np.random.Generator) -> None:
    """Rows or columns that are declared and not stored."""
    tail = group[key].shape[1:]
    shape = (HUGE, *tail) if rng.random() < 0.5 or not tail else (group[key].shape[0], HUGE)
    chunks = None if rng.random() < 0.3 else tuple(min(each, 1024) for each in shape)
    replaced(group, key, shape=shape, dtype="f4", chunks=chunks)


def all_huge(group: h5py.Group, key: str, rng: np.random.Generator) -> None:
    """Every array as long as the others, and longer than any memory."""
    rows = int(rng.choice([1 << 24, 1 << 31, HUGE]))
    for each in list(group):
        if isinstance(group[each], h5py.Dataset):
            tail = group[each].shape[1:]
            replaced(group, each, shape=(rows, *tail), dtype="f4", chunks=(1 << 16, *tail), compression="gzip")


@functools.cache
def squeezed(size: int) -> bytes:
    """That many zeros, a multiple of 1 MiB, deflated a thousandfold: one block over and over, and Adler's checksum."""
    packer = zlib.compressobj(9)
    first = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = (size % 65521) << 16 | 1
    return first + again * ((size >> 20) - 1) + packer.flush()[:-4] + checksum.to_bytes(4, "big")


def bomb(group: h5py.Group, key: str, rng: np.random.Generator) -> None:
    """Arrays of one length whose few stored bytes unpack into gigabytes of zeros."""
    chunks = 1 + int(rng.integers(64))
    for each in list(group):
        tail = group[each].shape[1:] if isinstance(group[each], h5py.Dataset) else ()
        rows = BOMB // 4
        if not isinstance(group[each], h5py.Dataset):
            continue
        dataset = replaced(
            group, each, shape=(rows * chunks, *tail), dtype="f4", chunks=(rows, *(1 for _ in tail)), compression="gzip"
        )
        for chunk in range(chunks):
            for column in range(tail[0] if tail else 1):
                dataset.id.write_direct_chunk((rows * chunk, *((column,) if tail else ())), squeezed(BOMB))


def bloated(group: h5py.Group, key: str, rng: np.random.Generator) -> None:
    """A chunk that unpacks into far more than its place in the array."""
    values = group[key][()]
    dataset = replaced(group, key, data=values, chunks=values.shape, compression="gzip")
    dataset.id.write_direct_chunk((0,) * values.ndim, squeezed(1 << 28))


def wide_chunks(group: h5py.Group, key: str, rng: np.random.Generator) -> None:
    """A small array in one enormous chunk."""
    values = group[key][()]
    tail = values.shape[1:]
    dataset = replaced(
        group, key, shape=values.shape, dtype=values.dtype, maxshape=(None, *tail), chunks=(1 << 27, *tail),
        compression="gzip",
    )  # fmt: skip
    dataset.id.write_direct_chunk((0,) * values.ndim, squeezed(1 << 28))


def wrong_values(group: h5py.Group, key: str, rng: np.random.Generator) -> None:
    values = np.asarray(group[key][()], np.float64)
    if values.size:
        values.reshape(-1)[rng.integers(values.size)] = rng.choice([np.nan, np.inf, -np.inf, 1e300, -5.0, 0.5])
    replaced(group, key, data=values)


def links(group: h5py.Group, key: str, rng: np.random.Generator) -> None:
    """A link to itself, to nothing, in a circle, or out of the file, to what would hang or never end."""
    del group[key]
    fifo = Path(group.file.filename).with_suffix(".fifo")
    if not fifo.exists():
        os.mkfifo(fifo)
    ways = (
        h5py.SoftLink(f"{group.name}/{key}"), h5py.SoftLink("/nowhere"), h5py.SoftLink("/"),
        h5py.ExternalLink(str(fifo), "/x"), h5py.ExternalLink("/dev/zero", "/x"), h5py.ExternalLink("/etc/passwd", "/"),
    )  # fmt: skip
    group[key] = ways[rng.integers(len(ways))]


def elsewhere(group: h5py.Group, key: str, rng: np.random.Generator) -> None:
    """Numbers that lie in another file: a stored range of it, or a view of its arrays."""
    shape = group[key].shape
    if rng.random() < 0.5:
        size = 4 * int(np.prod(shape))
        replaced(group, key, shape=shape, dtype="f4", external=[("/dev/zero", 0, size)])
        return
    del group[key]
    layout = h5py.VirtualLayout(shape=shape, dtype="f4")
    layout[...] = h5py.VirtualSource("/dev/zero", "x", shape=shape)
    group.create_virtual_dataset(key, layout)


def filters(group: h5py.Group, key: str, rng: np.random.Generator) -> None:
    values, ways = (
        np.asarray(group[key][()], np.float32),
        ({"compression": "lzf"}, {"scaleoffset": 1}, {"fletcher32": True}),
    )
    if values.ndim:
        replaced(group, key, data=values, chunks=True, **ways[rng.integers(len(ways))])


def attributes(group: h5py.Group, key: str, rng: np.random.Generator) -> None:
    values = (
        b"\xff\xfe",
        np.nan,
        np.zeros(5000),
        h5py.Empty("f4"),
        "x" * 60000,
        "{",
        '{"id": 3}',
        "\x1b]0;x\x07",
        np.inf,
    )
    group.file.attrs[["task", "env_spec", "ref_min", "ref_max", "made_by", "env_id"][rng.integers(6)]] = values[
        rng.integers(len(values))
    ]


STRUCTURE: tuple[Damage, ...] = (
    missing, nested, text, kinds, lengths, shapes, huge, all_huge, bomb, bloated, wide_chunks, wrong_values, links,
    elsewhere, filters, attributes,
)  # fmt: skip


def damage_metadata(content: bytes, rng: np.random.Generator) -> bytes:
    """A Minari set's metadata with an entry gone or absurd, or no longer JSON."""
    if rng.random() < 0.3:
        return damage_bytes(content, rng)
    metadata = json.loads(content)
    key = list(metadata)[rng.integers(len(metadata))]
    absurd: tuple[Any, ...] = (
        None,
        -1,
        HUGE,
        1e308,
        "",
        "x" * 100_000,
        [],
        {},
        True,
        "\x1b[2J",
        [[]] * 50,
        "null",
        "[[[[",
    )
    if rng.random() < 0.2:
        del metadata[key]
    else:
        metadata[key] = absurd[rng.integers(len(absurd))]
    if rng.random() < 0.1:
        return b"[" * 100_000
    return json.dumps(metadata).encode()
