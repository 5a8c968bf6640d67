"""When each visible event of a finished run is due if the run is played again, and where its line stands in the file.

Pauses and the gaps between attempts last as long as anybody wants to look at them: two seconds.
"""

from __future__ import annotations

import math
import time
from array import array
from bisect import bisect_right
from pathlib import Path
from typing import Any

from moore_engine.events import parse
from moore_tui.runs.table import Event, number

SQUEEZED_S = 2.0
"""What a pause, or the gap between two attempts, lasts at most."""

_LINES = 500
"""Lines that are read between two looks at the clock."""


class Timeline:
    """`read` until `complete`; then events are known by index. Raises OSError for a file that cannot be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.complete = False
        self.loaded = 0.0
        self._due, self._t = array("d"), array("d")
        self._start, self._length = array("q"), array("q")
        self._seq, self._attempt, self._paused = array("q"), array("q"), array("b")
        self._offset = 0

    def __len__(self) -> int:
        return len(self._due)

    @property
    def duration(self) -> float:
        """Seconds from the first event to the last."""
        return self._due[-1] if self._due else 0.0

    def due(self, at: float) -> int:
        """How many events are due by second `at`."""
        return bisect_right(self._due, at)

    def seq(self, index: int) -> int:
        return self._seq[index]

    def paused(self, count: int) -> bool:
        """Whether the run was paused after its first `count` events."""
        return count > 0 and bool(self._paused[count - 1])

    def read(self, deadline: float) -> None:
        """Read on until the deadline (time.monotonic), some hundred lines at least."""
        with open(self.path, "rb") as file:
            file.seek(self._offset)
            while not self.complete:
                for _ in range(_LINES):
                    line = file.readline()
                    if not line.endswith(b"\n"):
                        self.complete, self.loaded = True, 1.0
                        return
                    event = parse(line)
                    if event is not None:
                        self._take(event, len(line))
                    self._offset += len(line)
                self.loaded = min(1.0, self._offset / self.path.stat().st_size)
                if time.monotonic() >= deadline:
                    return

    def events(self, start: int, end: int) -> list[Event]:
        """Events `start` to `end`, read from the file again."""
        found: list[Event] = []
        with open(self.path, "rb") as file:
            for index in range(start, end):
                if file.tell() != self._start[index]:
                    file.seek(self._start[index])
                event = parse(file.read(self._length[index]))
                if event is None or _int(event["seq"]) != self._seq[index]:
                    raise OSError(f"{self.path} has changed while it was played")
                found.append(event)
        return found

    def _take(self, event: Event, length: int) -> None:
        resumed = event.get("resumed_seq") if event["k"] == "run" else None
        if isinstance(resumed, int):
            while self._seq and self._seq[-1] > resumed:
                for column in (self._due, self._t, self._start, self._length, self._seq, self._attempt, self._paused):
                    column.pop()
        seq, attempt, t = _int(event["seq"]), _int(event.get("att")), number(event.get("t"))
        paused = bool(self._paused and self._paused[-1])
        due = 0.0
        if self._due:
            t = t if math.isfinite(t) else self._t[-1]
            gap = max(0.0, t - self._t[-1])
            due = self._due[-1] + (min(gap, SQUEEZED_S) if paused or attempt != self._attempt[-1] else gap)
        if event["k"] == "ack" and event.get("ok") and event.get("verb") in ("pause", "resume"):
            paused = event["verb"] == "pause"
        self._due.append(due)
        self._t.append(t)
        numbers = (self._start, self._length, self._seq, self._attempt, self._paused)
        for column, value in zip(numbers, (self._offset, length, seq, attempt, paused), strict=True):
            column.append(value)


def _int(value: Any) -> int:
    """A whole number that fits a column; 0 for what is none."""
    return value if isinstance(value, int) and abs(value) < 1 << 62 else 0
