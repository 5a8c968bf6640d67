"""Minari sets written here: read back by the minari package, listed only when whole, equal bytes, one place an id."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import signal
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moore_engine.data.minari_write import About, Rows, write_minari
from moore_engine.data.transitions import DataError
from tests.engine.minari_sets import ID, TASK, episode, read, rows

package = pytest.importorskip("minari")

BOUNDS: dict[str, Any] = {"task": TASK, "low": [-2.0], "high": [2.0]}
NUMBERS = itertools.count()
ABOUT = About(
    algorithm="SAC",
    author=("Ada", "Grace"),
    author_email=("ada@example.org",),
    code_permalink="https://example.org/code/tree/v1",
    description="Three episodes of nothing.",
    reference=(-1600.0, -150.0),
    reference_episodes=100,
    requirements=("gymnasium>=1.4",),
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "sets"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "sets"


def loaded(dataset_id: str = ID) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return package.load_dataset(dataset_id)


def listed() -> list[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return list(package.list_local_datasets())


def test_minari_reads_every_array_back_equal() -> None:
    made = rows()
    write_minari(ID, made, **BOUNDS)
    each = list(loaded().iterate_episodes())
    assert [len(one) for one in each] == [120, 80, 200]
    join = {key: np.concatenate([getattr(one, key) for one in each]) for key in ("actions", "rewards", "terminations")}
    np.testing.assert_array_equal(np.concatenate([one.observations[:-1] for one in each]), made.observations)
    np.testing.assert_array_equal(np.concatenate([one.observations[1:] for one in each]), made.next_observations)
    np.testing.assert_array_equal(join["actions"], made.actions)
    np.testing.assert_array_equal(join["rewards"], made.rewards)
    np.testing.assert_array_equal(join["terminations"], made.terminals)
    np.testing.assert_array_equal(np.concatenate([one.truncations for one in each]), made.timeouts)
    for key, values in made.infos.items():
        np.testing.assert_array_equal(np.concatenate([one.infos[key] for one in each]), values)
    assert each[0].observations.dtype == np.float32 and each[0].terminations.dtype == np.bool_
    assert "infos" in repr(each[0]), "an episode's repr needs infos"


def test_minari_finds_all_metadata_and_the_environment() -> None:
    write_minari(ID, rows(), **BOUNDS, about=ABOUT)
    found = loaded()
    told = found.storage.metadata
    assert (told["algorithm_name"], told["code_permalink"]) == ("SAC", "https://example.org/code/tree/v1")
    assert (told["author"], told["author_email"]) == ({"Ada", "Grace"}, {"ada@example.org"})
    assert (told["description"], told["requirements"]) == ("Three episodes of nothing.", ["gymnasium>=1.4"])
    assert (told["ref_min_score"], told["ref_max_score"], told["num_episodes_average_score"]) == (-1600.0, -150.0, 100)
    assert (found.total_episodes, found.total_steps, found.id) == (3, 400, ID)
    assert told["dataset_size"] == pytest.approx(found.storage.get_size(), abs=0.2)
    assert found.env_spec == gym.spec(TASK)
    env = gym.make(TASK)
    assert found.action_space == env.action_space
    assert found.observation_space.shape == env.observation_space.shape
    for evaluated in (False, True):
        assert found.recover_environment(eval_env=evaluated).unwrapped.__class__ is env.unwrapped.__class__
    assert package.get_normalized_score(found, np.array([-1600.0, -150.0])).tolist() == [0.0, 1.0]


def test_what_is_not_known_is_left_out_of_the_metadata(folder: Path) -> None:
    write_minari(ID, rows(), **BOUNDS)
    told = json.loads((folder / ID / "data/metadata.json").read_text())
    assert not {"author", "code_permalink", "ref_min_score", "requirements", "description"} & set(told)


def test_minari_can_add_episodes_and_they_are_read() -> None:
    write_minari(ID, rows(), **BOUNDS)
    found = loaded()
    added = episode(100, 5, observations=np.zeros((101, 3), np.float32))
    found.update_dataset_from_buffer([package.data_collector.EpisodeBuffer(**added)])
    assert read().lengths.tolist() == [120, 80, 200, 100]


def test_minari_lists_the_set_and_its_namespaces(folder: Path) -> None:
    write_minari("a1/b2/c-v0", rows(), **BOUNDS)
    write_minari("plain-v1", rows(), **BOUNDS)
    assert listed() == ["plain-v1", "a1/b2/c-v0"]
    assert sorted(package.namespace.list_local_namespaces()) == ["a1", "a1/b2"]


def test_the_reader_here_gets_the_rows_with_their_flags() -> None:
    made = rows()
    write_minari(ID, made, **BOUNDS, about=ABOUT)
    data = read(checks=False)
    np.testing.assert_array_equal(data.table[:, data.layout.obs], made.observations)
    np.testing.assert_array_equal(data.table[:, data.layout.next_obs], made.next_observations)
    np.testing.assert_array_equal(data.table[:, data.layout.action], made.actions / 2)
    assert (data.terminals, data.timeouts, data.lengths.tolist()) == (1, 2, [120, 80, 200])
    assert (data.task, data.made_by, data.reference) == (TASK, "SAC", (-1600.0, -150.0))


def test_a_cut_last_episode_is_truncated_for_minari_and_uncounted_here() -> None:
    made = rows()
    made.timeouts[-1] = False
    write_minari(ID, made, **BOUNDS)
    assert loaded()[2].truncations[-1]
    data = read(checks=False)
    assert (data.timeouts, data.episodes, data.n) == (1, 2, 400)


@settings(max_examples=25)
@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=8).map(tuple),
    seed=st.integers(0, 1000),
    dtype=st.sampled_from(["<f4", "<f8", ">f4"]),
    shifted=st.booleans(),
)
def test_any_episodes_come_back(lengths: tuple[int, ...], seed: int, dtype: str, shifted: bool) -> None:
    made = rows(lengths, seed, np.dtype(dtype))
    if shifted:  # next observations that are not the following ones
        made = replace(made, next_observations=made.next_observations + 1)
    dataset_id = f"any/x{next(NUMBERS)}-v0"
    write_minari(dataset_id, made, **BOUNDS)
    data = read(dataset_id, checks=False)
    np.testing.assert_array_equal(data.table[:, data.layout.obs], made.observations.astype(np.float32))
    np.testing.assert_array_equal(data.table[:, data.layout.next_obs], made.next_observations.astype(np.float32))
    np.testing.assert_array_equal(data.table[:, data.layout.reward].ravel(), made.rewards.astype(np.float32))
    assert data.lengths.tolist() == list(lengths)


def test_equal_rows_give_equal_bytes_at_any_time(folder: Path) -> None:
    for dataset_id in ("a1/x-v0", "b2/x-v0"):
        write_minari(dataset_id, rows(), **BOUNDS)
        time.sleep(1.1)  # HDF5's clock counts seconds
    one, other = ((folder / each / "data/main_data.hdf5").read_bytes() for each in ("a1/x-v0", "b2/x-v0"))
    assert one == other


def test_a_flipped_bit_in_the_rows_is_noticed(folder: Path) -> None:
    made = rows()
    file = write_minari(ID, made, **BOUNDS) / "data/main_data.hdf5"
    content = bytearray(file.read_bytes())
    at = content.find(made.observations[:20].tobytes())
    assert at > 0
    content[at + 7] ^= 1
    file.write_bytes(content)
    with pytest.raises(DataError, match="is damaged"):
        read()


def test_an_id_that_is_taken_is_refused_and_the_set_stays(folder: Path) -> None:
    write_minari(ID, rows(), **BOUNDS)
    before = (folder / ID / "data/main_data.hdf5").read_bytes()
    with pytest.raises(DataError, match=f"there is a data set {ID} already"):
        write_minari(ID, rows(seed=1), **BOUNDS)
    assert (folder / ID / "data/main_data.hdf5").read_bytes() == before


@pytest.mark.parametrize("dataset_id", ["x", "../x-v0", "/x-v0", "a b-v0"])
def test_what_is_no_id_is_not_written(folder: Path, dataset_id: str) -> None:
    with pytest.raises(DataError, match="is no Minari id"):
        write_minari(dataset_id, rows(), **BOUNDS)
    assert not folder.exists()


def test_arrays_of_different_length_are_refused() -> None:
    made = rows()
    with pytest.raises(DataError, match="make no data set"):
        write_minari(ID, replace(made, rewards=made.rewards[:-1]), **BOUNDS)
    nothing = {key: values[:0] for key, values in vars(made).items() if isinstance(values, np.ndarray)}
    with pytest.raises(DataError, match="make no data set"):
        write_minari(ID, Rows(**nothing), **BOUNDS)


def test_a_folder_that_cannot_be_written_is_said(folder: Path) -> None:
    folder.write_text("a file in the way")
    with pytest.raises(DataError, match="cannot be written"):
        write_minari(ID, rows(), **BOUNDS)


def test_a_failure_leaves_nothing_behind(folder: Path) -> None:
    def fails(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_minari(ID, rows(), **BOUNDS, progress=fails)
    assert [path for path in folder.rglob("*") if path.is_file()] == []


def killed() -> None:
    def kill(done: int, total: int) -> None:
        if done == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    write_minari(ID, rows(), **BOUNDS, progress=kill)


def test_a_kill_leaves_no_listed_set_and_does_not_stand_in_the_way(folder: Path) -> None:
    process = multiprocessing.get_context("fork").Process(target=killed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside torch's threads
        process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    left = list(folder.rglob(".made-v0.part-*"))
    assert left and listed() == []
    write_minari(ID, rows(), **BOUNDS)
    assert listed() == [ID] and left[0].exists(), "another writer might still be at work"
    old = time.time() - 2 * 3600
    for path in (*left[0].rglob("*"), left[0]):
        os.utime(path, (old, old))
    write_minari("pendulum/made-v1", rows(), **BOUNDS)
    assert left[0].exists(), "that one was another set's"
    with pytest.raises(DataError):
        write_minari(ID, rows(), **BOUNDS)


def test_what_a_kill_left_goes_with_the_next_writing(folder: Path) -> None:
    left = folder / "pendulum/.made-v0.part-elsewhere-1/data"
    left.mkdir(parents=True)
    old = time.time() - 2 * 3600
    for path in (left, left.parent):
        os.utime(path, (old, old))
    write_minari(ID, rows(), **BOUNDS)
    assert not left.parent.exists()


def test_a_task_that_gymnasium_does_not_know_is_kept_by_its_name() -> None:
    write_minari(ID, rows(), task="kites:Kite-v2", low=[-2.0], high=[2.0])
    assert loaded().env_spec.id == "kites:Kite-v2"
    assert read(checks=False).task == "kites:Kite-v2"


def test_short_episodes_take_little_more_than_their_rows(folder: Path) -> None:
    write_minari(ID, rows((20,) * 200), **BOUNDS)
    size = (folder / ID / "data/main_data.hdf5").stat().st_size
    assert size / 200 < 6000
    with h5py.File(folder / ID / "data/main_data.hdf5") as file:
        assert len(file) == 200 and file["episode_0/observations"].fletcher32
