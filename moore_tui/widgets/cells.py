"""A grid of styled cells: written as text, compared with the one before, turned into the lines that Textual paints.

Styles are small numbers that the owner gives meaning to; 0 is the ground.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from rich.cells import get_character_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip

BLANK = ord(" ")
REST = 0
"""Stands in the second cell of a wide character."""
NEAR = 4
"""Changed cells of a row with fewer unchanged ones between are painted at once: moving on would cost more bytes."""


class Cells:
    """`codes` and `styles`, both (height, width)."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.codes = np.full((height, width), BLANK, np.uint32)
        self.styles = np.zeros((height, width), np.uint8)

    def write(self, x: int, y: int, text: str, style: int = 0) -> int:
        """Write text from a cell on, as far as the row goes; the column after it. Half a wide character goes blank."""
        if not 0 <= x < self.width or not 0 <= y < self.height:
            return x
        codes: list[int] = []
        for character in text:
            size = 1 if character.isascii() else get_character_cell_size(character)
            if x + len(codes) + size > self.width:
                break
            codes += (ord(character), REST)[:size]
        end = x + len(codes)
        if codes and self.codes[y, x] == REST:
            self.codes[y, x - 1] = BLANK
        if codes and end < self.width and self.codes[y, end] == REST:
            self.codes[y, end] = BLANK
        self.codes[y, x:end], self.styles[y, x:end] = codes, style
        return end

    def copy(self) -> Cells:
        made = Cells(0, 0)
        made.width, made.height = self.width, self.height
        made.codes, made.styles = self.codes.copy(), self.styles.copy()
        return made

    def to_ascii(self) -> None:
        """Replace what is not ASCII; a wide character takes a blank as well."""
        for character, plain in {"–": "-", "…": "~"}.items():
            self.codes[self.codes == ord(character)] = ord(plain)
        self.codes[self.codes == REST] = BLANK
        self.codes[self.codes > 126] = ord("?")

    def column(self, x: int, begin: int, end: int, character: str, style: int) -> None:
        """One character in the rows from `begin` to before `end`."""
        self.codes[begin:end, x], self.styles[begin:end, x] = ord(character), style

    def changes(self, before: Cells | None) -> list[Region] | None:
        """Regions that cover each cell that differs, one or a few to a row; None if every cell has to be painted."""
        if before is None or before.codes.shape != self.codes.shape:
            return None
        seen = (self.styles != before.styles) & ((self.codes != BLANK) | (before.codes != BLANK))
        changed = (self.codes != before.codes) | seen
        regions: list[Region] = []
        for y in np.flatnonzero(changed.any(axis=1)).tolist():
            at = np.flatnonzero(changed[y])
            breaks = np.flatnonzero(np.diff(at) > NEAR)
            begins = at[np.concatenate(([0], breaks + 1))].tolist()
            ends = at[np.concatenate((breaks, [at.size - 1]))].tolist()
            regions += [Region(begin, y, end - begin + 1, 1) for begin, end in zip(begins, ends, strict=True)]
        return regions

    def strip(self, y: int, styles: Sequence[Style]) -> Strip:
        """A row as Textual paints it; `styles` by number."""
        codes, numbers = self.codes[y], self.styles[y]
        # A blank cell shows no colour: it takes its neighbour's, which saves an escape sequence.
        last = np.maximum.accumulate(np.where(codes == BLANK, 0, np.arange(1, self.width + 1)))
        numbers = np.where(last > 0, numbers[last - 1], 0)
        text = codes.astype("<u4").tobytes().decode("utf-32-le")
        starts = [0, *(np.flatnonzero(numbers[1:] != numbers[:-1]) + 1).tolist(), self.width]
        segments = [
            Segment(text[begin:end].replace("\0", ""), styles[numbers[begin]])
            for begin, end in pairwise(starts)
            if begin < end
        ]
        return Strip(segments, self.width)

    def text(self) -> str:
        """The characters alone, one line a row, without what trails."""
        rows = (row.astype("<u4").tobytes().decode("utf-32-le").replace("\0", "").rstrip() for row in self.codes)
        return "\n".join(rows)
