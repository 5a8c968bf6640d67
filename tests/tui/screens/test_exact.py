"""What an ExactScreen sends turns the terminal's old picture into the new one, with the changed cells only."""

from __future__ import annotations

import asyncio
import random
import re
from typing import Any

import pyte
import pytest
from rich.segment import Segment
from rich.style import Style
from textual._compositor import CompositorUpdate
from textual.app import App, ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.geometry import Region
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Static

from moore_tui.screens.exact import ExactScreen

WIDTH, HEIGHT = 60, 16
STYLES = [Style(color=color, bgcolor="black") for color in ("red", "green", "blue")]


class Mosaic(Widget):
    """Random narrow and wide characters, one style a cell."""

    def __init__(self) -> None:
        super().__init__()
        self.cells: dict[tuple[int, int], tuple[str, Style]] = {}

    def render_line(self, y: int) -> Strip:
        return Strip([Segment(*self.cells.get((x, y), (".", STYLES[0]))) for x in range(self.size.width)])


class Sent(App[None]):
    """Feeds all it would send to a terminal of its own, and keeps it."""

    CSS = """
    Horizontal { height: 10; } Mosaic { width: 1fr; height: 1fr; border: solid white; }
    #over { layer: above; offset: 20 4; width: 12; height: 3; background: green; display: none; }
    """

    def __init__(self, screen: type[Screen[None]]) -> None:
        super().__init__()
        self.kind = screen
        self.terminal = pyte.Screen(WIDTH, HEIGHT)
        self.stream = pyte.Stream(self.terminal)
        self.sent: list[str] = []

    def get_default_screen(self) -> Screen[Any]:
        return self.kind(id="_default")

    def compose(self) -> ComposeResult:
        self.screen.styles.layers = ("base", "above")  # type: ignore[assignment]
        with Horizontal():
            yield Mosaic()
            yield Mosaic()
        with VerticalScroll():
            yield Static("\n".join(f"line {n}" for n in range(30)))
        yield Static("over", id="over")

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        if isinstance(renderable, CompositorUpdate):
            text = renderable.render_segments(self.console)
            self.sent.append(text)
            # A line feed moves this terminal's cursor down as well as left, as a raw one would not.
            self.stream.feed(text.replace("\n", "\r\n"))
        super()._display(screen, renderable)


def cells(terminal: pyte.Screen) -> list[list[tuple[str, str]]]:
    return [[(terminal.buffer[y][x].data, terminal.buffer[y][x].fg) for x in range(WIDTH)] for y in range(HEIGHT)]


def whole(app: Sent) -> list[list[tuple[str, str]]]:
    """The cells of a terminal that is sent everything at once."""
    terminal = pyte.Screen(WIDTH, HEIGHT)
    stream = pyte.Stream(terminal)
    for y, strip in enumerate(app.screen._compositor.render_strips()):
        stream.feed(f"\x1b[{y + 1};1H" + strip.render(app.console))
    return cells(terminal)


def driven(screen: type[Screen[None]], seed: int) -> Sent:
    """An application whose widgets change at random; after each change the terminal shows what it should."""
    rng, app = random.Random(seed), Sent(screen)

    async def body() -> None:
        async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
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
                assert cells(app.terminal) == whole(app), f"step {step} of seed {seed}"

    asyncio.run(body())
    return app


@pytest.mark.parametrize("seed", range(2))
def test_the_terminal_shows_what_a_fresh_one_would(seed: int) -> None:
    driven(ExactScreen, seed)


def test_one_changed_cell_is_sent_as_one_cell() -> None:
    app = Sent(ExactScreen)

    async def body() -> None:
        async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
            mosaic = app.query(Mosaic).last()
            mosaic.cells[20, 3] = ("x", STYLES[1])
            await pilot.pause()
            app.sent.clear()
            mosaic.refresh(Region(20, 3, 1, 1))
            await pilot.pause()

    asyncio.run(body())
    (sent,) = app.sent
    assert re.sub(r"\x1b\[[\d;]*m", "", sent) == f"\x1b[5;{30 + 1 + 20 + 1}Hx"
