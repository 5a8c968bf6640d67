"""Relu networks of equal widths side by side, each layer one batched product, with hand-written gradients.

The members' form of nn/mlp.py: the same feature-major layout and the same row of ones, with the members in front.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, bmm

from moore_engine.nn.mlp import ALL, MLP, zero_where_not_positive


class MLPStack:
    """M networks over `flat` (M, MLP.numel(sizes)), each row laid out as MLP's parameters, so rows copy as they are.

    `.weights` are per layer (M, 1 + fan_in, fan_out), biases first. Raises ValueError if `flat` has another shape.
    """

    def __init__(self, sizes: Sequence[int], flat: Tensor) -> None:
        if flat.dim() != 2 or flat.shape[1] != MLP.numel(sizes):
            raise ValueError(
                f"members of {tuple(sizes)} are (M, {MLP.numel(sizes)}) parameters, got {tuple(flat.shape)}"
            )
        self.sizes, self.members, self.flat = tuple(sizes), flat.shape[0], flat
        shapes = [(1 + fan_in, fan_out) for fan_in, fan_out in pairwise(sizes)]
        parts = flat.split([rows * cols for rows, cols in shapes], 1)
        self.weights = [part.unflatten(1, shape) for part, shape in zip(parts, shapes, strict=True)]
        self.weights[0] = parts[0].unflatten(1, shapes[0][::-1]).transpose(1, 2)
        self._across = [weight.transpose(1, 2) for weight in self.weights]

    def forward(self, inputs: Tensor, tape: StackTape, out: Tensor) -> Tensor:
        """Run `inputs` (1 + sizes[0], n), the same for all, into `out` (M, sizes[-1], n), hidden layers into `tape`."""
        inputs = inputs.expand(self.members, -1, -1)
        for weight, full, body in zip(self._across[:-1], tape.full, tape.body, strict=True):
            bmm(weight, inputs, out=body)
            body.relu_()
            inputs = full
        return bmm(self._across[-1], inputs, out=out)

    def members_alone(self) -> list[MLP]:
        """Each member as a network of its own over its row of the same memory."""
        return [MLP(self.sizes, row) for row in self.flat]


class StackTape:
    """Hidden activations for n columns: per layer `full` (M, 1 + width, n), first row ones, and `body` without it."""

    def __init__(self, members: int, hidden: Sequence[int], columns: int, like: Tensor) -> None:
        self.full = [like.new_ones(members, 1 + width, columns) for width in hidden]
        self.body = [full[:, 1:] for full in self.full]


class StackBackward:
    """nn.mlp's Backward for members: `dout` (M, sizes[-1], columns of `back`), gradients into the stack `grads`.

    `.errors[0]` (M, width, columns of `back`) is the gradient at the first layer's pre-activations.
    """

    def __init__(
        self, net: MLPStack, grads: MLPStack, tape: StackTape, inputs: Tensor, dout: Tensor, scratch: StackTape, *,
        back: slice = ALL, fit: slice = ALL,
    ) -> None:  # fmt: skip
        self.errors = scratch.body
        above = [*self.errors, dout]
        shared = inputs.expand(net.members, -1, -1)
        self.products = [
            (source[..., back][..., fit], error[..., fit].transpose(1, 2), grad)
            for error, source, grad in zip(above, [shared, *tape.full], grads.weights, strict=True)
        ]
        self.steps = [
            (net.weights[k + 1][:, 1:], above[k + 1], self.errors[k], tape.body[k][..., back])
            for k in range(len(self.errors))
        ]

    def __call__(self) -> None:
        for weight, above, error, activation in reversed(self.steps):
            bmm(weight, above, out=error)
            zero_where_not_positive(error, activation, 0.0, grad_input=error)
        for source, error, grad in self.products:
            bmm(source, error, out=grad)
