"""One attempt's hold on its run directory: events, heartbeat, requests, signals, checkpoints.

The training loop knows it through three calls: `emit` a fact, `tick` at every boundary where the state is consistent,
`save` a checkpoint. Everything that a console can ask of a run happens inside `tick`.
"""

from __future__ import annotations

import errno
import resource
import select
import signal
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from moore_engine import checkpoint, config, control
from moore_engine.events import EventWriter
from moore_engine.rundir import Beat, Lease, RunDir
from moore_engine.schema import stages

LOOK_S, BEAT_S, DISK_S = 0.1, 1.0, 5.0
"""Seconds between looks at control/, heartbeats, and tries on a full disk."""
PERF_S = 5.0, 30.0
"""Seconds between perf events, in a young attempt and in an old one."""
PROMISE_S, LONG_S = 10.0, 120.0
"""Seconds within which the next heartbeat is promised: in the loop, and before loading or saving."""

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2)


class Stopped(Exception):
    """The run was asked to stop; its checkpoint is written and the process should exit 75."""


class Subject(Protocol):
    """What a session keeps: the training."""

    def position(self) -> dict[str, Any]: ...
    def state_dict(self) -> dict[str, Any]: ...
    def step(self) -> int: ...
    def phase(self) -> int: ...
    def remaining_s(self) -> float | None: ...
    def doing(self) -> str: ...


class Session:
    """Owns the writing side of a run directory for one attempt."""

    def __init__(self, run: RunDir) -> None:
        """Takes the lease and the events file; the caller holds the lock."""
        self.run = run
        run.make()
        self.lease = Lease(run, status="starting")
        self.beat = Beat(run)
        self.position: Callable[[], dict[str, Any]] = self._before_all
        self.events = EventWriter(run.events, self.lease.attempt, lambda: self.position(), self.lease.check)
        self.subject: Subject | None = None
        self.made_with: dict[str, str] = {}
        self.saved: checkpoint.Checkpoint | None = None
        """The checkpoint that the state went on from, or wrote last."""
        self.config: config.Config = config.load(run.config)
        self.paused = self.lease.paused_before
        self.sets = [
            (int(ack["phase"]), ack["args"]["key"], ack["args"]["value"])
            for ack in control.acknowledged(run, "set")
            if "phase" in ack
        ]
        self._unsettled = sorted(self.sets, key=lambda each: each[0])
        self._stop_signal = False
        self._look_at = self._beat_at = self._perf_at = 0.0
        self._began = time.monotonic()
        self._phases: dict[str, float] = {}
        self._phase_name, self._phase_since = "start", time.monotonic()
        self._rate = (time.monotonic(), 0, 0)
        self.beat(LONG_S)

    def adopt(self, subject: Subject) -> None:
        """From now on `subject` gives positions and states."""
        self.subject = subject
        self.position = subject.position
        self._status("training")
        now = subject.position()
        self._rate = (time.monotonic(), now["update"], now["env_step"])

    def listen(self, heard: Iterable[int] = ()) -> None:
        """SIGTERM, SIGINT, SIGUSR2: checkpoint and exit 75. SIGUSR1: look at control/ now. SIGHUP: nothing.

        `heard` are signals that came before.
        """
        for number in STOP_SIGNALS:
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGUSR1, self._on_doorbell)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self._stop_signal = any(number in STOP_SIGNALS for number in heard)

    # --- the three calls of the training loop ---

    def emit(self, kind: str, **fields: Any) -> None:
        """Append one event; waits, paused, while the disk is full."""
        while True:
            try:
                return self.events.emit(kind, **fields)
            except OSError as error:
                self._wait_for_disk(error)

    def tick(self) -> None:
        """Heartbeat, requests, signals, live throughput; returns at once unless one is due. Raises Stopped."""
        now = time.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + LOOK_S
        self.look(now)
        while self.paused:
            self._doze()
            self.look(time.monotonic())

    def save(self, name: str = "", drop: tuple[str, ...] = (), keep: int | None = None) -> checkpoint.Checkpoint:
        """Write the subject's state (without the parts in `drop`) as a checkpoint and prune the old ones."""
        assert self.subject is not None
        self.beat(LONG_S)
        start = time.monotonic()
        while True:
            try:
                self.events.fsync()
                state = {part: value for part, value in self.subject.state_dict().items() if part not in drop}
                saved = checkpoint.save(
                    self.run, state, step=self.subject.step(), name=name, like=self.saved, seq=self.events.seq,
                    position=self.subject.position(), dropped=list(drop), config_sha256=config.sha256(self.config),
                    made_with=self.made_with,
                )  # fmt: skip
                break
            except OSError as error:
                self._wait_for_disk(error)
        self.saved = saved
        checkpoint.prune(self.run, self.config.checkpoint.keep if keep is None else keep)
        seconds = round(time.monotonic() - start, 3)
        self.emit("ckpt", path=saved.path.name, bytes=saved.bytes, seconds=seconds)
        self._status(None)
        self.beat(PROMISE_S)
        return saved

    def settle(self, phase: int) -> list[str]:
        """Apply the live `set`s granted before phase `phase`, in order; the keys that changed."""
        changed = []
        while self._unsettled and self._unsettled[0][0] < phase:
            _, key, value = self._unsettled.pop(0)
            self.config = config.set_value(self.config, key, value)
            changed.append(key)
        return changed

    def spent(self, phase: str) -> None:
        """From now on the time goes to `phase` (act, fit, rollout, update, evaluate): shares for the perf events."""
        now = time.monotonic()
        self._phases[self._phase_name] = self._phases.get(self._phase_name, 0.0) + now - self._phase_since
        self._phase_name, self._phase_since = phase, now

    def close(self, state: str, exit_code: int, error: str = "") -> None:
        """Say how this attempt ends: `end` event, state.json, and a beat that covers the way out of the process."""
        self.beat(LONG_S)
        self.emit("end", state=state, exit=exit_code)
        self.events.fsync()
        self.lease.update(status=state, exit=exit_code, error=error, paused=False if state == "done" else self.paused)

    # --- what happens inside a tick ---

    def look(self, now: float) -> None:
        """Heartbeat, signals, requests and speed, each if it is due."""
        if now >= self._beat_at:
            self._beat_at = now + BEAT_S
            self.lease.check()
            self.beat(PROMISE_S)
        if self._stop_signal:
            self._stop()
        for request in control.pending(self.run):
            self._serve(request)
        if now >= self._perf_at:
            if self._perf_at:
                self._report_speed(now)
            self._perf_at = now + min(PERF_S[1], max(PERF_S[0], (now - self._began) / 200))

    def _before_all(self) -> dict[str, Any]:
        """The position of a run that has not begun."""
        return {"stage": stages(self.config.run.algo)[0], "epoch": 1, "update": 0, "env_step": 0}

    def _serve(self, request: control.Request) -> None:
        try:
            handler: Callable[[control.Request], dict[str, Any]] = {
                "pause": self._pause, "resume": self._resume, "checkpoint": self._checkpoint,
                "stop": self._checkpoint, "set": self._set,
            }[request.verb]  # fmt: skip
            facts = handler(request)
        except (KeyError, config.ConfigError) as error:
            why = str(error) if isinstance(error, config.ConfigError) else f"unknown verb {request.verb!r}"
            self._answer(request, False, why)
            return
        self._answer(request, True, **facts)
        if request.verb == "stop":
            raise Stopped

    def _answer(self, request: control.Request, ok: bool, why: str = "", **facts: Any) -> None:
        while True:
            try:
                control.acknowledge(self.run, request, ok, why, **self.position(), **facts)
                break
            except OSError as error:
                self._wait_for_disk(error)
        self.emit("ack", id=request.id, verb=request.verb, ok=ok, why=why, **facts)

    def _pause(self, _: control.Request) -> dict[str, Any]:
        self.paused = True
        self._status("paused")
        return {}

    def _resume(self, _: control.Request) -> dict[str, Any]:
        self.paused = False
        self._status("training")
        return {}

    def _checkpoint(self, _: control.Request) -> dict[str, Any]:
        return {"path": self.save().path.name}

    def _set(self, request: control.Request) -> dict[str, Any]:
        assert self.subject is not None
        key, value = str(request.args.get("key", "")), request.args.get("value", "")
        config.set_value(self.config, key, value, live=True)
        phase = self.subject.phase()
        self._unsettled.append((phase, key, value))
        return {"phase": phase, "key": key, "value": value}

    def _stop(self) -> None:
        self.save()
        raise Stopped

    def _report_speed(self, now: float) -> None:
        assert self.subject is not None
        self.spent(self._phase_name)
        whole = sum(self._phases.values()) or 1.0
        shares = {name: round(seconds / whole, 3) for name, seconds in self._phases.items()}
        self._phases = {}
        at = self.position()
        since, update, env_step = self._rate
        self._rate = (now, at["update"], at["env_step"])
        rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        eta = self.subject.remaining_s()
        self.emit(
            "perf",
            env_steps_per_s=round((at["env_step"] - env_step) / (now - since), 2),
            updates_per_s=round((at["update"] - update) / (now - since), 2),
            phases=shares,
            rss_mb=round(rss),
            eta_s=None if eta is None else round(eta),
            doing=self.subject.doing(),
        )
        self._status(None)

    def _status(self, status: str | None) -> None:
        changes = {} if status is None else {"status": status}
        try:
            self.lease.update(durable=False, paused=self.paused, t=round(time.time(), 3), **changes, **self.position())
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise

    def _wait_for_disk(self, error: OSError) -> None:
        """Hold the run while the disk is full, keeping the last checkpoint; any other error is raised."""
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise error
        sys.stderr.write(f"disk full at {self.run.path}: the run waits; free some space and it goes on\n")
        sys.stderr.flush()
        until = time.monotonic() + DISK_S
        while time.monotonic() < until:
            self.beat(PROMISE_S)
            self._doze()

    def _doze(self) -> None:
        """Wait a moment."""
        select.select([], [], [], 0.2)

    def _on_stop(self, *_: Any) -> None:
        self._stop_signal = True
        self._look_at = 0.0

    def _on_doorbell(self, *_: Any) -> None:
        self._look_at = 0.0


def resume_point(run: RunDir) -> tuple[checkpoint.Checkpoint | None, dict[str, Any] | None, list[str]]:
    """The newest checkpoint that is whole, its state, and what is damaged; unfinished ones go."""
    checkpoint.prune(run, keep=sys.maxsize)
    damaged: list[str] = []
    for each in reversed(checkpoint.listing(run)):
        try:
            return each, checkpoint.load(each), damaged
        except (checkpoint.CheckpointError, ValueError) as error:
            damaged.append(str(error))
    return None, None, damaged
