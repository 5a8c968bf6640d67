"""Smoothing against the sum it stands for, written out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moore_tui.widgets.smoothing import smooth

VALUES = st.lists(st.floats(-1e6, 1e6) | st.just(math.nan) | st.just(math.inf), max_size=300)


def written_out(y: list[float], weight: float) -> list[float]:
    smoothed, top, bottom = [], 0.0, 0.0
    for value in y:
        if not math.isfinite(value):
            smoothed.append(value)
            continue
        top, bottom = weight * top + value, weight * bottom + 1.0
        smoothed.append(top / bottom)
    return smoothed


@given(VALUES, st.sampled_from([0.6, 0.9, 0.99]))
def test_it_is_the_weighted_mean_of_the_past(y: list[float], weight: float) -> None:
    assert smooth(np.array(y), weight) == pytest.approx(written_out(y, weight), rel=1e-9, abs=1e-5, nan_ok=True)


@given(VALUES, st.integers(0, 300))
def test_a_new_value_never_moves_an_old_one(y: list[float], count: int) -> None:
    values = np.array(y)
    first = smooth(values[:count], 0.9)
    assert np.allclose(smooth(values, 0.9)[: first.size], first, rtol=1e-12, atol=1e-9, equal_nan=True)


def test_a_constant_stays_itself_from_the_first_value() -> None:
    assert smooth(np.full(1000, 7.0), 0.9) == pytest.approx(7.0)


def test_without_weight_nothing_changes() -> None:
    values = np.array([3.0, math.nan, 1.0])
    assert smooth(values, 0.0) is values


def test_nothing_but_gaps_stays_nothing() -> None:
    assert np.isnan(smooth(np.full(5, math.nan), 0.6)).all()
