"""A log to read while it grows: follow, wrap, search, next error. Only the rows on screen are made."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len, chop_cells
from textual import events
from textual.binding import BindingType
from textual.message import Message

from moore_tui.keys import bindings
from moore_tui.runs.log_lines import ERROR, WARN, LogLine
from moore_tui.widgets.sheet import Line, Sheet

if TYPE_CHECKING:
    from moore_tui.runs.logbook import LogBook

LEVELS = {"info": ("INFO ", "dim"), WARN: ("WARN ", "warn"), ERROR: ("ERROR", "bad")}
TIME = 9
"""Cells of `13:58:02 `."""
FULL = 60
"""Cells from which time and level stand before each line."""

Place = tuple[int, int]
"""Number of a line in the book, and which of its rows (0 unless it is wrapped)."""


class LogView(Sheet, can_focus=True):
    """`show` gives the book; `attempt` leaves out the lines of other attempts (0: shows all)."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("text"), *bindings("log")]

    class Moved(Message):
        """Follows or does not, or stands elsewhere."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.book: LogBook | None = None
        self.following = True
        self.wrapping = False
        self.wanted = ""
        self.hit: int | None = None
        self.attempt = 0
        self._top: Place = (0, 0)

    def show(self, book: LogBook | None, *, anew: bool = False) -> None:
        """The lines as they are now; `anew` for the log of another run."""
        if anew:
            self.following, self.hit, self._top = True, None, (0, 0)
        self.book = book
        self.draw()

    def draw(self) -> None:
        """Put the rows that fit."""
        height = self.size.height
        if not height:
            return
        if self.book is None or self.book.end == self.book.first:
            self.put([(("nothing in the log yet" if self.book is not None else "reading...", "dim"),)])
            return
        if self.following:
            self._top = self._back((self.book.end - 1, self._rows(self.book.end - 1) - 1), height - 1)
        else:
            self._top = self._kept(self._top)
        rows: list[Line] = []
        number, row = self._top
        while len(rows) < height and number < self.book.end:
            line = self._line(number)
            if line is not None:
                rows += self._painted(number, line)[row:]
            number, row = number + 1, 0
        self.put(rows[:height])

    def count(self) -> tuple[int, int, int]:
        """(lines, warnings, errors) of the book."""
        book = self.book
        return (0, 0, 0) if book is None else (book.end - book.first, book.count(WARN), book.count(ERROR))

    def copied(self) -> str:
        """The line that was found, else the last one."""
        if self.book is None or self.book.end == self.book.first:
            return ""
        number = self.hit if self.hit is not None else self.book.end - 1
        return "".join(line.text for line in self.book.slice(number, number + 1))

    def find(self, text: str) -> None:
        """Search for `text`, from the top of the screen on."""
        self.wanted, self.hit = text, None
        if text and self.book is not None:
            self._go(self.book.search(text, self._top[0]))
        self.draw()

    def action_follow(self) -> None:
        """Stay at the end, or stay here."""
        self.following = not self.following
        self.draw()
        self.post_message(self.Moved())

    def action_wrap(self) -> None:
        self.wrapping = not self.wrapping
        self._top = self._top[0], 0
        self.draw()

    def action_next_error(self) -> None:
        """The next error below, else the first one of all."""
        if self.book is not None:
            start = self.hit + 1 if self.hit is not None else self._top[0]
            found = self.book.next_error(start)
            self._go(found if found is not None else self.book.next_error(self.book.first))

    def action_next_hit(self) -> None:
        self._next(back=False)

    def action_previous_hit(self) -> None:
        self._next(back=True)

    def action_scroll(self, rows: int) -> None:
        if self.book is not None and self.book.end > self.book.first:
            self.following = False
            self._top = self._on(self._top, rows) if rows > 0 else self._back(self._top, -rows)
            end = self._back((self.book.end - 1, self._rows(self.book.end - 1) - 1), self.size.height - 1)
            self._top = min(self._top, end)
            self.draw()
            self.post_message(self.Moved())

    def action_scroll_page(self, pages: int) -> None:
        self.action_scroll(pages * max(1, self.size.height - 1))

    def action_edge(self, end: int) -> None:
        """To the first line, or to the last one and follow."""
        if self.book is not None:
            self.following, self._top = end > 0, (self.book.first, 0)
            self.draw()
            self.post_message(self.Moved())

    def on_resize(self) -> None:
        self.draw()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.action_scroll(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.action_scroll(-3)

    def _next(self, back: bool) -> None:
        if self.book is None or not self.wanted:
            return
        here = self.hit if self.hit is not None else self._top[0]
        found = self.book.search(self.wanted, here - 1 if back else here + 1, back=back)
        if found is None:
            found = self.book.search(self.wanted, self.book.end if back else self.book.first, back=back)
        self._go(found)

    def _go(self, number: int | None) -> None:
        """Show the line in the upper third, and stay there."""
        if number is None or self.book is None:
            return
        self.following, self.hit = False, number
        self._top = self._back((number, 0), self.size.height // 3)
        self.draw()
        self.post_message(self.Moved())

    def _line(self, number: int) -> LogLine | None:
        """A line of the book that is to be shown."""
        found = self.book.slice(number, number + 1) if self.book is not None else []
        if not found or (self.attempt and found[0].attempt not in (0, self.attempt)):
            return None
        return found[0]

    def _rows(self, number: int) -> int:
        """Rows that a line takes: none if it is not shown."""
        line = self._line(number)
        return 0 if line is None else len(self._parts(line))

    def _parts(self, line: LogLine) -> list[str]:
        text = line.text.expandtabs(4)
        width = self._text_width
        if not self.wrapping or cell_len(text) <= width:
            return [text]
        return chop_cells(text, max(1, width)) or [""]

    @property
    def _text_width(self) -> int:
        width = self.size.width
        return width - TIME - 6 if width >= FULL else width - 2

    def _painted(self, number: int, line: LogLine) -> list[Line]:
        name, style = LEVELS.get(line.level, LEVELS["info"])
        if self.size.width >= FULL:
            clock = time.strftime("%H:%M:%S ", time.localtime(line.t)) if line.t else " " * TIME
            head: Line = ((clock, "dim"), (f"{name} ", style))
        else:
            head = ((name[0] + " ", style),)
        blank: Line = ((" " * sum(len(text) for text, _ in head), ""),)
        colour = style if line.level != "info" else ""
        rows: list[Line] = []
        for row, text in enumerate(self._parts(line)):
            body = self._marked(text, "cursor") if self.wanted and number == self.hit else ((text, colour),)
            rows.append((head if not row else blank) + body)
        return rows

    def _marked(self, text: str, style: str) -> Line:
        """The text with what is searched for in another style."""
        found, wanted, at = text.casefold(), self.wanted.casefold(), 0
        if len(found) != len(text):
            return ((text, style),)
        pieces: list[tuple[str, str]] = []
        while (hit := found.find(wanted, at)) >= 0:
            pieces += [(text[at:hit], "strong"), (text[hit : hit + len(wanted)], style)]
            at = hit + len(wanted)
        return (*pieces, (text[at:], "strong"))

    def _kept(self, place: Place) -> Place:
        """The place, or the first line that is still there."""
        assert self.book is not None
        number, row = place
        if number < self.book.first:
            return self.book.first, 0
        return (number, row) if number < self.book.end else (max(self.book.first, self.book.end - 1), 0)

    def _back(self, place: Place, rows: int) -> Place:
        """`rows` rows above a place."""
        assert self.book is not None
        number, row = place
        while rows > row and number > self.book.first:
            rows -= row + 1
            number -= 1
            row = self._rows(number) - 1
        return number, max(0, row - rows)

    def _on(self, place: Place, rows: int) -> Place:
        """`rows` rows below a place."""
        assert self.book is not None
        number, row = place
        while number < self.book.end - 1 and row + rows >= self._rows(number):
            rows -= self._rows(number) - row
            number, row = number + 1, 0
        return number, row + rows if number < self.book.end - 1 else row
