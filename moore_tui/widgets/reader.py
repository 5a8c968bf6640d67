"""A text to read: lines that may be more than fit, moved with the keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import BindingType

from moore_tui.keys import bindings
from moore_tui.widgets.sheet import Line, Sheet


class Reader(Sheet, can_focus=True):
    """`fill` gives the lines; the position stays when they change."""

    BINDINGS: ClassVar[list[BindingType]] = list(bindings("text"))

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.text: list[Line] = []
        self.top = 0

    def fill(self, text: Sequence[Line]) -> None:
        self.text = list(text)
        self.action_scroll(0)

    def action_scroll(self, rows: int) -> None:
        """Move by rows, as far as there is text."""
        self.top = max(0, min(self.top + rows, len(self.text) - self.size.height))
        self.put(self.text[self.top : self.top + max(1, self.size.height)])

    def action_scroll_page(self, pages: int) -> None:
        self.action_scroll(pages * max(1, self.size.height - 1))

    def action_edge(self, end: int) -> None:
        """To the beginning (-1) or the end (1)."""
        self.action_scroll(end * len(self.text))

    def on_resize(self) -> None:
        self.action_scroll(0)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.action_scroll(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.action_scroll(-3)
