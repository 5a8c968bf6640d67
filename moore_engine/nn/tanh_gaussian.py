"""The tanh-Gaussian policy of SAC (Haarnoja et al. 2018, appendix C): a = tanh(mean + std noise), std clamped in log.

log pi(a|s) = sum over dims of log N(u; mean, std) - log(1 - tanh(u)^2), the last term in the form
2 (log 2 - u - softplus(-2u)), which stays finite where 1 - tanh(u)^2 rounds to zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from moore_engine.nn.mlp import MLP, Affine, Tape

Bounds: TypeAlias = Sequence[float] | Tensor
tanh_backward = torch.ops.aten.tanh_backward.grad_input
softplus = torch.ops.aten.softplus.out


class TanhGaussian:
    """Reparameterised samples and their log-probabilities for n columns, in place.

    The network writes `.head` (2 action_dim, n), means above log-stds. After `sample`: `.action` (action_dim, n) in
    [-1, 1] and `.log_prob` (1, n), in nats.
    """

    def __init__(self, action_dim: int, columns: int, log_std_min: float, log_std_max: float, like: Tensor) -> None:
        self.bounds = (log_std_min, log_std_max)
        self.head = like.new_zeros(2 * action_dim, columns)
        self.mean, self.raw_log_std = self.head.split(action_dim)
        # log pi is linear in these rows, so that one product sums it over the action's dimensions
        self.rows = like.new_ones(4 * action_dim + 1, columns)
        self.noise_square, self.log_std, self.u, self.half_softplus = self.rows[:-1].split(action_dim)
        constant = -action_dim * (0.5 * math.log(2 * math.pi) + 2 * math.log(2))
        coef = [-0.5] * action_dim + [-1.0] * action_dim + [2.0] * action_dim + [-4.0] * action_dim + [constant]
        self.coef = like.new_tensor([coef])
        self.noise, self.scaled, self.action = (like.new_zeros(action_dim, columns) for _ in range(3))
        self.log_prob = like.new_zeros(1, columns)

    def sample(self, generator: torch.Generator) -> Tensor:
        """Fill `.action` and `.log_prob` from `.head`; returns the action."""
        self.noise.normal_(generator=generator)
        torch.mul(self.noise, self.noise, out=self.noise_square)
        torch.clamp(self.raw_log_std, *self.bounds, out=self.log_std)
        torch.exp(self.log_std, out=self.scaled)
        self.scaled.mul_(self.noise)
        torch.add(self.mean, self.scaled, out=self.u)
        torch.tanh(self.u, out=self.action)
        softplus(self.u, -2.0, 50.0, out=self.half_softplus)  # is -softplus(-2u) / 2
        torch.mm(self.coef, self.rows, out=self.log_prob)
        return self.action

    def mode(self) -> Tensor:
        """Fill `.action` with tanh(mean) and return it."""
        return torch.tanh(self.mean, out=self.action)


class TanhGaussianBackward:
    """Gradient `.dhead` of L(action, log_prob) at the head's first `columns`, where dL/dlog_prob is one number.

    With w = dL/dlog_prob: dL/dmean = dL/da (1 - a^2) + 2 w a and dL/dlog_std = dL/dmean std noise - w,
    zero where the clamp is active.
    """

    def __init__(self, dist: TanhGaussian, columns: int) -> None:
        self.dhead = dist.head.new_zeros(dist.head.shape[0], columns)
        self.dmean, self.dlog_std = self.dhead.chunk(2)
        self.action, self.scaled = dist.action[:, :columns], dist.scaled[:, :columns]
        self.raw_log_std, self.log_std = dist.raw_log_std[:, :columns], dist.log_std[:, :columns]
        self.inside = torch.zeros_like(self.dlog_std)

    def __call__(self, daction: Tensor, weight: Tensor, twice_weight: Tensor) -> None:
        """`daction` (action_dim, columns), `weight` and `twice_weight` tensors of one element."""
        tanh_backward(daction, self.action, grad_input=self.dmean)
        self.dmean.addcmul_(self.action, twice_weight)
        torch.mul(self.dmean, self.scaled, out=self.dlog_std)
        self.dlog_std.sub_(weight)
        torch.eq(self.raw_log_std, self.log_std, out=self.inside)
        self.dlog_std.mul_(self.inside)


class Policy:
    """The actor: an MLP to means and log-stds, parameters and gradients each one flat buffer.

    Raises ValueError unless log_std_min < log_std_max.
    """

    def __init__(
        self, obs_dim: int, action_dim: int, hidden: Sequence[int], *, log_std_min: float, log_std_max: float,
        like: Tensor, chunk: int,
    ) -> None:  # fmt: skip
        if not log_std_min < log_std_max:
            raise ValueError(f"log_std_min must be below log_std_max, got {log_std_min} and {log_std_max}")
        self.obs_dim, self.action_dim, self.chunk = obs_dim, action_dim, chunk
        self.log_std_min, self.log_std_max = log_std_min, log_std_max
        self.sizes = (obs_dim, *hidden, 2 * action_dim)
        self.params, self.grads = like.new_zeros(MLP.numel(self.sizes)), like.new_zeros(MLP.numel(self.sizes))
        self.net, self.grad_net = MLP(self.sizes, self.params), MLP(self.sizes, self.grads)
        self._acting: dict[int, _Acting] = {}

    def dist(self, columns: int) -> TanhGaussian:
        """Sampling memory for `columns` columns."""
        return TanhGaussian(self.action_dim, columns, self.log_std_min, self.log_std_max, self.params)

    def act(self, obs: Tensor, generator: torch.Generator | None, out: Tensor | None = None) -> Tensor:
        """Actions (n, action_dim) in [-1, 1] for `obs` (n, obs_dim): samples, or tanh(mean) if `generator` is None.

        Runs in chunks of `chunk` rows; memory is kept for the last few row counts seen. Raises ValueError on shapes.
        """
        if obs.dim() != 2 or obs.shape[1] != self.obs_dim:
            raise ValueError(f"obs must be (n, {self.obs_dim}), got {tuple(obs.shape)}")
        if out is None:
            out = self.params.new_empty(obs.shape[0], self.action_dim)
        for start in range(0, obs.shape[0], self.chunk):
            rows = obs[start : start + self.chunk]
            out[start : start + self.chunk] = self._memory(rows.shape[0]).act(rows, generator).t()
        return out

    def _memory(self, columns: int) -> _Acting:
        if columns not in self._acting:
            if len(self._acting) >= 8:
                del self._acting[next(iter(self._acting))]
            self._acting[columns] = _Acting(self, columns)
        return self._acting[columns]


def mean_module(policy: Policy, low: Bounds, high: Bounds) -> torch.nn.Sequential:
    """Copies of the layers to the means, on the CPU: obs (n, obs_dim) -> tanh(mean) in [low, high] (n, action_dim)."""
    *hidden, head = policy.net.linears()
    means = torch.nn.Linear(head.in_features, policy.action_dim, dtype=head.weight.dtype)
    means.weight.data.copy_(head.weight[: policy.action_dim])
    means.bias.data.copy_(head.bias[: policy.action_dim])
    bottom, top = (torch.as_tensor(x, dtype=head.weight.dtype).cpu().reshape(policy.action_dim) for x in (low, high))
    layers = [layer for linear in hidden for layer in (linear, torch.nn.ReLU())]
    scale = Affine((top + bottom) / 2, (top - bottom) / 2)
    return torch.nn.Sequential(*layers, means, torch.nn.Tanh(), scale).requires_grad_(False)


class _Acting:
    """Static memory to act on a fixed number of rows."""

    def __init__(self, policy: Policy, columns: int) -> None:
        self.net = policy.net
        self.inputs = policy.params.new_ones(1 + policy.obs_dim, columns)
        self.tape, self.dist = Tape(policy.sizes[1:-1], columns, policy.params), policy.dist(columns)

    def act(self, obs: Tensor, generator: torch.Generator | None) -> Tensor:
        self.inputs[1:].copy_(obs.t())
        self.net.forward(self.inputs, self.tape, self.dist.head)
        return self.dist.mode() if generator is None else self.dist.sample(generator)
