"""Steering a run: requests that are waited for, kill, and resume. Nothing here assumes that the trainer lives."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from moore_engine import control
from moore_engine.rundir import RunDir
from moore_tui.launchers import Launcher
from moore_tui.runs import hold, identity, status, written
from moore_tui.runs.errors import LostContact, Refused, RunIsLive

TIMEOUT_S = 60.0
"""A paper preset answers within 5 s; a starting trainer needs some seconds for its imports."""


@dataclass(frozen=True)
class Answer:
    """A trainer's acknowledgement; the position says where in the run it took effect, `path` which checkpoint."""

    id: str
    verb: str
    ok: bool = True
    why: str = ""
    stage: str | None = None
    epoch: int | None = None
    update: int | None = None
    env_step: int | None = None
    path: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)


def request(
    run: RunDir, verb: str, *, wait: bool = True, timeout: float = TIMEOUT_S, by: str = "", **args: Any
) -> Answer | None:
    """Ask the trainer for `verb` (moore_engine.control.VERBS); its answer, or None without `wait`.

    Raises Refused when it says no, LostContact when it does not run, dies, or is silent for `timeout` seconds. A
    request that a dead trainer left is withdrawn, lest it strike the run when that is resumed. `stop` for a run
    between two attempts is granted by ending its keeper's wait.
    """
    verdict = judge(run)
    if verb == "stop" and verdict.state == "restarting":
        return _stop_waiting(run, timeout)
    if verdict.state not in status.RUNNING:
        raise LostContact(_not_running(run, verdict, verb))
    posted = control.post(run, verb, by=by or _me(), **args)
    identity.doorbell(run)
    return _await(run, posted, timeout) if wait else None


def kill(run: RunDir, *, timeout: float = 10.0) -> bool:
    """SIGKILL the trainer, at a loss of what is not in a checkpoint, and keep the keeper from starting another.

    False if nothing ran. Raises LostContact for a run of another host.
    """
    verdict = judge(run)
    if verdict.state == "lost" or (verdict.state in status.RUNNING and verdict.host not in (None, identity.host())):
        raise LostContact(f"run {run.id} is on {verdict.host}; a process can be killed only from its own host")
    if verdict.state not in status.RUNNING and not verdict.kept:
        return False
    hold.put(run, hold.KILLED)
    deadline, pause = time.monotonic() + timeout, 0.005
    while True:
        state, keeper = _files(run)
        who, condition = status.trainer(state, keeper)
        if condition == identity.ALIVE:
            identity.send(who, signal.SIGKILL)
        elif not status.at_work(keeper):
            return True
        else:
            identity.send(keeper.get("identity"), signal.SIGUSR1)
        if time.monotonic() > deadline:
            raise LostContact(f"run {run.id} did not end within {timeout:g} s of being killed")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.2)


def withdraw(run: RunDir, verbs: tuple[str, ...] = ("pause", "stop", "checkpoint")) -> list[control.Request]:
    """Refuse, in the trainer's stead, requests that nobody served; only for a run that is not running."""
    gone = [posted for posted in control.pending(run) if posted.verb in verbs]
    for posted in gone:
        control.acknowledge(run, posted, False, "withdrawn: the run ended before it was served")
    return gone


def resume(
    run: RunDir, launcher: Launcher, *, sets: Mapping[str, str] | None = None, timeout: float = TIMEOUT_S
) -> str:
    """Make a run go on; `sets` are live changes that it finds at its start (`online.epochs` extends a finished run).

    Returns "resumed" (it was paused), "launched", "adopted" (it ran without a keeper and has one now) or "done"
    (nothing is left to do). Raises RunIsLive, LostContact for one of another host, and what the launcher raises.
    """
    verdict = judge(run)
    if verdict.state == "lost" or (verdict.state in status.RUNNING and verdict.host not in (None, identity.host())):
        if verdict.state == "paused":
            request(run, "resume", timeout=timeout)
            return "resumed"
        raise LostContact(f"run {run.id} is {verdict.state} {verdict.detail}; resume it from that host")
    if verdict.state in status.RUNNING:
        return _go_on(run, verdict, launcher, timeout)
    if verdict.state == "done" and "online.epochs" not in (sets or {}):
        return "done"
    withdraw(run)
    for key, value in (sets or {}).items():
        control.post(run, "set", by=_me(), key=key, value=value)
    if written.read_state(run.state).get("paused"):
        control.post(run, "resume", by=_me())
    hold.lift(run)
    launcher.start(run)
    return "launched"


def judge(run: RunDir) -> status.Verdict:
    """The run's state now."""
    verbs = tuple(posted.verb for posted in control.pending(run))
    return status.judge(run, *_files(run), verbs, time.time())


def _await(run: RunDir, posted: control.Request, timeout: float) -> Answer:
    deadline, pause = time.monotonic() + timeout, 0.005
    while True:
        over = time.monotonic() > deadline
        verdict = judge(run)
        if (body := control.acknowledgement(run, posted.id)) is not None:
            return _answer(run, body)
        if verdict.state not in status.RUNNING:
            withdraw(run, (posted.verb,))
            raise LostContact(_not_running(run, verdict, posted.verb))
        if over:
            raise LostContact(
                f"run {run.id} ({verdict.state}) has not answered {posted.verb} within {timeout:g} s; the request stays"
            )
        time.sleep(pause)
        pause = min(pause * 1.5, 0.2)


def _answer(run: RunDir, body: dict[str, Any]) -> Answer:
    names = ("id", "verb", "ok", "why", "stage", "epoch", "update", "env_step", "path")
    answer = Answer(**{name: body[name] for name in names if name in body}, facts=body)
    if not answer.ok:
        raise Refused(f"run {run.id} refused {answer.verb}: {answer.why or 'no reason given'}")
    return answer


def _go_on(run: RunDir, verdict: status.Verdict, launcher: Launcher, timeout: float) -> str:
    waiting = any(posted.verb == "pause" for posted in control.pending(run))
    if not verdict.kept:
        hold.lift(run)
        launcher.start(run)
    if verdict.state == "paused" or waiting:
        request(run, "resume", timeout=timeout)
        return "resumed"
    if not verdict.kept:
        return "adopted"
    raise RunIsLive(f"run {run.id} is {verdict.state} already")


def _stop_waiting(run: RunDir, timeout: float) -> Answer:
    """End a keeper that waits to start the next attempt."""
    hold.put(run, hold.STOPPED)
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        state, keeper = _files(run)
        if not status.at_work(keeper):
            return Answer("", "stop", why="it was between two attempts", facts=state)
        who, condition = status.trainer(state, keeper)
        if condition == identity.ALIVE and identity.same(who, state.get("identity")):
            return request(run, "stop", timeout=timeout) or Answer("", "stop")
        identity.send(keeper.get("identity"), signal.SIGUSR1)
        time.sleep(0.02)
    raise LostContact(f"the keeper of run {run.id} has not answered within {timeout:g} s")


def _not_running(run: RunDir, verdict: status.Verdict, verb: str) -> str:
    detail = f" ({verdict.detail})" if verdict.detail else ""
    return f"run {run.id} is {verdict.state}{detail}, so nobody can {verb} it"


def _files(run: RunDir) -> tuple[dict[str, Any], dict[str, Any]]:
    return written.read_state(run.state), written.read_keeper(run.keeper)


def _me() -> str:
    return f"{os.environ.get('USER', 'uid ' + str(os.getuid()))}@{identity.host()} pid {os.getpid()}"
