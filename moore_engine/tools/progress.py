"""How far a long tool is: one line on stderr, rewritten in place on a terminal; elsewhere a plain line now and then.

Figures of rate and time left come from the last ten seconds, so that a resumed or stalled work is told as it is now.
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType

WINDOW_S = 10.0
REDRAW_S = 0.1
PLAIN_S = 10.0
CELLS = 20


class Bar:
    """Progress of one work, as a context: `bar.update(done)` with what is done of `total` (0 or None: not known).

    `unit` is a word such as rows, or "B" for bytes, which are told as kB, MB or GB. Nothing is written for a work that
    ends within half a second, and nothing stays on a terminal when it has ended.
    """

    def __init__(
        self, label: str, total: int | None, unit: str = "rows", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._label, self.total, self._unit, self._clock = label, total, unit, clock
        self._live = sys.stderr.isatty()
        self._began = self._told = clock()
        self._seen: deque[tuple[float, int]] = deque()
        self._shown = False

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()

    def update(self, done: int, total: int | None = None) -> None:
        """Tell that `done` is done; cheap to call often."""
        now = self._clock()
        if total is not None:
            self.total = total
        if not self._seen or now - self._seen[-1][0] >= REDRAW_S:
            self._seen.append((now, done))
            while len(self._seen) > 2 and now - self._seen[0][0] > WINDOW_S:
                self._seen.popleft()
        if now - self._began < 0.5 or now - self._told < (REDRAW_S if self._live else PLAIN_S):
            return
        self._told = now
        text = self.line(now, done)
        if self._live:
            self._write(f"\r{text[: _columns() - 1]}\x1b[K")
            self._shown = True
        else:
            self._write(f"{text}\n")

    def say(self, text: str) -> None:
        """A line that stays, above the bar."""
        self.clear()
        self._write(f"{text}\n")

    def clear(self) -> None:
        """Take the bar off the terminal."""
        if self._shown:
            self._write("\r\x1b[K")
            self._shown = False

    def line(self, now: float, done: int) -> str:
        """`label  [####....] 34 %  25.6 of 75.9 MB  1.2 MB/s  ETA 41s`."""
        parts = [self._label]
        if self.total:
            share = min(1.0, done / self.total)
            full = int(CELLS * share)
            parts.append(f"[{'#' * full}{'.' * (CELLS - full)}] {int(100 * share)} %")
            so_far = amount(done, self._unit) if self._unit == "B" else f"{done:,}"
            parts.append(f"{so_far} of {amount(self.total, self._unit)}")
        else:
            parts.append(amount(done, self._unit))
        then, before = self._seen[0] if self._seen else (now, done)
        if now - then >= 1.0:
            rate = (done - before) / (now - then)
            parts.append(f"{amount(int(rate), self._unit)}/s")
            if self.total and rate > 0:
                parts.append(f"ETA {duration((self.total - done) / rate)}")
        return "  ".join(parts)

    def _write(self, text: str) -> None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except OSError:  # a terminal that is gone is no reason to stop
            self._live = self._shown = False


def amount(count: int, unit: str) -> str:
    """A count to read: `402,000 rows`, `75.9 MB`."""
    if unit != "B":
        return f"{count:,} {unit}"
    for name, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {name}"
    return f"{count} B"


def duration(seconds: float) -> str:
    """Seconds to read: 8s, 3m05s, 2h07m."""
    whole = max(0, round(seconds))
    if whole >= 3600:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 60}m{whole % 60:02d}s" if whole >= 60 else f"{whole}s"


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except (OSError, ValueError):
        return 80
