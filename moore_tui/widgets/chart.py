"""A chart as cells, at any size, without a terminal; its axes stand still while values come in."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from moore_tui.widgets.axes import Tick, duration, readable, shortest, ticks
from moore_tui.widgets.cells import Cells
from moore_tui.widgets.chart_curves import Curve, curves
from moore_tui.widgets.chart_field import Field
from moore_tui.widgets.chart_frame import Frame
from moore_tui.widgets.chart_view import ChartView, Mark, Series
from moore_tui.widgets.scale import Scale, settled

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
        self._curves: tuple[object, list[Curve]] = (None, [])
        self._x_settled: tuple[object, Scale] | None = None
        self._y_settled: tuple[object, Scale] | None = None

    @property
    def curves(self) -> list[Curve]:
        key = (self.content, self.view.smoothing)
        if self._curves[0] != key:
            self._curves = (key, curves(self.content.series, self.view.smoothing, self.content.stacked))
        return self._curves[1]

    def draw(self, width: int, height: int) -> Cells:
        """The chart on `width` x `height` cells."""
        cells = Cells(width, height)
        self.whole = self._whole()
        self.x_scale = Scale(*self.view.window) if self.view.window else self.whole
        self.y_scale = self._fitted_y()
        self.frame = self.field = None
        if width < LEAST_WIDTH or height < LEAST_HEIGHT:
            cells.write(0, height // 2, self._newest(width), self.looks.number("label"))
            return cells
        y_ticks = ticks(self.y_scale, _y_labels(height)) if self.y_scale else []
        widest = max((len(tick.label) for tick in y_ticks), default=0)
        gutter = max(GUTTER, widest) if width >= ALIGNED_WIDTH else widest
        if width - gutter < LEAST_WIDTH // 2:
            gutter = 0
        named = sum(bool(series.name) for series in self.content.series)
        legend = self.legend and height >= 7 and (named > 1 or self.cursor is not None)
        frame = self.frame = Frame.of(width, height, gutter, legend, self.ascii)
        self.field = Field(frame.columns, frame.rows, self.x_scale, self.y_scale, self.ascii, self.looks.number)
        self._fill(self.field)
        cells.codes[frame.top : frame.top + frame.rows, frame.left :] = self.field.codes
        cells.styles[frame.top : frame.top + frame.rows, frame.left :] = self.field.styles
        self._surround(cells, frame, self.field, y_ticks)
        return cells

    def readings(self) -> list[tuple[Series, float | None]]:
        """Each series with its value at the cursor (without one, its newest): the last up to the cell's right edge."""
        edge = np.inf
        if self.cursor is not None:
            edge = self.cursor + (self.cell_width() / 2 if self.frame else 0.0)
        points = [(curve.series, curve.at(edge)) for curve in self.curves]
        return [(series, point[1] if point else None) for series, point in points]

    def cell_width(self) -> float:
        """How much of the x axis a cell covers."""
        return (self.x_scale.high - self.x_scale.low) / (self.frame.columns if self.frame else 1)

    def newest(self) -> float | None:
        """The largest x that holds a value."""
        ends = [point[0] for curve in self.curves if (point := curve.at(np.inf))]
        return max(ends, default=None)

    def _fill(self, field: Field) -> None:
        if self.y_scale is None:
            told = any(np.isfinite(curve.y).any() for curve in self.curves)
            field.say("no value above 0" if told and self.log_y else self.content.empty)
        else:
            field.draw(self.curves, self.view.band)
        if self.content.boundary is not None:
            field.boundary(self.content.boundary)
        if self.cursor is not None:
            field.cursor(self.cursor)

    def _surround(self, cells: Cells, frame: Frame, field: Field, y_ticks: Sequence[Tick]) -> None:
        content, look = self.content, self.looks.number
        frame.y_axis(cells, [(field.row(tick.value), tick.label) for tick in y_ticks], look("axis"), look("label"))
        found = ticks(self.x_scale, max(frame.columns // 11, 1), time=self.view.axis == "wall")
        x_ticks = [(field.column(tick.value), tick.label) for tick in found]
        frame.x_axis(cells, x_ticks, look("axis"))
        boundary = None if content.boundary is None else field.column(content.boundary)
        if boundary is not None:
            frame.stages(cells, boundary, look("boundary"))
        frame.x_labels(cells, x_ticks, content.x_label, look("label"), look("muted"))
        for mark in content.marks:
            if (column := field.column(mark.x)) is not None:
                frame.mark(cells, column, mark.glyph, look("cursor"))
        head = ""
        if self.cursor is not None:
            head = duration(self.cursor) if self.view.axis == "wall" else readable(float(f"{self.cursor:.6g}"))
        entries = []
        for series, value in self.readings():
            text = "" if self.cursor is None else readable(np.nan if value is None else value)
            if series.name:
                entries.append((series.dash, series.name, text, look(series.color)))
        frame.legend(cells, head, entries, look("label"))

    def _newest(self, width: int) -> str:
        values = [value for _, value in self.readings() if value is not None]
        return shortest(values[0], width) if values else ""

    def _whole(self) -> Scale:
        """The x axis that shows everything: to the planned end, or else with room to grow."""
        ends = [(curve.x[0], curve.x[-1]) for curve in self.curves if curve.x.size]
        low, high = min((a for a, _ in ends), default=None), max((b for _, b in ends), default=None)
        horizon = self.content.horizon
        if horizon is not None and horizon[0] < horizon[1]:
            low, high = min([horizon[0], *(a for a, _ in ends)]), horizon[1] if high is None else high
            if high <= horizon[1]:
                return Scale(float(low), float(horizon[1]))
        if low is None or high is None:
            return Scale(0.0, 1.0)
        key = (self.view.axis, self.content.subject)
        before = self._x_settled[1] if self._x_settled and self._x_settled[0] == key else None
        if before is None or not before.holds(low, high) or low > before.low:
            room = (high - low) * 0.25 or 1.0
            before = Scale(float(low), settled(low, high + room, None).high)
        self._x_settled = (key, before)
        return before

    def _fitted_y(self) -> Scale | None:
        """The y axis for what is on the x axis now; None without a value that it can show."""
        if self.content.y_range is not None and not self.log_y:
            return Scale(*self.content.y_range)
        if self.content.stacked:
            return Scale(0.0, 1.0)
        names = tuple(curve.series.name for curve in self.curves)
        key = (self.view, self.log_y, self.content.subject, names)
        extremes = [_extremes(curve, self.x_scale, self.view.band, self.log_y) for curve in self.curves]
        lows, highs = [low for low, _ in extremes if low < np.inf], [high for _, high in extremes if high > -np.inf]
        if not lows:
            return None
        before = self._y_settled[1] if self._y_settled and self._y_settled[0] == key else None
        scale = settled(min(lows), max(highs), before, self.log_y)
        self._y_settled = (key, scale)
        return scale


def _extremes(curve: Curve, x_scale: Scale, band: bool, log: bool) -> tuple[float, float]:
    """Lowest and highest value on the x axis; inf and -inf if there is none."""
    begin, end = np.searchsorted(curve.x, x_scale.low, "left"), np.searchsorted(curve.x, x_scale.high, "right")
    low, high = np.inf, -np.inf
    for values in (curve.y, curve.raw, *((curve.low, curve.high) if band else ())):
        if values is None:
            continue
        part = values[begin:end]
        part = part[part > 0.0] if log else part
        if part.size:
            low, high = np.fmin(low, np.fmin.reduce(part)), np.fmax(high, np.fmax.reduce(part))
    return float(low), float(high)


def _y_labels(height: int) -> int:
    """How many labels a y axis of this height has room for."""
    return min((height - 1) // 2, max(3, height // 5), 8)
