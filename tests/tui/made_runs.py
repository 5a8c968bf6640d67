"""Hand-made run directories, and waiting for a condition instead of sleeping."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from moore_engine import config, rundir
from moore_engine.rundir import RunDir, write_json
from moore_tui.launchers.local import LocalLauncher
from moore_tui.runs import control, model

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
FAKE = [sys.executable, str(ROOT / "tests" / "fake_trainer.py")]


def make_run(folder: Path, name: str = "run", /, **sections: dict[str, Any]) -> RunDir:
    """A run that was created and never started; `sections` replace values of its configuration, unchecked."""
    frozen = config.Config()
    for each, values in sections.items():
        section = msgspec.structs.replace(getattr(frozen, each), **values)
        frozen = msgspec.structs.replace(frozen, **{each: section})
    run = RunDir(folder / name)
    run.path.mkdir(parents=True)
    run.make()
    run.config.write_text(config.dumps(frozen))
    return run


def fake_run(folder: Path, *script: dict[str, Any], name: str = "run", **told: Any) -> RunDir:
    """A run for tests/fake_trainer.py, told to do `script`."""
    run = make_run(folder, name)
    write_json(run.path / "fake.json", {**told, "script": script})
    return run


def do(what: str, value: Any = None, *, update: int, attempt: int | None = None) -> dict[str, Any]:
    """One line of a fake trainer's script."""
    return {"do": what, "value": value, "update": update} | ({} if attempt is None else {"attempt": attempt})


def launcher(*options: str) -> LocalLauncher:
    """Starts fake trainers under a keeper that restarts them at once."""
    return LocalLauncher(command=FAKE, options=["--backoff", "0.01", *options])


@contextmanager
def ended(run: RunDir) -> Iterator[None]:
    """Kill what still works in the run when the test is over."""
    try:
        yield
    finally:
        control.kill(run)


def state_of(run: RunDir) -> str:
    return model.snapshot(run).state


def keeper_of(run: RunDir) -> dict[str, Any]:
    return rundir.read_json(run.keeper) or {}


def trainer_of(run: RunDir) -> dict[str, Any]:
    """Identity of the newest attempt's trainer."""
    return dict(keeper_of(run)["attempts"][-1]["identity"])


def wait_for(condition: Callable[[], T], what: str = "", timeout: float = 30.0) -> T:
    """The condition's first true value; AssertionError after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {timeout:g} s for {what or condition}"
        time.sleep(0.005)
    return value


def wait_until_over(run: RunDir) -> dict[str, Any]:
    """keeper.json once nothing works in the run any more."""
    wait_for(lambda: keeper_of(run).get("status") not in ("running", "restarting"), "the keeper's end")
    return keeper_of(run)


def wait_at(run: RunDir, update: int) -> None:
    """Until the trainer has come to this update and is held there by its script."""
    wait_for(lambda: model.snapshot(run).update == update and state_of(run) == "live", f"update {update}")


def event(seq: int, kind: str = "loss", /, **fields: Any) -> dict[str, Any]:
    """One event without the fields that readers do not need."""
    at = {"stage": "offline", "epoch": 1, "update": seq, "env_step": 0}
    return {"v": 1, "seq": seq, "att": 1, "t": float(seq), **at, "k": kind, **fields}


def line(body: dict[str, Any]) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode() + b"\n"


def write_events(run: RunDir, *events: dict[str, Any]) -> None:
    run.events.write_bytes(b"".join(line(body) for body in events))


@contextmanager
def sleeper() -> Iterator[tuple[subprocess.Popen[bytes], dict[str, Any]]]:
    """A living process to stand for a trainer, and its identity."""
    process = subprocess.Popen([sys.executable, "-S", "-c", "import signal; signal.pause()"])
    try:
        yield process, identity_of(process.pid)
    finally:
        process.kill()
        process.wait()


def identity_of(pid: int) -> dict[str, Any]:
    return {**rundir.this_process(), "pid": pid, "start": rundir.start_ticks(pid)}


def dead_identity() -> dict[str, Any]:
    """A process of this host and boot that is no more: this one's pid with other start ticks."""
    here = rundir.this_process()
    return {**here, "start": here["start"] - 1}


def beat_at(run: RunDir, age_s: float, promise_s: float = 10.0) -> None:
    """A heartbeat of `age_s` seconds ago."""
    for old in run.beat.iterdir():
        old.unlink()
    path = run.beat / f"7-{promise_s:g}"
    path.touch()
    now = time.time()
    os.utime(path, (now - age_s, now - age_s))
