"""The online agent of Balanced Replay (Lee et al. 2021, 2107.00591): M actors as one policy, M twin critics.

Soft actor-critic from M offline agents; all gradients at the same parameters, as in sac.py:

    y_i  = r + gamma (1 - terminal) (min(Q1~_i, Q2~_i)(s', a') - temperature log pi(a'|s')),   a' ~ pi(s')
    J_Q  = sum_i mean 1/2 (Q1_i(s, a) - y_i)^2 + 1/2 (Q2_i(s, a) - y_i)^2
    J_pi = mean temperature log pi(a~|s) - 1/M sum_i min(Q1_i, Q2_i)(s, a~),   a~ ~ pi(s) reparameterised
    J_T  = -log_temperature mean(log pi(a~|s) + target_entropy)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from moore_engine.nn.flat_adam import FlatAdam
from moore_engine.nn.matched_policy import Match, MatchBackward, MatchedPolicy
from moore_engine.nn.mlp import MLP
from moore_engine.nn.mlp_stack import MLPStack, StackBackward, StackTape
from moore_engine.nn.state import copies, restore
from moore_engine.sac import SAC

METRICS = ("q", "actor", "temperature", "entropy", "q_mean")


class PessimisticEnsemble:
    """Policy, critics, targets, temperature and their optimisers; `adopt` gives it the offline agents' networks.

    The options are SAC's. Its memory is static and no branch or shape depends on data, so a CUDA graph can hold an
    update. Raises ValueError on sizes or bounds without meaning.
    """

    def __init__(
        self, obs_dim: int, action_dim: int, *, members: int = 5, hidden: Sequence[int] = (256, 256),
        actor_hidden: Sequence[int] = (), actor_lr: float = 3e-4, critic_lr: float = 3e-4,
        temperature_lr: float = 3e-4, gamma: float = 0.99, tau: float = 0.005, target_entropy: float = -3.0,
        batch: int = 256, log_std_min: float = -20.0, log_std_max: float = 2.0, temperature_max: float | None = None,
        device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32,
    ) -> None:  # fmt: skip
        if min(obs_dim, action_dim, members, batch, *hidden, *actor_hidden) < 1 or not hidden:
            raise ValueError(f"sizes must be positive, got {obs_dim=} {action_dim=} {members=} {batch=} {hidden=}")
        self.obs_dim, self.action_dim, self.members, self.batch = obs_dim, action_dim, members, batch
        self.gamma, self.tau, self.target_entropy = gamma, tau, target_entropy
        self.log_temperature_max = math.inf if temperature_max is None else math.log(temperature_max)
        like = torch.zeros((), dtype=dtype, device=device)
        self.policy = MatchedPolicy(
            obs_dim, action_dim, actor_hidden or hidden, members=members, log_std_min=log_std_min,
            log_std_max=log_std_max, like=like,
        )  # fmt: skip
        sizes = (obs_dim + action_dim, *hidden, 1)
        flats = [like.new_zeros(2 * members, MLP.numel(sizes)) for _ in range(3)]
        self.q, self.q_grads, self.targets = (MLPStack(sizes, flat) for flat in flats)
        self.log_temperature, self.temperature_grad = like.new_zeros(()), like.new_zeros(())
        self.steps = torch.zeros((), dtype=torch.float32, device=device)
        self.adams = {
            "actor": FlatAdam(self.policy.params, self.policy.grads, self.steps, actor_lr),
            "critic": FlatAdam(self.q.flat, self.q_grads.flat, self.steps, critic_lr),
            "temperature": FlatAdam(self.log_temperature, self.temperature_grad, self.steps, temperature_lr),
        }
        self.sums, self.count = like.new_zeros(len(METRICS)), torch.zeros_like(self.steps)
        self._allocate(like)

    @torch.inference_mode()
    def adopt(self, agents: Sequence[SAC]) -> None:
        """Take each agent's actor and twin critics, and the critics as targets; temperature and moments start anew."""
        for actor, critics, agent in zip(self.policy.params, self.q.flat.unflatten(0, (-1, 2)), agents, strict=True):
            actor.copy_(agent.policy.params)
            critics.copy_(agent.q.params.view_as(critics))
        self.targets.flat.copy_(self.q.flat)

    @torch.inference_mode()
    def update(self, batch: Tensor, generator: torch.Generator) -> None:
        """One update from `batch` (batch, 2 obs_dim + action_dim + 2): obs | action | next_obs | reward | terminal."""
        self._load(batch)
        temperature = self.log_temperature.exp()
        self.match.forward()
        self.policy_actions.copy_(self.match.dist.sample(generator))
        log_prob, next_log_prob = self.match.dist.log_prob[0].chunk(2)
        residuals = self._residuals(batch[:, -2], batch[:, -1], temperature * next_log_prob)
        min_q = self._critic_gradients(residuals)
        self.policy_backward(self.daction, temperature / self.batch)
        torch.neg(log_prob.mean() + self.target_entropy, out=self.temperature_grad)
        self._measure(residuals, temperature, log_prob, min_q)
        self.steps.add_(1.0)
        for adam in self.adams.values():
            adam.step()
        self.log_temperature.clamp_(max=self.log_temperature_max)
        self.targets.flat.lerp_(self.q.flat, self.tau)

    def act(self, obs: Tensor, generator: torch.Generator | None) -> Tensor:
        """Actions (n, action_dim) in [-1, 1] for `obs` (n, obs_dim): samples, or tanh(mean) without a generator."""
        return self.policy.act(obs, generator)

    def metrics(self) -> dict[str, float]:
        """Means over the updates since the last call, of the members: losses, temperature, entropy in nats, Q(s, a)."""
        means = self.sums / self.count.clamp(min=1.0)
        self.sums.zero_()
        self.count.zero_()
        return dict(zip(METRICS, means.tolist(), strict=True))

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor that outlives an update, by name and not copied."""
        named = {"target": self.targets.flat, "steps": self.steps, "sums": self.sums, "count": self.count}
        for group, adam in self.adams.items():
            named |= {f"{group}_{name}": tensor for name, tensor in adam.tensors().items()}
        return named

    def state_dict(self) -> dict[str, Any]:
        """Copies of `tensors()`; loading them and going on is bit-equal to never having stopped."""
        return copies(self.tensors())

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a `state_dict()`, in place. Raises ValueError, and changes nothing, if a name or a shape differs."""
        restore(self.tensors(), state, "ensemble")

    def _allocate(self, like: Tensor) -> None:
        """Static memory. Columns of `inputs`, rows [1; obs; action]: (s, a), (s, a~), (s', a'), `batch` of each."""
        size, obs_rows, pairs, hidden = self.batch, 1 + self.obs_dim, 2 * self.members, self.q.sizes[1:-1]
        self.inputs = like.new_ones(obs_rows + self.action_dim, 3 * size)
        self.policy_actions = self.inputs[obs_rows:, size:]
        self.match = Match(self.policy, self.inputs[:obs_rows, size:])
        self.policy_backward = MatchBackward(self.match, size)
        self.q_tape, scratch = StackTape(pairs, hidden, 2 * size, like), StackTape(pairs, hidden, 2 * size, like)
        self.values, self.errors = (like.new_zeros(pairs, 1, 2 * size) for _ in range(2))
        self.target_tape, self.target_values = StackTape(pairs, hidden, size, like), like.new_zeros(pairs, 1, size)
        q_inputs = self.inputs[:, : 2 * size]
        self.q_backward = StackBackward(
            self.q, self.q_grads, self.q_tape, q_inputs, self.errors, scratch, fit=slice(0, size)
        )
        self.daction = like.new_zeros(self.action_dim, size)

    def _load(self, batch: Tensor) -> None:
        size, obs_dim, pair = self.batch, self.obs_dim, self.obs_dim + self.action_dim
        if batch.shape != (size, pair + obs_dim + 2):
            raise ValueError(f"batch must be {(size, pair + obs_dim + 2)}, got {tuple(batch.shape)}")
        self.inputs[1:, :size].copy_(batch[:, :pair].t())
        self.inputs[1 : 1 + obs_dim, size : 2 * size].copy_(batch[:, :obs_dim].t())
        self.inputs[1 : 1 + obs_dim, 2 * size :].copy_(batch[:, pair : pair + obs_dim].t())

    def _residuals(self, reward: Tensor, terminal: Tensor, penalty: Tensor) -> Tensor:
        """Q(s, a) - y (M, 2, batch); all Q at the data and the policy's actions are left in `values`."""
        self.targets.forward(self.inputs[:, 2 * self.batch :], self.target_tape, self.target_values)
        self.q.forward(self.inputs[:, : 2 * self.batch], self.q_tape, self.values)
        lowest = self.target_values.view(self.members, 2, -1).amin(1)
        self.y = reward + self.gamma * (1.0 - terminal) * (lowest - penalty)
        return self.values[..., : self.batch].view(self.members, 2, -1) - self.y.unsqueeze(1)

    def _critic_gradients(self, residuals: Tensor) -> Tensor:
        """dJ_Q at the critics' parameters, and through them d(-mean_i min Q_i)/da~ into `daction`; mean_i min Q_i."""
        at_data, at_policy = self.errors.view(self.members, 2, -1).split(self.batch, 2)
        torch.div(residuals, self.batch, out=at_data)
        first, second = self.values[..., self.batch :].view(self.members, 2, -1).unbind(1)
        torch.le(first, second, out=at_policy[:, 0])
        at_policy[:, 0].mul_(-1.0 / (self.members * self.batch))
        torch.sub(-1.0 / (self.members * self.batch), at_policy[:, 0], out=at_policy[:, 1])
        self.q_backward()
        weight, hidden = self.q.weights[0][:, 1 + self.obs_dim :], self.q_backward.errors[0][..., self.batch :]
        torch.sum(torch.bmm(weight, hidden), 0, out=self.daction)
        return torch.minimum(first, second).mean(0)

    def _measure(self, residuals: Tensor, temperature: Tensor, log_prob: Tensor, min_q: Tensor) -> None:
        """Add this update to the sums behind `metrics()`."""
        q_mean = self.values[..., : self.batch].mean()
        actor = (temperature * log_prob - min_q).mean()
        self.sums.add_(torch.stack([residuals.square().mean(), actor, temperature, -log_prob.mean(), q_mean]))
        self.count.add_(1.0)
