"""Curves, bands and areas as dots, and dots as cells: eight dots to a braille cell, one to an ASCII cell.

Rows count from the top. A curve is one vertical run of dots in each column of dots, and neighbouring runs touch.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from moore_tui.widgets.thinning import Columns, borders

PATTERNS = {
    "solid": [True],
    "dashed": [True] * 6 + [False] * 4,
    "dotted": [True] + [False] * 2,
    "dashdot": [True] * 7 + [False] * 3 + [True] + [False] * 3,
    "longdash": [True] * 13 + [False] * 3,
    "dashdotdot": [True] * 7 + ([False] * 3 + [True]) * 2 + [False] * 3,
    "faint": [True] + [False] * 3,
}
"""Dots on and off along a curve."""

Dots = np.ndarray
"""(height, width) bool."""

_ROW_MAJOR = (0, 3, 1, 4, 2, 5, 6, 7)
"""Bit in a braille character (from U+2800) of the dots of a cell taken row by row."""
_BRAILLE = np.array(
    [sum(1 << bit for place, bit in enumerate(_ROW_MAJOR) if code >> place & 1) for code in range(256)], np.uint8
)


class Raster:
    """A canvas of `columns` x `rows` cells; what it draws are cells (rows, columns) uint8, 0 where there is nothing.

    In braille a cell is the character's offset from U+2800, in ASCII 1 where something is. Heights come as rows of dots
    (float, growing downward), of which there are `height`; there are `width` columns of dots.
    """

    def __init__(self, columns: int, rows: int, ascii: bool = False) -> None:
        self.columns, self.rows, self.ascii = columns, rows, ascii
        self.across, self.down = (1, 1) if ascii else (2, 4)
        self.width, self.height = columns * self.across, rows * self.down
        self._row = np.arange(self.height, dtype=np.int16)[:, None]
        self._column = np.arange(self.width, dtype=np.int16)[None, :]

    def curve(self, columns: Columns, pattern: str = "solid") -> np.ndarray:
        """A curve, its dots on and off along its arc after `pattern`."""
        crossed = borders(columns, columns.last, columns.first, self.width)
        enter, leave = crossed[:-1].copy(), crossed[1:].copy()
        top, bottom = np.fmin(enter, leave), np.fmax(enter, leave)
        # Runs share a border's height: what lies above it belongs to the one, what lies below to the other.
        first, last = np.ceil(top - 0.5), np.ceil(bottom - 0.5) - 1.0
        flat = last < first
        first[flat] = last[flat] = np.floor((top[flat] + bottom[flat]) / 2 + 0.5)
        at, inside = self._inside(columns)
        first[at] = np.fmin(first[at], np.floor(columns.low[inside] + 0.5))
        last[at] = np.fmax(last[at], np.floor(columns.high[inside] + 0.5))
        begin, end = self._clipped(first, last)
        dots, rows = self._runs(begin, end)
        if pattern != "solid" and not self.ascii:
            enter[at] = np.where(np.isnan(enter[at]), columns.first[inside], enter[at])
            leave[at] = np.where(np.isnan(leave[at]), columns.last[inside], leave[at])
            dots &= self._along(pattern, enter, leave, begin, end)[rows]
        self._enlarge_lone_points(columns, dots, rows.start)
        return self._packed(dots, rows)

    def band(self, columns: Columns, top: np.ndarray, bottom: np.ndarray, phase: int = 0) -> np.ndarray:
        """A sparse dither between the edges `top` and `bottom` (m,), heights at each column."""
        dots, rows = self._between(columns, top, bottom)
        return self._packed(dots & _sparse(self.height, self.width, phase, self.ascii)[rows], rows)

    def area(self, columns: Columns, top: np.ndarray, bottom: np.ndarray, density: int) -> np.ndarray:
        """A fill between the edges; density 0 is a quarter of the dots, 1 half, 2 all."""
        dots, rows = self._between(columns, top, bottom)
        row = self._row[rows]
        if density == 0:
            dots &= (row % 2 == 0) & (self._column % 2 == 0)
        elif density == 1:
            dots &= (row + self._column) % 2 == 0
        return self._packed(dots, rows)

    def _along(self, pattern: str, enter: np.ndarray, leave: np.ndarray, begin: np.ndarray, end: np.ndarray) -> Dots:
        """Which dots of a curve are on: its runs follow each other, each from where the curve enters the column."""
        falls, rises = _turned(pattern, self.height)
        period = len(falls)
        count = np.maximum(end - begin + 1, 0)
        arc = np.cumsum(count) - count
        falling = ~(leave < enter)
        turn = np.where(falling, arc - begin, arc + end) % period
        return np.concatenate((falls, rises))[turn + np.where(falling, 0, period)].T

    def _runs(self, begin: np.ndarray, end: np.ndarray) -> tuple[Dots, slice]:
        """Dots from `begin` to `end` in each column, of the rows only that hold any (whole cells)."""
        used = begin <= end
        first = int(begin[used].min(initial=self.height)) // self.down * self.down
        rows = slice(first, max(first, (int(end[used].max(initial=-1)) // self.down + 1) * self.down))
        row = self._row[rows]
        return (row >= begin) & (row <= end), rows

    def _inside(self, columns: Columns) -> tuple[np.ndarray, np.ndarray]:
        inside = (columns.at >= 0) & (columns.at < self.width)
        return columns.at[inside], inside

    def _clipped(self, first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Runs of rows as whole numbers on the canvas; those beside it and those that are NaN end before they begin."""
        seen = (last >= 0) & (first <= self.height - 1)
        begin = np.where(seen, np.clip(first, 0, self.height - 1), 1).astype(np.int16)
        return begin, np.where(seen, np.clip(last, 0, self.height - 1), 0).astype(np.int16)

    def _between(self, columns: Columns, top: np.ndarray, bottom: np.ndarray) -> tuple[Dots, slice]:
        first, last = self._edge(columns, top), self._edge(columns, bottom)
        return self._runs(*self._clipped(np.ceil(first - 0.5), np.floor(last + 0.5)))

    def _edge(self, columns: Columns, edge: np.ndarray) -> np.ndarray:
        """Height of an edge in every column of dots, NaN where there is none."""
        crossed = borders(columns, edge, edge, self.width)
        heights = (crossed[:-1] + crossed[1:]) / 2
        at, inside = self._inside(columns)
        heights[at] = edge[inside]
        return heights

    def _enlarge_lone_points(self, columns: Columns, dots: Dots, top: int) -> None:
        """A point without neighbours becomes a block of four dots: one alone would be overlooked."""
        if self.ascii or (len(columns) > 1 and columns.joined[:-1].all()):
            return
        before = np.concatenate(([False], columns.joined[:-1]))
        lone = ~columns.joined & ~before & (columns.low == columns.high)
        lone &= (columns.at >= 0) & (columns.at < self.width)
        lone &= (columns.low >= -0.5) & (columns.low < self.height - 0.5)
        column, row = columns.at[lone], np.floor(columns.low[lone] + 0.5).astype(np.int64) - top
        for across in (column, column ^ 1):
            for down in (row, row ^ 1):
                dots[down, across] = True

    def _packed(self, dots: Dots, rows: slice) -> np.ndarray:
        """Cells of dots in these rows."""
        cells = np.zeros((self.rows, self.columns), np.uint8)
        if self.ascii:
            cells[rows] = dots
            return cells
        pairs = dots.view(np.uint16)
        codes = ((pairs | pairs >> 7) & 3).astype(np.uint8).reshape(-1, 4, self.columns)
        found = codes[:, 0] | codes[:, 1] << 2 | codes[:, 2] << 4 | codes[:, 3] << 6
        cells[rows.start // 4 : rows.stop // 4] = _BRAILLE[found]
        return cells


@lru_cache(16)
def _sparse(height: int, width: int, phase: int, ascii: bool) -> Dots:
    """One dot a cell, on a diagonal; other phases lie elsewhere."""
    row, column = np.arange(height)[:, None] + phase, np.arange(width)[None, :] + (0 if ascii else phase // 2)
    if ascii:
        return (row + column) % 2 == 0
    return (row % 2 == 0) & (column % 2 == 0) & ((row + column) % 4 == 0)


@lru_cache(16)
def _turned(pattern: str, height: int) -> tuple[np.ndarray, np.ndarray]:
    """A pattern's dots down a column, (period, height) bool each: row n begins at its n-th dot; down, and up."""
    on = np.array(PATTERNS[pattern])
    turn, row = np.arange(on.size)[:, None], np.arange(height)[None, :]
    return on[(turn + row) % on.size], on[(turn - row) % on.size]
