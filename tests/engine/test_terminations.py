"""Termination functions against Gymnasium's own flags and against their closed forms."""

from __future__ import annotations

import math
import warnings

import gymnasium as gym
import mujoco
import numpy as np
import pytest
import torch

from moore_engine import terminations
from moore_engine.envs import Env
from moore_engine.terminations import TerminationError, for_task

VERSIONS = ("v4", "v5")
ROWS = 3000


def own_flags(task: str, spread: dict[int, tuple[float, float]], velocity: float, seed: int):
    """Set `ROWS` random states, take one random step in each: next_obs float64, Gymnasium's flags, final qpos, qvel.

    `spread` gives the range of each qpos set at random; the others stay at their initial value plus a little noise.
    """
    Env(task, 0).close()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # v4 tasks are called out of date
        env = gym.make(task, disable_env_checker=True).unwrapped
    rng = np.random.default_rng(seed)
    rows, flags, qpos, qvel = [], [], [], []
    env.reset(seed=seed)
    for _ in range(ROWS):
        position = env.init_qpos + rng.uniform(-0.05, 0.05, env.model.nq)
        for index, (low, high) in spread.items():
            position[index] = rng.uniform(low, high)
        speeds = rng.normal(0, velocity, env.model.nv)
        mujoco.mj_resetData(env.model, env.data)
        env.set_state(position, speeds)
        obs, _, terminated, _, _ = env.step(env.action_space.low + rng.random(env.model.nu) * 0.2)
        rows.append(obs)
        flags.append(terminated)
        qpos.append(env.data.qpos.copy())
        qvel.append(env.data.qvel.copy())
    return torch.tensor(np.array(rows)), torch.tensor(flags), np.array(qpos), np.array(qvel)


def ended(task: str, next_obs: torch.Tensor) -> torch.Tensor:
    return for_task(task)(next_obs, torch.zeros(len(next_obs), 1), next_obs)


def assert_equal_flags(task: str, next_obs: torch.Tensor, flags: torch.Tensor, margin: np.ndarray, rounding: float):
    """Equal on float64 rows, and on float32 rows further than `rounding` from every limit; both outcomes common."""
    assert 0.1 < flags.double().mean() < 0.9
    assert torch.equal(ended(task, next_obs), flags)
    clear = torch.tensor(np.abs(margin) > rounding)
    assert clear.double().mean() > 0.99
    assert torch.equal(ended(task, next_obs.float())[clear], flags[clear])
    assert (np.abs(margin) < 0.01).sum() > 20


@pytest.mark.parametrize("version", VERSIONS)
def test_hopper_ends_where_gymnasium_ends_it(version):
    task = f"Hopper-{version}"
    obs, flags, qpos, qvel = own_flags(task, {1: (0.6, 1.0), 2: (-0.35, 0.35)}, 3.0, 0)
    seen = np.abs(qvel).max(1) < 100
    margin = np.minimum(np.abs(qpos[:, 1] - 0.7), np.abs(np.abs(qpos[:, 2]) - 0.2))
    assert_equal_flags(task, obs[seen], flags[seen], margin[seen], 1e-6)


def test_hoppers_limit_of_100_holds_for_angles_and_for_predicted_velocities():
    healthy = torch.zeros(4, 11)
    healthy[:, 0] = 1.2
    healthy[1, 3] = 100.0
    healthy[2, 7] = -100.5
    healthy[3, 10] = 99.9
    assert ended("Hopper-v4", healthy).tolist() == [False, True, True, False]


@pytest.mark.parametrize("version", VERSIONS)
def test_walker2d_ends_where_gymnasium_ends_it(version):
    task = f"Walker2d-{version}"
    obs, flags, qpos, _ = own_flags(task, {1: (0.7, 2.1), 2: (-1.3, 1.3)}, 2.0, 1)
    limits = [np.abs(qpos[:, 1] - 0.8), np.abs(qpos[:, 1] - 2.0), np.abs(np.abs(qpos[:, 2]) - 1.0)]
    assert_equal_flags(task, obs, flags, np.minimum.reduce(limits), 1e-6)


@pytest.mark.parametrize("version", VERSIONS)
def test_ant_ends_where_gymnasium_ends_it(version):
    task = f"Ant-{version}"
    obs, flags, qpos, _ = own_flags(task, {2: (0.1, 1.3)}, 1.0, 2)
    margin = np.minimum(np.abs(qpos[:, 2] - 0.2), np.abs(qpos[:, 2] - 1.0))
    assert obs.shape[1] == {"v4": 27, "v5": 105}[version]
    assert_equal_flags(task, obs, flags, margin, 1e-6)


@pytest.mark.parametrize("version", VERSIONS)
def test_humanoid_ends_where_gymnasium_ends_it(version):
    task = f"Humanoid-{version}"
    obs, flags, qpos, _ = own_flags(task, {2: (0.8, 2.3)}, 1.0, 3)
    margin = np.minimum(np.abs(qpos[:, 2] - 1.0), np.abs(qpos[:, 2] - 2.0))
    assert_equal_flags(task, obs, flags, margin, 1e-6)


@pytest.mark.parametrize("version", VERSIONS)
def test_inverted_pendulum_ends_where_gymnasium_ends_it(version):
    task = f"InvertedPendulum-{version}"
    obs, flags, qpos, _ = own_flags(task, {1: (-0.3, 0.3)}, 0.5, 4)
    assert_equal_flags(task, obs, flags, np.abs(qpos[:, 1]) - 0.2, 1e-7)


@pytest.mark.parametrize("version", VERSIONS)
def test_inverted_double_pendulum_ends_where_gymnasium_ends_it(version):
    task = f"InvertedDoublePendulum-{version}"
    obs, flags, qpos, _ = own_flags(task, {1: (-1.0, 1.0), 2: (-1.0, 1.0)}, 0.5, 5)
    height = 0.6 * np.cos(qpos[:, 1]) + 0.6 * np.cos(qpos[:, 1] + qpos[:, 2])
    clear = np.abs(height - 1.0) > 1e-4
    assert clear.mean() > 0.99
    assert_equal_flags(task, obs[clear], flags[clear], height[clear] - 1.0, 1e-4)


@pytest.mark.parametrize(("first", "second"), [(0.3, -0.5), (0.0, math.acos(2 / 3) + 1e-5), (-0.5, -0.9)])
def test_the_tips_height_comes_exactly_from_the_two_angles(first, second):
    row = torch.zeros(1, 9, dtype=torch.float64)
    row[0, 1:5] = torch.tensor([math.sin(first), math.sin(second), math.cos(first), math.cos(second)])
    height = 0.6 * math.cos(first) + 0.6 * math.cos(first + second)
    assert ended("InvertedDoublePendulum-v5", row).tolist() == [height <= 1.0]


@pytest.mark.parametrize(
    "task",
    ["HalfCheetah-v4", "HalfCheetah-v5", "Swimmer-v4", "Swimmer-v5", "Reacher-v4", "Reacher-v5", "Pendulum-v1"]
    + ["Pusher-v5", "HumanoidStandup-v4", "HumanoidStandup-v5"],
)
def test_tasks_that_never_end_never_end(task):
    env = Env(task, 0)
    rng = np.random.default_rng(0)
    rows = []
    env.reset()
    for _ in range(200):
        obs, _, terminated, truncated = env.step(rng.uniform(-1, 1, env.action_dim).astype(np.float32))
        assert not terminated
        rows.append(obs)
        if truncated:
            env.reset()
    assert not ended(task, torch.tensor(np.array(rows)) * 100).any()


@pytest.mark.parametrize("task", sorted(terminations._BY_TASK))
def test_a_row_that_is_not_finite_is_ended_in_every_task(task):
    env = Env(task, 0) if not task.startswith("Pusher-v4") else Env("Pusher-v5", 0)
    start = torch.tensor(env.reset())
    rows = start.repeat(3, 1)
    rows[1, -1] = float("nan")
    rows[2, -1] = -float("inf")
    flags = ended(task, rows)
    assert flags.dtype == torch.bool and flags.tolist() == [False, True, True]


def test_a_task_without_a_known_function_asks_for_one_and_names_the_nearest():
    with pytest.raises(TerminationError, match=r"'Hoper-v5'.*nearest: Hopper-v5.*data\.termination"):
        for_task("Hoper-v5")
    with pytest.raises(TerminationError, match="MountainCar"):
        for_task("MountainCarContinuous-v0")


def test_a_users_function_runs_only_with_trust():
    name = "moore_engine.terminations:walker2d"
    with pytest.raises(TerminationError, match=f"--trust-code {name}"):
        for_task("Hopper-v5", name)
    with pytest.raises(TerminationError, match="--trust-code"):
        for_task("Hopper-v5", name, trust_code={"moore_engine.terminations:hopper"})
    assert for_task("Hopper-v5", name, trust_code={name}) is terminations.walker2d


@pytest.mark.parametrize("name", ["nonsuch.module:f", "moore_engine.terminations:nonsuch", "no_colon", ":f"])
def test_a_users_function_that_cannot_be_found_is_one_sentence(name):
    with pytest.raises(TerminationError, match=r"pkg\.module:function") as caught:
        for_task("Hopper-v5", name, trust_code={name})
    assert "\n" not in str(caught.value)
