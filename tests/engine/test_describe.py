"""Spread of returns, ranges of columns, the comparison of a policy with its data, and histograms."""

from __future__ import annotations

import numpy as np
import pytest

from moore_engine.data import describe
from moore_engine.tools.histogram import histogram, number


def returns(*values: float) -> np.ndarray:
    return np.array(values, np.float64)


def test_the_spread_of_returns_in_closed_form() -> None:
    found = describe.spread(np.arange(100.0))
    assert (found.mean, found.count, found.best) == (49.5, 100, 94.5)
    assert found.std == pytest.approx(np.sqrt((100**2 - 1) / 12))
    assert found.error == pytest.approx(found.std / 10)
    assert found.quantiles == (0.0, pytest.approx(9.9), 24.75, 49.5, 74.25, pytest.approx(89.1), 99.0)
    one = describe.spread(returns(3))
    assert (one.mean, one.std, one.best, one.quantiles) == (3, 0, 3, (3.0,) * 7)


def test_columns_have_their_range_and_know_when_they_are_constant() -> None:
    table = np.stack([np.linspace(-1, 1, 101), np.full(101, 7.0)], axis=1).astype(np.float32)
    moving, still = describe.columns(table)
    assert (moving.low, moving.median, moving.high) == (-1, 0, 1) and not moving.constant
    assert (moving.q01, moving.q99) == (pytest.approx(-0.98), pytest.approx(0.98))
    assert moving.std == pytest.approx(np.linspace(-1, 1, 101).std(), rel=1e-6)
    assert still.constant and still.std == 0


def test_actions_at_their_bounds_are_counted_and_turned_into_the_tasks_units() -> None:
    actions = np.array([[1, 0], [-0.995, 0.5], [0.2, -1]], np.float32)
    assert describe.at_bounds(actions) == pytest.approx(3 / 6)
    low, high = np.array([-3, 0], np.float32), np.array([3, 1], np.float32)
    expected = [[3, 0.5], [-2.985, 0.75], [0.6, 0]]
    np.testing.assert_allclose(describe.to_task_units(actions, low, high), expected, rtol=1e-6, atol=1e-7)


DATA = describe.spread(np.arange(0.0, 1000.0))
"""Mean 499.5, best tenth 949.5, error of the mean 9.1."""


@pytest.mark.parametrize(
    ("policy", "word"),
    [
        (returns(1200, 1300, 1250), "policy better"),
        (returns(700, 720, 710), "policy better than the average"),
        (returns(950, 951, 952), "policy better than the average"),
        (returns(100, 120, 110), "data better"),
        (returns(490, 510, 505), "even"),
        (returns(0, 2000), "even"),
    ],
)
def test_a_policy_is_better_or_worse_only_beyond_the_noise(policy: np.ndarray, word: str) -> None:
    found = describe.compare(policy, DATA)
    assert found.word == word
    assert (found.policy_mean, found.policy_episodes) == (policy.mean(), policy.size)


def test_what_is_better_decides_what_is_advised() -> None:
    advice = {describe.compare(returns(value, value + 1), DATA).text for value in (2000, 700, 10, 500)}
    assert len(advice) == 4
    assert "larger online.alpha" in describe.compare(returns(2000, 2001), DATA).text
    assert "smaller online.alpha" in describe.compare(returns(1, 2), DATA).text


def test_a_histogram_stands_on_its_axis_with_the_mean_marked() -> None:
    values = np.concatenate([np.full(90, 0.0), np.full(10, 100.0)])
    lines = histogram(values, 40, height=4)
    assert len(lines) == 4 + 2 and all(len(line) <= 40 for line in lines)
    bars = [line[9:] for line in lines[:4]]
    assert {bar.rstrip().strip("█") for bar in bars[:3]} == {""}, "only the tall bar reaches above the lowest line"
    assert bars[-1].rstrip()[-1] in "▁▂▃▄▅"
    axis, labels = lines[4], lines[5]
    assert "└" in axis and axis.count("┴") == 1
    share = (axis.index("┴") - 9) / (len(axis.rstrip()) - 9)
    assert share == pytest.approx(0.1, abs=0.05)
    assert labels.split() == ["0", "mean", "10", "100"]
    assert lines[0].split("│")[0].strip() == "90"


def test_the_tallest_bar_fills_its_column_and_an_empty_bin_is_blank() -> None:
    lines = histogram(np.array([0.0] * 8 + [1.0]), 60, height=2)
    assert lines[0][9:].startswith("████")
    assert lines[1][9:].rstrip().endswith("▂▂▂▂")
    assert set(lines[1][13:-4]) <= {" ", "▂"}


@pytest.mark.parametrize(
    "values", [np.array([5.0]), np.full(10, -3.0), np.array([1e-9, 1e9]), np.linspace(-1, 1, 10_000)]
)
@pytest.mark.parametrize("width", [20, 80])
def test_any_returns_make_a_histogram_that_fits(values: np.ndarray, width: int) -> None:
    for ascii_only in (False, True):
        lines = histogram(values, width, ascii_only=ascii_only)
        assert len(lines) == 8 and max(map(len, lines)) <= width
        assert ascii_only is False or all(line.isascii() for line in lines)


def test_numbers_have_as_many_decimals_as_they_leave_room_for() -> None:
    assert [number(value) for value in (3233.97, -20.2723, 0.001234, 5.0)] == ["3,234", "-20.27", "0.001234", "5"]
