"""Any number of Q networks side by side, as in REDQ (Chen et al. 2021, 2101.05982), with gradients written by hand.

What is a matrix in nn/mlp.py is a stack (networks, rows, columns) here, and every layer one batched product. With
`layer_norm` (Ba et al. 2016; before every relu of a critic, as in RLPD: Ball et al. 2023, 2302.02948) a hidden layer is

    relu(gain x + bias),   x = (z - mean z) / sqrt(var z + EPS),   moments over the layer's units, z its linear part.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from itertools import pairwise
from typing import Self

import torch
from torch import Tensor

from moore_engine.nn.mlp import MLP, zero_where_not_positive
from moore_engine.nn.twin_q import TwinQ

EPS = 1e-6
"""Of the variance: Flax's default, with which RLPD's authors ran."""


class QStack:
    """A view of `flat` (networks, numel): each row an MLP's parameters, then the norms' gains and biases by layer.

    `weights[k]` are (networks, 1 + fan_in, fan_out), `gains[k]` and `biases[k]` (networks, width, 1). `sizes` are the
    widths from input to output; the last layer is linear.
    """

    def __init__(self, sizes: Sequence[int], flat: Tensor, layer_norm: bool) -> None:
        linear, norms = flat.split([MLP.numel(sizes), flat.shape[1] - MLP.numel(sizes)], 1)
        self.nets = [MLP(sizes, row) for row in linear]
        shapes = [(1 + fan_in, fan_out) for fan_in, fan_out in pairwise(sizes)]
        parts = linear.split([rows * cols for rows, cols in shapes], 1)
        self.weights = [part.unflatten(1, shape) for part, shape in zip(parts, shapes, strict=True)]
        self.weights[0] = parts[0].unflatten(1, shapes[0][::-1]).transpose(1, 2)
        pairs = norms.split([2 * width for width in sizes[1:-1]], 1) if layer_norm else []
        self.gains, self.biases = ([pair.chunk(2, 1)[half].unsqueeze(2) for pair in pairs] for half in (0, 1))
        self._transposed = [weight.transpose(1, 2) for weight in self.weights]

    @staticmethod
    def numel(sizes: Sequence[int], layer_norm: bool) -> int:
        """The parameters of one network."""
        return MLP.numel(sizes) + (2 * sum(sizes[1:-1]) if layer_norm else 0)

    def forward(self, inputs: Tensor, tape: StackTape, out: Tensor) -> Tensor:
        """Run `inputs` (1 + sizes[0], n), first row ones, through every network into `out` (networks, 1, n)."""
        source = inputs.expand(len(self.nets), -1, -1)
        for k, weight in enumerate(self._transposed[:-1]):
            body = tape.body[k]
            if self.gains:
                normal = torch.bmm(weight, source, out=tape.normal[k])
                standardise(normal, tape.inverse[k], scratch=body)
                torch.mul(normal, self.gains[k], out=body).add_(self.biases[k])
            else:
                torch.bmm(weight, source, out=body)
            body.relu_()
            source = tape.full[k]
        return torch.bmm(self._transposed[-1], source, out=out)


def standardise(z: Tensor, inverse: Tensor, scratch: Tensor) -> None:
    """In place, z (networks, units, n) to mean 0 and variance 1 over the units; `inverse` (networks, 1, n) is filled
    with 1 / sqrt(var + EPS)."""
    torch.mean(z, 1, keepdim=True, out=inverse)
    z.sub_(inverse)
    torch.mul(z, z, out=scratch)
    torch.mean(scratch, 1, keepdim=True, out=inverse)
    z.mul_(inverse.add_(EPS).rsqrt_())


class Memory:
    """Lists of tensors whose first dimension is the networks."""

    def narrowed(self, networks: int) -> Self:
        """The same memory for the first `networks` networks."""
        view = copy(self)
        for name, tensors in vars(self).items():
            setattr(view, name, [each[:networks] for each in tensors])
        return view


class StackTape(Memory):
    """Hidden activations of `networks` networks for n columns, as a Tape's, but (networks, 1 + width, n).

    With `layer_norm` also the standardised linear parts `normal` and what they were scaled by, `inverse`.
    """

    def __init__(self, networks: int, hidden: Sequence[int], columns: int, layer_norm: bool, like: Tensor) -> None:
        self.full = [like.new_ones(networks, 1 + width, columns) for width in hidden]
        self.body = [full[:, 1:] for full in self.full]
        kept = hidden if layer_norm else ()
        self.normal = [like.new_zeros(networks, width, columns) for width in kept]
        self.inverse = [like.new_zeros(networks, 1, columns) for _ in kept]


class StackScratch(Memory):
    """Memory for a backward pass, which several may share: `errors` and, with norms, `products`, one a hidden layer."""

    def __init__(self, tape: StackTape) -> None:
        self.errors = [torch.zeros_like(body, memory_format=torch.contiguous_format) for body in tape.body]
        self.products = [torch.zeros_like(normal) for normal in tape.normal]
        self.gains = [normal.new_zeros(normal.shape[0], 1, normal.shape[1]) for normal in tape.normal]
        self.means = [torch.zeros_like(inverse) for inverse in tape.inverse]
        self.projections = [torch.zeros_like(inverse) for inverse in tape.inverse]


class StackBackward:
    """The backward pass of a stack over all columns of `tape`; parameters' gradients from the first `fit` of them.

    The caller writes the loss's gradient at the outputs into `dout` (networks, 1, columns) and calls the object: it
    overwrites `grads` (a stack over the gradient) and leaves the gradient at the first layer's linear part, of every
    network, in `.errors[0]` (networks, width, columns).
    """

    def __init__(
        self, stack: QStack, grads: QStack, tape: StackTape, inputs: Tensor, dout: Tensor, scratch: StackScratch, *,
        fit: int,
    ) -> None:  # fmt: skip
        self.stack, self.grads, self.tape, self.scratch, self.fit = stack, grads, tape, scratch, fit
        self.errors = scratch.errors
        above = [*self.errors, dout]
        sources = [inputs.expand(len(stack.nets), -1, -1), *tape.full]
        self.products = [
            (source[:, :, :fit], error[:, :, :fit].transpose(1, 2), grad)
            for error, source, grad in zip(above, sources, grads.weights, strict=True)
        ]
        self.steps = [(stack.weights[k + 1][:, 1:], above[k + 1], self.errors[k]) for k in range(len(self.errors))]

    def __call__(self) -> None:
        for k, (weight, above, error) in reversed(list(enumerate(self.steps))):
            torch.bmm(weight, above, out=error)
            zero_where_not_positive(error, self.tape.body[k], 0.0, grad_input=error)
            if self.stack.gains:
                self._through_norm(k, error)
        for source, error, grad in self.products:
            torch.bmm(source, error, out=grad)

    def _through_norm(self, k: int, error: Tensor) -> None:
        """With e the gradient at gain x + bias and g = gain e: dz = (g - mean g - x mean(g x)) / sqrt(var z + EPS)."""
        normal, scratch, product = self.tape.normal[k], self.scratch, self.scratch.products[k]
        torch.mul(error, normal, out=product)
        torch.sum(product[:, :, : self.fit], 2, keepdim=True, out=self.grads.gains[k])
        torch.sum(error[:, :, : self.fit], 2, keepdim=True, out=self.grads.biases[k])
        gain = torch.mul(self.stack.gains[k].transpose(1, 2), 1.0 / error.shape[1], out=scratch.gains[k])
        mean = torch.bmm(gain, error, out=scratch.means[k])
        projection = torch.bmm(gain, product, out=scratch.projections[k])
        torch.mul(normal, projection, out=product)
        error.mul_(self.stack.gains[k]).sub_(mean).sub_(product).mul_(self.tape.inverse[k])


class QEnsemble(TwinQ):
    """`critics` networks (obs, action) -> value and their targets, over the flat `params` and `target`.

    `stacks` and `grad_stacks` are over the networks and their gradient, `group` networks in each; `picked` are over a
    copy of those targets, `subset` of them, that `pick` was told to take.
    """

    def __init__(
        self, obs_dim: int, action_dim: int, hidden: Sequence[int], like: Tensor, *,
        critics: int, subset: int, layer_norm: bool, group: int,
    ) -> None:  # fmt: skip
        self.sizes = (obs_dim + action_dim, *hidden, 1)
        numel = QStack.numel(self.sizes, layer_norm)
        self.params, self.grads, self.target = (like.new_zeros(critics * numel) for _ in range(3))
        self._rows, self._copy = self.target.view(critics, numel), like.new_zeros(subset, numel)
        self.stacks, self.grad_stacks, self.picked, targets = (
            [QStack(self.sizes, part, layer_norm) for part in rows.split(group)]
            for rows in (self.params.view(critics, numel), self.grads.view(critics, numel), self._copy, self._rows)
        )
        self.nets, self.grad_nets, self.targets = (
            [net for stack in stacks for net in stack.nets] for stacks in (self.stacks, self.grad_stacks, targets)
        )

    def init(self, generator: torch.Generator) -> None:
        """Draw the weights one network after the other, as twins do; the norms start as the identity."""
        super().init(generator)
        for stack in self.stacks:
            for gain in stack.gains:
                gain.fill_(1.0)

    def pick(self, index: Tensor) -> None:
        """Copy the targets `index` (subset,) into `picked`."""
        torch.index_select(self._rows, 0, index, out=self._copy)
