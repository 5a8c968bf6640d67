"""What one process of this host uses: cores and memory, from /proc, as the difference of two looks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


class Usage(NamedTuple):
    """`cores` in use between the last two looks (1.0 is one core), None after the first; resident memory in MB."""

    cores: float | None
    rss_mb: float


class Meter:
    """Looks at a process; another one, or the same number started anew, begins from the start."""

    def __init__(self) -> None:
        self._who: tuple[int, int] | None = None
        self._at = self._used = 0.0

    def look(self, pid: int, now: float) -> Usage | None:
        """The process as it is at `now` (monotonic seconds); None if there is none."""
        found = read(pid)
        if found is None:
            self._who = None
            return None
        start, used, rss_mb = found
        cores = None
        if self._who == (pid, start) and now > self._at:
            cores = max(0.0, (used - self._used) / (now - self._at))
        self._who, self._at, self._used = (pid, start), now, used
        return Usage(cores, rss_mb)


def read(pid: int) -> tuple[int, float, float] | None:
    """(start in clock ticks, CPU seconds with those of ended children, resident MB); None if there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        fields = text.rpartition(")")[2].split()
        used = sum(map(int, fields[11:15])) / _TICKS
        return int(fields[19]), used, int(fields[21]) * _PAGE / 1e6
    except (OSError, ValueError, IndexError):
        return None
