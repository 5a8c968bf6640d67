"""A chart as cells, at any size, without a terminal; its axes stand still while values come in."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from moore_tui.widgets.axes import Tick, duration, readable, shortest, ticks
from moore_tui.widgets.cells import Cells
from moore_tui.widgets.chart_curves import Curve, curves
from moore_tui.widgets.chart_field import Field, sample
from moore_tui.widgets.chart_fit import Fit
from moore_tui.widgets.chart_frame import Frame, Taken
from moore_tui.widgets.chart_view import ChartView, Mark, Series
from moore_tui.widgets.scale import Scale

LEAST_WIDTH, LEAST_HEIGHT = 12, 4
"""Below this size only the newest value is shown."""
ALIGNED_WIDTH, GUTTER = 36, 6
"""From this width on the y labels have this many cells, so that charts of a width have the same columns."""


@dataclass(frozen=True, eq=False)
class Content:
    """What a chart shows.

    `horizon` is the planned x axis, `y_range` a fixed y axis; another `subject` (metric, run) lets the y axis settle
    anew; `empty` is said while there is no value.
    """

    series: Sequence[Series] = ()
    boundary: float | None = None
    horizon: tuple[float, float] | None = None
    x_label: str = ""
    stacked: bool = False
    marks: Sequence[Mark] = ()
    y_range: tuple[float, float] | None = None
    subject: Hashable = None
    empty: str = "no evaluations yet"


class Looks:
    """Numbers for styles, as cells hold them: a name of the palette, dim or not, bold or not; 0 is the ground."""

    def __init__(self) -> None:
        self.known: list[tuple[str, bool, bool]] = [("label", False, False)]

    def number(self, name: str, dim: bool = False, bold: bool = False) -> int:
        look = (name, dim, bold)
        if look not in self.known:
            self.known.append(look)
        return self.known.index(look)


class Chart:
    """Draws `content` as `view`, `log_y`, `ascii` and `legend` say; `cursor` is the x value under the cursor.

    After `draw`, `frame` and `field` tell where things lie (None while there is room for the newest value only),
    `whole` is the x axis that fits everything, and `x_scale` and `y_scale` are those shown.
    """

    def __init__(self) -> None:
        self.content = Content()
        self.view = ChartView()
        self.log_y = self.ascii = False
        self.legend = True
        self.cursor: float | None = None
        self.looks = Looks()
        self.frame: Frame | None = None
        self.field: Field | None = None
        self.whole = self.x_scale = Scale(0.0, 1.0)
        self.y_scale: Scale | None = None
        self._fit = Fit()
        self._curves: tuple[object, list[Curve]] = (None, [])
        self._drawn: tuple[object, Cells] = (None, Cells(0, 0))

    @property
    def curves(self) -> list[Curve]:
        key = (self.content, self.view.smoothing)
        if self._curves[0] != key:
            self._curves = (key, curves(self.content.series, self.view.smoothing, self.content.stacked))
        return self._curves[1]

    def draw(self, width: int, height: int) -> Cells:
        """The chart on `width` x `height` cells."""
        self._scale()
        self.frame = self.field = None
        if width < LEAST_WIDTH or height < LEAST_HEIGHT:
            cells = Cells(width, height)
            newest = next((value for _, value in self.readings(np.inf) if value is not None), None)
            cells.write(0, height // 2, "-" if newest is None else shortest(newest, width), self.looks.number("label"))
            return cells
        named = sum(bool(series.name) for series in self.content.series)
        legend = (named > 1 and height >= 7 and self.legend) or (self.cursor is not None and height >= 5)
        y_ticks = ticks(self.y_scale, _y_labels(Frame.rows_of(height, legend))) if self.y_scale else []
        widest = max((len(tick.label) for tick in y_ticks), default=0)
        gutter = max(GUTTER, widest) if width >= ALIGNED_WIDTH else widest
        if width - gutter < LEAST_WIDTH // 2:
            gutter = 0
        frame = self.frame = Frame.of(width, height, gutter, legend, self.ascii)
        field = self.field = Field(frame.columns, frame.rows, self.x_scale, self.y_scale, self.ascii, self.looks.number)
        cells = self._surroundings(width, height, frame, field, y_ticks)
        self._fill(field)
        cells.codes[frame.top : frame.top + frame.rows, frame.left :] = field.codes
        cells.styles[frame.top : frame.top + frame.rows, frame.left :] = field.styles
        if frame.top:
            self._write_legend(cells, frame)
        if self.ascii:
            cells.to_ascii()
        return cells

    def readings(self, x: float) -> list[tuple[Series, float | None]]:
        """Each series with its last value up to `x`; one without a name is the beginning of the one after it."""
        found: list[tuple[Series, float | None]] = []
        begun: float | None = None
        for curve in self.curves:
            point = curve.at(x)
            value = begun if point is None else point[1]
            if curve.series.name:
                found.append((curve.series, value))
            begun = None if curve.series.name else value
        if begun is not None:
            found.append((self.curves[-1].series, begun))
        return found

    def legend_entries(self) -> list[tuple[str, Series]]:
        """What stands for each series that has a name, and the series."""
        series = self.content.series
        samples = [sample(series, index, self.content.stacked, self.ascii) for index in range(len(series))]
        return [(mark, each) for mark, each in zip(samples, series, strict=True) if each.name]

    @property
    def edge(self) -> float:
        """The right edge of the cursor's cell; without a cursor the end of everything."""
        return np.inf if self.cursor is None else self.cursor + self.cell_width / 2

    @property
    def cell_width(self) -> float:
        """How much of the x axis a cell covers."""
        return (self.x_scale.high - self.x_scale.low) / (self.frame.columns if self.frame else 1)

    @property
    def newest(self) -> float | None:
        """The largest x that holds a value."""
        ends = [point[0] for curve in self.curves if (point := curve.at(np.inf))]
        return max(ends, default=None)

    def _scale(self) -> None:
        content, view = self.content, self.view
        self.whole = self._fit.x(self.curves, content.horizon, (view.axis, content.subject))
        window = view.window
        self.x_scale = Scale(*window) if window and window[0] < window[1] else self.whole
        if content.stacked or content.y_range:
            self.y_scale = Scale(*(content.y_range or (0.0, 1.0)))
            return
        subject = (view, self.log_y, content.subject, tuple(series.name for series in content.series))
        self.y_scale = self._fit.y(self.curves, self.x_scale, view.band, self.log_y, subject)

    def _fill(self, field: Field) -> None:
        if self.y_scale is None or not any(np.isfinite(curve.y).any() for curve in self.curves):
            field.say(self._reason())
        else:
            field.draw(self.curves, self.view.band)
        if self.content.boundary is not None:
            field.boundary(self.content.boundary)
        if self.cursor is not None:
            field.cursor(self.cursor)

    def _reason(self) -> str:
        """Why there is nothing to see."""
        values = [curve.y[np.isfinite(curve.y)] for curve in self.curves]
        if not any(each.size for each in values):
            return self.content.empty
        return "no value above 0" if self.log_y and not any((each > 0).any() for each in values) else "no value here"

    def _surroundings(self, width: int, height: int, frame: Frame, field: Field, y_ticks: Sequence[Tick]) -> Cells:
        """Axes, labels and marks around an empty field; drawn once for as long as the axes stand still."""
        content, look, time = self.content, self.looks.number, self.view.axis == "wall"
        marks = tuple(content.marks)
        key = (width, height, frame, self.x_scale, self.y_scale, content.boundary, marks, content.x_label, time)
        if self._drawn[0] == key:
            return self._drawn[1].copy()
        cells, taken = Cells(width, height), Taken()
        frame.y_axis(cells, [(field.row(tick.value), tick.label) for tick in y_ticks], look("axis"), look("label"))
        x_ticks = [
            (field.column(tick.value), tick.label) for tick in ticks(self.x_scale, max(frame.columns // 11, 1), time)
        ]
        frame.x_axis(cells, x_ticks, look("axis"))
        boundary = None if content.boundary is None else field.column(content.boundary)
        if boundary is not None:
            frame.boundary(cells, taken, boundary, look("boundary"))
        frame.x_labels(cells, taken, x_ticks, look("label"))
        if boundary is not None:
            frame.stages(cells, taken, boundary, look("boundary"))
        frame.x_name(cells, taken, content.x_label, look("muted"))
        for mark in marks:
            if (column := field.column(mark.x)) is not None:
                frame.mark(cells, column, mark.glyph, look("cursor"))
        self._drawn = (key, cells)
        return cells.copy()

    def _write_legend(self, cells: Cells, frame: Frame) -> None:
        """Names, and with a cursor the place it stands on and the values there."""
        head, label = "", self.looks.number("label")
        if self.cursor is not None:
            head = f"{self.content.x_label} {self._place()}".strip()
        values = dict(self.readings(self.edge)) if self.cursor is not None else {}
        entries = []
        for mark, series in self.legend_entries():
            value = values.get(series, np.nan)
            text = "" if self.cursor is None else readable(np.nan if value is None else value)
            entries.append((mark, series.name, text, self.looks.number(series.color)))
        frame.legend(cells, head, entries, label)

    def _place(self) -> str:
        """The cursor's x: that of the newest point in its cell, or as exact as the cell is wide."""
        assert self.cursor is not None
        points = [point[0] for curve in self.curves if (point := curve.at(self.edge))]
        x = max(points, default=-np.inf)
        if x < self.cursor - self.cell_width / 2:
            digit = 10.0 ** np.floor(np.log10(self.cell_width))
            x = float(np.round(self.cursor / digit) * digit)
        return duration(x) if self.view.axis == "wall" else readable(x, 7)


def _y_labels(rows: int) -> int:
    """How many labels a y axis of so many rows has room for."""
    return min((rows + 1) // 2, max(3, (rows + 3) // 3), 8)
