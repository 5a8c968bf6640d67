"""Figures over seeds: interquartile mean, its stratified bootstrap interval, probability of improvement.

Definitions of Agarwal et al. 2021 (Deep RL at the edge of the statistical precipice), as their library rliable has
them. A stratum is one task and data set; within it the runs are drawn with replacement, never across.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Strata = Sequence[ArrayLike]
"""The values of a group's runs, one array for each stratum; strata may have different numbers of runs."""

REPLICATES = 50_000
"""Bootstrap replicates, as many as rliable's."""
LEVEL = 0.95


class Interval(NamedTuple):
    low: float
    high: float


class Estimate(NamedTuple):
    """A value with its interval (None where a stratum has fewer than two runs) and the runs that it is of."""

    value: float
    interval: Interval | None
    runs: int

    @property
    def opposite(self) -> Estimate:
        """Of a probability, that of the contrary."""
        interval = None if self.interval is None else Interval(1.0 - self.interval.high, 1.0 - self.interval.low)
        return Estimate(1.0 - self.value, interval, self.runs)


def iqm(values: ArrayLike) -> Any:
    """Mean over the last axis without its lowest and highest quarter, each rounded down; (..., n) gives (...)."""
    ordered = np.sort(np.asarray(values, dtype=np.float64), axis=-1)
    count = ordered.shape[-1]
    cut = count // 4
    return ordered[..., cut : count - cut].mean(axis=-1)


def estimate(strata: Strata, generator: np.random.Generator) -> Estimate | None:
    """The IQM over all runs of all strata; None of no runs."""
    arrays = _arrays(strata)
    if not arrays:
        return None
    value, count = float(iqm(np.concatenate(arrays))), sum(map(len, arrays))
    return Estimate(value, bootstrap(lambda drawn: iqm(np.concatenate(drawn, axis=-1)), arrays, generator), count)


def improvement(x: Strata, y: Strata, generator: np.random.Generator) -> Estimate | None:
    """Probability that a run of `x` has more than one of `y`, ties counted half: the mean over the strata.

    That of a stratum is Mann and Whitney's U over the number of pairs. The runs of x and of y are drawn independently.
    `runs` counts both. None unless both have runs in every stratum.
    """
    xs, ys = _arrays(x), _arrays(y)
    if not xs or len(xs) != len(x) or len(ys) != len(y) or len(xs) != len(ys):
        return None

    def statistic(drawn: Sequence[Array]) -> Array:
        pairs = zip(drawn[: len(xs)], drawn[len(xs) :], strict=True)
        return np.asarray(np.mean([_above(one, other) for one, other in pairs], axis=0))

    arrays = [*xs, *ys]
    return Estimate(float(statistic(arrays)), bootstrap(statistic, arrays, generator), sum(map(len, arrays)))


def bootstrap(
    statistic: Callable[[Sequence[Array]], Array], arrays: Sequence[Array], generator: np.random.Generator
) -> Interval | None:
    """LEVEL percentile interval of `statistic`, which is given arrays (REPLICATES, n) drawn from each of (n,).

    None where an array has fewer than two values: of one run nothing is known about others.
    """
    if min(map(len, arrays)) < 2:
        return None
    drawn = [array[generator.integers(len(array), size=(REPLICATES, len(array)))] for array in arrays]
    low, high = np.quantile(statistic(drawn), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))


def _above(x: Array, y: Array) -> Array:
    """Share of pairs with x > y, ties half; (..., n) and (..., m) give (...)."""
    won = np.zeros(x.shape[:-1])
    for place in range(y.shape[-1]):
        won += np.sign(x - y[..., place, None]).sum(axis=-1)
    return np.asarray(0.5 + 0.5 * won / (x.shape[-1] * y.shape[-1]))


def _arrays(strata: Strata) -> list[Array]:
    """Without the strata that have no runs."""
    return [array for each in strata if len(array := np.asarray(each, dtype=np.float64))]
