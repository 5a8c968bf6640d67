"""What surrounds the field of a chart: where it lies, axes with their labels, marks, the legend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size

from moore_tui.widgets.cells import Cells

NAME_WIDTHS = (1000, 24, 16, 10, 6, 0)
LEGEND_GAP = 2


Taken = list[tuple[int, int]]
"""Cells [begin, end) of the row of labels that hold something."""


@dataclass(frozen=True)
class Frame:
    """The field's first cell (`left`, `top`) and size, and the rows of the axis line, if any, and its labels."""

    left: int
    top: int
    columns: int
    rows: int
    line: int | None
    labels: int
    ascii: bool

    @classmethod
    def of(cls, width: int, height: int, gutter: int, legend: bool, ascii: bool) -> Frame:
        """The frame of a chart of this size with `gutter` cells for the y labels (0: no y axis)."""
        left, top = gutter + 1 if gutter else 0, int(legend)
        line = height - 2 if height >= 6 else None
        return cls(left, top, width - left, cls.rows_of(height, legend), line, height - 1, ascii)

    @staticmethod
    def rows_of(height: int, legend: bool) -> int:
        """The field's rows in a chart of this height."""
        return height - legend - (2 if height >= 6 else 1)

    def y_axis(self, cells: Cells, ticks: Sequence[tuple[int | None, str]], axis: int, label: int) -> None:
        """A line with a tick and a label right before it at each (row, label)."""
        if not self.left:
            return
        cells.column(self.left - 1, self.top, self.top + self.rows, "|" if self.ascii else "│", axis)
        used: set[int] = set()
        for at, text in ticks:
            if at is None or at in used or len(text) > self.left - 1:
                continue
            used.add(at)
            cells.write(self.left - 1, self.top + at, "+" if self.ascii else "┤", axis)
            cells.write(self.left - 1 - len(text), self.top + at, text, label)

    def x_axis(self, cells: Cells, ticks: Sequence[tuple[int | None, str]], axis: int) -> None:
        """The line below the field."""
        if self.line is None:
            return
        if self.left:
            cells.write(self.left - 1, self.line, "+" if self.ascii else "└", axis)
        cells.write(self.left, self.line, ("-" if self.ascii else "─") * self.columns, axis)
        for at, _ in ticks:
            if at is not None:
                cells.write(self.left + at, self.line, "+" if self.ascii else "┬", axis)

    def boundary(self, cells: Cells, taken: Taken, column: int, style: int) -> None:
        """The boundary's mark among the labels, which keep clear of it."""
        self._place(cells, taken, self.left + column, ":" if self.ascii else "┊", style, gap=0)

    def stages(self, cells: Cells, taken: Taken, column: int, style: int) -> None:
        """The words offline and online on both sides of the boundary, each where the labels left room for it."""
        x = self.left + column
        self._place(cells, taken, x - len("offline "), "offline", style)
        self._place(cells, taken, x + len("| "), "online", style)

    def x_labels(self, cells: Cells, taken: Taken, ticks: Sequence[tuple[int | None, str]], style: int) -> None:
        """Labels below their ticks, whole or not at all."""
        for at, text in ticks:
            if at is not None and len(text) <= cells.width:
                begin = self.left + at - len(text) // 2
                self._place(cells, taken, min(max(begin, 0), cells.width - len(text)), text, style)

    def x_name(self, cells: Cells, taken: Taken, name: str, style: int) -> None:
        """The axis' name at its end, if there is room."""
        self._place(cells, taken, cells.width - cell_len(name), name, style, gap=2)

    def _place(self, cells: Cells, taken: Taken, begin: int, text: str, style: int, gap: int = 1) -> None:
        end = begin + cell_len(text)
        if text and begin >= 0 and end <= cells.width and all(end + gap <= a or b + gap <= begin for a, b in taken):
            cells.write(begin, self.labels, text, style)
            taken.append((begin, end))

    def mark(self, cells: Cells, column: int, glyph: str, style: int) -> None:
        """A mark on the axis line."""
        if self.line is not None:
            cells.write(self.left + column, self.line, "^" if self.ascii else glyph, style)

    def legend(self, cells: Cells, head: str, entries: Sequence[tuple[str, str, str, int]], label: int) -> None:
        """One row above the field: `head`, then (sample, name, value, style) of each; names give way to values."""
        room = cells.width - 1
        for width in NAME_WIDTHS:
            texts = [_entry(name, value, width) for _, name, value, _ in entries]
            used = cell_len(head) + sum(2 + cell_len(text) + LEGEND_GAP for text in texts)
            if used <= room:
                break
        x = cells.write(1, 0, head, label)
        x += LEGEND_GAP if head else 0
        for (sample, _, _, style), text in zip(entries, texts, strict=True):
            if x + 2 + cell_len(text) > cells.width:
                break
            x = cells.write(x, 0, sample, style)
            x = cells.write(x, 0, text, label) + LEGEND_GAP


def _entry(name: str, value: str, width: int) -> str:
    if cell_len(name) > width:
        name = set_cell_size(name, width - 1) + "…" if width else ""
    return "".join(f" {part}" for part in (name, value) if part)
