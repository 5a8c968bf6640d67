"""The newest visible events of a file of any size, found from its end; of one that grows only what is new is read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from moore_engine.events import parse
from moore_tui.runs.tail import ByteTail, Event, lines_back

MOST = 1 << 20
"""Bytes that are looked through at most."""


class NewestTail:
    """The newest visible event of some kinds, and of all; of a file that grows only what is new is read.

    Evaluations of the frozen policy do not count as evaluations of the run.
    They are found as far as a megabyte reaches back from where the file ended when it was first looked at.
    """

    WINDOWS = (1 << 12, 1 << 15, 1 << 18, MOST)

    def __init__(self, path: Path, kinds: tuple[str, ...]) -> None:
        self.path = path
        self.newest: Event | None = None
        self.of: dict[str, Event] = {}
        self._kinds, self._marks = kinds, _marks(kinds)
        self._bytes: ByteTail | None = None

    def poll(self) -> bool:
        """Bring `newest` and `of` up to date; whether there is any event."""
        lines, reset = self._bytes.poll(MOST) if self._bytes else ([], True)
        if reset or (self._bytes and self._bytes.more) or not self._add(lines):
            self._bytes = ByteTail(self.path)
            self._bytes.skip_all()
            self._look_back()
        return self.newest is not None

    def _look_back(self) -> None:
        for window in self.WINDOWS:
            self.newest, self.of = None, {}
            for event in recent(self.path, window, self._kinds):
                self.newest = self.newest or event
                if event["k"] in self._kinds and not event.get("baseline"):
                    self.of.setdefault(event["k"], event)
                if len(self.of) == len(self._kinds):
                    return
            if self._bytes is None or self._bytes.offset <= window:
                return

    def _add(self, lines: list[bytes]) -> bool:
        """Take in new lines; False if they take earlier ones back."""
        for event in (parse(line) for line in lines if not _other_kind(line, self._marks)):
            if event is None:
                continue
            if event["k"] == "run" and isinstance(event.get("resumed_seq"), int):
                return False
            if event["k"] in self._kinds and not event.get("baseline"):
                self.of[event["k"]] = event
        self.newest = next((event for line in reversed(lines) if (event := parse(line))), self.newest)
        return True


def recent(path: Path, window: int = 1 << 14, kinds: tuple[str, ...] = ()) -> Iterator[Event]:
    """Visible events from the newest back to as far as `window` bytes reach; cheap for a file of any size.

    With `kinds` only the newest event of all and those of these kinds are parsed (`run` among them) and come.
    """
    ceiling: float = float("inf")
    marks = _marks(kinds) if kinds else ()
    newest = True
    for line in lines_back(path, window):
        if marks and not newest and _other_kind(line, marks):
            continue
        event = parse(line)
        if event is None:
            continue
        if event["seq"] <= ceiling:
            newest = False
            yield event
        if event["k"] == "run" and isinstance(event.get("resumed_seq"), int):
            ceiling = min(ceiling, event["resumed_seq"])


def _marks(kinds: tuple[str, ...]) -> tuple[bytes, ...]:
    """How lines of these kinds, and of `run`, are known without parsing."""
    return tuple(f'"k":"{kind}"'.encode() for kind in (*kinds, "run"))


def _other_kind(line: bytes, marks: tuple[bytes, ...]) -> bool:
    """Surely none of the marked kinds; a line written with blanks might be."""
    return b'"k":"' in line and not any(mark in line for mark in marks)
