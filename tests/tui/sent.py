"""An application that feeds all it would send to a terminal of its own, whose cells a test compares."""

from __future__ import annotations

from typing import Any

import pyte
from textual._compositor import CompositorUpdate
from textual.app import App
from textual.screen import Screen

from moore_tui.screens.exact import ExactScreen

Cell = tuple[str, str, str]


class Sent(App[None]):
    """`columns` x `lines` cells; `sent` are the updates, `terminal` the screen that they made."""

    def __init__(self, columns: int, lines: int) -> None:
        super().__init__()
        self.columns, self.lines = columns, lines
        self.terminal = pyte.Screen(columns, lines)
        self._stream = pyte.Stream(self.terminal)
        self.sent: list[str] = []

    def get_default_screen(self) -> Screen[Any]:
        return ExactScreen(id="_default")

    def shown(self) -> list[list[Cell]]:
        """(character, colour, ground) of each cell of the terminal."""
        return _cells(self.terminal)

    def fresh(self) -> list[list[Cell]]:
        """The cells of a terminal that is sent everything at once, nothing taken from a cache."""
        terminal = pyte.Screen(self.columns, self.lines)
        stream = pyte.Stream(terminal)
        for widget in self.screen.walk_children(with_self=True):
            widget._styles_cache.clear()
        for y, strip in enumerate(self.screen._compositor.render_strips()):
            stream.feed(f"\x1b[{y + 1};1H" + strip.render(self.console))
        return _cells(terminal)

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        if isinstance(renderable, CompositorUpdate):
            text = renderable.render_segments(self.console)
            self.sent.append(text)
            self._stream.feed(text.replace("\n", "\r\n"))
        super()._display(screen, renderable)


def _cells(terminal: pyte.Screen) -> list[list[Cell]]:
    """A blank has no colour: none could be seen."""
    rows = [[terminal.buffer[y][x] for x in range(terminal.columns)] for y in range(terminal.lines)]
    return [[(cell.data, cell.fg if cell.data != " " else "", cell.bg) for cell in row] for row in rows]
