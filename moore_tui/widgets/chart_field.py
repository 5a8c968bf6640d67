"""The field of a chart: areas, bands, boundary, cursor, what smoothing left of the raw curves, curves; back to front.

The first series stands before the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from moore_tui.widgets.cells import BLANK
from moore_tui.widgets.chart_curves import Curve
from moore_tui.widgets.raster import Raster
from moore_tui.widgets.scale import Scale
from moore_tui.widgets.thinning import thinned

BRAILLE = 0x2800
GLYPHS = {"solid": "*", "dashed": "+", "dotted": "o", "dashdot": "x"}
"""ASCII stands for a dash by a character; bands and raw curves are full stops."""
FILLS = "=:#"
FAR = 1 << 40


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
        self._line = np.zeros((rows, columns), bool)

    def column(self, x: float) -> int | None:
        """The column of cells that shows this place of the x axis."""
        at = int(self._dot_columns(np.array([x]))[0])
        return at // self.raster.across if 0 <= at < self.raster.width else None

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
        for index, curve in reversed(list(enumerate(curves))):
            if curve.base is not None:
                self._area(curve, index)
        for index, curve in reversed(list(enumerate(curves))):
            if band and curve.low is not None and curve.high is not None:
                self._band(curve, index)
        for curve in reversed(curves):
            if curve.raw is not None:
                self._lay(self._curve(curve, curve.raw, "faint"), ".", self.number(curve.series.color, dim=True))
        lines = np.zeros(self.codes.shape, np.uint8)
        filled = [curve for curve in curves if curve.base is not None]
        for curve in reversed(curves):
            if filled and curve is filled[-1]:
                continue
            cells = self._curve(curve, curve.y, curve.series.dash)
            lines |= cells
            self._lay(cells, GLYPHS[curve.series.dash], self.number(curve.series.color))
        self._line = lines > 0
        if not self.raster.ascii:
            self.codes[self._line] = BRAILLE + lines[self._line].astype(np.uint32)

    def boundary(self, x: float) -> None:
        """A vertical mark behind the curves."""
        self._vertical(self.column(x), ":" if self.raster.ascii else "┊", self.number("boundary"))

    def cursor(self, x: float) -> None:
        """A vertical line behind the curves."""
        self._vertical(self.column(x), "|" if self.raster.ascii else "│", self.number("cursor"))

    def say(self, text: str) -> None:
        """A text in the middle, if it fits."""
        rows, columns = self.codes.shape
        if len(text) <= columns:
            at = slice((columns - len(text)) // 2, (columns - len(text)) // 2 + len(text))
            self.codes[rows // 2, at] = [ord(character) for character in text]
            self.styles[rows // 2, at] = self.number("muted")
            self._line[rows // 2, at] = True

    def _vertical(self, column: int | None, glyph: str, style: int) -> None:
        if column is not None:
            free = ~self._line[:, column]
            self.codes[free, column], self.styles[free, column] = ord(glyph), style

    def _lay(self, cells: np.ndarray, glyph: str, style: int) -> None:
        on = cells > 0
        self.codes[on] = ord(glyph) if self.raster.ascii else BRAILLE + cells[on].astype(np.uint32)
        self.styles[on] = style

    def _curve(self, curve: Curve, y: np.ndarray, pattern: str) -> np.ndarray:
        part = curve.within(self.x_scale.low, self.x_scale.high)
        return self.raster.curve(thinned(self._dot_columns(curve.x[part]), self._dot_rows(y[part])), pattern)

    def _band(self, curve: Curve, index: int) -> None:
        assert curve.low is not None and curve.high is not None
        part = curve.within(self.x_scale.low, self.x_scale.high)
        cells = self._between(curve.x[part], curve.high[part], curve.low[part], partial(self.raster.band, phase=index))
        self._lay(cells, ".", self.number(curve.series.color, dim=True))

    def _area(self, curve: Curve, index: int) -> None:
        assert curve.base is not None
        part = curve.within(self.x_scale.low, self.x_scale.high)
        density = (1, 0, 2)[index % 3]
        cells = self._between(
            curve.x[part], curve.y[part], curve.base[part], partial(self.raster.area, density=density)
        )
        self._lay(cells, FILLS[index % 3], self.number(curve.series.color, dim=True))

    def _between(self, x: np.ndarray, high: np.ndarray, low: np.ndarray, draw: Callable[..., np.ndarray]) -> np.ndarray:
        """What `draw` makes of the columns and their extreme edges; without both edges there is a gap."""
        top, bottom = self._dot_rows(high), self._dot_rows(low)
        if self.y_scale.log:
            bottom = np.where(np.isfinite(low) & (low <= 0.0), float(self.raster.height), bottom)
        gap = ~(np.isfinite(top) & np.isfinite(bottom))
        at = self._dot_columns(x)
        upper, lower = (thinned(at, np.where(gap, np.nan, edge)) for edge in (top, bottom))
        return draw(upper, upper.low, lower.high)

    def _dot_columns(self, x: np.ndarray) -> np.ndarray:
        at = np.floor(self.x_scale.share(x) * (self.raster.width - 1) + 0.5)
        return np.clip(at, -FAR, FAR).astype(np.int64)

    def _dot_rows(self, y: np.ndarray) -> np.ndarray:
        return (1.0 - self.y_scale.share(y)) * (self.raster.height - 1)
