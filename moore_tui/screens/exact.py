"""A screen that sends the terminal the cells that changed, and no others.

Textual (8.2) sends a changed span together with everything left of it in its widget: of a curve that grows at its right
end it would send whole rows. Six live charts at four points a second: 2.1 kB/s that way, 0.27 kB/s this way.
"""

from __future__ import annotations

from typing import TypeVar

from rich.console import Console
from rich.control import Control
from textual._compositor import ChopsUpdate, Compositor
from textual.screen import Screen

Result = TypeVar("Result")


class ExactScreen(Screen[Result]):
    """Only the way to the terminal differs from a Screen's."""

    def __init__(self, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(name, id, classes)
        self._compositor = ExactCompositor()


class ExactCompositor(Compositor):
    """Makes exact updates of partial ones."""

    def render_partial_update(self) -> ChopsUpdate | None:
        update = super().render_partial_update()
        return ExactUpdate(update.chops, update.spans, update.chop_ends) if update is not None else None


class ExactUpdate(ChopsUpdate):
    """Changed spans (y, x1, x2); a row is made of strips (chops) that begin at the keys and end at `chop_ends`."""

    def render_segments(self, console: Console) -> str:
        sent: list[str] = []
        for y, x1, x2 in self.spans:
            for end, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                begin, stop = max(x, x1), min(end, x2)
                if strip is not None and begin < stop:
                    sent += (Control.move_to(begin, y).segment.text, strip.crop(begin - x, stop - x).render(console))
        return "".join(sent)
