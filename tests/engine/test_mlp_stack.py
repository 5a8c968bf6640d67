"""Stacked networks against the same networks alone."""

from __future__ import annotations

import pytest
import torch

from moore_engine.nn.mlp import MLP, Backward, Tape
from moore_engine.nn.mlp_stack import MLPStack, StackBackward, StackTape

F64 = torch.float64
MEMBERS, COLUMNS = 3, 12


def stack(sizes: tuple[int, ...], seed: int = 0) -> MLPStack:
    net = MLPStack(sizes, torch.zeros(MEMBERS, MLP.numel(sizes), dtype=F64))
    net.flat.uniform_(-0.7, 0.7, generator=torch.Generator().manual_seed(seed))
    return net


@pytest.mark.parametrize("hidden", [(7,), (30, 20), (5, 9, 4)])
@pytest.mark.parametrize(("back", "fit"), [(slice(None), slice(None)), (slice(2, 10), slice(1, 5))])
def test_values_and_gradients_of_every_member_are_those_of_it_alone(
    hidden: tuple[int, ...], back: slice, fit: slice
) -> None:
    sizes, draw = (3, *hidden, 2), torch.Generator().manual_seed(1)
    net = stack(sizes)
    grads = MLPStack(sizes, torch.full_like(net.flat, torch.nan))
    inputs = torch.cat([torch.ones(1, COLUMNS, dtype=F64), torch.randn(3, COLUMNS, dtype=F64, generator=draw)])
    dout = torch.randn(MEMBERS, 2, COLUMNS, dtype=F64, generator=draw)[..., back].contiguous()
    tape, out = StackTape(MEMBERS, hidden, COLUMNS, inputs), torch.empty(MEMBERS, 2, COLUMNS, dtype=F64)
    scratch = StackTape(MEMBERS, hidden, dout.shape[2], inputs)
    backward = StackBackward(net, grads, tape, inputs, dout, scratch, back=back, fit=fit)
    net.forward(inputs, tape, out)
    backward()
    for k, alone in enumerate(net.members_alone()):
        one_tape, one_out = Tape(hidden, COLUMNS, inputs), torch.empty(2, COLUMNS, dtype=F64)
        flat = torch.zeros(MLP.numel(sizes), dtype=F64)
        one = Backward(
            alone, MLP(sizes, flat), one_tape, inputs, dout[k], Tape(hidden, dout.shape[2], inputs), back=back, fit=fit
        )
        torch.testing.assert_close(out[k], alone.forward(inputs, one_tape, one_out))
        one()
        torch.testing.assert_close(grads.flat[k], flat)
        torch.testing.assert_close(backward.errors[0][k], one.errors[0])


def test_a_member_is_a_row_of_the_same_memory() -> None:
    net = stack((3, 4, 1))
    net.members_alone()[1].weights[0][1:].fill_(9.0)
    assert (net.weights[0][1, 1:] == 9.0).all()
    assert not (net.weights[0][0] == 9.0).any()


def test_parameters_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"are \(M, 21\) parameters, got \(21,\)"):
        MLPStack((3, 4, 1), torch.zeros(21))
