"""What an ExactScreen sends turns the terminal's old picture into the new one, with the changed cells only."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest
from rich.segment import Segment
from rich.style import Style
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.geometry import Region
from textual.pilot import Pilot
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Static

from tests.tui.piloted import piloted
from tests.tui.sent import Sent

WIDTH, HEIGHT = 60, 16
STYLES = [Style(color=color, bgcolor="black") for color in ("red", "green", "blue")]


class Mosaic(Widget):
    """Random characters, one style a cell."""

    def __init__(self) -> None:
        super().__init__()
        self.cells: dict[tuple[int, int], tuple[str, Style]] = {}

    def render_line(self, y: int) -> Strip:
        return Strip([Segment(*self.cells.get((x, y), (".", STYLES[0]))) for x in range(self.size.width)])


class Mosaics(Sent):
    """Two of them, something that scrolls, and something that comes and goes above."""

    CSS = """
    Screen { layers: base above; }
    Horizontal { height: 10; } Mosaic { width: 1fr; height: 1fr; border: solid white; }
    #over { layer: above; offset: 20 4; width: 12; height: 3; background: green; display: none; }
    """

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Mosaic()
            yield Mosaic()
        with VerticalScroll():
            yield Static("\n".join(f"line {n}" for n in range(30)))
        yield Static("over", id="over")


@pytest.mark.parametrize("seed", range(2))
def test_the_terminal_shows_what_a_fresh_one_would(seed: int) -> None:
    rng, app = random.Random(seed), Mosaics(WIDTH, HEIGHT)

    async def body(pilot: Pilot[Any]) -> None:
        for step in range(15):
            for mosaic in app.query(Mosaic):
                for _ in range(rng.randrange(4)):
                    x, y = rng.randrange(mosaic.size.width), rng.randrange(mosaic.size.height)
                    mosaic.cells[x, y] = (rng.choice("abc⣿"), rng.choice(STYLES))
                    mosaic.refresh(Region(x, y, 1, 1))
            if step % 7 == 3:
                over = app.query_one("#over")
                over.display = not over.display
            if step % 5 == 4:
                app.query_one(VerticalScroll).scroll_to(y=rng.randrange(20), animate=False)
            await pilot.pause()
            assert app.shown() == app.fresh(), f"step {step}"

    piloted(app, body, (WIDTH, HEIGHT))


def test_one_changed_cell_is_sent_as_one_cell() -> None:
    app = Mosaics(WIDTH, HEIGHT)

    async def body(pilot: Pilot[Any]) -> None:
        mosaic = app.query(Mosaic).last()
        app.sent.clear()
        mosaic.cells[20, 3] = ("x", STYLES[1])
        mosaic.refresh(Region(20, 3, 1, 1))
        await pilot.pause()
        (sent,) = app.sent
        assert re.sub(r"\x1b\[[\d;]*m", "", sent) == f"\x1b[5;{30 + 1 + 20 + 1}Hx"

    piloted(app, body, (WIDTH, HEIGHT))
