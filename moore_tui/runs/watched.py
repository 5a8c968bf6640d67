"""One run as a console watches it: a snapshot that is made anew only when something may have changed, curves and log.

What nobody looks at is not read. A run that is over is left alone until its folder or its events change.
"""

from __future__ import annotations

import time

from moore_engine.rundir import RunDir
from moore_tui.runs import notes
from moore_tui.runs.ancestry import Ancestor, Ancestors
from moore_tui.runs.logbook import LogBook
from moore_tui.runs.model import Cached, RunModel, Snapshot
from moore_tui.runs.plan import Plan
from moore_tui.runs.series import RunSeries
from moore_tui.runs.tail import EventTail

SLICE = 1 << 17
"""Bytes of events read at a time: about 700 events, 3 ms in which no other thread can run."""

OVER = ("done", "interrupted", "crashed")
"""States that no passing of time changes."""

LOST_S = 5.0
"""Between two looks at a run on another host that has fallen silent."""

_FRESH_NS = 100_000_000
"""Time stamps are some milliseconds coarse: what changed this recently is looked at once more."""

_Stamp = tuple[int, ...]


class WatchedRun:
    """`look` brings the snapshot up to date, `read` the curves and the log; both say whether anything changed.

    Raises FileNotFoundError from `look` when the run is gone, or another has its name.
    """

    def __init__(self, run: RunDir, ancestors: Ancestors) -> None:
        self.run = run
        self._ancestors = ancestors
        self.snapshot: Snapshot | None = None
        self.series: RunSeries | None = None
        self.log: LogBook | None = None
        self._model = RunModel(self.run)
        self._note = Cached(run.path / notes.NAME, notes.read_file)
        folder = run.path.stat()
        self._inode, self.changed_ns = folder.st_ino, folder.st_mtime_ns
        self._stamp: _Stamp | None = None
        self._looked = 0.0
        self._events: Events | None = None

    @property
    def plan(self) -> Plan:
        return self._model.planned

    @property
    def note(self) -> notes.Note:
        return self._note() or notes.Note()

    @property
    def more(self) -> bool:
        """Bytes are left to read."""
        return (self._events is not None and self._events.more) or (self.log is not None and self.log.more)

    def look(self, now: float, thorough: bool = False) -> bool:
        """Make the snapshot anew if anything may have changed since, or if told to be `thorough`."""
        stamp = self._stat()
        if self._rests(now) and stamp == self._stamp and not thorough:
            return False
        self._stamp = stamp if max(stamp[1:3]) < time.time_ns() - _FRESH_NS else None
        self._looked = now
        before, self.snapshot = self.snapshot, self._model.snapshot(now)
        return self.snapshot != before

    def open(self) -> None:
        """From now on `read` keeps the curves."""
        if self.series is None:
            self.series = RunSeries()
            self._events = Events(self.run, self.series)

    def close(self) -> None:
        """Forget curves and log."""
        self.series = self._events = self.log = None

    def open_log(self) -> LogBook:
        """From now on `read` keeps the log too."""
        if self.log is None:
            self.log = LogBook(self.run)
        return self.log

    def read(self, deadline: float) -> bool:
        """Read on, at least one slice of what is new, until the deadline (time.monotonic)."""
        changed = False
        if self.log:
            changed = self.log.poll(deadline, over=not (self.snapshot and self.snapshot.running))
        if self._events and self.series:
            self.series.expect(self.plan)
            changed |= self._events.read(deadline, self.log)
            if self.plan.origin and not self._events.more:
                changed |= self._events.inherit(self._ancestors, self.plan.origin, deadline)
        return changed

    def _rests(self, now: float) -> bool:
        """Nothing but a change of its files can change the snapshot, for now."""
        shot = self.snapshot
        if shot is None or shot.kept:
            return False
        return shot.state in OVER or (shot.state == "lost" and 0 <= now - self._looked < LOST_S)

    def _stat(self) -> _Stamp:
        folder = self.run.path.stat()
        if folder.st_ino != self._inode:
            raise FileNotFoundError(self.run.path)
        try:
            events = self.run.events.stat()
        except OSError:
            return folder.st_ino, folder.st_mtime_ns, 0, 0
        return folder.st_ino, folder.st_mtime_ns, events.st_mtime_ns, events.st_size


class Events:
    """Feeds a run's events to its series, slice by slice, those of the run it branched off after its own."""

    def __init__(self, run: RunDir, series: RunSeries) -> None:
        self.more = True
        self._series = series
        self._path = run.events
        self._tail = EventTail(run.events)
        self._stamp: _Stamp | None = None
        self._ancestor: Ancestor | None = None
        self._asked = self._joined = False

    def read(self, deadline: float, log: LogBook | None) -> bool:
        """Read until the end or the deadline; nothing is opened as long as the file stays as it is."""
        stamp = self._stat()
        if stamp == self._stamp and not self.more:
            return False
        self._stamp = stamp
        version = self._series.version
        while True:
            batch = self._tail.poll(SLICE)
            self._series.apply(batch)
            if log is not None:
                log.apply(batch)
            self._series.loaded = min(1.0, self._tail.offset / stamp[1]) if stamp and stamp[1] else 1.0
            self._series.bad = self._tail.bad
            self.more = batch.more
            if not self.more or time.monotonic() >= deadline:
                return self._series.version != version
            time.sleep(0.0005)

    def inherit(self, ancestors: Ancestors, origin: str, deadline: float) -> bool:
        """Go on reading what the run branched off; whether it has been joined to the series now."""
        if not self._asked:
            self._asked, self._ancestor = True, ancestors.of(origin)
        if self._ancestor is None or self._joined:
            return False
        self._ancestor.read(deadline)
        self._joined = self._ancestor.complete
        if self._joined:
            self._series.inherit(self._ancestor.series)
        self.more |= not self._joined
        return self._joined

    def _stat(self) -> _Stamp | None:
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return stat.st_ino, stat.st_size, stat.st_mtime_ns
