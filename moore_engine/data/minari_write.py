"""Writing Minari data sets (format of 0.5, HDF5) without the minari package; a set is listed only once it is whole.

Every array of an episode is one chunk with a checksum, in the file format of HDF5 1.10: a fifth of the size that
Minari's own writer gives short episodes, and a flipped bit is noticed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import gymnasium as gym
import h5py
import numpy as np
from gymnasium.envs.registration import EnvSpec
from h5py import h5a, h5d, h5g, h5p, h5s, h5t
from numpy.typing import ArrayLike, NDArray

from moore_engine.data.catalogue import minari_dir
from moore_engine.data.errors import DataError
from moore_engine.data.minari_place import appearing
from moore_engine.data.minari_set import DATA_FILE, METADATA_FILE, OWN_KEY, parse
from moore_engine.data.transitions import Bool
from moore_engine.rundir import fsync

MINARI_VERSION = "0.5.4"
CHUNK_ROWS = 4096

Array = NDArray[Any]


@dataclass(frozen=True)
class About:
    """What a set says of itself; `reference` are the returns of score 0 and 100, means of `reference_episodes`."""

    algorithm: str | None = None
    author: tuple[str, ...] = ()
    author_email: tuple[str, ...] = ()
    code_permalink: str | None = None
    description: str | None = None
    reference: tuple[float, float] | None = None
    reference_episodes: int | None = None
    requirements: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rows:
    """n rows in the order they were collected, in any number type, which is kept.

    observations, next_observations (n, obs_dim), actions (n, action_dim) in the task's units, rewards (n,), flags (n,),
    `infos` by path (`qpos`), each (n, ...). `ends` (n,) marks the last rows of episodes, by default the flagged ones.
    Without `last_known`, the next observation of episodes' last rows is not known.
    """

    observations: Array
    actions: Array
    next_observations: Array | None
    rewards: Array
    terminals: Bool
    timeouts: Bool
    infos: Mapping[str, Array] = field(default_factory=dict)
    ends: Bool | None = None
    last_known: bool = True


def write_minari(
    dataset_id: str,
    rows: Rows,
    *,
    task: str,
    low: ArrayLike,
    high: ArrayLike,
    about: About | None = None,
    own: Mapping[str, Any] | None = None,
    beside: Callable[[Path], None] = lambda folder: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Writes the set `dataset_id` (NAMESPACE/NAME-vN) where Minari looks for it, and returns its folder.

    `low`, `high` (action_dim,) are the task's action bounds. `own` is kept in the metadata for the reader here,
    `beside` may put further files into the data folder, `progress(done, total)` is called after each episode. Episodes
    that end with neither flag are marked truncated. Raises DataError, and leaves nothing behind, if the id is taken or
    malformed, or if the arrays do not fit together.
    """
    parse(dataset_id)
    _check(rows)
    ends = (rows.terminals | rows.timeouts) if rows.ends is None else rows.ends.copy()
    ends[-1] = True
    cut = ends & ~(rows.terminals | rows.timeouts)
    last = np.flatnonzero(ends)
    facts: dict[str, Any] = {**(own or {}), "last_known": rows.last_known and rows.next_observations is not None}
    if cut.any():
        facts["cut"] = np.flatnonzero(cut[last]).tolist()
    infos = dict(rows.infos)
    facts["next_observations"] = "none"
    if rows.next_observations is not None:
        apart = _next_is_apart(rows.observations, rows.next_observations, ends, rows.last_known)
        facts["next_observations"] = "apart" if apart else "implied"
        if apart:
            infos["next_observations"] = rows.next_observations
    with appearing(dataset_id) as folder:
        data = folder / "data"
        data.mkdir()
        beside(data)
        _write_episodes(data / DATA_FILE, rows, infos, last, rows.timeouts | cut, progress)
        size = sum(path.stat().st_size for path in data.iterdir())
        metadata = {
            "total_episodes": int(last.size),
            "total_steps": int(ends.size),
            "data_format": "hdf5",
            "jpeg_encoding": False,
            "observation_space": json.dumps(_unbounded(rows.observations)),
            "action_space": json.dumps(_box(rows.actions.dtype, np.asarray(low), np.asarray(high))),
            **_environment(task),
            "dataset_id": dataset_id,
            **_about(about or About()),
            "minari_version": MINARI_VERSION,
            "dataset_size": round(size / 1e6, 1),
            OWN_KEY: facts,
        }
        (data / METADATA_FILE).write_text(json.dumps(metadata), encoding="utf-8")
        for path in (*data.iterdir(), data):
            fsync(path)
    return minari_dir() / dataset_id


def _check(rows: Rows) -> None:
    arrays = {
        "observations": rows.observations, "actions": rows.actions, "rewards": rows.rewards,
        "terminals": rows.terminals, "timeouts": rows.timeouts, **rows.infos,
    }  # fmt: skip
    if rows.next_observations is not None:
        arrays["next_observations"] = rows.next_observations
    lengths = {key: len(values) for key, values in arrays.items()}
    if len(set(lengths.values())) != 1 or not lengths["rewards"]:
        raise DataError(f"arrays of {lengths} rows make no data set: give as many rows of each, and at least one.")
    if "next_observations" in rows.infos:
        raise DataError("infos/next_observations is kept for the set's own use: rename that array.")


def _next_is_apart(observations: Array, following: Array, ends: Bool, last_known: bool) -> bool:
    """Whether next_observations say more than the observations after them, and the last one of each episode."""
    if not last_known or (following.dtype, following.shape) != (observations.dtype, observations.shape):
        return True
    going_on = np.flatnonzero(~ends[:-1])
    implied = np.ascontiguousarray(observations[going_on + 1])
    return np.ascontiguousarray(following[going_on]).tobytes() != implied.tobytes()


def _write_episodes(
    path: Path,
    rows: Rows,
    infos: Mapping[str, Array],
    last: NDArray[np.int64],
    truncations: Bool,
    progress: Callable[[int, int], None],
) -> None:
    following = rows.next_observations if rows.last_known and rows.next_observations is not None else rows.observations
    final = following[last].astype(rows.observations.dtype, copy=False)
    above = (folder for key in infos for folder in reversed(PurePosixPath("infos", key).parents[:-1]))
    folders = list(dict.fromkeys(map(str, above)))
    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        writer = _Writer()
        start = 0
        for episode, stop in enumerate((last + 1).tolist()):
            group = writer.group(file.id, b"episode_%d" % episode)
            for folder in folders:
                writer.group(group, folder.encode())
            writer.attribute(group, b"id", episode)
            writer.attribute(group, b"total_steps", stop - start)
            writer.put(group, b"observations", np.concatenate((rows.observations[start:stop], final[episode, None])))
            writer.put(group, b"actions", rows.actions[start:stop])
            writer.put(group, b"rewards", rows.rewards[start:stop].reshape(-1))
            writer.put(group, b"terminations", rows.terminals[start:stop])
            writer.put(group, b"truncations", truncations[start:stop])
            for key, values in infos.items():
                writer.put(group, b"infos/" + key.encode(), values[start:stop])
            progress(episode + 1, last.size)
            start = stop


class _Writer:
    """HDF5's low-level calls with what is the same for every array made once; no object keeps its time."""

    def __init__(self) -> None:
        self._scalar = h5s.create(h5s.SCALAR)
        self._group = h5p.create(h5p.GROUP_CREATE)
        self._group.set_obj_track_times(False)
        self._types: dict[Any, h5t.TypeID] = {}
        self._layouts: dict[tuple[int, ...], h5p.PropDCID] = {}

    def group(self, within: h5g.GroupID, name: bytes) -> h5g.GroupID:
        return h5g.create(within, name, gcpl=self._group)

    def attribute(self, group: h5g.GroupID, name: bytes, value: int) -> None:
        h5a.create(group, name, h5t.NATIVE_INT64, self._scalar).write(np.array(value, np.int64))

    def put(self, group: h5g.GroupID, name: bytes, values: Array) -> None:
        values = np.ascontiguousarray(values)
        kind = self._types.get(values.dtype)
        if kind is None:
            kind = self._types[values.dtype] = h5t.py_create(values.dtype, logical=True)
        space = h5s.create_simple(values.shape)
        h5d.create(group, name, kind, space, self._layout(values.shape)).write(h5s.ALL, h5s.ALL, values)

    def _layout(self, shape: tuple[int, ...]) -> h5p.PropDCID:
        layout = self._layouts.get(shape)
        if layout is None:
            layout = self._layouts[shape] = h5p.create(h5p.DATASET_CREATE)
            layout.set_obj_track_times(False)
            layout.set_fill_time(h5d.FILL_TIME_NEVER)
            if 0 not in shape:
                layout.set_chunk((min(shape[0], CHUNK_ROWS), *shape[1:]))
                layout.set_fletcher32()
        return layout


def _about(about: About) -> dict[str, Any]:
    low, high = about.reference or (None, None)
    found = {
        "algorithm_name": about.algorithm,
        "author": sorted(about.author),
        "author_email": sorted(about.author_email),
        "code_permalink": about.code_permalink,
        "description": about.description,
        "requirements": list(about.requirements),
        "ref_min_score": low,
        "ref_max_score": high,
        "num_episodes_average_score": about.reference_episodes,
    }
    return {key: value for key, value in found.items() if value not in (None, [])}


def _environment(task: str) -> dict[str, str]:
    """The task's specification as Gymnasium has it registered; of a task that it does not know, only its id."""
    spec = gym.registry.get(task.rpartition(":")[2])
    try:
        text = (spec or EnvSpec(task)).to_json()
    except (TypeError, ValueError):  # its arguments are no JSON
        text = EnvSpec(task).to_json()
    return {"env_spec": text, "eval_env_spec": text}


def _unbounded(observations: Array) -> dict[str, Any]:
    shape, dtype = observations.shape[1:], observations.dtype
    if dtype.kind == "f":
        return _box(dtype, np.full(shape, -np.inf), np.full(shape, np.inf))
    limits = np.iinfo(dtype if dtype.kind in "iu" else np.uint8)
    return _box(dtype, np.full(shape, limits.min), np.full(shape, limits.max))


def _box(dtype: np.dtype[Any], low: Array, high: Array) -> dict[str, Any]:
    return {"type": "Box", "dtype": str(dtype), "shape": list(low.shape), "low": low.tolist(), "high": high.tolist()}
