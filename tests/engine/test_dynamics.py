"""Dynamics: predictions and u against direct formulas on all members, the input scaler, and what is refused."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from moore_engine.dynamics import Dynamics, Moments, mix_moments
from moore_engine.streams import generator

OBS, ACTION = 4, 2


def make(**options: Any) -> Dynamics:
    options = {"hidden": (12, 10), "weight_decays": (0.0,) * 3} | options
    dynamics = Dynamics(OBS, ACTION, generator=generator(0, "init"), **options)
    draws = generator(1, "params")
    params = dynamics.ensemble.params
    params.add_(0.2 * torch.randn(params.shape, generator=draws, dtype=params.dtype))
    return dynamics


def inputs(n: int = 9) -> tuple[Tensor, Tensor]:
    draws = generator(2, "inputs")
    return torch.randn(n, OBS, generator=draws), torch.rand(n, ACTION, generator=draws) * 2 - 1


def direct(dynamics: Dynamics, obs: Tensor, action: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Mean and std of every member, one member and one layer at a time in float64."""
    e = dynamics.ensemble
    means, stds = [], []
    for m in range(e.members):
        h = (torch.cat([obs, action], 1).double() - e.in_mean.double()) / e.in_std.double()
        for weight, bias in zip(e.weights, e.biases, strict=True):
            out = h @ weight[m].double() + bias[m].double()
            h = out * torch.sigmoid(out)
        top, low = e.max_logvar.double(), e.min_logvar.double()
        logvar = top - torch.log1p(torch.exp(top - out[:, OBS + 1 :]))
        logvar = low + torch.log1p(torch.exp(logvar - low))
        means.append(out[:, : OBS + 1])
        stds.append(torch.exp(logvar / 2))
    return means, stds


def test_predict_equals_the_formula_on_all_seven_members() -> None:
    dynamics = make()
    obs, action = inputs()
    dynamics.set_scaler(torch.arange(6.0), torch.arange(1.0, 7.0))
    mean, std = dynamics.predict(obs, action)
    assert mean.shape == std.shape == (7, 9, OBS + 1)
    means, stds = direct(dynamics, obs, action)
    for m in range(7):
        torch.testing.assert_close(mean[m].double(), means[m], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(std[m].double(), stds[m], rtol=1e-4, atol=1e-6)


def test_u_is_the_largest_norm_of_the_std_over_all_members_elite_or_not() -> None:
    dynamics = make()
    obs, action = inputs()
    _, stds = direct(dynamics, obs, action)
    norms = torch.stack([(s**2).sum(1).sqrt() for s in stds])
    u = dynamics.uncertainty(*dynamics.predict(obs, action))
    torch.testing.assert_close(u.double(), norms.max(0).values, rtol=1e-4, atol=1e-6)
    worst = int(norms[:, 0].argmax())
    dynamics.elites = torch.tensor([m for m in range(7) if m != worst][:5])
    assert torch.equal(dynamics.uncertainty(*dynamics.predict(obs, action)), u)


def test_pairwise_u_is_the_largest_distance_between_two_means() -> None:
    dynamics = make(penalty="pairwise")
    obs, action = inputs()
    means, _ = direct(dynamics, obs, action)
    expected = torch.stack([(a - b).norm(dim=1) for a, b in itertools.combinations(means, 2)]).max(0).values
    torch.testing.assert_close(
        dynamics.uncertainty(*dynamics.predict(obs, action)).double(), expected, rtol=1e-4, atol=1e-5
    )


def test_ensemble_std_u_is_the_norm_of_the_spread_of_the_means() -> None:
    dynamics = make(penalty="ensemble_std")
    obs, action = inputs()
    means, _ = direct(dynamics, obs, action)
    expected = torch.stack(means).std(0, unbiased=False).norm(dim=1)
    torch.testing.assert_close(
        dynamics.uncertainty(*dynamics.predict(obs, action)).double(), expected, rtol=1e-4, atol=1e-5
    )


def test_targets_are_the_raw_change_of_observation_and_the_raw_reward() -> None:
    dynamics = make()
    rows = torch.arange(24.0).reshape(2, 12)
    x, y = dynamics.examples(rows)
    assert x.tolist() == [[0, 1, 2, 3, 4, 5], [12, 13, 14, 15, 16, 17]]
    assert y.tolist() == [[6, 6, 6, 6, 10], [6, 6, 6, 6, 22]]
    assert rows[0, 6] == 6.0


def table(n: int = 1000, shift: float = 0.0) -> Tensor:
    rows = torch.randn(n, 2 * OBS + ACTION + 2, generator=generator(4, "rows")) * torch.linspace(0.1, 5.0, 12) + shift
    rows[:, 1] = 7.3
    return rows


def test_input_moments_are_those_of_the_chosen_rows_even_far_from_zero() -> None:
    dynamics, rows = make(), table(shift=1e4)
    index = torch.arange(0, 1000, 3)
    moments = dynamics.input_moments(rows, index, chunk=100)
    chosen = rows[index, :6].double()
    torch.testing.assert_close(moments.mean, chosen.mean(0), rtol=1e-12, atol=0.0)
    torch.testing.assert_close(moments.var, chosen.var(0, unbiased=False), rtol=1e-9, atol=1e-18)


def test_mixed_moments_are_those_of_rows_weighted_by_stratum() -> None:
    dynamics = make()
    rows = torch.cat([table(600), table(300, shift=2.0)])
    off, on = torch.arange(600), torch.arange(600, 900)
    mean, std = mix_moments([(dynamics.input_moments(rows, off), 0.3), (dynamics.input_moments(rows, on), 0.7)])
    weight = torch.cat([torch.full((600,), 0.3 / 600), torch.full((300,), 0.7 / 300)]).double()[:, None]
    x = rows[:, :6].double()
    expected = (weight * x).sum(0)
    torch.testing.assert_close(mean, expected)
    torch.testing.assert_close(std, (weight * (x - expected) ** 2).sum(0).sqrt(), rtol=1e-7, atol=1e-6)
    alone = mix_moments([(dynamics.input_moments(rows, off), 1.0), (Moments(mean * torch.nan, std), 0.0)])
    torch.testing.assert_close(alone[0], x[:600].mean(0))


def test_a_constant_input_is_scaled_by_one() -> None:
    dynamics = make()
    mean, std = mix_moments([(dynamics.input_moments(table(), torch.arange(1000)), 1.0)])
    dynamics.set_scaler(mean, std)
    assert dynamics.ensemble.in_std[1] == 1.0 and dynamics.ensemble.in_mean[1] == pytest.approx(7.3)
    torch.testing.assert_close(dynamics.ensemble.in_std[2:], std[2:].float())
    dynamics.refit_scaler(mean, std)
    assert dynamics.ensemble.in_std[1] == 1.0


@pytest.mark.parametrize("shift", [0.0, 0.5, 30.0])
def test_refitting_the_scaler_changes_no_prediction(shift: float) -> None:
    dynamics = make(hidden=(200, 200))
    obs, action = inputs(200)
    dynamics.set_scaler(torch.zeros(6), torch.full((6,), 2.0))
    before = dynamics.predict(obs, action)
    mean = torch.full((6,), shift)
    dynamics.refit_scaler(mean, torch.tensor([0.5, 1.0, 3.0, 2.5, 0.1, 9.0]))
    torch.testing.assert_close(dynamics.ensemble.in_mean, mean)
    for old, new in zip(before, dynamics.predict(obs, action), strict=True):
        assert (old - new).norm() <= 1e-5 * (1 + shift) * old.norm()


def test_unknown_options_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="pairwise"):
        make(penalty="maxstd")
    with pytest.raises(ValueError, match="elites"):
        make(networks=3, elites=4)
    with pytest.raises(ValueError, match="weight decays"):
        make(hidden=(8,))


def test_state_survives_a_round_trip() -> None:
    dynamics, other = (
        make(),
        Dynamics(OBS, ACTION, hidden=(12, 10), weight_decays=(0.0,) * 3, generator=generator(8, "init")),
    )
    dynamics.set_scaler(torch.ones(6), torch.full((6,), 2.0))
    dynamics.elites = torch.tensor([0, 2, 3, 5, 6])
    other.load_state_dict(dynamics.state_dict())
    obs, action = inputs()
    assert all(
        torch.equal(a, b) for a, b in zip(dynamics.predict(obs, action), other.predict(obs, action), strict=True)
    )
    assert other.elites.tolist() == [0, 2, 3, 5, 6] and not other.fitting
