"""Grids of cells: what differs is found, and rows become strips that say the same."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from rich.style import Style
from textual.geometry import Region

from moore_tui.widgets.cells import Cells

STYLES = [Style(), Style(color="red"), Style(color="blue")]
WIDTH, HEIGHT = 12, 4
EDITS = st.lists(
    st.tuples(st.integers(0, WIDTH - 1), st.integers(0, HEIGHT - 1), st.sampled_from("ab ⣿漢"), st.integers(0, 2)),
    max_size=30,
)


def written(edits: list[tuple[int, int, str, int]]) -> Cells:
    cells = Cells(WIDTH, HEIGHT)
    for x, y, text, style in edits:
        cells.write(x, y, text, style)
    return cells


def painted(cells: Cells, y: int) -> list[tuple[str, str]]:
    """(character, colour) of each cell of a row; a blank has no colour, a wide character fills its second cell."""
    found = []
    for text, style, _ in cells.painting().strip(y, STYLES):
        for character in text:
            size = 2 if character == "漢" else 1
            color = str(style.color) if style and character != " " else ""
            found += [(character, color), ("", color)][:size]
    return found


@given(EDITS, EDITS)
def test_every_cell_that_looks_different_is_in_a_region(before: list, after: list) -> None:
    old, new = written(before), written(before + after)
    regions = new.changes(old)
    if regions is None:
        regions = [Region(0, 0, WIDTH, HEIGHT)]
    covered = {(x, y) for region in regions for x in range(region.x, region.right) for y in region.line_range}
    for y in range(HEIGHT):
        for x, (a, b) in enumerate(zip(painted(old, y), painted(new, y), strict=True)):
            assert a == b or (x, y) in covered


@given(EDITS)
def test_nothing_has_to_be_painted_where_nothing_changed(edits: list) -> None:
    assert written(edits).changes(written(edits)) == []


@given(EDITS)
def test_a_row_keeps_its_width(edits: list) -> None:
    cells = written(edits)
    for y in range(HEIGHT):
        assert len(painted(cells, y)) == WIDTH
        assert cells.painting().strip(y, STYLES).cell_length == WIDTH


def test_few_changes_far_apart_are_few_small_regions() -> None:
    old, new = written([]), written([(0, 1, "a", 1), (2, 1, "b", 1), (11, 1, "c", 1)])
    assert [tuple(region) for region in new.changes(old) or []] == [(0, 1, 3, 1), (11, 1, 1, 1)]


def test_another_size_means_everything() -> None:
    assert Cells(3, 2).changes(Cells(2, 3)) is None
    assert Cells(3, 2).changes(None) is None


def test_many_changes_mean_everything() -> None:
    new = Cells(8, 2)
    new.write(0, 0, "abcd", 0)
    assert new.changes(Cells(8, 2)) == [Region(0, 0, 4, 1)]
    new.write(0, 1, "e", 0)
    assert new.changes(Cells(8, 2)) is None


def test_blanks_take_their_neighbours_colour_so_that_a_row_needs_few_segments() -> None:
    cells = Cells(9, 1)
    cells.write(1, 0, "a a", 1)
    cells.write(6, 0, "b", 2)
    assert [(segment.text, segment.style) for segment in cells.painting().strip(0, STYLES)] == [
        (" ", STYLES[0]),
        ("a a  ", STYLES[1]),
        ("b  ", STYLES[2]),
    ]


def test_text_ends_at_the_edge_and_half_a_character_is_not_written() -> None:
    cells = Cells(4, 1)
    assert cells.write(0, 0, "abc漢", 0) == 3
    assert cells.text() == "abc"
    assert cells.write(1, 0, "漢x", 0) == 4
    assert cells.text() == "a漢x"


def test_overwriting_half_a_wide_character_leaves_a_blank_for_the_other_half() -> None:
    cells = Cells(4, 1)
    cells.write(0, 0, "漢", 0)
    cells.write(1, 0, "x", 0)
    assert cells.text() == " x"
    cells.write(1, 0, "漢", 0)
    cells.write(0, 0, "漢", 0)
    assert cells.text() == "漢"
    assert np.array_equal(cells.codes[0, 2:], [32, 32])
