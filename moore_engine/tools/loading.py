"""A run's policy from one of its checkpoints, without its data set: for evaluation and export."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from moore_engine import checkpoint, config
from moore_engine.config import Config
from moore_engine.envs import Env
from moore_engine.rundir import RunDir
from moore_engine.sac import SAC
from moore_engine.start import device, fix_arithmetic, trusted
from moore_engine.streams import generator


@dataclass(frozen=True)
class Loaded:
    """A policy with its run's settings, the checkpoint it came from, and the task's action bounds (action_dim,)."""

    settings: Config
    saved: checkpoint.Checkpoint
    sac: SAC
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
    where = device(settings)
    sac = settings.sac
    agent = SAC(
        env.obs_dim, env.action_dim, hidden=sac.hidden, batch=sac.batch, log_std_min=sac.log_std_min,
        log_std_max=sac.log_std_max, temperature_max=sac.temperature_max or None, device=where,
        generator=generator(settings.run.seed, "init", "sac", device=where),
    )  # fmt: skip
    try:
        agent.load_state_dict(state["sac"])
    except (KeyError, ValueError) as error:
        raise checkpoint.CheckpointError(f"{saved.path.name} is not of this version of the engine: {error}.") from None
    env.close()
    return Loaded(settings, saved, agent, env.obs_dim, env.low, env.high)
