"""Below the chart of a comparison: the table of figures, and how the configurations differ, beside it if it is wide."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.content import Content

from moore_tui.runs.comparison import Grouping, Row
from moore_tui.widgets import compare_curves
from moore_tui.widgets import compare_rows as lines
from moore_tui.widgets.compare_rows import ComparedRows
from moore_tui.widgets.sheet import Line, Sheet, cut

SHARE = 0.45
"""Of the screen's height, that this may take."""
AROUND = 4
"""Rows for the frame, the heading and the legend."""


class FittedLine(Sheet):
    """One line that depends on the room; `fit` says how it is made."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._make: Callable[[int], Line] = lambda width: ()

    def fit(self, make: Callable[[int], Line]) -> None:
        self._make = make
        self.on_resize()

    def on_resize(self) -> None:
        self.put([self._make(max(1, self.size.width))])


class CompareTable(Container):
    """`differing` shows the configurations where there is no room for both."""

    DEFAULT_CSS = """
    CompareTable { height: auto; layout: vertical; }
    CompareTable.-wide { layout: horizontal; }
    CompareTable #compare-table, CompareTable #compare-differences { height: auto; }
    CompareTable.-wide #compare-table { width: 2fr; }
    CompareTable.-wide #compare-differences { width: 1fr; }
    CompareTable #compare-heading, CompareTable #compare-legend { height: 1; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.table, self.keys = ComparedRows(id="compare-rows"), ComparedRows(id="compare-keys")
        self.rows: Sequence[Row] = ()
        self.differing = self.ascii = False

    def compose(self) -> ComposeResult:
        with Vertical(id="compare-table", classes="box"):
            yield FittedLine(id="compare-heading")
            yield self.table
            yield FittedLine(id="compare-legend")
        with Vertical(id="compare-differences", classes="box"):
            yield self.keys

    @property
    def current(self) -> Row | None:
        """The row under the cursor."""
        return self.rows[self.table.cursor] if self.table.cursor < len(self.rows) else None

    def beside(self, wide: bool, differing: bool) -> None:
        """Both beside one another, or one of them."""
        self.differing = differing
        self.set_class(wide, "-wide")
        self.query_one("#compare-table").display = wide or not differing
        self.query_one("#compare-differences").display = wide or differing

    def show(self, rows: Sequence[Row], grouping: Grouping, grouped: bool, runs: int) -> None:
        """`grouped` as in the chart; `runs` is how many are marked, known or not."""
        self.rows = rows
        most = max(3, int(self.screen.size.height * SHARE) - AROUND)
        self._show_figures(grouping, grouped, runs, most)
        self._show_differences(grouping, most + 2)

    def _show_figures(self, grouping: Grouping, grouped: bool, runs: int, most: int) -> None:
        rows = self.rows
        looks = compare_curves.looks(grouping.groups, grouped)
        units = {row.unit for row in rows if row.unit}
        told = f" · {units.pop()}s" if len(units) == 1 else ""
        if grouping.unreadable:
            told += f" · the configuration of {', '.join(grouping.unreadable)} cannot be read"
        self.query_one("#compare-table").border_title = Content(f"2 Figures · {runs} runs{told}")
        self.query_one("#compare-heading", FittedLine).fit(lines.heading)
        self.query_one("#compare-legend", FittedLine).fit(lines.legend)

        def line(place: int, room: int, style: str) -> Line:
            row = rows[place]
            return lines.row_line(row, room, style, looks.get((row.group, row.member)), self.ascii)

        self.table.styles.height = max(1, min(len(rows), most))
        self.table.fill(len(rows), line)

    def _show_differences(self, grouping: Grouping, most: int) -> None:
        found = lines.difference_lines(grouping)
        count = len(grouping.differences)
        told = "1 key differs" if count == 1 else f"{count} keys differ"
        self.query_one("#compare-differences").border_title = Content(f"3 Configurations · {told}")
        self.keys.styles.height = max(1, min(len(found), most))
        self.keys.fill(len(found), lambda row, room, style: cut(found[row], room))
