"""What an ExactScreen sends turns the terminal's old picture into the new one, with the changed cells only."""

from __future__ import annotations

import random
import re
from typing import Any

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.segment import Segment
from rich.style import Style
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.geometry import Region
from textual.pilot import Pilot
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Static

from moore_tui.screens.exact import thrifty
from tests.tui.piloted import piloted
from tests.tui.sent import Sent

WIDTH, HEIGHT = 60, 16
LOOKS = ["31;40", "32;40", "31;47", "38;2;1;2;3;48;5;7", "1;31;40", "7", "2;38;5;9", "4;92;100"]
STYLES = [Style(color=color, bgcolor="black") for color in ("red", "green", "blue")]
STYLES += [Style(color="red", bgcolor="white"), Style(bold=True, color="red", bgcolor="black"), Style(reverse=True)]


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


PIECES = st.lists(
    st.tuples(st.integers(0, 7), st.integers(0, 3), st.sampled_from("ab "), st.sampled_from(["", *LOOKS]))
)


@given(PIECES)
def test_leaving_out_styles_that_are_set_changes_no_cell(pieces: list[tuple[int, int, str, str]]) -> None:
    text = "".join(
        f"\x1b[{y + 1};{x + 1}H" + (f"\x1b[{look}m{character}\x1b[0m" if look else character)
        for x, y, character, look in pieces
    )
    screens = []
    for sent in (text, thrifty(text)):
        screens.append(pyte.Screen(10, 4))
        pyte.Stream(screens[-1]).feed(sent + "\x1b[4;10Hx")
    assert screens[0].buffer == screens[1].buffer


def test_a_style_is_sent_once_and_a_ground_that_stays_is_not_sent_again() -> None:
    red, blue, bold = "38;2;255;0;0;48;2;1;1;1", "38;2;0;0;255;48;2;1;1;1", "1;31"
    text = "".join(f"\x1b[{n};1H\x1b[{style}mx\x1b[0m" for n, style in enumerate((red, red, blue, bold, bold)))
    assert thrifty(text) == (
        f"\x1b[0;1H\x1b[{red}mx\x1b[1;1Hx\x1b[2;1H\x1b[38;2;0;0;255mx\x1b[3;1H\x1b[0m\x1b[1;31mx\x1b[4;1Hx\x1b[0m"
    )
