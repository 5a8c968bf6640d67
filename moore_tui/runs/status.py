"""The state of a run in one word, judged from who lives, what the trainer and the keeper wrote, and the heartbeat.

starting     a trainer was started and has not spoken yet
live         it lives and keeps its promise to beat
paused       it lives and waits for a resume
stalled      it lives and is silent past its promise, or a signal stopped it
restarting   it crashed and the keeper will start it again
done         it ended with all its work done
interrupted  it ended or was killed, and can be resumed
crashed      it failed, and nobody will start it again unasked
lost         it runs on another host, if at all, and is silent
"""

from __future__ import annotations

import os
import signal as signals
from typing import Any, NamedTuple

from moore_engine import rundir
from moore_engine.rundir import RunDir
from moore_tui.runs import identity, tail

STATES = ("starting", "live", "paused", "stalled", "restarting", "done", "interrupted", "crashed", "lost")
RUNNING = ("starting", "live", "paused", "stalled", "restarting")

GRACE_S = 2.0
"""Beyond the promised beat, for a busy host."""

GRACE_ELSEWHERE_S = 60.0
"""Clocks of hosts differ and network file systems cache."""

_WAITING = {"pause": "pausing...", "stop": "stopping...", "checkpoint": "saving...", "resume": "resuming..."}


class Verdict(NamedTuple):
    """`exit` and `signal` are those of the last attempt that ended; `beat_at` is unix seconds."""

    state: str
    detail: str
    host: str | None = None
    pid: int | None = None
    kept: bool = False
    exit: int | None = None
    signal: int | None = None
    beat_at: float | None = None


def judge(run: RunDir, state: dict[str, Any], keeper: dict[str, Any], pending: tuple[str, ...], now: float) -> Verdict:
    """The run's state at unix time `now`; `state` and `keeper` are the JSON files, empty where there is none."""
    beat = rundir.read_beat(run)
    silent_s = max(0.0, now - beat[2]) if beat else None
    last = (attempts(keeper) or [{}])[-1]
    kept = at_work(keeper)
    who, where = trainer(state, keeper)
    seen: dict[str, Any] = {
        "kept": kept,
        "exit": last.get("exit"),
        "signal": last.get("signal"),
        "beat_at": beat[2] if beat else None,
    }
    if who:
        seen |= {"host": who.get("host"), "pid": who.get("pid")}
    spoken = identity.same(who, state.get("identity"))
    if where == identity.ALIVE:
        promise = beat[1] + GRACE_S if beat else float("inf")
        word, detail = _alive(state, spoken, silent_s if (silent_s or 0) > promise else None, pending)
        if word in ("live", "paused", "stalled") and (silent_s or 0) > GRACE_S and identity.halted(who):
            wake = f"kill -CONT {(who or {}).get('pid')} wakes it"
            word, detail = "stalled", f"stopped by a signal, silent for {span(silent_s)}; {wake}"
    elif where == identity.ELSEWHERE and not over(state, keeper):
        promise = beat[1] + GRACE_ELSEWHERE_S if beat else 0.0
        host = (who or {}).get("host")
        if silent_s is not None and silent_s <= promise:
            word, detail = _alive(state, spoken, None, pending)
            detail = detail or f"on {host}"
        else:
            word, detail = "lost", f"on {host}, " + (f"silent for {span(silent_s)}" if silent_s else "never heard")
    else:
        word, detail = _dead(run, state, keeper, last, kept, now)
    return Verdict(word, detail, **seen)


def trainer(state: dict[str, Any], keeper: dict[str, Any]) -> tuple[dict[str, Any] | None, str]:
    """(identity of the newest trainer, its condition); one that the keeper has seen ending is dead."""
    last = (attempts(keeper) or [{}])[-1]
    started, spoke = last.get("identity"), state.get("identity")
    started = started if isinstance(started, dict) and not last.get("ended") else None
    spoke = spoke if isinstance(spoke, dict) else None
    if spoke and last.get("ended") and identity.same(spoke, last.get("identity")):
        spoke = None
    found: tuple[dict[str, Any] | None, str] = (None, identity.DEAD)
    for who in (started, spoke):
        condition = identity.condition(who)
        if condition == identity.ALIVE:
            return who, condition
        if condition == identity.ELSEWHERE and found[0] is None:
            found = who, condition
    return found


def attempts(keeper: dict[str, Any]) -> list[dict[str, Any]]:
    """The keeper's record of attempts, oldest first."""
    found = keeper.get("attempts")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def at_work(keeper: dict[str, Any]) -> bool:
    """Whether a keeper of this host lives and means to go on."""
    return keeper.get("status") in ("running", "restarting") and identity.alive(keeper.get("identity"))


def over(state: dict[str, Any], keeper: dict[str, Any]) -> bool:
    """Whether trainer or keeper wrote down that nothing runs any more."""
    return state.get("status") in ("done", "stopped", "failed") or keeper.get("status") in ("finished", "given up")


def newest_checkpoint(run: RunDir) -> str | None:
    """Name of the checkpoint with the highest step (`ckpt-<step>`, `ckpt-<step>.<again>`), else "switch", else None."""
    try:
        with os.scandir(run.checkpoints) as entries:
            names = [entry.name for entry in entries]
    except OSError:
        return None
    steps = []
    for name in names:
        step, _, again = name.removeprefix("ckpt-").partition(".")
        if name.startswith("ckpt-") and step.isdecimal() and (again or "0").isdecimal():
            steps.append((int(step), int(again or "0"), name))
    return max(steps)[2] if steps else ("switch" if "switch" in names else None)


def signal_name(number: int | None) -> str:
    """SIGKILL for 9."""
    try:
        return signals.Signals(number or 0).name
    except ValueError:
        return f"signal {number}"


def span(seconds: float | None) -> str:
    """A duration in a few characters: 42 s, 7 min, 3.5 h, 2.1 d."""
    value = seconds or 0.0
    for limit, unit, name in ((120, 1, "s"), (7200, 60, "min"), (172800, 3600, "h")):
        if value < limit:
            return f"{value / unit:.3g} {name}" if unit == 3600 else f"{value / unit:.0f} {name}"
    return f"{value / 86400:.3g} d"


def _alive(state: dict[str, Any], spoken: bool, silent_s: float | None, pending: tuple[str, ...]) -> tuple[str, str]:
    if not spoken:
        return "starting", ""
    if state.get("status") == "done":
        return "done", ""
    if silent_s is not None:
        return "stalled", f"silent for {span(silent_s)}"
    if state.get("status") == "starting":
        return "starting", ""
    waiting = next((_WAITING[verb] for verb in reversed(pending) if verb in _WAITING), "")
    if state.get("paused") or state.get("status") == "paused":
        return "paused", waiting if waiting != "pausing..." else ""
    return "live", waiting or ("saving..." if state.get("status") == "saving" else "")


def _dead(
    run: RunDir, state: dict[str, Any], keeper: dict[str, Any], last: dict[str, Any], kept: bool, now: float
) -> tuple[str, str]:
    if state.get("status") == "done":
        return "done", ""
    if kept and keeper.get("status") == "restarting":
        return "restarting", _restarting(keeper, last, now)
    if kept:
        return "starting", ""
    if state.get("status") == "stopped" or last.get("exit") == rundir.EXIT_STOPPED:
        return "interrupted", _from(run)
    ended = last.get("ended") is not None and not last.get("killed")
    if state.get("status") == "failed" or (ended and last.get("exit") not in (rundir.EXIT_DONE, rundir.EXIT_CTRL_C)):
        return "crashed", _crash(run, state, keeper, last)
    if not state and not last:
        return "interrupted", "not started"
    return "interrupted", ("killed, " if last.get("killed") else "") + _from(run)


def _restarting(keeper: dict[str, Any], last: dict[str, Any], now: float) -> str:
    most, next_start = (keeper.get("policy") or {}).get("max_restarts"), keeper.get("next_start")
    text = f"attempt {keeper.get('restarts', 0) + 1} of {most + 1}" if isinstance(most, int) else "next attempt"
    if isinstance(next_start, int | float) and next_start > now:
        text += f" in {span(next_start - now)}"
    return f"{text} after {ending(last)}"


def _crash(run: RunDir, state: dict[str, Any], keeper: dict[str, Any], last: dict[str, Any]) -> str:
    """How it ended, what the trainer said (its last line if nothing else), why the keeper left it at that."""
    how = ending(last) if last.get("ended") else ""
    said = state.get("error") if state.get("status") == "failed" else ""
    if not said and last.get("exit") is not None and (log := tail.newest_log(run.log)):
        said = "".join(tail.last_lines(log, 1))
    why = keeper.get("why") if keeper.get("status") == "given up" else ""
    return "; ".join(str(part) for part in (how, said, why) if part)


def _from(run: RunDir) -> str:
    name = newest_checkpoint(run)
    return f"resumable from {name}" if name else "resumable from the beginning"


def ending(attempt: dict[str, Any]) -> str:
    """How an attempt ended: "SIGKILL", "exit 1" or "an unseen end"."""
    if attempt.get("signal"):
        return signal_name(attempt["signal"])
    return f"exit {attempt['exit']}" if attempt.get("exit") is not None else "an unseen end"
