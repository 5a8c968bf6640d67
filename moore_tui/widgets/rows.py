"""A list with a cursor, of which only the lines on screen are made; folded, it is one line that sums it up."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.message import Message

from moore_tui.keys import bindings
from moore_tui.widgets.sheet import Line, Sheet

Make = Callable[[int, int, str], Line]
"""The line of a row, in so many cells, its text in that style ("cursor" where the cursor is)."""


class Rows(Sheet, can_focus=True):
    """`fill` gives the rows; Moved and Opened tell what the person does."""

    DEFAULT_CSS = """
    Rows { height: 1fr; }
    Rows.-folded { height: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = list(bindings("text"))

    class Moved(Message):
        """The cursor stands on another row."""

        def __init__(self, rows: Rows) -> None:
            super().__init__()
            self.rows = rows

    class Opened(Moved):
        """The row under the cursor was chosen."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.count = 0
        self.cursor = 0
        self.top = 0
        self.folded: Line | None = None
        self._make: Make = lambda row, width, style: ()

    def fill(self, count: int, make: Make, cursor: int | None = None) -> None:
        """Show `count` rows; the cursor on that one, else where it was."""
        self.count, self._make = count, make
        self.cursor = max(0, min(self.cursor if cursor is None else cursor, count - 1))
        self.draw()

    def fold(self, line: Line | None) -> None:
        """Show this line in the rows' place from the next drawing on; None shows the rows again."""
        self.folded = line
        self.set_class(line is not None, "-folded")

    def draw(self) -> None:
        """Scroll the cursor into view and repaint what changed."""
        width, height = self.size
        if self.folded is not None:
            self.put([self.folded])
            return
        self.top = max(0, min(self.top, self.cursor, self.count - height))
        self.top = max(self.top, self.cursor - height + 1, 0)
        style = "cursor" if self.has_focus else "strong"
        shown = range(self.top, min(self.count, self.top + max(1, height)))
        self.put([self._make(row, width, style if row == self.cursor else "") for row in shown])

    def go(self, row: int) -> None:
        """The cursor to this row, or as near as there is one."""
        before, self.cursor = self.cursor, max(0, min(row, self.count - 1))
        if self.cursor != before:
            self.draw()
            self.post_message(self.Moved(self))

    def action_scroll(self, rows: int) -> None:
        self.go(self.cursor + rows)

    def action_scroll_page(self, pages: int) -> None:
        self.go(self.cursor + pages * max(1, self.size.height - 1))

    def action_scroll_end(self, end: int) -> None:  # type: ignore[override]
        """To the first row (-1) or the last (1)."""
        self.go(self.cursor + end * self.count)

    def open(self) -> None:
        """As if the row under the cursor were chosen."""
        if self.count:
            self.post_message(self.Opened(self))

    def on_resize(self) -> None:
        self.draw()

    def on_focus(self) -> None:
        self.draw()

    def on_blur(self) -> None:
        self.draw()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.go(self.cursor + 3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.go(self.cursor - 3)

    def on_click(self, event: events.Click) -> None:
        if self.folded is None and self.top + event.y < self.count:
            self.go(self.top + event.y)
            if event.chain == 2:
                self.open()
