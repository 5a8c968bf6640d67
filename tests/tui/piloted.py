"""Driving the console in a test without a terminal, and reading its screen as plain text."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from unittest import mock

from textual.app import App
from textual.pilot import Pilot

from moore_tui.app import MooreConsole
from moore_tui.options import Options
from moore_tui.settings import Settings

SIZES = [(80, 24), (100, 30), (160, 50)]

Body = Callable[[Pilot[Any]], Awaitable[None]]


def console(runs_dir: Path, *, settings: Settings | None = None, feed: Any = None, **options: Any) -> MooreConsole:
    """A console that looks only when told to (`app.refresh_facts()`)."""
    return MooreConsole(Options(runs_dir, **{"hz": 0.0, **options}), settings, feed)


def piloted(app: App[Any], body: Body, size: tuple[int, int] = (80, 24), debug: bool = True) -> None:
    """Run `body` with the application on a screen of that size; an error in either fails the test.

    Without `debug` a pane may break, as it may for a user.
    """

    async def whole() -> None:
        async with app.run_test(size=size) as pilot:
            if isinstance(app, MooreConsole):
                app.refresh_facts()
            await pilot.pause()
            await body(pilot)

    with mock.patch.dict(os.environ, {"MOORE_DEBUG": "1" if debug else ""}):
        asyncio.run(whole())


def screen_text(app: App[Any]) -> str:
    """The cells of the whole screen as text, one line a row, without what trails."""
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips)


def rows(app: App[Any]) -> list[str]:
    return screen_text(app).split("\n")


async def until(pilot: Pilot[Any], condition: Callable[[], Any], what: str = "", timeout: float = 10.0) -> None:
    """Let the application work until the condition holds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout:g} s for {what or condition}\n{screen_text(pilot.app)}"
        await pilot.pause(0.01)


def same_cells(app: App[Any], golden: Path) -> None:
    """The screen is the one in the file; with the file missing, it is written and the test fails once."""
    shown = screen_text(app) + "\n"
    if not golden.exists():
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(shown, encoding="utf-8")
        raise AssertionError(f"{golden} was missing and has been written: look at it, then run again")
    assert shown == golden.read_text(encoding="utf-8"), f"the screen differs from {golden}:\n{shown}"
