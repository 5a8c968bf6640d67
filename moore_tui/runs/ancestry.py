"""The curves of runs that others branched off, up to the state these began from; each is read once for all branches."""

from __future__ import annotations

import time
from weakref import WeakValueDictionary

from moore_engine.rundir import RunDir, read_json
from moore_tui.runs import plan
from moore_tui.runs.series import RunSeries
from moore_tui.runs.tail import EventTail

SLICE = 1 << 17


class Ancestors:
    """Ancestors that somebody holds, by run.from."""

    def __init__(self) -> None:
        self._known: WeakValueDictionary[str, Ancestor] = WeakValueDictionary()

    def of(self, origin: str, descendants: frozenset[str] = frozenset()) -> Ancestor | None:
        """Where `origin` (PATH@CHECKPOINT#DIGEST) points; None if it is empty, gone, or a circle."""
        path, _, name = origin.partition("#")[0].rpartition("@")
        if not path or origin in descendants:
            return None
        found = self._known.get(origin)
        if found is None:
            run = RunDir(path)
            last = (read_json(run.checkpoints / name / "manifest.json") or {}).get("seq")
            if not isinstance(last, int) or not run.exists():
                return None
            parent = self.of(plan.read(run.config).origin or "", descendants | {origin})
            found = self._known[origin] = Ancestor(run, last, parent)
        return found


class Ancestor:
    """A run up to the event that a checkpoint of it had seen last; `read` until `complete`, then `series` stands."""

    def __init__(self, run: RunDir, last: int, parent: Ancestor | None) -> None:
        self.series = RunSeries()
        self.complete = False
        self._tail, self._last, self._parent = EventTail(run.events), last, parent

    def read(self, deadline: float) -> None:
        """Read on, one slice at least, until the deadline (time.monotonic)."""
        if self._parent and not self._parent.complete:
            self._parent.read(deadline)
            return
        while not self.complete:
            batch = self._tail.poll(SLICE)
            within = [event for event in batch.events if event["seq"] <= self._last]
            self.series.apply(batch._replace(events=within))
            self.complete = not batch.more or len(within) < len(batch.events)
            if time.monotonic() >= deadline:
                break
        if self.complete and self._parent:
            self.series.inherit(self._parent.series)
