"""One run's truth, for both front ends: a Snapshot made of its small files and the tail of its events.

Every part may be missing, half-written or foreign: what cannot be known is None, and nothing here raises for it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from moore_engine import control
from moore_engine.rundir import RunDir, read_json
from moore_tui.runs import plan, status, tail, written
from moore_tui.runs.newest import NewestTail
from moore_tui.runs.table import number
from moore_tui.runs.written import real, text, whole

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is known of a run at one moment; times in unix seconds, durations in seconds.

    `state` is one of moore_tui.runs.status.STATES and `detail` says more in a few words.
    `stage` to `env_step` are the newest position, `score` to `eval_epoch` the last evaluation's; `doing` is the phase
    under way in words, of a live run.
    """

    id: str
    path: Path
    state: str
    detail: str
    host: str | None = None
    pid: int | None = None
    kept: bool = False
    algo: str | None = None
    task: str | None = None
    dataset: str | None = None
    seed: int | None = None
    stage: str | None = None
    epoch: int | None = None
    epochs: int | None = None
    update: int | None = None
    env_step: int | None = None
    progress: float | None = None
    score: float | None = None
    return_mean: float | None = None
    return_std: float | None = None
    eval_stage: str | None = None
    eval_epoch: int | None = None
    env_steps_per_s: float | None = None
    updates_per_s: float | None = None
    eta_s: float | None = None
    doing: str = ""
    rss_mb: float | None = None
    attempt: int = 0
    restarts: int = 0
    max_restarts: int | None = None
    next_start: float | None = None
    exit: int | None = None
    signal: int | None = None
    error: str = ""
    pending: tuple[str, ...] = ()
    checkpoint: str | None = None
    created: float | None = None
    seen: float | None = None

    @property
    def running(self) -> bool:
        """A trainer lives, or its keeper is about to start one."""
        return self.state in status.RUNNING

    def last_log_lines(self, count: int = 20) -> list[str]:
        """End of the newest attempt's log, oldest line first."""
        log = tail.newest_log(RunDir(self.path).log)
        return tail.last_lines(log, count) if log else []

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready copy; the path as text."""
        return {**asdict(self), "path": str(self.path), "pending": list(self.pending)}


class RunModel:
    """Makes snapshots of one run; a file that did not change since the last one is not read again.

    `planned` is the plan as of the last snapshot, live changes included.
    """

    def __init__(self, run: RunDir) -> None:
        self.run = run
        self.planned = plan.Plan()
        self._id = run.path.name or run.id
        self._plan = Cached(run.config, plan.read)
        self._state = Cached(run.state, written.read_state)
        self._keeper = Cached(run.keeper, written.read_keeper)
        self._events = NewestTail(run.events, ("eval", "perf"))
        self._looked = Cached(run.events, lambda _: self._events.poll())
        self._requests = Cached(run.control, lambda _: Requests.read(run))

    def snapshot(self, now: float | None = None) -> Snapshot:
        """The run as it is now."""
        now = time.time() if now is None else now
        newest, evaluation, speed = self._newest()
        state, keeper = self._state() or {}, self._keeper() or {}
        requests = self._requests() or Requests()
        verdict = status.judge(self.run, state, keeper, requests.pending, now)
        planned = self.planned = (self._plan() or plan.Plan()).extended(requests.granted_sets)
        at = newest if _number(newest.get("t")) >= _number(state.get("t")) else state
        stage, epoch = text(at.get("stage")), whole(at.get("epoch"))
        update, env_step = whole(at.get("update")), whole(at.get("env_step"))
        attempts = status.attempts(keeper)
        perf = speed if verdict.state == "live" else {}
        eta = _float(perf.get("eta_s"))
        return Snapshot(
            id=self._id,
            path=self.run.path,
            state=verdict.state,
            detail=verdict.detail,
            host=verdict.host,
            pid=verdict.pid,
            kept=verdict.kept,
            algo=planned.algo,
            task=planned.task,
            dataset=planned.dataset,
            seed=planned.seed,
            stage=stage,
            epoch=epoch,
            epochs=planned.epochs(stage),
            update=update,
            env_step=env_step,
            progress=1.0 if verdict.state == "done" else planned.progress(stage, update, env_step),
            score=_float(evaluation.get("score")),
            return_mean=_float(evaluation.get("return_mean")),
            return_std=_float(evaluation.get("return_std")),
            eval_stage=text(evaluation.get("stage")),
            eval_epoch=whole(evaluation.get("epoch")),
            env_steps_per_s=_float(perf.get("env_steps_per_s")),
            updates_per_s=_float(perf.get("updates_per_s")),
            eta_s=None if eta is None else max(0.0, eta - (now - _number(perf.get("t")))),
            doing=text(perf.get("doing")) or "",
            rss_mb=_float(perf.get("rss_mb")),
            attempt=whole(state.get("attempt")) or 0,
            restarts=whole(keeper.get("restarts")) or 0,
            max_restarts=whole((keeper.get("policy") or {}).get("max_restarts")),
            next_start=_float(keeper.get("next_start")),
            exit=verdict.exit,
            signal=verdict.signal,
            error=text(state.get("error")) or "",
            pending=requests.pending,
            checkpoint=status.newest_checkpoint(self.run),
            created=min((t for t in (_mtime(self.run.config), *_starts(attempts)) if t), default=None),
            seen=max((t for t in (verdict.beat_at, _float(at.get("t")), *_ends(attempts)) if t), default=None),
        )

    def _newest(self) -> tuple[tail.Event, tail.Event, tail.Event]:
        """The newest visible event, evaluation and report of speed; empty where there is none within reach."""
        if not self._looked():
            return {}, {}, {}
        return self._events.newest or {}, self._events.of.get("eval", {}), self._events.of.get("perf", {})


def snapshot(run: RunDir) -> Snapshot:
    """One snapshot of a run, for a command that looks once."""
    return RunModel(run).snapshot()


@dataclass(slots=True)
class Requests:
    """Verbs of the requests that wait, oldest first, and the acknowledgements of granted live `set`s."""

    pending: tuple[str, ...] = ()
    granted_sets: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def read(cls, run: RunDir) -> Requests:
        with os.scandir(run.control) as entries:
            names = sorted(entry.name for entry in entries)
        if not names:
            return cls()
        bodies = [body for name in names if name.startswith("ack-") and (body := read_json(run.control / name))]
        sets = [body for body in bodies if body.get("verb") == "set" and body.get("ok")]
        return cls(tuple(one.verb for one in control.pending(run)), sets)


class Cached(Generic[T]):
    """`read(path)` of a file or folder, again only when it is another or was changed.

    Time stamps are some milliseconds coarse, so that what changed a moment ago is read once more.
    """

    FRESH_NS = 100_000_000

    def __init__(self, path: Path, read: Callable[[Path], T]) -> None:
        self._path, self._read = path, read
        self._stamp: tuple[int, int, int] | None = None
        self._value: T | None = None

    def __call__(self) -> T | None:
        try:
            stat = self._path.stat()
        except OSError:
            self._stamp = self._value = None
            return None
        stamp = stat.st_ino, stat.st_mtime_ns, stat.st_size
        if stamp != self._stamp:
            self._value = self._read(self._path)
            self._stamp = stamp if stat.st_mtime_ns < time.time_ns() - self.FRESH_NS else None
        return self._value


def _starts(attempts: list[dict[str, Any]]) -> list[float]:
    """The first attempt's start; a configuration that was copied is younger than its run."""
    return [_number(attempts[0].get("started"))] if attempts else []


def _ends(attempts: list[dict[str, Any]]) -> list[float]:
    return [_number(attempts[-1].get(key)) for key in ("started", "ended")] if attempts else []


def _float(value: Any) -> float | None:
    """A number, or "nan" and "inf" as events write them."""
    return number(value) if isinstance(value, int | float) or value in ("nan", "inf", "-inf") else None


def _number(value: Any) -> float:
    return real(value) or 0.0


def _mtime(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None
