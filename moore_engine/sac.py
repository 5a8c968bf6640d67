"""Soft actor-critic (Haarnoja et al. 2018, 1812.05905) with a learned temperature, as MOPO's code runs it.

One update, all gradients at the same parameters (the official code hands every train op to one session.run, so its
actor does not wait for the critics' step either), on static memory and without a data-dependent branch or shape:

    y   = r + gamma (1 - terminal) (min_i Qtarget_i(s', a') - temperature log pi(a'|s')),   a' ~ pi(s')
    J_Q = sum_i mean 1/2 (Q_i(s, a) - y)^2
    J_pi = mean temperature log pi(a~|s) - min_i Q_i(s, a~),   a~ ~ pi(s) reparameterised
    J_T = -log_temperature mean(log pi(a~|s) + target_entropy)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from moore_engine.nn.flat_adam import FlatAdam
from moore_engine.nn.mlp import Backward, Tape
from moore_engine.nn.state import copies, means, restore
from moore_engine.nn.tanh_gaussian import Bounds, Policy, TanhGaussianBackward, mean_module
from moore_engine.nn.twin_q import TwinQ

CPU_CHUNK, DEVICE_CHUNK = 512, 65536


class SAC:
    """Policy, twin Q, targets, temperature and their optimisers; `generator` draws the initial weights.

    Rates are per update, `target_entropy` in nats. The temperature starts at 1 and stays <= `temperature_max` if given.
    `actor_hidden` are the policy's widths, `hidden` if empty. Raises ValueError on sizes or bounds without meaning.
    """

    def __init__(
        self,
        obs_dim: int,
        action_dim: int,
        *,
        hidden: Sequence[int] = (256, 256),
        actor_hidden: Sequence[int] = (),
        actor_lr: float = 3e-4,
        critic_lr: float = 3e-4,
        temperature_lr: float = 3e-4,
        gamma: float = 0.99,
        tau: float = 0.005,
        target_entropy: float = -3.0,
        batch: int = 256,
        log_std_min: float = -20.0,
        log_std_max: float = 2.0,
        temperature_max: float | None = None,
        device: torch.device | str = "cpu",
        generator: torch.Generator,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        if min(obs_dim, action_dim, batch, *hidden, *actor_hidden) < 1 or not hidden:
            raise ValueError(f"sizes must be positive, got {obs_dim=} {action_dim=} {batch=} {hidden=}")
        if temperature_max is not None and temperature_max <= 0:
            raise ValueError(f"temperature_max must be positive, got {temperature_max}")
        self.obs_dim, self.action_dim, self.batch = obs_dim, action_dim, batch
        self.batch_shape = (batch, 2 * obs_dim + action_dim + 2)
        self.gamma, self.tau, self.target_entropy = gamma, tau, target_entropy
        self.log_temperature_max = None if temperature_max is None else math.log(temperature_max)
        like = torch.zeros((), dtype=dtype, device=device)
        actor, chunk = actor_hidden or hidden, CPU_CHUNK if like.device.type == "cpu" else DEVICE_CHUNK
        self.policy = Policy(
            obs_dim, action_dim, actor, log_std_min=log_std_min, log_std_max=log_std_max, like=like, chunk=chunk
        )
        self.q = self._make_critics(hidden, like)
        self.policy.net.init(generator)
        self.q.init(generator)
        self.q.sync()
        self.log_temperature, self.temperature_grad = like.new_zeros(1, 1), like.new_zeros(1, 1)
        self.steps = torch.zeros((), dtype=torch.float32, device=device)
        self.actor_adam = FlatAdam(self.policy.params, self.policy.grads, self.steps, actor_lr)
        self.critic_adam = FlatAdam(self.q.params, self.q.grads, self.steps, critic_lr)
        self.temperature_adam = FlatAdam(self.log_temperature, self.temperature_grad, self.steps, temperature_lr)
        self._allocate(like)

    @torch.inference_mode()
    def update(self, batch: Tensor, generator: torch.Generator) -> None:
        """One update from `batch` (batch, 2 obs_dim + action_dim + 2): obs | action | next_obs | reward | terminal.

        In place, and the same kernels every time, so a CUDA graph can hold it. Raises ValueError on another shape.
        """
        if batch.shape != self.batch_shape:
            raise ValueError(f"batch must be {self.batch_shape}, got {tuple(batch.shape)}")
        self._load(batch)
        torch.exp(self.log_temperature, out=self.temperature)
        torch.mul(self.temperature, self.scales, out=self.scaled_temperature)
        self.policy.net.forward(self.policy_inputs, self.policy_tape, self.dist.head)
        self.policy_actions.copy_(self.dist.sample(generator))
        self._target(batch)
        self._critic_gradients()
        self.dist_backward(self.daction, *self.temperature_shares)
        self.policy_backward()
        torch.dot(self.log_prob[0], self.minus_share[0], out=self.temperature_grad.view(()))
        self.temperature_grad.sub_(self.target_entropies)
        self.steps.add_(self.one)
        for adam in (self.critic_adam, self.actor_adam, self.temperature_adam):
            adam.step()
        if self.log_temperature_max is not None:
            self.log_temperature.clamp_(max=self.log_temperature_max)
        self.q.polyak(self.tau)
        self._measure()

    def act(self, obs: Tensor, generator: torch.Generator | None, out: Tensor | None = None) -> Tensor:
        """Actions (n, action_dim) in [-1, 1] for `obs` (n, obs_dim): samples, or tanh(mean) without a generator."""
        return self.policy.act(obs, generator, out)

    def set_actor_lr(self, lr: float) -> None:
        """Set the actor's rate from the next update on; the moments stay."""
        self.actor_adam.lr.fill_(lr)

    def metrics(self) -> dict[str, float]:
        """Means over the updates since the last call: losses, temperature, entropy in nats, mean Q(s, a)."""
        found = means(self.sums, self.count)
        return found | {"q": 0.5 * found["q"]}

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor that outlives an update, by name and not copied."""
        named = {"target": self.q.target, "steps": self.steps, "count": self.count}
        named |= {f"sum_{name}": tensor for name, tensor in self.sums.items()}
        adams = {"actor": self.actor_adam, "critic": self.critic_adam, "temperature": self.temperature_adam}
        for group, adam in adams.items():
            named |= {f"{group}_{name}": tensor for name, tensor in adam.tensors().items()}
        return named

    def state_dict(self) -> dict[str, Any]:
        """Copies of `tensors()`; loading them and going on is bit-equal to never having stopped."""
        return copies(self.tensors())

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a `state_dict()`, in place. Raises ValueError, and changes nothing, if a name or a shape differs."""
        restore(self.tensors(), state, "SAC")

    def policy_module(self, low: Bounds, high: Bounds) -> torch.nn.Sequential:
        """A module of its own on the CPU: obs (n, obs_dim) -> tanh(mean) scaled to [low, high] (n, action_dim)."""
        return mean_module(self.policy, low, high)

    def _allocate(self, like: Tensor) -> None:
        """Static memory. Columns of `inputs`, rows [1; obs; action]: (s, a), (s, a~), (s', a'), `batch` of each."""
        size, obs_rows = self.batch, 1 + self.obs_dim
        first, second = slice(0, size), slice(size, 2 * size)
        self.inputs = like.new_ones(obs_rows + self.action_dim, 3 * size)
        self.data_inputs = self.inputs[1:, first]
        self.obs_inputs = self.inputs[1:obs_rows, size:].unflatten(1, (2, size))
        self.policy_inputs = self.inputs[:obs_rows, size:]
        self.policy_actions = self.inputs[obs_rows:, size:]
        self.q_inputs, self.target_inputs = self.inputs[:, : 2 * size], self.inputs[:, 2 * size :]

        hidden = self.policy.sizes[1:-1]
        self.policy_tape, shared = Tape(hidden, 2 * size, like), self._allocate_critics(like)
        self.dist = self.policy.dist(2 * size)
        self.log_prob, self.next_log_prob = self.dist.log_prob[:, first], self.dist.log_prob[:, second]
        self.dist_backward = TanhGaussianBackward(self.dist, size)
        self.policy_backward = Backward(
            self.policy.net, self.policy.grad_net, self.policy_tape, self.policy_inputs, self.dist_backward.dhead,
            Tape(hidden, size, like) if shared is None or hidden != self.q.sizes[1:-1] else shared, back=first,
        )  # fmt: skip

        self.y, self.discount, self.policy_q = (like.new_zeros(1, size) for _ in range(3))
        self.gammas = like.new_full((1, size), self.gamma)
        self.share, self.minus_share = like.new_full((1, size), 1.0 / size), like.new_full((1, size), -1.0 / size)
        self.daction = like.new_zeros(self.action_dim, size)
        self.temperature, self.one = like.new_ones(1, 1), torch.ones_like(self.steps)
        self.scales, self.scaled_temperature = like.new_tensor([-1.0, 1.0 / size, 2.0 / size]), like.new_zeros(1, 3)
        self.minus_temperature, *self.temperature_shares = self.scaled_temperature.split(1, 1)
        self.target_entropies = like.new_full((1, 1), self.target_entropy)
        self.sums = {name: like.new_zeros(1, size) for name in ("q", "actor", "entropy", "q_mean")}
        self.sums["temperature"] = like.new_zeros(1, 1)
        self.count = torch.zeros_like(self.steps)

    def _make_critics(self, hidden: Sequence[int], like: Tensor) -> TwinQ:
        return TwinQ(self.obs_dim, self.action_dim, hidden, like)

    def _allocate_critics(self, like: Tensor) -> Tape | None:
        """The critics' static memory; of it the tape that the policy's backward pass may use for its errors."""
        size, hidden = self.batch, self.q.sizes[1:-1]
        self.target_tape, *self.q_tapes, scratch = (Tape(hidden, n * size, like) for n in (1, 2, 2, 2))
        self.target_values, self.values, self.errors = (
            [like.new_zeros(1, n * size) for _ in range(2)] for n in (1, 2, 2)
        )
        self.q_backwards = [
            Backward(net, grads, tape, self.q_inputs, error, scratch, fit=slice(size))
            for net, grads, tape, error in zip(self.q.nets, self.q.grad_nets, self.q_tapes, self.errors, strict=True)
        ]
        self.residuals = [like.new_zeros(1, size) for _ in range(2)]
        self.data_values, self.policy_values = zip(*(value.split(size, 1) for value in self.values), strict=True)
        self.data_errors, self.policy_errors = zip(*(error.split(size, 1) for error in self.errors), strict=True)
        self.dactions = [
            (net.weights[0][1 + self.obs_dim :], back.errors[0][:, size:])
            for net, back in zip(self.q.nets, self.q_backwards, strict=True)
        ]
        return self.target_tape

    def _load(self, batch: Tensor) -> None:
        """Copy obs | action into the first block of columns, obs and next_obs into the other two."""
        pair = self.obs_dim + self.action_dim
        self.data_inputs.copy_(batch[:, :pair].t())
        windows = batch[:, : pair + self.obs_dim].unfold(1, self.obs_dim, pair)  # (batch, 2, obs_dim)
        self.obs_inputs.copy_(windows.permute(2, 1, 0))

    def _target(self, batch: Tensor) -> None:
        """y of every row, from the target networks and the current policy and temperature."""
        reward, terminal = batch[:, -2:-1].t(), batch[:, -1:].t()
        self._lowest_target()
        self.y.addcmul_(self.next_log_prob, self.minus_temperature)
        torch.sub(self.gammas, terminal, alpha=self.gamma, out=self.discount)
        torch.addcmul(reward, self.discount, self.y, out=self.y)

    def _lowest_target(self) -> None:
        for net, value in zip(self.q.targets, self.target_values, strict=True):
            net.forward(self.target_inputs, self.target_tape, value)
        torch.minimum(*self.target_values, out=self.y)

    def _critic_gradients(self) -> None:
        """dJ_Q at the critics' parameters, and through them -d min Q(s, a~) / d a~ into `daction`."""
        for net, tape, value in zip(self.q.nets, self.q_tapes, self.values, strict=True):
            net.forward(self.q_inputs, tape, value)
        for value, residual, error in zip(self.data_values, self.residuals, self.data_errors, strict=True):
            torch.sub(value, self.y, out=residual)
            torch.mul(residual, self.share, out=error)
        torch.minimum(*self.policy_values, out=self.policy_q)
        torch.le(*self.policy_values, out=self.policy_errors[0])
        self.policy_errors[0].mul_(self.minus_share)
        torch.sub(self.minus_share, self.policy_errors[0], out=self.policy_errors[1])
        for back, (weight, hidden) in zip(self.q_backwards, self.dactions, strict=True):
            back()
            torch.addmm(self.daction, weight, hidden, beta=float(back is not self.q_backwards[0]), out=self.daction)

    def _measure(self) -> None:
        """Add this update to the sums behind `metrics()`, column by column."""
        sums = self.sums
        self._measure_critics()
        sums["actor"].addcmul_(self.log_prob, self.temperature).sub_(self.policy_q)
        sums["entropy"].sub_(self.log_prob)
        sums["temperature"].add_(self.temperature)
        self.count.add_(self.one)

    def _measure_critics(self) -> None:
        for residual, value in zip(self.residuals, self.data_values, strict=True):
            self.sums["q"].addcmul_(residual, residual)
            self.sums["q_mean"].add_(value, alpha=0.5)
