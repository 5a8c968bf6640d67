"""Relu networks over one flat parameter, with hand-written gradients into preallocated memory.

Everything is feature-major: a batch of n rows is a matrix of n columns whose first row is ones, so a layer W' [1; x]
carries its bias in the first row of W, and one product gives the gradients of both. (On CPU this is the faster of
the layouts: no pass over the activations to add a bias or to sum its gradient.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

ALL = slice(None)
zero_where_not_positive = torch.ops.aten.threshold_backward.grad_input


class MLP:
    """A relu network whose weights are views of `flat`: per layer a matrix (1 + fan_in, fan_out), biases first.

    The first is stored transposed, as its gradient is then twice as fast to compute for a small fan_in. `sizes` are the
    widths from input to output, `flat` is (numel(sizes),). The last layer is linear. Raises ValueError if `flat` has
    another length.
    """

    def __init__(self, sizes: Sequence[int], flat: Tensor) -> None:
        if flat.shape != (self.numel(sizes),):
            raise ValueError(f"an MLP of {tuple(sizes)} has {self.numel(sizes)} parameters, got {tuple(flat.shape)}")
        self.sizes = tuple(sizes)
        shapes = [(1 + fan_in, fan_out) for fan_in, fan_out in pairwise(sizes)]
        parts = flat.split([rows * cols for rows, cols in shapes])
        self.weights = [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]
        self.weights[0] = parts[0].view(shapes[0][::-1]).t()
        self._hidden = [weight.t() for weight in self.weights[:-1]]
        self._last = self.weights[-1].t()

    @staticmethod
    def numel(sizes: Sequence[int]) -> int:
        """The number of parameters, biases included, of a network of these widths."""
        return sum((1 + fan_in) * fan_out for fan_in, fan_out in pairwise(sizes))

    def init(self, generator: torch.Generator) -> None:
        """Glorot uniform weights and zero biases: the Keras default, which MOPO's SAC (softlearning) keeps."""
        for weight in self.weights:
            fan_in, fan_out = weight.shape[0] - 1, weight.shape[1]
            bound = math.sqrt(6.0 / (fan_in + fan_out))
            weight[0].zero_()
            weight[1:].uniform_(-bound, bound, generator=generator)

    def forward(self, inputs: Tensor, tape: Tape, out: Tensor) -> Tensor:
        """Run `inputs` (1 + sizes[0], n), first row ones, into `out` (sizes[-1], n), hidden layers into `tape`."""
        for weight, full, body in zip(self._hidden, tape.full, tape.body, strict=True):
            torch.mm(weight, inputs, out=body)
            body.relu_()
            inputs = full
        return torch.mm(self._last, inputs, out=out)

    def linears(self) -> list[torch.nn.Linear]:
        """Copies of the layers as `torch.nn.Linear` modules on the CPU."""
        layers = []
        for weight in self.weights:
            layer = torch.nn.Linear(weight.shape[0] - 1, weight.shape[1], dtype=weight.dtype)
            layer.weight.data.copy_(weight[1:].t())
            layer.bias.data.copy_(weight[0])
            layers.append(layer)
        return layers


class Affine(torch.nn.Module):
    """x -> offset + scale x, element by element; both (width,)."""

    offset: Tensor
    scale: Tensor

    def __init__(self, offset: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.register_buffer("offset", offset.clone())
        self.register_buffer("scale", scale.clone())

    def forward(self, x: Tensor) -> Tensor:
        return self.offset + self.scale * x


class Clip(torch.nn.Module):
    """x -> x clipped to [low, high], element by element; both (width,)."""

    low: Tensor
    high: Tensor

    def __init__(self, low: Tensor, high: Tensor) -> None:
        super().__init__()
        self.register_buffer("low", low.clone())
        self.register_buffer("high", high.clone())

    def forward(self, x: Tensor) -> Tensor:
        return torch.minimum(torch.maximum(x, self.low), self.high)


class Tape:
    """Hidden activations for n columns: per layer `full` (1 + width, n), first row ones, and `body` without it."""

    def __init__(self, hidden: Sequence[int], columns: int, like: Tensor) -> None:
        self.full = [like.new_ones(1 + width, columns) for width in hidden]
        self.body = [full[1:] for full in self.full]


class Backward:
    """The backward pass of `net` over the columns `back` of `tape`; weight gradients from the columns `fit` of those.

    The caller writes the loss's gradient at the output into `dout` (sizes[-1], columns of `back`) and calls the
    object: it overwrites `grads` (an MLP over the gradient's flat buffer) and leaves the gradient at the first
    layer's pre-activations in `.errors[0]`. `inputs` is the matrix that was given to `net.forward`, `scratch` the
    memory for errors (bodies of a tape of these columns), which several passes may share.
    """

    def __init__(
        self, net: MLP, grads: MLP, tape: Tape, inputs: Tensor, dout: Tensor, scratch: Tape, *,
        back: slice = ALL, fit: slice = ALL,
    ) -> None:  # fmt: skip
        self.errors = scratch.body
        above = [*self.errors, dout]
        self.products = [
            (source[:, back][:, fit], error[:, fit].t(), grad)
            for error, source, grad in zip(above, [inputs, *tape.full], grads.weights, strict=True)
        ]
        self.steps = [
            (net.weights[k + 1][1:], above[k + 1], self.errors[k], tape.body[k][:, back])
            for k in range(len(self.errors))
        ]

    def __call__(self) -> None:
        for weight, above, error, activation in reversed(self.steps):
            torch.mm(weight, above, out=error)
            zero_where_not_positive(error, activation, 0.0, grad_input=error)
        for source, error, grad in self.products:
            torch.mm(source, error, out=grad)
