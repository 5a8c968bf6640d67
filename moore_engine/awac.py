"""Advantage-weighted actor-critic (AWAC; Nair et al. 2020, 2006.09359, Algorithm 1).

One update, all gradients at the same parameters, on static memory and without a data-dependent branch or shape:

    y    = r + gamma (1 - terminal) min_i Qtarget_i(s', a'),   a' ~ pi(s')
    J_Q  = sum_i mean (Q_i(s, a) - y)^2
    A    = min_i Q_i(s, a) - min_i Q_i(s, a~),   a~ ~ pi(s)
    w    = min(exp(A / temperature), weight_max), or batch * softmax over the batch of A / temperature
    J_pi = -mean w log pi(a|s), w held fixed
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from moore_engine.nn.flat_adam import FlatAdam
from moore_engine.nn.gaussian import GaussianPolicy, LogProbBackward
from moore_engine.nn.mlp import Affine, Backward, Tape
from moore_engine.nn.state import copies, means, restore
from moore_engine.nn.tanh_gaussian import Bounds
from moore_engine.nn.twin_q import TwinQ

CPU_CHUNK, DEVICE_CHUNK = 512, 65536
softmax = torch.ops.aten._softmax.out


class AWAC:
    """Policy, twin Q, targets and their optimisers; `generator` draws the initial weights.

    `softmax_weights` and `tanh_mean` (see GaussianPolicy) make the authors' form, neither CORL's. `hidden` are the
    critics' widths and, unless `actor_hidden` has some, the policy's. Networks see (obs - `obs_mean`) / `obs_std`, 0
    and 1 until `normalize`. Raises ValueError on sizes or bounds without meaning.
    """

    def __init__(
        self,
        obs_dim: int,
        action_dim: int,
        *,
        hidden: Sequence[int] = (256, 256, 256),
        actor_hidden: Sequence[int] = (),
        actor_lr: float = 3e-4,
        critic_lr: float = 3e-4,
        actor_weight_decay: float = 0.0,
        gamma: float = 0.99,
        tau: float = 0.005,
        temperature: float = 1 / 3,
        softmax_weights: bool = False,
        weight_max: float = 100.0,
        tanh_mean: bool = False,
        batch: int = 256,
        log_std_min: float = -20.0,
        log_std_max: float = 2.0,
        device: torch.device | str = "cpu",
        generator: torch.Generator,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        if min(obs_dim, action_dim, batch, *hidden, *actor_hidden) < 1 or not hidden:
            raise ValueError(f"sizes must be positive, got {obs_dim=} {action_dim=} {batch=} {hidden=} {actor_hidden=}")
        if not (temperature > 0 and weight_max > 0):
            raise ValueError(f"temperature and weight_max must be positive, got {temperature} and {weight_max}")
        self.obs_dim, self.action_dim, self.batch = obs_dim, action_dim, batch
        self.batch_shape = (batch, 2 * obs_dim + action_dim + 2)
        self.gamma, self.tau, self.softmax_weights = gamma, tau, softmax_weights
        self.temperature, self.log_weight_max = temperature, math.log(weight_max)
        like = torch.zeros((), dtype=dtype, device=device)
        self.policy = GaussianPolicy(
            obs_dim, action_dim, actor_hidden or hidden, log_std_min=log_std_min, log_std_max=log_std_max,
            tanh_mean=tanh_mean, like=like, chunk=CPU_CHUNK if like.device.type == "cpu" else DEVICE_CHUNK,
        )  # fmt: skip
        self.q = TwinQ(obs_dim, action_dim, hidden, like)
        for net in (self.policy.net, *self.q.nets):
            net.init(generator)
        self.q.sync()
        self.obs_mean, self.obs_std = like.new_zeros(obs_dim, 1, 1), like.new_ones(obs_dim, 1, 1)
        self.steps = torch.zeros((), dtype=torch.float32, device=device)
        self.actor_adam = FlatAdam(
            self.policy.params, self.policy.grads, self.steps, actor_lr, weight_decay=actor_weight_decay
        )
        self.critic_adam = FlatAdam(self.q.params, self.q.grads, self.steps, critic_lr)
        self._allocate(like)

    def normalize(self, mean: Tensor, std: Tensor) -> None:
        """Standardise observations by `mean` and `std` (obs_dim,) from now on; `std` must be positive."""
        self.obs_mean.copy_(mean.view(-1, 1, 1))
        self.obs_std.copy_(std.view(-1, 1, 1))

    @torch.inference_mode()
    def update(self, batch: Tensor, generator: torch.Generator) -> None:
        """One update from `batch` (batch, 2 obs_dim + action_dim + 2): obs | action | next_obs | reward | terminal.

        In place, and the same kernels every time, so a CUDA graph can hold it. Raises ValueError on another shape.
        """
        if batch.shape != self.batch_shape:
            raise ValueError(f"batch must be {self.batch_shape}, got {tuple(batch.shape)}")
        self._load(batch)
        self.policy.spread()
        self.policy.net.forward(self.policy_inputs, self.policy_tape, self.dist.head)
        self.policy_actions.copy_(self.dist.sample(generator))
        self._target(batch)
        self._critic_gradients()
        self._weigh()
        self.log_prob_backward(self.data_actions, self.weight_shares)
        self.policy_backward()
        self.steps.add_(self.one)
        self.critic_adam.step()
        self.actor_adam.step()
        self.q.polyak(self.tau)
        self._measure()

    def act(self, obs: Tensor, generator: torch.Generator | None) -> Tensor:
        """Actions (n, action_dim) in [-1, 1] for `obs` (n, obs_dim): samples, or the clamped mean if no generator."""
        return self.policy.act((obs - self.obs_mean.view(-1)) / self.obs_std.view(-1), generator)

    def set_actor_lr(self, lr: float) -> None:
        """Set the actor's rate from the next update on; the moments stay."""
        self.actor_adam.lr.fill_(lr)

    def metrics(self) -> dict[str, float]:
        """Means over the updates since the last call: losses, entropy in nats, mean Q(s, a), advantage, and the share
        of weights at their clamp."""
        return means(self.sums, self.count)

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor that outlives an update, by name and not copied."""
        named = {"target": self.q.target, "steps": self.steps, "count": self.count}
        named |= {"obs_mean": self.obs_mean, "obs_std": self.obs_std}
        named |= {f"sum_{name}": tensor for name, tensor in self.sums.items()}
        for group, adam in {"actor": self.actor_adam, "critic": self.critic_adam}.items():
            named |= {f"{group}_{name}": tensor for name, tensor in adam.tensors().items()}
        return named

    def state_dict(self) -> dict[str, Any]:
        """Copies of `tensors()`; loading them and going on is bit-equal to never having stopped."""
        return copies(self.tensors())

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a `state_dict()`, in place. Raises ValueError, and changes nothing, if a name or a shape differs."""
        restore(self.tensors(), state, "AWAC")

    def policy_module(self, low: Bounds, high: Bounds) -> torch.nn.Sequential:
        """A module of its own on the CPU: obs (n, obs_dim) -> the mean, scaled to [low, high] (n, action_dim)."""
        mean, std = self.obs_mean.view(-1).cpu(), self.obs_std.view(-1).cpu()
        layers = [Affine(-mean / std, 1 / std), *self.policy.module(low, high)]
        return torch.nn.Sequential(*layers).requires_grad_(False)

    def _allocate(self, like: Tensor) -> None:
        """Static memory. Columns of `inputs`, rows [1; obs; action]: (s, a), (s, a~), (s', a'), `batch` of each."""
        size, obs_rows = self.batch, 1 + self.obs_dim
        first, both = slice(0, size), slice(0, 2 * size)
        self.inputs = like.new_ones(obs_rows + self.action_dim, 3 * size)
        self.data_obs, self.data_actions = self.inputs[1:obs_rows, first], self.inputs[obs_rows:, first]
        self.obs_inputs = self.inputs[1:obs_rows, size:].unflatten(1, (2, size))
        self.policy_inputs, self.policy_actions = self.inputs[:obs_rows, size:], self.inputs[obs_rows:, size:]
        self.q_inputs, self.target_inputs = self.inputs[:, both], self.inputs[:, 2 * size :]

        widths, actor_widths = self.q.sizes[1:-1], self.policy.sizes[1:-1]
        self.target_tape, *self.q_tapes, q_scratch = (Tape(widths, n * size, like) for n in (1, 2, 2, 1))
        self.policy_tape, policy_scratch = (Tape(actor_widths, n * size, like) for n in (2, 1))
        self.target_values, self.values, self.errors = (
            [like.new_zeros(1, n * size) for _ in range(2)] for n in (1, 2, 1)
        )
        self.data_values, self.policy_values = zip(*(value.split(size, 1) for value in self.values), strict=True)
        self.q_backwards = [
            Backward(net, grads, tape, self.q_inputs, error, q_scratch, back=first)
            for net, grads, tape, error in zip(self.q.nets, self.q.grad_nets, self.q_tapes, self.errors, strict=True)
        ]
        self.dist = self.policy.dist(2 * size)
        self.log_prob_backward = LogProbBackward(self.policy, self.dist, size)
        self.policy_backward = Backward(
            self.policy.net, self.policy.grad_net, self.policy_tape, self.policy_inputs, self.log_prob_backward.dhead,
            policy_scratch, back=first,
        )  # fmt: skip

        self.y, self.discount, self.advantage, self.policy_q = (like.new_zeros(1, size) for _ in range(4))
        self.weights, self.weight_shares, self.capped = (like.new_zeros(1, size) for _ in range(3))
        self.residuals = [like.new_zeros(1, size) for _ in range(2)]
        self.gammas = like.new_full((1, size), self.gamma)
        self.half_log_2pi_e = 0.5 * math.log(2 * math.pi * math.e)
        self.sums = {name: like.new_zeros(1, size) for name in ("q", "actor", "q_mean", "advantage", "capped")}
        self.sums["entropy"] = like.new_zeros(1, 1)
        self.entropy = like.new_zeros(1, 1)
        self.count, self.one = torch.zeros_like(self.steps), torch.ones_like(self.steps)

    def _load(self, batch: Tensor) -> None:
        """Copy action into the first block of columns, the standardised obs into the first two, next_obs into the
        third."""
        pair = self.obs_dim + self.action_dim
        self.data_actions.copy_(batch[:, self.obs_dim : pair].t())
        windows = batch[:, : pair + self.obs_dim].unfold(1, self.obs_dim, pair)  # (batch, 2, obs_dim)
        torch.sub(windows.permute(2, 1, 0), self.obs_mean, out=self.obs_inputs)
        self.obs_inputs.div_(self.obs_std)
        self.data_obs.copy_(self.obs_inputs[:, 0])

    def _target(self, batch: Tensor) -> None:
        """y of every row, from the target networks and the current policy."""
        reward, terminal = batch[:, -2:-1].t(), batch[:, -1:].t()
        for net, value in zip(self.q.targets, self.target_values, strict=True):
            net.forward(self.target_inputs, self.target_tape, value)
        torch.minimum(*self.target_values, out=self.y)
        torch.sub(self.gammas, terminal, alpha=self.gamma, out=self.discount)
        torch.addcmul(reward, self.discount, self.y, out=self.y)

    def _critic_gradients(self) -> None:
        """Q(s, a) and Q(s, a~) as one product each, and dJ_Q at the critics' parameters."""
        for net, tape, value in zip(self.q.nets, self.q_tapes, self.values, strict=True):
            net.forward(self.q_inputs, tape, value)
        for back, value, residual, error in zip(
            self.q_backwards, self.data_values, self.residuals, self.errors, strict=True
        ):
            torch.sub(value, self.y, out=residual)
            torch.mul(residual, 2.0 / self.batch, out=error)
            back()

    def _weigh(self) -> None:
        """The advantages, the weights and their shares of the mean."""
        torch.minimum(*self.data_values, out=self.advantage)
        torch.minimum(*self.policy_values, out=self.policy_q)
        self.advantage.sub_(self.policy_q)
        torch.div(self.advantage, self.temperature, out=self.weights)
        if self.softmax_weights:
            softmax(self.weights, 1, False, out=self.weight_shares)
            torch.mul(self.weight_shares, self.batch, out=self.weights)
        else:
            torch.ge(self.weights, self.log_weight_max, out=self.capped)
            self.weights.clamp_(max=self.log_weight_max).exp_()  # clamped before exp, which would overflow
            torch.div(self.weights, self.batch, out=self.weight_shares)

    def _measure(self) -> None:
        """Add this update to the sums behind `metrics()`, column by column."""
        sums = self.sums
        for residual, value in zip(self.residuals, self.data_values, strict=True):
            sums["q"].addcmul_(residual, residual)
            sums["q_mean"].add_(value, alpha=0.5)
        sums["actor"].addcmul_(self.weights, self.log_prob_backward.log_prob, value=-1.0)
        sums["advantage"].add_(self.advantage)
        sums["capped"].add_(self.capped)
        torch.sum(self.policy.log_std, 0, keepdim=True, out=self.entropy)
        sums["entropy"].add_(self.entropy).add_(self.action_dim * self.half_log_2pi_e)
        self.count.add_(self.one)
