"""The spot check against the simulator tells task versions apart and passes a task's own rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from moore_engine.data import physics
from moore_engine.data.d4rl import load, write_d4rl
from moore_engine.data.transitions import DataError
from tests.engine.simulated import collected


def samples(task: str) -> physics.Samples:
    arrays = collected(task)
    chosen = physics.sample_rows(arrays["terminals"])
    keys = ("qpos", "qvel", "observations", "actions", "next_observations", "rewards", "terminals")
    return physics.Samples(*(arrays[key][chosen].astype(float) for key in keys[:-1]), arrays["terminals"][chosen])


@pytest.mark.parametrize(
    "task", ["Hopper-v4", "Hopper-v5", "Walker2d-v4", "Walker2d-v5", "HalfCheetah-v4", "HalfCheetah-v5"]
)
def test_a_tasks_own_rows_fit_it(task):
    fit = physics.replay(task, samples(task))
    assert fit is not None
    assert fit.states == 0 and fit.start == 0
    assert fit.median_error < 1e-6 and fit.reward_error.max() < 1e-6
    assert physics.check("f", task, samples(task)) == []


def test_a_row_is_replayed_alike_whatever_was_replayed_before_it():
    plain = samples("Walker2d-v4")
    turned = physics.Samples(*(getattr(plain, name)[::-1] for name in vars(plain)))
    forwards, backwards = physics.replay("Walker2d-v4", plain), physics.replay("Walker2d-v4", turned)
    np.testing.assert_array_equal(forwards.reward_error, backwards.reward_error[::-1])


@pytest.mark.parametrize("made, wanted", [("Walker2d-v5", "Walker2d-v4"), ("Walker2d-v4", "Walker2d-v5")])
def test_walker2d_of_another_version_is_refused_for_its_foot(made, wanted):
    message = (
        rf"another version of the task: the next observations are {made}'s and not {wanted}'s on \d+% .*foot friction"
    )
    with pytest.raises(DataError, match=message):
        physics.check("f", wanted, samples(made))


@pytest.mark.parametrize("made, wanted", [("Hopper-v5", "Hopper-v4"), ("Hopper-v4", "Hopper-v5")])
def test_hopper_of_another_version_is_refused_for_its_last_reward(made, wanted):
    with pytest.raises(
        DataError, match=f"rewards on terminal rows are {made}'s and not {wanted}'s, so set data.task to {made}"
    ):
        physics.check("f", wanted, samples(made))


def test_halfcheetahs_versions_are_the_same():
    assert physics.check("f", "HalfCheetah-v5", samples("HalfCheetah-v4")) == []


def test_rows_no_version_makes_are_refused():
    wrong = samples("Hopper-v4")
    wrong = replace(wrong, action=-wrong.action)
    with pytest.raises(DataError, match="another version of the task or with other parameters"):
        physics.check("f", "Hopper-v4", wrong)


def test_a_slightly_different_simulator_only_warns():
    rough = samples("Hopper-v4")
    change = rough.next_obs - rough.obs
    (text,) = physics.check("f", "Hopper-v4", replace(rough, next_obs=rough.next_obs + 0.05 * change))
    assert "an older simulator may have made it" in text


def test_rescaled_rewards_warn():
    plain = samples("HalfCheetah-v4")
    (text,) = physics.check("f", "HalfCheetah-v4", replace(plain, reward=plain.reward * 10))
    assert "not on the task's scale" in text


@pytest.mark.parametrize("fault", ["zeros", "nan"])
def test_states_that_are_not_the_observations_skip_the_check_with_a_warning(fault, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plain = samples("Hopper-v4")
    qpos = np.zeros_like(plain.qpos) if fault == "zeros" else np.full_like(plain.qpos, np.nan)
    (text,) = physics.check("f", "Hopper-v4", replace(plain, qpos=qpos))
    assert "not those of the observations" in text
    assert list(tmp_path.iterdir()) == [], "MuJoCo logs such states to the working directory unless told otherwise"


def test_states_of_another_model_skip_the_check_with_a_warning():
    plain = samples("Hopper-v4")
    (text,) = physics.check("f", "Hopper-v4", replace(plain, qpos=plain.qpos[:, :-1]))
    assert "do not have Hopper-v4's dimensions" in text


def test_only_gymnasiums_own_mujoco_tasks_are_replayed():
    assert physics.applies("Hopper-v4") and physics.applies("Ant-v5")
    assert not physics.applies("Pendulum-v1") and not physics.applies("Nowhere-v0") and not physics.applies("Hopper-v3")
    gymnasium.register("StrangersHopper-v4", entry_point="strangers_package:Env")
    try:
        assert not physics.applies("StrangersHopper-v4")
    finally:
        del gymnasium.registry["StrangersHopper-v4"]


def test_sampled_rows_spread_over_the_file_and_include_terminal_ones():
    terminals = np.zeros(100_000, bool)
    terminals[500::1000] = True
    chosen = physics.sample_rows(terminals)
    assert 64 <= chosen.size <= 72 and terminals[chosen].sum() >= 8
    assert chosen.min() < 1000 and chosen.max() > 99_000
    assert physics.sample_rows(np.zeros(30, bool)).max() < 30


def test_loading_a_file_of_another_version_is_refused_and_leaves_no_log(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_d4rl("walker.hdf5", **collected("Walker2d-v5"))
    wanted = {"obs_dim": 17, "action_dim": 6, "low": [-1] * 6, "high": [1] * 6}
    with pytest.raises(DataError, match=r"set data\.task to Walker2d-v5"):
        load("walker.hdf5", task="Walker2d-v4", **wanted)
    assert load("walker.hdf5", task="Walker2d-v5", **wanted).warnings == []
    assert [path.name for path in Path().iterdir()] == ["walker.hdf5"]
