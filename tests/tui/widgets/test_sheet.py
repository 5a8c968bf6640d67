"""Lines of text: what is painted again, cutting and spreading."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from moore_tui.widgets.sheet import GAP, Line, cells, changed, cut, length, pad, spread, wrapped

PIECES = st.tuples(st.text("ab ·", max_size=6), st.sampled_from(["", "dim", "bad"]))
LINES = st.lists(PIECES, max_size=5).map(tuple)
ANY = st.lists(st.tuples(st.text(st.characters(exclude_categories=["C", "M", "Z"])), st.just("")), max_size=3).map(
    tuple
)


@given(LINES, LINES, st.integers(1, 30))
def test_painting_the_changed_cells_over_the_old_line_gives_the_new_one(old: Line, new: Line, width: int) -> None:
    shown, wanted = cells(old, width), cells(new, width)
    assert shown is not None and wanted is not None
    for start, end in changed(old, new, width):
        assert shown[start:end] != wanted[start:end]
        shown[start:end] = wanted[start:end]
    assert shown == wanted


def test_an_unchanged_line_is_not_painted() -> None:
    line: Line = (("return ", "dim"), ("2914", "strong"))
    assert list(changed(line, (("return ", "dim"), ("2914", "strong")), 40)) == []


def test_one_figure_that_changed_is_painted_alone() -> None:
    before: Line = (("return ", "dim"), ("2914", "strong"), (" eta 38m", ""))
    after: Line = (("return ", "dim"), ("2915", "strong"), (" eta 38m", ""))
    assert list(changed(before, after, 40)) == [(10, 11)]


def test_runs_of_cells_close_to_each_other_are_painted_at_once() -> None:
    def dots(*at: int) -> Line:
        return (("".join("x" if x in at else "." for x in range(40)), ""),)

    assert list(changed(dots(), dots(2, 2 + GAP), 40)) == [(2, 3 + GAP)]
    assert list(changed(dots(), dots(2, 4 + GAP), 40)) == [(2, 3), (4 + GAP, 5 + GAP)]


def test_another_style_is_a_change() -> None:
    assert list(changed((("ab", ""),), (("a", ""), ("b", "bad")), 2)) == [(1, 2)]


def test_a_line_with_wide_characters_is_painted_whole() -> None:
    assert list(changed((("名前", ""),), (("名刺", ""),), 10)) == [(0, 10)]


@given(ANY, st.integers(0, 20))
def test_what_is_cut_fits(line: Line, width: int) -> None:
    assert length(cut(line, width)) <= width


def test_what_is_cut_ends_in_an_ellipsis() -> None:
    assert cut((("hopper", "strong"), ("-medium", "")), 9) == (("hopper", "strong"), ("-m…", ""))
    assert cut((("hopper", ""),), 6) == (("hopper", ""),)


@given(st.text(st.characters(exclude_categories=["C", "M"])), st.integers(1, 20))
def test_what_is_padded_has_exactly_that_width(text: str, width: int) -> None:
    assert cell_len(pad(text, width)) == width


@pytest.mark.parametrize(("width", "text"), [(12, "left   right"), (9, "leftright"), (8, "left    "), (3, "le…")])
def test_the_right_end_of_a_line_goes_first_where_room_is_short(width: int, text: str) -> None:
    line = spread((("left", ""),), (("right", ""),), width)
    assert "".join(part for part, _ in line) == text


def test_a_long_text_is_wrapped_between_words_and_keeps_its_paragraphs() -> None:
    assert wrapped("one two three\nfour", 8) == ["one two", "three", "four"]
    assert wrapped("", 8) == [""]
