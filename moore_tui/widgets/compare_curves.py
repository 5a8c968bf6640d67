"""Marked runs as the series of one chart: each group's seeds as a mean with a band, or each run by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from moore_tui.runs import aggregate
from moore_tui.runs.comparison import Group
from moore_tui.runs.series import BASELINE, RunSeries
from moore_tui.widgets import curves
from moore_tui.widgets.chart_view import DASHES, Axis, Dash, Series
from moore_tui.widgets.curves import COLORS, Curve


@dataclass(frozen=True)
class Metric:
    """A column of a kind of event; `log` asks for a logarithmic axis, `span` is a fixed one."""

    title: str
    kind: str
    column: str
    log: bool = False
    span: tuple[float, float] | None = None


class Look(NamedTuple):
    """How a curve is told from the others."""

    color: str
    dash: Dash


METRICS = (
    Metric("Score", "eval", "score"),
    Metric("Return", "eval", "return_mean"),
    Metric("Uncertainty", "unc", "mean", log=True),
    Metric("Offline share of the draws", "share", "p_off", span=(0.0, 1.0)),
)


def series(
    groups: Sequence[Group], runs: Mapping[str, RunSeries], metric: Metric, axis: Axis, grouped: bool
) -> list[Series]:
    """Curves of all groups; those that lie in front come first. The offline part is grey and keeps its dash."""
    found: list[Series] = []
    known = looks(groups, grouped)
    for number, group in enumerate(groups):
        parts = {name: halves(runs[name], metric, axis) for name in group.ids if name in runs}
        if look := known.get((number, None)):
            found += _drawn(group.label if grouped else group.ids[0], look, list(parts.values()))
            continue
        for member, name in enumerate(group.ids):
            if name in parts:
                found += _drawn(name, known[number, member], [parts[name]])
    return found


def looks(groups: Sequence[Group], grouped: bool) -> dict[tuple[int, int | None], Look]:
    """Colour and dash of each curve, by group and, where seeds are not grouped, by run in it; no two are alike."""
    places: list[tuple[int, int | None]] = []
    for number, group in enumerate(groups):
        whole = grouped or len(group.ids) == 1
        places += [(number, None)] if whole else [(number, member) for member in range(len(group.ids))]
    return {
        place: Look(f"series-{index % COLORS + 1}", DASHES[(index + index // COLORS) % len(DASHES)])
        for index, place in enumerate(places)
    }


def halves(run: RunSeries, metric: Metric, axis: Axis) -> tuple[Curve, Curve]:
    """The offline and the online part; an evaluated curve goes online at the frozen policy's value."""
    whole = curves.curve(run, metric.kind, metric.column, axis)
    off, on = whole.where(~whole.online), whole.where(whole.online)
    start = curves.boundary(run, axis)
    if start is None or not on.x.size or on.x[0] <= start:
        return off, on
    if metric.kind == "eval":
        frozen = curves.column(run, BASELINE, metric.column)
        value = float(frozen.mean()) if frozen.size else off.last
    else:
        value = off.last
    return off, Curve(np.append(start, on.x), np.append(value, on.y), np.append(True, on.online))


def _drawn(name: str, look: Look, runs: Sequence[tuple[Curve, Curve]]) -> list[Series]:
    """One curve, or the mean of several with their quartiles."""
    found: list[Series] = []
    for part, color in ((1, look.color), (0, "offline")):
        each = [run[part] for run in runs if run[part].x.size]
        if not each:
            continue
        label = "" if part == 0 and found else name
        if len(each) == 1:
            found.append(Series(label, each[0].x, each[0].y, color=color, dash=look.dash))
            continue
        band = aggregate.band([(curve.x.tolist(), curve.y.tolist()) for curve in each])
        x, y, low, high = (np.array(values) for values in (band.x, band.mean, band.low, band.high))
        found.append(Series(label, x, y, low, high, color, look.dash))
    return found


def boundary(runs: Sequence[RunSeries], axis: Axis) -> float | None:
    """Where online began, if it was at the same x in all the runs that have come there."""
    known = [start for run in runs if (start := curves.boundary(run, axis)) is not None]
    return known[0] if known and max(known) - min(known) <= 1e-6 * max(1.0, abs(known[0])) else None
