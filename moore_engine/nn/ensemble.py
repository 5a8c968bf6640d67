"""Probabilistic ensemble: M swish networks that give mean and log-variance of every target (MOPO, Sec. 4.2; PETS).

One flat parameter buffer, layer by layer with the members side by side, and gradients written by hand: each layer is
one batched product into a buffer allocated once, so a training step costs no autograd graph and no allocation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import silu

BOUND_COEF = 0.01
MAX_LOGVAR, MIN_LOGVAR = 0.5, -10.0


class Ensemble:
    """M independent networks (M, n, in_dim) -> mean and variance (M, n, out_dim); inputs raw, standardised here.

    The loss is sum over members of mean over batch and dims of (mu - y)^2 e^-lv + lv, plus 0.01 (sum max_lv -
    sum min_lv), plus `weight_decays[l]` * 0.5 sum W_l^2 (weights only), which the fused Adam adds to the gradient.
    """

    def __init__(
        self,
        in_dim: int,
        out_dim: int,
        *,
        generator: torch.Generator,
        members: int = 7,
        hidden: Sequence[int] = (200, 200, 200, 200),
        lr: float = 1e-3,
        weight_decays: Sequence[float] = (2.5e-5, 5e-5, 7.5e-5, 7.5e-5, 1e-4),
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        if len(weight_decays) != len(hidden) + 1:
            raise ValueError(f"{len(hidden) + 1} layers need as many weight decays; got {len(weight_decays)}")
        self.in_dim, self.out_dim, self.members = in_dim, out_dim, members
        self.widths = [in_dim, *hidden, 2 * out_dim]
        self.device, self.dtype = torch.device(device), dtype
        pairs = list(zip(self.widths[:-1], self.widths[1:], strict=True))
        self._weight_sizes = [members * i * o for i, o in pairs]
        self._tail = members * sum(o for _, o in pairs) + 2 * out_dim
        self.params, self.grads, self.exp_avg, self.exp_avg_sq = (
            torch.zeros(sum(self._weight_sizes) + self._tail, device=device, dtype=dtype) for _ in range(4)
        )
        self.weights, self.biases, self.max_logvar, self.min_logvar = self.views(self.params)
        for (fan_in, _), weight in zip(pairs, self.weights, strict=True):
            draw = torch.empty(weight.shape, device=device)
            std = 1.0 / (2.0 * math.sqrt(fan_in))
            torch.nn.init.trunc_normal_(draw, std=std, a=-2 * std, b=2 * std, generator=generator)
            weight.copy_(draw)
        self.max_logvar.fill_(MAX_LOGVAR)
        self.min_logvar.fill_(MIN_LOGVAR)
        self.in_mean = torch.zeros(in_dim, device=device, dtype=dtype)
        self.in_std = torch.ones(in_dim, device=device, dtype=dtype)
        self._optimizer = self._make_adam(lr, list(weight_decays))
        self._grad_views = self.views(self.grads)
        self._workspace: dict[str, Tensor] = {}

    def views(self, flat: Tensor) -> tuple[list[Tensor], list[Tensor], Tensor, Tensor]:
        """Weights (M, in, out), biases (M, 1, out), max_logvar and min_logvar (out_dim,) as views of a flat buffer."""
        pairs = list(zip(self.widths[:-1], self.widths[1:], strict=True))
        *weights, tail = flat.split([*self._weight_sizes, self._tail])
        *biases, top, low = tail.split([*(self.members * o for _, o in pairs), self.out_dim, self.out_dim])
        return (
            [w.view(self.members, i, o) for w, (i, o) in zip(weights, pairs, strict=True)],
            [b.view(self.members, 1, o) for b, (_, o) in zip(biases, pairs, strict=True)],
            top,
            low,
        )

    def copy_member(self, member: int, source: Tensor, target: Tensor) -> None:
        """Copy one member's weights and biases (the shared bounds stay) from one flat buffer to another."""
        from_weights, from_biases, _, _ = self.views(source)
        to_weights, to_biases, _, _ = self.views(target)
        for src, dst in zip(from_weights + from_biases, to_weights + to_biases, strict=True):
            dst[member].copy_(src[member])

    def train_step(self, inputs: Tensor, targets: Tensor) -> None:
        """One Adam step of every member on its own batch: (M, B, in_dim) and (M, B, out_dim), raw."""
        self.gradient(inputs, targets)
        self._optimizer.step()

    def gradient(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Fill `grads` with the loss's gradient, the decay term left to the optimiser; returns that loss, a scalar."""
        count = inputs.shape[1]
        x = torch.sub(inputs, self.in_mean, out=self._buffer("x", count, self.in_dim)).div_(self.in_std)
        acts, pres = [x], []
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            pre = self._buffer(f"pre{layer}", count, weight.shape[2])
            torch.bmm(acts[-1], weight, out=pre).add_(bias)
            if layer < len(self.weights) - 1:
                pres.append(pre)
                act = self._buffer(f"act{layer}", count, weight.shape[2])
                acts.append(torch.ops.aten.silu.out(pre, out=act))
        loss, delta = self._head(pre, targets)
        grad_weights, grad_biases, _, _ = self._grad_views
        for layer in reversed(range(len(self.weights))):
            torch.bmm(acts[layer].transpose(1, 2), delta, out=grad_weights[layer])
            torch.sum(delta, 1, keepdim=True, out=grad_biases[layer])
            if layer > 0:
                back = acts[layer]
                torch.bmm(delta, self.weights[layer].transpose(1, 2), out=back)
                delta = torch.ops.aten.silu_backward.grad_input(back, pres[layer - 1], grad_input=back)
        return loss

    def forward(self, inputs: Tensor, chunk: int = 1024) -> tuple[Tensor, Tensor]:
        """Mean and variance (M, n, out_dim) of every member on the same raw inputs (n, in_dim).

        On a CPU a member a thread and at most `chunk` rows at a time, so that a layer's activations stay in the cache.
        """
        out = torch.empty(self.members, inputs.shape[0], 2 * self.out_dim, device=self.device, dtype=self.dtype)
        group = torch.get_num_threads() if self.device.type == "cpu" else self.members
        for start in range(0, inputs.shape[0], chunk):
            rows = slice(start, start + chunk)
            x = torch.sub(inputs[rows], self.in_mean).div_(self.in_std)
            for first in range(0, self.members, group):
                part = slice(first, first + group)
                act = x.expand(min(group, self.members - first), -1, -1)
                for layer, (weight, bias) in enumerate(zip(self.weights[:-1], self.biases[:-1], strict=True)):
                    pre = self._buffer(f"forward{layer % 2}", x.shape[0], weight.shape[2], members=act.shape[0])
                    act = silu(torch.bmm(act, weight[part], out=pre).add_(bias[part]), inplace=True)
                torch.add(torch.bmm(act, self.weights[-1][part]), self.biases[-1][part], out=out[part, rows])
        mean, raw = out.split(self.out_dim, 2)
        return mean, self.variance(raw)[0]

    def variance(self, raw: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Variance of the raw log-variance clamped by two softplus, and two of its parts: e^max s and s.

        lv = max - softplus(max - raw), then min + softplus(lv - min): since e^softplus(z) = 1 + e^z, its exponential is
        e^min + e^max s with s = sigmoid(raw - max).
        """
        share = torch.sigmoid_(raw - self.max_logvar)
        top = share * self.max_logvar.exp()
        return top + self.min_logvar.exp(), top, share

    def rewrite_input(self, mean: Tensor, std: Tensor) -> None:
        """Take a new input scaler and rewrite layer 1 so that every output stays the same.

        W' = W s'/s and b' = b + ((mu' - mu)/s) W. The gradient by W' is s/s' times the old one when mu' = mu, so Adam's
        moments are scaled by s/s' and its square, and its next step on W' is the one it would have made on W.
        """
        new_mean, new_std = mean.to(self.device, torch.float64), std.to(self.device, torch.float64)
        old_mean, old_std = self.in_mean.double(), self.in_std.double()
        weight, bias = self.weights[0], self.biases[0]
        stored_mean, stored_std = new_mean.to(self.dtype), new_std.to(self.dtype)
        ratio = (stored_std.double() / old_std)[None, :, None]
        shift = ((stored_mean.double() - old_mean) / old_std)[None, None, :]
        exact = weight.double()
        bias.copy_(bias.double() + shift @ exact)
        weight.copy_(exact * ratio)
        first = self.views(self.exp_avg)[0][0]
        second = self.views(self.exp_avg_sq)[0][0]
        first.copy_(first.double() / ratio)
        second.copy_(second.double() / ratio**2)
        self.in_mean.copy_(stored_mean)
        self.in_std.copy_(stored_std)

    def state_dict(self) -> dict[str, Any]:
        """Parameters, Adam's moments and step count, and the input scaler."""
        names = ("params", "exp_avg", "exp_avg_sq", "in_mean", "in_std")
        return {name: getattr(self, name).clone() for name in names} | {"step": self._step.clone()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Copy a state in place; ValueError when it belongs to networks of another shape."""
        if state["params"].shape != self.params.shape:
            raise ValueError(
                f"saved ensemble has {state['params'].numel()} parameters, this one {self.params.numel()}: "
                "networks, hidden sizes and task must be those of the saved run"
            )
        for name in ("params", "exp_avg", "exp_avg_sq", "in_mean", "in_std"):
            getattr(self, name).copy_(state[name])
        self._step.copy_(state["step"])

    def _head(self, out: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Loss and its gradient by the last layer's output (M, B, 2 out_dim); fills the bounds' gradients.

        With v = e^min + e^max s: dlv/draw = (e^max s / v) (1 - s), dlv/dmax = (e^max s / v) s, dlv/dmin = e^min / v.
        """
        mean, raw = out.split(self.out_dim, 2)
        scale = 1.0 / (out.shape[1] * self.out_dim)
        var, top, share = self.variance(raw)
        error = mean - targets
        weighted = error / var
        square = error.mul_(weighted)
        bounds = (self.max_logvar - self.min_logvar).sum() * BOUND_COEF
        loss = (square + var.log()).sum() * scale + bounds
        delta = self._buffer("delta", out.shape[1], 2 * self.out_dim)
        torch.mul(weighted, 2 * scale, out=delta[:, :, : self.out_dim])
        by_logvar = square.neg_().add_(1.0).mul_(scale)
        by_top = top.div_(var).mul_(by_logvar)
        by_share = share.mul_(by_top)
        torch.sub(by_top, by_share, out=delta[:, :, self.out_dim :])
        _, _, by_max, by_min = self._grad_views
        torch.sum(by_share, (0, 1), out=by_max).add_(BOUND_COEF)
        torch.sum(by_logvar.sub_(by_top), (0, 1), out=by_min).sub_(BOUND_COEF)
        return loss, delta

    def _make_adam(self, lr: float, weight_decays: list[float]) -> torch.optim.Adam:
        """Fused Adam over slices of the flat buffers: one group a layer's weights, one for biases and bounds."""
        sizes = [*self._weight_sizes, self._tail]
        parts = [buffer.split(sizes) for buffer in (self.params, self.grads, self.exp_avg, self.exp_avg_sq)]
        decays = [*weight_decays, 0.0]
        groups = [{"params": [p], "weight_decay": d} for p, d in zip(parts[0], decays, strict=True)]
        optimizer = torch.optim.Adam(groups, lr=lr, fused=True, capturable=self.device.type == "cuda")
        self._step = torch.zeros(len(sizes), device=self.device)
        for i, (param, grad, first, second) in enumerate(zip(*parts, strict=True)):
            param.grad = grad
            optimizer.state[param] = {"step": self._step[i], "exp_avg": first, "exp_avg_sq": second}
        return optimizer

    def _buffer(self, name: str, count: int, width: int, members: int | None = None) -> Tensor:
        """A contiguous (members or M, count, width) view of a buffer that grows to the largest size asked for."""
        members = members or self.members
        size = members * count * width
        if name not in self._workspace or self._workspace[name].numel() < size:
            self._workspace[name] = torch.empty(size, device=self.device, dtype=self.dtype)
        return self._workspace[name][:size].view(members, count, width)
