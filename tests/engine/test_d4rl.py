"""D4RL files: reading, episodes, identity, writing, and the sentences said about files that are none."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import tracemalloc
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from moore_engine.data import genuine
from moore_engine.data.d4rl import info, load, write_d4rl
from moore_engine.data.transitions import DataError, Transitions

TASK: dict[str, Any] = {"task": "Pendulum-v1", "obs_dim": 3, "action_dim": 1, "low": [-2.0], "high": [2.0]}
EPISODE = 100
N = 1000


def ends_at_half(obs: torch.Tensor, action: torch.Tensor, next_obs: torch.Tensor) -> torch.Tensor:
    return next_obs[:, 0] > 0.5


def rows(n: int = N, seed: int = 0, terminal_episodes: tuple[int, ...] = (2, 5)) -> dict[str, np.ndarray]:
    """Episodes of 100 rows that time out, but for those that end: they are where `ends_at_half` says so, and nowhere
    else."""
    rng = np.random.default_rng(seed)
    stream = rng.uniform(-0.4, 0.4, (n + 1, 3)).astype(np.float32)
    next_obs = stream[1:].copy()
    last = np.arange(EPISODE - 1, n, EPISODE)
    next_obs[last] += np.float32(0.01)
    terminals, timeouts = np.zeros(n, bool), np.zeros(n, bool)
    timeouts[last] = True
    for episode in terminal_episodes:
        timeouts[last[episode]], terminals[last[episode]] = False, True
        next_obs[last[episode], 0] = 0.75
    return {
        "observations": stream[:-1],
        "actions": rng.uniform(-2, 2, (n, 1)).astype(np.float32),
        "next_observations": next_obs,
        "rewards": rng.normal(size=n).astype(np.float32),
        "terminals": terminals,
        "timeouts": timeouts,
    }


def save(path: Path, arrays: dict[str, np.ndarray], **options: Any) -> Path:
    with h5py.File(path, "w") as file:
        for key, values in arrays.items():
            file.create_dataset(key, data=values, **(options if values.shape else {}))
    return path


def read(path: Path, **changes: Any) -> Transitions:
    return load(path, **{**TASK, "termination": ends_at_half, **changes})


def test_every_column_of_the_table_is_the_files(tmp_path):
    arrays = rows()
    data = read(save(tmp_path / "a.hdf5", arrays, compression="gzip"))
    layout = data.layout
    assert data.table.dtype == np.float32 and data.table.flags.c_contiguous
    assert data.table.shape == (data.n, layout.width) == (N, 9)
    np.testing.assert_array_equal(data.table[:, layout.obs], arrays["observations"])
    np.testing.assert_allclose(data.table[:, layout.action], arrays["actions"] / 2, rtol=1e-7)
    np.testing.assert_array_equal(data.table[:, layout.next_obs], arrays["next_observations"])
    np.testing.assert_array_equal(data.table[:, layout.reward].ravel(), arrays["rewards"])
    np.testing.assert_array_equal(data.table[:, layout.terminal].ravel(), arrays["terminals"])
    assert data.warnings == [] and data.format == "d4rl-v2" and data.rows_dropped == 0


def test_time_outs_are_never_terminal_and_episodes_are_counted(tmp_path):
    arrays = rows()
    data = read(save(tmp_path / "a.hdf5", arrays))
    assert (data.terminals, data.timeouts, data.episodes) == (2, 8, 10)
    assert data.table[:, data.layout.terminal].sum() == 2
    expected = arrays["rewards"].reshape(10, EPISODE).astype(np.float64).sum(1)
    np.testing.assert_allclose(data.returns, expected, rtol=1e-12)
    assert data.mean_return == pytest.approx(expected.mean())
    assert data.lengths.tolist() == [EPISODE] * 10


def test_a_last_trajectory_without_a_flag_is_kept_but_not_counted_as_an_episode(tmp_path):
    data = read(save(tmp_path / "a.hdf5", rows(N + 30)))
    assert (data.n, data.episodes, int(data.lengths.sum())) == (N + 30, 10, N)
    whole = rows(400, terminal_episodes=())
    whole["timeouts"][:] = False
    whole["next_observations"][:-1] = whole["observations"][1:]
    only = read(save(tmp_path / "b.hdf5", whole))
    assert only.lengths.tolist() == [400], "one cut episode is all there is"


def test_float64_files_and_column_rewards_and_number_flags_read_alike(tmp_path):
    arrays = rows()
    plain = read(save(tmp_path / "a.hdf5", arrays))
    other = {key: values.astype(np.float64) for key, values in arrays.items()}
    for key in ("rewards", "terminals", "timeouts"):
        other[key] = other[key][:, None]
    data = read(save(tmp_path / "b.hdf5", other, compression="gzip", chunks=True))
    assert data.table_sha256 == plain.table_sha256
    assert data.sha256 != plain.sha256


def test_the_hashes_are_those_of_the_file_and_of_the_table(tmp_path):
    path = save(tmp_path / "a.hdf5", rows())
    data = read(path)
    assert data.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert data.table_sha256 == hashlib.sha256(data.table.tobytes()).hexdigest()


def test_bounds_of_plus_minus_one_leave_actions_bit_equal(tmp_path):
    arrays = rows()
    arrays["actions"] = (arrays["actions"] / 2).astype(np.float32)
    data = read(save(tmp_path / "a.hdf5", arrays), low=[-1.0], high=[1.0])
    np.testing.assert_array_equal(data.table[:, data.layout.action], arrays["actions"])


def test_a_v0_file_loses_the_last_row_of_every_episode_and_says_so(tmp_path):
    arrays = rows()
    del arrays["next_observations"]
    data = read(save(tmp_path / "hopper-v0.hdf5", arrays))
    kept = ~(arrays["terminals"] | arrays["timeouts"])
    assert (data.format, data.rows_dropped, data.n, data.terminals) == ("d4rl-v0", 10, N - 10, 2)
    np.testing.assert_array_equal(data.table[:, data.layout.obs], arrays["observations"][kept])
    following = np.roll(arrays["observations"], -1, axis=0)[kept]
    np.testing.assert_array_equal(data.table[:, data.layout.next_obs], following)
    assert not data.table[:, data.layout.terminal].any()
    assert data.episodes == 10, "returns are those of whole episodes, dropped rows included"
    np.testing.assert_allclose(data.returns, arrays["rewards"].reshape(10, EPISODE).sum(1), rtol=1e-5)
    assert any("no next_observations" in text and "prefer the v2 file" in text for text in data.warnings)


def test_a_v0_file_that_marks_no_time_outs_is_cut_after_1000_rows(tmp_path):
    arrays = rows(2500, terminal_episodes=(4,))
    del arrays["next_observations"], arrays["timeouts"]
    data = read(save(tmp_path / "a.hdf5", arrays))
    ends = [499, 1499, 2499]
    assert data.rows_dropped == 3
    assert data.lengths.tolist() == [500, 1000, 1000]
    np.testing.assert_array_equal(data.table[:, data.layout.obs], np.delete(arrays["observations"], ends, axis=0))
    assert any("marks no time-outs" in text for text in data.warnings)


def test_a_v0_files_very_last_row_is_dropped_even_where_no_flag_marks_it(tmp_path):
    arrays = rows(N + 30)
    del arrays["next_observations"]
    data = read(save(tmp_path / "a.hdf5", arrays))
    assert data.rows_dropped == 11
    np.testing.assert_array_equal(data.table[-1, data.layout.obs], arrays["observations"][-2])


def test_shifted_next_observations_cost_the_last_rows_of_episodes(tmp_path):
    arrays = rows()
    arrays["next_observations"] = np.roll(arrays["observations"], -1, axis=0)
    data = read(save(tmp_path / "a.hdf5", arrays))
    assert (data.rows_dropped, data.n) == (10, N - 10)
    assert any("next episode's first observations" in text for text in data.warnings)


def test_a_v1_file_warns(tmp_path):
    data = read(save(tmp_path / "hopper_medium-v1.hdf5", rows()))
    assert data.format == "d4rl-v1"
    assert ["v1 file" in text for text in data.warnings] == [True]


def test_both_flags_on_a_row_count_as_terminal_with_a_warning(tmp_path):
    arrays = rows()
    arrays["timeouts"] |= arrays["terminals"]
    data = read(save(tmp_path / "a.hdf5", arrays))
    assert (data.terminals, data.timeouts) == (2, 8)
    assert ["2 rows as terminal and timed out" in text for text in data.warnings] == [True]


def test_unmarked_joins_end_an_episode_with_a_warning(tmp_path):
    arrays = rows()
    arrays["timeouts"][[99, 199]] = False
    data = read(save(tmp_path / "a.hdf5", arrays))
    assert data.episodes == 10 and data.n == N
    assert ["2 rows neither end nor time out" in text and "row 99" in text for text in data.warnings] == [True]


@pytest.mark.parametrize(
    "content, said",
    [
        (b"", "empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"\n<!DOCTYPE html><html>", "web page"),
        (gzip.compress(b"x" * 100, mtime=0), "gunzip"),
        (b"PK\x03\x04" + b"0" * 60, "npz"),
        (b"\x80\x04\x95" + b"0" * 60, "pickle"),
        (b"a,b,c\n" * 50, "something else"),
    ],
)
def test_a_file_that_is_no_hdf5_is_named_for_what_it_is(tmp_path, content, said):
    path = tmp_path / "a.hdf5"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"is not an HDF5 file but .*{said}"):
        read(path)


def test_a_missing_file_names_the_nearest_one(tmp_path):
    save(tmp_path / "hopper_medium.hdf5", rows())
    with pytest.raises(DataError, match=r"there is no file .*hoper_medium.hdf5 \(nearest: .*hopper_medium.hdf5\)"):
        read(tmp_path / "hoper_medium.hdf5")
    with pytest.raises(DataError, match="nor a directory"):
        read(tmp_path / "nowhere" / "a.hdf5")


def test_a_directory_is_refused(tmp_path):
    with pytest.raises(DataError, match="is a directory"):
        read(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_without_permission_is_refused(tmp_path):
    path = save(tmp_path / "a.hdf5", rows())
    path.chmod(0)
    with pytest.raises(DataError, match="check the path and its permissions"):
        read(path)


@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
def test_a_truncated_file_is_named_as_such(tmp_path, share):
    path = save(tmp_path / "a.hdf5", rows())
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    for reader in (read, info):
        with pytest.raises(DataError, match=r"is truncated .*copy it again"):
            reader(path)


def test_a_damaged_chunk_is_found_while_reading(tmp_path):
    path = tmp_path / "a.hdf5"
    write_d4rl(path, **rows())
    with h5py.File(path) as file:
        offset = file["observations"].id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[offset + 500] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="is damaged"):
        read(path)


@pytest.mark.parametrize("seed", range(100))
def test_a_mutated_file_gives_an_error_sentence_or_valid_data(tmp_path, seed):
    rng = np.random.default_rng(seed)
    path = tmp_path / "a.hdf5"
    if seed % 2:
        write_d4rl(path, **rows(400, terminal_episodes=()), task="Pendulum-v1")
    else:
        save(path, rows(400, terminal_episodes=()))
    content = bytearray(path.read_bytes())
    reach = [2500, len(content)][seed // 2 % 2]
    for _ in range([1, 4, 40][seed % 3]):
        content[rng.integers(8, reach)] = rng.integers(256)
    if seed % 10 == 0:
        content = content[: rng.integers(8, len(content))]
    path.write_bytes(content)
    data = None
    with contextlib.suppress(DataError):
        info(path)
        data = load(path, **TASK)
    if data is not None:
        assert np.isfinite(data.table).all()
        assert np.abs(data.table[:, data.layout.action]).max() <= 1


@pytest.mark.parametrize("key", ["observations", "actions", "rewards", "terminals"])
def test_a_missing_key_is_named(tmp_path, key):
    arrays = rows()
    del arrays[key]
    for reader in (read, info):
        with pytest.raises(DataError, match=f"has no {key} "):
            reader(save(tmp_path / "a.hdf5", arrays))


def test_a_minari_file_is_recognised(tmp_path):
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file.create_group("episode_0")
    with pytest.raises(DataError, match="name it by its id, minari:"):
        read(tmp_path / "a.hdf5")


@pytest.mark.parametrize("key", ["observations", "actions", "next_observations", "rewards", "terminals", "timeouts"])
def test_unequal_lengths_name_the_key(tmp_path, key):
    arrays = rows()
    arrays[key] = arrays[key][:-1]
    with pytest.raises(DataError, match=r"\d+ rows and observations \d+"):
        read(save(tmp_path / "a.hdf5", arrays))


@pytest.mark.parametrize(
    "key, values, said",
    [
        ("observations", np.zeros(N), r"observations has shape \(1000,\) and not \(rows, dimensions\)"),
        ("rewards", np.zeros((N, 2)), r"rewards has shape \(1000, 2\)"),
        ("terminals", np.zeros((N, 3), bool), r"terminals has shape"),
        ("actions", np.full((N, 1), b"x"), "actions holds .* and not numbers"),
        ("next_observations", np.zeros((N, 4), np.float32), "next_observations have 4 dimensions and observations 3"),
    ],
)
def test_wrong_shapes_and_types_are_named(tmp_path, key, values, said):
    with pytest.raises(DataError, match=said):
        read(save(tmp_path / "a.hdf5", {**rows(), key: values}))


def test_a_group_in_the_place_of_an_array_is_refused(tmp_path):
    arrays = rows()
    del arrays["rewards"]
    path = save(tmp_path / "a.hdf5", arrays)
    with h5py.File(path, "a") as file:
        file.create_group("rewards")
    with pytest.raises(DataError, match="rewards is a group"):
        read(path)


@pytest.mark.parametrize(
    "name, value",
    [("task", "Pendulum-v0"), ("env_id", "Pendulum-v0"), ("env_spec", json.dumps({"id": "Pendulum-v0"}))],
)
def test_a_file_that_names_another_task_is_refused(tmp_path, name, value):
    path = save(tmp_path / "a.hdf5", rows())
    with h5py.File(path, "a") as file:
        file.attrs[name] = value
    with pytest.raises(
        DataError, match=r"was made with Pendulum-v0 but the run asks for Pendulum-v1: set data.task to"
    ):
        read(path)
    assert read(path, checks=False).task == "Pendulum-v0"


def test_the_metadata_of_a_file_name_its_task_and_maker(tmp_path):
    path = save(tmp_path / "a.hdf5", rows())
    with h5py.File(path, "a") as file:
        file["metadata/env_id"] = "Pendulum-v1"
        file["metadata/algorithm"] = "SAC"
    data = read(path)
    assert (data.task, data.made_by) == ("Pendulum-v1", "SAC")


def test_a_file_may_bring_the_returns_of_score_0_and_100(tmp_path):
    write_d4rl(tmp_path / "a.hdf5", **rows(), attrs={"ref_min": -10.0, "ref_max": 90})
    assert read(tmp_path / "a.hdf5").reference == (-10.0, 90.0)
    write_d4rl(tmp_path / "b.hdf5", **rows())
    assert read(tmp_path / "b.hdf5").reference is None


@pytest.mark.parametrize("low, high", [(5.0, 5.0), (float("nan"), 1.0), ("some", 1.0)])
def test_reference_returns_that_span_nothing_are_refused(tmp_path, low, high):
    write_d4rl(tmp_path / "a.hdf5", **rows(), attrs={"ref_min": low, "ref_max": high})
    with pytest.raises(DataError, match="ref_min and ref_max must be finite numbers"):
        read(tmp_path / "a.hdf5")


def test_info_tells_a_file_without_reading_its_rows(tmp_path):
    path = save(tmp_path / "a.hdf5", rows())
    with h5py.File(path, "a") as file:
        file.attrs["task"] = "Pendulum-v1"
    facts = info(path)
    assert (facts.rows, facts.obs_dim, facts.action_dim, facts.format) == (N, 3, 1, "d4rl-v2")
    assert (facts.task, facts.same_size_as, facts.bytes) == ("Pendulum-v1", None, path.stat().st_size)
    assert facts.keys == tuple(sorted(rows()))


def test_the_checksum_table_holds_the_15_official_files():
    known = genuine.official()
    assert len(known) == 15
    assert {name.split("_")[0] for name in known} == {"halfcheetah", "hopper", "walker2d"}
    assert all(len(facts["sha256"]) == 64 and facts["total_rows"] > 0 for facts in known.values())


def make_official(monkeypatch: pytest.MonkeyPatch, path: Path, name: str, sha256: str | None = None) -> None:
    sha256 = sha256 or hashlib.sha256(path.read_bytes()).hexdigest()
    facts = {name: {"bytes": path.stat().st_size, "sha256": sha256}}
    monkeypatch.setattr(genuine, "official", lambda: facts)


def test_an_official_file_is_recognised_by_its_checksum(tmp_path, monkeypatch):
    path = save(tmp_path / "mine.hdf5", rows())
    make_official(monkeypatch, path, "hopper_medium-v2")
    assert info(path).same_size_as == "hopper_medium-v2"
    data = read(path, task="Hopper-v4")
    assert (data.genuine, data.made_by, data.warnings) == ("hopper_medium-v2", "D4RL hopper_medium-v2", [])
    assert ["scores are defined on Hopper-v4" in text for text in read(path, task="Hopper-v5").warnings] == [True]
    with pytest.raises(DataError, match=r"HalfCheetah-v4 is another task: set data\.task to Hopper-v4"):
        read(path, task="HalfCheetah-v4")


def test_official_walker2d_data_is_refused_for_v5(tmp_path, monkeypatch):
    path = save(tmp_path / "mine.hdf5", rows())
    make_official(monkeypatch, path, "walker2d_medium-v2")
    with pytest.raises(DataError, match=r"another right foot friction: set data.task to Walker2d-v4"):
        read(path, task="Walker2d-v5")


def test_a_file_that_only_looks_official_warns(tmp_path, monkeypatch):
    path = save(tmp_path / "mine.hdf5", rows())
    make_official(monkeypatch, path, "hopper_medium-v2", sha256="0" * 64)
    data = read(path)
    assert data.genuine is None
    assert ["looks like D4RL's hopper_medium-v2 but its checksum differs" in text for text in data.warnings] == [True]


def test_a_written_file_reads_back_and_equal_rows_give_equal_bytes(tmp_path):
    arrays = rows()
    states = {"qpos": np.zeros((N, 2)), "qvel": np.ones((N, 2))}
    for name in ("a.hdf5", "b.hdf5"):
        write_d4rl(tmp_path / name, **arrays, **states, task="Pendulum-v1", attrs={"made_by": "a test", "seed": 3})
    assert (tmp_path / "a.hdf5").read_bytes() == (tmp_path / "b.hdf5").read_bytes()
    data = read(tmp_path / "a.hdf5")
    assert data.table_sha256 == read(save(tmp_path / "c.hdf5", arrays)).table_sha256
    assert (data.task, data.made_by, data.warnings) == ("Pendulum-v1", "a test", [])
    assert {"infos/qpos", "infos/qvel"} <= set(info(tmp_path / "a.hdf5").keys)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.hdf5", "b.hdf5", "c.hdf5"]


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "a.hdf5"
    write_d4rl(path, **rows())
    before = path.read_bytes()
    with pytest.raises(ValueError, match="differ in length"):
        write_d4rl(path, **{**rows(), "rewards": np.zeros(3)})
    monkeypatch.setattr(h5py.File, "create_dataset", lambda *args, **kwargs: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_d4rl(path, **rows())
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_reading_takes_little_more_memory_than_the_table(tmp_path):
    """h5py's and numpy's allocations; simulator states and other keys are not read."""
    n = 100_000
    path = save(
        tmp_path / "a.hdf5", {**rows(n), "infos/qpos": np.zeros((n, 50))}, compression="gzip", compression_opts=1
    )
    tracemalloc.start()
    data = read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert data.table.nbytes < peak < 3 * data.table.nbytes
