"""What the command line says about a console: where the runs lie, how often it looks, what it may do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from moore_engine.rundir import RunDir
from moore_tui.runs.feed import Facts, Feed


@dataclass(frozen=True)
class Options:
    """`hz` looks a second while focused (0: only when asked, for tests); `attach` and `replay` name a run.

    `speed` is how many times faster than it happened a replay goes.
    """

    runs_dir: Path
    hz: float = 4.0
    slow_link: bool = False
    mouse: bool = True
    readonly: bool = False
    ascii: bool = False
    attach: str | None = None
    replay: str | None = None
    speed: float = 60.0


def feed_for(options: Options) -> Facts:
    """A live folder, or a run that is played again."""
    if options.replay:
        from moore_tui.runs.replay import Replay

        return Replay(RunDir(options.replay), options.speed)
    return Feed(options.runs_dir)
