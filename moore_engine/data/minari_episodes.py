"""Arrays of a Minari set's single episodes by HDF5's low-level calls: four times as fast as Minari's own loop.

Shapes are checked before anything is read, for HDF5 would write past the end of an array that is too small.
"""

from __future__ import annotations

import math
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5f, h5s, h5t
from numpy.typing import NDArray

from moore_engine.data import hdf5
from moore_engine.data.bounded import widen
from moore_engine.data.errors import DataError
from moore_engine.data.minari_set import MinariFacts
from moore_engine.data.transitions import Float32

_WIDEST_TYPE = 8
_LARGE = 1 << 20


class EpisodeReader:
    """Reads from the open `file` of the set `found`. Raises DataError, and whatever HDF5 raises on damage."""

    def __init__(self, found: MinariFacts, file: h5f.FileID) -> None:
        self._found, self._file = found, file
        self._allowance = hdf5.allowance(str(found.file))
        self._scratch: dict[str, Float32] = {}
        self._rewards: h5d.DatasetID | None = None

    def width(self, key: str) -> int:
        """Numbers in a row of the first episode's array `key`, which must hold numbers."""
        found = self._open(0, key)
        if found.get_type().get_class() not in (h5t.FLOAT, h5t.INTEGER, h5t.ENUM):
            raise DataError(f"{self._found.name}: {key} are {found.dtype} and not numbers: give another data set.")
        return math.prod(found.shape[1:]) if found.shape else 0

    def steps(self, episode: int) -> int:
        """Steps of the episode: as many as it has rewards."""
        rewards = self._rewards = self._open(episode, "rewards")
        if not rewards.shape:
            raise self._unfit(episode, "rewards", rewards.shape, "one for each step")
        return int(rewards.shape[0])

    def numbers(self, episode: int, key: str, rows: int, width: int) -> Float32:
        """The array as (rows, width) float32, good until the next one of this key is read."""
        found = self._rewards if key == "rewards" and self._rewards is not None else self._open(episode, key)
        self._expect(episode, key, found, rows, width)
        scratch = self._scratch.get(key)
        if scratch is None or len(scratch) < rows:
            scratch = self._scratch[key] = np.empty((max(rows, 1024), width), np.float32)
        values = scratch[:rows]
        if rows and width:
            found.read(h5s.ALL, h5s.ALL, values, h5t.NATIVE_FLOAT)
        return values

    def flags(self, episode: int, key: str, into: NDArray[np.uint8]) -> None:
        """The flags (steps,) into an array of bytes; 2 for what is neither 0 nor 1."""
        found = self._open(episode, key)
        self._expect(episode, key, found, len(into), 1)
        if not len(into):
            return
        kind = found.get_type()
        if kind.get_size() == 1 and kind.get_class() in (h5t.ENUM, h5t.INTEGER):
            found.read(h5s.ALL, h5s.ALL, into, kind)
        else:
            values = np.asarray(h5py.Dataset(found)[()]).reshape(-1)
            into[:] = np.where(values == 0, 0, np.where(values == 1, 1, 2))

    def array(self, episode: int, key: str) -> NDArray[Any]:
        """The whole array in its own type."""
        found = self._open(episode, key)
        self._check_claim(episode, key, found)
        return np.asarray(h5py.Dataset(found)[()])

    def _open(self, episode: int, key: str) -> h5d.DatasetID:
        try:
            found = h5d.open(self._file, f"episode_{episode}/{key}".encode())
        except (KeyError, TypeError, ValueError) as error:
            if "memory" in str(error):
                raise
            name, there = self._found.name, h5py.Group(self._file)
            if f"episode_{episode}" not in there:
                raise DataError(
                    f"{name} holds {len(there)} episodes and its metadata say {self._found.episodes} (there is no "
                    f"episode_{episode}): it was cut short, so download, copy or make it again."
                ) from error
            raise DataError(f"{name}: episode_{episode} has no array {key}: download or copy the set again.") from error
        if found.get_offset() is None and _lies_elsewhere(found):
            raise DataError(f"{self._found.name}: {key} of episode_{episode} lie in another file: store them in this.")
        return found

    def _expect(self, episode: int, key: str, found: h5d.DatasetID, rows: int, width: int) -> None:
        shape = found.shape
        if not shape or shape[0] != rows or math.prod(shape[1:]) != width:
            raise self._unfit(episode, key, shape, f"{rows} rows of {width}")
        if rows * width * _WIDEST_TYPE > _LARGE:
            self._check_claim(episode, key, found)

    def _check_claim(self, episode: int, key: str, found: h5d.DatasetID) -> None:
        claimed = math.prod(found.shape or ()) * found.get_type().get_size()
        if claimed > self._allowance:
            raise hdf5.too_large(self._found.name, str(self._found.file), f"{key} of episode_{episode}", claimed)
        widen(2 * claimed)

    def _unfit(self, episode: int, key: str, shape: tuple[int, ...] | None, expected: str) -> DataError:
        return DataError(
            f"{self._found.name}: {key} of episode_{episode} have shape {shape} and not {expected}: download or copy "
            f"the set again."
        )


def _lies_elsewhere(found: h5d.DatasetID) -> bool:
    """Whether an array without a place of its own in the file is one of another file's."""
    try:
        found.get_num_chunks()
    except (ValueError, RuntimeError):
        layout = found.get_create_plist()
        return bool(layout.get_layout() == h5d.VIRTUAL or layout.get_external_count())
    return False
