"""The axes that fit what a chart shows: they keep still while values come in, and settle anew for another subject."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import numpy as np

from moore_tui.widgets.chart_curves import Curve
from moore_tui.widgets.scale import Scale, settled, settled_end

UNIT = Scale(0.0, 1.0)


class Fit:
    """Remembers the two axes and what they belong to."""

    def __init__(self) -> None:
        self._x: tuple[Hashable, Scale] = (None, UNIT)
        self._y: tuple[Hashable, Scale] = (None, UNIT)

    def x(self, curves: Iterable[Curve], horizon: tuple[float, float] | None, subject: Hashable) -> Scale:
        """Everything: to the planned end, or without one (or past it) with room to grow."""
        known = [curve.x for curve in curves if curve.x.size]
        low = float(min((x[0] for x in known), default=0.0))
        high = float(max((x[-1] for x in known), default=0.0))
        if horizon is not None and horizon[0] < horizon[1] and (not known or high <= horizon[1]):
            return Scale(min(low, horizon[0]) if known else horizon[0], horizon[1])
        if not known:
            return UNIT
        if horizon is not None:
            low = min(low, horizon[0])
        before = self._x[1] if self._x[0] == subject else None
        self._x = (subject, settled_end(low, high, before))
        return self._x[1]

    def y(self, curves: Iterable[Curve], x_scale: Scale, band: bool, log: bool, subject: Hashable) -> Scale | None:
        """The values on `x_scale`; None if there are none that the axis can show."""
        low, high = np.inf, -np.inf
        for curve in curves:
            begin = int(np.searchsorted(curve.x, x_scale.low, "left"))
            end = int(np.searchsorted(curve.x, x_scale.high, "right"))
            for values in (curve.y, curve.raw, *((curve.low, curve.high) if band else ())):
                if values is None:
                    continue
                part = values[begin:end]
                part = part[part > 0.0] if log else part
                if part.size:
                    low, high = np.fmin(low, np.fmin.reduce(part)), np.fmax(high, np.fmax.reduce(part))
        if not low <= high:
            return None
        before = self._y[1] if self._y[0] == subject else None
        self._y = (subject, settled(float(low), float(high), before, log))
        return self._y[1]
