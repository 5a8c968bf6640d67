"""CQL (Kumar et al. 2020, 2006.04779): conservative critics offline, then fine-tuning on offline and online rows alike.

One buffer drawn uniformly; the update itself stands in moore_engine/cql.py. Online, with `cql.online_weight` 0, it is
plain SAC at one rate, the critics', as Balanced Replay fine-tunes; with another weight CQL at its own (CORL).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from moore_engine.algorithms.base import Algorithm
from moore_engine.buffers import ReplayTable
from moore_engine.capture import Captured
from moore_engine.cql import CQL as Core
from moore_engine.nn.tanh_gaussian import Bounds
from moore_engine.rollout import Termination
from moore_engine.row_sampler import Priority
from moore_engine.samplers import StratumSampler
from moore_engine.streams import generator

if TYPE_CHECKING:
    from moore_engine.config import Config


class CQL(Algorithm):
    """The policy, critics, targets, temperature and moments of the offline stage all go on online."""

    def __init__(
        self, config: Config, replay: ReplayTable, termination: Termination, device: torch.device,
        priority: Priority | None = None,
    ) -> None:  # fmt: skip
        super().__init__(config, replay, termination, device, priority)
        layout, sac = replay.layout, config.sac
        target = float(-layout.action_dim if sac.target_entropy == "auto" else sac.target_entropy)
        self.noise = generator(self.seed, "sac", device=device)
        self.sampler = StratumSampler("uniform")
        self.core = Core(
            layout.obs_dim, layout.action_dim, weight=config.cql.weight, actions=config.cql.actions, hidden=sac.hidden,
            actor_hidden=sac.actor_hidden, actor_lr=sac.actor_lr, critic_lr=sac.critic_lr,
            temperature_lr=sac.temperature_lr, gamma=sac.gamma, tau=sac.tau, target_entropy=target, batch=sac.batch,
            log_std_min=sac.log_std_min, log_std_max=sac.log_std_max, temperature_max=sac.temperature_max or None,
            device=device, generator=generator(self.seed, "init", "sac", device=device),
        )  # fmt: skip
        self._batch = torch.zeros(sac.batch, layout.width, device=device)
        self._step: Captured | None = None

    def update(self) -> None:
        """One update on rows drawn uniformly from offline and online ones."""
        n_off, n_on = self.replay.n_off, self.replay.n_on
        index = self.sampler.draw(self._batch.shape[0], n_off, n_on, self.noise, self.device)
        self.replay.gather(index, out=self._batch)
        if self._step is None:
            self._step = Captured(
                lambda: self.core.update(self._batch, self.noise),
                device=self.device, tensors=self.core.tensors().values(), generators=[self.noise],
            )  # fmt: skip
        self._step()

    def metrics(self) -> dict[str, float]:
        """SAC's, and `conservative`, see the core's."""
        return self.core.metrics()

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

    def go_online(self) -> None:
        super().go_online()
        self._enter(True)
        self._set_rates()

    def state_dict(self) -> dict[str, Any]:
        return {
            "sac": self.core.state_dict(), "noise": self.noise.get_state(), "sampler": self.sampler.state_dict()
        }  # fmt: skip

    def load_state_dict(self, state: dict[str, Any], *, online: bool, branch: bool = False) -> None:
        """A `branch` has its own online weight, and the rates that go with it."""
        self.online = online
        self._enter(online)
        self.load_policy(state)
        if online and branch:
            self._set_rates()
        self.noise.set_state(state["noise"])
        self.sampler.load_state_dict(state["sampler"])

    def load_policy(self, state: dict[str, Any]) -> None:
        self.core.load_state_dict(state["sac"])

    def _enter(self, online: bool) -> None:
        """Take the stage's weight; the update that was captured has another."""
        self.core.set_weight(self.config.cql.online_weight if online else self.config.cql.weight)
        self._step = None

    def _set_rates(self) -> None:
        sac, plain = self.config.sac, not self.config.cql.online_weight
        self.core.set_actor_lr(sac.critic_lr if plain else sac.actor_lr)
        self.core.temperature_adam.lr.fill_(sac.critic_lr if plain else sac.temperature_lr)
