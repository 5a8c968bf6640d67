"""Spot check of a file against the simulator: from stored states and actions, one step must give the stored next row.

It tells task versions apart: Walker2d-v5 has another right foot friction than v4, Hopper-v5 pays no +1 on the last
step.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from moore_engine.data.transitions import Bool, DataError

ANCHORS = 8
ROWS_PER_ANCHOR = 8
STRIDE = 50
# Relative to the step's own change; the same simulator reproduces float32 rows to about 1e-6.
MISFIT = 1e-2
START_TOLERANCE = 1e-3
# A version fits when at most this share of rows misfits.
FITS = 0.02
REWARD_TOLERANCE = 0.05
VERSIONS = ("v4", "v5")


@dataclass(frozen=True)
class Samples:
    """k rows to replay: qpos (k, nq), qvel (k, nv); obs, next_obs (k, obs_dim); action (k, action_dim) in the task's
    units; reward and terminal (k,)."""

    qpos: NDArray[Any]
    qvel: NDArray[Any]
    obs: NDArray[Any]
    action: NDArray[Any]
    next_obs: NDArray[Any]
    reward: NDArray[Any]
    terminal: Bool


@dataclass(frozen=True)
class Fit:
    """How one task version reproduces the samples.

    `states` is the share of rows that reach other next observations, `start` of those whose stored state is not that of
    their observation; `median_error` is relative to a step's change; `reward_error` (k,) is absolute.
    """

    states: float
    median_error: float
    reward_error: NDArray[np.float64]
    start: float


@dataclass(frozen=True)
class Replayed:
    """What a task makes of k samples: the observations of their states, and those and the rewards a step later."""

    obs: NDArray[np.float64]
    next_obs: NDArray[np.float64]
    reward: NDArray[np.float64]


def sample_rows(terminals: Bool) -> NDArray[np.int64]:
    """About 64 row numbers in 8 groups over the file, so that few chunks are read, and the first terminal after
    each."""
    n = terminals.size
    anchors = np.linspace(0, max(0, n - 1 - STRIDE * ROWS_PER_ANCHOR), ANCHORS).astype(np.int64)
    rows = (anchors[:, None] + STRIDE * np.arange(ROWS_PER_ANCHOR)).ravel()
    ended = np.flatnonzero(terminals)
    following = ended[np.minimum(np.searchsorted(ended, anchors), ended.size - 1)] if ended.size else ended
    return np.unique(np.concatenate([rows[rows < n], following]))


def applies(task: str) -> bool:
    """Whether `task` is one of Gymnasium's own MuJoCo tasks."""
    spec = gymnasium.registry.get(task)
    return spec is not None and str(spec.entry_point).startswith("gymnasium.envs.mujoco.")


def check(name: str, task: str, samples: Samples) -> list[str]:
    """Replays the samples; DataError when another version of the task made them, warnings for lesser differences."""
    own = replay(task, samples)
    if own is None:
        return [f"{name}: infos/qpos and infos/qvel do not have {task}'s dimensions, so its physics was not checked."]
    if own.start > 0.5:
        return [f"{name}: infos/qpos and infos/qvel are not those of the observations, so its physics was not checked."]
    if own.states <= FITS and not _reward_off(own, samples.terminal):
        return _reward_warning(name, task, own)
    for other in other_versions(task):
        fit = replay(other, samples)
        if fit is None or fit.states > FITS:
            continue
        if own.states > FITS:
            why = f"the next observations are {other}'s and not {task}'s on {own.states:.0%} of {len(samples.obs)} rows"
            raise DataError(_made_with(name, other, why + known_difference(task, other)))
        if not _reward_off(fit, samples.terminal):
            why = f"its rewards on terminal rows are {other}'s and not {task}'s"
            raise DataError(_made_with(name, other, why))
    share = f"{own.states:.0%} of {len(samples.obs)} rows"
    if own.states > 0.5 and own.median_error > 0.5:
        raise DataError(
            f"{name} was made with another version of the task or with other parameters: from the stored states {task} "
            f"reaches other next observations on {share}, so choose the task it was made with."
        )
    if own.states > FITS:
        return [
            f"{name}: {task} in this MuJoCo differs from the stored next observations on {share} (median "
            f"{own.median_error:.2g} of a step's change); an older simulator may have made it."
        ]
    return _reward_warning(name, task, own)


def replay(task: str, samples: Samples) -> Fit | None:
    """How one step of `task` from each sample fits the stored one; None where the samples are not of its dimensions."""
    replayed = replay_rows(task, samples)
    if replayed is None:
        return None
    change = np.linalg.norm(samples.next_obs - samples.obs, axis=1) + 1e-3
    error = np.linalg.norm(replayed.next_obs - samples.next_obs, axis=1) / change
    start = np.abs(replayed.obs - samples.obs).max(axis=1)
    return Fit(
        states=1 - float((error <= MISFIT).mean()),
        median_error=float(np.median(error)),
        reward_error=np.abs(replayed.reward - samples.reward),
        start=1 - float((start <= START_TOLERANCE).mean()),
    )


def replay_rows(task: str, samples: Samples, progress: Callable[[int], None] = lambda done: None) -> Replayed | None:
    """One step of `task` from each sample's state; None where states or rows do not have its dimensions."""
    env = make(task)
    try:
        inner: Any = env.unwrapped
        first, _ = env.reset(seed=0)
        model, data = inner.model, inner.data
        sizes = samples.qpos.shape[1:], samples.qvel.shape[1:], samples.obs.shape[1:], samples.action.shape[1:]
        if sizes != ((model.nq,), (model.nv,), first.shape, env.action_space.shape):
            return None
        obs, next_obs = np.empty(samples.obs.shape), np.empty(samples.obs.shape)
        reward = np.empty(samples.reward.size)
        for k in range(reward.size):
            _reset_data(model, data)
            inner.set_state(samples.qpos[k].astype(np.float64), samples.qvel[k].astype(np.float64))
            obs[k] = inner._get_obs()
            next_obs[k], reward[k], *_ = inner.step(samples.action[k].astype(np.float64))
            progress(k + 1)
    finally:
        env.close()
    return Replayed(obs, next_obs, reward)


def _reward_off(fit: Fit, terminal: Bool) -> bool:
    """Whether most terminal rows' rewards are off by about a healthy reward and the others' are not."""
    if not terminal.any() or terminal.all():
        return False
    return bool(
        np.median(fit.reward_error[terminal]) > 0.5 and np.median(fit.reward_error[~terminal]) <= REWARD_TOLERANCE
    )


def _reward_warning(name: str, task: str, fit: Fit) -> list[str]:
    off = float(np.median(fit.reward_error))
    if off <= REWARD_TOLERANCE:
        return []
    return [f"{name}: rewards differ from {task}'s by {off:.2g} in the median, so returns are not on the task's scale."]


def _made_with(name: str, other: str, why: str) -> str:
    return f"{name} was made with another version of the task: {why}, so set data.task to {other} or give another file."


def known_difference(task: str, other: str) -> str:
    """Why two versions differ in their dynamics, in brackets, where that is known."""
    return " (right foot friction)" if task.startswith("Walker2d") and other.startswith("Walker2d") else ""


def _version(task: str) -> str:
    return task.rpartition("-")[2]


def other_versions(task: str) -> list[str]:
    """The task's other versions that a file may have been made with."""
    family = re.sub(r"-v\d+$", "", task)
    return [
        f"{family}-{version}"
        for version in VERSIONS
        if version != _version(task) and f"{family}-{version}" in gymnasium.registry
    ]


def make(task: str) -> gymnasium.Env[Any, Any]:
    """The task, with MuJoCo's and Gymnasium's warnings silenced."""
    import mujoco

    # Without a handler MuJoCo prints its warnings and appends them to MUJOCO_LOG.TXT in the working directory.
    mujoco.set_mju_user_warning(lambda message: None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return gymnasium.make(task, disable_env_checker=True)


def _reset_data(model: Any, data: Any) -> None:
    import mujoco

    # Forgets the last sample's solver warm start, so that each row is replayed alike.
    mujoco.mj_resetData(model, data)
