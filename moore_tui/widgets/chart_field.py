"""The field of a chart: areas, bands, boundary, cursor, what smoothing left of the raw curves, curves; back to front.

The first series stands before the others, in a stacked chart the lines before the areas.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from moore_tui.widgets.cells import BLANK
from moore_tui.widgets.chart_curves import Curve
from moore_tui.widgets.chart_view import Series
from moore_tui.widgets.raster import Raster
from moore_tui.widgets.scale import Scale
from moore_tui.widgets.sheet import wrapped
from moore_tui.widgets.thinning import Bins, thinned

BRAILLE = 0x2800
GLYPHS = {"solid": "*", "dashed": "+", "dotted": "o", "dashdot": "x", "longdash": "%", "dashdotdot": "@"}
"""ASCII stands for a dash by a character; bands and raw curves are full stops."""
SAMPLES = {"solid": "━━", "dashed": "┅┅", "dotted": "··", "dashdot": "━·", "longdash": "╍╍", "dashdotdot": "━:"}
"""A dash as a legend shows it."""
DENSITIES = (1, 0, 2)
"""How dense the areas of a stacked chart are, by turns: half, sparse, full."""
FILLS = "=:#"
FILL_SAMPLES = ("⢕⢕", "⠅⠅", "⣿⣿")
FAR = 1 << 40
Part = tuple[slice, Bins]
"""The points of a curve that the x axis shows, in their columns of dots."""


class Field:
    """`codes` and `styles` of `columns` x `rows` cells; `number` gives a style of the palette its number."""

    def __init__(
        self,
        columns: int,
        rows: int,
        x_scale: Scale,
        y_scale: Scale | None,
        ascii: bool,
        number: Callable[..., int],
    ) -> None:
        self.raster = Raster(columns, rows, ascii)
        self.x_scale, self.y_scale = x_scale, y_scale or Scale(0.0, 1.0)
        self.number = number
        self.codes = np.full((rows, columns), BLANK, np.uint32)
        self.styles = np.zeros((rows, columns), np.uint8)
        self._front = np.zeros((rows, columns), bool)

    def column(self, x: float) -> int | None:
        """The column of cells that shows this place of the x axis."""
        at = (x - self.x_scale.low) / (self.x_scale.high - self.x_scale.low) * (self.raster.width - 1) + 0.5
        return int(at) // self.raster.across if 0.0 <= at < self.raster.width else None

    def x_at(self, column: int) -> float:
        """The place of the x axis that lies in the middle of a column of cells."""
        dot = (column + 0.5) * self.raster.across - 0.5
        return self.x_scale.value(dot / max(self.raster.width - 1, 1))

    def row(self, y: float) -> int | None:
        """The row of cells that shows this height."""
        at = np.floor(self._dot_rows(np.array([y]))[0] + 0.5)
        return int(at) // self.raster.down if 0 <= at < self.raster.height else None

    def draw(self, curves: Sequence[Curve], band: bool) -> None:
        """Every curve with what belongs to it."""
        by_x = {id(curve.x): curve for curve in curves}
        shared = {x: self._part(curve) for x, curve in by_x.items()}
        parts = [shared[id(curve.x)] for curve in curves]
        lines = np.zeros(self.codes.shape, np.uint8)
        for index, (curve, part) in reversed(list(enumerate(zip(curves, parts, strict=True)))):
            if curve.base is not None:
                fill = partial(self.raster.area, density=DENSITIES[index % 3])
                cells = self._between(part, curve.y, curve.base, fill)
                self._lay(cells, FILLS[index % 3], self.number(curve.series.color, dim=True))
        for index, (curve, part) in reversed(list(enumerate(zip(curves, parts, strict=True)))):
            if band and curve.low is not None and curve.high is not None:
                cells = self._between(part, curve.high, curve.low, partial(self.raster.band, phase=index))
                self._lay(cells, ".", self.number(curve.series.color, dim=True))
        for curve, part in reversed(list(zip(curves, parts, strict=True))):
            if curve.raw is not None:
                cells = self._line(part, curve.raw, "faint")
                self._lay(cells, ".", self.number(curve.series.color, dim=True))
        drawn = list(zip(curves, parts, strict=True))
        areas = [each for each in drawn if each[0].base is not None]
        # The upper edge of the last area is that of the field; lines over areas stand before their edges.
        for curve, part in areas[-2::-1] + [each for each in reversed(drawn) if each[0].base is None]:
            cells = self._line(part, curve.y, curve.series.dash)
            lines |= cells
            self._lay(cells, GLYPHS[curve.series.dash], self.number(curve.series.color))
        self._front = lines > 0
        if not self.raster.ascii:
            self.codes[self._front] = BRAILLE + lines[self._front].astype(np.uint32)

    def boundary(self, x: float) -> None:
        """A vertical mark behind the curves."""
        self._vertical(self.column(x), ":" if self.raster.ascii else "┊", self.number("boundary"))

    def cursor(self, x: float) -> None:
        """A vertical line behind the curves."""
        self._vertical(self.column(x), "|" if self.raster.ascii else "│", self.number("cursor"))

    def say(self, text: str) -> None:
        """A text in the middle, as much of it as fits into half of the rows: up to its first comma, or colon."""
        rows, columns = self.codes.shape
        forms = (text, text.partition(",")[0], text.partition(":")[0])
        fitting = (wrapped(form, columns) for form in forms if max(map(len, form.split()), default=0) <= columns)
        lines = next((lines for lines in fitting if len(lines) <= max(1, rows // 2)), [])
        for row, line in enumerate(lines, (rows + 1 - len(lines)) // 2):
            at = slice((columns - len(line)) // 2, (columns - len(line)) // 2 + len(line))
            self.codes[row, at] = [ord(character) for character in line]
            self.styles[row, at] = self.number("muted")
            self._front[row, at] = True

    def _vertical(self, column: int | None, glyph: str, style: int) -> None:
        if column is not None:
            free = ~self._front[:, column]
            self.codes[free, column], self.styles[free, column] = ord(glyph), style

    def _lay(self, cells: np.ndarray, glyph: str, style: int) -> None:
        on = cells > 0
        self.codes[on] = ord(glyph) if self.raster.ascii else BRAILLE + cells[on].astype(np.uint32)
        self.styles[on] = style

    def _part(self, curve: Curve) -> Part:
        shown = curve.within(self.x_scale.low, self.x_scale.high)
        return shown, Bins(self._dot_columns(curve.x[shown]))

    def _line(self, part: Part, y: np.ndarray, pattern: str) -> np.ndarray:
        shown, bins = part
        return self.raster.curve(thinned(bins, self._dot_rows(y[shown])), pattern)

    def _between(self, part: Part, high: np.ndarray, low: np.ndarray, draw: Callable[..., np.ndarray]) -> np.ndarray:
        """What `draw` makes of the columns and their extreme edges; without both edges there is a gap."""
        shown, bins = part
        low, top, bottom = low[shown], self._dot_rows(high[shown]), self._dot_rows(low[shown])
        if self.y_scale.log:
            bottom[low <= 0.0] = self.raster.height
        gap = ~np.isfinite(top + bottom)
        if gap.any():
            top[gap] = bottom[gap] = np.nan
        upper, lower = thinned(bins, top), thinned(bins, bottom)
        return draw(upper, upper.low, lower.high)

    def _dot_columns(self, x: np.ndarray) -> np.ndarray:
        """Columns of dots of rising places, of which only the ends may lie beside the field."""
        at = self.x_scale.share(x) * (self.raster.width - 1) + 0.5
        at[:1] = np.maximum(np.floor(at[:1]), -FAR)
        at[-1:] = np.minimum(np.floor(at[-1:]), FAR)
        return at.astype(np.int64)

    def _dot_rows(self, y: np.ndarray) -> np.ndarray:
        return (1.0 - self.y_scale.share(y)) * (self.raster.height - 1)


def sample(series: Sequence[Series], index: int, stacked: bool, ascii: bool) -> str:
    """What stands for a series in a legend, two cells."""
    if stacked and series[index].filled:
        return FILLS[index % 3] * 2 if ascii else FILL_SAMPLES[index % 3]
    dash = series[index].dash
    return GLYPHS[dash] * 2 if ascii else SAMPLES[dash]
