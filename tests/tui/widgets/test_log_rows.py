"""Moving by rows through a log: against the plain list of all rows."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from moore_tui.runs.log_lines import ERROR, INFO, WARN, LogLine
from moore_tui.widgets.log_rows import LEVELS, LogRows


class Book:
    """Lines as a log book gives them; the first ones are gone."""

    def __init__(self, lines: list[LogLine], first: int = 0) -> None:
        self.lines, self.first, self.version = lines, first, 1

    @property
    def end(self) -> int:
        return self.first + len(self.lines)

    def slice(self, start: int, end: int) -> list[LogLine]:
        return self.lines[max(0, start - self.first) : max(0, end - self.first)]


LINES = st.builds(LogLine, st.text("ab é名\t", max_size=25), st.sampled_from(LEVELS), st.integers(0, 3))
BOOKS = st.builds(Book, st.lists(LINES, max_size=12), st.integers(0, 50))


def rows_of(book: Any, wrapping: bool = False, attempt: int = 0, level: str = INFO, width: int = 8) -> LogRows:
    rows = LogRows()
    rows.book, rows.wrapping, rows.attempt, rows.level, rows.width = book, wrapping, attempt, level, width
    return rows


def every(rows: LogRows) -> list[tuple[int, int]]:
    """All rows in order."""
    return [(number, row) for number in rows.numbers for row in range(len(rows.parts(number)))]


@given(BOOKS, st.booleans(), st.integers(0, 3), st.sampled_from(LEVELS), st.integers(0, 40), st.integers(0, 40))
def test_moving_by_rows_is_moving_in_the_list_of_all_rows(
    book: Book, wrapping: bool, attempt: int, level: str, start: int, by: int
) -> None:
    rows = rows_of(book, wrapping, attempt, level)
    places = every(rows)
    if not places:
        assert rows.nearest((start, 0)) is None and rows.end(5) is None
        return
    start %= len(places)
    assert rows.back(places[start], by) == places[max(0, start - by)]
    assert rows.on(places[start], by) == places[min(len(places) - 1, start + by)]
    assert rows.nearest(places[start]) == places[start]
    assert rows.end(by + 1) == places[max(0, len(places) - 1 - by)]


@given(BOOKS, st.integers(0, 3), st.sampled_from(LEVELS))
def test_only_lines_of_the_attempt_and_from_the_level_on_are_shown(book: Book, attempt: int, level: str) -> None:
    rows = rows_of(book, attempt=attempt, level=level)
    for number, line in enumerate(book.lines, book.first):
        kept = LEVELS.index(line.level) >= LEVELS.index(level) and (not attempt or line.attempt in (0, attempt))
        assert rows.shows(number) == kept


@given(BOOKS)
def test_a_wrapped_line_is_shown_whole_in_rows_that_fit(book: Book) -> None:
    from rich.cells import cell_len

    rows = rows_of(book, wrapping=True)
    for number in rows.numbers:
        parts = rows.parts(number)
        assert "".join(parts) == rows.line(number).text.expandtabs(4)
        assert all(cell_len(part) <= 8 for part in parts)


def test_a_place_whose_line_is_gone_becomes_the_next_one_that_is_left() -> None:
    rows = rows_of(Book([LogLine(str(number), level) for number, level in enumerate((INFO, ERROR, INFO, WARN))], 10))
    assert rows.nearest((3, 0)) == (10, 0)
    assert rows.nearest((99, 0)) == (13, 0)
    rows.level = WARN
    assert rows.nearest((12, 0)) == (13, 0)


def test_new_lines_are_seen_with_a_level_chosen_too() -> None:
    book = Book([LogLine("one", ERROR)])
    rows = rows_of(book, level=ERROR)
    assert list(rows.numbers) == [0]
    book.lines.append(LogLine("two", ERROR))
    book.version += 1
    assert list(rows.numbers) == [0, 1]
