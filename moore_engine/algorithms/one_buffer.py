"""An algorithm without models that draws offline and online rows uniformly from one buffer: all but its update."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Protocol

import torch
from torch import Tensor

from moore_engine.algorithms.base import Algorithm
from moore_engine.capture import Captured
from moore_engine.nn.tanh_gaussian import Bounds
from moore_engine.samplers import StratumSampler
from moore_engine.streams import generator


class Learner(Protocol):
    """Policy, critics and their optimisers on static memory, as moore_engine/awac.py and cql.py say of each method."""

    def update(self, batch: Tensor, generator: torch.Generator) -> None: ...
    def act(self, obs: Tensor, generator: torch.Generator | None) -> Tensor: ...
    def metrics(self) -> dict[str, float]: ...
    def tensors(self) -> dict[str, Tensor]: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any]) -> None: ...
    def policy_module(self, low: Bounds, high: Bounds) -> torch.nn.Sequential: ...


class OneBuffer(Algorithm):
    """`core` makes the same update in both stages; a subclass makes it in `make_core` and gives its `part`."""

    part: str
    """Names the core's random streams, and its entry in a checkpoint."""
    core: Learner

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.noise = generator(self.seed, self.part, device=self.device)
        self.sampler = StratumSampler("uniform")
        self.core = self.make_core(generator(self.seed, "init", self.part, device=self.device))
        self._batch = torch.zeros(self.config.sac.batch, self.replay.layout.width, device=self.device)
        self._step: Captured | None = None

    @abstractmethod
    def make_core(self, draws: torch.Generator) -> Learner:
        """The core of this configuration; `draws` draws its initial weights."""

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
        """The core's."""
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

    def state_dict(self) -> dict[str, Any]:
        return {
            self.part: self.core.state_dict(), "noise": self.noise.get_state(), "sampler": self.sampler.state_dict()
        }  # fmt: skip

    def load_state_dict(self, state: dict[str, Any], *, online: bool, branch: bool = False) -> None:
        self.online = online
        self.load_policy(state)
        self.noise.set_state(state["noise"])
        self.sampler.load_state_dict(state["sampler"])

    def load_policy(self, state: dict[str, Any]) -> None:
        self.core.load_state_dict(state[self.part])
