"""What a console knows of a runs folder: a snapshot of every run, the curves and logs of those that are looked at.

`poll` runs in one thread; everything else may be called from any other. Nothing that is handed out changes later but
series and log books, which have locks and versions of their own.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from threading import Lock
from typing import Protocol

from moore_engine.rundir import RunDir
from moore_tui.runs.ancestry import Ancestors
from moore_tui.runs.logbook import LogBook
from moore_tui.runs.model import Snapshot
from moore_tui.runs.notes import Note
from moore_tui.runs.plan import Plan
from moore_tui.runs.series import RunSeries
from moore_tui.runs.watched import WatchedRun

REMEMBERED = 24
"""Runs whose curves are kept; of those that are not open any more the longest forgotten go first."""

LOGS = 3
"""Logs that are kept: of the runs that were asked for last. A line takes some 300 bytes, curves far less."""

NEAR = 64
"""Runs that an opening console looks at before it paints: more than a screen has lines."""

RETRY_S = 2.0
"""Until a folder that held no run, or could not be read, is looked into again."""


class Facts(Protocol):
    """What screens and panes read: a live folder (Feed) or a run that is played again (replay.Replay)."""

    runs_dir: Path
    near: int | None

    @property
    def snapshots(self) -> Mapping[str, Snapshot]: ...
    @property
    def live(self) -> int: ...
    @property
    def more(self) -> bool: ...
    @property
    def trouble(self) -> str: ...
    def poll(self, now: float | None = None, budget_s: float = 0.05) -> bool: ...
    def stamp(self) -> int: ...
    def open(self, ids: Iterable[str]) -> None: ...
    def series(self, run_id: str) -> RunSeries | None: ...
    def log(self, run_id: str) -> LogBook | None: ...
    def plan(self, run_id: str) -> Plan: ...
    def note(self, run_id: str) -> Note: ...


class Feed:
    """A live runs folder.

    `snapshots` is replaced whole by each poll that found a change, by name; `live` counts the running runs, `more`
    says that unread bytes are left, `trouble` why the folder cannot be read. As long as `near` is a number only so many
    runs are looked at, those that changed last.
    """

    def __init__(self, runs_dir: Path) -> None:
        self.runs_dir = runs_dir
        self.snapshots: Mapping[str, Snapshot] = {}
        self.live = 0
        self.trouble = ""
        self.near: int | None = None
        self._runs: dict[str, WatchedRun] = {}
        self._open: tuple[str, ...] = ()
        self._logs: tuple[str, ...] = ()
        self._remembered: dict[str, WatchedRun] = {}
        self._folder: tuple[int, int] | None = None
        self._retry_at = 0.0
        self._turn = 0
        self._changes = 0
        self._ancestors = Ancestors()
        self._polling = Lock()

    @property
    def more(self) -> bool:
        """Poll again at once: an open run has bytes that nobody has read, or has not been looked into yet."""
        opened = ((self._runs.get(name), self._remembered.get(name)) for name in self._open)
        return any(run is not known or run.more for run, known in opened if run)

    def poll(self, now: float | None = None, budget_s: float = 0.05) -> bool:
        """Look at everything, then read for about `budget_s` seconds; whether anything has changed."""
        with self._polling:
            deadline = time.monotonic() + budget_s
            now = time.time() if now is None else now
            changed = self._list(now)
            changed |= self._look(now)
            changed |= self._read(deadline)
            self._changes += changed
            return changed

    def stamp(self) -> int:
        """A number that rises with every poll that found a change."""
        return self._changes

    def open(self, ids: Iterable[str]) -> None:
        """Keep the curves of these runs, and no others', up to date from the next poll on; the first is read first."""
        self._open = tuple(dict.fromkeys(ids))

    def series(self, run_id: str) -> RunSeries | None:
        """The curves of a run that is or was open; None until the first poll after `open`."""
        run = self._remembered.get(run_id)
        return run.series if run else None

    def log(self, run_id: str) -> LogBook | None:
        """The log of an open run, read from the next poll on; those that nobody asked for in long are forgotten."""
        if self._logs[:1] != (run_id,):
            self._logs = (run_id, *(name for name in self._logs if name != run_id))[:LOGS]
        run = self._remembered.get(run_id)
        return run.open_log() if run and run.series else None

    def plan(self, run_id: str) -> Plan:
        run = self._runs.get(run_id)
        return run.plan if run else Plan()

    def note(self, run_id: str) -> Note:
        run = self._runs.get(run_id)
        return run.note if run else Note()

    def _list(self, now: float) -> bool:
        """Take note of runs that came or went; the folder is listed again only when it has changed."""
        try:
            stat = self.runs_dir.stat()
            folder = stat.st_ino, stat.st_mtime_ns
            if folder == self._folder and now < self._retry_at:
                return False
            with os.scandir(self.runs_dir) as entries:
                names = sorted(entry.name for entry in entries if entry.name[0] != "." and not _is_file(entry))
        except OSError as error:
            return self._no_folder(error)
        runs = {}
        for name in names:
            run = self._runs.get(name) or _watched(self.runs_dir / name, self._ancestors)
            if run is not None:
                runs[name] = run
        fresh = stat.st_mtime_ns > time.time_ns() - 100_000_000
        self._folder = None if fresh else folder
        self._retry_at = now + RETRY_S if len(runs) < len(names) else float("inf")
        changed = self.trouble != "" or runs.keys() != self._runs.keys()
        self._runs, self.trouble = runs, ""
        return changed

    def _no_folder(self, error: OSError) -> bool:
        """A folder that is not there has no runs; of one that cannot be read what was known stays."""
        before = self.trouble, self._runs
        self._folder = None
        self.trouble = f"{self.runs_dir} cannot be read: {error.strerror}"
        if error.errno == errno.ENOENT:
            self._runs, self.trouble = {}, ""
        return before != (self.trouble, self._runs)

    def _look(self, now: float) -> bool:
        """Bring the snapshots up to date; one run a poll, in turn, even if nothing points to a change."""
        changed = False
        self._turn += 1
        for index, (name, run) in enumerate(self._near() if self.near else list(self._runs.items())):
            try:
                changed |= run.look(now, thorough=index == self._turn % len(self._runs))
            except OSError:
                del self._runs[name]
                self._folder = None
                changed = True
        if changed or len(self._runs) != len(self.snapshots):
            self.snapshots = {name: run.snapshot for name, run in self._runs.items() if run.snapshot}
            self.live = sum(shot.running for shot in self.snapshots.values())
        return changed

    def _near(self) -> list[tuple[str, WatchedRun]]:
        """The runs that changed last when they were found, the newest first."""
        return sorted(self._runs.items(), key=lambda each: -each[1].changed_ns)[: self.near]

    def _read(self, deadline: float) -> bool:
        """Read on in the open runs, in their order; each gets one slice at least."""
        wanted = self._open
        for name in wanted:
            if (run := self._runs.get(name)) and self._remembered.get(name) is not run:
                self._remembered[name] = run
        changed = self._forget(wanted)
        for name in wanted:
            if run := self._remembered.get(name):
                self._remembered[name] = self._remembered.pop(name)
                run.open()
                changed |= run.read(deadline)
        for name, run in self._remembered.items():
            if name not in self._logs:
                run.log = None
        return changed

    def _forget(self, wanted: tuple[str, ...]) -> bool:
        """Close what is gone, and the longest forgotten ones beyond REMEMBERED."""
        gone = [name for name, run in self._remembered.items() if self._runs.get(name) is not run]
        closed = [name for name in self._remembered if name not in wanted and name not in gone]
        surplus = len(self._remembered) - len(gone) - REMEMBERED
        for name in gone + closed[: max(0, surplus)]:
            self._remembered.pop(name).close()
        return bool(gone)


def _watched(path: Path, ancestors: Ancestors) -> WatchedRun | None:
    """The run at a path; None if there is none."""
    run = RunDir(path)
    try:
        return WatchedRun(run, ancestors) if run.exists() else None
    except OSError:
        return None


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False
