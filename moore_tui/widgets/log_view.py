"""A log to read while it grows: follow, wrap, search, next error. Only the rows on screen are made."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.binding import BindingType
from textual.message import Message

from moore_tui.keys import bindings
from moore_tui.runs.log_lines import ERROR, INFO, WARN
from moore_tui.widgets.log_rows import LogRows, Place
from moore_tui.widgets.sheet import Line, Piece, Sheet

if TYPE_CHECKING:
    from moore_tui.runs.logbook import LogBook

NAMES = {INFO: ("INFO ", "dim"), WARN: ("WARN ", "warn"), ERROR: ("ERROR", "bad")}
"""Names and styles of the levels."""
TIME = "%H:%M:%S "
FULL = 60
"""Cells from which time and level stand before each line; else the level's first letter."""


class LogView(Sheet, can_focus=True):
    """`show` gives the book, `only` leaves out the lines of other attempts and lower levels."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("text"), *bindings("log")]

    class Moved(Message):
        """Follows or does not, stands elsewhere, shows other lines."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.rows = LogRows()
        self.following = True
        self.wanted = ""
        self.hit: int | None = None
        self.reading = False
        self._top: Place = (0, 0)

    @property
    def book(self) -> LogBook | None:
        return self.rows.book

    def show(self, book: LogBook | None, *, anew: bool = False, reading: bool = False) -> None:
        """The lines as they are now; `anew` for the log of another run, `reading` if there may be lines to come."""
        if anew:
            self.following, self.hit, self._top = True, None, (0, 0)
        self.rows.book, self.reading = book, reading
        self.draw()

    def only(self, attempt: int, level: str) -> None:
        """Show this attempt's lines (0: every attempt's) from this level on."""
        self.rows.attempt, self.rows.level = attempt, level
        self._tell()

    def draw(self) -> None:
        """Put the rows that fit."""
        width, height = self.size
        if not height:
            return
        self.rows.width = width - (len(time.strftime(TIME)) + 6 if width >= FULL else 2)
        top = self.rows.end(height) if self.following else self.rows.nearest(self._top)
        if top is None:
            return self.put([((self._nothing, "dim"),)])
        self._top = top
        painted: list[Line] = []
        number, skip = top[0], top[1]
        while len(painted) < height:
            painted += self._painted(number)[skip:]
            below = self.rows.step(number, 1)
            if below is None:
                break
            number, skip = below, 0
        self.put(painted[:height])

    def count(self) -> tuple[int, int, int]:
        """(lines, warnings, errors) of the book."""
        book = self.book
        return (0, 0, 0) if book is None else (book.end - book.first, book.count(WARN), book.count(ERROR))

    def copied(self) -> str:
        """The line that was found, else the last one."""
        numbers = self.rows.numbers
        if not numbers:
            return ""
        return self.rows.line(self.hit if self.hit is not None else numbers[-1]).text

    def find(self, text: str) -> None:
        """Search for `text`: back from the end while it is followed, else on from the top of the screen and around."""
        self.wanted, self.hit = text, None
        self.refresh_bindings()
        if text and self.book is not None:
            back = self.following
            found = self._search(self.book.end if back else self._top[0], back)
            self._go(found if found is not None else self._search(self.book.first, back=False))
        self.draw()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There is a next hit only while something is searched for."""
        return bool(self.wanted) if action in ("next_hit", "previous_hit") else super().check_action(action, parameters)

    def action_follow(self) -> None:
        """Stay at the end, or stay here."""
        self.following = not self.following
        self._tell()

    def action_wrap(self) -> None:
        self.rows.wrapping = not self.rows.wrapping
        self._top = self._top[0], 0
        self.draw()

    def action_next_error(self) -> None:
        """The next error below, else the first one of all."""
        if self.book is not None:
            found = self._seek(self.book.next_error, self.hit + 1 if self.hit is not None else self._top[0], 1)
            self._go(found if found is not None else self._seek(self.book.next_error, self.book.first, 1))

    def action_next_hit(self) -> None:
        self._next(back=False)

    def action_previous_hit(self) -> None:
        self._next(back=True)

    def action_scroll(self, rows: int) -> None:
        top, end = self.rows.nearest(self._top), self.rows.end(self.size.height)
        if top is not None and end is not None:
            self.following = False
            self._top = min(end, self.rows.on(top, rows) if rows > 0 else self.rows.back(top, -rows))
            self._tell()

    def action_scroll_page(self, pages: int) -> None:
        self.action_scroll(pages * max(1, self.size.height - 1))

    def action_edge(self, end: int) -> None:
        """To the first line, or to the last one and follow."""
        self.following, self._top = end > 0, (0, 0)
        self._tell()

    def on_resize(self) -> None:
        self.draw()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.action_scroll(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.action_scroll(-3)

    def _tell(self) -> None:
        self.draw()
        self.post_message(self.Moved())

    def _next(self, back: bool) -> None:
        if self.book is not None and self.wanted:
            here = self.hit if self.hit is not None else self._top[0]
            found = self._search(here - 1 if back else here + 1, back)
            self._go(found if found is not None else self._search(self.book.end if back else self.book.first, back))

    def _search(self, start: int, back: bool) -> int | None:
        """The nearest line that holds what is wanted."""
        if self.book is None:
            return None
        return self._seek(partial(self.book.search, self.wanted, back=back), start, -1 if back else 1)

    def _seek(self, search: Callable[[int], int | None], start: int, way: int) -> int | None:
        """What a search finds from `start` on, lines that are not shown left out."""
        number = search(start)
        while number is not None and not self.rows.shows(number):
            number = search(number + way)
        return number

    def _go(self, number: int | None) -> None:
        """Show the line in the upper third, and stay there."""
        if number is not None:
            self.following, self.hit = False, number
            self._top = self.rows.back((number, 0), self.size.height // 3)
            self._tell()

    @property
    def _nothing(self) -> str:
        if self.book is not None and self.book.end > self.book.first:
            return "no such line"
        return "reading..." if self.reading else "nothing in the log yet" if self.book is not None else ""

    def _painted(self, number: int) -> list[Line]:
        """The rows of a line, time and level before the first one."""
        line = self.rows.line(number)
        name, style = NAMES.get(line.level, NAMES[INFO])
        if self.size.width >= FULL:
            clock = time.strftime(TIME, time.localtime(line.t or 0.0))
            head: Line = ((clock if line.t else " " * len(clock), "dim"), (f"{name} ", style))
        else:
            head = ((name[0] + " ", style),)
        blank: Line = ((" " * sum(len(text) for text, _ in head), ""),)
        found: list[Line] = []
        for text in self.rows.parts(number):
            hit = self.wanted and number == self.hit
            body = self._marked(text) if hit else ((text, style if line.level != INFO else ""),)
            found.append((blank if found else head) + body)
        return found

    def _marked(self, text: str) -> Line:
        """The text with what is searched for lit up."""
        folded, wanted, at = text.casefold(), self.wanted.casefold(), 0
        if len(folded) != len(text):
            return ((text, "cursor"),)
        pieces: list[Piece] = []
        while (hit := folded.find(wanted, at)) >= 0:
            pieces += [(text[at:hit], "strong"), (text[hit : hit + len(wanted)], "cursor")]
            at = hit + len(wanted)
        return (*pieces, (text[at:], "strong"))
