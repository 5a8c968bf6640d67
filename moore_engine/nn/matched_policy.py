"""One tanh-Gaussian policy out of M members' Gaussians, by matching the moments of their mixture before the tanh.

    mean = 1/M sum_i mean_i,   var = 1/M sum_i (var_i + (mean_i - mean)^2)        (Lee et al. 2021, 2107.00591)

The member log-stds are clamped, then the matched one is, to the same bounds. All members learn through the match.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from moore_engine.nn.mlp import MLP, Affine
from moore_engine.nn.mlp_stack import MLPStack, StackBackward, StackTape
from moore_engine.nn.tanh_gaussian import Bounds, TanhGaussian, TanhGaussianBackward


class MatchedPolicy:
    """M actors over `params` and `grads` (M, n), a row each as one actor's flat parameters, and the policy they make.

    Raises ValueError unless log_std_min < log_std_max.
    """

    def __init__(
        self, obs_dim: int, action_dim: int, hidden: Sequence[int], *, members: int, log_std_min: float,
        log_std_max: float, like: Tensor,
    ) -> None:  # fmt: skip
        if not log_std_min < log_std_max:
            raise ValueError(f"log_std_min must be below log_std_max, got {log_std_min} and {log_std_max}")
        self.obs_dim, self.action_dim, self.members = obs_dim, action_dim, members
        self.bounds = (log_std_min, log_std_max)
        self.sizes = (obs_dim, *hidden, 2 * action_dim)
        self.params, self.grads = (like.new_zeros(members, MLP.numel(self.sizes)) for _ in range(2))
        self.net, self.grad_net = MLPStack(self.sizes, self.params), MLPStack(self.sizes, self.grads)

    def act(self, obs: Tensor, generator: torch.Generator | None) -> Tensor:
        """Actions (n, action_dim) in [-1, 1] for `obs` (n, obs_dim): samples, or tanh(mean) without a generator."""
        if obs.dim() != 2 or obs.shape[1] != self.obs_dim:
            raise ValueError(f"obs must be (n, {self.obs_dim}), got {tuple(obs.shape)}")
        inputs = torch.cat([obs.new_ones(1, obs.shape[0]), obs.t()])
        match = Match(self, inputs)
        match.forward()
        return (match.dist.mode() if generator is None else match.dist.sample(generator)).t().clone()

    def module(self, low: Bounds, high: Bounds) -> torch.nn.Sequential:
        """Copies on the CPU: obs (n, obs_dim) -> tanh(mean) in [low, high] (n, action_dim), all members as one network.

        The first layer has the members' side by side, the others are block-diagonal, and the head is their mean.
        """
        first, *others = ([weight.cpu() for weight in layer] for layer in self.net.weights)
        heads = [weight[:, : self.action_dim] / self.members for weight in others.pop()]
        layers = [_linear(torch.cat([weight[1:] for weight in first], 1), torch.cat([weight[0] for weight in first]))]
        for weights in others:
            blocks = torch.block_diag(*(weight[1:] for weight in weights))
            layers.append(_linear(blocks, torch.cat([weight[0] for weight in weights])))
        head = _linear(torch.cat([weight[1:] for weight in heads]), torch.stack([weight[0] for weight in heads]).sum(0))
        bottom, top = (torch.as_tensor(x, dtype=self.params.dtype).cpu().reshape(self.action_dim) for x in (low, high))
        scale = Affine((top + bottom) / 2, (top - bottom) / 2)
        hidden = [each for layer in layers for each in (layer, torch.nn.ReLU())]
        return torch.nn.Sequential(*hidden, head, torch.nn.Tanh(), scale).requires_grad_(False)


class Match:
    """The policy at the columns of `inputs` (1 + obs_dim, n), first row ones, in static memory; `.dist` samples it."""

    def __init__(self, policy: MatchedPolicy, inputs: Tensor) -> None:
        n, like = inputs.shape[1], policy.params
        self.policy, self.inputs = policy, inputs
        self.tape = StackTape(policy.members, policy.sizes[1:-1], n, like)
        self.heads = like.new_zeros(policy.members, policy.sizes[-1], n)
        self.means, self.raw_log_stds = self.heads.split(policy.action_dim, 1)
        self.log_stds, self.variances, self.offsets = (torch.zeros_like(self.means) for _ in range(3))
        self.dist = TanhGaussian(policy.action_dim, n, *policy.bounds, like)
        self.variance = torch.zeros_like(self.dist.action)

    def forward(self) -> None:
        """Fill the head of `.dist`."""
        self.policy.net.forward(self.inputs, self.tape, self.heads)
        torch.mean(self.means, 0, out=self.dist.mean)
        torch.sub(self.means, self.dist.mean, out=self.offsets)
        torch.clamp(self.raw_log_stds, *self.policy.bounds, out=self.log_stds)
        torch.exp(2.0 * self.log_stds, out=self.variances)
        torch.mean(torch.addcmul(self.variances, self.offsets, self.offsets), 0, out=self.variance)
        torch.log(self.variance, out=self.dist.raw_log_std).mul_(0.5)


class MatchBackward:
    """Gradients of L(action, log_prob) at the first `columns` by all members' parameters, into `policy.grads`.

    With d the gradients at the matched mean and log-std: dmean_i = dmean/M + dlog_std (mean_i - mean)/(M var) and
    dlog_std_i = dlog_std var_i/(M var), zero where member i's clamp is active.
    """

    def __init__(self, match: Match, columns: int) -> None:
        policy, first = match.policy, slice(0, columns)
        self.members = policy.members
        self.matched = TanhGaussianBackward(match.dist, columns)
        self.dheads = match.heads.new_zeros(policy.members, policy.sizes[-1], columns)
        self.dmeans, self.dlog_stds = self.dheads.split(policy.action_dim, 1)
        self.offsets, self.variances, self.variance = (
            each[..., first] for each in (match.offsets, match.variances, match.variance)
        )
        self.raw_log_stds, self.log_stds = match.raw_log_stds[..., first], match.log_stds[..., first]
        scratch = StackTape(policy.members, policy.sizes[1:-1], columns, match.heads)
        self.net = StackBackward(
            policy.net, policy.grad_net, match.tape, match.inputs, self.dheads, scratch, back=first
        )

    def __call__(self, daction: Tensor, weight: Tensor) -> None:
        """`daction` (action_dim, columns) and `weight`, dL/dlog_prob, a tensor of one element."""
        self.matched(daction, weight, 2.0 * weight)
        share = self.matched.dlog_std / (self.members * self.variance)
        torch.addcmul(self.matched.dmean / self.members, self.offsets, share, out=self.dmeans)
        torch.mul(self.variances, share, out=self.dlog_stds)
        self.dlog_stds.mul_(self.raw_log_stds == self.log_stds)
        self.net()


def _linear(weight: Tensor, bias: Tensor) -> torch.nn.Linear:
    """The layer x -> weight^T x + bias, weight (fan_in, fan_out)."""
    layer = torch.nn.Linear(weight.shape[0], weight.shape[1], dtype=weight.dtype)
    layer.weight.data.copy_(weight.t())
    layer.bias.data.copy_(bias)
    return layer
