"""What a chart shows, as values: the part and the look that all panes share, the series, and marks on the x axis."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

Axis = Literal["step", "wall", "env", "switch"]
Dash = Literal["solid", "dashed", "dotted", "dashdot", "longdash", "dashdotdot"]

AXES: tuple[Axis, ...] = ("step", "wall", "env", "switch")
AXIS_LABELS: dict[Axis, str] = {
    "step": "update",
    "wall": "time",
    "env": "env step",
    "switch": "update since the switch",
}
DASHES: tuple[Dash, ...] = ("solid", "dashed", "dotted", "dashdot")
SMOOTHINGS = (0.0, 0.6, 0.9)


@dataclass(frozen=True)
class ChartView:
    """The look that the charts of a screen share.

    `window` is the shown part of the x axis; None fits it to all there is and follows. `smoothing` is the weight of
    the past, 0 to below 1. `raw` chooses the raw return where a score could be shown.
    """

    axis: Axis = "step"
    window: tuple[float, float] | None = None
    smoothing: float = 0.0
    band: bool = True
    raw: bool = False

    def next_axis(self) -> ChartView:
        """The next x axis; a window means nothing on it, so it fits."""
        return replace(self, axis=AXES[(AXES.index(self.axis) + 1) % len(AXES)], window=None)

    def next_smoothing(self) -> ChartView:
        """The next weight, from the last back to none."""
        return replace(self, smoothing=next((each for each in SMOOTHINGS if each > self.smoothing), SMOOTHINGS[0]))


@dataclass(eq=False)
class Series:
    """One curve: `x` rising, `y` with NaN where it has a gap, `low` and `high` the edges of its band; all (n,) float64.

    `color` is a name of the palette (`series-1` to `series-8`, `offline`, `online`, `muted`); no two series of a chart
    should share both colour and dash. In a stacked chart a `filled` series is an area, the others are lines over them.
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    color: str = "series-1"
    dash: Dash = "solid"
    filled: bool = True


@dataclass(frozen=True)
class Mark:
    """Something that happened at `x` (a live setting, a resume), shown by its glyph on the x axis."""

    x: float
    glyph: str = "▴"
