"""The section [sac] of the configuration as arguments of moore_engine.sac.SAC and those built on it."""

from __future__ import annotations

from typing import Any

from moore_engine.schema import Sac


def sac_options(sac: Sac, action_dim: int) -> dict[str, Any]:
    """Keyword arguments of `SAC`, all but the device and the generator; the target entropy "auto" is -`action_dim`."""
    return {
        "hidden": sac.hidden, "actor_hidden": sac.actor_hidden, "actor_lr": sac.actor_lr, "critic_lr": sac.critic_lr,
        "temperature_lr": sac.temperature_lr, "gamma": sac.gamma, "tau": sac.tau, "batch": sac.batch,
        "target_entropy": float(-action_dim if sac.target_entropy == "auto" else sac.target_entropy),
        "log_std_min": sac.log_std_min, "log_std_max": sac.log_std_max, "temperature_max": sac.temperature_max or None,
    }  # fmt: skip
