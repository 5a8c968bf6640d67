"""Check everything a run needs before it exists: `python -m moore_engine.tools.prepare` with a request on stdin.

Request {"config": TOML, "trust": [names], "base_dir": folder} -> {"config": TOML with nothing left open, "rows",
"disk_mb", "warnings", "dataset"}; bad input is one sentence on stderr and exit code 2, the last line where others
tell how far it is.
"""

from __future__ import annotations

import json
import math
import os
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from moore_engine import config, scores
from moore_engine.config import Config, ConfigError
from moore_engine.rundir import EXIT_USAGE, RunDir
from moore_engine.schema import ALGORITHMS

if TYPE_CHECKING:
    import numpy as np

MIB = 2**20
TELL_S = 2.0
READING = "reading "
"""What lines of progress on stderr begin with; the last line is an error where the exit code says so."""


def main() -> int:
    request = json.load(sys.stdin)
    try:
        answer = prepare(request)
    except ConfigError as error:
        print(str(error), file=sys.stderr)
        return EXIT_USAGE
    json.dump(answer, sys.stdout)
    return 0


def prepare(request: dict[str, Any]) -> dict[str, Any]:
    """Resolve and check; raises ConfigError with one sentence for whatever is wrong."""
    from moore_engine.checkpoint import CheckpointError
    from moore_engine.data.source import DataError
    from moore_engine.envs import TaskError
    from moore_engine.start import StartError
    from moore_engine.terminations import TerminationError
    from moore_engine.trust import TrustError

    settings = _parse(request["config"])
    config.check_launchable(settings)
    work = _prepare
    if settings.run.algo == "collect":
        from moore_engine.collect.prepare import prepare_collection as work
    try:
        return work(settings, Path(request["base_dir"]), frozenset(request.get("trust", ())))
    except (DataError, TaskError, TerminationError, TrustError, StartError, CheckpointError) as error:
        raise ConfigError(str(error)) from None


def _prepare(settings: Config, base: Path, trust: frozenset[str]) -> dict[str, Any]:
    from moore_engine.buffers import Layout
    from moore_engine.data import source
    from moore_engine.data.transitions import Transitions
    from moore_engine.envs import Env
    from moore_engine.start import device
    from moore_engine.terminations import for_task

    path = source.locate(settings.data.path, base) if settings.data.path else ""
    settings = change(settings, "data", path=path, task=settings.data.task or (path and source.task(path)) or "")
    if not settings.data.task:
        raise ConfigError(
            f"data.task is empty and {path} names no task: add --set data.task=Hopper-v4, or use a preset."
        )
    termination = for_task(settings.data.task, settings.data.termination or None, trust)
    env = Env(settings.data.task, 0, trust_code=trust)
    data = source.load(path, progress=_Narrator(path), task=settings.data.task, obs_dim=env.obs_dim,
                       action_dim=env.action_dim, low=env.low, high=env.high, termination=termination,
                       ) if path else Transitions.none(Layout(env.obs_dim, env.action_dim))  # fmt: skip
    env.close()
    _check_priority(settings.online.priority, data.table, trust)
    low, high = settings.data.ref_min, settings.data.ref_max
    if low is None or high is None:
        low, high = data.reference or scores.reference(settings.data.task) or (None, None)
    settings = change(settings, "data", sha256=data.sha256, ref_min=low, ref_max=high)
    settings = change(own_threads(settings), "run", device=device(settings).type)
    warnings = list(data.warnings)
    if settings.run.from_:
        settings = change(settings, "run", from_=_branch(settings, base, data.sha256))
    return {
        "config": config.dumps(settings),
        "rows": int(data.table.shape[0]),
        "disk_mb": round(disk_mb(settings, env.obs_dim, env.action_dim)),
        "warnings": warnings,
        "dataset": path,
    }


class _Narrator:
    """Says on stderr how far the first reading of a data set of many episodes is, a line from time to time."""

    def __init__(self, path: str) -> None:
        self._path, self._told = path, math.inf

    def __call__(self, done: int, total: int) -> None:
        if done == 1:
            self._told = time.monotonic()
        if done % 16 == 0 and time.monotonic() - self._told > TELL_S:
            self._told = time.monotonic()
            print(f"{READING}{self._path}: {done:,} of {total:,} episodes", file=sys.stderr, flush=True)


def own_threads(settings: Config) -> Config:
    """With `run.threads` a number: auto takes the cores that this process may use."""
    if settings.run.threads != "auto":
        return settings
    return change(settings, "run", threads=len(os.sched_getaffinity(0)))


def disk_mb(settings: Config, obs_dim: int, action_dim: int) -> float:
    """Most disk the run will hold, MiB: the checkpoints kept, one being written, the switch's, the events."""
    width = 2 * obs_dim + action_dim + 2
    off, on, model, sac = settings.offline, settings.online, settings.model, settings.sac
    offline = off.retain_epochs * (off.updates_per_epoch // off.rollout_every) * off.rollout_batch * off.rollout_length
    longest = max(on.rollout_length, *on.rollout_growth[2:], 1)
    online = on.retain_epochs * (on.steps_per_epoch // on.model_every) * on.rollout_batch * longest
    collected = on.epochs * on.steps_per_epoch
    ensemble = model.networks * weights([obs_dim + action_dim, *model.hidden, 2 * (obs_dim + 1)])
    if not ALGORITHMS[settings.run.algo].models:
        offline = online = ensemble = 0
    agents = settings.balanced.agents if settings.run.algo == "balanced_replay" else 1
    actor = agents * weights([obs_dim, *(sac.actor_hidden or sac.hidden), 2 * action_dim])
    critics = agents * sac.critics * weights([obs_dim + action_dim, *sac.hidden, 1])
    learned = 4 * (4 * ensemble + 3 * actor + 4 * critics)
    whole = learned + 4 * width * (max(offline, online) + collected)
    updates = off.epochs * off.updates_per_epoch + on.epochs * on.steps_per_epoch * on.updates_per_step
    return ((settings.checkpoint.keep + 1) * whole + learned + 2 * updates) / MIB


def weights(sizes: list[int]) -> int:
    """Parameters of a network with these widths."""
    return sum((a + 1) * b for a, b in pairwise(sizes))


def _check_priority(name: str, table: np.ndarray, trust: frozenset[str]) -> None:
    """Call the function that `online.priority` names, if any, on the data set as in the first online epoch."""
    import torch

    from moore_engine.row_sampler import row_priorities
    from moore_engine.trust import load_function

    if not name:
        return
    priority, rows = load_function("online.priority", name, trust), torch.from_numpy(table)
    try:
        row_priorities(priority, rows, torch.ones(len(rows), dtype=torch.bool), 1)
    except Exception as error:
        why = str(error).partition("\n")[0] or type(error).__name__
        raise ConfigError(f"online.priority = {name!r} does not work on this data set: {why}") from error


def _branch(settings: Config, base: Path, data_sha256: str) -> str:
    """`run.from` with its folder absolute and the state's digest behind it, of the same data and sizes."""
    from moore_engine import checkpoint

    where, _, _ = settings.run.from_.partition("#")
    path, at, name = where.rpartition("@")
    source = RunDir((base / path).resolve()) if at else None
    if source is None or not source.exists():
        raise ConfigError(f"run.from = {where}: there is no such run; write RUN@switch or RUN@CHECKPOINT.")
    found = checkpoint.find(source, name)
    theirs = config.load(source.config)
    if theirs.run.algo != settings.run.algo:
        raise ConfigError(
            f"run.from = {where}: that run is of the algorithm {theirs.run.algo}, this one of {settings.run.algo}; a "
            "branch goes on with its own."
        )
    if theirs.data.sha256 != data_sha256:
        there, here = theirs.data.sha256[:12] or "none", data_sha256[:12]
        raise ConfigError(
            f"run.from = {where}: that run was trained on another data set, {theirs.data.path}: the content differs "
            f"(sha256 {there} there, {here} here)."
        )
    for section, keys in {
        "model": ("networks", "hidden"),
        "sac": ("hidden", "actor_hidden", "critics", "layer_norm"),
        "awac": ("tanh_mean",),
        "data": ("task",),
    }.items():
        for key in keys:
            mine, other = getattr(getattr(settings, section), key), getattr(getattr(theirs, section), key)
            if mine != other:
                raise ConfigError(
                    f"run.from = {where}: {section}.{key} is {other} there and {mine} here; they must agree."
                )
    return f"{source.path}@{found.path.name}#{found.digest()}"


def _parse(text: str) -> Config:
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(text)
        file.flush()
        return config.load(file.name)


def change(settings: Config, section: str, **values: Any) -> Config:
    """`settings` with other values in one section."""
    return msgspec.structs.replace(settings, **{section: msgspec.structs.replace(getattr(settings, section), **values)})


if __name__ == "__main__":
    sys.exit(main())
