"""The hand-written ensemble against a plain loop over members with autograd, in float64."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import softplus

from moore_engine.nn.ensemble import Ensemble
from moore_engine.streams import generator

DECAYS = (2.5e-5, 5e-5, 7.5e-5)


def make(
    members: int = 3,
    dtype: torch.dtype = torch.float64,
    seed: int = 0,
    lr: float = 1e-3,
    decays: tuple[float, ...] = DECAYS,
) -> Ensemble:
    ensemble = Ensemble(
        4,
        3,
        members=members,
        hidden=(8, 6),
        lr=lr,
        weight_decays=decays,
        dtype=dtype,
        generator=generator(seed, "init"),
    )
    draws = generator(seed, "unlike the start")
    ensemble.params.add_(0.1 * torch.randn(ensemble.params.shape, generator=draws, dtype=dtype))
    ensemble.in_mean.copy_(torch.randn(4, generator=draws))
    ensemble.in_std.copy_(torch.rand(4, generator=draws) + 0.5)
    return ensemble


def data(members: int = 3, count: int = 16, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    draws = generator(5, "data")
    return (
        torch.randn(members, count, 4, generator=draws, dtype=dtype),
        torch.randn(members, count, 3, generator=draws, dtype=dtype),
    )


def plain_member(ensemble: Ensemble, params: Tensor, member: int, x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and clamped log-variance of one member, written as the formula reads."""
    weights, biases, max_logvar, min_logvar = ensemble.views(params)
    h = (x - ensemble.in_mean) / ensemble.in_std
    for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        h = h @ weight[member] + bias[member]
        if layer < len(weights) - 1:
            h = h / (1 + torch.exp(-h))
    mean, logvar = h[:, : ensemble.out_dim], h[:, ensemble.out_dim :]
    logvar = max_logvar - softplus(max_logvar - logvar, threshold=1000)
    return mean, min_logvar + softplus(logvar - min_logvar, threshold=1000)


def plain_loss(ensemble: Ensemble, params: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
    """The loss of the class docstring, without its decay term."""
    _, _, max_logvar, min_logvar = ensemble.views(params)
    loss = 0.01 * (max_logvar.sum() - min_logvar.sum())
    for m in range(ensemble.members):
        mean, logvar = plain_member(ensemble, params, m, inputs[m])
        loss = loss + ((mean - targets[m]) ** 2 * torch.exp(-logvar) + logvar).mean()
    return loss


def plain_decay(ensemble: Ensemble, params: Tensor) -> Tensor:
    weights = ensemble.views(params)[0]
    return sum((d * 0.5 * (w**2).sum() for d, w in zip(DECAYS, weights, strict=True)), torch.zeros(()))


@pytest.mark.parametrize("count", [16, 1, 7])
def test_loss_and_gradient_equal_a_plain_loop_over_members(count: int) -> None:
    ensemble = make()
    inputs, targets = data(count=count)
    params = ensemble.params.clone().requires_grad_()
    loss = plain_loss(ensemble, params, inputs, targets)
    (expected,) = torch.autograd.grad(loss, params)
    torch.testing.assert_close(ensemble.gradient(inputs, targets), loss.detach(), rtol=1e-12, atol=0.0)
    torch.testing.assert_close(ensemble.grads, expected, rtol=1e-9, atol=1e-13)


def test_gradient_is_right_where_the_log_variance_presses_on_a_bound() -> None:
    ensemble = make()
    ensemble.biases[-1][:, :, 3:] = torch.tensor([30.0, -40.0, 0.4], dtype=torch.float64)
    inputs, targets = data()
    params = ensemble.params.clone().requires_grad_()
    loss = plain_loss(ensemble, params, inputs, targets)
    (expected,) = torch.autograd.grad(loss, params)
    torch.testing.assert_close(ensemble.gradient(inputs, targets), loss.detach(), rtol=1e-12, atol=0.0)
    torch.testing.assert_close(ensemble.grads, expected, rtol=1e-8, atol=1e-13)


def test_training_steps_equal_plain_adam_on_the_loss_with_its_decay_term() -> None:
    ensemble = make(lr=1e-2)
    inputs, targets = data()
    params = ensemble.params.clone().requires_grad_()
    first, second = torch.zeros_like(params), torch.zeros_like(params)
    for step in range(1, 6):
        loss = plain_loss(ensemble, params, inputs, targets) + plain_decay(ensemble, params)
        (grad,) = torch.autograd.grad(loss, params)
        first, second = 0.9 * first + 0.1 * grad, 0.999 * second + 0.001 * grad**2
        update = (first / (1 - 0.9**step)) / ((second / (1 - 0.999**step)).sqrt() + 1e-8)
        params = (params - 1e-2 * update).detach().requires_grad_()
        ensemble.train_step(inputs, targets)
    torch.testing.assert_close(ensemble.params, params.detach(), rtol=1e-8, atol=1e-10)
    torch.testing.assert_close(ensemble.exp_avg, first, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("count", [1, 5, 23])
@pytest.mark.parametrize("threads", [1, 2, 9])
def test_forward_equals_the_formula_of_every_member_whatever_the_chunk_and_threads(
    count: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    ensemble = make(members=7)
    x = data(members=1, count=count)[0][0]
    mean, var = ensemble.forward(x, chunk=4)
    for m in range(7):
        expected_mean, expected_logvar = plain_member(ensemble, ensemble.params, m, x)
        torch.testing.assert_close(mean[m], expected_mean, rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(var[m], expected_logvar.exp(), rtol=1e-10, atol=1e-12)


def test_log_variance_stays_between_its_bounds() -> None:
    ensemble = make()
    raw = torch.linspace(-1e3, 1e3, 2001, dtype=torch.float64)[:, None].expand(-1, 3)
    logvar = ensemble.variance(raw)[0].log()
    assert (logvar > ensemble.min_logvar - 1e-9).all()
    assert (logvar < torch.log(ensemble.max_logvar.exp() + ensemble.min_logvar.exp()) + 1e-9).all()
    assert (logvar.diff(dim=0) >= 0).all()


def test_initial_weights_are_truncated_normal_and_biases_zero() -> None:
    ensemble = Ensemble(16, 2, members=7, hidden=(200, 200), weight_decays=DECAYS, generator=generator(1, "init"))
    for fan_in, weight, bias in zip((16, 200, 200), ensemble.weights, ensemble.biases, strict=True):
        std = 1 / (2 * math.sqrt(fan_in))
        assert weight.abs().max() <= 2 * std
        assert weight.std() == pytest.approx(0.87963 * std, rel=0.05)
        assert not bias.any()
    assert ensemble.max_logvar.tolist() == [0.5, 0.5]
    assert ensemble.min_logvar.tolist() == [-10.0, -10.0]


def test_members_are_independent_and_start_apart() -> None:
    ensemble = make()
    inputs, targets = data()
    ensemble.gradient(inputs, targets)
    before = [w[1].clone() for w in ensemble.views(ensemble.grads)[0]]
    inputs[2] += 1.0
    ensemble.gradient(inputs, targets)
    after = ensemble.views(ensemble.grads)[0]
    assert all(torch.equal(b, a[1]) for b, a in zip(before, after, strict=True))
    assert not torch.equal(ensemble.weights[0][0], ensemble.weights[0][1])


def test_rewriting_the_input_scaler_changes_no_output() -> None:
    ensemble = make(members=7, dtype=torch.float32)
    x = data(members=1, count=64, dtype=torch.float32)[0][0]
    before = ensemble.forward(x)
    ensemble.rewrite_input(torch.tensor([1.0, -2.0, 0.3, 0.0]), torch.tensor([0.2, 3.0, 1.0, 0.7]))
    for old, new in zip(before, ensemble.forward(x), strict=True):
        assert (new - old).abs().max() <= 1e-5 * old.abs().max()
    torch.testing.assert_close(ensemble.in_mean, torch.tensor([1.0, -2.0, 0.3, 0.0]))


def test_rewriting_scales_the_gradient_as_it_scales_the_moments() -> None:
    ensemble = make()
    inputs, targets = data()
    ensemble.gradient(inputs, targets)
    old = ensemble.grads.clone()
    ensemble.exp_avg.copy_(old)
    ensemble.exp_avg_sq.copy_(old**2)
    ensemble.rewrite_input(ensemble.in_mean.clone(), ensemble.in_std * torch.tensor([2.0, 0.25, 3.0, 1.0]))
    ensemble.gradient(inputs, targets)
    torch.testing.assert_close(ensemble.exp_avg, ensemble.grads, rtol=1e-7, atol=1e-12)
    torch.testing.assert_close(ensemble.exp_avg_sq, ensemble.grads**2, rtol=1e-7, atol=1e-12)
    assert not torch.allclose(old, ensemble.grads)


def test_adams_next_step_is_the_same_after_a_rewrite_that_moves_no_mean() -> None:
    """Adam's step m / sqrt(v) is free of scale: exact but for its epsilon and for the decay, left out here."""
    steps = []
    for factor in (torch.ones(4), torch.tensor([2.0, 0.25, 3.0, 1.0])):
        ensemble = make(decays=(0.0, 0.0, 0.0))
        inputs, targets = data()
        for _ in range(5):
            ensemble.train_step(inputs, targets)
        ensemble.rewrite_input(ensemble.in_mean.clone(), ensemble.in_std * factor)
        before = ensemble.params.clone()
        ensemble.train_step(inputs, targets)
        steps.append(ensemble.params - before)
    torch.testing.assert_close(steps[1], steps[0], rtol=0.0, atol=1e-4 * 1e-3)


def test_loaded_state_goes_on_bit_for_bit() -> None:
    inputs, targets = data(dtype=torch.float32)
    ensemble, other = make(dtype=torch.float32), make(dtype=torch.float32, seed=1)
    for _ in range(3):
        ensemble.train_step(inputs, targets)
    state = ensemble.state_dict()
    ensemble.train_step(inputs, targets)
    other.load_state_dict(state)
    other.train_step(inputs, targets)
    mine, theirs = ensemble.state_dict(), other.state_dict()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)


def test_state_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="networks, hidden sizes and task"):
        make(members=3).load_state_dict(make(members=4).state_dict())
