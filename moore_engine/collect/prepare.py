"""What is checked before a collection exists: task, target return, where the set goes, what it takes of the disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from moore_engine import config, scores
from moore_engine.buffers import Layout
from moore_engine.collect.deliver import FILE, check_free, destination
from moore_engine.collect.plan import epochs, parts, target, trained_steps
from moore_engine.collect.trail import BLOCK
from moore_engine.config import Config, ConfigError
from moore_engine.envs import Env
from moore_engine.tools.prepare import MIB, change, own_threads, weights


def prepare_collection(settings: Config, base: Path, trust: frozenset[str]) -> dict[str, Any]:
    """The configuration with nothing left open, most rows of the set, most MiB of disk, where it will be, warnings.

    Raises ConfigError, TaskError, DataError.
    """
    if settings.run.device == "cuda":
        raise ConfigError("run.device = cuda: a collection runs on the CPU, where its environment steps one at a time.")
    env = Env(settings.data.task, 0, trust_code=trust)
    data, collect = settings.data, settings.collect
    if data.ref_min is None:
        low, high = scores.reference(data.task) or (None, None)
        settings = change(settings, "data", ref_min=low, ref_max=high)
    aim = target(settings)
    if aim is None and collect.kind in ("medium", "medium-expert"):
        raise ConfigError(
            f"{data.task} has no reference returns to say what medium is: give --target-return, or --ref-min and "
            "--ref-max."
        )
    warnings = _warnings(settings, aim, env)
    output = _output(collect.output, base) if collect.output else ""
    if collect.id:
        check_free(collect.id)
    settings = change(settings, "collect", target_return="none" if aim is None else aim, output=output)
    settings = change(settings, "online", epochs=epochs(settings))
    settings = change(own_threads(settings), "run", device="cpu")
    most = disk_mb(settings, env)
    env.close()
    return {
        "config": config.dumps(settings),
        "rows": collect.steps,
        "disk_mb": round(most),
        "warnings": warnings,
        "dataset": destination(settings) or f"{FILE} in the run's directory",
    }


def disk_mb(settings: Config, env: Env) -> float:
    """Most disk: the set (uncompressed), the rows that checkpoints share, and of each its own block and networks."""
    width = Layout(env.obs_dim, env.action_dim).width
    states = env.physics()
    stored = 4 * width + 1 + (8 * sum(each.size for each in states) if states else 0)
    actor = weights([env.obs_dim, *settings.sac.hidden, 2 * env.action_dim])
    critics = settings.sac.critics * weights([env.obs_dim + env.action_dim, *settings.sac.hidden, 1])
    learned = 4 * (3 * actor + 4 * critics)
    plan = parts(settings.collect)
    replay = 0 if plan[0].recorded else 4 * width * trained_steps(plan)
    rows = settings.collect.steps * stored
    return (2 * rows + replay + (settings.checkpoint.keep + 1) * (learned + BLOCK * stored)) / MIB


def _warnings(settings: Config, aim: float | None, env: Env) -> list[str]:
    """What is valid and still worth a word."""
    collect, found = settings.collect, []
    if collect.kind == "medium-replay" and collect.target_return == "auto" and aim is None:
        found.append(
            f"{settings.data.task} has no reference returns, so the replay buffer ends at collect.steps = "
            f"{collect.steps} only; --target-return R ends it at a return."
        )
    if env.physics() is None:
        found.append(f"{settings.data.task} is no MuJoCo task, so the set will have no infos/qpos and infos/qvel.")
    if env.max_episode_steps is None and collect.kind != "medium-replay":
        found.append(f"{settings.data.task} has no time limit, so the last episode is cut.")
    return found


def _output(text: str, base: Path) -> str:
    """The absolute path of a file that can be made. Raises ConfigError."""
    path = (base / text).expanduser().resolve()
    if path.exists():
        raise ConfigError(f"collect.output = {path} exists already: choose another file, or remove that one.")
    if path.suffix not in (".hdf5", ".h5"):
        raise ConfigError(f"collect.output = {path} must end in .hdf5 or .h5.")
    folder = path.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise ConfigError(f"collect.output = {path} cannot be written: {folder} is no folder that can be written in.")
    return str(path)
