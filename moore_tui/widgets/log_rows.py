"""The rows that a log's lines take on a screen: which lines are shown, how they wrap, and moving by rows among them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from rich.cells import cell_len, chop_cells

from moore_tui.runs.log_lines import ERROR, INFO, WARN, LogLine
from moore_tui.runs.logbook import LogBook

LEVELS = (INFO, WARN, ERROR)
"""From the least to the worst."""

Place = tuple[int, int]
"""Number of a line in the book, and which of its rows (0 unless it is wrapped)."""


class LogRows:
    """`width` is that of the text; `attempt` (0: every one) and `level` (from it on) choose the lines."""

    def __init__(self) -> None:
        self.book: LogBook | None = None
        self.width = 80
        self.wrapping = False
        self.attempt = 0
        self.level = INFO
        self._chosen: tuple[object, list[int]] = (None, [])

    @property
    def numbers(self) -> Sequence[int]:
        """Numbers of the lines that are shown, rising."""
        book = self.book
        if book is None:
            return ()
        if not self.attempt and self.level == INFO:
            return range(book.first, book.end)
        key = (id(book), book.version, self.attempt, self.level)
        if self._chosen[0] != key:
            first, levels = book.first, LEVELS[LEVELS.index(self.level) :]
            chosen = [
                number
                for number, line in enumerate(book.lines, first)
                if line.level in levels and (not self.attempt or line.attempt in (0, self.attempt))
            ]
            self._chosen = (key, chosen)
        return self._chosen[1]

    def shows(self, number: int) -> bool:
        """Whether a line is among those shown."""
        numbers = self.numbers
        place = bisect_left(numbers, number)
        return place < len(numbers) and numbers[place] == number

    def line(self, number: int) -> LogLine:
        """A line of the book; an empty one where it is gone."""
        found = self.book.slice(number, number + 1) if self.book is not None else []
        return found[0] if found else LogLine("")

    def parts(self, number: int) -> list[str]:
        """The text of a line in as many rows as it takes, one at least."""
        text = self.line(number).text.expandtabs(4)
        if not self.wrapping or cell_len(text) <= self.width:
            return [text]
        return chop_cells(text, max(1, self.width)) or [""]

    def step(self, number: int, way: int) -> int | None:
        """The next (1) or previous (-1) line that is shown."""
        numbers = self.numbers
        place = bisect_left(numbers, number) + way
        return numbers[place] if 0 <= place < len(numbers) else None

    def nearest(self, place: Place) -> Place | None:
        """The place, or the next line that is still shown, or the last one; None if no line is."""
        numbers = self.numbers
        if not numbers:
            return None
        number = numbers[min(bisect_left(numbers, place[0]), len(numbers) - 1)]
        return (number, min(place[1], len(self.parts(number)) - 1)) if number == place[0] else (number, 0)

    def end(self, height: int) -> Place | None:
        """The top of a screen of `height` rows that ends with the last line."""
        numbers = self.numbers
        return self.back((numbers[-1], len(self.parts(numbers[-1])) - 1), height - 1) if numbers else None

    def back(self, place: Place, rows: int) -> Place:
        """`rows` rows above a place, or the first one."""
        number, row = place
        while rows > row:
            above = self.step(number, -1)
            if above is None:
                return number, 0
            rows -= row + 1
            number, row = above, len(self.parts(above)) - 1
        return number, row - rows

    def on(self, place: Place, rows: int) -> Place:
        """`rows` rows below a place, or the last one."""
        number, row = place
        while (left := len(self.parts(number)) - 1 - row) < rows:
            below = self.step(number, 1)
            if below is None:
                return number, row + left
            rows -= left + 1
            number, row = below, 0
        return number, row + rows
