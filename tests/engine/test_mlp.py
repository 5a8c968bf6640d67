"""The flat MLP against torch's own layers and autograd, and the flat Adam against torch.optim."""

from __future__ import annotations

import math

import pytest
import torch

from moore_engine.nn.flat_adam import FlatAdam
from moore_engine.nn.mlp import MLP, Backward, Tape

F64 = torch.float64


def network(sizes: tuple[int, ...], seed: int = 0) -> tuple[MLP, torch.Tensor]:
    flat = torch.zeros(MLP.numel(sizes), dtype=F64)
    net, generator = MLP(sizes, flat), torch.Generator().manual_seed(seed)
    net.init(generator)
    for weight in net.weights:
        weight[0].uniform_(-0.5, 0.5, generator=generator)
    return net, flat


def columns(rows: torch.Tensor) -> torch.Tensor:
    return torch.cat([torch.ones(1, rows.shape[0], dtype=rows.dtype), rows.t()])


@pytest.mark.parametrize("hidden", [(7,), (8, 6), (5, 9, 4)])
def test_forward_is_that_of_linear_layers_with_relu_between(hidden: tuple[int, ...]) -> None:
    net, _ = network((3, *hidden, 2))
    rows = torch.randn(11, 3, dtype=F64, generator=torch.Generator().manual_seed(1))
    expected = rows
    for layer in net.linears()[:-1]:
        expected = torch.relu(layer(expected))
    expected = net.linears()[-1](expected)
    out = torch.empty(2, 11, dtype=F64)
    net.forward(columns(rows), Tape(hidden, 11, out), out)
    torch.testing.assert_close(out.t(), expected.detach())


@pytest.mark.parametrize("hidden", [(7,), (8, 6), (5, 9, 4)])
@pytest.mark.parametrize(
    ("back", "fit"), [(slice(None), slice(None)), (slice(2, 10), slice(None)), (slice(None), slice(0, 5))]
)
def test_gradients_of_every_parameter_are_autograds(hidden: tuple[int, ...], back: slice, fit: slice) -> None:
    sizes, n = (3, *hidden, 2), 12
    net, flat = network(sizes)
    generator = torch.Generator().manual_seed(1)
    rows, dout = torch.randn(n, 3, dtype=F64, generator=generator), torch.randn(2, n, dtype=F64, generator=generator)
    inputs, out, tape = columns(rows), torch.empty(2, n, dtype=F64), Tape(hidden, n, flat)
    grads = torch.zeros_like(flat)
    dout = dout[:, back].contiguous()
    backward = Backward(
        net, MLP(sizes, grads), tape, inputs, dout, Tape(hidden, dout.shape[1], flat), back=back, fit=fit
    )
    net.forward(inputs, tape, out)
    backward()

    leaf = flat.clone().requires_grad_()
    parts = leaf.split([weight.numel() for weight in net.weights])
    weights = [part.view(weight.shape) for part, weight in zip(parts, net.weights, strict=True)]
    weights[0] = parts[0].view(net.weights[0].shape[::-1]).t()
    x = first = weights[0].t() @ inputs[:, back]
    for weight in weights[1:]:
        x = weight[1:].t() @ torch.relu(x) + weight[0][:, None]
    (first_error,) = torch.autograd.grad((x * dout).sum(), first, retain_graph=True)
    (expected,) = torch.autograd.grad((x * dout)[:, fit].sum(), leaf)
    torch.testing.assert_close(grads, expected)
    torch.testing.assert_close(backward.errors[0], first_error)


def test_initial_weights_are_glorot_uniform_with_zero_biases() -> None:
    sizes = (30, 200, 20)
    net = MLP(sizes, torch.zeros(MLP.numel(sizes)))
    net.init(torch.Generator().manual_seed(0))
    for weight, fan_sum in zip(net.weights, (230, 220), strict=True):
        bound = math.sqrt(6 / fan_sum)
        assert not weight[0].any()
        assert weight[1:].abs().max() <= bound
        assert weight[1:].std().item() == pytest.approx(bound / math.sqrt(3), rel=0.03)


def test_a_flat_buffer_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="has 26 parameters"):
        MLP((3, 4, 2), torch.zeros(25))


def test_flat_adam_is_torch_adam_over_many_steps_and_a_changed_rate() -> None:
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(50, dtype=F64, generator=generator)
    params, grads, steps = start.clone(), torch.zeros(50, dtype=F64), torch.zeros(())
    adam = FlatAdam(params, grads, steps, 1e-2)
    leaf = torch.nn.Parameter(start.clone())
    reference = torch.optim.Adam([leaf], lr=1e-2)
    for k in range(30):
        if k == 20:
            adam.lr.fill_(3e-3)
            reference.param_groups[0]["lr"] = 3e-3
        grads.copy_(torch.randn(50, dtype=F64, generator=generator) * 10.0**-k)
        leaf.grad = grads.clone()
        steps.add_(1)
        adam.step()
        reference.step()
        torch.testing.assert_close(params, leaf.data, rtol=0, atol=1e-8)  # the rate is float32
