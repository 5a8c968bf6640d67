"""A pane of lines to read, moved with the keys where they are more than fit."""

from __future__ import annotations

from textual.app import ComposeResult

from moore_tui.widgets.pane import Pane
from moore_tui.widgets.reader import Reader


class TextPane(Pane):
    """What `paint` works out goes into `reader`; it is worked out anew for every width."""

    context = "text"

    DEFAULT_CSS = """
    TextPane > Reader { height: 1fr; margin: 1; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.reader = Reader()

    def compose(self) -> ComposeResult:
        yield self.reader

    def clear(self) -> None:
        super().clear()
        self.reader.fill([])

    def on_resize(self) -> None:
        self.repaint()
