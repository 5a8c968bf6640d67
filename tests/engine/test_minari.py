"""Minari sets: the table against the minari package's own reading, their flags and traps, and what is said of each."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import gymnasium as gym
import h5py
import numpy as np
import pytest

from moore_engine.data import minari, minari_set, source
from moore_engine.data.transitions import DataError
from tests.engine.minari_sets import ID, SIZES, TASK, episode, episodes, make, metadata, plain, read

pytest.importorskip("minari")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "sets"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "sets"


def test_the_table_is_what_minaris_own_loop_reads() -> None:
    make(episodes(12))
    data, expected = read(), plain()
    expected[:, 3] /= 2  # actions of +-2 are stored in [-1, 1]
    np.testing.assert_array_equal(data.table, expected)
    assert data.table.flags.c_contiguous and data.table.dtype == np.float32
    assert (data.format, data.path, data.rows_dropped, data.warnings) == ("minari", f"minari:{ID}", 0, [])


def test_episodes_come_in_the_order_of_their_numbers() -> None:
    make(episodes(12))
    assert read().lengths.tolist() == [40 + each for each in range(12)]


def test_returns_are_those_of_every_episode() -> None:
    made = episodes(12)
    make(made)
    data = read()
    np.testing.assert_allclose(data.returns, [each["rewards"].sum() for each in made], atol=1e-5)
    assert data.mean_return == pytest.approx(np.mean([each["rewards"].sum() for each in made]), rel=1e-5)


def test_time_outs_are_not_terminal_and_falls_are() -> None:
    made = [episode(200, 0), episode(200, 1, terminated=True, truncated=False)]
    make(made)
    data = read(termination=None, checks=False)
    assert (data.terminals, data.timeouts) == (1, 1)
    assert np.flatnonzero(data.table[:, data.layout.terminal]).tolist() == [399]


def test_a_row_with_both_flags_is_terminal_with_a_warning() -> None:
    make([*episodes(8), episode(40, 99, terminated=True, truncated=True)])
    data = read()
    assert (data.terminals, data.timeouts) == (1, 8)
    assert any("1 rows as terminal and truncated" in text for text in data.warnings)


def test_the_digest_is_that_of_the_data_file_and_metadata_do_not_change_it() -> None:
    data = make(episodes())
    import hashlib

    before = read().sha256
    assert before == hashlib.sha256((data / "main_data.hdf5").read_bytes()).hexdigest()
    metadata(data, description="told better")
    assert read().sha256 == before


def test_progress_counts_episodes_to_the_last() -> None:
    make(episodes())
    seen: list[tuple[int, int]] = []
    minari.load(ID, **SIZES, checks=False, progress=lambda done, total: seen.append((done, total)))
    assert seen[0] == (1, 12) and seen[-1] == (12, 12)


def test_reading_is_at_least_twice_as_fast_as_the_loop_over_episodes() -> None:
    make([episode(12, each) for each in range(250)])

    def cpu(read_it: Any) -> float:
        began = time.process_time()
        read_it()
        return time.process_time() - began

    def ours() -> object:
        return minari.load(ID, **SIZES, checks=False)

    loop, own = (min(cpu(each) for _ in range(2)) for each in (plain, ours))
    assert own * 2 < loop


def test_a_set_without_infos_and_one_with_them_read_alike() -> None:
    made = episodes()
    make(made)
    with_infos = [
        each | {"infos": {"qpos": np.ones((len(each["rewards"]) + 1, 2)), "deep": {"x": np.ones(3)}}} for each in made
    ]
    make(with_infos, "pendulum/infos-v0")
    assert read().table_sha256 == read("pendulum/infos-v0").table_sha256


def test_a_cut_last_episode_does_not_count_as_one() -> None:
    make([*episodes(10), episode(30, 77, truncated=False)])
    data = read()
    assert data.episodes == 10
    assert data.n == sum(40 + each for each in range(10)) + 30


def test_an_episode_within_that_ends_with_neither_flag_is_said() -> None:
    made = episodes(10)
    made[3] = episode(43, 3, truncated=False)
    make(made)
    data = read()
    assert data.episodes == 10
    assert any("1 episodes end with neither flag" in text for text in data.warnings)


@pytest.mark.parametrize("flag_type", [np.uint8, np.int64, np.float64])
def test_flags_may_be_numbers(flag_type: type) -> None:
    made = [episode(200, each) for each in range(2)]
    for each in made:
        each["terminations"] = each["terminations"].astype(flag_type)
        each["truncations"] = each["truncations"].astype(flag_type)
    make(made)
    assert (read().terminals, read().timeouts) == (0, 2)


@pytest.mark.parametrize("flag_type", [np.uint8, np.int64, np.float64])
def test_flags_of_another_type_in_a_later_episode_are_read_too(flag_type: type) -> None:
    made = [episode(200, each) for each in range(3)]
    made[1]["truncations"] = made[1]["truncations"].astype(flag_type)
    make(made)
    assert read().timeouts == 3


@pytest.mark.parametrize(("first", "wrong"), [(np.bool_, np.int64(3)), (np.float64, 0.5), (np.int64, 256)])
def test_a_flag_that_is_neither_0_nor_1_is_refused(first: type, wrong: Any) -> None:
    made = [episode(200, each) for each in range(2)]
    made[0]["truncations"] = made[0]["truncations"].astype(first)
    made[1]["truncations"] = made[1]["truncations"] * wrong
    make(made)
    with pytest.raises(DataError, match="truncations must be 0 or 1 but row 399"):
        read()


# Ids and folders


@pytest.mark.parametrize("dataset_id", ["plain-v3", "hopper/a-v0", "deep/er/still/b_c-v12"])
def test_ids_with_and_without_namespaces(dataset_id: str) -> None:
    make(episodes(), dataset_id)
    assert read(dataset_id).table_sha256 == read(f"minari:{dataset_id}").table_sha256
    assert source.locate(f"minari:{dataset_id}", Path("/")) == f"minari:{dataset_id}"
    assert source.present(f"minari:{dataset_id}")


def test_a_missing_set_names_the_folder_and_the_nearest_id(folder: Path) -> None:
    make(episodes(2))
    with pytest.raises(DataError, match=rf"no Minari set pendulum/mad-v0 in {folder} \(nearest: minari:{ID}\)"):
        source.locate("minari:pendulum/mad-v0", Path("/"))
    with pytest.raises(DataError, match=rf"is no Minari id.*nearest: minari:{ID}"):
        source.locate("minari:pendulum/made", Path("/"))
    assert not source.present("minari:pendulum/mad-v0")


@pytest.mark.parametrize(
    "dataset_id", ["", "a", "../b/c-v0", "/etc/c-v0", "a/../b-v0", "a/b-v", "a b/c-v0", "a/b-v0\n"]
)
def test_what_is_no_id_is_refused(dataset_id: str) -> None:
    with pytest.raises(DataError, match="Minari id"):
        source.locate(f"minari:{dataset_id}", Path("/"))


def test_the_folder_is_minaris_own_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MINARI_DATASETS_PATH")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    make(episodes())
    assert (tmp_path / "home/.minari/datasets" / ID).is_dir()
    assert read().episodes == 12


def test_info_is_read_from_the_metadata_and_the_first_episode() -> None:
    made = [each | {"infos": {"qpos": np.ones((2, 2))}} for each in episodes(3)]
    make(made, algorithm_name="SAC")
    facts = source.info(f"minari:{ID}")
    assert (facts.rows, facts.obs_dim, facts.action_dim, facts.format) == (123, 3, 1, "minari")
    assert (facts.task, facts.made_by) == (TASK, "SAC")
    assert "infos/qpos" in facts.keys and "observations" in facts.keys


# The environment


def test_the_task_is_that_of_the_environments_spec() -> None:
    make(episodes())
    assert source.task(f"minari:{ID}") == TASK
    with pytest.raises(
        DataError, match=r"made with Pendulum-v1 but the run asks for Hopper-v4: set data\.task to Pend"
    ):
        read(task="Hopper-v4")


def test_an_environment_made_with_other_arguments_is_said() -> None:
    make(episodes(), env=None, **spaces())
    spec = json.loads(gym.spec(TASK).to_json()) | {"kwargs": {"g": 9.81}, "max_episode_steps": 50}
    metadata(minari_set.folder(ID), env_spec=json.dumps(spec))
    said = read().warnings
    assert any("arguments {'g': 9.81} where Pendulum-v1 has nothing" in text for text in said)
    assert any("time limit 50 where Pendulum-v1 has 200" in text for text in said)


def test_a_set_that_names_no_environment_is_taken_with_a_warning() -> None:
    make(episodes(), env=None, **spaces())
    assert source.task(f"minari:{ID}") is None
    assert any("does not say which environment" in text for text in read().warnings)


def test_a_foreign_environment_is_named_with_its_package() -> None:
    data = make(episodes())
    spec = {"id": "Kite-v2", "entry_point": "kites.envs.kite:KiteEnv", "kwargs": {}}
    metadata(data, env_spec=json.dumps(spec))
    assert source.task(f"minari:{ID}") == "kites:Kite-v2"
    with pytest.raises(DataError, match=r"set data\.task to kites:Kite-v2"):
        read()


def test_another_environment_for_evaluation_is_said() -> None:
    make(episodes(), eval_env="MountainCarContinuous-v0")
    assert any("evaluated on MountainCarContinuous-v0" in text for text in read().warnings)


def test_reference_returns_are_the_metadatas() -> None:
    data = make(episodes(), ref_min_score=-1600.0, ref_max_score=-150.0)
    assert read().reference == (-1600.0, -150.0)
    metadata(data, ref_max_score=-2000.0)
    with pytest.raises(DataError, match="ref_min_score and ref_max_score must be finite"):
        read()
    metadata(data, ref_max_score=None)
    assert read().reference is None


# What is refused


@pytest.mark.parametrize(
    ("space", "value", "kind"),
    [
        (gym.spaces.Dict({"x": gym.spaces.Box(-1, 1, (2,))}), {"x": np.zeros((41, 2), np.float32)}, "Dict"),
        (gym.spaces.Tuple((gym.spaces.Box(-1, 1, (2,)),)), (np.zeros((41, 2), np.float32),), "Tuple"),
        (gym.spaces.Discrete(4), np.zeros(41, np.int64), "Discrete"),
    ],
)
def test_spaces_that_are_no_vectors_are_refused(space: gym.Space[Any], value: Any, kind: str) -> None:
    options = spaces() | {"observation_space": space}
    make([episode(40, 0, observations=value)], env=None, **options)
    with pytest.raises(DataError, match=f"has {kind} observations and the engine needs Box"):
        read()


def test_discrete_actions_are_refused() -> None:
    options = spaces() | {"action_space": gym.spaces.Discrete(2)}
    make([episode(40, 0, actions=np.zeros(40, np.int64))], env=None, **options)
    with pytest.raises(DataError, match="has Discrete actions"):
        read()


def test_observations_that_are_not_one_more_than_the_steps_are_refused() -> None:
    made = episodes()
    made[7]["observations"] = made[7]["observations"][:-1]
    make(made)
    with pytest.raises(DataError, match=r"observations of episode_7 have shape \(47, 3\) and not 48 rows of 3"):
        read()


def test_dimensions_of_another_task_are_refused() -> None:
    make(episodes())
    with pytest.raises(DataError, match="has 3 observation and 1 action dimensions but Hopper-v4 has 11 and 3"):
        read(task="Hopper-v4", obs_dim=11, action_dim=3, checks=False)


def test_actions_beyond_the_tasks_bounds_and_numbers_that_are_none_are_refused() -> None:
    made = episodes()
    made[0]["actions"][5] = 2.5
    make(made)
    with pytest.raises(DataError, match=r"action 0 of row 5 is 2\.5"):
        read()
    made[0]["rewards"][3] = np.nan
    make(made, "pendulum/nan-v0")
    with pytest.raises(DataError, match="rewards holds NaN first in row 3"):
        read("pendulum/nan-v0")


def spaces() -> dict[str, gym.Space[Any]]:
    return {
        "observation_space": gym.spaces.Box(-1, 1, (3,), np.float64),
        "action_space": gym.spaces.Box(-2, 2, (1,), np.float32),
    }


def empty(data: Path) -> None:
    metadata(data, total_episodes=0, total_steps=0)


def cut_file(data: Path) -> None:
    content = (data / "main_data.hdf5").read_bytes()
    (data / "main_data.hdf5").write_bytes(content[: len(content) // 2])


def no_bytes(data: Path) -> None:
    (data / "main_data.hdf5").write_bytes(b"")


def fewer_episodes(data: Path) -> None:
    with h5py.File(data / "main_data.hdf5", "a") as file:
        del file["episode_11"]


def no_rewards(data: Path) -> None:
    with h5py.File(data / "main_data.hdf5", "a") as file:
        del file["episode_5/rewards"]


def words(data: Path) -> None:
    with h5py.File(data / "main_data.hdf5", "a") as file:
        del file["episode_0/observations"]
        file["episode_0/observations"] = [["a", "b", "c"]] * 41


def no_file(data: Path) -> None:
    (data / "main_data.hdf5").unlink()


def no_metadata(data: Path) -> None:
    (data / "metadata.json").unlink()


def torn_metadata(data: Path) -> None:
    (data / "metadata.json").write_text('{"total_episodes": 1')


def listed_metadata(data: Path) -> None:
    (data / "metadata.json").write_text("[]")


def arrow(data: Path) -> None:
    metadata(data, data_format="arrow")


def old(data: Path) -> None:
    metadata(data, minari_version="0.3.1")


def countless(data: Path) -> None:
    metadata(data, total_episodes="many")


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (empty, "holds no episodes: its creation was cut short"),
        (cut_file, "truncated"),
        (no_bytes, "is not an HDF5 file but empty"),
        (fewer_episodes, "holds 11 episodes and its metadata say 12"),
        (no_rewards, "episode_5 has no array rewards"),
        (words, "observations are object and not numbers"),
        (no_file, "there is no file"),
        (no_metadata, "has no metadata.json"),
        (torn_metadata, "is damaged"),
        (listed_metadata, "holds no metadata"),
        (arrow, "is stored as arrow"),
        (old, "was made with Minari 0.3.1"),
        (countless, "total_episodes = many and no count"),
    ],
)
def test_what_is_damaged_is_said_in_one_sentence(harm: Any, said: str) -> None:
    harm(make(episodes()))
    with pytest.raises(DataError, match=said) as caught:
        read()
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


def test_a_claim_of_more_rows_than_the_file_can_hold_is_refused_before_memory_is_taken() -> None:
    data = make(episodes(1))
    with h5py.File(data / "main_data.hdf5", "a") as file:
        for key, width in (("observations", 3), ("actions", 1)):
            del file[f"episode_0/{key}"]
            file.create_dataset(f"episode_0/{key}", (1 << 40, width), "f8", chunks=(1024, width))
        for key in ("rewards", "terminations", "truncations"):
            del file[f"episode_0/{key}"]
            file.create_dataset(f"episode_0/{key}", ((1 << 40) - 1,), "f8", chunks=(1024,))
    with pytest.raises(DataError, match=r"rows would take .* bytes, and a file of .* bytes does not hold so much"):
        read()


def test_total_steps_that_are_wrong_do_no_harm() -> None:
    data = make(episodes())
    right = read().table_sha256
    for lie in (1, 10**12):
        metadata(data, total_steps=lie)
        assert read().table_sha256 == right
