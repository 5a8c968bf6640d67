"""A curve as what each column of the screen needs of it: its extremes, its ends, and whether it goes on to the next.

Two extremes a column draw the same dots as all points do, whatever their number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class Columns:
    """The columns that hold points, in order; all (m,), `at` rising and possibly outside the screen at both ends.

    `joined` says that no gap lies between a column's last point and the next column's first.
    """

    at: np.ndarray
    low: np.ndarray
    high: np.ndarray
    first: np.ndarray
    last: np.ndarray
    joined: np.ndarray

    def __len__(self) -> int:
        return len(self.at)


class Bins:
    """Points in columns `at` (n,) not falling; several curves over the same points share one."""

    def __init__(self, at: np.ndarray) -> None:
        self.at = at
        self.starts = np.concatenate(([0], np.flatnonzero(at[1:] != at[:-1]) + 1)) if at.size else at
        """The first point of each column."""


def thinned(bins: Bins, y: np.ndarray) -> Columns:
    """The points at heights `y` (n,); one that is not finite is a gap."""
    finite = np.isfinite(y)
    kept = None if finite.all() else np.flatnonzero(finite)
    if kept is not None:
        bins, y = Bins(bins.at[kept]), y[kept]
    at, starts = bins.at, bins.starts
    if not at.size:
        nothing = np.empty(0)
        return Columns(np.empty(0, np.int64), nothing, nothing, nothing, nothing, np.empty(0, bool))
    ends = np.append(starts[1:] - 1, at.size - 1)
    joined = np.ones(starts.size, bool)
    if kept is not None:
        joined[:-1] = kept[starts[1:]] - kept[ends[:-1]] == 1
    joined[-1] = False
    low, high = np.minimum.reduceat(y, starts), np.maximum.reduceat(y, starts)
    return Columns(at[starts], low, high, y[starts], y[ends], joined)


def borders(columns: Columns, left: np.ndarray, right: np.ndarray, width: int) -> np.ndarray:
    """Where straight lines from `left` of each column to `right` of the next cross the borders between columns.

    (width + 1,): entry b is the height between columns b - 1 and b, NaN where no line passes.
    """
    crossed = np.full(width + 1, np.nan)
    (pairs,) = np.nonzero(columns.joined)
    start, stop = columns.at[pairs], columns.at[pairs + 1]
    begin = np.maximum(start + 1, 0)
    count = np.minimum(stop, width) - begin + 1
    seen = count > 0
    pairs, start, stop, begin, count = pairs[seen], start[seen], stop[seen], begin[seen], count[seen]
    if not pairs.size:
        return crossed
    which = np.repeat(np.arange(pairs.size), count)
    border = np.arange(which.size) - np.repeat(np.cumsum(count) - count, count) + begin[which]
    way = (border - 0.5 - start[which]) / (stop - start)[which]
    a, b = left[pairs][which], right[pairs + 1][which]
    crossed[border] = a + (b - a) * way
    return crossed
