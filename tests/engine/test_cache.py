"""The cache of tables: equal bits with and without it, damage and change noticed, its bound, folders it cannot use."""

from __future__ import annotations

import json
import os
import time
import zlib
from dataclasses import fields
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from moore_engine.data import cache, catalogue, d4rl, source
from moore_engine.data.transitions import DataError, Transitions
from tests.engine.minari_sets import ID, SIZES, episodes, make, metadata, rows


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tables' folder; no source is too small for it, and none too new."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "sets"))
    monkeypatch.setattr(cache, "SMALLEST_SOURCE", 0)
    monkeypatch.setattr(cache, "SETTLED_NS", 0)
    return tmp_path / "cache/moore-console/tables"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path / "made.hdf5")


def write(path: Path, seed: int = 0, lengths: tuple[int, ...] = (150, 100, 250)) -> Path:
    """A D4RL file."""
    made = rows(lengths, seed)
    with h5py.File(path, "w") as opened:
        for key in ("observations", "actions", "next_observations", "rewards", "terminals", "timeouts"):
            opened[key] = getattr(made, key)
    return path


def ends(obs: Any, action: Any, next_obs: Any) -> Any:
    return torch.zeros(len(obs), dtype=torch.bool)


def load(path: Path | str, **changes: Any) -> Transitions:
    return source.load(str(path), **{**SIZES, "checks": False, **changes})


def opened_files(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the HDF5 files opened from here on."""
    seen: list[str] = []
    own = h5py.File.__init__

    def init(self: h5py.File, name: Any, *args: Any, **options: Any) -> None:
        seen.append(str(name))
        own(self, name, *args, **options)

    monkeypatch.setattr(h5py.File, "__init__", init)
    return seen


def assert_equal(one: Transitions, other: Transitions) -> None:
    for each in fields(one):
        a, b = getattr(one, each.name), getattr(other, each.name)
        if isinstance(a, np.ndarray):
            assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes()), each.name
        else:
            assert a == b and type(a) is type(b), each.name


@pytest.mark.parametrize("checks", [False, True])
def test_every_fact_and_bit_is_the_same_with_and_without_it(file, monkeypatch, checks):
    without = load(file, cached=False, checks=checks)
    first = load(file, checks=checks)
    seen = opened_files(monkeypatch)
    second = load(file, checks=checks)
    assert seen == [], "the second time nothing but the table is read"
    assert_equal(without, first)
    assert_equal(without, second)
    assert second.table.flags.writeable and second.table.flags.c_contiguous


def test_a_minari_set_is_read_once(monkeypatch, folder):
    pytest.importorskip("minari")
    make(episodes())
    without = load(f"minari:{ID}", cached=False)
    load(f"minari:{ID}")
    seen = opened_files(monkeypatch)
    assert_equal(without, load(f"minari:{ID}"))
    assert seen == []
    metadata(catalogue.minari_dir() / ID / "data", ref_min_score=-1.0, ref_max_score=1.0)
    assert load(f"minari:{ID}").reference == (-1.0, 1.0), "metadata decide facts too"


def test_a_start_uses_what_the_launch_has_checked_and_a_launch_checks_once(file, monkeypatch):
    checked = load(file, checks=True)
    seen = opened_files(monkeypatch)
    assert load(file).warnings == []
    assert load(file, checks=True).warnings == checked.warnings != []
    assert seen == []


def test_a_launch_checks_what_only_a_start_has_read(file, monkeypatch):
    load(file)
    seen = opened_files(monkeypatch)
    load(file, checks=True)
    assert seen != []


def test_checks_for_another_task_are_made_again(file, monkeypatch):
    load(file, checks=True)
    seen = opened_files(monkeypatch)
    load(file, checks=True, task="Other-v0")
    assert seen != []


def test_a_users_own_termination_function_is_asked_each_time(file, monkeypatch):
    load(file, checks=True, termination=ends)
    seen = opened_files(monkeypatch)
    load(file, checks=True, termination=ends)
    assert seen != []


def test_what_is_refused_is_refused_again(file):
    with h5py.File(file, "a") as opened:
        opened["rewards"][7] = np.nan
    for _ in range(2):
        with pytest.raises(DataError, match="NaN first in row 7"):
            load(file)


def test_other_action_bounds_are_another_table(file):
    one, other = load(file), load(file, low=[-4.0], high=[4.0])
    np.testing.assert_array_equal(other.table[:, 3], one.table[:, 3] / 2)
    assert_equal(one, load(file))


@pytest.mark.parametrize("suffix", [".f32", ".json"])
@pytest.mark.parametrize("harm", ["flip", "cut", "empty", "grow", "gone"])
def test_damage_is_noticed_and_made_good(file, folder, monkeypatch, suffix, harm):
    without = load(file, cached=False)
    load(file)
    (path,) = folder.glob(f"*{suffix}")
    content = bytearray(path.read_bytes())
    if harm == "flip":
        content[len(content) // 2] ^= 4
    changed = {"cut": content[: len(content) // 2], "empty": b"", "grow": content + b"\0\0\0\0"}.get(harm, content)
    path.unlink()
    if harm != "gone":
        path.write_bytes(changed)
    seen = opened_files(monkeypatch)
    assert_equal(without, load(file))
    assert seen != []
    seen.clear()
    assert_equal(without, load(file))
    assert seen == [], "it was made again"


def test_a_changed_file_of_equal_size_and_time_is_read_anew(file):
    before = load(file)
    at = file.stat()
    other = write(file.with_name("other.hdf5"), seed=1)
    content = other.read_bytes()
    assert len(content) == at.st_size
    with file.open("r+b") as opened:
        opened.write(content)
    os.utime(file, ns=(at.st_atime_ns, at.st_mtime_ns))
    after = load(file)
    assert after.sha256 != before.sha256 and after.table_sha256 != before.table_sha256


def test_a_file_written_a_moment_ago_is_not_trusted_by_its_times(file, folder, monkeypatch):
    monkeypatch.setattr(cache, "SETTLED_NS", 1 << 60)
    load(file)
    assert not (folder / "sources").exists()
    monkeypatch.setattr(cache, "SETTLED_NS", 0)
    load(file, low=[-4.0], high=[4.0])
    assert len(list((folder / "sources").iterdir())) == 1


def test_a_file_that_changes_while_it_is_read_is_not_kept(file, folder):
    other = write(file.with_name("other.hdf5"), seed=1)

    def swap(sha256: str | None) -> Transitions:
        if other.exists():
            other.replace(file)
        return d4rl.load(file, sha256=sha256, checks=False, **SIZES)

    data = cache.load(str(file), file, [], cache.Wanted(**SIZES, checks=False), swap)
    assert data.sha256 == load(file, cached=False).sha256
    assert not list(folder.glob("*.f32"))


def test_small_sources_are_not_kept(file, folder, monkeypatch):
    monkeypatch.setattr(cache, "SMALLEST_SOURCE", file.stat().st_size + 1)
    load(file)
    assert not folder.exists()


def test_tables_used_longest_ago_go_first(tmp_path, folder, monkeypatch):
    paths = [write(tmp_path / f"{each}.hdf5", seed=each) for each in range(3)]
    size = load(paths[0]).table.nbytes
    load(paths[1])
    old = time.time() - 100
    for table in folder.glob("*.f32"):
        os.utime(table, (old, old))
    load(paths[0])
    monkeypatch.setattr(cache, "LIMIT_BYTES", int(2.5 * size))
    load(paths[2])
    kept = [json.loads(each.read_text().partition("\n")[2])["facts"]["path"] for each in folder.glob("*.json")]
    assert sorted(Path(each).name for each in kept) == ["0.hdf5", "2.hdf5"]
    assert [each.stat().st_size for each in folder.glob("*.f32")] == [size, size]


def test_a_table_beyond_the_bound_and_a_full_disk_are_done_without(file, folder, monkeypatch):
    monkeypatch.setattr(cache, "LIMIT_BYTES", 100)
    assert load(file).n == 500 and not list(folder.glob("*.f32"))
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder.parent.parent))
    monkeypatch.setattr(cache, "SMALLEST_SOURCE", 0)
    monkeypatch.setattr(cache, "SPARE_BYTES", 1 << 60)
    assert load(file).warnings == [] and not list(folder.glob("*.f32"))


def test_a_cache_that_cannot_be_written_costs_one_warning(file, tmp_path, monkeypatch):
    (tmp_path / "blocked").write_text("a file where the folder should be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "blocked"))
    said = load(file).warnings
    assert len(said) == 1 and "cannot be written" in said[0] and "read anew at each start" in said[0]
    again = load(file)
    again.warnings.clear()
    assert_equal(load(file, cached=False), again)


def test_somebody_without_a_home_goes_without(file, monkeypatch):
    def no_home(self: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "expanduser", no_home)
    assert load(file).warnings == []


def test_what_killed_writers_left_goes(file, folder):
    load(file)
    left = folder / ".part-abc.f32-1"
    left.write_bytes(b"x")
    old = time.time() - 7200
    os.utime(left, (old, old))
    load(file, low=[-4.0], high=[4.0])
    assert not left.exists()


def test_a_table_is_read_in_a_tenth_of_a_second_for_400_000_rows(tmp_path, folder):
    table = np.random.default_rng(0).normal(size=(400_000, 27)).astype(np.float32)
    folder.mkdir(parents=True)
    path = folder / "big.f32"
    table.tofile(path)
    crc32 = zlib.crc32(table.data.cast("B"))

    def seconds() -> float:
        began = time.process_time()
        cache._read_table(path, *table.shape, crc32)
        return time.process_time() - began

    assert min(seconds() for _ in range(5)) < 0.1
