"""The fit: stop rule, snapshots, elites, caps, and resuming inside it."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from moore_engine.dynamics import Dynamics
from moore_engine.fit import StopRule, holdout_mse
from moore_engine.streams import generator

OBS, ACTION, WIDTH = 3, 2, 10
TRAIN, HELD = torch.arange(70), torch.arange(70, 90)


class Stop(Exception):
    """Raised by a tick, as a trainer asked to stop does."""


def linear_rows(n: int = 90, noise: float = 0.0) -> Tensor:
    """Table rows of s' = s + A [s, a], r = b [s, a]."""
    draws = generator(3, "system")
    matrix = torch.randn(OBS + ACTION, OBS + 1, generator=draws)
    inputs = torch.randn(n, OBS + ACTION, generator=draws)
    out = inputs @ matrix + noise * torch.randn(n, OBS + 1, generator=draws)
    next_obs = inputs[:, :OBS] + out[:, :OBS]
    return torch.cat([inputs, next_obs, out[:, OBS:], torch.zeros(n, 1)], 1)


def make(seed: int = 0, **options: Any) -> Dynamics:
    defaults: dict[str, Any] = {
        "networks": 4, "elites": 2, "hidden": (16, 16), "weight_decays": (1e-5,) * 3,
        "batch": 16, "patience": 3, "lr": 1e-2,
    }  # fmt: skip
    return Dynamics(OBS, ACTION, generator=generator(seed, "init"), **(defaults | options))


def draw(shape: tuple[int, int], draws: torch.Generator) -> Tensor:
    return torch.randint(70, shape, generator=draws)


def fit(dynamics: Dynamics, kind: str, tick: Callable[[], None] = lambda: None, **options: Any) -> dict[str, Any]:
    source: dict[str, Any] = {"train": TRAIN} if kind == "offline" else {"draw": draw, "ess": 70.0}
    holdout = [(HELD[:12], 0.25), (HELD[12:], 0.75)]
    defaults: dict[str, Any] = {"max_epochs": 6, "holdout": holdout, "generator": generator(9, "fit")}
    return dynamics.fit(linear_rows(), tick=tick, **source, **(defaults | options))


def flat(state: Any) -> list[Any]:
    if isinstance(state, dict):
        return [leaf for key in sorted(state) for leaf in flat(state[key])]
    return [state.tolist() if isinstance(state, Tensor) else state]


def test_stop_rule_on_a_scripted_holdout_sequence() -> None:
    rule = StopRule(members=2, patience=2)
    assert rule.update([1.0, 2.0]) == [0, 1]
    assert rule.update([0.995, 1.9]) == [1]
    assert rule.best == [1.0, 1.9]
    assert rule.update([0.991, 1.89]) == [] and not rule.done
    assert rule.update([0.98, 5.0]) == [0] and rule.stale == 0
    assert rule.update([0.98, math.nan]) == [] and not rule.done
    assert rule.update([math.inf, 1.9]) == [] and rule.done
    assert rule.best == [0.98, 1.9]


@pytest.mark.parametrize("kind", ["offline", "online"])
def test_fit_learns_a_linear_system(kind: str) -> None:
    dynamics = make(hidden=(32, 32), lr=3e-3)
    before = holdout_mse(dynamics.ensemble, dynamics.examples, linear_rows(), [(HELD, 1.0)])
    result = fit(dynamics, kind, max_epochs=150, holdout=[(HELD, 1.0)])
    assert max(result["holdout"]) < 0.1 * float(before.min())
    assert result["epochs"] <= 150 and result["updates"] == result["epochs"] * 5 and result["ess"] == 70.0


def scripted(monkeypatch: pytest.MonkeyPatch, script: list[list[float]]) -> list[Tensor]:
    """Make epoch i score script[i]; returns the list that each epoch's parameters are appended to."""
    seen: list[Tensor] = []

    def scores(ensemble: Any, *_: Any) -> Tensor:
        seen.append(ensemble.params.clone())
        return torch.tensor(script[len(seen) - 1], dtype=torch.float64)

    monkeypatch.setattr("moore_engine.fit.holdout_mse", scores)
    return seen


def test_every_member_ends_at_its_own_best_epoch_and_elites_have_the_lowest_mse(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = [[4.0, 4.0, 4.0, 4.0], [5.0, 3.0, 2.0, 3.99], [9.0, 2.5, 9.0, 9.0]] + [[9.0] * 4] * 3
    seen = scripted(monkeypatch, script)
    dynamics = make()
    result = fit(dynamics, "offline")
    assert result["holdout"] == [4.0, 2.5, 2.0, 4.0]
    assert result["epochs"] == 6 and result["elites"] == [1, 2] == dynamics.elites.tolist() and not result["capped"]
    for member, epoch in enumerate([0, 2, 1, 0]):
        then, _, _, _ = dynamics.ensemble.views(seen[epoch])
        assert all(torch.equal(w[member], t[member]) for w, t in zip(dynamics.ensemble.weights, then, strict=True))
    assert not torch.equal(seen[0], seen[1])


def test_reported_holdout_is_that_of_the_restored_members() -> None:
    dynamics = make(lr=0.05)
    result = fit(dynamics, "offline", max_epochs=40, holdout=[(HELD, 1.0)])
    again = holdout_mse(dynamics.ensemble, dynamics.examples, linear_rows(), [(HELD, 1.0)])
    assert again.tolist() == result["holdout"] or abs(again - torch.tensor(result["holdout"])).max() < 1e-2
    assert not result["capped"]


def test_elites_go_by_mse_even_where_the_likelihood_says_otherwise() -> None:
    dynamics = make(networks=2, elites=1)
    weights, biases = dynamics.ensemble.weights, dynamics.ensemble.biases
    rows = torch.zeros(90, WIDTH)
    for weight, bias in zip(weights, biases, strict=True):
        weight.zero_(), bias.zero_()
    biases[-1][0, 0, : OBS + 1], biases[-1][0, 0, OBS + 1 :] = 0.1, -8.0
    biases[-1][1, 0, : OBS + 1], biases[-1][1, 0, OBS + 1 :] = 0.2, -2.0
    mse = holdout_mse(dynamics.ensemble, dynamics.examples, rows, [(HELD, 1.0)])
    _, var = dynamics.ensemble.forward(rows[HELD, : OBS + ACTION])
    nll = (mse[:, None] / var[:, 0].double() + var[:, 0].double().log()).mean(1)
    assert mse[0] < mse[1] and nll[0] > nll[1]
    dynamics.ensemble.train_step = lambda inputs, targets: None  # type: ignore[method-assign]
    assert dynamics.fit(rows, train=TRAIN, holdout=[(HELD, 1.0)], generator=generator(0, "f"), max_epochs=1)[
        "elites"
    ] == [0]


def test_holdout_score_is_the_weighted_sum_over_strata() -> None:
    dynamics, rows = make(), linear_rows()
    parts = [holdout_mse(dynamics.ensemble, dynamics.examples, rows, [(i, 1.0)]) for i in (HELD[:5], HELD[5:])]
    both = holdout_mse(dynamics.ensemble, dynamics.examples, rows, [(HELD[:5], 0.3), (HELD[5:], 0.7)])
    torch.testing.assert_close(both, 0.3 * parts[0] + 0.7 * parts[1])
    mean, _ = dynamics.predict(rows[HELD[:5], :OBS], rows[HELD[:5], OBS : OBS + ACTION])
    target = torch.cat([rows[HELD[:5], 5:8] - rows[HELD[:5], :3], rows[HELD[:5], 8:9]], 1)
    torch.testing.assert_close(parts[0].float(), (mean - target).square().mean((1, 2)))
    empty = holdout_mse(dynamics.ensemble, dynamics.examples, rows, [(HELD[:5], 0.3), (HELD[:0], 0.7)])
    torch.testing.assert_close(empty, parts[0])
    with pytest.raises(ValueError, match="holdout is empty"):
        holdout_mse(dynamics.ensemble, dynamics.examples, rows, [(HELD[:0], 1.0), (HELD, 0.0)])


def test_caps_end_a_fit_and_say_so() -> None:
    by_epochs = fit(make(), "offline", max_epochs=2)
    assert (by_epochs["epochs"], by_epochs["updates"], by_epochs["capped"]) == (2, 10, True)
    by_updates = fit(make(), "online", max_epochs=0, max_updates=7)
    assert (by_updates["epochs"], by_updates["updates"], by_updates["capped"]) == (2, 7, True)
    assert all(math.isfinite(s) for s in by_updates["holdout"])


def test_a_fit_under_way_tells_how_far_it_has_come() -> None:
    dynamics, told = make(patience=2, lr=0.0), []
    fit(dynamics, "offline", lambda: told.append(dynamics.progress), max_epochs=0)
    assert dynamics.progress == "" and len(told) == 15
    best = holdout_mse(
        dynamics.ensemble, dynamics.examples, linear_rows(), [(HELD[:12], 0.25), (HELD[12:], 0.75)]
    ).min()
    assert told[0] == "epoch 1"
    assert told[4] == f"epoch 2, best holdout MSE {best:.3g}, 0 of 2 epochs without gain"
    assert told[9] == f"epoch 3, best holdout MSE {best:.3g}, 1 of 2 epochs without gain"

    told.clear()
    fit(make(), "online", lambda: None, max_epochs=4, max_updates=7)
    dynamics = make()
    fit(dynamics, "online", lambda: told.append(dynamics.progress), max_epochs=4, max_updates=7)
    assert told[0] == "epoch 1 of at most 4, minibatch 1 of at most 7"


def test_an_offline_epoch_shows_each_member_its_bootstrap_once_in_a_new_order() -> None:
    dynamics = make(networks=2, elites=1)
    rows = linear_rows()
    rows[:, 0] = torch.arange(90.0)
    batches: list[Tensor] = []
    dynamics.ensemble.train_step = lambda inputs, targets: batches.append(inputs[:, :, 0])  # type: ignore[method-assign]
    dynamics.fit(rows, train=TRAIN, holdout=[(HELD, 1.0)], generator=generator(1, "fit"), max_epochs=2)
    assert [b.shape[1] for b in batches] == [16, 16, 16, 16, 6] * 2
    first, second = torch.cat(batches[:5], 1), torch.cat(batches[5:], 1)
    assert torch.equal(first.sort(1).values, second.sort(1).values) and not torch.equal(first, second)
    assert not torch.equal(first[0].sort().values, first[1].sort().values)
    assert len(first[0].unique()) < 70 and first.max() < 70


def test_online_members_each_get_their_own_batch() -> None:
    dynamics = make(networks=2, elites=1)
    batches: list[Tensor] = []
    dynamics.ensemble.train_step = lambda inputs, targets: batches.append(inputs)  # type: ignore[method-assign]
    fit(dynamics, "online", max_updates=1)
    assert batches[0].shape == (2, 16, OBS + ACTION) and not torch.equal(batches[0][0], batches[0][1])


@pytest.mark.parametrize("kind", ["offline", "online"])
@pytest.mark.parametrize("place", [0.0, 0.07, 0.22, 0.37, 0.61, 0.83, 0.92, 0.97, 1.0])
def test_a_fit_stopped_at_any_minibatch_and_loaded_elsewhere_ends_bit_for_bit_the_same(kind: str, place: float) -> None:
    options: dict[str, Any] = {"lr": 0.1, "patience": 2, "networks": 2, "elites": 1}
    plain = make(**options)
    expected = fit(plain, kind, max_epochs=60)
    stop_at = max(1, round(place * expected["updates"]))
    ticks = 0
    saved: dict[str, Any] = {}

    def tick() -> None:
        nonlocal ticks, saved
        ticks += 1
        if ticks == stop_at:
            saved = copy.deepcopy(stopped.state_dict())
            raise Stop

    stopped = make(**options)
    with pytest.raises(Stop):
        fit(stopped, kind, tick, max_epochs=60)
    resumed = make(seed=1, **options)
    resumed.load_state_dict(saved)
    assert resumed.fitting
    assert flat(resumed.state_dict()) == flat(saved)
    assert fit(resumed, kind, max_epochs=60, generator=generator(0, "anything")) == expected and not resumed.fitting
    assert flat(resumed.state_dict()) == flat(plain.state_dict())
    assert expected["epochs"] > 4 and not expected["capped"]


def test_saving_at_every_tick_changes_nothing_and_holds_no_index() -> None:
    watched, plain = make(), make()
    sizes: list[int] = []

    def tick() -> None:
        state = watched.state_dict()["fit"]
        sizes.append(sum(v.numel() for k, v in state.items() if isinstance(v, Tensor) and k != "snapshot"))

    assert fit(watched, "offline", tick) == fit(plain, "offline")
    assert flat(watched.state_dict()) == flat(plain.state_dict())
    assert len(sizes) == 30 and len(set(sizes)) == 1
    assert "fit" not in watched.state_dict()


def test_a_saved_fit_of_another_kind_or_size_is_refused() -> None:
    def tick() -> None:
        raise Stop

    dynamics = make()
    with pytest.raises(Stop):
        fit(dynamics, "offline", tick)
    other = make()
    other.load_state_dict(dynamics.state_dict())
    with pytest.raises(ValueError, match="saved fit is offline with 5"):
        fit(other, "online")


def test_weights_and_moments_carry_over_to_the_next_fit() -> None:
    dynamics = make()
    fit(dynamics, "offline", max_epochs=1)
    moments, params = dynamics.ensemble.exp_avg.clone(), dynamics.ensemble.params.clone()

    def tick() -> None:
        raise Stop

    with pytest.raises(Stop):
        fit(dynamics, "online", tick)
    drift = (dynamics.ensemble.params - params).abs().max()
    assert 0 < drift < 5e-2
    assert moments.any() and dynamics.ensemble.state_dict()["step"].unique().tolist() == [6.0]


def test_a_member_that_diverges_from_the_start_keeps_its_old_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    dynamics = make()
    before = [w[0].clone() for w in dynamics.ensemble.weights]
    scripted(monkeypatch, [[math.nan, 3.0, 2.0, 1.0]] * 9)
    result = fit(dynamics, "offline")
    assert result["elites"] == [2, 3] and math.isinf(result["holdout"][0])
    assert all(torch.equal(w[0], b) for w, b in zip(dynamics.ensemble.weights, before, strict=True))


def test_a_fit_needs_rows_of_one_kind() -> None:
    with pytest.raises(ValueError, match="either train"):
        make().fit(linear_rows(), holdout=[(HELD, 1.0)], generator=generator(0))
