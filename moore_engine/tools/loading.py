"""A run's policy from one of its checkpoints, without its data set: for evaluation and export."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from moore_engine import checkpoint, config
from moore_engine.algorithms import algorithm
from moore_engine.algorithms.base import Algorithm
from moore_engine.buffers import Layout, ReplayTable
from moore_engine.config import Config
from moore_engine.envs import Env
from moore_engine.rundir import RunDir
from moore_engine.start import device, fix_arithmetic, trusted


@dataclass(frozen=True)
class Loaded:
    """A policy with its run's settings, the checkpoint it came from, and the task's action bounds (action_dim,)."""

    settings: Config
    saved: checkpoint.Checkpoint
    policy: Algorithm
    obs_dim: int
    low: Any
    high: Any


def load_policy(run: RunDir, name: str) -> Loaded:
    """The policy of checkpoint `name` ("latest", "switch", "final" = latest). Raises ConfigError, CheckpointError."""
    settings = config.load(run.config)
    saved = checkpoint.find(run, "latest" if name == "final" else name)
    state = checkpoint.load(saved)
    fix_arithmetic(int(settings.run.threads))
    env = Env(settings.data.task, 0, trust_code=trusted())
    layout, place = Layout(env.obs_dim, env.action_dim), device(settings)
    kind = algorithm("mopo" if settings.run.algo == "collect" else settings.run.algo)  # what collects is SAC as well
    policy = kind(settings, ReplayTable(layout, torch.zeros(1, layout.width), 0, place), _unused, place, _unused)
    try:
        policy.load_policy(state)
    except (KeyError, ValueError) as error:
        raise checkpoint.CheckpointError(f"{saved.path.name} is not of this version of the engine: {error}.") from None
    env.close()
    return Loaded(settings, saved, policy, env.obs_dim, env.low, env.high)


def _unused(*_: Any) -> torch.Tensor:
    """Stands where an algorithm that learns has a termination or priority function."""
    raise NotImplementedError("a loaded policy does not learn")
