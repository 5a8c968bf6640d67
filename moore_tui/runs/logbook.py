"""The log of a run as one list: every attempt's printed lines, the keeper's, and the events worth a line.

Printed lines have no time, so what was there before the book was opened stands by attempt (events, then what was
printed, then how it ended), and what comes later in the order in which it came.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from threading import RLock

from moore_engine.rundir import RunDir
from moore_tui.runs import log_lines, tail
from moore_tui.runs.log_lines import ERROR, Levels, LogLine
from moore_tui.runs.newest import recent
from moore_tui.runs.tail import Batch, LogTail

MOST = 50_000
"""Lines that are kept; the oldest go first, a tenth at a time."""

LOOK_BACK = 1 << 21
"""Bytes of events, and of each log, that are read from the end when a book is opened."""

_SLICE = 1 << 17
_NAME = re.compile(r"attempt-(\d{1,9})\.log")


class LogBook:
    """Lines are known by number: the first one ever is 0, `first` the oldest still kept, `end` one past the newest.

    `version` rises with every change and with the first look; `more` says that something is left to read, as it does
    before that look. One thread polls and applies, any other may read.
    """

    def __init__(self, run: RunDir) -> None:
        self.run = run
        self.version = 0
        self.first = 0
        self.more = True
        self._lines: list[LogLine] = []
        self._lock = RLock()
        self._files: dict[str, _File] = {}
        self._folder: int | None = None
        self._seen = 0
        self._opened = False

    @property
    def end(self) -> int:
        with self._lock:
            return self.first + len(self._lines)

    @property
    def lines(self) -> list[LogLine]:
        """All lines that are kept, oldest first."""
        return self.slice(self.first, self.end)

    def slice(self, start: int, end: int) -> list[LogLine]:
        """Lines `start` to `end`, without those that are gone or not yet there."""
        with self._lock:
            return self._lines[max(0, start - self.first) : max(0, end - self.first)]

    def count(self, level: str) -> int:
        """Kept lines of a level."""
        with self._lock:
            return sum(line.level == level for line in self._lines)

    def search(self, text: str, start: int, *, back: bool = False) -> int | None:
        """Number of the nearest line from `start` on (that one included) that holds `text`, in whatever case."""
        wanted = text.casefold()
        first, lines = self._all()
        fitting = (n for n in _numbers(start, back, first, lines) if wanted in lines[n - first].text.casefold())
        return next(fitting, None) if wanted else None

    def next_error(self, start: int, *, back: bool = False) -> int | None:
        """Number of the nearest error from `start` on; the lines of one traceback are one error."""
        first, lines = self._all()
        return next((n for n in _numbers(start, back, first, lines) if _begins_error(lines, n - first)), None)

    def poll(self, deadline: float = 0.0, *, over: bool = False) -> bool:
        """Read what the logs have got, one slice of each at least, until the deadline (time.monotonic).

        `over` says that nobody writes them any more, so that a last line without an end is complete.
        """
        version = self.version
        self._find_files()
        if not self._opened:
            self._open()
        self.more = False
        newest = max((file.attempt for file in self._files.values()), default=0)
        for file in self._files.values():
            self._append(file.read(deadline, over or 0 < file.attempt < newest))
            self.more |= file.more
        return self.version != version

    def apply(self, batch: Batch) -> None:
        """Take in events that a poll of the run found; those that were there when the book was opened are known."""
        if batch.reset:
            self.take_back(0)
        for event in batch.events:
            if event["seq"] <= self._seen:
                continue
            self._seen = event["seq"]
            if event["k"] == "run" and isinstance(event.get("resumed_seq"), int):
                self.take_back(event["resumed_seq"])
                self._seen = event["seq"]
            if event["k"] in log_lines.KINDS:
                self._append([log_lines.told(event)])

    def take_back(self, seq: int) -> None:
        """Forget events past `seq`, as of a dead attempt; what was printed stays."""
        with self._lock:
            self._seen = min(self._seen, seq)
            left = [line for line in self._lines if line.seq <= seq]
            self.version += len(left) < len(self._lines)
            self._lines = left

    def _open(self) -> None:
        """What is there already, by attempt."""
        self._opened = True
        found = []
        for event in recent(self.run.events, LOOK_BACK, log_lines.KINDS):
            self._seen = max(self._seen, event["seq"])
            if event["k"] in log_lines.KINDS:
                found.append(log_lines.told(event))
        with self._lock:
            known = {line.seq for line in self._lines}
            found = [line for line in found[::-1] if line.seq not in known]
            for file in self._files.values():
                found += file.read(0.0)
            self._lines += sorted(found, key=_place)
            self._bound()
            self.version += 1

    def _find_files(self) -> None:
        """attempt-<n>.log by number, then keeper.log; the folder is listed again only when it has changed."""
        try:
            changed = self.run.log.stat().st_mtime_ns
            if changed == self._folder:
                return
            names = {path.name for path in self.run.log.iterdir()}
        except OSError:
            return
        self._folder = changed if changed < time.time_ns() - 100_000_000 else None
        numbers = sorted(int(found[1]) for name in names if (found := _NAME.fullmatch(name)))
        for name, attempt in [*((f"attempt-{number}.log", number) for number in numbers), ("keeper.log", 0)]:
            if name in names and name not in self._files:
                self._files[name] = _File(self.run.log / name, attempt)

    def _append(self, lines: Iterable[LogLine]) -> None:
        with self._lock:
            before = len(self._lines)
            self._lines += lines
            self.version += len(self._lines) > before
            self._bound()

    def _bound(self) -> None:
        surplus = len(self._lines) - MOST
        if surplus > 0:
            gone = max(surplus, MOST // 10)
            del self._lines[:gone]
            self.first += gone

    def _all(self) -> tuple[int, list[LogLine]]:
        with self._lock:
            return self.first, self._lines[:]


class _File:
    """One log, read from near its end on; nothing is opened as long as it stays as it is."""

    def __init__(self, path: Path, attempt: int) -> None:
        self.attempt, self.more = attempt, True
        self._path = path
        self._tail = LogTail(path, LOOK_BACK)
        self._levels = Levels()
        self._stamp: tuple[int, int, int] | None = None
        self._torn_at = -1

    def read(self, deadline: float, over: bool = False) -> list[LogLine]:
        """New whole lines; once nobody writes any more (`over`) also a last one without an end."""
        found: list[str] = []
        stamp = self._stat()
        if stamp != self._stamp or self.more:
            self._stamp = stamp
            while True:
                found += self._tail.poll(_SLICE)[0]
                self.more = self._tail.more
                if not self.more or time.monotonic() >= deadline:
                    break
        if over and not self.more and stamp and self._torn_at < self._tail.offset < stamp[1]:
            self._torn_at = self._tail.offset
            found += tail.last_lines(self._tail.path, 1)
        return list(self._lines(found))

    def _lines(self, texts: list[str]) -> Iterator[LogLine]:
        for text in texts:
            if self.attempt:
                yield log_lines.printed(text, self.attempt, self._levels)
            else:
                line = log_lines.kept(text, self._keeps)
                self._keeps = line.attempt
                yield line

    _keeps = 0
    """The attempt of which the keeper spoke last."""

    def _stat(self) -> tuple[int, int, int] | None:
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return stat.st_ino, stat.st_size, stat.st_mtime_ns


def _numbers(start: int, back: bool, first: int, lines: list[LogLine]) -> range:
    """Line numbers from `start` to the end of the book, or back to its beginning."""
    end = first + len(lines)
    return range(min(start, end - 1), first - 1, -1) if back else range(max(start, first), end)


def _begins_error(lines: list[LogLine], index: int) -> bool:
    if lines[index].level != ERROR:
        return False
    before = lines[index - 1] if index else None
    return before is None or before.level != ERROR or before.source != lines[index].source


def _place(line: LogLine) -> tuple[int, int, float]:
    """Of a line that was there when the book was opened; what the keeper says at the end comes last."""
    ended = line.source == "keeper" and " pid " not in line.text
    rank = 2 if ended else 1 if line.source == "log" else 0
    return line.attempt, rank, line.t or 0.0
