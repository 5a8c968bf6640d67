"""A Minari set as a file in D4RL's layout; one that was made of such a file becomes equal arrays again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from moore_engine.data import hdf5, minari_set
from moore_engine.data.bounded import widen
from moore_engine.data.d4rl_to_minari import OWN, REST_FILE, Exchanged, copy
from moore_engine.data.errors import DataError
from moore_engine.data.minari_episodes import EpisodeReader
from moore_engine.data.minari_set import MinariFacts
from moore_engine.data.write import write_arrays

Array = NDArray[Any]
Progress = Callable[[int, int], None]


def export_d4rl(reference: str, path: Path, progress: Progress) -> Exchanged:
    """Writes the local Minari set `reference` in D4RL's layout to `path`. Raises DataError.

    A set that came from a D4RL file becomes that file's arrays again.
    """
    found = minari_set.find(reference)
    minari_set.check_spaces(found)
    if path.exists():
        raise DataError(f"{path} exists: give another name, or delete it.")
    if not path.parent.is_dir():
        raise DataError(f"there is no folder {path.parent} to write {path.name} into: make it first.")
    hdf5.require(str(found.file))
    with hdf5.opened(str(found.file)) as file:
        arrays, warnings = _Columns(found, file).read(progress)
    came_from = found.own.get(OWN)
    imported = isinstance(came_from, dict)
    if isinstance(came_from, dict):
        _restore_forms(found, arrays, came_from.get("arrays"))
    rest = found.data / REST_FILE

    def add(file: h5py.File) -> None:
        if imported and rest.is_file():
            with hdf5.opened(str(rest)) as kept:
                _copy_all(kept, file)
        elif not imported:
            file["metadata/minari"] = json.dumps(found.metadata)

    low, high = found.reference or (None, None)
    attrs = {} if imported else {"task": found.task, "made_by": found.algorithm, "ref_min": low, "ref_max": high}
    try:
        write_arrays(path, arrays, attrs, more=add)
    except OSError as error:
        raise DataError(
            f"{path} cannot be written ({error.strerror or error}): check the folder and its disk."
        ) from error
    return Exchanged(path, len(arrays["rewards"]), found.episodes, warnings)


def _copy_all(kept: h5py.File, file: h5py.File) -> None:
    file.attrs.update(kept.attrs)
    for key in kept:
        if key != "infos":
            copy(kept, file, key)
    group = kept.get("infos")
    for key in group if isinstance(group, h5py.Group) else ():
        copy(kept, file, f"infos/{key}")


def _restore_forms(found: MinariFacts, arrays: dict[str, Array], forms: Any) -> None:
    """Number types and shapes of the file's own arrays; in place."""
    try:
        for key in list(arrays):
            if key == "timeouts" and key not in forms:
                del arrays[key]
                continue
            dtype, shape = np.dtype(forms[key][0]), tuple(forms[key][1])
            if dtype.kind not in "fiub":
                raise ValueError(f"{key} as {dtype}")
            arrays[key] = arrays[key].astype(dtype, copy=False).reshape(len(arrays[key]), *shape)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise DataError(f"{found.name}: its metadata do not fit its data ({error}): import the file again.") from error


class _Columns:
    """A set's episodes joined to D4RL's columns, in their own number types."""

    def __init__(self, found: MinariFacts, file: h5py.File) -> None:
        self._found = found
        self._reader = EpisodeReader(found, file.id)
        self._infos = self._keys(file.get("episode_0/infos"))
        self._parts: dict[str, list[Array]] = {}
        self._left_out: set[str] = set()
        self._unflagged = 0

    def read(self, progress: Progress) -> tuple[dict[str, Array], list[str]]:
        """The columns by key, and what did not fit into them."""
        cut = self._found.own.get("cut")
        cut = set(cut) if isinstance(cut, list) else set()
        for episode in range(self._found.episodes):
            self._take(episode, episode in cut)
            progress(episode + 1, self._found.episodes)
        widen(sum(part.nbytes for parts in self._parts.values() for part in parts))
        arrays = {key: np.concatenate(parts) for key, parts in self._parts.items() if key not in self._left_out}
        if self._found.own.get("next_observations") == "apart":
            arrays["next_observations"] = arrays.pop("infos/next_observations")
        elif self._found.own.get("next_observations") == "none":
            del arrays["next_observations"]
        warnings = [
            f"{key} of {self._found.name} are left out: they are not arrays of a row for each step of every episode."
            for key in sorted(self._left_out)
        ]
        if self._unflagged:
            warnings.append(
                f"{self._unflagged} episodes of {self._found.name} end with neither flag; they are marked as time-outs."
            )
        return arrays, warnings

    def _take(self, episode: int, cut: bool) -> None:
        reader, n = self._reader, self._reader.steps(episode)
        observations = self._rows(episode, "observations", n + 1)
        terminals = self._rows(episode, "terminations", n).reshape(n)
        timeouts = self._rows(episode, "truncations", n).reshape(n)
        if n and cut:
            timeouts[-1] = False
        elif n and not (terminals[-1] or timeouts[-1]) and episode + 1 < self._found.episodes:
            timeouts[-1] = True
            self._unflagged += 1
        for key, values in (
            ("observations", observations[:-1]),
            ("actions", self._rows(episode, "actions", n)),
            ("next_observations", observations[1:]),
            ("rewards", self._rows(episode, "rewards", n).reshape(n)),
            ("terminals", terminals),
            ("timeouts", timeouts),
        ):
            self._parts.setdefault(key, []).append(values)
        for key in self._infos:
            if key in self._left_out:
                continue
            try:
                values = reader.array(episode, key)
            except DataError:
                values = np.empty(0)
            # Minari's own collector keeps the infos of the reset too; D4RL's rows are states before the action.
            if values.ndim and values.dtype.kind in "fiub" and len(values) in (n, n + 1):
                self._parts.setdefault(key, []).append(values[:n])
            else:
                self._left_out.add(key)

    def _rows(self, episode: int, key: str, n: int) -> Array:
        values = self._reader.array(episode, key)
        if values.ndim == 0 or len(values) != n or values.dtype.kind not in "fiub":
            raise DataError(
                f"{self._found.name}: {key} of episode_{episode} have shape {values.shape} and not {n} rows of "
                f"numbers: download or copy the set again."
            )
        return values if values.ndim > 1 or key not in ("observations", "actions") else values[:, None]

    @staticmethod
    def _keys(group: object) -> list[str]:
        keys: list[str] = []
        if isinstance(group, h5py.Group):
            group.visititems(lambda key, item: keys.append(f"infos/{key}") if isinstance(item, h5py.Dataset) else None)
        return keys
