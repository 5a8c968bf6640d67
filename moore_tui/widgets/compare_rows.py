"""The lines of the comparison: a row of figures for each group and run, and how the configurations differ."""

from __future__ import annotations

from rich.style import Style

from moore_tui.runs.comparison import Cell, Grouping, Row, value
from moore_tui.widgets.chart_field import GLYPHS, SAMPLES
from moore_tui.widgets.compare_curves import Look
from moore_tui.widgets.figures import DASH, number
from moore_tui.widgets.palette import palette
from moore_tui.widgets.rows import Rows
from moore_tui.widgets.sheet import Line, pad

HEADINGS = {"offline": "offline", "dip": "net dip", "epochs_to": "to 90 %", "final": "final", "auc": "AUC"}
SHORT = {"offline": 11, "dip": 13, "epochs_to": 7, "final": 11, "auc": 5}
LONG = {"offline": 17, "dip": 20, "epochs_to": 14, "final": 17, "auc": 17}
"""Cells of each column, without and with the interval of what is a group's or a run's."""
MEDIUM = SHORT | {"dip": 20, "epochs_to": 12}
ROOMS = ((116, LONG), (88, MEDIUM), (0, SHORT))
"""Cells from which the intervals are written out, all of them or the dip's."""
GUTTER = 6
LEAST_NAME = 14


class ComparedRows(Rows):
    """Rows that know the chart's colours: the style "series-2" is that of its second curve."""

    def style_of(self, name: str) -> Style:
        if name.startswith("series-"):
            theme = self.app.current_theme
            sixteen = self.app.native_ansi_color or self.app.console.color_system == "standard"
            return palette(self.app.theme_variables, theme.dark, sixteen).style(name)
        return super().style_of(name)


def heading(width: int) -> Line:
    """Names of the columns; what follows a figure is told by `legend`."""
    columns = _columns(width)
    name = pad("", GUTTER) + pad("group or run", _name(width))
    return ((name + "".join(f" {HEADINGS[key]:>{cells}}" for key, cells in columns.items()), "dim"),)


def row_line(row: Row, width: int, style: str, look: Look | None, ascii: bool) -> Line:
    """A row: cursor, colour and dash of its curve if it has one, name, figures."""
    pointer = (">" if ascii else "▸") if style else " "
    alone = row.member is None
    sample = (GLYPHS[look.dash] * 2 if ascii else SAMPLES[look.dash]) if look else ""
    plain = style or ("" if alone else "dim")
    line: Line = ((pointer, "key"), (" ", ""), (pad(sample, GUTTER - 3), look.color if look else ""), (" ", ""))
    line += ((pad(row.name if alone else f"  {row.name}", _name(width)), plain),)
    for key, cells in _columns(width).items():
        line += ((f" {cell_text(key, row.cells.get(key, Cell()), cells):>{cells}}", plain),)
    return line


def cell_text(key: str, cell: Cell, cells: int) -> str:
    """A figure with its interval where there is room, else with half its width."""
    if cell.value is None:
        return DASH
    figure = f"{cell.value:.3g}" if key == "epochs_to" else number(cell.value)
    if cell.low is None or cell.high is None:
        return figure
    written = f"{figure} [{number(cell.low)}, {number(cell.high)}]"
    if len(written) <= cells:
        return written
    half = f"{figure} ±{number((cell.high - cell.low) / 2)}"
    return half if len(half) <= cells else figure


def legend(width: int) -> Line:
    """What the figures are."""
    long = "groups: interquartile mean [quartiles]; runs: value [± one standard error], net dip [95 %]"
    return ((long if len(long) <= width else "± half the quartiles' distance; of a run, a standard error", "dim"),)


def difference_lines(grouping: Grouping) -> list[Line]:
    """A key a line, below it each group's value."""
    if len(grouping.groups) < 2:
        return [(("these runs differ in the seed only" if grouping.groups else "", "dim"),)]
    lines: list[Line] = []
    for key, values in grouping.differences:
        lines.append(((key, "strong"),))
        for group, found in zip(grouping.groups, values, strict=True):
            lines.append(((f"  {value(key, found)}", ""), (f"  {group.label}", "dim")))
    return lines


def _columns(width: int) -> dict[str, int]:
    shown = dict(next(columns for least, columns in ROOMS if width >= least))
    for key in ("auc", "epochs_to", "dip"):
        if sum(shown.values()) + len(shown) + GUTTER + LEAST_NAME <= width:
            break
        shown.pop(key)
    return shown


def _name(width: int) -> int:
    columns = _columns(width)
    return max(4, width - GUTTER - sum(columns.values()) - len(columns))
