"""`pause`, `checkpoint`, `stop`, `set`, `kill`, `wait`: asking a run, and waiting for it."""

from __future__ import annotations

import time
from dataclasses import asdict

from moore_engine.rundir import (
    EXIT_DONE,
    EXIT_FAILED,
    EXIT_LOST,
    EXIT_NO_RUN,
    EXIT_RUNNING,
    EXIT_STOPPED,
    EXIT_USAGE,
    RunDir,
    read_json,
)
from moore_tui.headless import find
from moore_tui.headless.diagnostics import PROGRAM, Failure, say
from moore_tui.headless.output import answer, answer_json
from moore_tui.runs import control
from moore_tui.runs.model import RunModel, Snapshot, snapshot

POLL_S = 0.1
PAST = {
    "pause": "paused", "resume": "goes on", "checkpoint": "saved a checkpoint", "stop": "stopped", "set": "changed",
}  # fmt: skip


def request(name: str, runs_dir: str | None, verb: str, *, wait: bool, timeout: float | None, as_json: bool) -> int:
    """Post a request; with `wait` (or a time-out) print the run's answer. A run that has ended needs no stop."""
    run = find.run(name, runs_dir)
    shot = snapshot(run)
    if verb == "stop" and shot.state in ("done", "interrupted", "crashed"):
        say(f"run {run.id} does not run: it is {shot.state}")
        if as_json:
            answer_json({"run": run.id, "verb": verb, "ok": True, "state": shot.state})
        return EXIT_DONE
    if verb == "pause" and shot.state == "paused" and not shot.pending:
        say(f"run {run.id} is paused already")
    return ask(run, verb, wait=wait, timeout=timeout, as_json=as_json)


def ask(
    run: RunDir, verb: str, *, wait: bool, timeout: float | None, as_json: bool, key: str = "", value: str = ""
) -> int:
    """Send one request, and tell what became of it: on stdout the answer, on stderr that it was sent."""
    args = {"key": key, "value": value} if key else {}
    patience = control.TIMEOUT_S if timeout is None else timeout
    got = control.request(run, verb, wait=wait or timeout is not None, timeout=patience, **args)
    if got is not None and verb == "stop":
        _ended(run, patience)
    if got is None:
        if as_json:
            answer_json({"run": run.id, "verb": verb, "ok": None, **args})
        say(f"asked run {run.id} to {verb}{' ' + key if key else ''}; --wait waits for its answer")
    elif as_json:
        answer_json({"run": run.id, **asdict(got)})
    else:
        where = (
            f" at {got.stage} epoch {got.epoch}, update {got.update}, environment step {got.env_step}"
            if got.stage
            else ""
        )
        what = f" {got.path}" if got.path else (f" {key} to {value}" if key else "")
        answer(f"{run.id} {PAST[verb]}{what}{where}{'; ' + got.why if got.why else ''}")
    return EXIT_DONE


def _ended(run: RunDir, patience: float) -> None:
    """Wait until a trainer that has granted a stop is gone, so that the next command may start the run again."""
    model, deadline = RunModel(run), time.monotonic() + patience
    while model.snapshot().running:
        if time.monotonic() >= deadline:
            raise Failure(f"run {run.id} has saved its checkpoint but has not ended within {patience:g} s", EXIT_LOST)
        time.sleep(POLL_S)


def change(name: str, runs_dir: str | None, setting: str, *, wait: bool, timeout: float | None, as_json: bool) -> int:
    """`set RUN KEY=VALUE`, checked here first, so that a wrong key or value is told at once."""
    from moore_engine import config as configs

    run = find.run(name, runs_dir)
    key, value = split(setting)
    configs.set_value(configs.load(run.config), key, value, live=True)
    shot = snapshot(run)
    if not shot.running and shot.state != "lost":
        raise Failure(
            f"run {run.id} is {shot.state}, so nothing can be set live; "
            f"{PROGRAM} resume {run.id} --set {key}={value} sets it as the run goes on",
            EXIT_LOST,
        )
    return ask(run, "set", wait=wait, timeout=timeout, as_json=as_json, key=key, value=value)


def split(setting: str) -> tuple[str, str]:
    """Key and value of KEY=VALUE."""
    key, equals, value = (part.strip() for part in setting.partition("="))
    if not (key and equals and value):
        raise Failure(f"{setting!r} is no KEY=VALUE; write for example online.alpha=0.5")
    return key, value


def kill(name: str, runs_dir: str | None, *, as_json: bool) -> int:
    """SIGKILL to the trainer, at most its last checkpoint's age of work lost."""
    run = find.run(name, runs_dir)
    killed = control.kill(run)
    shot = snapshot(run)
    if as_json:
        answer_json({"run": run.id, "killed": killed, "state": shot.state})
    if killed:
        say(f"killed run {run.id}; {shot.detail or shot.state}")
    else:
        say(f"run {run.id} does not run: it is {shot.state}")
    return EXIT_DONE


def wait(name: str, runs_dir: str | None, *, timeout: float | None, as_json: bool) -> int:
    """Return when the run has ended, with its exit code."""
    run = find.run(name, runs_dir)
    model = RunModel(run)
    deadline = time.monotonic() + (float("inf") if timeout is None else timeout)
    while (shot := model.snapshot()).running:
        if time.monotonic() >= deadline:
            raise Failure(f"run {run.id} still runs ({shot.state}) after {timeout:g} s", EXIT_RUNNING)
        time.sleep(POLL_S)
    code = exit_code(run, shot)
    if as_json:
        answer_json({"run": run.id, "state": shot.state, "exit": code})
    else:
        answer(f"{run.id} {shot.state}{': ' + shot.detail if shot.detail else ''}")
    return code


def exit_code(run: RunDir, shot: Snapshot) -> int:
    """A run that has ended as an exit code: 0, 75, what the trainer failed with, or 5 if it is gone without a word."""
    if shot.state == "done":
        return EXIT_DONE
    if shot.state == "lost":
        return EXIT_LOST
    if shot.state == "crashed":
        return shot.exit if shot.exit in (EXIT_USAGE, EXIT_NO_RUN, EXIT_RUNNING) else EXIT_FAILED
    state = read_json(run.state) or {}
    word = state.get("status") in ("stopped", "done", "failed") or shot.exit is not None or shot.signal is not None
    return EXIT_STOPPED if word else EXIT_LOST
