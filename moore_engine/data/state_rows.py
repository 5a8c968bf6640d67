"""Rows of a data set with the simulator's state before each: stored by the set, or found again in the observations.

Whole stretches are read at places spread over the set, and as many rows as can be had of those that end or time out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from moore_engine.data import d4rl, hdf5, minari_set, physics, validate
from moore_engine.data.errors import DataError
from moore_engine.data.reference import Reference
from moore_engine.data.transitions import Bool

STRETCH = 50
# Of the rows that are taken, at most this share is chosen for being terminal, and the same for time-outs.
ENDING_SHARE = 0.2
# Gymnasium clips the velocities in these observations to +-10, so the state cannot be found again where one is there.
CLIPPED = ("Hopper", "Walker2d")
CLIP = 10.0
EPISODE = ("observations", "actions", "rewards", "terminations", "truncations")

Array = NDArray[Any]


@dataclass(frozen=True)
class StateRows:
    """k rows with states. `place` says where in the set each is, `timed_out` (k,) which of them time out.

    `source` says where the states come from; `left_out` counts rows that were taken and cannot be used, by reason.
    """

    samples: physics.Samples
    place: list[str]
    timed_out: Bool
    source: str
    left_out: dict[str, int]


@dataclass
class _Read:
    """Rows as they are stored; qpos and qvel are None where the set stores none."""

    obs: Array
    action: Array
    next_obs: Array
    reward: Array
    terminal: Bool
    timed_out: Bool
    place: list[str]
    qpos: Array | None
    qvel: Array | None
    unknown_next: int = 0


def take(reference: Reference, count: int) -> StateRows:
    """About `count` rows of the set; DataError where no state can be had."""
    if not physics.applies(reference.task):
        raise DataError(
            f"{reference.task} is not one of Gymnasium's MuJoCo tasks, so rows of {reference.path} cannot be replayed."
        )
    file = reference.file
    read = _from_d4rl(file, count) if file else _from_minari(reference.path, count)
    found = (read.obs.shape[1], read.action.shape[1])
    validate.check_dims(reference.path, reference.task, found, (reference.obs_dim, reference.action_dim))
    left_out = {"whose next observation is not known": read.unknown_next}
    if read.qpos is not None and read.qvel is not None:
        source, usable = "qpos and qvel of the set", np.ones(read.reward.size, np.bool_)
    else:
        source = "the observations, for the set stores no qpos and qvel"
        read.qpos, read.qvel, usable = _states(reference.task, read.obs)
        left_out["with a clipped velocity, whose state is not known"] = int((~usable).sum())
    arrays = (read.qpos, read.qvel, read.obs, read.action, read.next_obs, read.reward)
    finite = np.all([np.isfinite(each.reshape(each.shape[0], -1)).all(axis=1) for each in arrays], axis=0)
    left_out["that are not finite"] = int((usable & ~finite).sum())
    usable &= finite
    if not usable.any():
        raise DataError(f"{reference.path} has no row that can be replayed: its states are missing or not finite.")
    qpos, qvel, obs, action, next_obs, reward = (each[usable].astype(np.float64) for each in arrays)
    samples = physics.Samples(qpos, qvel, obs, action, next_obs, reward, read.terminal[usable])
    place = [place for place, use in zip(read.place, usable, strict=True) if use]
    return StateRows(samples, place, read.timed_out[usable], source, {k: v for k, v in left_out.items() if v})


def _from_d4rl(path: Path, count: int) -> _Read:
    name = str(path)
    hdf5.require(name)
    with hdf5.opened(name) as file:
        n, _, _ = d4rl.shape(name, file)
        terminals = validate.as_flags(name, "terminals", file["terminals"][()])
        timeouts = np.zeros(n, np.bool_)
        if "timeouts" in file:
            timeouts = validate.as_flags(name, "timeouts", hdf5.dataset(name, file, "timeouts")[()])
        rows = _choose(terminals, timeouts & ~terminals, count)
        stored_next = "next_observations" in file
        known = np.ones(rows.size, np.bool_)
        if not stored_next or _shifted(file, terminals | timeouts):
            known = ~(terminals | timeouts)[rows] & (rows < n - 1)
        rows, unknown = rows[known], int((~known).sum())
        following = ("next_observations", rows) if stored_next else ("observations", rows + 1)
        states = [_column(name, file, f"infos/{key}", n, rows) for key in ("qpos", "qvel")]
        return _Read(
            obs=_take(file["observations"], rows),
            action=_take(file["actions"], rows),
            next_obs=_take(file[following[0]], following[1]),
            reward=_take(file["rewards"], rows).reshape(-1),
            terminal=terminals[rows],
            timed_out=(timeouts & ~terminals)[rows],
            place=[f"row {row}" for row in rows],
            qpos=states[0],
            qvel=states[1],
            unknown_next=unknown,
        )


def _from_minari(path: str, count: int) -> _Read:
    """Stretches of episodes, each with its last row; infos may have a row more than there are steps."""
    found = minari_set.find(path)
    last_known = found.own.get("last_known", True)
    stretch = max(1, min(STRETCH, found.steps // found.episodes))
    episodes = np.unique(np.linspace(0, found.episodes - 1, max(1, count // stretch)).astype(np.int64))
    parts: dict[str, list[Array]] = {}
    place: list[str] = []
    unknown = 0
    with hdf5.opened(str(found.file), visit=False) as file:
        for episode in episodes.tolist():
            group = hdf5.find(file, f"episode_{episode}")
            if not isinstance(group, h5py.Group):
                raise DataError(f"{found.name} has no episode_{episode}: download, copy or make it again.")
            columns = {key: hdf5.dataset(found.name, group, key) for key in EPISODE}
            steps = columns["rewards"].shape[0]
            rows = np.arange(max(0, steps - STRETCH), steps)
            if not last_known:
                rows, unknown = rows[:-1], unknown + 1
            taken = {
                "obs": _slice(columns["observations"], rows),
                "action": _slice(columns["actions"], rows),
                "next_obs": _slice(columns["observations"], rows + 1),
                "reward": _slice(columns["rewards"], rows).reshape(-1),
                "terminal": _slice(columns["terminations"], rows).astype(np.bool_).reshape(-1),
                "timed_out": _slice(columns["truncations"], rows).astype(np.bool_).reshape(-1),
            }
            if hdf5.find(group, "infos/next_observations") is not None:
                taken["next_obs"] = _slice(hdf5.dataset(found.name, group, "infos/next_observations"), rows)
            for key in ("qpos", "qvel"):
                stored = hdf5.find(group, f"infos/{key}")
                if isinstance(stored, h5py.Dataset) and stored.ndim == 2 and stored.shape[0] >= steps:
                    taken[key] = _slice(hdf5.dataset(found.name, group, f"infos/{key}"), rows)
            for key, values in taken.items():
                parts.setdefault(key, []).append(values)
            place += [f"episode {episode}, step {row}" for row in rows]
    whole = {key: np.concatenate(values) for key, values in parts.items() if len(values) == len(episodes)}
    return _Read(
        obs=whole["obs"],
        action=whole["action"],
        next_obs=whole["next_obs"],
        reward=whole["reward"],
        terminal=whole["terminal"],
        timed_out=whole["timed_out"] & ~whole["terminal"],
        place=place,
        qpos=whole.get("qpos"),
        qvel=whole.get("qvel"),
        unknown_next=unknown,
    )


def _choose(terminals: Bool, timeouts: Bool, count: int) -> NDArray[np.int64]:
    """Row numbers, rising: stretches at places spread over the set, and some of the rows that end and that time out."""
    n = terminals.size
    if n <= count:
        return np.arange(n)
    few = max(1, int(ENDING_SHARE * count))
    chosen = [_spread(np.flatnonzero(flags), few) for flags in (terminals, timeouts)]
    left = max(STRETCH, count - sum(map(len, chosen)))
    starts = np.linspace(0, n - STRETCH, max(1, left // STRETCH)).astype(np.int64)
    chosen.append((starts[:, None] + np.arange(STRETCH)).ravel())
    return np.unique(np.concatenate(chosen))


def _spread(rows: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    return rows[np.unique(np.linspace(0, rows.size - 1, min(count, rows.size)).astype(np.int64))] if rows.size else rows


def _shifted(file: h5py.File, ends: Bool) -> bool:
    """Whether the next observations of rows that end are mostly those of the next episode's first row."""
    inner = _spread(np.flatnonzero(ends[:-1]), 50)
    if not inner.size:
        return False
    same = _take(file["next_observations"], inner) == _take(file["observations"], inner + 1)
    return bool(same.all(axis=1).mean() > 0.5)


def _column(name: str, file: h5py.File, key: str, n: int, rows: NDArray[np.int64]) -> Array | None:
    if key not in file:
        return None
    found = hdf5.dataset(name, file, key)
    return _take(found, rows) if found.ndim == 2 and found.shape[0] == n else None


def _take(stored: h5py.Dataset, rows: NDArray[np.int64]) -> Array:
    """Rows of a data set on disk, read a stretch at a time: h5py's own lists of rows take a millisecond each."""
    breaks = np.flatnonzero(np.diff(rows) != 1) + 1
    pieces = [stored[int(part[0]) : int(part[-1]) + 1] for part in np.split(rows, breaks) if part.size]
    return np.concatenate(pieces) if pieces else stored[:0]


def _slice(stored: h5py.Dataset, rows: NDArray[np.int64]) -> Array:
    return stored[int(rows[0]) : int(rows[-1]) + 1] if rows.size else stored[:0]


def _states(task: str, obs: Array) -> tuple[Array, Array, Bool]:
    """(qpos, qvel, which rows are usable) from observations that are a state without its first coordinates.

    Nothing depends on those, so 0 stands for them. DataError for a task whose observations are not of this kind.
    """
    env = physics.make(task)
    model: Any = env.unwrapped.model  # type: ignore[attr-defined]
    nq, nv = int(model.nq), int(model.nv)
    env.close()
    hidden = nq + nv - obs.shape[1]
    if not 0 <= hidden <= 2:
        raise DataError(f"the set stores no qpos and qvel, and observations of {task} do not tell its state.")
    qpos = np.concatenate([np.zeros((obs.shape[0], hidden)), obs[:, : nq - hidden]], axis=1)
    qvel = np.asarray(obs[:, nq - hidden :])
    usable = np.ones(obs.shape[0], np.bool_)
    if task.rpartition("-")[0] in CLIPPED:
        usable = (np.abs(qvel) < CLIP).all(axis=1)
    return qpos, qvel, usable
