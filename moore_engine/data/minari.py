"""Local Minari data sets (0.4 and 0.5, stored as HDF5) read into a checked table, without the minari package."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from moore_engine.buffers import Layout
from moore_engine.data import genuine, hdf5, physics, validate
from moore_engine.data.bounded import widen
from moore_engine.data.checked import Marks, Raw, Wanted, finish
from moore_engine.data.d4rl import FileInfo
from moore_engine.data.errors import DataError
from moore_engine.data.minari_episodes import EpisodeReader
from moore_engine.data.minari_set import MinariFacts, check_spaces, check_task, find
from moore_engine.data.transitions import Bool, Float32, Transitions

Progress = Callable[[int, int], None]


def load(
    dataset_id: str,
    *,
    sha256: str | None = None,
    progress: Progress = lambda done, total: None,
    **options: Any,
) -> Transitions:
    """Reads the set `dataset_id`, with or without `minari:`; options are those of `checked.Wanted`. Raises DataError.

    Its sha256 is that of main_data.hdf5, `sha256` where it is known already; `progress(done, total)` counts episodes.
    """
    found, wanted = find(dataset_id), Wanted(**options)
    path = str(found.file)
    hdf5.require(path)
    with hdf5.Digest(path, sha256) as digest:
        with hdf5.opened(path) as file:
            episodes = _Episodes(found, file, wanted.layout)
            raw = _read(found, file, episodes, wanted, progress)
        return finish(raw, wanted, episodes.marks, lambda: genuine.Identity(digest.result(), None, None))


def info(dataset_id: str) -> FileInfo:
    """What the set says about itself, in milliseconds; raises DataError."""
    found = find(dataset_id)
    path = str(found.file)
    hdf5.require(path)
    check_spaces(found)
    with hdf5.opened(path, visit=False) as file:
        group = hdf5.find(file, "episode_0")
        if not isinstance(group, h5py.Group):
            raise DataError(f"{found.name}: {path} has no episode_0: its creation was cut short, so make it again.")
        keys: list[str] = []
        group.visititems(lambda key, item: keys.append(key) if isinstance(item, h5py.Dataset) else None)
        obs_dim, action_dim = (
            math.prod(hdf5.dataset(path, group, key).shape[1:]) for key in ("observations", "actions")
        )
    return FileInfo(
        path=found.name,
        bytes=found.file.stat().st_size,
        rows=found.steps,
        obs_dim=obs_dim,
        action_dim=action_dim,
        format="minari",
        task=found.task,
        made_by=found.algorithm,
        same_size_as=None,
        keys=tuple(sorted(keys)),
    )


def _read(found: MinariFacts, file: h5py.File, episodes: _Episodes, wanted: Wanted, progress: Progress) -> Raw:
    warnings = []
    check_spaces(found)
    if wanted.checks:
        warnings += check_task(found, wanted.task)
    episodes.check_dims(wanted)
    episodes.read(progress)
    name, layout = found.name, wanted.layout
    if wanted.checks:
        validate.check_row_count(name, len(episodes.table))
    table = episodes.table
    terminals = validate.as_flags(name, "terminations", episodes.terminations)
    truncations = validate.as_flags(name, "truncations", episodes.truncations)
    table[:, layout.terminal] = terminals[:, None]
    raw = Raw(name, "minari", table, terminals, truncations, found.task, found.algorithm, found.reference, warnings)
    episodes.settle(raw, wanted)
    if wanted.checks:
        raw.samples = _samples(file, episodes, raw, wanted)
    return raw


class _Episodes:
    """The episodes of an open file, read one after the other into one table."""

    def __init__(self, found: MinariFacts, file: h5py.File, layout: Layout) -> None:
        self._found, self._file, self._layout = found, file, layout
        self._reader = EpisodeReader(found, file.id)
        rows = min(found.steps, hdf5.allowance(str(found.file)) // (4 * layout.width))
        widen(2 * rows * (4 * layout.width + 2))
        self.table: Float32 = np.empty((rows, layout.width), np.float32)
        self.terminations: NDArray[Any] = np.empty(rows, np.uint8)
        self.truncations: NDArray[Any] = np.empty(rows, np.uint8)
        self.lengths: NDArray[np.int64] = np.zeros(found.episodes, np.int64)
        self.ends: Bool = np.zeros(0, np.bool_)
        self.known_next: Bool = np.zeros(0, np.bool_)

    def check_dims(self, wanted: Wanted) -> None:
        obs_dim, action_dim = (self._reader.width(key) for key in ("observations", "actions"))
        task = (self._layout.obs_dim, self._layout.action_dim)
        validate.check_dims(self._found.name, wanted.task, (obs_dim, action_dim), task)

    def read(self, progress: Progress) -> None:
        """Fill the table (actions in the task's units) and the flags; the arrays shrink to the rows there are."""
        layout, reader, total = self._layout, self._reader, self._found.episodes
        following = "infos/next_observations" if self._found.own.get("next_observations") == "apart" else None
        done = 0
        for episode in range(total):
            n = reader.steps(episode)
            if done + n > len(self.table):
                self._grow(done + n)
            rows = self.table[done : done + n]
            obs = reader.numbers(episode, "observations", n + 1, layout.obs_dim)
            rows[:, layout.obs] = obs[:-1]
            rows[:, layout.next_obs] = reader.numbers(episode, following, n, layout.obs_dim) if following else obs[1:]
            rows[:, layout.action] = reader.numbers(episode, "actions", n, layout.action_dim)
            rows[:, layout.reward] = reader.numbers(episode, "rewards", n, 1)
            reader.flags(episode, "terminations", self.terminations[done : done + n])
            reader.flags(episode, "truncations", self.truncations[done : done + n])
            self.lengths[episode] = n
            done += n
            progress(episode + 1, total)
        if done == 0:
            raise DataError(f"{self._found.name} holds no rows: give another data set.")
        self._fit(done)

    def settle(self, raw: Raw, wanted: Wanted) -> None:
        """Mark where episodes end, and undo in the flags what write_minari had to add to a D4RL file's."""
        name, own = self._found.name, self._found.own
        last = np.cumsum(self.lengths)[self.lengths > 0] - 1
        self.ends = np.zeros(len(raw.table), np.bool_)
        self.ends[last] = True
        cut = own.get("cut", [])
        if isinstance(cut, list) and all(isinstance(each, int) and 0 <= each < last.size for each in cut):
            raw.timeouts[last[cut]] = False
        flagged = raw.terminals | raw.timeouts
        unmarked = last[~flagged[last]]
        # A last episode that was cut counts only where there is no other, as in D4RL's files.
        self.ends[unmarked[unmarked == last[-1]]] = last.size == 1
        self.known_next = np.ones_like(self.ends)
        self.known_next[last] = own.get("last_known") is not False
        if not wanted.checks:
            return
        both, inside = int((raw.terminals & raw.timeouts).sum()), int((flagged & ~self.ends).sum())
        if both:
            raw.warnings.append(f"{name} marks {both} rows as terminal and truncated: they are taken as terminal.")
        if inside:
            raw.warnings.append(f"{name} marks {inside} rows as ended that are not the last of their episodes.")
        if unmarked.size and not cut:
            raw.warnings.append(f"{name}: {unmarked.size} episodes end with neither flag; they are taken as truncated.")
        if own.get("last_known") is False:
            raw.warnings.append(
                f"{name} does not know the last next observation of its episodes, so {last.size} rows are dropped."
            )

    def marks(self, raw: Raw, wanted: Wanted) -> Marks:
        return self.ends, self.known_next

    def row_of(self, row: int) -> tuple[int, int]:
        """(episode, step) of a row of the table."""
        stops = np.cumsum(self.lengths)
        episode = int(np.searchsorted(stops, row, side="right"))
        return episode, row - int(stops[episode] - self.lengths[episode])

    def _grow(self, rows: int) -> None:
        rows = max(rows, 2 * len(self.table))
        path, claimed = str(self._found.file), 4 * rows * self._layout.width
        if claimed > hdf5.allowance(path):
            raise hdf5.too_large(self._found.name, path, f"a table of its {rows:,} rows", claimed)
        widen(2 * claimed)
        self.table, self.terminations, self.truncations = (
            np.concatenate((part, np.empty((rows - len(part), *part.shape[1:]), part.dtype)))
            for part in (self.table, self.terminations, self.truncations)
        )

    def _fit(self, rows: int) -> None:
        spare = len(self.table) - rows
        self.table, self.terminations, self.truncations = (
            part[:rows].copy() if spare > rows // 16 else part[:rows]
            for part in (self.table, self.terminations, self.truncations)
        )


def _samples(file: h5py.File, episodes: _Episodes, raw: Raw, wanted: Wanted) -> physics.Samples | None:
    """Rows for the physics check, where the episodes hold simulator states of a simulator there is."""
    if not physics.applies(wanted.task) or not all(f"episode_0/infos/{key}" in file for key in ("qpos", "qvel")):
        return None
    layout = wanted.layout
    rows = physics.sample_rows(raw.terminals)
    places = [episodes.row_of(int(row)) for row in rows]
    states = []
    for key in ("qpos", "qvel"):
        arrays = [hdf5.dataset(raw.name, file, f"episode_{episode}/infos/{key}") for episode, _ in places]
        if any(array.ndim != 2 or len(array) <= step for array, (_, step) in zip(arrays, places, strict=True)):
            return None
        states.append([array[step] for array, (_, step) in zip(arrays, places, strict=True)])
    if any(len({len(row) for row in state}) != 1 for state in states):
        return None
    table = raw.table
    return physics.Samples(
        qpos=np.stack(states[0]),
        qvel=np.stack(states[1]),
        obs=table[rows, layout.obs].copy(),
        action=table[rows, layout.action].copy(),
        next_obs=table[rows, layout.next_obs].copy(),
        reward=table[rows, layout.reward].ravel(),
        terminal=raw.terminals[rows],
    )
