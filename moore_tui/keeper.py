"""The keeper: `python -m moore_tui.keeper RUN_DIR`, one small process a run that starts the trainer and waits on it.

It records how each attempt ends and starts the next after a crash. If it is killed the trainer goes on, and the next
keeper adopts it. Imports stay few: a keeper holds at most 16 MB.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from moore_engine import rundir
from moore_engine.rundir import RunDir, read_json, write_json
from moore_tui import daemon
from moore_tui.attempt import Attempt
from moore_tui.runs import hold, identity

FINAL_EXITS = (
    rundir.EXIT_DONE,
    rundir.EXIT_USAGE,
    rundir.EXIT_NO_RUN,
    rundir.EXIT_RUNNING,
    rundir.EXIT_STOPPED,
    rundir.EXIT_CTRL_C,
)
"""After these nothing is started again; any other code, and any signal, is a crash."""

USAGE = (
    "usage: python -m moore_tui.keeper RUN_DIR [--detach] [--max-restarts N] [--backoff S] [--backoff-cap S]"
    " [-- COMMAND...]"
)

LOG = "keeper.log"
"""In log/: what the keeper says, and the file whose flock makes it the only one."""

LOOK_S = 0.25
"""Between looks at control/hold while waiting to restart; SIGUSR1 makes it immediate."""


class Policy(NamedTuple):
    """Restarts after a crash, and the seconds before the first; the wait doubles each time up to the cap."""

    max_restarts: int = 5
    backoff_s: float = 1.0
    backoff_cap_s: float = 60.0


class Refusal(Exception):
    """The keeper cannot keep this run: (exit code, one sentence)."""


class Keeper:
    """Keeps one run to its end: `take` it, `begin` an attempt (or adopt one), then `keep`."""

    def __init__(self, run: RunDir, policy: Policy, command: list[str]) -> None:
        self.run, self.policy, self.command = run, policy, command
        self._leave = False
        self._wake, wake = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGUSR1, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_leave)

    def take(self) -> None:
        """Become the run's only keeper; raises Refusal."""
        if not self.run.exists():
            raise Refusal(rundir.EXIT_NO_RUN, f"there is no run at {self.run.path}: its config.toml is missing")
        try:
            self.run.log.mkdir(exist_ok=True)
            self._lock = daemon.lock(self.run.log / LOG)
        except BlockingIOError:
            raise Refusal(rundir.EXIT_RUNNING, f"run {self.run.id} has a keeper already") from None
        except OSError as error:
            raise Refusal(rundir.EXIT_USAGE, f"cannot write in {self.run.path}: {error.strerror}") from None
        before = (read_json(self.run.keeper) or {}).get("attempts")
        self._attempts = [one for one in before if isinstance(one, dict)] if isinstance(before, list) else []
        self._facts: dict[str, Any] = {
            "v": 1,
            "identity": rundir.this_process(),
            "status": "running",
            "why": "",
            "policy": self.policy._asdict(),
            "command": self.command,
            "restarts": 0,
            "next_start": None,
        }

    def begin(self) -> None:
        """Adopt the trainer that runs, or else start one; raises Refusal if that fails."""
        state = read_json(self.run.state) or {}
        last = self._attempts[-1] if self._attempts else {}
        for who in (last.get("identity"), state.get("identity")):
            if isinstance(who, dict) and (attempt := Attempt.adopt(self._next(), last, who)):
                return self._enter(attempt)
        if last and not last.get("ended"):
            last.update(ended=round(time.time(), 3), unseen=True)
        if _elsewhere(self.run, state):
            host = state["identity"].get("host")
            raise Refusal(rundir.EXIT_RUNNING, f"run {self.run.id} is running on {host}; steer it from there")
        if rundir.is_locked(self.run):
            raise Refusal(rundir.EXIT_RUNNING, f"run {self.run.id} is already running: its lock is held")
        try:
            self._start()
        except OSError as error:
            raise Refusal(rundir.EXIT_FAILED, f"cannot start the trainer of run {self.run.id}: {error}") from None

    def keep(self) -> int:
        """Wait and restart until the run is over or the keeper is told to leave; the exit code."""
        while True:
            if not self._wait():
                return self._end("left", "the keeper was told to leave")
            status, why = self._verdict(self._attempt.end(self.run))
            if status != "restarting":
                return self._end(status, why)
            if stopped := self._back_off():
                return self._end("left" if self._leave else "finished", stopped)
            try:
                self._start()
            except OSError as error:
                return self._end("given up", f"the trainer cannot be started: {error}")

    def _start(self) -> None:
        self._enter(Attempt.start(self.run, self._next(), self.command))

    def _enter(self, attempt: Attempt) -> None:
        self._attempt = attempt
        facts = attempt.facts
        if not self._attempts or self._attempts[-1] is not facts:
            self._attempts.append(facts)
        self._write(status="running", next_start=None)
        _say(f"attempt {facts['n']}: {'adopted' if facts.get('adopted') else 'started'} pid {facts['identity']['pid']}")

    def _next(self) -> int:
        """Number of the next attempt, counted over all keepers of the run."""
        numbers = [one.get("n") for one in self._attempts]
        return max((n for n in numbers if isinstance(n, int)), default=0) + 1

    def _wait(self) -> bool:
        """True when the trainer has ended, False when the keeper is told to leave it."""
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        poll.register(self._attempt.pidfd, select.POLLIN)
        while not self._leave:
            ready = [fd for fd, _ in poll.poll()]
            self._drain()
            if self._attempt.pidfd in ready:
                return True
        return False

    def _verdict(self, attempt: dict[str, Any]) -> tuple[str, str]:
        """(new status, why): "restarting" with the next start set, "finished" or "given up"."""
        ending = f"signal {attempt['signal']}" if attempt["signal"] else f"exit {attempt['exit']}"
        _say(f"attempt {attempt['n']} ended: {ending} at {attempt['at']}")
        if attempt["exit"] in FINAL_EXITS:
            return "finished", ending
        if (held := hold.reason(self.run)) is not None:
            return "finished", held
        restarts = self._facts["restarts"]
        before = self._attempts[-2] if restarts else None
        if before and _step(before.get("at")) == _step(attempt["at"]):
            return "given up", "two attempts died at the same step"
        if restarts >= self.policy.max_restarts:
            return "given up", f"restarted {restarts} times already"
        wait = min(self.policy.backoff_cap_s, self.policy.backoff_s * 2**restarts)
        self._write(status="restarting", restarts=restarts + 1, next_start=round(time.time() + wait, 3))
        return "restarting", ""

    def _back_off(self) -> str | None:
        """Wait until the next start is due; why it shall not be made after all, or None."""
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        while True:
            if self._leave:
                return "the keeper was told to leave"
            if (held := hold.reason(self.run)) is not None:
                return held
            left = self._facts["next_start"] - time.time()
            if left <= 0:
                return None
            poll.poll(min(left, LOOK_S) * 1000)
            self._drain()

    def _end(self, status: str, why: str) -> int:
        self._write(status=status, why=why, next_start=None)
        _say(f"{status}: {why}")
        return 0

    def _write(self, **facts: Any) -> None:
        """keeper.json as it is now; a full disk must not end the keeper."""
        self._facts.update(facts)
        del self._attempts[:-100]
        try:
            write_json(self.run.keeper, {**self._facts, "attempts": self._attempts}, durable=False)
        except OSError as error:
            _say(f"cannot write {self.run.keeper}: {error}")

    def _drain(self) -> None:
        with suppress(BlockingIOError):
            while os.read(self._wake, 512):
                pass

    def _on_leave(self, *_: Any) -> None:
        self._leave = True


def main(argv: list[str]) -> int:
    try:
        path, detach, policy, command = _arguments(argv)
    except (ValueError, IndexError):
        return _refuse(rundir.EXIT_USAGE, USAGE)
    run = RunDir(Path(path).absolute())
    tell = daemon.detach() if detach else _refuse
    try:
        keeper = Keeper(run, policy, command)
        keeper.take()
        if detach:
            daemon.file_stdio(run.log / LOG)
        keeper.begin()
    except Refusal as error:
        return tell(*error.args)
    if detach:
        tell(0, "")
    return keeper.keep()


def _arguments(argv: list[str]) -> tuple[str, bool, Policy, list[str]]:
    """(run directory, detach, policy, command without the directory); ValueError or IndexError if wrong."""
    cut = argv.index("--") if "--" in argv else len(argv)
    words, command = argv[:cut], argv[cut + 1 :]
    path, detach, policy = "", False, Policy()
    while words:
        word = words.pop(0)
        if word == "--detach":
            detach = True
        elif word == "--max-restarts":
            policy = policy._replace(max_restarts=int(words.pop(0)))
        elif word == "--backoff":
            policy = policy._replace(backoff_s=float(words.pop(0)))
        elif word == "--backoff-cap":
            policy = policy._replace(backoff_cap_s=float(words.pop(0)))
        elif path or word.startswith("-"):
            raise ValueError(word)
        else:
            path = word
    if not path:
        raise ValueError("no run directory")
    safe = ["-P"] if sys.flags.safe_path else []
    return path, detach, policy, command or [sys.executable, *safe, "-m", "moore_engine"]


def _elsewhere(run: RunDir, state: dict[str, Any]) -> bool:
    """Whether a trainer of another host keeps its promise to beat."""
    if identity.condition(state.get("identity")) != identity.ELSEWHERE or state.get("status") in (
        "done",
        "stopped",
        "failed",
    ):
        return False
    beat = rundir.read_beat(run)
    return beat is not None and time.time() - beat[2] < beat[1] + 60


def _step(at: Any) -> tuple[Any, Any]:
    return (at.get("update"), at.get("env_step")) if isinstance(at, dict) else (None, None)


def _say(text: str) -> None:
    with suppress(OSError):
        sys.stdout.write(time.strftime("%Y-%m-%d %H:%M:%S ") + text + "\n")
        sys.stdout.flush()


def _refuse(code: int, sentence: str) -> int:
    sys.stderr.write(f"keeper: {sentence}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
