"""A finished run played again: its events come at their times, `speed` times faster, into the same panes.

It has the interface of a Feed. Nothing of the run is touched; its state is made up from the events played so far, and
at the end it is the run's own.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from threading import Lock
from typing import Any

from moore_engine.rundir import RunDir
from moore_tui.runs import notes
from moore_tui.runs.ancestry import Ancestor, Ancestors
from moore_tui.runs.logbook import LogBook
from moore_tui.runs.model import RunModel, Snapshot
from moore_tui.runs.plan import Plan
from moore_tui.runs.series import RunSeries
from moore_tui.runs.table import Event, number
from moore_tui.runs.tail import Batch
from moore_tui.runs.timeline import Timeline
from moore_tui.runs.written import text, whole

SLICE = 500
"""Events that are read and shown at a time; they take some milliseconds."""

REWIND = 500
"""Events that a step back shows anew, so that the newest ones of every kind are whole."""


class Replay:
    """`speed` and `paused` may be set at any time; `place` is the share that has been played, `done` its end."""

    def __init__(self, run: RunDir, speed: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        """Raises ValueError for a speed that is not above 0."""
        if not speed > 0:
            raise ValueError(f"a replay's speed is a number above 0, not {speed:g}.")
        self.run = run
        self.runs_dir = run.path.parent
        self.id = run.path.name or run.id
        self.speed = speed
        self.trouble = ""
        self.near: int | None = None
        self.snapshots: Mapping[str, Snapshot] = {}
        self._clock, self._before, self._held = clock, -math.inf, False
        self._at = 0.0
        self._wanted: float | None = None
        self._shown = 0
        self._changes = 0
        self._timeline = Timeline(run.events)
        self._series, self._book = RunSeries(), LogBook(run)
        self._book.more = False
        self._model = RunModel(run)
        self._final = self._model.snapshot()
        self._plan = self._model.planned
        self._ancestor = Ancestors().of(self._plan.origin or "")
        self._note = notes.read(run)
        self._series.expect(self._plan)
        self._polling = Lock()

    @property
    def paused(self) -> bool:
        """The time stands still; `seek` moves it all the same."""
        return self._held

    @paused.setter
    def paused(self, paused: bool) -> None:
        self._held, self._before = paused, -math.inf

    @property
    def place(self) -> float:
        """How far the playing is, or was asked to go, 0 to 1."""
        if self._wanted is not None:
            return self._wanted
        whole = self._timeline.duration
        return min(1.0, self._at / whole) if whole else float(self._timeline.complete)

    @property
    def done(self) -> bool:
        """Every event has been shown (or the file has become unreadable)."""
        return bool(self.trouble) or (self._begun and self._shown == len(self._timeline))

    @property
    def _begun(self) -> bool:
        """All that must be read before is."""
        return self._timeline.complete and self._ancestor is None

    @property
    def live(self) -> int:
        """1 while there is something to come."""
        return int(not self.done and not self.paused)

    @property
    def more(self) -> bool:
        """Poll again at once: what is due by now has not been shown."""
        return not self.trouble and (
            not self._begun or self._wanted is not None or self._shown != self._timeline.due(self._at)
        )

    def seek(self, share: float) -> None:
        """Go to a place, 0 to 1, at the next poll."""
        self._wanted = min(1.0, max(0.0, share))

    def poll(self, now: float | None = None, budget_s: float = 0.05) -> bool:
        """Show what is due, for about `budget_s` seconds; `now` is the time of day for the snapshot's sake."""
        with self._polling:
            deadline = time.monotonic() + budget_s
            before = self._shown, self._series.version, self.trouble, self._timeline.loaded
            try:
                if not self._timeline.complete:
                    self._timeline.read(deadline)
                elif self._ancestor:
                    self._inherit(self._ancestor, deadline)
                else:
                    self._advance()
                    self._play(deadline)
            except OSError as error:
                self.trouble = str(error)
            changed = not self.snapshots or before != (
                self._shown, self._series.version, self.trouble, self._timeline.loaded,
            )  # fmt: skip
            if changed:
                self._series.loaded = self._timeline.loaded
                self.snapshots = {self.id: self._snapshot(time.time() if now is None else now)}
            self._changes += changed
            return changed

    def stamp(self) -> int:
        """A number that rises with every poll that found a change."""
        return self._changes

    def open(self, ids: Iterable[str]) -> None:
        """There is one run, and it is always open."""

    def series(self, run_id: str) -> RunSeries | None:
        return self._series if run_id == self.id else None

    def log(self, run_id: str) -> LogBook | None:
        return self._book if run_id == self.id else None

    def plan(self, run_id: str) -> Plan:
        return self._plan if run_id == self.id else Plan()

    def note(self, run_id: str) -> notes.Note:
        return self._note if run_id == self.id else notes.Note()

    def _inherit(self, ancestor: Ancestor, deadline: float) -> None:
        """What the run branched off stands there from the beginning."""
        ancestor.read(deadline)
        if ancestor.complete:
            self._series.inherit(ancestor.series)
            self._ancestor = None

    def _advance(self) -> None:
        """Let the time pass that has passed since the last poll, times the speed; or go where one was asked to go."""
        now, whole = self._clock(), self._timeline.duration
        passed = max(0.0, now - self._before) if self._before > -math.inf else 0.0
        self._before = now
        if self._wanted is not None:
            self._at, self._wanted = self._wanted * whole, None
        elif not self.paused and passed > 0:
            self._at = min(whole, self._at + passed * self.speed)

    def _play(self, deadline: float) -> None:
        target = self._timeline.due(self._at)
        if target < self._shown:
            self._rewind(target)
        while self._shown < target:
            end = min(target, self._shown + SLICE)
            self._show(Batch(self._timeline.events(self._shown, end), False, None, False))
            self._shown = end
            if time.monotonic() >= deadline:
                break
            time.sleep(0.0005)

    def _rewind(self, target: int) -> None:
        """Take back what comes after `target`, and some more to be shown anew."""
        keep = target - REWIND
        if keep > 0:
            self._show(Batch([], False, self._timeline.seq(keep - 1), False))
            self._book.take_back(self._timeline.seq(keep - 1))
        else:
            self._show(Batch([], True, None, False))
        self._shown = max(0, keep)

    def _show(self, batch: Batch) -> None:
        self._series.apply(batch)
        self._book.apply(batch)

    def _snapshot(self, now: float) -> Snapshot:
        """The run as it was; at the end as it is."""
        if self.done:
            return self._model.snapshot(now)
        if self._shown == 0:
            return _unstarted(self._final, now)
        series, at = self._series, self._series.newest or {}
        evaluation, perf, saved = (series.last(kind) or {} for kind in ("eval", "perf", "ckpt"))
        stage, update, env_step = text(at.get("stage")), whole(at.get("update")), whole(at.get("env_step"))
        return replace(
            _unstarted(self._final, now),
            state=_state(at, self._timeline.paused(self._shown)),
            stage=stage,
            epoch=whole(at.get("epoch")),
            epochs=self._plan.epochs(stage),
            update=update,
            env_step=env_step,
            progress=self._plan.progress(stage, update, env_step),
            score=_known(evaluation.get("score")),
            return_mean=_known(evaluation.get("return_mean")),
            return_std=_known(evaluation.get("return_std")),
            eval_stage=text(evaluation.get("stage")),
            eval_epoch=whole(evaluation.get("epoch")),
            env_steps_per_s=_known(perf.get("env_steps_per_s")),
            updates_per_s=_known(perf.get("updates_per_s")),
            eta_s=_known(perf.get("eta_s")),
            rss_mb=_known(perf.get("rss_mb")),
            attempt=len(series.attempts),
            restarts=max(0, len(series.attempts) - 1),
            checkpoint=text(saved.get("path")),
        )


def _unstarted(final: Snapshot, now: float) -> Snapshot:
    """The run before its first event: what its configuration says, and a keeper."""
    return Snapshot(
        id=final.id,
        path=final.path,
        state="starting",
        detail="",
        host=final.host,
        kept=True,
        algo=final.algo,
        task=final.task,
        dataset=final.dataset,
        seed=final.seed,
        max_restarts=final.max_restarts,
        created=final.created,
        seen=now,
    )


def _state(newest: Event, paused: bool) -> str:
    if newest["k"] == "end":
        return {"done": "done", "failed": "crashed"}.get(str(newest.get("state")), "interrupted")
    return "paused" if paused else "live"


def _known(value: Any) -> float | None:
    return None if value is None else number(value)
