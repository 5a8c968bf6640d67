"""AWAC (Nair et al. 2020, 2006.09359): advantage-weighted regression to the rows' own actions, offline then online.

One buffer of offline and online rows, drawn uniformly; the update itself stands in moore_engine/awac.py.
"""

from __future__ import annotations

import torch

from moore_engine.algorithms.one_buffer import OneBuffer
from moore_engine.awac import AWAC as Core

STD_FLOOR = 1e-3
"""Added to a standard deviation of the offline rows before it divides, as in CORL."""


class AWAC(OneBuffer):
    """CORL's form has `awac.weighting` = "exp", the authors' "softmax" and `awac.tanh_mean`.

    Observations' mean and standard deviation are the core's, and so in its state.
    """

    part = "awac"
    core: Core

    def make_core(self, draws: torch.Generator) -> Core:
        replay, sac, awac = self.replay, self.config.sac, self.config.awac
        core = Core(
            replay.layout.obs_dim, replay.layout.action_dim, hidden=sac.hidden, actor_hidden=sac.actor_hidden,
            actor_lr=sac.actor_lr, critic_lr=sac.critic_lr, actor_weight_decay=sac.actor_weight_decay, gamma=sac.gamma,
            tau=sac.tau, temperature=awac.temperature, softmax_weights=awac.weighting == "softmax",
            weight_max=awac.weight_max, tanh_mean=awac.tanh_mean, batch=sac.batch, log_std_min=sac.log_std_min,
            log_std_max=sac.log_std_max, device=self.device, generator=draws,
        )  # fmt: skip
        if awac.normalize and replay.n_off:
            obs = replay.rows[: replay.n_off, replay.layout.obs].double()
            core.normalize(obs.mean(0), obs.std(0, correction=0) + STD_FLOOR)
        return core

    def metrics(self) -> dict[str, float]:
        return {**super().metrics(), "temperature": float("nan")}
