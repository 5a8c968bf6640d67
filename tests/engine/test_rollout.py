"""Model rollouts: what a row holds, which rows leave, and the statistics, on models small enough to know."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from moore_engine.buffers import Layout
from moore_engine.dynamics import Dynamics
from moore_engine.rollout import relative_uncertainty_error, rollout, uncertainty_and_reward
from moore_engine.streams import generator

OBS, ACTION = 2, 1
LAYOUT = Layout(OBS, ACTION)


def never(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
    return torch.zeros(len(obs), dtype=torch.bool)


def high(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
    return next_obs[:, 0] > 3.0


def act(obs: Tensor) -> Tensor:
    return torch.tanh(obs[:, :1])


def constant(changes: list[list[float]], logvar: float = -200.0, elites: int = 5) -> Dynamics:
    """Member m always predicts changes[m] = [ds, r]; with the default bounds its std is then e^-5."""
    dynamics = Dynamics(
        OBS, ACTION, networks=len(changes), elites=elites, hidden=(4,), weight_decays=(0.0, 0.0),
        generator=generator(0, "init"),
    )  # fmt: skip
    dynamics.ensemble.weights[1].zero_()
    bias = dynamics.ensemble.biases[1]
    bias[:, 0, : OBS + 1] = torch.tensor(changes)
    bias[:, 0, OBS + 1 :] = logvar
    return dynamics


def learned() -> Dynamics:
    dynamics = Dynamics(OBS, ACTION, hidden=(16, 16), weight_decays=(0.0,) * 3, generator=generator(0, "init"))
    params = dynamics.ensemble.params
    params.add_(0.3 * torch.randn(params.shape, generator=generator(1, "params")))
    return dynamics


def roll(dynamics: Dynamics, starts: Tensor, **options: Any) -> tuple[Tensor, dict[str, float]]:
    defaults: dict[str, Any] = {
        "length": 5, "penalty_coef": 0.5, "termination": high, "layout": LAYOUT, "generator": generator(7, "rollout"),
    }  # fmt: skip
    return rollout(dynamics, act, starts, **(defaults | options))


def starts(n: int = 64) -> Tensor:
    return torch.randn(n, OBS, generator=generator(3, "starts"))


def columns(rows: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    return (
        rows[:, LAYOUT.obs],
        rows[:, LAYOUT.action],
        rows[:, LAYOUT.next_obs],
        rows[:, LAYOUT.reward][:, 0],
        rows[:, LAYOUT.terminal][:, 0],
    )


def test_a_row_holds_the_policy_action_the_sampled_step_and_the_penalised_reward() -> None:
    dynamics = constant([[1.0, -1.0, 2.0]] * 7)
    rows, stats = roll(dynamics, torch.zeros(3, OBS), length=2, penalty_coef=10.0)
    obs, action, next_obs, reward, terminal = columns(rows)
    std = math.exp(-5.0)
    u = math.sqrt(3) * std
    assert rows.shape == (6, LAYOUT.width)
    torch.testing.assert_close(action, act(obs))
    assert torch.equal(obs[3:], next_obs[:3])
    assert ((next_obs - obs - torch.tensor([1.0, -1.0])).abs() < 6 * std).all()
    assert ((reward - (2.0 - 10 * u)).abs() < 6 * std).all()
    assert len(reward.unique()) == 6 and not terminal.any()
    assert stats["mean"] == pytest.approx(u, rel=1e-4) and stats["n"] == 6 and stats["dropped"] == 0
    assert stats["reward_penalised"] == pytest.approx(float(reward.mean()), rel=1e-5)
    assert stats["reward_raw"] == pytest.approx(float(reward.mean()) + 10 * u, rel=1e-5)


def test_steps_follow_each_elite_equally_often_and_no_other_member() -> None:
    dynamics = constant([[10.0 * m, 0.0, 0.0] for m in range(7)])
    dynamics.elites = torch.tensor([1, 2, 4, 5, 6])
    rows, _ = roll(dynamics, torch.zeros(5000, OBS), length=1, termination=never)
    member = (rows[:, LAYOUT.next_obs][:, 0] / 10).round().long()
    counts = torch.bincount(member, minlength=7)
    assert counts[[0, 3]].tolist() == [0, 0]
    chi2 = ((counts[dynamics.elites] - 1000.0) ** 2 / 1000.0).sum()
    assert chi2 < 18.5


def test_sampled_steps_have_the_predicted_mean_and_std() -> None:
    dynamics = constant([[0.5, -0.5, 1.0]] * 7, logvar=0.0)
    rows, _ = roll(dynamics, torch.zeros(20000, OBS), length=1, termination=never, penalty_coef=0.0)
    _, std = dynamics.predict(torch.zeros(1, OBS), torch.zeros(1, ACTION))
    sample = torch.cat([rows[:, LAYOUT.next_obs], rows[:, LAYOUT.reward]], 1)
    torch.testing.assert_close(sample.mean(0), torch.tensor([0.5, -0.5, 1.0]), rtol=0.0, atol=0.03)
    torch.testing.assert_close(sample.std(0), std[0, 0], rtol=0.03, atol=0.0)


def test_no_row_is_zero_and_none_follows_a_terminal_in_its_trajectory() -> None:
    dynamics = constant([[1.0, 0.25, 1.0]] * 7)
    first = starts(200)
    rows, stats = roll(dynamics, first, chunk=64)
    obs, _, next_obs, _, terminal = columns(rows)
    assert (rows.abs().sum(1) > 0).all() and torch.isfinite(rows).all()
    assert torch.equal(terminal.bool(), high(obs, obs, next_obs))
    assert 0 < terminal.sum() <= 200 and stats["n"] == len(rows) < 1000
    ended = {tuple(o) for o in next_obs[terminal.bool()].tolist()}
    begun = {tuple(o) for o in obs.tolist()}
    assert not ended & begun
    continued = {tuple(o) for o in next_obs[~terminal.bool()].tolist()} & begun
    heads = begun - {tuple(o) for o in next_obs.tolist()}
    assert heads == {tuple(o) for o in first.tolist()} and len(continued) == len(rows) - 200


def test_rows_end_at_the_step_their_trajectory_reaches_a_terminal() -> None:
    dynamics = constant([[1.0, 0.0, 1.0]] * 7)
    rows, _ = roll(dynamics, torch.tensor([[2.5, 0.0], [0.5, 0.0], [-9.0, 0.0]]), length=5)
    assert len(rows) == 1 + 3 + 5


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("penalty_coef", [0.0, 1.0])
def test_nothing_that_is_not_finite_enters_the_table(broken: float, penalty_coef: float) -> None:
    dynamics = constant([[1.0, 0.0, 1.0]] * 6 + [[broken, 0.0, 1.0]], elites=7)
    rows, stats = roll(dynamics, torch.zeros(300, OBS), penalty_coef=penalty_coef, termination=never)
    assert torch.isfinite(rows).all() and (rows.abs().sum(1) > 0).all()
    assert not rows[:, LAYOUT.terminal].any()
    assert stats["n"] == len(rows) and 0 < stats["dropped"] <= 300
    whole = int((rows[:, LAYOUT.next_obs][:, 0].round() == 5).sum())
    assert stats["dropped"] == 300 - whole and whole > 0
    assert all(math.isfinite(v) for v in stats.values())


def test_a_start_or_an_uncertainty_that_is_not_finite_is_dropped_too() -> None:
    dynamics = constant([[1.0, 0.0, 1.0]] * 7)
    begin = torch.zeros(4, OBS)
    begin[1, 1] = math.nan
    rows, stats = roll(dynamics, begin, length=2, termination=never)
    assert len(rows) == 6 and stats["dropped"] == 1
    dynamics.uncertainty = lambda mean, std: torch.full((mean.shape[1],), math.inf)  # type: ignore[method-assign]
    rows, stats = roll(dynamics, torch.zeros(4, OBS), penalty_coef=0.0)
    assert len(rows) == 0 and stats["dropped"] == 4 and math.isnan(stats["mean"])


def test_statistics_are_those_of_u_over_all_rows() -> None:
    dynamics = learned()
    rows, stats = roll(dynamics, starts(), penalty_coef=0.7, chunk=10)
    obs, action, _, reward, _ = columns(rows)
    u = dynamics.uncertainty(*dynamics.predict(obs, action))
    assert stats["mean"] == pytest.approx(float(u.mean()), rel=1e-4)
    for name, q in (("p20", 0.2), ("p80", 0.8)):
        assert stats[name] == pytest.approx(float(torch.quantile(u, q)), rel=1e-4)
    assert stats["reward_penalised"] == pytest.approx(float(reward.mean()), rel=1e-4)
    assert stats["reward_raw"] == pytest.approx(float((reward + 0.7 * u).mean()), rel=1e-4)


def test_the_chunk_size_does_not_change_the_law() -> None:
    dynamics = learned()
    results = [roll(dynamics, starts(16).repeat(250, 1), chunk=chunk)[0] for chunk in (4000, 333)]
    lengths = [len(r) for r in results]
    assert abs(lengths[0] - lengths[1]) < 0.02 * lengths[0]
    for step_rows in zip(*(columns(r)[2:4] for r in results), strict=True):
        a, b = (x.reshape(len(x), -1) for x in step_rows)
        error = (a.var(0) / len(a) + b.var(0) / len(b)).sqrt()
        assert ((a.mean(0) - b.mean(0)).abs() < 5 * error).all()


def test_a_tick_comes_after_each_chunk_and_equal_keys_give_equal_rows() -> None:
    dynamics, ticks = learned(), []
    first, _ = roll(dynamics, starts(50), chunk=20, tick=lambda: ticks.append(1))
    again, _ = roll(dynamics, starts(50), chunk=20)
    other, _ = roll(dynamics, starts(50), chunk=20, generator=generator(8, "rollout"))
    assert len(ticks) == 3 and torch.equal(first, again) and not torch.equal(first[: len(other)], other[: len(first)])


def test_relative_uncertainty_error_compares_two_models_on_equal_rollouts() -> None:
    options: dict[str, Any] = {"length": 3, "termination": never, "layout": LAYOUT}
    measured = []
    for logvar in (-200.0, 0.0):
        dynamics = constant([[0.1, 0.0, -2.0]] * 7, logvar=logvar)
        measured.append(
            uncertainty_and_reward(dynamics, act, torch.zeros(2000, OBS), generator=generator(1, "rue"), **options)
        )
    (u_before, eta), (u_after, _) = measured
    assert u_before == pytest.approx(math.sqrt(3) * math.exp(-5), rel=1e-3)
    assert eta == pytest.approx(-2.0, abs=1e-3)
    assert relative_uncertainty_error(u_before, u_after, eta) == pytest.approx((u_after - u_before) / 2.0, rel=1e-3)
    assert relative_uncertainty_error(1.0, 2.0, 0.0) == math.inf
    assert relative_uncertainty_error(1.0, 1.0, 0.0) == 0.0
