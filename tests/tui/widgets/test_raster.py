"""Dots of curves, bands and areas, and the characters that they become."""

from __future__ import annotations

import math
from itertools import pairwise
from textwrap import dedent

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moore_tui.widgets.raster import PATTERNS, Raster
from moore_tui.widgets.thinning import Bins, Columns, thinned

HEIGHTS = st.floats(-30.0, 60.0) | st.just(math.nan)
POINTS = st.lists(st.tuples(st.integers(-3, 25), HEIGHTS), min_size=1, max_size=60)
COLUMNS, ROWS = 10, 8


def columns_of(given: list[tuple[int, float]]) -> Columns:
    given = sorted(given, key=lambda point: point[0])
    return thinned(Bins(np.array([at for at, _ in given], np.int64)), np.array([y for _, y in given]))


def dots(cells: np.ndarray) -> np.ndarray:
    """Braille cells as (height, width) bool, by the bits that Unicode gives the dots."""
    places = {0: (0, 0), 1: (1, 0), 2: (2, 0), 3: (0, 1), 4: (1, 1), 5: (2, 1), 6: (3, 0), 7: (3, 1)}
    lit = np.zeros((cells.shape[0] * 4, cells.shape[1] * 2), bool)
    for bit, (down, across) in places.items():
        lit[down::4, across::2] = cells >> bit & 1
    return lit


def shown(cells: np.ndarray) -> str:
    return "\n".join("".join(chr(0x2800 + int(code)) if code else " " for code in row).rstrip() for row in cells)


@given(POINTS)
def test_every_extreme_on_the_canvas_is_lit(given: list[tuple[int, float]]) -> None:
    columns = columns_of(given)
    lit = dots(Raster(COLUMNS, ROWS).curve(columns))
    for at, *extremes in zip(columns.at, columns.low, columns.high, strict=True):
        for y in extremes:
            row = math.floor(y + 0.5)
            if 0 <= at < COLUMNS * 2 and 0 <= row < ROWS * 4:
                assert lit[row, at]


@given(POINTS)
def test_a_curve_is_one_run_in_each_column_and_runs_of_a_line_touch(given: list[tuple[int, float]]) -> None:
    given = [(at, min(max(y, 0.0), 31.0)) for at, y in given if math.isfinite(y)] or [(0, 5.0)]
    columns = columns_of(given)
    columns.joined[:-1] = True
    lit = dots(Raster(COLUMNS, ROWS).curve(columns))
    if len(columns) == 1:
        return
    runs = [np.flatnonzero(lit[:, x]) for x in range(lit.shape[1])]
    for run in runs:
        assert run.size == 0 or run[-1] - run[0] + 1 == run.size
    for left, right in pairwise(runs):
        if left.size and right.size:
            assert left[0] - 1 <= right[-1] and right[0] - 1 <= left[-1]
    inside = [x for x in range(COLUMNS * 2) if columns.at[0] <= x <= columns.at[-1]]
    assert all(runs[x].size for x in inside)


@given(POINTS, st.sampled_from(["dashed", "dotted", "dashdot", "faint"]))
def test_a_dash_lights_some_of_the_dots_of_the_solid_curve(given: list[tuple[int, float]], pattern: str) -> None:
    raster, columns = Raster(COLUMNS, ROWS), columns_of(given)
    solid, dashed = raster.curve(columns), raster.curve(columns, pattern)
    assert not (dashed & ~solid).any()


@pytest.mark.parametrize("pattern", ["dashed", "dotted", "dashdot", "faint"])
@pytest.mark.parametrize("heights", [(10.0, 10.0), (0.0, 31.0), (31.0, 0.0)])
def test_a_dash_follows_its_pattern_along_the_curve(pattern: str, heights: tuple[float, float]) -> None:
    raster = Raster(COLUMNS, ROWS)
    columns = columns_of([(0, heights[0]), (19, heights[1])])
    solid, lit = dots(raster.curve(columns)), dots(raster.curve(columns, pattern))
    order = -1 if heights[1] < heights[0] else 1
    along = [lit[row, x] for x in range(20) for row in np.flatnonzero(solid[:, x])[::order]]
    on = PATTERNS[pattern]
    assert along == [on[place % len(on)] for place in range(len(along))]


@given(POINTS, st.integers(0, 19))
def test_more_points_at_the_right_leave_the_dashes_at_the_left(given: list[tuple[int, float]], cut: int) -> None:
    raster = Raster(COLUMNS, ROWS)
    given = sorted(given, key=lambda point: point[0])
    before, after = columns_of([each for each in given if each[0] <= cut]), columns_of(given)
    left = [dots(raster.curve(columns, "dashed"))[:, : max(0, cut - 1)] for columns in (before, after)]
    seen = [at for at, y in given if at <= cut and math.isfinite(y)]
    until = max(seen, default=-9) // 2 * 2
    assert (left[0][:, : max(0, until)] == left[1][:, : max(0, until)]).all()


def test_a_gap_is_not_crossed() -> None:
    cells = Raster(6, 2).curve(columns_of([(0, 7.0), (3, 0.0), (5, math.nan), (8, 0.0), (11, 7.0)]))
    assert shown(cells) == "⢀⠞  ⠳⡀\n⡜    ⢣"


def test_a_lone_point_is_a_block() -> None:
    assert shown(Raster(3, 1).curve(columns_of([(2, 1.0)]))) == " ⠛"


def test_a_curve_that_leaves_the_canvas_is_cut_at_its_edge() -> None:
    cells = Raster(8, 2).curve(columns_of([(0, 4.0), (4, -20.0), (8, 4.0), (12, 30.0), (15, 4.0)]))
    lit = dots(cells)
    assert not lit[:, 2:6].any()
    assert not lit[:, 11:13].any()
    assert lit[4, 0] and lit[4, 15]


def test_the_four_dashes_look_different() -> None:
    raster, lines = Raster(16, 1), []
    for pattern in ("solid", "dashed", "dotted", "dashdot"):
        lines.append(shown(raster.curve(columns_of([(0, 2.0), (31, 2.0)]), pattern)))
    assert "\n".join(lines) == dedent(
        """\
        ⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤
        ⠤⠤⠤  ⠤⠤⠤  ⠤⠤⠤  ⠤
        ⠄⠠ ⠄⠠ ⠄⠠ ⠄⠠ ⠄⠠ ⠄
        ⠤⠤⠤⠄ ⠄ ⠤⠤⠤⠄ ⠄ ⠤⠤"""
    )


@given(POINTS, st.floats(0.0, 20.0))
def test_a_band_stays_between_its_edges(given: list[tuple[int, float]], width: float) -> None:
    columns = columns_of(given)
    lit = dots(Raster(COLUMNS, ROWS).band(columns, columns.low - width, columns.high + width))
    rows, xs = np.nonzero(lit)
    for row, x in zip(rows, xs, strict=True):
        at = np.searchsorted(columns.at, x)
        near = [i for i in (at - 1, at) if 0 <= i < len(columns)]
        assert min(columns.low[i] for i in near) - width - 1 <= row <= max(columns.high[i] for i in near) + width + 1


def test_a_band_is_sparse_and_an_area_as_dense_as_asked() -> None:
    raster, columns = Raster(COLUMNS, ROWS), columns_of([(0, 0.0), (19, 0.0)])
    top, bottom = np.zeros(2), np.full(2, 31.0)
    shares = [
        dots(cells).mean()
        for cells in (raster.band(columns, top, bottom), *(raster.area(columns, top, bottom, n) for n in range(3)))
    ]
    assert shares == pytest.approx([1 / 8, 1 / 4, 1 / 2, 1.0])


def test_ascii_has_one_dot_a_cell() -> None:
    cells = Raster(8, 4, ascii=True).curve(columns_of([(0, 3.0), (4, 0.0), (7, 3.0)]), "dashed")
    assert "\n".join("".join(" *"[code] for code in row).rstrip() for row in cells) == "   ***\n  *   *\n *\n*      *"
