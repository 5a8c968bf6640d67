"""How figures read."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moore_tui.widgets.figures import coarse, count, number, percent, rate, rough, size, span


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2914.2, "2914"), (0.2142, "0.214"), (-48.46, "-48.5"), (999.7, "1000"), (1.0, "1.00"), (0.0, "0"),
        (99999, "99999"), (123456, "123k"), (0.00004, "4e-5"), (math.nan, "–"), (math.inf, "∞"), (None, "–"),
        (9.996, "10.0"), (-0.0512, "-0.051"),
    ],
)  # fmt: skip
def test_a_figure_has_three_digits_or_all_before_the_point(value: float | None, text: str) -> None:
    assert number(value) == text


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_any_figure_is_short(value: float) -> None:
    assert len(number(value)) <= 7


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (999, "999"), (1000, "1k"), (9500, "9.5k"), (27010, "27k"), (27110, "27.1k"), (620_000, "620k"),
     (1_000_000, "1M"), (1_250_000, "1.25M"), (2.5e9, "2.5G"), (None, "–")],
)  # fmt: skip
def test_counts_have_letters_for_thousands(value: float | None, text: str) -> None:
    assert count(value) == text


def test_a_count_that_always_rises_is_told_in_two_digits() -> None:
    assert [rough(value) for value in (7, 1234, 40_123, 40_999, 1_249_000)] == ["7", "1.2k", "40k", "41k", "1.2M"]


@pytest.mark.parametrize(("share", "text"), [(0.0, "0%"), (0.624, "62%"), (0.9999, "99%"), (1.0, "100%"), (None, "–")])
def test_only_all_of_it_is_a_hundred_percent(share: float | None, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (42.4, "42s"), (2300, "38m"), (6720, "1h52"), (273600, "3d04h"), (None, "–")]
)
def test_durations_take_five_cells_at_most(seconds: float | None, text: str) -> None:
    assert span(seconds) == text


def test_an_age_changes_seldom() -> None:
    assert {coarse(seconds / 10) for seconds in range(600)} == {f"{seconds}s" for seconds in range(0, 60, 5)}
    assert coarse(61) == "1m"


def test_sizes_and_rates() -> None:
    assert [size(value) for value in (12, 794_464, 184e6, 18.2e9, None)] == ["12 B", "794 kB", "184 MB", "18.2 GB", "–"]
    assert [rate(value) for value in (1.7, 24.36, 245.1, 1934.0, None)] == ["1.70", "24.4", "245", "1.93k", "–"]
