"""A pane: a frame with a caption, the facts of one run in it; and the RunView that every pane is shown.

The frame is drawn cell by cell, so that a new figure in the caption sends a few bytes and not the whole pane.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from textual.geometry import Region
from textual.strip import Strip

from moore_tui.messages import Machine, PaneBroke
from moore_tui.runs.model import Snapshot
from moore_tui.runs.plan import Plan
from moore_tui.widgets.sheet import Line, Sheet, changed, cut, length, spread
from moore_tui.widgets.states import plain

if TYPE_CHECKING:
    from moore_tui.runs.logbook import LogBook
    from moore_tui.runs.notes import Note
    from moore_tui.runs.series import RunSeries
    from moore_tui.runs.usage import Usage
    from moore_tui.widgets.chart_view import ChartView


LEAST = 16
"""Cells of what stands at the right of a caption, below which it is left out."""


@dataclass(frozen=True)
class Marked:
    """A marked run as the panes of another one need it; `number` from 1 in the order of marking."""

    id: str
    number: int
    series: RunSeries | None
    plan: Plan


@dataclass(frozen=True)
class RunView:
    """Everything the panes may show of the run under the cursor.

    `boundary` and `horizon` are where online began and the planned x axis, the same for every chart; `settings` the
    values of the configuration by key (None until they are read), `differs` those of the first marked run where they
    are others; `ascii` asks for letters in place of glyphs.
    """

    snapshot: Snapshot
    chart: ChartView
    plan: Plan
    series: RunSeries | None = None
    log: LogBook | None = None
    note: Note | None = None
    marked: tuple[Marked, ...] = ()
    boundary: float | None = None
    horizon: tuple[float, float] | None = None
    usage: Usage | None = None
    machine: Machine | None = None
    settings: Mapping[str, Any] | None = None
    differs: Mapping[str, Any] | None = None
    ascii: bool = False


def yet(empty: str, view: RunView) -> str:
    """What stands where there is nothing to see yet, and what the run is doing until its first update."""
    shot = view.snapshot
    return f"{empty}: {plain(shot.doing)}" if shot.doing and not shot.update else empty


class Pane(Sheet):
    """`number` is the key that goes there, `title` its name, `context` that of its keys.

    Subclasses say what they depend on (`key`), paint it (`paint`) and sum it up in a few cells (`summary`).
    """

    number: ClassVar[int] = 0
    title: ClassVar[str] = ""
    context: ClassVar[str] = "charts"
    HELP: ClassVar[str] = ""
    """What it shows and how to read it, for the help."""

    DEFAULT_CSS = """
    Pane { width: 1fr; height: 1fr; }
    Pane > * { margin: 1; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.view: RunView | None = None
        self._key: Hashable = None
        self._left: Line = ((self.title, ""),)
        self._right: Line = ()
        self._drawn: Line = ()

    def show(self, view: RunView | None) -> None:
        """The facts of the shown run, in the UI thread; painted only if this pane depends on what changed."""
        self.view = view
        try:
            key = self.key(view) if view else ()
            if key != self._key:
                self._key = key
                self.repaint()
        except Exception as error:
            self._key = None
            self.clear()
            self.caption(((self.title, ""), (" cannot show this run", "bad")))
            self.post_message(PaneBroke(self.title, error))

    def repaint(self) -> None:
        """Paint what is shown once more."""
        if self.view is None:
            self.clear()
        else:
            self.paint(self.view)

    def key(self, view: RunView) -> Hashable:
        """Changes whenever what this pane paints does."""
        raise NotImplementedError

    def paint(self, view: RunView) -> None:
        raise NotImplementedError

    def clear(self) -> None:
        """No run is shown."""
        self.caption(((self.title, ""),))

    def summary(self, view: RunView) -> str:
        """The figure that stands for this pane while it is hidden."""
        return ""

    @property
    def inner_width(self) -> int:
        return max(0, self.size.width - 2)

    @property
    def inner_height(self) -> int:
        return max(0, self.size.height - 2)

    def caption(self, left: Line, right: Line = ()) -> None:
        """What the upper edge says, at its left and at its right."""
        self._left, self._right = left, right
        self._draw_caption()

    def _draw_caption(self) -> None:
        old, self._drawn = self._drawn, self._caption()
        if self.is_attached:
            for x, end in changed(old, self._drawn, self.size.width):
                self.refresh(Region(x, 0, end - x, 1))

    def _caption(self) -> Line:
        """The upper edge; where room is short, what is dim at the left goes first, then what is at the right."""
        width, frame = self.size.width, self._frame
        number: Line = ((f"{self.number} ", "key"),) if self.number else ()
        room = max(0, width - 4)
        left: Line = (*number, *self._left)
        right: Line = ((" ", ""), *self._right) if self._right else ()
        while right and length(left) + 2 + length(right) > room and left[-1][1] == "dim":
            left = left[:-1]
        if length(left) + 2 + length(right) > room:
            rest = room - length(left) - 2
            right = cut(right, rest) if rest >= LEAST else ()
        right = (*right, (" ", "")) if right else ()
        middle = spread((*cut(left, room), (" ", "")), right, max(0, width - 3), ("─", frame))
        return (("┌ ", frame), *middle, ("┐", frame))

    def render_line(self, y: int) -> Strip:
        width, height = self.size
        if y == 0:
            self._drawn = self._caption()
            return self.strip(self._drawn)
        left, between, right = "└─┘" if y == height - 1 else "│ │"
        return self.strip(((left + between * max(0, width - 2) + right, self._frame),))

    @property
    def _frame(self) -> str:
        return "frame-focus" if self.has_pseudo_class("focus-within") or self.has_focus else "frame"
