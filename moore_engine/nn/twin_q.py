"""Two Q networks and their targets (clipped double Q, Fujimoto et al. 2018), each pair one flat parameter."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from moore_engine.nn.mlp import MLP


class TwinQ:
    """`nets` and `targets` are pairs of MLPs (obs, action) -> value, over the flat `params` and `target`."""

    def __init__(self, obs_dim: int, action_dim: int, hidden: Sequence[int], like: Tensor) -> None:
        self.sizes = (obs_dim + action_dim, *hidden, 1)
        count = 2 * MLP.numel(self.sizes)
        self.params, self.grads, self.target = (like.new_zeros(count) for _ in range(3))
        self.nets, self.grad_nets, self.targets = map(self._pair, (self.params, self.grads, self.target))

    def _pair(self, flat: Tensor) -> list[MLP]:
        return [MLP(self.sizes, half) for half in flat.chunk(2)]

    def init(self, generator: torch.Generator) -> None:
        """Draw the networks' weights."""
        for net in self.nets:
            net.init(generator)

    def sync(self) -> None:
        """Copy the networks into their targets."""
        self.target.copy_(self.params)

    def polyak(self, tau: float) -> None:
        """target <- (1 - tau) target + tau params."""
        self.target.lerp_(self.params, tau)
