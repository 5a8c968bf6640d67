"""The curves of one run: its events as tables of numbers, on any of four x axes, kept up to date slice by slice.

One thread applies what a tail found, any other may read; nothing that is handed out changes later. Standard library.
"""

from __future__ import annotations

import math
from array import array
from collections import deque
from collections.abc import Sequence
from threading import RLock
from typing import Any, NamedTuple

from moore_tui.runs.plan import Plan
from moore_tui.runs.table import Event, Table, number
from moore_tui.runs.tail import Batch
from moore_tui.runs.working_hours import WorkingHours
from moore_tui.runs.written import whole

AXES = ("step", "wall", "env", "switch")
"""SAC updates of the run; seconds since its first event; environment steps since the switch; updates since it."""

BASELINE = "baseline"
"""Table of the evaluations of the frozen policy at the switch; they are no points of a curve."""

RECENT = 20
"""Acknowledgements and warnings that are kept whole."""


class SwitchPoint(NamedTuple):
    """Where the online stage began; the mark that every chart shows."""

    update: float
    env_step: float
    t: float
    seq: int = 0


class RunSeries:
    """What the visible events of a run say so far.

    `version` rises with every change, `loaded` is the share of the file that was read, `bad` counts skipped lines.
    A run that is a branch may `inherit` the curves of the one it came from: they are rows before its own.
    """

    def __init__(self) -> None:
        self.version = 0
        self.loaded = 0.0
        self.bad = 0
        self._planned_switch: float | None = None
        self._lock = RLock()
        self._parent: RunSeries | None = None
        self._clear()

    @property
    def switch(self) -> SwitchPoint | None:
        """Where online began: of this run, or of the one it inherits from."""
        return self._switch or (self._parent.switch if self._parent else None)

    @property
    def events_seen(self) -> int:
        """Visible events of the run itself."""
        with self._lock:
            return sum(table.own for table in self._tables.values())

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds that have rows."""
        with self._lock:
            return tuple(kind for kind, table in self._tables.items() if table.rows)

    @property
    def acks(self) -> list[Event]:
        """The newest acknowledgements, oldest first."""
        return list(self._acks)

    @property
    def warns(self) -> list[Event]:
        """The newest warnings, oldest first."""
        return list(self._warns)

    @property
    def attempts(self) -> list[Event]:
        """The `run` event of every attempt that was not lost whole, oldest first."""
        return list(self._runs)

    @property
    def parent(self) -> RunSeries | None:
        """The curves of the run that this one branched off."""
        return self._parent

    @property
    def working_s(self) -> float:
        """Seconds from the first event to the last, without the gaps between attempts and without pauses."""
        with self._lock:
            return self._hours.seconds

    @property
    def newest(self) -> Event | None:
        """The last visible event."""
        with self._lock:
            return max(self._last.values(), key=lambda event: event["seq"], default=None)

    @property
    def span(self) -> float:
        """Seconds from the first event to the last, those of the run it branched off included."""
        with self._lock:
            newest = self.newest
            return number(newest.get("t")) - self._zero() if newest else 0.0

    def table(self, kind: str) -> Table:
        """Rows of a kind; an empty table where there are none."""
        with self._lock:
            return self._tables.get(kind) or self._new(kind)

    def last(self, kind: str) -> Event | None:
        """The newest own event of a kind. After a dead attempt was taken back only its numbers, until the next one."""
        with self._lock:
            return self._last.get(kind)

    def apply(self, batch: Batch) -> None:
        """Take in what a poll of the run's events found."""
        if not batch.changed:
            return
        with self._lock:
            if batch.reset:
                self._clear()
            if batch.keep_seq is not None:
                self._drop_after(batch.keep_seq)
            self._add(batch.events)
            self.version += 1

    def expect(self, plan: Plan) -> None:
        """Where the switch is planned, for the axis "switch" of a run that has not come there."""
        self._planned_switch = _offline_updates(plan)

    def inherit(self, parent: RunSeries) -> None:
        """Put the rows of the run that this one branched off before its own; `parent` must be complete."""
        with self._lock:
            self._parent = parent
            for kind in {*self._tables, *parent.kinds}:
                self.table(kind).follow(parent.table(kind))
            self._x.clear()
            self.version += 1

    def x(self, kind: str, axis: str) -> array[float]:
        """The x values of a kind's rows on one of AXES; nan where they are not known (yet)."""
        with self._lock:
            table = self.table(kind)
            if axis in ("step", "env"):
                return table.column("update" if axis == "step" else "env_step")
            name, zero = ("t", self._zero()) if axis == "wall" else ("update", self._switch_update())
            key = (table.generation, table.inherited, zero)
            known, values = self._x.get((kind, axis), (key, array("d")))
            if known != key:
                values = array("d")
            if axis == "wall" and self._parent and not values:
                values = self._parent.x(kind, axis)
            values.extend([value - zero for value in table.column(name, len(values))])
            self._x[(kind, axis)] = (key, values)
            return values[:]

    def x_of(self, axis: str, point: SwitchPoint) -> float:
        """Where a point lies on an axis; of the switch, the boundary mark's place."""
        with self._lock:
            if axis == "wall":
                if self._parent and point == self._parent.switch:
                    return self._parent.x_of(axis, point)
                return point.t - self._zero()
            return {"step": point.update, "env": point.env_step, "switch": point.update - self._switch_update()}[axis]

    def horizon(self, axis: str, plan: Plan) -> float | None:
        """The last x that is planned, so that an axis can stand still from the start; None where it is not known."""
        with self._lock:
            at = self.newest
            steps = _product(plan.online_epochs, plan.steps_per_epoch) if "online" in plan.stages else 0.0
            if steps is None:
                return None
            if axis == "env":
                return steps
            if axis == "wall":
                return self._wall_horizon(plan, at)
            last = self._last_update(plan, steps, at)
            return last if axis == "step" or last is None else last - self._switch_update()

    def _last_update(self, plan: Plan, steps: float, at: Event | None) -> float | None:
        """Steps before the first model fit bring no updates, so once online the rest is counted from where it is."""
        each = max(1.0, plan.updates_per_step or 0)
        if at is not None and at.get("stage") == "online" and (update := number(at.get("update"))) > self._switch_or(0):
            return update + max(0.0, steps - number(at.get("env_step"))) * each
        offline = self.switch.update if self.switch else _offline_updates(plan)
        return None if offline is None else offline + steps * each

    def _wall_horizon(self, plan: Plan, at: Event | None) -> float | None:
        """Time so far over the share that is done, rounded up so that it changes a few times in a run at most."""
        if at is None:
            return None
        elapsed = number(at.get("t")) - self._zero()
        if at["k"] == "end":
            return elapsed
        share = plan.progress(at.get("stage"), whole(at.get("update")), whole(at.get("env_step")))
        return _rounded_up(elapsed / share) if share and elapsed > 0 else None

    def _clear(self) -> None:
        self._tables: dict[str, Table] = {}
        self._last: dict[str, Event] = {}
        self._acks: deque[Event] = deque(maxlen=RECENT)
        self._warns: deque[Event] = deque(maxlen=RECENT)
        self._runs: list[Event] = []
        self._switch: SwitchPoint | None = None
        self._first_t: float | None = None
        self._hours = WorkingHours()
        self._x: dict[tuple[str, str], tuple[Any, array[float]]] = {}
        for kind in self._parent.kinds if self._parent else ():
            self._new(kind)

    def _new(self, kind: str) -> Table:
        table = self._tables[kind] = Table(kind, self._lock, self._parent.table(kind) if self._parent else None)
        return table

    def _add(self, events: Sequence[Event]) -> None:
        if not events:
            return
        if self._first_t is None:
            self._first_t = number(events[0].get("t"))
        self._hours.add(events)
        groups: dict[str, list[Event]] = {}
        for event in events:
            groups.setdefault(event["k"], []).append(event)
        evals = groups.get("eval", [])
        if any(event.get("baseline") for event in evals):
            groups["eval"] = [event for event in evals if not event.get("baseline")]
            groups[BASELINE] = [event for event in evals if event.get("baseline")]
        for kind, group in groups.items():
            if group:
                self.table(kind).add(group)
                self._last[kind] = group[-1]
        self._acks += groups.get("ack", ())
        self._warns += groups.get("warn", ())
        self._runs += groups.get("run", ())
        if self._switch is None and events[-1].get("stage") == "online":
            first = next(event for event in events if event.get("stage") == "online")
            update, env_step, t = (number(first.get(key)) for key in ("update", "env_step", "t"))
            self._switch = SwitchPoint(update, env_step, t, first["seq"])

    def _drop_after(self, seq: int) -> None:
        for kind, table in self._tables.items():
            if not table.drop_after(seq):
                continue
            if table.own:
                self._last[kind] = table.row(table.own - 1)
            else:
                self._last.pop(kind, None)
        newest = self.newest
        self._hours.drop_after(seq, number(newest.get("t")) if newest else math.nan)
        for some in (self._acks, self._warns, self._runs):
            while some and some[-1]["seq"] > seq:
                some.pop()
        if self._switch and self._switch.seq > seq:
            self._switch = None
        if not self._last:
            self._first_t = None

    def _switch_or(self, other: float) -> float:
        return self.switch.update if self.switch else other

    def _switch_update(self) -> float:
        """Zero of the axis "switch"; the planned one until the run has come there."""
        return self._switch_or(math.nan if self._planned_switch is None else self._planned_switch)

    def _zero(self) -> float:
        """The time at 0 of the axis "wall": of the first event, earlier if what the run branched off took its time."""
        first = math.nan if self._first_t is None else self._first_t
        return first - (self._parent.span if self._parent else 0.0)


def _product(one: int | None, other: int | None) -> float | None:
    return None if one is None or other is None else float(one * other)


def _offline_updates(plan: Plan) -> float | None:
    return _product(plan.offline_epochs, plan.updates_per_epoch) if "offline" in plan.stages else 0.0


def _rounded_up(value: float) -> float:
    """To the next of 1, 1.25, 1.6, 2, 2.5, ... times a power of ten: by a quarter at most."""
    if not math.isfinite(value) or value <= 0:
        return value
    scale = 10.0 ** math.floor(math.log10(value))
    return next(step * scale for step in (1, 1.25, 1.6, 2, 2.5, 3.2, 4, 5, 6.4, 8, 10) if step * scale >= value)
