"""A data set in memory: one contiguous float32 table of transitions and the facts that identify it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from moore_engine.buffers import Layout
from moore_engine.data.errors import DataError

__all__ = ["Bool", "DataError", "Float32", "Transitions", "episode_stats", "table_hash"]

Float32 = NDArray[np.float32]
Bool = NDArray[np.bool_]


@dataclass(frozen=True)
class Transitions:
    """A checked data set.

    `table` (n, layout.width) float32, C-contiguous, in the file's order: obs | action in [-1, 1] | next_obs | reward
    | terminal. `sha256` is the source file's and says which data set it is; `table_sha256` is that of the table's
    bytes. `returns` (episodes,) float64 and `lengths` (episodes,) int64 are those of all episodes that ended in the
    file, rows dropped from the table included; a cut last episode counts only where there is no other. `terminals`
    and `timeouts` count rows of the file. `task` is the task the file itself names. `made_by` is what made it, where
    known. `reference` is the set's own (min, max) return, which score 0 and 100. `genuine` names the official data
    set whose checksum the file has.
    """

    layout: Layout
    table: Float32
    path: str
    sha256: str
    table_sha256: str
    format: str
    returns: NDArray[np.float64]
    lengths: NDArray[np.int64]
    terminals: int
    timeouts: int
    rows_dropped: int = 0
    task: str | None = None
    made_by: str | None = None
    genuine: str | None = None
    reference: tuple[float, float] | None = None
    warnings: list[str] = field(default_factory=list)

    @classmethod
    def none(cls, layout: Layout) -> Transitions:
        """No data, for a run from scratch."""
        table = np.empty((0, layout.width), np.float32)
        returns, lengths = np.empty(0, np.float64), np.empty(0, np.int64)
        return cls(layout, table, "", "", "", "none", returns, lengths, terminals=0, timeouts=0)

    @property
    def n(self) -> int:
        return int(self.table.shape[0])

    @property
    def obs_dim(self) -> int:
        return self.layout.obs_dim

    @property
    def action_dim(self) -> int:
        return self.layout.action_dim

    @property
    def episodes(self) -> int:
        return int(self.returns.size)

    @property
    def mean_return(self) -> float:
        return float(self.returns.mean())


def table_hash(table: Float32) -> str:
    """sha256 of the table's bytes, little-endian float32 in row order."""
    return hashlib.sha256(np.ascontiguousarray(table, "<f4").data).hexdigest()


def episode_stats(rewards: Float32, ends: Bool) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Returns (episodes,) and lengths (episodes,) of the episodes whose last rows `ends` (n,) marks.

    Rows after the last mark are left out, unless no row is marked.
    """
    last = np.flatnonzero(ends)
    if last.size == 0:
        last = np.array([ends.size - 1])
    starts = np.concatenate(([0], last[:-1] + 1))
    returns = np.add.reduceat(rewards[: last[-1] + 1].astype(np.float64), starts)
    return returns, last - starts + 1
