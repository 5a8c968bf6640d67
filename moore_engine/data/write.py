"""Writing a data set in D4RL's v2 layout: gzip, and only ever a whole file under its name."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray

from moore_engine.rundir import fsync

CHUNK_ROWS = 8192


def write_d4rl(
    path: str | os.PathLike[str],
    *,
    observations: ArrayLike,
    actions: ArrayLike,
    next_observations: ArrayLike,
    rewards: ArrayLike,
    terminals: ArrayLike,
    timeouts: ArrayLike,
    qpos: ArrayLike | None = None,
    qvel: ArrayLike | None = None,
    task: str | None = None,
    attrs: Mapping[str, str | int | float] | None = None,
    tick: Callable[[], None] = lambda: None,
) -> None:
    """Writes n rows: observations and next_observations (n, obs_dim), actions (n, action_dim) in the task's units.

    Rewards, terminals and timeouts are (n,). Stored as float32 and bool, simulator states `qpos` (n, nq) and `qvel`
    (n, nv) as float64; `task` and `attrs` become the file's attributes. Equal rows give equal bytes. An existing file
    is replaced at once. `tick` is called after each array. ValueError on unequal lengths.
    """
    arrays: dict[str, NDArray[np.generic]] = {
        "observations": np.asarray(observations, np.float32),
        "actions": np.asarray(actions, np.float32),
        "next_observations": np.asarray(next_observations, np.float32),
        "rewards": np.asarray(rewards, np.float32).reshape(-1),
        "terminals": np.asarray(terminals, np.bool_).reshape(-1),
        "timeouts": np.asarray(timeouts, np.bool_).reshape(-1),
    }
    for key, values in (("infos/qpos", qpos), ("infos/qvel", qvel)):
        if values is not None:
            arrays[key] = np.asarray(values, np.float64)
    lengths = {key: len(values) for key, values in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"the arrays differ in length: {lengths}.")
    write_arrays(path, arrays, {"task": task, **(attrs or {})}, tick=tick)


def write_arrays(
    path: str | os.PathLike[str],
    arrays: Mapping[str, NDArray[Any]],
    attrs: Mapping[str, str | int | float | None] | None = None,
    *,
    more: Callable[[h5py.File], None] = lambda file: None,
    tick: Callable[[], None] = lambda: None,
) -> None:
    """Writes arrays (n, ...) as they are, by key, with the file's attributes and whatever `more` adds; all or
    nothing."""
    path = Path(path)
    part = path.with_name(f".{path.name}.part-{os.getpid()}")
    try:
        with h5py.File(part, "w") as file:
            file.attrs.update({key: value for key, value in (attrs or {}).items() if value is not None})
            for key, values in arrays.items():
                chunk = tuple(max(1, size) for size in (min(CHUNK_ROWS, values.shape[0]), *values.shape[1:]))
                file.create_dataset(key, data=values, chunks=chunk, compression="gzip", shuffle=True)
                tick()
            more(file)
        fsync(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    fsync(path.parent)
