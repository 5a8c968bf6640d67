"""What several runs say together: seeds as one curve with a band, and a run's figures in a table to compare.

The interquartile mean leaves out the lowest and the highest quarter of the runs (Agarwal et al. 2021, rliable).
Standard library only.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import fmean

from moore_tui.runs import compare
from moore_tui.runs.series import BASELINE, RunSeries
from moore_tui.runs.table import Event
from moore_tui.runs.written import real

MOST_POINTS = 400
"""Points of a common grid; a chart has two a column."""

SHARE = 0.9
"""Of the online gain, that `epochs_to` waits for."""


@dataclass(frozen=True)
class Band:
    """Curves of several runs on a common grid: interquartile mean, first and third quartile.

    `count` says how many of the runs reach each point; where it changes, a step in the mean may come from that alone.
    """

    x: array[float]
    mean: array[float]
    low: array[float]
    high: array[float]
    count: array[int]


@dataclass(frozen=True)
class Figures:
    """One run's row of a table: `epochs_to` is the epoch at which SHARE of the gain was there, `auc` a mean score."""

    outcome: compare.Outcome
    epochs_to: int | None = None
    auc: float | None = None


def iqm(values: Sequence[float]) -> float:
    """Mean without the lowest and the highest quarter, each rounded down; nan of nothing."""
    ordered = sorted(values)
    cut = len(ordered) // 4
    return fmean(ordered[cut : len(ordered) - cut]) if ordered else math.nan


def quantile(values: Sequence[float], q: float) -> float:
    """Linear between the order statistics; nan of nothing."""
    ordered = sorted(values)
    if not ordered:
        return math.nan
    place = q * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def band(curves: Sequence[tuple[Sequence[float], Sequence[float]]]) -> Band:
    """Of (x, y) curves with rising x, each taken as straight between its points and nothing outside; gaps are skipped.

    Where the runs were evaluated at the same places, as seeds are, the grid is these places.
    """
    known = [curve for curve in map(_finite, curves) if curve[0]]
    places = sorted({x for xs, _ in known for x in xs})
    if len(places) > MOST_POINTS:
        first, step = places[0], (places[-1] - places[0]) / (MOST_POINTS - 1)
        places = [first + step * index for index in range(MOST_POINTS - 1)] + places[-1:]
    at = [[y for curve in known if (y := _between(*curve, x)) is not None] for x in places]
    return Band(
        array("d", places),
        array("d", map(iqm, at)),
        array("d", [quantile(values, 0.25) for values in at]),
        array("d", [quantile(values, 0.75) for values in at]),
        array("i", map(len, at)),
    )


def figures(series: RunSeries) -> Figures:
    """A run's figures by its own evaluations and those of the run it branched off."""
    own, earlier = _evaluations(series), _earlier(series)
    outcome = compare.outcome([*_attempts(series), *own], earlier)
    outcome = replace(outcome, seconds=series.working_s)
    field = compare.FIELDS[outcome.unit]
    online = [event for event in own if event["stage"] == "online" and field in event and not event.get("baseline")]
    points = [(int(event.get("epoch", 0)), event[field]) for event in online]
    start = outcome.offline.value if outcome.offline else None
    return Figures(outcome, epochs_to(start, points), auc(start, points))


def epochs_to(offline: float | None, points: Sequence[tuple[int, float]], share: float = SHARE) -> int | None:
    """First online epoch whose evaluation has this share of the whole gain, from the offline policy to the last one.

    `points` are (epoch, score). None where there was no gain, or nothing to measure it from.
    """
    if offline is None or not points or points[-1][1] <= offline:
        return None
    wanted = offline + share * (points[-1][1] - offline)
    return next(epoch for epoch, score in points if score >= wanted)


def auc(offline: float | None, points: Sequence[tuple[int, float]]) -> float | None:
    """Mean score over the online epochs so far: the area under the curve from the switch on, over its length.

    At the switch, epoch 0, stands the offline policy if it is known. None before the first evaluation.
    """
    curve = [(0, offline), *points] if offline is not None else list(points)
    if not points:
        return None
    length = curve[-1][0] - curve[0][0]
    area = sum((b - a) * (u + v) / 2 for (a, u), (b, v) in pairwise(curve))
    return area / length if length > 0 else curve[-1][1]


def _evaluations(series: RunSeries) -> list[Event]:
    """The run's own evaluations as events, in order, those of the frozen policy among them."""
    found = []
    for kind in ("eval", BASELINE):
        table = series.table(kind)
        for index in range(table.own):
            found.append({**table.row(index), "k": "eval", "returns": table.episodes(index)})
    return sorted(found, key=lambda event: event["seq"])


def _attempts(series: RunSeries) -> list[Event]:
    """What the `run` events know of the data."""
    means = [real(event.get("data_return_mean")) for event in series.attempts]
    return [{"k": "run", "data_return_mean": mean} for mean in means if mean is not None]


def _earlier(series: RunSeries) -> list[Event]:
    """Of the runs that it branched off: evaluations, and what is known of the data."""
    parent = series.parent
    return [*_earlier(parent), *_attempts(parent), *_evaluations(parent)] if parent else []


def _finite(curve: tuple[Sequence[float], Sequence[float]]) -> tuple[list[float], list[float]]:
    points = [(x, y) for x, y in zip(*curve, strict=True) if math.isfinite(x) and math.isfinite(y)]
    return [x for x, _ in points], [y for _, y in points]


def _between(xs: Sequence[float], ys: Sequence[float], x: float) -> float | None:
    """The curve's height at x; None before its first point and after its last."""
    if not xs[0] <= x <= xs[-1]:
        return None
    above = bisect_left(xs, x)
    if xs[above] == x:
        return ys[above]
    share = (x - xs[above - 1]) / (xs[above] - xs[above - 1])
    return ys[above - 1] + (ys[above] - ys[above - 1]) * share
