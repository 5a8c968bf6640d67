"""AWAC's policy: a Gaussian whose mean is a network of the state and whose standard deviation is a parameter.

Samples are clamped to [-1, 1]; log-probabilities are those of the Gaussian before the clamp, as in both public codes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from moore_engine.nn.mlp import MLP, Affine, Clip
from moore_engine.nn.tanh_gaussian import Bounds, Policy, tanh_backward

sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


class GaussianPolicy(Policy):
    """N(mean(s), exp(log_std)^2), one log-std for each action dimension; network and log-stds are one flat parameter.

    Plain (CORL's): the mean is the network's output and log_std the parameter, clamped. `tanh_mean` (the authors'):
    the mean is its tanh, and log_std = low + (high - low) sigmoid(parameter). Parameters of log_std start at 0.
    `spread` must precede what uses `.std`. Raises ValueError unless log_std_min < log_std_max.
    """

    def __init__(
        self, obs_dim: int, action_dim: int, hidden: Sequence[int], *, log_std_min: float, log_std_max: float,
        tanh_mean: bool, like: Tensor, chunk: int,
    ) -> None:  # fmt: skip
        if not log_std_min < log_std_max:
            raise ValueError(f"log_std_min must be below log_std_max, got {log_std_min} and {log_std_max}")
        self.obs_dim, self.action_dim, self.chunk, self.tanh_mean = obs_dim, action_dim, chunk, tanh_mean
        self.log_std_min, self.log_std_max = log_std_min, log_std_max
        self.sizes = (obs_dim, *hidden, action_dim)
        count = MLP.numel(self.sizes)
        self.params, self.grads = like.new_zeros(count + action_dim), like.new_zeros(count + action_dim)
        self.net, self.grad_net = MLP(self.sizes, self.params[:count]), MLP(self.sizes, self.grads[:count])
        self.raw_log_std, self.raw_grad = self.params[count:].unsqueeze(1), self.grads[count:].unsqueeze(1)
        self.log_std, self.std, self.share = (like.new_zeros(action_dim, 1) for _ in range(3))
        self._acting = {}

    def spread(self) -> None:
        """Bring `.log_std` and `.std` (action_dim, 1) up to date with the parameters."""
        if self.tanh_mean:
            torch.sigmoid(self.raw_log_std, out=self.share)
            torch.mul(self.share, self.log_std_max - self.log_std_min, out=self.log_std)
            self.log_std.add_(self.log_std_min)
        else:
            torch.clamp(self.raw_log_std, self.log_std_min, self.log_std_max, out=self.log_std)
        torch.exp(self.log_std, out=self.std)

    def act(self, obs: Tensor, generator: torch.Generator | None, out: Tensor | None = None) -> Tensor:
        """Actions (n, action_dim) in [-1, 1] for `obs` (n, obs_dim): samples, or the mean if `generator` is None."""
        self.spread()
        return super().act(obs, generator, out)

    def dist(self, columns: int) -> Gaussian:  # type: ignore[override]
        """Sampling memory for `columns` columns."""
        return Gaussian(self, columns)

    def module(self, low: Bounds, high: Bounds) -> list[torch.nn.Module]:
        """Copies of the layers, on the CPU, from a state to the mean clamped to [-1, 1] and scaled to [low, high]."""
        *hidden, head = self.net.linears()
        dtype = self.params.dtype
        bottom, top = (torch.as_tensor(x, dtype=dtype).cpu().reshape(self.action_dim) for x in (low, high))
        layers: list[torch.nn.Module] = [layer for linear in hidden for layer in (linear, torch.nn.ReLU())]
        one = torch.ones(self.action_dim, dtype=dtype)
        last: torch.nn.Module = torch.nn.Tanh() if self.tanh_mean else Clip(-one, one)
        return [*layers, head, last, Affine((top + bottom) / 2, (top - bottom) / 2)]


class Gaussian:
    """Samples for n columns, in place. The network writes `.head` (action_dim, n); then `.action`, in [-1, 1]."""

    def __init__(self, policy: GaussianPolicy, columns: int) -> None:
        self.tanh_mean, self.std = policy.tanh_mean, policy.std
        self.head, self.noise, self.action = (policy.params.new_zeros(policy.action_dim, columns) for _ in range(3))
        self.mean = self.head

    def sample(self, generator: torch.Generator) -> Tensor:
        """Fill `.mean` and `.action` from `.head`; returns the action."""
        self.noise.normal_(generator=generator)
        self._squash()
        torch.addcmul(self.mean, self.noise, self.std, out=self.action)
        return self.action.clamp_(-1.0, 1.0)

    def mode(self) -> Tensor:
        """Fill `.action` with the mean, clamped to [-1, 1], and return it."""
        self._squash()
        return torch.clamp(self.mean, -1.0, 1.0, out=self.action)

    def _squash(self) -> None:
        if self.tanh_mean:
            self.mean.tanh_()


class LogProbBackward:
    """Gradient of -sum_i w_i log pi(a_i|s_i) at the head's first `columns` and at the log-stds' parameters.

    With z = (a - mean) / std: d/dmean = -w z / std, d/dlog_std = sum_i w_i (1 - z_i^2); through the tanh and the
    sigmoid if `tanh_mean`, or zero where a plain policy's clamp is active. After a call `.log_prob` (1, columns)
    holds log pi(a|s) in nats and `.dhead` (action_dim, columns) the gradient for the network.
    """

    def __init__(self, policy: GaussianPolicy, dist: Gaussian, columns: int) -> None:
        self.policy, self.mean = policy, dist.mean[:, :columns]
        self.z, self.weighted, self.dhead = (torch.zeros_like(self.mean) for _ in range(3))
        self.log_prob, self.inside = policy.params.new_zeros(1, columns), torch.zeros_like(policy.std)

    def __call__(self, action: Tensor, weight: Tensor) -> None:
        """`action` (action_dim, columns) in [-1, 1], `weight` (1, columns)."""
        policy, z, weighted = self.policy, self.z, self.weighted
        torch.sub(action, self.mean, out=z)
        z.div_(policy.std)
        torch.mul(z, weight, out=weighted)
        torch.div(weighted, policy.std, out=self.dhead)
        self.dhead.neg_()
        if policy.tanh_mean:
            tanh_backward(self.dhead, self.mean, grad_input=self.dhead)
        weighted.mul_(z).neg_().add_(weight)
        torch.sum(weighted, 1, keepdim=True, out=policy.raw_grad)
        if policy.tanh_mean:
            policy.raw_grad.mul_(policy.log_std_max - policy.log_std_min)
            sigmoid_backward(policy.raw_grad, policy.share, grad_input=policy.raw_grad)
        else:
            torch.eq(policy.raw_log_std, policy.log_std, out=self.inside)
            policy.raw_grad.mul_(self.inside)
        z.mul_(z).mul_(-0.5).sub_(policy.log_std).sub_(HALF_LOG_2PI)
        torch.sum(z, 0, keepdim=True, out=self.log_prob)
