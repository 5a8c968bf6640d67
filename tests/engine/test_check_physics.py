"""Replaying stored rows tells which version of its task made a set, and leaves out what it must."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from moore_engine.data import check_physics
from moore_engine.data.check_physics import Outcome
from moore_engine.data.errors import DataError
from moore_engine.data.minari_write import Rows, write_minari
from moore_engine.data.reference import resolve
from moore_engine.data.state_rows import StateRows, take
from moore_engine.data.write import write_d4rl
from tests.engine.simulated import collected

STATELESS = ("observations", "actions", "next_observations", "rewards", "terminals", "timeouts")


def outcome(path: Path | str, task: str | None = None, rows: int = 200) -> tuple[Outcome, StateRows]:
    reference = resolve(str(path), task)
    taken = take(reference, rows)
    return check_physics.check(taken, reference.task), taken


def saved(path: Path, arrays: dict[str, np.ndarray], task: str | None) -> Path:
    write_d4rl(path, **arrays, task=task)
    return path


def without_states(task: str, steps: int = 1500) -> dict[str, np.ndarray]:
    return {key: collected(task, steps)[key] for key in STATELESS}


@pytest.mark.parametrize("task", ["Hopper-v4", "Walker2d-v5", "HalfCheetah-v4", "InvertedPendulum-v5"])
def test_a_tasks_own_rows_are_its_own_to_float32_rounding(task: str, tmp_path: Path) -> None:
    found, rows = outcome(saved(tmp_path / "a.hdf5", collected(task), task))
    assert found.state == "ok" and found.text.startswith(f"the rows are {task}'s")
    own = found.versions[0]
    assert own.task == task and own.fits
    largest = max(group.next_obs[-1] for group in own.groups.values())
    reach = np.abs(rows.samples.obs).max()
    assert 0 < largest <= 2 * np.finfo(np.float32).eps * max(1, reach)
    assert own.worst[0].error == pytest.approx(largest) and own.worst[0].place.startswith("row ")
    assert [each.error for each in own.worst] == sorted((each.error for each in own.worst), reverse=True)


@pytest.mark.parametrize("made, asked", [("Walker2d-v5", "Walker2d-v4"), ("Walker2d-v4", "Walker2d-v5")])
@pytest.mark.parametrize("states", [True, False])
def test_walker2ds_versions_differ_in_their_dynamics(made: str, asked: str, states: bool, tmp_path: Path) -> None:
    arrays = collected(made) if states else without_states(made)
    found, _ = outcome(saved(tmp_path / "a.hdf5", arrays, None), asked)
    assert found.state == "fail"
    assert f"the rows are {made}'s, and {asked} reaches other next observations on" in found.text
    assert "(right foot friction)" in found.text
    own, other = found.versions
    assert (own.task, other.task) == (asked, made) and other.fits and not own.fits
    assert own.off("states_off") > 0.1 and other.off("states_off") == 0


@pytest.mark.parametrize("made, asked", [("Hopper-v4", "Hopper-v5"), ("Hopper-v5", "Hopper-v4")])
def test_hoppers_versions_differ_in_the_last_reward_alone(made: str, asked: str, tmp_path: Path) -> None:
    found, _ = outcome(saved(tmp_path / "a.hdf5", collected(made), None), asked)
    assert found.state == "fail" and f"{asked} pays other rewards on 100% of the terminal ones" in found.text
    own = found.versions[0]
    assert own.off("states_off") == 0
    assert own.groups["terminal"].reward[0] == pytest.approx(1, abs=1e-5)
    assert own.groups["going on"].rewards_off == 0


def test_halfcheetahs_versions_are_told_to_be_alike(tmp_path: Path) -> None:
    found, _ = outcome(saved(tmp_path / "a.hdf5", collected("HalfCheetah-v4"), None), "HalfCheetah-v5")
    assert found.state == "ok" and "(HalfCheetah-v4 as well" in found.text


def test_states_are_found_again_in_the_observations(tmp_path: Path) -> None:
    arrays = without_states("Hopper-v4", 400)
    found, rows = outcome(saved(tmp_path / "a.hdf5", arrays, "Hopper-v4"), rows=400)
    clipped = int((np.abs(arrays["observations"][:, 5:]) >= 10).any(axis=1).sum())
    assert clipped > 0, "else this shows nothing"
    assert rows.left_out == {"with a clipped velocity, whose state is not known": clipped}
    assert "the observations" in rows.source and found.state == "ok"
    assert found.versions[0].groups["going on"].next_obs[-1] < 1e-4


def test_rows_whose_next_observation_is_not_known_are_left_out(tmp_path: Path) -> None:
    arrays = dict(collected("Hopper-v4", 300))
    ends = arrays["terminals"] | arrays["timeouts"]
    shifted = arrays | {"next_observations": np.roll(arrays["observations"], -1, axis=0)}
    for name, change in (("none", lambda file: file.pop("next_observations")), ("shifted", lambda file: None)):
        path = saved(tmp_path / f"{name}.hdf5", shifted if name == "shifted" else arrays, "Hopper-v4")
        with h5py.File(path, "a") as file:
            change(file)
        found, rows = outcome(path, rows=300)
        unknown = int(ends[:-1].sum()) + 1
        assert rows.left_out == {"whose next observation is not known": unknown}, name
        assert found.state == "ok" and found.rows == ends.size - unknown
        assert set(found.versions[0].groups) == {"going on"}


def test_time_outs_are_told_apart_and_decide_nothing(tmp_path: Path) -> None:
    arrays = dict(collected("HalfCheetah-v4"))
    arrays["timeouts"] = np.arange(arrays["rewards"].size) % 10 == 0
    arrays["next_observations"] = arrays["next_observations"].copy()
    arrays["next_observations"][arrays["timeouts"]] += 5
    found, rows = outcome(saved(tmp_path / "a.hdf5", arrays, "HalfCheetah-v4"))
    assert rows.timed_out.sum() > 20 and found.state == "ok"
    assert found.versions[0].groups["timed out"].states_off == 1
    assert found.versions[0].groups["going on"].states_off == 0
    assert found.versions[0].worst[0].error < 1e-4


def test_a_few_terminal_rows_are_enough_to_tell_hoppers_versions_apart(tmp_path: Path) -> None:
    arrays = collected("Hopper-v4")
    ended = np.flatnonzero(arrays["terminals"])
    kept = np.setdiff1d(np.arange(arrays["rewards"].size), ended[3:])
    found, _ = outcome(
        saved(tmp_path / "a.hdf5", {key: values[kept] for key, values in arrays.items()}, None), "Hopper-v5", rows=500
    )
    assert found.versions[0].off("rewards_off") < check_physics.FITS
    assert found.state == "fail" and "the rows are Hopper-v4's" in found.text


def test_rewards_on_another_scale_warn(tmp_path: Path) -> None:
    arrays = dict(collected("HalfCheetah-v4"))
    arrays["rewards"] = arrays["rewards"] * 10
    found, _ = outcome(saved(tmp_path / "a.hdf5", arrays, "HalfCheetah-v4"))
    assert found.state == "warn" and "rewards are not on" in found.text and "on the task's scale" in found.text


def test_rows_no_version_makes_fail_and_slightly_different_ones_warn(tmp_path: Path) -> None:
    plain = collected("Hopper-v4")
    wrong = plain | {"actions": -plain["actions"]}
    found, _ = outcome(saved(tmp_path / "a.hdf5", wrong, "Hopper-v4"))
    assert found.state == "fail" and "no version of Hopper-v4 made these rows" in found.text
    change = plain["next_observations"] - plain["observations"]
    rough = plain | {"next_observations": plain["next_observations"] + 0.05 * change}
    found, _ = outcome(saved(tmp_path / "b.hdf5", rough, "Hopper-v4"))
    assert found.state == "warn" and "older simulator" in found.text


def test_states_that_are_not_the_observations_say_nothing(tmp_path: Path) -> None:
    wrong = collected("Hopper-v4") | {"qpos": np.zeros_like(collected("Hopper-v4")["qpos"])}
    found, _ = outcome(saved(tmp_path / "a.hdf5", wrong, "Hopper-v4"))
    assert found.state == "warn" and "not those of the observations, so nothing can be said" in found.text
    half = collected("Hopper-v4")["qpos"].copy()
    half[::10] = 0
    found, _ = outcome(saved(tmp_path / "b.hdf5", collected("Hopper-v4") | {"qpos": half}, "Hopper-v4"))
    assert found.state == "ok" and 0 < found.misplaced < found.rows / 4


def test_states_of_another_model_or_not_finite_are_named(tmp_path: Path) -> None:
    plain = collected("Hopper-v4")
    found, _ = outcome(saved(tmp_path / "a.hdf5", plain | {"qpos": plain["qpos"][:, :-1]}, "Hopper-v4"))
    assert found.state == "warn" and "do not have Hopper-v4's dimensions" in found.text
    with pytest.raises(DataError, match="no row that can be replayed"):
        outcome(saved(tmp_path / "b.hdf5", plain | {"qvel": np.full_like(plain["qvel"], np.nan)}, "Hopper-v4"))


@pytest.mark.parametrize(
    ("task", "said"),
    [("Pendulum-v1", "is not one of Gymnasium's MuJoCo tasks"), ("HalfCheetah-v4", "these are Hopper-v4's")],
)
def test_what_cannot_be_replayed_is_one_sentence(task: str, said: str, tmp_path: Path) -> None:
    path = saved(tmp_path / "a.hdf5", collected("Hopper-v4"), None)
    with pytest.raises(DataError, match=said):
        take(resolve(str(path), task), 100)


def test_a_task_whose_observations_tell_no_state_needs_stored_ones(tmp_path: Path) -> None:
    arrays = {key: values[:50] for key, values in collected("Reacher-v5", 50).items() if key in STATELESS}
    with pytest.raises(
        DataError, match="stores no qpos and qvel, and observations of Reacher-v5 do not tell its state"
    ):
        outcome(saved(tmp_path / "a.hdf5", arrays, "Reacher-v5"))


@pytest.mark.parametrize("infos", ["states", "states and a last row", "none"])
def test_minari_sets_are_replayed_too(infos: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    arrays: dict[str, Any] = dict(collected("Walker2d-v5"))
    states = {} if infos == "none" else {"qpos": arrays["qpos"], "qvel": arrays["qvel"]}
    columns = (arrays[key] for key in STATELESS)
    folder = write_minari("walker-v0", Rows(*columns, infos=states), task="Walker2d-v5", low=[-1] * 6, high=[1] * 6)
    if infos == "states and a last row":
        with h5py.File(folder / "data" / "main_data.hdf5", "a") as file:
            for group in file.values():
                for key in ("qpos", "qvel"):
                    values = group[f"infos/{key}"][()]
                    del group[f"infos/{key}"]
                    group[f"infos/{key}"] = np.concatenate([values, values[-1:]])
    found, rows = outcome("minari:walker-v0")
    assert found.state == "ok" and found.versions[0].task == "Walker2d-v5"
    assert rows.place[0].startswith("episode 0, step ")
    assert ("observations" in rows.source) == (infos == "none")
    against, _ = outcome("minari:walker-v0", "Walker2d-v4")
    assert against.state == "fail" and "the rows are Walker2d-v5's" in against.text


def test_progress_counts_every_step_of_every_version(tmp_path: Path) -> None:
    reference = resolve(str(saved(tmp_path / "a.hdf5", collected("Hopper-v4"), "Hopper-v4")))
    rows = take(reference, 50)
    seen: list[int] = []
    check_physics.check(rows, reference.task, seen.append)
    assert seen == list(range(1, check_physics.steps(reference.task, rows) + 1))


def test_rows_come_from_all_over_the_set_with_some_that_end(tmp_path: Path) -> None:
    arrays = {key: np.concatenate([values] * 8) for key, values in collected("Hopper-v4").items()}
    rows = take(resolve(str(saved(tmp_path / "a.hdf5", arrays, "Hopper-v4"))), 500)
    numbers = [int(place.split()[1]) for place in rows.place]
    assert numbers == sorted(set(numbers)) and 400 <= len(numbers) <= 550
    assert numbers[0] < 100 and numbers[-1] > 11_800
    assert 20 <= rows.samples.terminal.sum() <= 300
    np.testing.assert_array_equal(rows.samples.obs, arrays["observations"][numbers].astype(np.float32))
    np.testing.assert_array_equal(rows.samples.qpos, arrays["qpos"][numbers])
