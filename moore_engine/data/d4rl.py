"""D4RL's HDF5 files, layouts v0, v1 and v2: read into a checked transition table, described, and written (v2).

Rows keep the stored next_observations. Where a file has none (v0), or made them by shifting observations, the last
row of every episode is dropped, terminal ones too: its successor is unknown, and the next episode's reset state would
poison a dynamics model. An episode is then also cut after 1000 rows, since v0 replay files mark no time-outs.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from moore_engine.buffers import Layout
from moore_engine.data import genuine, hdf5, labels, physics, validate
from moore_engine.data.bounded import widen
from moore_engine.data.checked import Marks, Raw, Wanted, finish
from moore_engine.data.errors import DataError
from moore_engine.data.transitions import Bool, Float32, Transitions
from moore_engine.data.write import write_d4rl

__all__ = ["FileInfo", "info", "load", "write_d4rl"]

MAX_EPISODE_STEPS = 1000
REQUIRED = ("observations", "actions", "rewards", "terminals")
_OLD_LAYOUT = {
    "d4rl-v0": "{name} has no next_observations (D4RL v0), so the last row of every episode is dropped; v0 files have "
    "known faults, so prefer the v2 file.",
    "d4rl-v1": "{name} is a D4RL v1 file, some of which were published with faults (the hopper sets are swapped): "
    "prefer the v2 file.",
}


@dataclass(frozen=True)
class FileInfo:
    """What a file says about itself, read without its rows; `same_size_as` names the official file of its size, if
    any."""

    path: str
    bytes: int
    rows: int
    obs_dim: int
    action_dim: int
    format: str
    task: str | None
    made_by: str | None
    same_size_as: str | None
    keys: tuple[str, ...]


def load(path: str | os.PathLike[str], *, sha256: str | None = None, **options: Any) -> Transitions:
    """Reads the file at `path`; options are those of `checked.Wanted`. Raises DataError.

    `sha256` is the file's, where it is known already.
    """
    name, wanted = os.fspath(path), Wanted(**options)
    hdf5.require(name)
    with hdf5.Digest(name, sha256) as digest:
        with hdf5.opened(name) as file:
            raw = _read(name, file, wanted)
            stored_next = "next_observations" in file

        def marks(raw: Raw, wanted: Wanted) -> Marks:
            flags = (raw.terminals, raw.timeouts)
            ends, known_next, warnings = divide(name, raw.table, wanted.layout, flags, stored_next, wanted.checks)
            raw.warnings += warnings
            return ends, known_next

        return finish(raw, wanted, marks, lambda: genuine.identify(name, digest.result()))


def info(path: str | os.PathLike[str]) -> FileInfo:
    """Sizes, keys and names of the file at `path`, in milliseconds; raises DataError."""
    name = os.fspath(path)
    hdf5.require(name)
    size = Path(name).stat().st_size
    with hdf5.opened(name) as file:
        rows, obs_dim, action_dim = shape(name, file)
        keys: list[str] = []
        file.visititems(lambda key, item: keys.append(hdf5.shown(key)) if isinstance(item, h5py.Dataset) else None)
        stored_next = "next_observations" in file
        task, made_by = labels.task(file), labels.made_by(file)
    version = _format(name, stored_next)
    alike = genuine.of_size(size)
    return FileInfo(name, size, rows, obs_dim, action_dim, version, task, made_by, alike, tuple(sorted(keys)))


def _read(name: str, file: h5py.File, wanted: Wanted) -> Raw:
    task, layout, checks = wanted.task, wanted.layout, wanted.checks
    own_task = labels.task(file)
    if checks and own_task is not None and own_task != task:
        raise DataError(
            f"{name} was made with {own_task} but the run asks for {task}: set data.task to {own_task} or give another "
            f"file."
        )
    n, obs_dim, action_dim = shape(name, file)
    validate.check_dims(name, task, (obs_dim, action_dim), (layout.obs_dim, layout.action_dim))
    if checks:
        validate.check_row_count(name, n)
    stored_next = "next_observations" in file
    warnings = []
    version = _format(name, stored_next)
    if checks and version in _OLD_LAYOUT:
        warnings.append(_OLD_LAYOUT[version].format(name=name))

    terminals = validate.as_flags(name, "terminals", file["terminals"][()])
    if "timeouts" in file:
        timeouts = validate.as_flags(name, "timeouts", hdf5.dataset(name, file, "timeouts")[()])
    else:
        timeouts = np.zeros(n, np.bool_)
        if checks:
            warnings.append(f"{name} marks no time-outs: it has no key timeouts.")
    both = int((terminals & timeouts).sum())
    if checks and both:
        warnings.append(f"{name} marks {both} rows as terminal and timed out: they are taken as terminal.")

    widen(4 * n * layout.width)
    table: Float32 = np.empty((n, layout.width), np.float32)
    for key, columns in (
        ("observations", layout.obs),
        ("actions", layout.action),
        ("next_observations", layout.next_obs),
    ):
        if key in file:
            file[key].read_direct(table, dest_sel=np.s_[:, columns])
    if not stored_next:
        table[:-1, layout.next_obs] = table[1:, layout.obs]
        table[-1, layout.next_obs] = table[-1, layout.obs]
    with np.errstate(over="ignore"):
        table[:, layout.reward] = file["rewards"][()].reshape(n, 1)
    table[:, layout.terminal] = terminals[:, None]
    samples = _samples(name, file, task, table, layout, terminals) if checks and stored_next else None
    maker, reference = labels.made_by(file), labels.reference(name, file)
    return Raw(name, version, table, terminals, timeouts, own_task, maker, reference, warnings, samples)


def shape(name: str, file: h5py.File) -> tuple[int, int, int]:
    """(rows, obs_dim, action_dim), after checking that the keys exist, hold numbers and are equally long."""
    missing = [key for key in REQUIRED if key not in file]
    if missing:
        there = ", ".join(sorted(map(hdf5.shown, file))[:6]) or "nothing"
        remedy = "name it by its id, minari:NAME-vN" if "episode_0" in file else "give a file in D4RL's layout"
        raise DataError(f"{name} has no {' and no '.join(missing)} (it has {there}): {remedy}.")
    keys = [*REQUIRED, *(key for key in ("next_observations", "timeouts") if key in file)]
    shapes = {key: hdf5.dataset(name, file, key).shape for key in keys}
    for key, shape in shapes.items():
        wide = key in ("observations", "actions", "next_observations")
        if len(shape) != 2 if wide else not (len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)):
            expected = "(rows, dimensions)" if wide else "(rows,) or (rows, 1)"
            raise DataError(f"{name}: {key} has shape {shape} and not {expected}: give a file in D4RL's layout.")
    n, obs_dim = shapes["observations"]
    for key, shape in shapes.items():
        if shape[0] != n:
            raise DataError(
                f"{name}: {key} has {shape[0]} rows and observations {n}: the file was cut or put together wrongly; "
                f"give another."
            )
    if shapes.get("next_observations", (n, obs_dim))[1] != obs_dim:
        raise DataError(
            f"{name}: next_observations have {shapes['next_observations'][1]} dimensions and observations {obs_dim}: "
            f"give another file."
        )
    if n == 0:
        raise DataError(f"{name} holds no rows: give another file.")
    action_dim = shapes["actions"][1]
    claimed = 4 * n * Layout(obs_dim, action_dim).width
    if claimed > hdf5.allowance(name):
        raise hdf5.too_large(name, name, f"a table of its {n:,} rows", claimed)
    return n, obs_dim, action_dim


def divide(
    name: str, table: Float32, layout: Layout, flags: Marks, stored_next: bool, checks: bool = True
) -> tuple[Bool, Bool, list[str]]:
    """Two masks (n,), the last rows of episodes and the rows whose next_obs is known, and warnings.

    Of the table (n, layout.width) only obs and next_obs are looked at; `flags` are (terminals, timeouts), each (n,).
    """
    warnings = []
    ends = flags[0] | flags[1]
    shifted = stored_next and validate.ends_are_shifted(table, layout, ends)
    if stored_next and not shifted:
        joins = validate.find_joins(name, table, layout, ends, refuse=checks)
        if checks and joins.any():
            warnings.append(
                f"{name}: {int(joins.sum())} rows neither end nor time out and are not followed by their next "
                f"observation (first: row {int(joins.argmax())}); they are taken as unmarked time-outs."
            )
        return ends | joins, np.ones_like(ends), warnings
    if shifted and checks:
        warnings.append(
            f"{name}: next_observations of episodes' last rows are the next episode's first observations, so those "
            f"rows are dropped."
        )
    position = np.arange(ends.size)
    starts = np.concatenate(([True], ends[:-1]))
    steps = position - np.maximum.accumulate(np.where(starts, position, 0)) + 1
    ends = ends | (steps % MAX_EPISODE_STEPS == 0)
    known_next = ~ends
    known_next[-1] = False
    return ends, known_next, warnings


def _samples(
    name: str, file: h5py.File, task: str, table: Float32, layout: Layout, terminals: Bool
) -> physics.Samples | None:
    """Rows for the physics check, where the file holds simulator states of a simulator there is."""
    if "infos/qpos" not in file or "infos/qvel" not in file or not physics.applies(task):
        return None
    qpos, qvel = hdf5.dataset(name, file, "infos/qpos"), hdf5.dataset(name, file, "infos/qvel")
    if not (qpos.ndim == qvel.ndim == 2 and qpos.shape[0] == qvel.shape[0] == table.shape[0]):
        return None
    rows = physics.sample_rows(terminals)
    return physics.Samples(
        qpos=np.stack([qpos[row] for row in rows]),
        qvel=np.stack([qvel[row] for row in rows]),
        obs=table[rows, layout.obs],
        action=table[rows, layout.action],
        next_obs=table[rows, layout.next_obs],
        reward=table[rows, layout.reward].ravel(),
        terminal=terminals[rows],
    )


def _format(name: str, stored_next: bool) -> str:
    if not stored_next:
        return "d4rl-v0"
    return "d4rl-v1" if re.search(r"-v1$", Path(name).stem) else "d4rl-v2"
