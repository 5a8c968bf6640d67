"""Charts as plain text at several sizes, and what must not move while values come in.

The pictures lie in charts/ as text; one that is missing is written and the test fails once.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moore_tui.widgets.chart import Chart, Content
from moore_tui.widgets.chart_view import ChartView, Mark, Series

PICTURES = Path(__file__).parent / "charts"


def returns(count: int = 60) -> list[Series]:
    """Two curves as runs have them: one with a band, one dashed with a gap."""
    x = np.arange(count) * 1000.0
    y = 3400.0 * (1.0 - np.exp(-x / 15000.0)) + 150.0 * np.sin(x / 1700.0)
    other = y * 0.8 - 200.0
    other[30:34] = math.nan
    return [
        Series("hopper-s3", x, y, y - 250.0, y + 250.0, color="series-1"),
        Series("hopper-s0", x, other, color="series-2", dash="dashed"),
    ]


def shares() -> list[Series]:
    x = np.linspace(0.0, 100.0, 41)
    p = np.where(x < 25.0, 1.0, np.exp(-(x - 25.0) / 20.0))
    return [
        Series("offline", x, p, color="offline"),
        Series("online", x, 1.0 - p, color="online"),
        Series("sampled", x, np.clip(p + 0.05 * np.sin(x), 0.0, 1.0), color="series-2", dash="dotted", filled=False),
    ]


def chart(content: Content, **settings: object) -> Chart:
    made = Chart()
    made.content = content
    for name, value in settings.items():
        setattr(made, name, value)
    return made


def of_returns(**settings: object) -> Chart:
    content = Content(returns(), boundary=25000.0, horizon=(0.0, 100000.0), x_label="update", marks=[Mark(40000.0)])
    return chart(content, **settings)


def losses() -> Chart:
    x = np.arange(1.0, 200.0)
    return chart(Content([Series("q", x, 5.0 / x**1.5, 2.0 / x**1.5, 9.0 / x**1.5)], x_label="update"), log_y=True)


def idle() -> Chart:
    """Nothing to see yet."""
    said = "no evaluation yet: fitting the models, epoch 106, and more"
    return chart(Content(horizon=(0.0, 1000.0), empty=said))


CHARTS = {
    "returns-80x16": (of_returns, 80, 16),
    "returns-160x30": (of_returns, 160, 30),
    "returns-38x9": (of_returns, 38, 9),
    "returns-24x6": (of_returns, 24, 6),
    "returns-12x4": (of_returns, 12, 4),
    "returns-11x4": (of_returns, 11, 4),
    "returns-ascii-80x16": (lambda: of_returns(ascii=True), 80, 16),
    "returns-smooth-cursor-80x16": (lambda: of_returns(view=ChartView(smoothing=0.9), cursor=30200.0), 80, 16),
    "returns-cursor-in-a-gap-60x12": (lambda: of_returns(cursor=33000.0), 60, 12),
    "returns-cursor-40x5": (lambda: of_returns(cursor=33000.0), 40, 5),
    "returns-no-band-window-80x16": (lambda: of_returns(view=ChartView(band=False, window=(2e4, 4e4))), 80, 16),
    "losses-log-60x14": (losses, 60, 14),
    "losses-log-ascii-60x14": (lambda: chart(losses().content, log_y=True, ascii=True), 60, 14),
    "shares-60x12": (lambda: chart(Content(shares(), boundary=25.0, stacked=True)), 60, 12),
    "shares-ascii-60x12": (lambda: chart(Content(shares(), boundary=25.0, stacked=True), ascii=True), 60, 12),
    "wall-60x8": (
        lambda: chart(
            Content([Series("a", np.array([3700.0, 3800.0, 8000.0]), np.array([1.0, 2.0, 3.0]))], x_label="time"),
            view=ChartView(axis="wall", window=(3600.0, 9000.0)),
        ),
        60,
        8,
    ),
    "empty-50x8": (lambda: chart(Content(horizon=(0.0, 1000.0))), 50, 8),
    "empty-in-rows-50x8": (idle, 50, 8),
    **{
        f"empty-with-less-room-{width}x{height}": (idle, width, height) for width, height in ((34, 4), (24, 4), (16, 4))
    },
    "one-point-50x8": (lambda: chart(Content([Series("a", np.array([5.0]), np.array([3.0]))])), 50, 8),
    "constant-50x8": (lambda: chart(Content([Series("a", np.arange(9.0), np.full(9, 1e-7))])), 50, 8),
    "no-numbers-50x8": (
        lambda: chart(Content([Series("a", np.arange(5.0), np.array([1.0, math.inf, 2.0, math.nan, -math.inf]))])),
        50,
        8,
    ),
    "nothing-above-zero-50x8": (
        lambda: chart(Content([Series("a", np.arange(3.0), np.array([0.0, -1.0, math.nan]))]), log_y=True),
        50,
        8,
    ),
}


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_looks_as_it_should(name: str) -> None:
    make, width, height = CHARTS[name]
    shown = make().draw(width, height).text() + "\n"
    picture = PICTURES / f"{name}.txt"
    if not picture.exists():
        picture.write_text(shown, encoding="utf-8")
        pytest.fail(f"{picture.name} was missing and has been written: look at it, then run again")
    assert shown == picture.read_text(encoding="utf-8"), f"\n{shown}"


def test_no_picture_is_left_over() -> None:
    assert {path.stem for path in PICTURES.glob("*.txt")} == set(CHARTS)


@settings(max_examples=40)
@given(st.integers(0, 80), st.integers(0, 30), st.booleans(), st.booleans(), st.booleans(), st.data())
def test_any_chart_can_be_drawn_at_any_size(
    width: int, height: int, log: bool, stacked: bool, ascii: bool, data: st.DataObject
) -> None:
    numbers = st.floats(allow_nan=True, allow_infinity=True)
    ys = data.draw(st.lists(st.lists(numbers, max_size=20), max_size=3))
    series = []
    for index, y in enumerate(ys):
        x = np.array(data.draw(st.lists(numbers, min_size=len(y), max_size=len(y))), np.float64)
        series.append(Series(f"run-{index}", x, np.array(y), np.array(y) - 1.0, np.array(y) + 1.0, dash="dashed"))
    view = ChartView(
        smoothing=data.draw(st.sampled_from([0.0, 0.6])), axis=data.draw(st.sampled_from(["step", "wall"]))
    )
    content = Content(series, boundary=data.draw(numbers), horizon=(0.0, 10.0), stacked=stacked, marks=[Mark(1.0)])
    with np.errstate(over="ignore", invalid="ignore"):
        cells = chart(content, log_y=log, ascii=ascii, view=view, cursor=data.draw(st.none() | st.floats(0, 10))).draw(
            width, height
        )
    assert cells.codes.shape == (height, width)
    if ascii:
        assert cells.codes.max(initial=0) < 128


def changed(before: Chart, after: Chart, width: int = 100, height: int = 30) -> int:
    """Cells that differ between two charts."""
    return int((before.draw(width, height).codes != after.draw(width, height).codes).sum())


@given(st.integers(5, 58), st.floats(0.02, 0.98))
def test_one_more_point_inside_the_axes_changes_few_cells(count: int, share: float) -> None:
    drawn = of_returns()
    drawn.content = Content([_cut(each, count) for each in returns()], boundary=25000.0, horizon=(0.0, 100000.0))
    before = drawn.draw(100, 30)
    assert drawn.y_scale is not None
    y_scale, within = drawn.y_scale, drawn.y_scale.value(share)
    more = [_cut(each, count + 1) for each in returns()]
    more[0].y, more[0].low, more[0].high = more[0].y.copy(), None, None
    more[0].y[-1] = within
    steepest = abs(within - more[0].y[-2]) / (y_scale.high - y_scale.low) * 26
    without_band = Series("hopper-s3", returns()[0].x[:count], returns()[0].y[:count])
    drawn.content = Content([without_band, more[1]], boundary=25000.0, horizon=(0.0, 100000.0))
    before = drawn.draw(100, 30)
    drawn.content = Content(more, boundary=25000.0, horizon=(0.0, 100000.0))
    after = drawn.draw(100, 30)
    assert drawn.y_scale == y_scale
    assert (before.codes != after.codes).sum() <= 2 * (steepest + 4)


def test_a_point_outside_moves_the_y_axis_once_and_then_there_is_room() -> None:
    drawn = chart(Content([Series("a", np.arange(2.0), np.array([0.0, 100.0]))], horizon=(0.0, 1000.0)))
    moves, y = 0, [0.0, 100.0]
    for step in range(2, 400):
        y.append(100.0 + step * 0.5)
        before = drawn.y_scale
        drawn.content = Content([Series("a", np.arange(float(len(y))), np.array(y))], horizon=(0.0, 1000.0))
        drawn.draw(80, 20)
        moves += before is not None and drawn.y_scale != before
    assert 1 <= moves <= 6


def test_another_subject_settles_the_y_axis_anew() -> None:
    x = np.arange(10.0)
    drawn = chart(Content([Series("a", x, x * 100.0)], subject="return"))
    drawn.draw(80, 20)
    drawn.content = Content([Series("a", x, x * 90.0)], subject="return")
    drawn.draw(80, 20)
    kept = drawn.y_scale
    drawn.content = Content([Series("a", x, x * 90.0)], subject="score")
    drawn.draw(80, 20)
    assert kept is not None and kept.high == 1200.0
    assert drawn.y_scale is not None and drawn.y_scale.high < 1200.0


@given(st.lists(st.tuples(st.sampled_from([5, 60]), st.sampled_from([1.0, 1.7, 40.0]), st.integers(0, 3)), max_size=8))
def test_what_was_drawn_before_leaves_no_trace(steps: list[tuple[int, float, int]]) -> None:
    drawn = Chart()
    for count, factor, change in steps:
        series = [_cut(each, count) for each in returns()]
        series[0].y = series[0].y * factor
        drawn.content = Content(series, boundary=count * 400.0, horizon=(0.0, 6e4), marks=[Mark(count * 100.0)])
        drawn.cursor = 5000.0 if change == 1 else None
        drawn.log_y, drawn.ascii = change == 2, change == 3
        fresh = chart(drawn.content, cursor=drawn.cursor, log_y=drawn.log_y, ascii=drawn.ascii)
        cells = drawn.draw(70, 15)
        fresh._fit = drawn._fit
        assert cells.text() == fresh.draw(70, 15).text()


@pytest.mark.parametrize("far", [1.0, 1e6, 1e9])
def test_lines_lead_out_of_a_window_to_the_points_beside_it(far: float) -> None:
    x, y = np.array([1.5 - far, 1.5, 1.5 + far]), np.array([1.0 - far, 1.0, 1.0 + far])
    drawn = chart(Content([Series("a", x, y)], y_range=(0.0, 2.0)), view=ChartView(window=(1.0, 2.0)))
    rows = [line[7:] for line in drawn.draw(67, 13).text().split("\n")[:-2]]
    columns = [{i for i, character in enumerate(row) if character != " "} for row in rows]
    assert set.union(*columns) == set(range(60))
    heights = [next(n for n, row in enumerate(columns) if i in row) for i in range(60)]
    assert heights == sorted(heights, reverse=True)


def test_a_point_left_of_the_window_is_not_drawn_into_its_first_column() -> None:
    x, y = np.array([0.99, 1.0, 2.0]), np.array([2.0, 0.0, 0.0])
    drawn = chart(Content([Series("a", x, y)], y_range=(0.0, 2.0)), view=ChartView(window=(1.0, 2.0)))
    top = drawn.draw(67, 13).text().split("\n")[0]
    assert top[7:].strip() == ""


def test_a_band_down_to_zero_and_below_reaches_the_foot_of_a_logarithmic_axis() -> None:
    x = np.arange(20.0)
    y = np.full(20, 10.0)
    drawn = chart(Content([Series("a", x, y, y - 20.0, y * 2.0)]), log_y=True)
    foot = drawn.draw(60, 14).text().split("\n")[-3]
    assert foot[7:].strip()


def test_the_x_axis_without_a_plan_grows_seldom() -> None:
    drawn, ends = Chart(), set()
    for count in range(2, 500):
        x = np.arange(float(count))
        drawn.content = Content([Series("a", x, x)])
        drawn.draw(80, 20)
        assert drawn.x_scale.holds(0.0, count - 1.0)
        ends.add(drawn.x_scale.high)
    assert len(ends) <= 32


def test_a_run_past_its_plan_is_still_shown_whole() -> None:
    x = np.arange(20.0)
    drawn = chart(Content([Series("a", x, x)], horizon=(0.0, 10.0)))
    drawn.draw(80, 20)
    assert drawn.x_scale.holds(0.0, 19.0)


@pytest.mark.parametrize("size", [(80, 20), (120, 40), (36, 10)])
def test_the_boundary_stands_in_one_column_whatever_the_values(size: tuple[int, int]) -> None:
    columns = set()
    for factor in (1e-7, 0.3, 8.0, 2e5):
        x = np.arange(50.0)
        drawn = chart(Content([Series("a", x, x * factor)], boundary=17.0, horizon=(0.0, 100.0)))
        row = drawn.draw(*size).text().split("\n")[1]
        columns.add(row.index("┊"))
    assert len(columns) == 1


def test_labels_are_whole_or_missing() -> None:
    for width in range(12, 90):
        for factor in (1e-9, 1.0, 12345.678, 1e12):
            x = np.linspace(0.0, 3e6, 40)
            drawn = chart(Content([Series("a", x, x * factor)], horizon=(0.0, 3e6), boundary=1e6))
            lines = drawn.draw(width, 12).text().split("\n")
            assert drawn.frame is not None and drawn.y_scale is not None
            words = {"offline", "┊", "online"}
            for text in lines[-1].split():
                assert text in words or _number(text) is not None, lines[-1]
            for line in lines[:-2]:
                label = line[: max(0, drawn.frame.left - 1)].strip()
                assert not label or _number(label) is not None, line


def test_the_cursor_reads_each_series_last_value_and_a_gap_has_the_one_before_it() -> None:
    drawn = of_returns(cursor=31000.0)
    drawn.draw(80, 16)
    (_, first), (_, second) = drawn.readings(31000.0)
    assert first == returns()[0].y[31]
    assert second == returns()[1].y[29]


def test_a_series_without_a_name_is_the_beginning_of_the_next() -> None:
    x = np.arange(10.0)
    offline = Series("", x[:5], x[:5], color="offline")
    online = Series("hopper", x[4:], x[4:])
    drawn = chart(Content([offline, online]))
    drawn.draw(60, 12)
    assert [(series.name, value) for series, value in drawn.readings(2.0)] == [("hopper", 2.0)]
    assert [(series.name, value) for series, value in drawn.readings(7.0)] == [("hopper", 7.0)]


def test_curves_that_are_not_sorted_or_have_no_x_are_put_in_order() -> None:
    x, y = np.array([3.0, 1.0, math.nan, 2.0, 0.0]), np.array([9.0, 1.0, 5.0, 4.0, 0.0])
    one = chart(Content([Series("a", x, y, y - 1.0, y + 1.0)])).draw(60, 12)
    two = chart(
        Content(
            [Series("a", np.arange(4.0), np.arange(4.0) ** 2, np.arange(4.0) ** 2 - 1.0, np.arange(4.0) ** 2 + 1.0)]
        )
    )
    assert one.text() == two.draw(60, 12).text()


def _cut(series: Series, count: int) -> Series:
    low, high = (None if each is None else each[:count] for each in (series.low, series.high))
    return Series(series.name, series.x[:count], series.y[:count], low, high, series.color, series.dash)


def _number(text: str) -> float | None:
    try:
        return float(text.rstrip("kMGT"))
    except ValueError:
        return None
