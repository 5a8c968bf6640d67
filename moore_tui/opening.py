"""Opening the console from the command line: whole, on one run, or on a run that is played again.

Where there is no terminal to draw on, what there is to know is printed at once. Textual is imported only to draw.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from moore_engine.rundir import EXIT_DONE, RunDir
from moore_tui.headless import find
from moore_tui.headless.diagnostics import PROGRAM, Failure, say
from moore_tui.options import Options, feed_for
from moore_tui.runs import store
from moore_tui.runs.feed import NEAR

EXAMPLE = "example"
"""A recorded run that comes with the console; one of the same name in the runs folder goes before it."""


def console(runs_dir: str | None, **view: Any) -> int:
    """The console on a runs folder; elsewhere than on a terminal the table of runs and a hint."""
    if not drawable():
        from moore_tui.headless import show

        return show.console(runs_dir)
    return draw(options(find.runs_dir(runs_dir), **view))


def attach(run: str, runs_dir: str | None, **view: Any) -> int:
    """The console with its cursor on one run; elsewhere than on a terminal its status and a hint."""
    found = find.run(run, runs_dir)
    if not drawable():
        from moore_tui.headless import show

        code = show.status(str(found.path), None, as_json=False)
        say(f"there is no terminal to draw on; {PROGRAM} logs {found.id} -f and events {found.id} -f follow the run")
        return code
    return draw(replace(options(found.path.parent, **view), attach=found.path.name))


def replay(run: str, runs_dir: str | None, speed: float, **view: Any) -> int:
    """The console on one run's events, played again `speed` times faster than they happened."""
    found = recorded(run, runs_dir)
    if not drawable():
        raise Failure(f"a replay needs a terminal to draw on; {PROGRAM} events {found.path} prints what it would show")
    return draw(replace(options(found.path.parent, **view), replay=str(found.path), speed=speed))


def recorded(name: str, runs_dir: str | None) -> RunDir:
    """The run of this name, or the example that comes with the package."""
    own = RunDir(find.runs_dir(runs_dir) / EXAMPLE)
    example = store.example() if name == EXAMPLE and not own.exists() else None
    return example or find.run(name, runs_dir)


def options(
    runs_dir: Path,
    *,
    hz: float = 4.0,
    slow_link: bool = False,
    no_mouse: bool = False,
    ascii: bool = False,
    readonly: bool = False,
) -> Options:
    """What the command line said, and what the locale says about characters."""
    from moore_tui.terminal import is_ascii

    return Options(runs_dir, hz, slow_link, not no_mouse, readonly, ascii or is_ascii())


def drawable() -> bool:
    """Whether this is a terminal that can show screens."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown", "")


def draw(chosen: Options) -> int:
    """Open the console; its exit code. The runs are looked at while Textual is being imported."""
    import gc
    from contextlib import suppress
    from threading import Thread

    from moore_tui import memory

    memory.spare()
    gc.disable()  # nothing that is made while it opens is garbage; the application enables it again
    feed = feed_for(chosen)
    feed.near = None if chosen.attach else NEAR  # the application looks at the others once it has painted

    def look() -> None:
        with suppress(Exception):  # the console's own look meets the same trouble, and tells it
            feed.poll()

    Thread(target=look, name="first look", daemon=True).start()
    from moore_tui.app import open_console

    return int(open_console(chosen, feed) or EXIT_DONE)
