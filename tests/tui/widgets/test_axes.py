"""Ticks lie on the scale at round places, and their labels say where."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from moore_tui.widgets.axes import duration, readable, shortest, ticks
from moore_tui.widgets.scale import Scale, settled

UNITS = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def meant(label: str) -> float:
    """The value that a label names."""
    number, unit = re.fullmatch(r"(.+?)([kMGT]?)", label).groups()  # type: ignore[union-attr]
    return float(number) * UNITS[unit]


def seconds(label: str) -> int:
    """The seconds that a label names; a number without a unit has the unit below the one before."""
    total, unit = 0, "m"
    for number, letter in re.findall(r"(\d+)([smhd]?)", label.lstrip("-")):
        unit = letter or {"h": "m", "m": "s"}.get(unit, "s")
        total += int(number) * (SECONDS[unit] if label != "0" else 1)
    return -total if label.startswith("-") else total


@given(st.floats(-1e12, 1e12), st.floats(1e-9, 1e12), st.integers(1, 12))
def test_linear_ticks_are_few_even_and_named(low: float, span: float, most: int) -> None:
    assume(span > abs(low) * 1e-4)
    scale = Scale(low, low + span)
    found = ticks(scale, most)
    values = [tick.value for tick in found]
    assert len(found) <= most
    assert all(low - span * 1e-6 <= value <= low + span * (1 + 1e-6) for value in values)
    if len(values) > 2:
        assert np.diff(values) == pytest.approx(np.diff(values)[0])
    step = values[1] - values[0] if len(values) > 1 else span
    for tick in found:
        assert meant(tick.label) == pytest.approx(tick.value, abs=step * 1e-5, rel=1e-9)
    assert len({tick.label for tick in found}) == len(found)


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(3, 12))
def test_a_settled_axis_has_at_least_two_ticks(low: float, span: float, most: int) -> None:
    assert len(ticks(settled(low, low + span, None), most)) >= 2


@given(st.floats(1e-12, 1e12), st.floats(1.0, 1e12), st.integers(3, 12))
def test_logarithmic_ticks_are_few_and_named(low: float, factor: float, most: int) -> None:
    scale = settled(low, low * factor, None, log=True)
    found = ticks(scale, most)
    assert 1 <= len(found) <= most
    for tick in found:
        assert scale.low * (1 - 1e-6) <= tick.value <= scale.high * (1 + 1e-6)
        assert meant(tick.label) == pytest.approx(tick.value, rel=1e-6)


@given(st.floats(0.0, 1e7), st.floats(10.0, 1e8), st.integers(1, 12))
def test_times_are_few_and_named(low: float, span: float, most: int) -> None:
    found = ticks(Scale(low, low + span), most, time=True)
    assert len(found) <= most
    for tick in found:
        assert seconds(tick.label) == pytest.approx(tick.value, abs=1e-6)


@pytest.mark.parametrize(
    ("low", "high", "most", "labels"),
    [
        (0.0, 1e6, 6, ["0", "200k", "400k", "600k", "800k", "1M"]),
        (0.0, 3600.0, 5, ["0", "1000", "2000", "3000"]),
        (0.0, 1.0, 3, ["0", "0.5", "1.0"]),
        (-4.0, 2.0, 4, ["-4", "-2", "0", "2"]),
        (0.0, 2.5e6, 6, ["0", "500k", "1M", "1.5M", "2M", "2.5M"]),
        (0.0, 3e-6, 4, ["0", "1e-6", "2e-6", "3e-6"]),
    ],
)
def test_labels_read_well(low: float, high: float, most: int, labels: list[str]) -> None:
    assert [tick.label for tick in ticks(Scale(low, high), most)] == labels


def test_decades_thin_out_and_fill_in() -> None:
    wide, narrow = Scale(1e-9, 1e3, log=True), Scale(1.0, 10.0, log=True)
    assert [tick.label for tick in ticks(wide, 5)] == ["1e-9", "1e-6", "0.001", "1", "1k"]
    assert [tick.label for tick in ticks(narrow, 5)] == ["1", "2", "5", "10"]


def test_durations_read_well() -> None:
    assert [duration(each) for each in (0, 30, 60, 90, 1200, 4800, 7200, 86400, 194400)] == [
        *("0", "30s", "1m", "1m30", "20m", "1h20", "2h", "1d", "2d6h")
    ]


@given(st.floats(allow_infinity=False, allow_nan=False).filter(lambda value: abs(value) < 1e300))
def test_a_readable_value_is_right_to_its_digits(value: float) -> None:
    assert float(readable(value)) == pytest.approx(value, rel=6e-5, abs=1e-300)


def test_values_that_are_no_numbers_read_as_such() -> None:
    assert [readable(each) for each in (math.nan, math.inf, -math.inf)] == ["–", "inf", "-inf"]


@given(st.floats(-1e9, 1e9), st.integers(1, 12))
def test_the_shortest_form_fits_or_is_left_out(value: float, width: int) -> None:
    text = shortest(value, width)
    assert len(text) <= width
    if width >= 9:
        assert text


def test_the_shortest_form_gives_up_digits_first() -> None:
    assert [shortest(2914.23, width) for width in (7, 6, 5, 4, 2, 1)] == ["2914.23", "2914.2", "2914", "2914", "3k", ""]
