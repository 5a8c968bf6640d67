"""AWAC (Nair et al. 2020, 2006.09359): advantage-weighted regression to the rows' own actions, offline then online.

One buffer of offline and online rows, drawn uniformly; the update itself stands in moore_engine/awac.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from moore_engine.algorithms.base import Algorithm
from moore_engine.awac import AWAC as Core
from moore_engine.buffers import ReplayTable
from moore_engine.capture import Captured
from moore_engine.nn.tanh_gaussian import Bounds
from moore_engine.rollout import Termination
from moore_engine.row_sampler import Priority
from moore_engine.samplers import StratumSampler
from moore_engine.streams import generator

if TYPE_CHECKING:
    from moore_engine.config import Config

STD_FLOOR = 1e-3
"""Added to a standard deviation of the offline rows before it divides, as in CORL."""


class AWAC(Algorithm):
    """Both forms: `awac.weighting` = "exp" is CORL's, "softmax" the authors', whose policy is bounded too."""

    def __init__(
        self, config: Config, replay: ReplayTable, termination: Termination, device: torch.device,
        priority: Priority | None = None,
    ) -> None:  # fmt: skip
        super().__init__(config, replay, termination, device, priority)
        layout, sac, awac = replay.layout, config.sac, config.awac
        authors = awac.weighting == "softmax"
        self.noise = generator(self.seed, "awac", device=device)
        self.sampler = StratumSampler("uniform")
        self.core = Core(
            layout.obs_dim, layout.action_dim, hidden=sac.hidden, actor_hidden=sac.actor_hidden, actor_lr=sac.actor_lr,
            critic_lr=sac.critic_lr, actor_weight_decay=sac.actor_weight_decay, gamma=sac.gamma, tau=sac.tau,
            temperature=awac.temperature, softmax_weights=authors, weight_max=awac.weight_max, bounded=authors,
            batch=sac.batch, log_std_min=sac.log_std_min, log_std_max=sac.log_std_max, device=device,
            generator=generator(self.seed, "init", "awac", device=device),
        )  # fmt: skip
        if awac.normalize and replay.n_off:
            obs = replay.rows[: replay.n_off, layout.obs].double()
            self.core.normalize(obs.mean(0), obs.std(0, correction=0) + STD_FLOOR)
        self._batch = torch.zeros(sac.batch, layout.width, device=device)
        self._step = Captured(
            lambda: self.core.update(self._batch, self.noise),
            device=device, tensors=self.core.tensors().values(), generators=[self.noise],
        )  # fmt: skip

    def update(self) -> None:
        """One update on rows drawn uniformly from offline and online ones."""
        n_off, n_on = self.replay.n_off, self.replay.n_on
        index = self.sampler.draw(self._batch.shape[0], n_off, n_on, self.noise, self.device)
        self.replay.gather(index, out=self._batch)
        self._step()

    def metrics(self) -> dict[str, float]:
        return {**self.core.metrics(), "temperature": float("nan")}

    def act(self, obs: Tensor, step: int) -> Tensor:
        return self.core.act(obs, generator(self.seed, "act", step, device=self.device))

    def best(self, obs: Tensor) -> Tensor:
        return self.core.act(obs, None)

    def policy_module(self, low: Bounds, high: Bounds) -> torch.nn.Sequential:
        return self.core.policy_module(low, high)

    def begin_epoch(self, epoch: int) -> None:
        self.sampler.reset_counts()

    def share(self) -> dict[str, Any]:
        """Of the rows drawn, those of this epoch."""
        return {**super().share(), "p_off_sampled": self.sampler.sampled_p_off()}

    def state_dict(self) -> dict[str, Any]:
        """Observations' mean and standard deviation are the core's."""
        return {
            "awac": self.core.state_dict(), "noise": self.noise.get_state(), "sampler": self.sampler.state_dict()
        }  # fmt: skip

    def load_state_dict(self, state: dict[str, Any], *, online: bool, branch: bool = False) -> None:
        self.online = online
        self.load_policy(state)
        self.noise.set_state(state["noise"])
        self.sampler.load_state_dict(state["sampler"])

    def load_policy(self, state: dict[str, Any]) -> None:
        self.core.load_state_dict(state["awac"])
