"""The one line that a followed run rewrites in place: stage, epoch, bar, last result, speed, time left."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

from moore_tui.headless.output import duration, number, rate

BAR = 20


@dataclass(frozen=True)
class Progress:
    """Where a run is. `done` is the share of the stage in [0, 1]; speed in updates or environment steps a second.

    `doing` is told as long as there is no speed.
    """

    stage: str = ""
    epoch: int = 0
    epochs: int = 0
    done: float = 0.0
    result: float | None = None
    score: float | None = None
    speed: float | None = None
    unit: str = "update/s"
    eta_s: float | None = None
    note: str = ""
    doing: str = ""


def line(progress: Progress, width: int) -> str:
    """The progress line in at most `width` columns; the least needed parts go first, then the bar shrinks."""
    head = progress.note or progress.stage or "starting"
    if progress.epochs:
        head += f" {progress.epoch}/{progress.epochs}"
    parts = []
    if progress.score is not None:
        parts.append(f"score {number(progress.score)}")
    if progress.result is not None:
        parts.append(f"return {number(progress.result)}")
    if progress.eta_s is not None:
        parts.append(f"ETA {duration(progress.eta_s)}")
    if progress.doing and not progress.speed:
        parts.append(progress.doing)
    elif progress.speed is not None:
        parts.append(rate(progress.speed, progress.unit))
    while parts and len("  ".join([head, *parts])) > width:
        parts[-1:] = filter(None, [parts[-1].rpartition(", ")[0]])
    used = len("  ".join([head, *parts]))
    cells = min(BAR, width - used - 4)
    bar = []
    if progress.epochs and cells >= 5:
        full = round(cells * min(1.0, max(0.0, progress.done)))
        bar = ["[" + "#" * full + "." * (cells - full) + "]"]
    return "  ".join([head, *bar, *parts])[:width]


class Live:
    """Rewrites the line on stderr if that is a terminal; narration goes through `above`, so that it scrolls past it."""

    def __init__(self) -> None:
        self.on = sys.stderr.isatty()
        self._shown = ""

    def show(self, progress: Progress) -> None:
        """Replace the line; the terminal's last column stays free, so that it never wraps."""
        if not self.on:
            return
        text = line(progress, max(10, self._columns() - 1))
        if text != self._shown:
            self._write(f"\r{text}{' ' * max(0, len(self._shown) - len(text))}")
            self._shown = text

    def above(self, text: str) -> None:
        """A line of narration, the progress line below it."""
        self.clear()
        self._write(text + "\n")

    def clear(self) -> None:
        """Take the line away."""
        if self._shown:
            self._write("\r" + " " * len(self._shown) + "\r")
            self._shown = ""

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(sys.stderr.fileno()).columns or 80
        except (OSError, ValueError):
            return 80

    def _write(self, text: str) -> None:
        """A terminal that is gone is switched off, the run goes on."""
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except OSError:
            self.on = False
