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
FEW = 5
"""Changed cells of a row with at most NEAR unchanged ones between are painted at once: moving on would cost more bytes.
So are all of a row that falls into more than FEW pieces: each costs time."""


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
        """Regions that cover each cell that differs, one or a few to a row; None if all had better be painted."""
        if before is None or before.codes.shape != self.codes.shape:
            return None
        seen = (self.styles != before.styles) & ((self.codes != BLANK) | (before.codes != BLANK))
        changed = (self.codes != before.codes) | seen
        rows, columns = np.nonzero(changed)
        if rows.size * 4 > changed.size:
            return None
        if not rows.size:
            return []
        # A region ends where the row does, or where more than NEAR unchanged cells follow if the row has few of these.
        ends_row, gap = np.diff(rows) > 0, np.diff(columns) > NEAR
        gaps = np.bincount(rows[:-1][gap & ~ends_row], minlength=self.height)
        ends = np.flatnonzero(ends_row | (gap & (gaps[rows[:-1]] < FEW)))
        begins, ends = np.append(0, ends + 1), np.append(ends, rows.size - 1)
        spans = zip(columns[begins].tolist(), rows[begins].tolist(), columns[ends].tolist(), strict=True)
        return [Region(begin, y, end - begin + 1, 1) for begin, y, end in spans]

    def painting(self) -> Painting:
        """What its strips are cut from, once no cell changes any more."""
        return Painting(self)

    def text(self) -> str:
        """The characters alone, one line a row, without what trails."""
        rows = (row.astype("<u4").tobytes().decode("utf-32-le").replace("\0", "").rstrip() for row in self.codes)
        return "\n".join(rows)


class Painting:
    """The rows of finished cells as Textual paints them."""

    def __init__(self, cells: Cells) -> None:
        width = self.width = cells.width
        # A blank cell shows no colour: it takes its left neighbour's, which saves an escape sequence.
        last = np.maximum.accumulate(np.where(cells.codes == BLANK, 0, np.arange(1, width + 1)), axis=1)
        numbers = np.where(last > 0, np.take_along_axis(cells.styles, np.maximum(last - 1, 0), axis=1), 0)
        self._text = cells.codes.astype("<u4").tobytes().decode("utf-32-le")
        # A run of one style begins where a row does, and where the style changes.
        begins = np.ones(numbers.shape, bool)
        begins[:, 1:] = numbers[:, 1:] != numbers[:, :-1]
        rows, columns = np.nonzero(begins)
        self._begins, self._numbers = columns.tolist(), numbers[begins].tolist()
        self._first = np.searchsorted(rows, np.arange(cells.height + 1)).tolist()

    def strip(self, y: int, styles: Sequence[Style]) -> Strip:
        """A row; `styles` by number."""
        runs = slice(self._first[y], self._first[y + 1])
        text = self._text[y * self.width : (y + 1) * self.width]
        pieces = [text[begin:end] for begin, end in pairwise([*self._begins[runs], self.width])]
        if chr(REST) in text:
            pieces = [piece.replace(chr(REST), "") for piece in pieces]
        numbers = self._numbers[runs]
        return Strip(
            [Segment(piece, styles[number]) for piece, number in zip(pieces, numbers, strict=True)], self.width
        )
