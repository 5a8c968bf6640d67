"""A damaged or hostile data set gives a clear error or good data: no crash, no hang, and no more memory than it is due.

Each file is read in a process of its own kind, for HDF5 is a library in C. A hundred of them are read by default, two
thousand with the slow tests.
"""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moore_engine.data import hdf5
from moore_engine.data.errors import DataError
from moore_engine.data.minari_write import Rows, write_minari
from moore_engine.data.write import write_d4rl
from tests.engine import damaged_sets as damaged
from tests.engine.reading_process import ReadingProcess

# What any file may take beyond twice its size: half is for its groups, the rest is what Python and the checks keep.
CONSTANT = 16 << 20
BASES = ("ours", "plain", "old", "minari")
WAYS = len(damaged.STRUCTURE) + 9
"""Of every 25 seeds of a base, 16 are damaged in structure, each in another way, and 9 in their bytes or metadata."""


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an undamaged set of each base."""
    folder = tmp_path_factory.mktemp("good")
    rows = damaged.arrays()
    write_d4rl(folder / "ours.hdf5", **rows, task="Pendulum-v1", qpos=np.zeros((damaged.ROWS, 2)))
    damaged.write(folder / "plain.hdf5", rows)
    old = {key: values for key, values in rows.items() if key != "next_observations"}
    damaged.write(folder / "old.hdf5", old, chunks=True, compression="gzip")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINARI_DATASETS_PATH", str(folder))
        columns = (rows[key] for key in ("observations", "actions", "next_observations", "rewards"))
        write_minari(
            "bad-v0", Rows(*columns, rows["terminals"], rows["timeouts"]), task="Pendulum-v1", low=[-2.0], high=[2.0]
        )
    return folder


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ReadingProcess, Path]]:
    """A reading process, and the folder where its Minari sets lie."""
    root = tmp_path_factory.mktemp("minari")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINARI_DATASETS_PATH", str(root))
        process = ReadingProcess()
        yield process, root
        process.close()


def copied(good: Path, base: str, root: Path, folder: Path) -> tuple[str, Path]:
    """A fresh copy of a base: its name for the reader, and its file."""
    if base == "minari":
        shutil.rmtree(root / "bad-v0", ignore_errors=True)
        shutil.copytree(good / "bad-v0", root / "bad-v0")
        return "minari:bad-v0", root / "bad-v0" / "data" / "main_data.hdf5"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copy(good / f"{base}.hdf5", folder)
    return str(folder / f"{base}.hdf5"), folder / f"{base}.hdf5"


def damage(seed: int, base: str, file: Path) -> str:
    """Damage a copy in the way of this seed; a word for it."""
    rng, way = np.random.default_rng(seed), seed // len(BASES) % WAYS
    if way >= len(damaged.STRUCTURE):
        if base == "minari" and rng.random() < 0.5:
            metadata = file.with_name("metadata.json")
            metadata.write_bytes(damaged.damage_metadata(metadata.read_bytes(), rng))
            return "metadata"
        file.write_bytes(damaged.damage_bytes(file.read_bytes(), rng))
        return "bytes"
    change = damaged.STRUCTURE[way]
    with h5py.File(file, "a") as opened, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        group = opened[f"episode_{rng.integers(20)}"] if base == "minari" else opened
        keys = [key for key in (damaged.EPISODE_KEYS if base == "minari" else damaged.KEYS) if key in group]
        change(group, keys[rng.integers(len(keys))], rng)
    return change.__name__


def check(seeds: range, good: Path, reader: tuple[ReadingProcess, Path], folder: Path) -> dict[str, int]:
    """Damage and read a set for each seed; how many came out how."""
    process, root = reader
    counts: dict[str, int] = {}
    for seed in seeds:
        base = BASES[seed % len(BASES)]
        name, file = copied(good, base, root, folder / "case")
        where = f"seed {seed}, {base}, {damage(seed, base, file)}"
        size = file.stat().st_size
        told = process.read(name)
        assert told["outcome"] in ("data", "refused"), f"{where}: {told}"
        if told["outcome"] == "data":
            assert told["said"] == "", f"{where}: {told}"
        else:
            assert told["said"].endswith((".", "?")) and "\n" not in told["said"], f"{where}: {told}"
        assert told["memory"] <= 2 * size + CONSTANT, f"{where}: {told['memory'] >> 20} MiB for {size} bytes"
        counts[told["outcome"]] = counts.get(told["outcome"], 0) + 1
    return counts


@pytest.mark.parametrize("start", range(0, 100, 25))
def test_a_hundred_damaged_sets(start: int, good: Path, reader: Any, tmp_path: Path) -> None:
    counts = check(range(start, start + 25), good, reader, tmp_path)
    assert counts["refused"] >= 10


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(2_100, (1 << 31) - 1))
def test_sets_damaged_as_hypothesis_likes(seed: int, good: Path, reader: Any, tmp_path: Path) -> None:
    check(range(seed, seed + 1), good, reader, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("start", range(100, 2100, 250))
def test_two_thousand_damaged_sets(start: int, good: Path, reader: Any, tmp_path: Path) -> None:
    counts = check(range(start, start + 250), good, reader, tmp_path)
    assert counts["refused"] >= 100 and counts["data"] >= 10, "damage that always or never shows proves little"


@pytest.mark.parametrize("shape", [(1 << 40,), (damaged.ROWS, 1 << 40)])
def test_what_a_file_cannot_hold_is_refused_before_it_is_read(
    shape: tuple[int, ...], good: Path, tmp_path: Path
) -> None:
    _, file = copied(good, "plain", tmp_path, tmp_path / "case")
    with h5py.File(file, "a") as opened:
        damaged.replaced(opened, "rewards", shape=shape, dtype="f4", chunks=(256,) * len(shape))
    with (
        h5py.File(file) as opened,
        pytest.raises(DataError, match=r"would take \d[\d,]+ bytes, and a file of [\d,]+ bytes"),
    ):
        hdf5.dataset(str(file), opened, "rewards")


def test_rows_that_were_compressed_well_take_twice_what_they_unpack_to(reader: Any, tmp_path: Path) -> None:
    """Whole arrays as single chunks: what HDF5 unpacks beside the table is as large as it can be."""
    n, rng, file = 400_000, np.random.default_rng(0), tmp_path / "small.hdf5"
    stream = rng.integers(-1, 2, (n + 1, 3)).astype(np.float64)
    timeouts = np.arange(1, n + 1) % 1000 == 0
    rows = {
        "observations": stream[:-1], "next_observations": stream[1:] + timeouts[:, None],
        "actions": rng.integers(-1, 2, (n, 1)).astype(np.float64), "rewards": rng.integers(0, 2, n).astype(np.float64),
        "terminals": np.zeros(n, np.bool_), "timeouts": timeouts,
    }  # fmt: skip
    with h5py.File(file, "w") as made:
        for key, values in rows.items():
            made.create_dataset(key, data=values, chunks=values.shape, compression="gzip", compression_opts=1)
    table = 4 * n * (3 + 1 + 3 + 1 + 1)
    assert 2 * file.stat().st_size + hdf5.STRUCTURE < table + 8 * stream.size, "else nothing is shown"
    told = reader[0].read(str(file))
    assert (told["outcome"], told["said"]) == ("data", "")
    assert told["memory"] <= 2 * table + CONSTANT


def test_hundreds_of_episodes_in_a_small_file_are_read(reader: Any) -> None:
    n, name = 640, "many-v0"
    rng, ends = np.random.default_rng(0), np.arange(1, n + 1) % 2 == 0
    rows = Rows(
        rng.uniform(-1, 1, (n, 3)), rng.uniform(-2, 2, (n, 1)), rng.uniform(-1, 1, (n, 3)), rng.normal(size=n),
        np.zeros(n, np.bool_), ends,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINARI_DATASETS_PATH", str(reader[1]))
        write_minari(name, rows, task="Pendulum-v1", low=[-2.0], high=[2.0])
    told = reader[0].read(f"minari:{name}")
    assert (told["outcome"], told["said"]) == ("data", "")
    assert told["memory"] <= 2 * (reader[1] / name / "data" / "main_data.hdf5").stat().st_size + CONSTANT


def test_metadata_that_unpack_to_more_than_they_may_are_refused(good: Path, reader: Any, tmp_path: Path) -> None:
    name, file = copied(good, "minari", reader[1], tmp_path)
    metadata = file.with_name("metadata.json")
    metadata.write_text('{"a": [' + "{}," * (1 << 20) + "{}]}")
    told = reader[0].read(name)
    assert told["outcome"] == "refused" and "is damaged" in told["said"]
    assert told["memory"] <= 2 * metadata.stat().st_size + CONSTANT


OUTSIDE = {
    "external link": lambda group, key, other: _link(group, key, h5py.ExternalLink(str(other), "/x")),
    "symbolic link": lambda group, key, other: _link(group, key, h5py.SoftLink("/elsewhere")),
    "external storage": lambda group, key, other: damaged.replaced(
        group, key, shape=group[key].shape, dtype="f4", external=[(str(other), 0, 1 << 20)]
    ),
    "virtual": lambda group, key, other: _virtual(group, key, other),
}


def _link(group: h5py.Group, key: str, link: Any) -> None:
    if "elsewhere" not in group.file:
        group.file["elsewhere"] = group[key][()]
    del group[key]
    group[key] = link


def _virtual(group: h5py.Group, key: str, other: Path) -> None:
    layout = h5py.VirtualLayout(shape=group[key].shape, dtype="f4")
    layout[...] = h5py.VirtualSource(str(other), "x", shape=group[key].shape)
    del group[key]
    group.create_virtual_dataset(key, layout)


@pytest.mark.parametrize("base", ["plain", "minari"])
@pytest.mark.parametrize("key", ["observations", "rewards"])
@pytest.mark.parametrize("way", OUTSIDE)
def test_numbers_of_another_file_are_refused(
    way: str, key: str, base: str, good: Path, reader: Any, tmp_path: Path
) -> None:
    name, file = copied(good, base, reader[1], tmp_path / "case")
    with h5py.File(file, "a") as opened:
        group = opened["episode_7"] if base == "minari" else opened
        other = tmp_path / "other.hdf5"
        with h5py.File(other, "w") as there:
            there["x"] = np.zeros(group[key].shape, np.float32)
        OUTSIDE[way](group, key, other)
    told = reader[0].read(name)
    assert told["outcome"] == "refused" and ("another file" in told["said"] or "link" in told["said"]), told


@pytest.mark.parametrize("base", BASES)
def test_undamaged_sets_are_read(base: str, good: Path, reader: Any, tmp_path: Path) -> None:
    name, _ = copied(good, base, reader[1], tmp_path / "case")
    told = reader[0].read(name)
    assert (told["outcome"], told["said"]) == ("data", "")


def test_the_reading_process_tells_a_crash_from_a_hang() -> None:
    process = ReadingProcess(patience_s=0.2)
    assert process.read("/dev/null")["outcome"] == "hung", "it cannot have started by then"
    process = ReadingProcess()
    process.kill()
    assert process.read("/nowhere.hdf5") | {"memory": 0} == {
        "outcome": "crashed", "said": "exit code -9", "memory": 0, "seconds": 0.0
    }  # fmt: skip
    assert process.read("/nowhere.hdf5")["outcome"] == "refused", "another one is started"
    process.close()
