"""Collected data sets: the replay buffer row by row, reproducible, and readable by the loader."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import h5py
import numpy as np
import pytest

from moore_engine import collect as module
from moore_engine.collect import collect, episode_returns, main
from moore_engine.data import d4rl, source
from moore_engine.envs import Env, TaskError

PAGE = Path(__file__).parents[2] / "docs/data/quickstart.md"
BUNDLED = Path(module.__file__).parent / "data/quickstart.hdf5"
SMALL = {"hidden": (16, 16), "batch": 32}


@pytest.fixture(scope="module")
def hopper():
    return collect("Hopper-v5", 300, random_steps=270, seed=0, sac=SMALL)


def test_rows_continue_within_episodes_and_break_between_them(hopper):
    over = hopper["terminals"] | hopper["timeouts"]
    assert over.sum() > 5
    continues = (hopper["observations"][1:] == hopper["next_observations"][:-1]).all(axis=1)
    assert (continues == ~over[:-1]).all()


def test_the_last_row_is_cut_and_no_row_ends_twice(hopper):
    assert hopper["timeouts"][-1] != hopper["terminals"][-1]
    assert not (hopper["terminals"] & hopper["timeouts"]).any()


def test_a_last_row_that_falls_is_terminal_and_not_cut(hopper):
    fall = int(np.flatnonzero(hopper["terminals"])[0])
    short = collect("Hopper-v5", fall + 1, random_steps=fall + 1, seed=0, sac=SMALL)
    assert short["terminals"][-1] and not short["timeouts"].any()


def test_every_row_is_what_the_simulator_does_from_its_state(hopper):
    env = Env("Hopper-v5", 0)
    env.reset(seed=0)
    inner = env._env.unwrapped
    for row in range(0, 300, 23):
        env._env.reset(seed=0)
        inner.set_state(hopper["qpos"][row], hopper["qvel"][row])
        np.testing.assert_allclose(inner._get_obs(), hopper["observations"][row], atol=1e-5)
        obs, reward, terminal, _ = env.step(hopper["actions"][row])
        np.testing.assert_allclose(obs, hopper["next_observations"][row], atol=1e-3)
        assert reward == pytest.approx(hopper["rewards"][row], abs=1e-3)
        assert terminal == hopper["terminals"][row]


def test_actions_are_in_the_tasks_units():
    arrays = collect("Pendulum-v1", 250, random_steps=250, seed=0, sac=SMALL)
    assert 1.8 < np.abs(arrays["actions"]).max() <= 2.0
    assert "qpos" not in arrays


def test_time_limits_are_timeouts():
    arrays = collect("Pendulum-v1", 450, random_steps=450, seed=0, sac=SMALL)
    assert np.flatnonzero(arrays["timeouts"]).tolist() == [199, 399, 449]
    assert not arrays["terminals"].any()


def test_the_same_seed_gives_the_same_rows_and_another_seed_others(hopper):
    again = collect("Hopper-v5", 300, random_steps=270, seed=0, sac=SMALL)
    assert all((again[name] == hopper[name]).all() for name in hopper)
    other = collect("Hopper-v5", 300, random_steps=270, seed=1, sac=SMALL)
    assert (other["actions"] != hopper["actions"]).any()


class Counting(module.SAC):
    updates = 0

    def update(self, batch, generator):
        type(self).updates += 1
        assert (batch.abs().sum(dim=1) > 0).all()
        super().update(batch, generator)


def test_training_begins_with_the_last_random_step_on_stored_rows_only(monkeypatch):
    monkeypatch.setattr(module, "SAC", Counting)
    Counting.updates = 0
    collect("Hopper-v5", 60, random_steps=40, updates_per_step=2, seed=0, sac=SMALL)
    assert Counting.updates == 2 * 20
    Counting.updates = 0
    collect("Hopper-v5", 60, random_steps=60, seed=0, sac=SMALL)
    assert Counting.updates == 0


def test_an_episodes_return_is_the_sum_of_its_rewards():
    ends = np.array([False, True, False, False, True])
    arrays = {
        "rewards": np.float32([1, 2, 3, 4, 5]),
        "terminals": ends & (np.arange(5) < 3),
        "timeouts": ends & (np.arange(5) > 2),
    }
    assert episode_returns(arrays).tolist() == [3.0, 12.0]


def test_progress_hears_of_every_episode():
    heard = []
    collect("Pendulum-v1", 400, random_steps=400, seed=0, sac=SMALL, progress=lambda step, ret: heard.append(step))
    assert heard == [200, 400]


def test_the_command_writes_a_file_that_the_loader_reads_without_a_warning(tmp_path, capsys):
    out = tmp_path / "hopper.hdf5"
    words = "--task Hopper-v5 --steps 500 --random-steps 480 --hidden 16 16 --ref-min -20 --ref-max 3000 --out"
    assert main([*words.split(), str(out)]) == 0
    assert "500 rows" in capsys.readouterr().out
    env = Env("Hopper-v5", 0)
    data = d4rl.load(out, task="Hopper-v5", obs_dim=env.obs_dim, action_dim=env.action_dim, low=env.low, high=env.high)
    assert data.table.shape == (500, 2 * 11 + 3 + 2) and data.task == "Hopper-v5"
    assert data.warnings == []
    with h5py.File(out) as file:
        assert (file.attrs["ref_min"], file.attrs["ref_max"]) == (-20.0, 3000.0)
        assert "seed 0" in file.attrs["made_by"]


def test_a_task_that_cannot_be_used_ends_the_command_with_2(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--task", "CartPole-v1", "--steps", "10", "--out", str(tmp_path / "x")])
    assert ended.value.code == 2
    assert "Discrete actions" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_tasks_from_outside_need_trust_here_too():
    with pytest.raises(TaskError, match="--trust-code"):
        collect("json:Hopper-v5", 10, random_steps=10, seed=0)


@pytest.mark.parametrize("wrong", [{"steps": 0, "random_steps": 0}, {"steps": 5, "random_steps": -1}])
def test_a_number_of_steps_without_meaning_is_an_error(wrong):
    with pytest.raises(ValueError, match="at least"):
        collect("Hopper-v5", seed=0, **wrong)


def test_the_bundled_set_is_the_one_its_page_describes():
    page = PAGE.read_text()
    assert hashlib.sha256(BUNDLED.read_bytes()).hexdigest() in page
    assert f"{BUNDLED.stat().st_size:,}".replace(",", " ") in page
    env = Env("InvertedPendulum-v5", 0)
    data = source.load(
        "bundled:quickstart", task=env.task, obs_dim=env.obs_dim, action_dim=env.action_dim, low=env.low, high=env.high
    )
    assert data.warnings == [] and data.task == env.task
    facts = [f"mean {data.returns.mean():.1f}", f"deviation {data.returns.std():.1f}", f"{len(data.returns)} ("]
    assert all(fact in page for fact in facts)


def test_the_command_on_the_bundled_sets_page_makes_its_uniform_rows_again(tmp_path):
    command = re.search(r"moore_engine\.collect (.*?)\n\n", PAGE.read_text(), re.DOTALL)
    words = command[1].replace("\\\n", " ").split()
    words[words.index("--steps") + 1] = words[words.index("--random-steps") + 1]
    words[words.index("--out") + 1] = str(tmp_path / "again.hdf5")
    assert main(words) == 0
    with h5py.File(BUNDLED) as bundled, h5py.File(tmp_path / "again.hdf5") as again:
        for name in ("observations", "actions", "rewards", "terminals", "infos/qpos"):
            np.testing.assert_allclose(again[name][()], bundled[name][:300], rtol=1e-6, atol=1e-7)
        for name in ("ref_min", "ref_max", "task"):
            assert again.attrs[name] == bundled.attrs[name]
