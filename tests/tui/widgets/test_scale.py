"""Ranges hold their values and stand still; the map and its inverse agree."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from moore_tui.widgets.scale import Scale, nice_step, settled

VALUES = st.floats(-1e12, 1e12)
POSITIVE = st.floats(1e-12, 1e12)


@given(VALUES, VALUES, st.floats(0.0, 1.0))
def test_share_and_value_are_inverse(a: float, b: float, share: float) -> None:
    assume(abs(a - b) > 1e-3)
    scale = Scale(min(a, b), max(a, b))
    assert scale.share(np.array([scale.value(share)]))[0] == pytest.approx(share, abs=1e-6)


@given(POSITIVE, POSITIVE, st.floats(0.0, 1.0))
def test_share_and_value_are_inverse_on_a_logarithmic_axis(a: float, b: float, share: float) -> None:
    assume(max(a, b) > 1.01 * min(a, b))
    scale = Scale(min(a, b), max(a, b), log=True)
    assert scale.share(np.array([scale.value(share)]))[0] == pytest.approx(share, abs=1e-9)


def test_a_logarithmic_axis_has_no_place_for_zero_and_below() -> None:
    assert np.isnan(Scale(1.0, 10.0, log=True).share(np.array([0.0, -1.0, math.nan]))).all()


@given(VALUES, VALUES)
def test_a_range_holds_its_values_with_room_above(a: float, b: float) -> None:
    low, high = min(a, b), max(a, b)
    scale = settled(low, high, None)
    assert scale.low <= low + 1e-9 * abs(low) and high <= scale.high
    assert scale.low < scale.high
    if high > 0:
        assert high < scale.high


@given(POSITIVE, POSITIVE)
def test_a_logarithmic_range_holds_its_values_and_spans_a_decade(a: float, b: float) -> None:
    low, high = min(a, b), max(a, b)
    scale = settled(low, high, None, log=True)
    assert scale.low <= low * (1 + 1e-8) and high <= scale.high
    assert 9.9 * scale.low <= scale.high


@given(st.lists(VALUES, min_size=1, max_size=50), st.booleans())
def test_a_range_moves_only_when_a_value_leaves_it_or_less_than_a_quarter_is_used(
    values: list[float], log: bool
) -> None:
    values = [abs(value) + 1.0 for value in values] if log else values
    scale, low, high = None, math.inf, -math.inf
    for value in values:
        before, low, high = scale, min(low, value), max(high, value)
        scale = settled(low, high, before, log)
        if before is not None and before.holds(low, high):
            used = np.ptp(before.share(np.array([low, high])))
            assert scale == before or used < 0.25
            assert np.ptp(scale.share(np.array([low, high]))) >= min(used, 0.25)
        elif before is not None:
            hair = 1e-8 * (scale.high - scale.low)
            assert scale.low <= before.low + hair and scale.high >= before.high - hair
            assert scale.holds(low, high)


@given(st.floats(0.0, 1e9), st.floats(0.0, 1e9))
def test_only_the_side_that_was_left_moves_and_by_less_than_a_step(low: float, grown: float) -> None:
    before = Scale(-100.0, 1e9)
    after = settled(low, 1e9 + 100.0 + grown, before)
    assert before.low - nice_step((after.high - after.low) / 8) <= after.low <= before.low


def test_a_range_that_is_hardly_used_settles_anew() -> None:
    assert settled(0.0, 1.0, Scale(0.0, 1000.0)).high < 2.0
    assert settled(0.0, 300.0, Scale(0.0, 1000.0)) == Scale(0.0, 1000.0)


def test_a_value_outside_by_less_than_can_be_seen_moves_nothing() -> None:
    before = Scale(0.0, 1.2)
    assert settled(-1e-157, 1.0, before) is before
    assert settled(-1e-3, 1.0, before) is not before


def test_a_constant_has_room_on_both_sides() -> None:
    for value in (0.0, 5.0, -7.0, 1e-20, 1e300):
        scale = settled(value, value, None)
        assert scale.low < value < scale.high


def test_returns_begin_at_zero_when_they_come_near_it() -> None:
    assert settled(0.3, 3400.0, None).low == 0.0
    assert settled(-3400.0, -0.3, None).high == 0.0
    assert settled(2900.0, 3400.0, None).low > 2000.0


@given(st.floats(1e-12, 1e12))
def test_a_nice_step_is_round_and_hardly_larger_than_asked(least: float) -> None:
    step = nice_step(least)
    assert least * (1 - 1e-8) <= step <= 2.001 * least
    digits = step / 10.0 ** math.floor(math.log10(step) + 1e-9)
    assert any(digits == pytest.approx(nice) for nice in (1.0, 2.0, 2.5, 5.0))
