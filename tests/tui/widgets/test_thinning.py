"""Thinned curves against the points they stand for."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moore_tui.widgets.thinning import Bins, Columns, borders, thinned

HEIGHTS = st.floats(-1e6, 1e6) | st.just(math.nan)
POINTS = st.lists(st.tuples(st.integers(-5, 40), HEIGHTS), max_size=120)


def points(given: list[tuple[int, float]]) -> tuple[np.ndarray, np.ndarray]:
    given = sorted(given, key=lambda point: point[0])
    return np.array([at for at, _ in given], np.int64), np.array([y for _, y in given], np.float64)


def binned(given: list[tuple[int, float]]) -> tuple[Bins, np.ndarray]:
    at, y = points(given)
    return Bins(at), y


def one_by_one(at: np.ndarray, y: np.ndarray) -> dict[int, tuple[float, float, float, float, bool]]:
    """Each column's low, high, first and last, and whether the next point after it is none of a gap."""
    found: dict[int, tuple[float, float, float, float, bool]] = {}
    for column in sorted({int(a) for a, v in zip(at, y, strict=True) if math.isfinite(v)}):
        places = [i for i in range(len(at)) if at[i] == column and math.isfinite(y[i])]
        values = [float(y[i]) for i in places]
        after = places[-1] + 1
        joined = after < len(at) and math.isfinite(y[after])
        found[column] = (min(values), max(values), values[0], values[-1], joined)
    return found


@given(POINTS)
def test_thinning_is_what_a_plain_loop_finds(given: list[tuple[int, float]]) -> None:
    at, y = points(given)
    columns = thinned(Bins(at), y)
    found = {
        int(columns.at[i]): (
            *(float(each[i]) for each in (columns.low, columns.high, columns.first, columns.last)),
            bool(columns.joined[i]),
        )
        for i in range(len(columns))
    }
    assert found == one_by_one(at, y)


@given(POINTS)
def test_no_extreme_is_lost_in_any_stretch_of_columns(given: list[tuple[int, float]]) -> None:
    at, y = points(given)
    columns = thinned(Bins(at), y)
    for begin in range(-5, 41, 7):
        inside, kept = (
            (at >= begin) & (at < begin + 7) & np.isfinite(y),
            (columns.at >= begin) & (columns.at < begin + 7),
        )
        assert inside.any() == kept.any()
        if inside.any():
            assert (columns.low[kept].min(), columns.high[kept].max()) == (y[inside].min(), y[inside].max())


def crossing(columns: Columns, border: int) -> float:
    """The height of the line through `border` (between columns border - 1 and border), found pair by pair."""
    for i in range(len(columns) - 1):
        a, b = int(columns.at[i]), int(columns.at[i + 1])
        if columns.joined[i] and a < border <= b:
            return float(np.interp(border - 0.5, [a, b], [columns.last[i], columns.first[i + 1]]))
    return math.nan


@given(POINTS, st.integers(1, 30))
def test_lines_cross_borders_where_interpolation_says(given: list[tuple[int, float]], width: int) -> None:
    columns = thinned(*binned(given))
    crossed = borders(columns, columns.last, columns.first, width)
    expected = [crossing(columns, border) for border in range(width + 1)]
    assert crossed == pytest.approx(expected, rel=1e-9, abs=1e-6, nan_ok=True)


def test_a_line_from_far_outside_is_cut_and_not_walked() -> None:
    columns = thinned(Bins(np.array([-(1 << 40), 1 << 40])), np.array([0.0, 1.0]))
    assert borders(columns, columns.last, columns.first, 4) == pytest.approx(0.5)
