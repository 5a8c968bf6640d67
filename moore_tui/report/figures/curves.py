"""What the figures draw, as numbers: seeds joined to one curve with a band, and densities. No matplotlib.

The interquartile mean and its percentile bootstrap are rliable's (Agarwal et al. 2021); with few seeds every resample
there is enters once, so that nothing is drawn at random.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from moore_tui.report.gather import RunFacts
from moore_tui.report.statistics import LEVEL, iqm

Floats = NDArray[np.float64]

ENUMERATED = 5
"""Seeds up to which all n^n resamples are gone through: 3125 at most."""
RESAMPLES = 4000


@dataclass(frozen=True)
class Curve:
    """One group: (points,) each; `band` is (low, high), None of one seed."""

    x: Floats
    middle: Floats
    band: tuple[Floats, Floats] | None = None

    def until(self, end: float) -> Curve:
        """The part up to `end`, with a point there if the curve goes on."""
        if not len(self.x) or self.x[-1] <= end:
            return self
        x = np.append(self.x[self.x < end], end)
        band = self.band and (np.interp(x, self.x, self.band[0]), np.interp(x, self.x, self.band[1]))
        return Curve(x, np.interp(x, self.x, self.middle), band)


def joined(series: Sequence[tuple[Floats, Floats]]) -> Curve | None:
    """Interquartile mean and its interval, between the points at which every one of the (x, y) curves is known.

    Each is taken as straight between its points; None if there is no place that all reach.
    """
    known = [_clean(x, y) for x, y in series]
    known = [(x, y) for x, y in known if len(x)]
    if not known:
        return None
    first, last = max(x[0] for x, _ in known), min(x[-1] for x, _ in known)
    grid = np.unique(np.concatenate([x[(first <= x) & (x <= last)] for x, _ in known]))
    if not len(grid):
        return None
    values = np.stack([np.interp(grid, x, y) for x, y in known])
    return Curve(grid, iqm(values.T), interval(values) if len(known) > 1 else None)


def interval(values: Floats) -> tuple[Floats, Floats]:
    """Percentile bootstrap of the interquartile mean over seeds: values (seeds, points) to two of (points,)."""
    seeds = len(values)
    if seeds <= ENUMERATED:
        chosen = np.array(list(itertools.product(range(seeds), repeat=seeds)))
    else:
        chosen = np.random.default_rng(0).integers(seeds, size=(RESAMPLES, seeds))
    means = np.stack([iqm(column[chosen]) for column in values.T], axis=1)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(means, [tail, 1 - tail], axis=0, method="inverted_cdf")
    return low, high


def offline_updates(run: RunFacts) -> float:
    """Gradient updates before the switch, as far as its evaluations tell; 0 for a run from scratch."""
    at = switch(run) if len(run.offline_evals["update"]) else None
    return 0.0 if at is None else at


def switch(run: RunFacts) -> float | None:
    """The update at which the frozen policy was evaluated, else that of the last offline evaluation."""
    known = run.baseline["update"] if len(run.baseline["update"]) else run.offline_evals["update"]
    return float(known[-1]) if len(known) else None


def offline(run: RunFacts, column: str) -> tuple[Floats, Floats]:
    """Evaluations against gradient updates, those before the switch being negative."""
    return run.offline_evals["update"] - (switch(run) or 0.0), run.offline_evals[column]


def online(run: RunFacts, column: str) -> tuple[Floats, Floats]:
    """Evaluations against environment steps since the switch; at 0 stands the policy that went online, if one did."""
    steps, values = run.online_evals["env_step"], run.online_evals[column]
    before = start(run, column)
    if before is None or (len(steps) and steps[0] <= 0):
        return steps, values
    return np.append(0.0, steps), np.append(before, values)


def start(run: RunFacts, column: str) -> float | None:
    """The frozen policy's value at the switch, by all its episodes; else the last offline evaluation."""
    if column == run.column:
        return run.offline_score
    frozen, before = run.baseline[column], run.offline_evals[column]
    if len(frozen) and np.isfinite(frozen).all():
        return float(frozen.mean())
    return float(before[-1]) if len(before) and np.isfinite(before[-1]) else None


def density(values: Floats, at: Floats) -> Floats:
    """Gaussian kernel density of values >= 0 at the points `at` >= 0; what would lie below 0 is folded back.

    The width is Silverman's: 0.9 min(s, IQR / 1.34) n^(-1/5).
    """
    wide = bandwidth(values)
    apart = np.stack([at[:, None] - values[None], at[:, None] + values[None]]) / wide
    return np.asarray(np.exp(-0.5 * apart**2).sum(axis=(0, 2)) / (len(values) * wide * np.sqrt(2 * np.pi)))


def bandwidth(values: Floats) -> float:
    """Silverman's rule of thumb; 0 where all values are equal."""
    low, high = np.quantile(values, [0.25, 0.75])
    spread = [float(each) for each in (values.std(ddof=1), (high - low) / 1.34) if each > 0]
    return 0.9 * min(spread, default=0.0) * len(values) ** -0.2


def _clean(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Finite points by rising x; of several at one x the last."""
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    places, back = np.unique(x[::-1], return_index=True)
    return places, y[::-1][back]
