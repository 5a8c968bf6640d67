"""One attempt at a run, as its keeper sees it: the trainer's process from its start, or adoption, to its end."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from typing import Any

from moore_engine.rundir import RunDir, read_json
from moore_tui.runs import hold, identity
from moore_tui.runs.newest import recent


class Attempt:
    """A process to wait for by `pidfd`, and `facts`, its entry in keeper.json."""

    def __init__(self, facts: dict[str, Any], pidfd: int, child: bool) -> None:
        self.facts, self.pidfd, self._child = facts, pidfd, child

    @classmethod
    def start(cls, run: RunDir, number: int, command: list[str]) -> Attempt:
        """Start the trainer in a session of its own, reading nothing and writing to log/attempt-<n>.log; OSError."""
        run.make()
        log = str(run.log / f"attempt-{number}.log")
        pid = os.posix_spawnp(
            command[0],
            [*command, str(run.path)],
            {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONFAULTHANDLER": "1"},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
            setsigmask=[],
            setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
        )
        return cls(_facts(number, identity.identify(pid), round(time.time(), 3)), os.pidfd_open(pid), True)

    @classmethod
    def adopt(cls, number: int, last: dict[str, Any], who: Mapping[str, Any]) -> Attempt | None:
        """Take over a trainer that lives: attempt `last` if it is that one, else a new one; None if it is gone."""
        pidfd = identity.open_pidfd(who)
        if pidfd is None:
            return None
        known = last and not last.get("ended") and identity.same(who, last.get("identity"))
        facts = last if known else _facts(number, dict(who), None)
        facts["adopted"] = True
        return cls(facts, pidfd, False)

    def end(self, run: RunDir) -> dict[str, Any]:
        """Once the process has ended: complete `facts` with how, when, where in the run, and what it used.

        Of an adopted trainer the exit code is what it wrote last itself, if it did; its use of resources is unknown.
        """
        state = read_json(run.state) or {}
        code = number = rss = cpu = None
        if self._child:
            _, status, usage = os.wait4(self.facts["identity"]["pid"], 0)
            if os.WIFSIGNALED(status):
                number = os.WTERMSIG(status)
            else:
                code = os.WEXITSTATUS(status)
            rss, cpu = round(usage.ru_maxrss / 1024, 1), round(usage.ru_utime + usage.ru_stime, 2)
        elif identity.same(state.get("identity"), self.facts["identity"]) and isinstance(state.get("exit"), int):
            code = state["exit"]
        os.close(self.pidfd)
        self.facts.update(ended=round(time.time(), 3), exit=code, signal=number, max_rss_mb=rss, cpu_s=cpu)
        self.facts["at"] = position(run, state)
        self.facts["killed"] = code is None and hold.reason(run) == hold.KILLED
        return self.facts


def position(run: RunDir, state: dict[str, Any]) -> dict[str, Any]:
    """The newest position that a trainer wrote, as an event or in its state."""
    newest: dict[str, Any] = next(recent(run.events), {})
    at = newest if (newest.get("t") or 0) >= (state.get("t") or 0) else state
    return {name: at.get(name) for name in ("stage", "epoch", "update", "env_step")}


def _facts(number: int, who: dict[str, Any], started: float | None) -> dict[str, Any]:
    return {"n": number, "identity": who, "started": started, "ended": None, "exit": None, "signal": None}
