"""Reading files that are being written: events.jsonl by offset with dead attempts hidden, and logs by line.

A torn last line is waited for, a bad one counted and skipped, a file that was replaced or cut is read anew.
"""

from __future__ import annotations

import json
import os
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from moore_engine.events import parse

Event = dict[str, Any]

SLICE = 1 << 20
"""Bytes read in one poll at most; about 10 000 events, 30 ms."""

_BLOCK = 1 << 16
"""Bytes read at a time from the end of a file back."""


class Batch(NamedTuple):
    """What one poll found. Apply in this order: `reset` (drop all), `keep_seq` (drop what came later), `events`."""

    events: list[Event]
    reset: bool
    keep_seq: int | None
    more: bool

    @property
    def changed(self) -> bool:
        return bool(self.events) or self.reset or self.keep_seq is not None


class EventTail:
    """Incremental reader of one events.jsonl; holds no events itself."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bad = 0
        self._bytes = ByteTail(path)

    @property
    def offset(self) -> int:
        """Bytes read so far."""
        return self._bytes.offset

    def poll(self, limit: int = SLICE) -> Batch:
        """New visible events, at most about `limit` bytes of them; `more` says that the file holds further ones."""
        lines, reset = self._bytes.poll(limit)
        if reset:
            self.bad = 0
        found: list[Event] = []
        keep: int | None = None
        for event in self._parse(lines):
            resumed = event.get("resumed_seq") if event["k"] == "run" else None
            if isinstance(resumed, int):
                _drop_after(found, resumed)
                keep = resumed if keep is None else min(keep, resumed)
            found.append(event)
        return Batch(found, reset, keep, self._bytes.more)

    def _parse(self, lines: list[bytes]) -> Iterator[Event]:
        """All lines at once as one JSON array, which is thrice as fast; one by one if that fails."""
        try:
            events = json.loads(b"[" + b",".join(lines) + b"]")
        except ValueError:
            events = None
        if events is None or len(events) != len(lines):
            events = [parse(line) for line in lines]
        for event in events:
            if isinstance(event, dict) and isinstance(event.get("k"), str) and isinstance(event.get("seq"), int):
                yield event
            else:
                self.bad += 1


class EventLog:
    """All visible events of a run so far, kept up to date by `poll`."""

    def __init__(self, path: Path) -> None:
        self.events: list[Event] = []
        self._tail = EventTail(path)

    @property
    def bad(self) -> int:
        """Lines that were skipped."""
        return self._tail.bad

    def poll(self, limit: int = SLICE) -> Batch:
        """Read on and apply what was found; returns the batch for those who keep curves of their own."""
        batch = self._tail.poll(limit)
        if batch.reset:
            self.events.clear()
        if batch.keep_seq is not None:
            _drop_after(self.events, batch.keep_seq)
        self.events += batch.events
        return batch

    def read_all(self) -> list[Event]:
        """Poll until the end of the file as it is now."""
        while self.poll().more:
            pass
        return self.events


class ByteTail:
    """Whole lines of a growing file from where the last poll ended."""

    _CHECK = 64

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0
        self.more = False
        self._last = b""

    def poll(self, limit: int) -> tuple[list[bytes], bool]:
        """(new whole lines without their ends, whether the file is not the one read before)."""
        reset, self.more = False, False
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return [], self._forget()
        except OSError:
            return [], False
        try:
            size = os.fstat(fd).st_size
            reset = self._other(fd) and self._forget()
            block = self._read(fd, size, limit)
        except OSError:  # a folder of that name, or a network file system that has lost it: perhaps it comes back
            return [], reset
        finally:
            os.close(fd)
        self.more = bool(block) and self.offset + len(block) < size
        if block:
            self.offset += len(block)
            self._last = (self._last + block[-self._CHECK :])[-self._CHECK :]
        return block.split(b"\n")[:-1], reset

    def skip(self, window: int) -> None:
        """Begin with the first line that starts within the last `window` bytes of the file as it is now."""
        with suppress(OSError), open(self.path, "rb") as file:
            start = file.seek(0, os.SEEK_END) - window
            if start > 0:
                file.seek(start - 1)
                self._begin(file, start - 1 + len(file.readline(window + 1)))

    def skip_all(self) -> None:
        """Begin with the first line that is not whole yet."""
        with suppress(OSError), open(self.path, "rb") as file:
            start = file.seek(0, os.SEEK_END)
            whole, step = 0, 1 << 12
            while start > 0 and not whole:
                start, step = max(0, start - step), step * 2
                file.seek(start)
                whole = file.read(step).rfind(b"\n") + 1
            self._begin(file, start + whole)

    def _begin(self, file: BinaryIO, offset: int) -> None:
        file.seek(max(0, offset - self._CHECK))
        self.offset, self._last = offset, file.read(min(offset, self._CHECK))

    def _read(self, fd: int, size: int, limit: int) -> bytes:
        """From the offset to the last line end within `limit`, or beyond if one line alone is longer."""
        while (length := min(limit, size - self.offset)) > 0:
            block = os.pread(fd, length, self.offset)
            whole = block.rfind(b"\n") + 1
            if whole:
                return block[:whole]
            if self.offset + len(block) >= size or not block:
                return b""
            limit *= 2
        return b""

    def _other(self, fd: int) -> bool:
        """Replaced, cut below what was read, or rewritten: the bytes before the offset are not those read before."""
        return os.pread(fd, len(self._last), self.offset - len(self._last)) != self._last

    def _forget(self) -> bool:
        """Start over; True if anything had been read."""
        had = self.offset > 0
        self.offset, self.more, self._last = 0, False, b""
        return had


class LogTail:
    """Follows a log file line by line; of a long one only the last `window` bytes, if that is given."""

    def __init__(self, path: Path, window: int | None = None) -> None:
        self.path = path
        self._bytes = ByteTail(path)
        if window is not None:
            self._bytes.skip(window)

    @property
    def offset(self) -> int:
        """Where the next line begins."""
        return self._bytes.offset

    @property
    def more(self) -> bool:
        """The file held further lines at the last poll."""
        return self._bytes.more

    def poll(self, limit: int = SLICE) -> tuple[list[str], bool]:
        """(new whole lines, whether all earlier ones are void because the file is another)."""
        lines, reset = self._bytes.poll(limit)
        return [printable(line) for line in lines], reset


def last_lines(path: Path, count: int = 20, window: int = 1 << 16) -> list[str]:
    """The last lines of a log, a torn one included, oldest first; none if there is no such file."""
    lines = []
    for line in lines_back(path, window, torn=True):
        lines.append(printable(line))
        if len(lines) == count:
            break
    return lines[::-1]


def newest_log(folder: Path) -> Path | None:
    """`attempt-<n>.log` with the highest n."""
    best, newest = -1, None
    try:
        paths = list(folder.iterdir())
    except OSError:
        return None
    for path in paths:
        name = path.name
        number = name.removeprefix("attempt-").removesuffix(".log")
        if number.isdecimal() and len(name) == len(number) + 12 and int(number) > best:
            best, newest = int(number), path
    return newest


def printable(line: bytes) -> str:
    """Text of a line as a terminal may show it: after the last carriage return, control characters taken out."""
    text = line.decode("utf-8", "replace").rstrip("\r").rpartition("\r")[2]
    return "".join(c for c in text if c == "\t" or (c.isprintable()))


def lines_back(path: Path, window: int, torn: bool = False) -> Iterator[bytes]:
    """Lines of the last `window` bytes, newest first; without a first one that the window cuts."""
    with suppress(OSError), open(path, "rb") as file:
        lines = _split_back(file, window)
        last = next(lines, b"")
        if torn and last:
            yield last
        yield from lines


def _split_back(file: BinaryIO, window: int) -> Iterator[bytes]:
    """What stands between line ends, from the end back, read block by block; what the window cuts only if alone."""
    at = file.seek(0, os.SEEK_END)
    start, first, whole = max(0, at - window), b"", True
    while at > start:
        length = min(_BLOCK, at - start)
        at -= length
        file.seek(at)
        first, *lines = (file.read(length) + first).split(b"\n")
        whole &= not lines
        yield from reversed(lines)
    if start == 0 or whole:
        yield first


def _drop_after(events: list[Event], seq: int) -> None:
    """Events of one file have rising numbers, so those past `seq` are at the end."""
    del events[bisect_right(events, seq, key=lambda event: event["seq"]) :]
