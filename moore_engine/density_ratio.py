"""The density ratio of online to offline rows, and the priorities it gives (Balanced Replay, Lee et al. 2021).

A relu network w(s, a) >= 0 is fitted by the variational form of the Jensen-Shannon divergence (Nguyen et al. 2010):

    J_w = mean -log(2 / (w(offline) + 1)) + mean -log(2 w(online) / (w(online) + 1)),

whose minimum is w = p_online / p_offline. A row's priority is w^(1/T) / mean w(offline)^(1/T), in [1e-3, 1e3].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from moore_engine.nn.flat_adam import FlatAdam
from moore_engine.nn.mlp import MLP, Backward, Tape
from moore_engine.nn.state import copies, restore

LOWEST, HIGHEST = 1e-3, 1e3
TINY = 1e-10
LAST_WEIGHT, LAST_BIAS = 3e-3, 1.0


class DensityRatio:
    """w over pairs (s, a) of `width` columns; each update takes `batch` offline, `batch` online and `drawn` rows.

    `temperature` is T above. It starts near w = 1 everywhere: last bias 1, last weights within 3e-3, as rlkit's.
    Static memory and no branch on data. Raises ValueError on sizes without meaning.
    """

    def __init__(
        self, width: int, *, hidden: Sequence[int] = (256, 256), lr: float = 3e-4, temperature: float = 5.0,
        batch: int = 256, drawn: int = 256, device: torch.device | str = "cpu", generator: torch.Generator,
        dtype: torch.dtype = torch.float32,
    ) -> None:  # fmt: skip
        if min(width, batch, drawn, *hidden) < 1 or not hidden or temperature <= 0:
            raise ValueError(f"sizes must be positive, got {width=} {hidden=} {temperature=} {batch=} {drawn=}")
        self.power, self.batch, self._parts = 1.0 / temperature, batch, (batch, batch, drawn)
        like = torch.zeros((), dtype=dtype, device=device)
        sizes = (width, *hidden, 1)
        self.params, self.grads = like.new_zeros(MLP.numel(sizes)), like.new_zeros(MLP.numel(sizes))
        self.net = MLP(sizes, self.params)
        self.net.init(generator)
        self.net.weights[-1][1:].uniform_(-LAST_WEIGHT, LAST_WEIGHT, generator=generator)
        self.net.weights[-1][0].fill_(LAST_BIAS)
        self.steps = torch.zeros((), dtype=torch.float32, device=device)
        self.adam = FlatAdam(self.params, self.grads, self.steps, lr)
        self.losses, self.count = like.new_zeros(()), torch.zeros_like(self.steps)
        self._inputs = like.new_ones(1 + width, 2 * batch + drawn)
        self._out, self._dout = like.new_zeros(1, 2 * batch + drawn), like.new_zeros(1, 2 * batch)
        tape, fitted = Tape(hidden, 2 * batch + drawn, like), slice(0, 2 * batch)
        self._tape, scratch = tape, Tape(hidden, 2 * batch, like)
        grads = MLP(sizes, self.grads)
        self._backward = Backward(self.net, grads, tape, self._inputs, self._dout, scratch, back=fitted)

    @torch.inference_mode()
    def update(self, offline: Tensor, online: Tensor, drawn: Tensor) -> Tensor:
        """One Adam step on `offline` and `online` (batch, width); the priorities (drawn,) of the rows `drawn`.

        The priorities are by the network before the step, with the mean over the same offline rows.
        """
        for part, rows in zip(self._inputs[1:].split(self._parts, 1), (offline, online, drawn), strict=True):
            part.copy_(rows.t())
        self.net.forward(self._inputs, self._tape, self._out)
        off, on, priority = self._out.relu()[0].split(self._parts)
        self.losses.add_(loss(off, on))
        self.count.add_(1.0)
        dout = self._dout[0]
        torch.div(1.0 / self.batch, off + 1.0, out=dout[: self.batch])
        torch.div(-2.0 / self.batch, (on + 1.0).square() * (2.0 * on / (on + 1.0) + TINY), out=dout[self.batch :])
        dout.mul_(self._out[0, : 2 * self.batch] > 0)
        self._backward()
        self.steps.add_(1.0)
        self.adam.step()
        return (priority**self.power / ((off**self.power).mean() + TINY)).clamp(LOWEST, HIGHEST)

    def __call__(self, pairs: Tensor) -> Tensor:
        """w (n,) of `pairs` (n, width)."""
        inputs = torch.cat([pairs.new_ones(1, pairs.shape[0]), pairs.t()])
        tape = Tape(self.net.sizes[1:-1], pairs.shape[0], pairs)
        return self.net.forward(inputs, tape, pairs.new_zeros(1, pairs.shape[0]))[0].relu()

    def metrics(self) -> dict[str, float]:
        """Mean loss over the updates since the last call."""
        mean = self.losses.item() / max(self.count.item(), 1.0)
        self.losses.zero_()
        self.count.zero_()
        return {"ratio": mean}

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor that outlives an update, by name and not copied."""
        return {"steps": self.steps, "losses": self.losses, "count": self.count, **self.adam.tensors()}

    def state_dict(self) -> dict[str, Any]:
        """Copies of `tensors()`; loading them and going on is bit-equal to never having stopped."""
        return copies(self.tensors())

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a `state_dict()`, in place. Raises ValueError, and changes nothing, if a name or a shape differs."""
        restore(self.tensors(), state, "density ratio")


def loss(offline: Tensor, online: Tensor) -> Tensor:
    """J_w of ratios (n,) at offline and online rows; 1e-10 inside the second logarithm keeps it finite at w = 0."""
    return -(2.0 / (offline + 1.0)).log().mean() - (2.0 * online / (online + 1.0) + TINY).log().mean()
