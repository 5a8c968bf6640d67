"""Balanced Replay (Lee et al. 2021, arXiv 2107.00591): independent CQL agents offline, their ensemble online.

Online, rows are drawn by priorities that follow the density ratio of online to offline rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from moore_engine.algorithms.base import Algorithm
from moore_engine.algorithms.sac_options import sac_options
from moore_engine.balanced import PessimisticEnsemble
from moore_engine.balanced_rows import BalancedRows
from moore_engine.capture import Captured
from moore_engine.cql import CQL
from moore_engine.density_ratio import DensityRatio
from moore_engine.nn.tanh_gaussian import Bounds
from moore_engine.streams import generator

if TYPE_CHECKING:
    from moore_engine.config import Config


class BalancedReplay(Algorithm):
    """Offline one update is one of each agent, on a batch and noise of its own; online it is one of the ensemble.

    Both stages evaluate the agents' common policy, so that nothing jumps at the switch.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        layout, device = self.replay.layout, self.device
        sac, cql, balanced = self.config.sac, self.config.cql, self.config.balanced
        sizes, options = (layout.obs_dim, layout.action_dim), {**sac_options(sac, layout.action_dim), "device": device}
        self.agents = [
            CQL(
                *sizes, weight=cql.weight, actions=cql.actions,
                generator=generator(self.seed, "init", "sac", k, device=device), **options,
            )
            for k in range(balanced.agents)
        ]  # fmt: skip
        self.draws = [generator(self.seed, "sac", k, device=device) for k in range(balanced.agents)]
        self.noise = generator(self.seed, "sac", device=device)
        # online the authors have one rate for all; the actor's and the temperature's own are the offline ones
        options |= {"actor_lr": sac.critic_lr, "temperature_lr": sac.critic_lr}
        self.ensemble = PessimisticEnsemble(*sizes, members=balanced.agents, **options)
        self.ratio = DensityRatio(
            sum(sizes), hidden=balanced.ratio_hidden, lr=balanced.ratio_lr,
            temperature=balanced.ratio_temperature, batch=sac.batch, drawn=sac.batch, device=device,
            generator=generator(self.seed, "init", "ratio", device=device),
        )  # fmt: skip
        self.rows = BalancedRows(self.replay, fraction=balanced.fraction, arrivals=self.config.online.update_every)
        self._batches = torch.zeros(balanced.agents, sac.batch, layout.width, device=device)
        self._step: Captured | None = None

    def update(self) -> None:
        if self.online:
            self.rows.enter()
        else:
            for batch, draws in zip(self._batches, self.draws, strict=True):
                index = torch.randint(self.replay.n_off, (batch.shape[0],), device=self.device, generator=draws)
                self.replay.gather(index, out=batch)
        if self._step is None:
            self._step = self._captured()
        self._step()

    def updates_due(self, epoch: int) -> int:
        """The first epoch's block has `first_epoch` times the others' updates."""
        return super().updates_due(epoch) * (self.config.balanced.first_epoch if epoch == 1 else 1)

    def metrics(self) -> dict[str, float]:
        """Offline the agents' means; `ratio` is the density ratio's loss."""
        if self.online:
            return self.ensemble.metrics() | self.ratio.metrics()
        each = [agent.metrics() for agent in self.agents]
        return {name: sum(facts[name] for facts in each) / len(each) for name in each[0]} | {"ratio": float("nan")}

    def act(self, obs: Tensor, step: int) -> Tensor:
        return self.ensemble.act(obs, generator(self.seed, "act", step, device=self.device))

    def best(self, obs: Tensor) -> Tensor:
        self._match()
        return self.ensemble.act(obs, None)

    def policy_module(self, low: Bounds, high: Bounds) -> torch.nn.Sequential:
        self._match()
        return self.ensemble.policy.module(low, high)

    def go_online(self) -> None:
        """The agents become the ensemble; offline rows have priority 1."""
        super().go_online()
        self.ensemble.adopt(self.agents)
        self.agents.clear()
        self._step = None

    def begin_epoch(self, epoch: int) -> None:
        self.rows.begin_epoch()

    def configure(self, config: Config) -> None:
        super().configure(config)
        if self.rows.reserve():
            self._step = None

    def share(self) -> dict[str, Any]:
        """`shift` and what was drawn count from the epoch's beginning, which is the event before."""
        if not self.online:
            return super().share()
        self.rows.enter()
        return self.rows.share()

    def state_dict(self) -> dict[str, Any]:
        """Offline the agents, online the ensemble, its density ratio and the priorities."""
        if not self.online:
            agents = {str(k): agent.state_dict() for k, agent in enumerate(self.agents)}
            return {"agents": agents, "noise": {str(k): draws.get_state() for k, draws in enumerate(self.draws)}}
        return {
            "ensemble": self.ensemble.state_dict(), "ratio": self.ratio.state_dict(),
            "priorities": self.rows.state_dict(), "noise": self.noise.get_state(),
        }  # fmt: skip

    def load_state_dict(self, state: dict[str, Any], *, online: bool, branch: bool = False) -> None:
        self.online, self._step = online, None
        self.load_policy(state)
        if online:
            self.ratio.load_state_dict(state["ratio"])
            self.rows.load_state_dict(state["priorities"])
            self.noise.set_state(state["noise"])
        else:
            for k, draws in enumerate(self.draws):
                draws.set_state(state["noise"][str(k)])

    def load_policy(self, state: dict[str, Any]) -> None:
        if "ensemble" in state:
            self.agents.clear()
            self.ensemble.load_state_dict(state["ensemble"])
        for k, agent in enumerate(self.agents):
            agent.load_state_dict(state["agents"][str(k)])

    def _match(self) -> None:
        """Offline the common policy follows the agents."""
        for row, agent in zip(self.ensemble.policy.params, self.agents, strict=False):
            row.copy_(agent.policy.params)

    def _captured(self) -> Captured:
        """This stage's update."""
        if self.online:
            changed = [*self.rows.tensors(), *self.ensemble.tensors().values(), *self.ratio.tensors().values()]
            return Captured(self._update_online, device=self.device, tensors=changed, generators=[self.noise])
        changed = [tensor for agent in self.agents for tensor in agent.tensors().values()]
        return Captured(self._update_offline, device=self.device, tensors=changed, generators=self.draws)

    def _update_offline(self) -> None:
        for agent, batch, draws in zip(self.agents, self._batches, self.draws, strict=True):
            agent.update(batch, draws)

    def _update_online(self) -> None:
        """The density ratio, the drawn rows' priorities by it, and the ensemble on those rows."""
        pair, batch = slice(0, self.ensemble.obs_dim + self.ensemble.action_dim), self._batches[0]
        index = self.rows.draw(batch.shape[0], self.noise)
        self.replay.gather(index, out=batch)
        off, on = (self.replay.gather(rows)[:, pair] for rows in self.rows.strata(batch.shape[0], self.noise))
        self.rows.set_priority(index, self.ratio.update(off, on, batch[:, pair]))
        self.ensemble.update(batch, self.noise)
