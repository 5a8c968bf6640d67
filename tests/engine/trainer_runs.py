"""Small real runs for tests: a data set, a frozen run directory, the trainer as a process, and what must be equal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from moore_engine import checkpoint, config, events
from moore_engine.data.write import write_d4rl
from moore_engine.envs import Env
from moore_engine.rundir import RunDir

SMALL = [
    "run.threads=1", "run.device=cpu", "model.networks=3", "model.elites=2", "model.hidden=[32,32]",
    "model.weight_decay=[1e-5,1e-5,1e-5]", "model.patience=2", "model.max_epochs=4", "sac.hidden=[32,32]",
    "sac.batch=64",
    "offline.epochs=4", "offline.updates_per_epoch=200", "offline.rollout_every=100", "offline.rollout_batch=1500",
    "offline.rollout_length=3", "offline.retain_epochs=2", "offline.real_ratio=0.1", "online.epochs=4",
    "online.steps_per_epoch=60", "online.model_every=20", "online.rollout_batch=500", "online.rollout_length=3",
    "online.updates_per_step=3", "online.max_updates=20", "online.real_ratio=0.1", "eval.episodes=2",
    "eval.switch_episodes=4", "checkpoint.every_epochs=1",
]  # fmt: skip
"""Sizes for runs of seconds."""

OUTSIDE = ("t", "att", "seq")
"""Event fields that may differ between an interrupted run and the uninterrupted one."""

TRAINER = ("-m", "moore_engine")

_started: list[subprocess.Popen[bytes]] = []


def write_data(path: Path, task: str = "InvertedPendulum-v4", rows: int = 1500) -> Path:
    """A data set of a noisy policy on `task`, in D4RL's layout."""
    env, rng = Env(task, 0), np.random.default_rng(0)
    columns: dict[str, list[Any]] = {key: [] for key in ("obs", "action", "next_obs", "reward", "terminal", "timeout")}
    obs = env.reset()
    for _ in range(rows):
        action = rng.uniform(-1, 1, env.action_dim).astype(np.float32)
        next_obs, reward, terminated, truncated = env.step(action)
        for key, value in zip(
            columns, (obs, env.to_task_units(action), next_obs, reward, terminated, truncated), strict=True
        ):
            columns[key].append(value)
        obs = env.reset() if terminated or truncated else next_obs
    write_d4rl(
        path, observations=np.array(columns["obs"]), actions=np.array(columns["action"]),
        next_observations=np.array(columns["next_obs"]), rewards=np.array(columns["reward"]),
        terminals=np.array(columns["terminal"]), timeouts=np.array(columns["timeout"]), task=task,
    )  # fmt: skip
    return path


def make_run(folder: Path, data: Path, *sets: str, task: str = "InvertedPendulum-v4") -> RunDir:
    """A run directory as `moore-console run` leaves it, of a small run with `sets` on top."""
    resolved = config.resolve(
        None, sets=[*SMALL, f"data.path={data}", f"data.task={task}", f"run.name={folder.name}", *sets]
    )
    run = RunDir(folder)
    run.path.mkdir(parents=True)
    run.make()
    run.config.write_text(config.dumps(resolved.config))
    return run


def start(run: RunDir, program: Sequence[str] = TRAINER) -> subprocess.Popen[bytes]:
    """The trainer on `run`, its output in the run's log folder; `stop_all` ends what a failed test left."""
    with open(run.log / "trainer.log", "ab") as log:
        trainer = subprocess.Popen(
            [sys.executable, *program, str(run.path)], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
    _started.append(trainer)
    return trainer


def stop_all() -> None:
    """Kill and reap every trainer started here."""
    while _started:
        trainer = _started.pop()
        trainer.kill()
        trainer.wait()


def finish(run: RunDir, timeout: float = 240) -> int:
    """Run the trainer to its end; its exit code."""
    return start(run).wait(timeout)


def until(condition: Callable[[], Any], what: str, timeout: float = 120, every: float = 0.03) -> None:
    """Wait for a condition; fails with its name."""
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, f"never came: {what}"
        assert any(trainer.poll() is None for trainer in _started), f"the trainer ended before {what}"
        time.sleep(every)


def facts(run: RunDir) -> list[dict[str, Any]]:
    """The visible events that an interrupted run must share with the uninterrupted one, without OUTSIDE fields."""
    alive = events.visible(events.read(run.events))
    return [
        {key: value for key, value in event.items() if key not in OUTSIDE}
        for event in alive
        if event["k"] not in events.OUTSIDE_REPLAY
    ]


def count(run: RunDir, kind: str) -> int:
    """Events of a kind written so far, those of dead attempts included."""
    return sum(event["k"] == kind for event in events.read(run.events)) if run.events.exists() else 0


def hashes(run: RunDir) -> dict[str, str]:
    """sha256 of every file of the newest checkpoint: parameters, moments, D_on, counters, generators."""
    return {name: file["sha256"] for name, file in checkpoint.find(run).manifest["files"].items()}


def log(run: RunDir) -> str:
    """What the trainer printed, for a failing assertion."""
    return (run.log / "trainer.log").read_text() + json.dumps(facts(run)[-3:], indent=1)
