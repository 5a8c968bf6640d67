"""Series made ready to draw: rising x, smoothed, and in a stacked chart piled on each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from moore_tui.widgets.chart_view import Series
from moore_tui.widgets.smoothing import smooth

LARGEST = 1e300
"""What is larger counts as infinite: an axis could not be drawn around it."""


@dataclass(eq=False)
class Curve:
    """A series as it is drawn: `raw` is y before smoothing if that is another, `base` the lower edge of an area."""

    series: Series
    x: np.ndarray
    y: np.ndarray
    raw: np.ndarray | None = None
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    base: np.ndarray | None = None

    def within(self, low: float, high: float) -> slice:
        """The points from `low` to `high` on the x axis, and one more on both sides for the lines that lead there."""
        begin, end = np.searchsorted(self.x, low, "left"), np.searchsorted(self.x, high, "right")
        return slice(max(int(begin) - 1, 0), int(end) + 1)

    def at(self, x: float) -> tuple[float, float] | None:
        """The last point with a value at or before `x`; of an area its own height."""
        place = int(np.searchsorted(self.x, x, "right")) - 1
        while place >= 0 and not np.isfinite(self.y[place]):
            place -= 1
        if place < 0:
            return None
        return float(self.x[place]), float(self.y[place] - (0.0 if self.base is None else self.base[place]))


def curves(series: Sequence[Series], smoothing: float, stacked: bool) -> list[Curve]:
    """The series as curves; `stacked` piles up those that are filled, the first at the bottom."""
    made = [_curve(each, 0.0 if stacked else smoothing) for each in series]
    if stacked:
        top: Curve | None = None
        for curve in (each for each in made if each.series.filled):
            curve.base = np.zeros_like(curve.y) if top is None or not top.x.size else np.interp(curve.x, top.x, top.y)
            curve.y = curve.y + curve.base
            top = curve
    return made


def _curve(series: Series, smoothing: float) -> Curve:
    x = _drawable(series.x)
    edges = (series.y, series.low, series.high)
    y, low, high = (None if each is None else _drawable(each) for each in edges)
    assert y is not None
    if not (x[1:] >= x[:-1]).all() or not np.isfinite(x[-1:]).all():
        kept = np.isfinite(x)
        order = np.argsort(np.where(kept, x, np.inf), kind="stable")[: int(kept.sum())]
        x, y = x[order], y[order]
        low, high = (None if each is None else each[order] for each in (low, high))
    if smoothing <= 0.0:
        return Curve(series, x, y, None, low, high)
    low, high = (None if each is None else smooth(each, smoothing) for each in (low, high))
    return Curve(series, x, smooth(y, smoothing), y, low, high)


def _drawable(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, np.float64)
    size = np.abs(values)
    return values if size.max(initial=0.0) <= LARGEST else np.where(size <= LARGEST, values, np.nan)
