"""Figures over seeds against rliable's numbers, exact enumeration and what an interval must cover."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moore_tui.report import statistics
from moore_tui.report.statistics import Interval, bootstrap, estimate, improvement, iqm
from moore_tui.runs import aggregate

FIRST = [[62.1, 71.4, 55.3, 80.2, 66.9, 58.4, 74.7, 69.0], [101.3, 96.8, 108.4, 88.9, 104.6, 99.2, 93.7, 110.5]]
SECOND = [[48.6, 59.7, 66.2, 52.9, 61.5, 70.8], [97.4, 84.1, 102.2, 91.6, 79.3, 95.8]]
RLIABLE = {
    "first": (FIRST, 84.2375, (80.036875, 88.2875)),
    "second": (SECOND, 75.58333333, (70.58333333, 81.13333333)),
    "first alone": (FIRST[:1], 67.35, (60.25, 73.875)),
    "second alone": (SECOND[:1], 60.075, (52.45, 67.325)),
}
"""Point and interval estimates of rliable 1.2.0's aggregate_iqm, 20 000 replicates."""

values = st.lists(st.floats(-100, 100, width=32), min_size=2, max_size=9)


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("name", RLIABLE)
def test_the_iqm_and_its_interval_are_rliables(name: str) -> None:
    strata, value, interval = RLIABLE[name]
    found = estimate(strata, generator())
    assert found is not None and found.interval is not None
    assert found.value == pytest.approx(value, abs=1e-7)
    width = interval[1] - interval[0]
    assert found.interval == pytest.approx(interval, abs=0.03 * width)
    assert found.runs == sum(map(len, strata))


@pytest.mark.parametrize(
    ("x", "y", "value", "interval"),
    [(FIRST, SECOND, 0.76041667, (0.5625, 0.91666667)), (FIRST[:1], SECOND[:1], 0.75, (0.4578125, 0.97916667))],
)
def test_the_probability_of_improvement_and_its_interval_are_rliables(
    x: Any, y: Any, value: float, interval: tuple[float, float]
) -> None:
    found = improvement(x, y, generator())
    assert found is not None and found.interval is not None
    assert found.value == pytest.approx(value, abs=1e-7)
    assert found.interval == pytest.approx(interval, abs=0.021)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_the_iqm_of_the_report_is_the_consoles(few: list[float]) -> None:
    assert iqm(few) == pytest.approx(aggregate.iqm(few), rel=1e-12, abs=1e-9)


def test_an_interval_lies_where_all_possible_draws_put_it() -> None:
    few = [12.5, 47.25, 33.0, 58.75, 41.5]
    exact = np.sort([float(iqm(draw)) for draw in product(few, repeat=5)])
    found = estimate([few], generator())
    assert found is not None and found.interval is not None
    for end, q in zip(found.interval, (0.025, 0.975), strict=True):
        below, up_to = (np.searchsorted(exact, end + shift) / len(exact) for shift in (-1e-9, 1e-9))
        assert below - 0.002 <= q <= up_to + 0.002


def test_strata_are_drawn_from_apart() -> None:
    """Of two strata without spread in themselves nothing varies, however far apart they are."""
    found = estimate([[1.0, 1.0, 1.0], [100.0, 100.0, 100.0]], generator())
    assert found is not None and found.interval == Interval(50.5, 50.5)
    beaten = improvement([[1.0, 1.0], [7.0, 7.0]], [[2.0, 2.0], [6.0, 6.0]], generator())
    assert beaten is not None and beaten.value == 0.5 and beaten.interval == Interval(0.5, 0.5)


def test_both_groups_are_drawn_anew() -> None:
    """Of 0 and 2 against 1 and 3 one pair in four wins; of 16 equally likely draws 4 win none, and one wins all."""
    found = improvement([[0.0, 2.0]], [[1.0, 3.0]], generator())
    assert found is not None and found.value == 0.25 and found.interval == Interval(0.0, 1.0)
    shares: list[float] = []

    def watched(drawn: Any) -> Any:
        both = [np.all(array == pair, axis=1) for array, pair in zip(drawn, ([2.0, 2.0], [1.0, 1.0]), strict=True)]
        shares.extend([float(np.mean(both[0])), float(np.mean(both[0] & both[1]))])
        return np.zeros(statistics.REPLICATES)

    bootstrap(watched, [np.array([0.0, 2.0]), np.array([1.0, 3.0])], generator())
    assert shares == pytest.approx([1 / 4, 1 / 16], abs=0.01)


def coverage(runs: int, draw: Callable[[np.random.Generator, int], Any], trials: int) -> float:
    """Share of samples whose interval holds the true IQM, which is 0."""
    random, hits = np.random.default_rng(1), 0
    for _ in range(trials):
        found = estimate([draw(random, runs)], random)
        assert found is not None and found.interval is not None
        hits += found.interval.low <= 0 <= found.interval.high
    return hits / trials


@pytest.mark.parametrize(("runs", "told"), [(3, 0.76), (5, 0.90), (10, 0.95)])
def test_an_interval_covers_as_often_as_the_page_says(runs: int, told: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "REPLICATES", 500)
    assert coverage(runs, lambda random, n: random.normal(size=n), 600) == pytest.approx(told, abs=0.035)


def test_an_interval_of_two_strata_with_many_runs_covers_95_in_100(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "REPLICATES", 300)
    random, hits, trials = np.random.default_rng(2), 0, 300
    for _ in range(trials):
        found = improvement(random.normal(size=(2, 15)), random.normal(size=(2, 15)), random)
        assert found is not None and found.interval is not None
        hits += found.interval.low <= 0.5 <= found.interval.high
    assert hits / trials == pytest.approx(0.95, abs=0.035)


@settings(max_examples=20)
@given(values, values)
def test_an_improvement_is_the_share_of_pairs_and_its_opposite_the_others(x: list[float], y: list[float]) -> None:
    with patch.object(statistics, "REPLICATES", 2000):
        there, back = (improvement([a], [b], generator()) for a, b in ((x, y), (y, x)))
    assert there is not None and back is not None and back.value == pytest.approx(there.opposite.value)
    assert back.interval == pytest.approx(there.opposite.interval, abs=0.1)
    assert there.value == pytest.approx(np.mean([(a > b) + 0.5 * (a == b) for a in x for b in y]))


@settings(max_examples=20)
@given(values)
def test_an_estimate_follows_shift_and_scale(x: list[float]) -> None:
    with patch.object(statistics, "REPLICATES", 2000):
        plain, moved = estimate([x], generator()), estimate([[3.0 * each - 7.0 for each in x]], generator())
    assert plain is not None and moved is not None and plain.interval is not None and moved.interval is not None
    assert moved.value == pytest.approx(3.0 * plain.value - 7.0, abs=1e-6)
    assert moved.interval == pytest.approx([3.0 * end - 7.0 for end in plain.interval], abs=1e-6)
    assert plain.interval.low <= plain.value + 1e-9 and plain.value - 1e-9 <= plain.interval.high


def test_of_one_run_there_is_no_interval_and_of_none_nothing() -> None:
    assert estimate([[5.0]], generator()) == (5.0, None, 1)
    assert estimate([[5.0], [1.0, 2.0]], generator()) == (pytest.approx(8 / 3), None, 3)
    assert estimate([[], [1.0, 2.0]], generator()) == (1.5, (1.0, 2.0), 2)
    assert estimate([[]], generator()) is None
    assert improvement([[5.0]], [[1.0, 9.0]], generator()) == (0.5, None, 3)
    assert improvement([[5.0], []], [[1.0, 9.0], [1.0]], generator()) is None
