"""From a run's tables to the series of a chart."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from moore_tui.runs.plan import Plan
from moore_tui.runs.series import RunSeries
from moore_tui.runs.tail import Batch
from moore_tui.widgets import curves
from moore_tui.widgets.curves import Curve, Horizons
from moore_tui.widgets.return_pane import baseline, returns, slope
from tests.tui.rich_runs import OFFLINE, ONLINE, STEPS, UPDATES, at, events

PLAN = Plan(
    algo="moore",
    offline_epochs=OFFLINE,
    updates_per_epoch=UPDATES,
    online_epochs=ONLINE,
    steps_per_epoch=STEPS,
    updates_per_step=UPDATES // STEPS,
)


def series(epochs: int, *more: dict[str, Any]) -> RunSeries:
    made = RunSeries()
    found = events(epochs, 1.0, 0.0)
    made.apply(
        Batch([*found, *({**each, "seq": len(found) + n} for n, each in enumerate(more, 1))], False, None, False)
    )
    return made


def test_a_run_is_a_grey_and_a_coloured_part_that_meet_at_the_switch() -> None:
    made = series(12)
    off, on = curves.parts(returns(made, "step", raw=True), "hopper", start=baseline(made, raw=True))
    assert (off.color, on.color) == ("offline", "online")
    assert (off.name, on.name) == ("", "hopper")
    assert on.x[0] == off.x[-1] == OFFLINE * UPDATES
    assert on.y[0] == 1025.0
    assert len(off.x) == OFFLINE and len(on.x) == 12 - OFFLINE + 1


def test_a_run_that_is_still_offline_has_one_part_that_bears_its_name() -> None:
    (off,) = curves.parts(returns(series(5), "step", raw=True), "hopper")
    assert off.color == "offline" and off.name == "hopper"


def test_marked_runs_differ_in_colour_and_dash() -> None:
    whole = returns(series(12), "step", raw=True)
    looks = [(part[-1].color, part[-1].dash) for number in range(1, 9) for part in [curves.parts(whole, "x", number)]]
    assert len(set(looks)) == 8 and len({color for color, _ in looks}) == 8
    assert all(one[1] != other[1] for one, other in itertools.pairwise(looks))


def test_without_colours_five_runs_and_the_frozen_policy_are_told_apart() -> None:
    whole = returns(series(12), "step", raw=True)
    dashes = [curves.parts(whole, "x", number)[-1].dash for number in range(1, 6)]
    assert len({*dashes, curves.level("frozen policy", 1.0, 0.0, 1.0).dash}) == 6


def test_the_band_is_a_standard_deviation_of_the_episodes_in_either_unit() -> None:
    made = series(12)
    raw, score = returns(made, "step", raw=True), returns(made, "step", raw=False)
    assert raw.low is not None and raw.high is not None and score.high is not None
    np.testing.assert_allclose(raw.high - raw.y, 50.2)
    np.testing.assert_allclose(raw.y - raw.low, 50.2)
    np.testing.assert_allclose(score.high - score.y, 50.2 / 32.0, rtol=1e-5)


@pytest.mark.parametrize(
    ("mean", "score", "expected"),
    [([0.0, 10.0, 5.0], [1.0, 6.0, 3.5], 0.5), ([3.0, 3.0], [1.0, 1.0], 0.0), ([np.nan], [1.0], 0.0), ([], [], 0.0)],
)
def test_score_per_return_is_that_of_the_two_evaluations_farthest_apart(
    mean: list[float], score: list[float], expected: float
) -> None:
    assert slope(np.array(mean), np.array(score)) == expected


@pytest.mark.parametrize(
    ("axis", "boundary", "end"),
    [("step", 8000.0, 20000.0), ("env", 0.0, 1200.0), ("switch", 0.0, 12000.0), ("wall", 480.0, None)],
)
def test_switch_and_planned_end_on_every_axis(axis: Any, boundary: float, end: float | None) -> None:
    made = series(12)
    assert curves.boundary(made, axis) == boundary
    found = curves.horizon(made, PLAN, axis)
    assert found is not None
    assert end is None or found[1] == end
    assert found[0] == (-8000.0 if axis == "switch" else 0.0)
    assert curves.boundary(series(3), axis) is None


def test_rows_without_a_place_on_the_axis_are_left_out() -> None:
    whole = curves.curve(series(3), "unc", "mean", "switch", "p20", "p80")
    assert whole.x.size == 0 and whole.low is not None and whole.low.size == 0


def test_a_planned_end_that_creeps_moves_the_axis_seldom() -> None:
    horizons, made, ends = Horizons(), series(12), []
    for steps in range(100, 130):
        found = horizons("run", made, replace(PLAN, steps_per_epoch=steps), "step")
        assert found is not None
        ends.append(found[1])
    assert ends[0] == 20000.0
    assert 2 < len(set(ends)) < 10
    assert all(b >= a for a, b in itertools.pairwise(ends))


def test_a_planned_end_that_is_passed_a_little_stays_and_another_plan_counts_at_once() -> None:
    horizons, made = Horizons(), series(12)
    assert horizons("run", made, PLAN, "step") == (0.0, 20000.0)
    within = at(events(12, 1.0, 0.0), "loss", q=1.0)
    assert horizons("run", series(12, {**within, "update": within["update"] + 9}), PLAN, "step") == (0.0, 20000.0)
    assert horizons("run", made, replace(PLAN, online_epochs=24), "step") == (0.0, 32000.0)
    assert horizons("run", made, PLAN, "step") == (0.0, 20000.0)
    assert horizons("other", None, PLAN, "step") is None


def test_live_settings_are_marked_where_they_took_effect() -> None:
    found = at(events(12, 1.0, 0.0), "ack", id="1", verb="set", ok=True, why="", key="online.alpha", value="0.5")
    refused = {**found, "ok": False}
    assert curves.interventions(series(12, found, refused), "step") == (12000.0,)
    assert curves.interventions(series(12, found), "switch") == (4000.0,)
    assert curves.interventions(None, "step") == ()


def test_what_a_chart_depends_on_changes_with_its_own_rows_only() -> None:
    made = series(12)
    before = curves.stamp(made, "unc"), curves.stamp(made, "loss")
    made.apply(Batch([{**at(events(12, 1.0, 0.0), "loss", q=1.0), "seq": 9999}], False, None, False))
    assert curves.stamp(made, "unc") == before[0] and curves.stamp(made, "loss") != before[1]
    made.apply(Batch([], False, 5, False))
    assert curves.stamp(made, "unc") != before[0]


def falling(half: float, online: int, offline: int = 0) -> Curve:
    x = np.arange(offline + online, dtype=float)
    y = np.where(x < offline, 100.0, 2.0 ** (-(x - offline) / half))
    return Curve(x, y, x >= offline)


def test_a_half_life_is_that_of_the_online_part() -> None:
    assert curves.half_life(falling(3.0, 10, 5)) == pytest.approx(3.0)
    assert curves.half_life(falling(3.0, 10)) == pytest.approx(3.0)


def test_what_does_not_fall_has_no_half_life() -> None:
    rising = falling(-3.0, 10)
    assert curves.half_life(rising) is None
    assert curves.half_life(falling(3.0, 2)) is None
    assert curves.half_life(replace(rising, y=np.full(10, np.nan))) is None
