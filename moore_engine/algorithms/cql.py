"""CQL (Kumar et al. 2020, 2006.04779): conservative critics offline, then fine-tuning on offline and online rows alike.

One buffer drawn uniformly; the update itself stands in moore_engine/cql.py. Online, with `cql.online_weight` 0, it is
plain SAC at one rate, the critics', as Balanced Replay fine-tunes; with another weight CQL at its own (CORL).
"""

from __future__ import annotations

from typing import Any

import torch

from moore_engine.algorithms.one_buffer import OneBuffer
from moore_engine.algorithms.sac_options import sac_options
from moore_engine.cql import CQL as Core


class CQL(OneBuffer):
    """The policy, critics, targets, temperature and moments of the offline stage all go on online."""

    part = "sac"
    core: Core

    def make_core(self, draws: torch.Generator) -> Core:
        layout, cql = self.replay.layout, self.config.cql
        return Core(
            layout.obs_dim, layout.action_dim, weight=cql.weight, actions=cql.actions, device=self.device,
            generator=draws, **sac_options(self.config.sac, layout.action_dim),
        )  # fmt: skip

    def go_online(self) -> None:
        super().go_online()
        self._enter(True)
        self._set_rates()

    def load_state_dict(self, state: dict[str, Any], *, online: bool, branch: bool = False) -> None:
        """A `branch` has its own online weight, and the rates that go with it."""
        self._enter(online)
        super().load_state_dict(state, online=online, branch=branch)
        if online and branch:
            self._set_rates()

    def _enter(self, online: bool) -> None:
        """Take the stage's weight; the update that was captured has another."""
        self.core.set_weight(self.config.cql.online_weight if online else self.config.cql.weight)
        self._step = None

    def _set_rates(self) -> None:
        sac, plain = self.config.sac, not self.config.cql.online_weight
        self.core.set_actor_lr(sac.critic_lr if plain else sac.actor_lr)
        self.core.temperature_adam.lr.fill_(sac.critic_lr if plain else sac.temperature_lr)
