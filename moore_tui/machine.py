"""How busy this machine is: load, memory, GPUs. Read seldom, and only while something runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from moore_tui.messages import Card, Machine

EVERY_S = 2.0
CARDS_EVERY_S = 5.0
QUERY = ("nvidia-smi", "--query-gpu=index,utilization.gpu,memory.used,memory.total", "--format=csv,noheader,nounits")


class Gauge:
    """Looks at most every EVERY_S; nvidia-smi runs beside, and its answer is taken once it is there."""

    def __init__(self) -> None:
        self._next = self._next_cards = 0.0
        self._asked: subprocess.Popen[str] | None = None
        self._cards: tuple[Card, ...] = ()
        self._has_cards = shutil.which(QUERY[0]) is not None
        self.machine: Machine | None = None

    def look(self, now: float | None = None) -> Machine | None:
        """The machine as it is now, or was a moment ago."""
        now = time.monotonic() if now is None else now
        if self._has_cards:
            self._look_at_cards(now)
        if now >= self._next:
            self._next = now + EVERY_S
            with suppress(OSError):
                self.machine = Machine(
                    host=os.uname().nodename.partition(".")[0],
                    load=round(os.getloadavg()[0], 1),
                    cores=len(os.sched_getaffinity(0)),
                    memory=memory(Path("/proc/meminfo").read_text(encoding="ascii")),
                    cards=self._cards,
                )
        return self.machine

    def close(self) -> None:
        """Leave no question behind."""
        if self._asked is not None:
            self._asked.kill()
            self._asked.communicate()

    def _look_at_cards(self, now: float) -> None:
        if self._asked is not None and self._asked.poll() is not None:
            answer, _ = self._asked.communicate()
            self._cards, self._has_cards = cards(answer), self._asked.returncode == 0
            self._asked = None
        if self._asked is None and self._has_cards and now >= self._next_cards:
            self._next_cards = now + CARDS_EVERY_S
            try:
                self._asked = subprocess.Popen(
                    QUERY, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
                )
            except OSError:
                self._has_cards = False


def memory(meminfo: str) -> float:
    """Share of the memory that is not available, to two digits; 0 where /proc/meminfo does not say."""
    kb = {}
    for line in meminfo.splitlines():
        name, _, value = line.partition(":")
        if name in ("MemTotal", "MemAvailable"):
            kb[name] = int(value.split()[0])
    return round(1.0 - kb["MemAvailable"] / kb["MemTotal"], 2) if len(kb) == 2 and kb["MemTotal"] else 0.0


def cards(answer: str) -> tuple[Card, ...]:
    """The GPUs of nvidia-smi's answer; one that does not tell its figures is left out."""
    found = []
    for line in answer.splitlines():
        with suppress(ValueError):
            number, busy, used, whole = (float(word) for word in line.split(","))
            found.append(Card(int(number), busy / 100.0, used / 1024.0, whole / 1024.0))
    return tuple(found)
