"""SAC with any number of critics, a random subset of them in the target, and layer norm inside them.

    y    = r + gamma (1 - terminal) (min over i in M of Qtarget_i(s', a') - temperature log pi(a'|s')),
           M drawn anew at every update: `subset` of the `critics`, without replacement
    J_pi = mean temperature log pi(a~|s) - mean over all i of Q_i(s, a~)

(REDQ: Chen et al. 2021, 2101.05982, Algorithm 1; with `layer_norm`, RLPD: Ball et al. 2023, 2302.02948.) Two critics
that are both in the target keep SAC's minimum in J_pi. All else is SAC's, one step of the actor to each of the critics.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from moore_engine.nn.q_ensemble import QEnsemble, StackBackward, StackScratch, StackTape
from moore_engine.sac import SAC


def soft_actor_critic(
    obs_dim: int, action_dim: int, *, critics: int = 2, subset: int = 2, layer_norm: bool = False, **options: Any
) -> SAC:
    """SAC itself where the options ask for no more than two plain critics, else EnsembleSAC."""
    if critics == subset == 2 and not layer_norm:
        return SAC(obs_dim, action_dim, **options)
    return EnsembleSAC(obs_dim, action_dim, critics=critics, subset=subset, layer_norm=layer_norm, **options)


CPU_GROUP = 1
"""Critics at a time: one, whose activations stay in a core's cache; a GPU takes them all."""


class EnsembleSAC(SAC):
    """SAC's arguments, and `critics` >= `subset` >= 1 and `layer_norm`; raises ValueError on others."""

    def __init__(
        self, obs_dim: int, action_dim: int, *, critics: int = 2, subset: int = 2, layer_norm: bool = False,
        **options: Any,
    ) -> None:  # fmt: skip
        if not 1 <= subset <= critics:
            raise ValueError(f"subset must be from 1 to the number of critics, {critics}, got {subset}")
        self.critics, self.subset, self.layer_norm = critics, subset, layer_norm
        self.minimum = critics == subset == 2
        super().__init__(obs_dim, action_dim, **options)

    @torch.inference_mode()
    def update(self, batch: Tensor, generator: torch.Generator) -> None:
        """SAC's; `generator` draws the subset first, unless it is all critics."""
        if self.subset < self.critics:
            self.places.uniform_(generator=generator)
            torch.topk(self.places, self.subset, out=(self.highest, self.index))
        super().update(batch, generator)

    def _make_critics(self, hidden: Sequence[int], like: Tensor) -> QEnsemble:
        self.group = CPU_GROUP if like.device.type == "cpu" else self.critics
        self.ensemble = QEnsemble(
            self.obs_dim, self.action_dim, hidden, like,
            critics=self.critics, subset=self.subset, layer_norm=self.layer_norm, group=self.group,
        )  # fmt: skip
        return self.ensemble

    def _allocate_critics(self, like: Tensor) -> None:
        """Static memory; the targets' tape and the backward passes' scratch serve one group after the other."""
        size, critics, subset = self.batch, self.critics, self.subset
        self.places, self.highest = like.new_zeros(critics), like.new_zeros(subset)
        self.index = torch.arange(subset, device=like.device)
        self.subset_values, self.all_values = like.new_zeros(subset, 1, size), like.new_zeros(critics, 1, 2 * size)
        self.all_errors, self.all_residuals = torch.zeros_like(self.all_values), like.new_zeros(critics, 1, size)
        self.all_data_values, self.all_policy_values = self.all_values.split(size, 2)
        self.all_data_errors, self.all_policy_errors = self.all_errors.split(size, 2)
        self.all_policy_errors.fill_(-1.0 / (critics * size))
        self.all_dactions = like.new_zeros(critics, self.action_dim, size)
        self.squares, self.row = torch.zeros_like(self.all_residuals), like.new_zeros(1, size)

        def tape(networks: int, columns: int) -> StackTape:
            return StackTape(networks, self.q.sizes[1:-1], columns, self.layer_norm, like)

        q, group = self.ensemble, self.group
        shared = tape(min(group, subset), size)
        self.target_forwards = [
            (stack, shared.narrowed(len(stack.nets)), values)
            for stack, values in zip(q.picked, self.subset_values.split(group), strict=True)
        ]
        self.forwards = [
            (stack, tape(len(stack.nets), 2 * size), values)
            for stack, values in zip(q.stacks, self.all_values.split(group), strict=True)
        ]
        scratch = StackScratch(self.forwards[0][1])
        self.backwards = [
            StackBackward(stack, grads, tape, self.q_inputs, errors, scratch.narrowed(len(stack.nets)), fit=size)
            for (stack, tape, _), grads, errors in zip(
                self.forwards, q.grad_stacks, self.all_errors.split(group), strict=True
            )
        ]
        self.dactions_of = [
            (back.stack.weights[0][:, 1 + self.obs_dim :], back.errors[0][:, :, size:], daction)
            for back, daction in zip(self.backwards, self.all_dactions.split(group), strict=True)
        ]

    def _lowest_target(self) -> None:
        self.ensemble.pick(self.index)
        for stack, tape, values in self.target_forwards:
            stack.forward(self.target_inputs, tape, values)
        torch.amin(self.subset_values, 0, out=self.y)

    def _critic_gradients(self) -> None:
        """dJ_Q at the critics' parameters, and through them -d (mean or minimum of Q(s, a~)) / d a~ into `daction`."""
        for stack, tape, values in self.forwards:
            stack.forward(self.q_inputs, tape, values)
        torch.sub(self.all_data_values, self.y, out=self.all_residuals)
        torch.mul(self.all_residuals, self.share, out=self.all_data_errors)
        if self.minimum:
            torch.minimum(*self.all_policy_values, out=self.policy_q)
            torch.le(*self.all_policy_values, out=self.all_policy_errors[0])
            self.all_policy_errors[0].mul_(self.minus_share)
            torch.sub(self.minus_share, self.all_policy_errors[0], out=self.all_policy_errors[1])
        else:
            torch.mean(self.all_policy_values, 0, out=self.policy_q)
        for back, (weights, errors, daction) in zip(self.backwards, self.dactions_of, strict=True):
            back()
            torch.bmm(weights, errors, out=daction)
        torch.sum(self.all_dactions, 0, out=self.daction)

    def _measure_critics(self) -> None:
        torch.mul(self.all_residuals, self.all_residuals, out=self.squares)
        self.sums["q"].add_(torch.sum(self.squares, 0, out=self.row))
        self.sums["q_mean"].add_(torch.mean(self.all_data_values, 0, out=self.row))
