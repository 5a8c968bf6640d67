"""A run as the series of a chart: the offline part in grey, the online part in the run's own colour and dash."""

from __future__ import annotations

from array import array
from collections.abc import Hashable
from dataclasses import dataclass, replace

import numpy as np

from moore_tui.runs.plan import Plan
from moore_tui.runs.series import RunSeries, SwitchPoint
from moore_tui.runs.table import number
from moore_tui.widgets.chart_view import Axis, Dash, Series

COLORS = 8
"""Colours of series in the palette."""
LEVEL_DASH: Dash = "dotted"
"""Of the frozen policy, and of nothing else, so that it is told apart without colours too."""
RUN_DASHES: tuple[Dash, ...] = ("solid", "dashed", "dashdot", "longdash", "dashdotdot")


@dataclass(frozen=True)
class Curve:
    """Rows of one kind with a known x: all (n,) float64 but `online` (n,) bool; `low` and `high` may be missing."""

    x: np.ndarray
    y: np.ndarray
    online: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None

    @property
    def last(self) -> float:
        """The newest value; NaN where there is none."""
        return float(self.y[-1]) if self.y.size else float("nan")

    def banded(self, low: np.ndarray, high: np.ndarray) -> Curve:
        return replace(self, low=low[: self.y.size], high=high[: self.y.size])

    def where(self, rows: np.ndarray) -> Curve:
        """Some of the rows."""
        low = None if self.low is None else self.low[rows]
        high = None if self.high is None else self.high[rows]
        return Curve(self.x[rows], self.y[rows], self.online[rows], low, high)


def column(series: RunSeries, kind: str, name: str) -> np.ndarray:
    """A column of a table, (rows,) float64."""
    return _floats(series.table(kind).column(name))


def curve(
    series: RunSeries, kind: str, name: str, axis: Axis, low: str | None = None, high: str | None = None
) -> Curve:
    """A column against the x axis, `low` and `high` naming the columns of its band.

    Rows may come in while the columns are read, so that all are cut to the shortest.
    """
    x = _floats(series.x(kind, axis))
    found = [column(series, kind, each) for each in (name, "online", *(each for each in (low, high) if each))]
    rows = min(x.size, *(each.size for each in found))
    x, (y, online, *band) = x[:rows], [each[:rows] for each in found]
    whole = Curve(x, y, online > 0, *(band if len(band) == 2 else ()))
    known = np.isfinite(x)
    return whole if known.all() else whole.where(known)


def parts(whole: Curve, name: str, number: int = 0, start: float | None = None) -> list[Series]:
    """The curve as an offline and an online series that meet at the switch.

    `number` counts the marked runs from 1, 0 is the only run shown; online begins at the value `start` if it is given.
    """
    color = f"series-{(number - 1) % COLORS + 1}" if number else "online"
    dash = RUN_DASHES[(number - 1) % len(RUN_DASHES)] if number else "solid"
    off, on = np.flatnonzero(~whole.online), np.flatnonzero(whole.online)
    found = []
    if off.size:
        part = whole.where(off)
        found.append(Series(name if not on.size else "", part.x, part.y, part.low, part.high, "offline", dash))
    if on.size:
        joined = np.concatenate((off[-1:], on))
        part = whole.where(joined)
        if start is not None and off.size:
            part.y[0] = start
        found.append(Series(name, part.x, part.y, part.low, part.high, color, dash))
    return found


def level(name: str, value: float, start: float, end: float) -> Series:
    """A horizontal line from `start` to `end`."""
    return Series(name, np.array([start, end]), np.array([value, value]), color="muted", dash=LEVEL_DASH)


def boundary(series: RunSeries | None, axis: Axis) -> float | None:
    """Where online began on this axis."""
    if series is None or series.switch is None:
        return None
    x = series.x_of(axis, series.switch)
    return x if np.isfinite(x) else None


def horizon(series: RunSeries | None, plan: Plan, axis: Axis) -> tuple[float, float] | None:
    """From the first x to the last one that is planned; None where that is not known."""
    end = series.horizon(axis, plan) if series is not None else None
    if series is None or end is None or not np.isfinite(end):
        return None
    planned = float((plan.offline_epochs or 0) * (plan.updates_per_epoch or 0))
    start = -(series.switch.update if series.switch else planned) if axis == "switch" else 0.0
    return (start, end) if end > start else None


class Horizons:
    """Horizons that stand still: a planned end that creeps is taken up again only after a while."""

    ROOM, SLACK = 0.04, 0.005
    """Shares by which an end may fall short of the one shown, and pass it; one that rises further gets room."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, Axis], tuple[float, float]] = {}

    def __call__(self, name: str, series: RunSeries | None, plan: Plan, axis: Axis) -> tuple[float, float] | None:
        """The horizon of a run."""
        found, before = horizon(series, plan, axis), self._known.get((name, axis))
        if found is not None and before is not None and before[0] == found[0]:
            if (1 - self.ROOM) * before[1] <= found[1] <= (1 + self.SLACK) * before[1]:
                return before
            if before[1] < found[1] < (1 + self.ROOM) * before[1]:
                found = found[0], (1 + self.ROOM) * found[1]
        if found is not None:
            self._known[name, axis] = found
        return found


def interventions(series: RunSeries | None, axis: Axis) -> tuple[float, ...]:
    """Where values were changed while the run went on."""
    if series is None:
        return ()
    found = []
    for event in series.acks:
        if event.get("verb") == "set" and event.get("ok"):
            update, env_step, t = (number(event.get(key)) for key in ("update", "env_step", "t"))
            point = SwitchPoint(update, env_step, t)
            found.append(series.x_of(axis, point))
    return tuple(x for x in found if np.isfinite(x))


def stamp(series: RunSeries | None, *kinds: str) -> Hashable:
    """Changes whenever rows of these kinds, or the switch, do."""
    if series is None:
        return None
    tables = [series.table(kind) for kind in kinds]
    return (*((table.generation, table.rows) for table in tables), series.switch)


def half_life(whole: Curve) -> float | None:
    """x in which the values halve: least squares of their logarithm, over the online part if it has three rows.

    None where they do not fall.
    """
    rows = whole.online if np.count_nonzero(whole.online) >= 3 else np.ones(whole.y.size, dtype=bool)
    rows = rows & np.isfinite(whole.y) & (whole.y > 0)
    x, y = whole.x[rows], whole.y[rows]
    if x.size < 3 or np.ptp(x) <= 0:
        return None
    y = np.log(y)
    x = x - x.mean()
    slope = float((x * (y - y.mean())).sum() / (x * x).sum())
    return float(np.log(2) / -slope) if slope < 0 else None


def _floats(values: array[float]) -> np.ndarray:
    """Values of an array of any type, float64."""
    return np.frombuffer(values, dtype=values.typecode).astype(np.float64)
