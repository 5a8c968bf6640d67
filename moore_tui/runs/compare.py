"""What a run came to: the score it went online with, its last one, the dip between, each against its noise.

The dip is the frozen policy's score at the switch minus the lowest of the first ten online evaluations. The lowest of
several noisy evaluations of an unchanged policy lies low too, of ten by 1.54 standard errors: that null is measured on
the frozen policy (`eval` events with `baseline`), and the net dip is the dip without it. Standard library only.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from math import comb, hypot, inf, sqrt
from statistics import fmean, stdev
from typing import Any

Event = dict[str, Any]

FIELDS = {"score": "score", "return": "return_mean"}
"""Field of an `eval` event by unit."""
FIRST_EPOCHS = 10
"""Online epochs in which a dip is looked for."""
RESAMPLES = 2000
"""Evaluations drawn from the frozen policy's episodes; they place the null within a hundredth of its spread."""
Z95 = 1.96
SURE = 2.0
"""Standard errors that a gain must exceed to be called one."""


@dataclass(frozen=True)
class Mean:
    """Mean over episodes with its standard error (None for fewer than two)."""

    value: float
    error: float | None = None
    episodes: int = 0


@dataclass(frozen=True)
class Scale:
    """A figure in a run's unit is shift + slope * return; the identity where the unit is the return."""

    slope: float = 1.0
    shift: float = 0.0

    @classmethod
    def of(cls, evals: Sequence[Event]) -> Scale:
        """From the two evaluations whose returns differ most; slope 0 if all are equal."""
        low, high = (pick(evals, key=lambda event: event["return_mean"]) for pick in (min, max))
        width = high["return_mean"] - low["return_mean"]
        slope = (high["score"] - low["score"]) / width if width else 0.0
        return cls(slope, low["score"] - slope * low["return_mean"])

    def __call__(self, value: float) -> float:
        return self.shift + self.slope * value


@dataclass(frozen=True)
class Dip:
    """`depth` below the offline policy; `null` is what an unchanged policy would show, `net` the rest of it.

    `low` and `high` limit 95 % of the net dip's noise. None without evaluations of the frozen policy.
    """

    depth: float
    null: float | None = None
    net: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Outcome:
    """`unit` is "score" where every evaluation has one, else "return"; what a run has not reached is None.

    `offline` is the frozen policy at the switch if it was evaluated there (`frozen`), else the last offline evaluation
    (`offline_last`). `gain_errors` is final - offline in standard errors of that difference; `online_epochs` counts
    those that were evaluated; `seconds` leaves out what lies between attempts, and pauses.
    """

    unit: str
    scale: Scale = Scale()
    data: float | None = None
    offline_last: Mean | None = None
    frozen: Mean | None = None
    offline: Mean | None = None
    final: Mean | None = None
    gain_errors: float | None = None
    dip: Dip | None = None
    online_epochs: int = 0
    evaluations: int = 0
    seconds: float = 0.0

    @property
    def offline_beats_data(self) -> bool | None:
        """The offline policy is at least as good as its data set's mean episode."""
        return None if self.offline is None or self.data is None else self.offline.value >= self.data

    @property
    def final_beats_offline(self) -> bool | None:
        """The last policy is better than the offline one by more than two standard errors."""
        return None if self.gain_errors is None else self.gain_errors > SURE

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def outcome(events: Sequence[Event], earlier: Sequence[Event] = ()) -> Outcome:
    """Of all visible events of a run; `earlier` are those of the run it branched off, up to there."""
    evals = [event for event in (*earlier, *events) if event["k"] == "eval"]
    evals = [event for event in evals if _number(event, "return_mean") is not None]
    unit = "score" if evals and all(_number(event, "score") is not None for event in evals) else "return"
    scale = Scale.of(evals) if unit == "score" else Scale()
    baseline = [event for event in evals if event.get("baseline")]
    offline = [event for event in evals if event.get("stage") == "offline" and not event.get("baseline")]
    online = [event for event in evals if event.get("stage") == "online" and not event.get("baseline")]
    last = pooled(offline[-1:], unit, scale)
    frozen = pooled(baseline, unit, scale)
    before, final = frozen or last, pooled(online[-1:], unit, scale)
    first = [event for event in online if int(event.get("epoch", 0)) <= FIRST_EPOCHS]
    return Outcome(
        unit=unit,
        scale=scale,
        data=_data_mean((*events, *earlier), scale),
        offline_last=last,
        frozen=frozen,
        offline=before,
        final=final,
        gain_errors=_difference(before, final),
        dip=_dip(before, first, baseline, FIELDS[unit], scale),
        online_epochs=len(online),
        evaluations=len(offline) + len(online),
        seconds=working_seconds(events),
    )


def pooled(evals: Sequence[Event], unit: str, scale: Scale) -> Mean | None:
    """Mean over the episodes of `eval` events; over the events themselves where their episodes are not told."""
    if not evals:
        return None
    field = FIELDS[unit]
    episodes = [each for event in evals for each in _episodes(event)]
    told = all(_episodes(event) for event in evals)
    sample = [scale(each) for each in episodes] if told else [event[field] for event in evals]
    error = stdev(sample) / sqrt(len(sample)) if len(sample) > 1 else None
    return Mean(fmean(event[field] for event in evals), error, len(episodes))


def lowest(values: Sequence[float], count: int) -> float:
    """Mean over all choices of `count` of the values of their minimum (all of them, if there are not more)."""
    ordered, count = sorted(values), min(count, len(values))
    whole = comb(len(ordered), count)
    return sum(value * (comb(len(ordered) - i - 1, count - 1) / whole) for i, value in enumerate(ordered))


def lowest_quantile(values: Sequence[float], count: int, q: float) -> float:
    """Quantile `q` of the minimum of `count` draws from the values: P(minimum > x) = P(value > x)^count."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * (1.0 - (1.0 - q) ** (1.0 / count))))]


def resampled(episodes: Sequence[float], size: int) -> list[float]:
    """Means of RESAMPLES evaluations of `size` of the episodes each, drawn with replacement, always the same ones."""
    draws = random.Random(0)
    return [sum(draws.choices(episodes, k=size)) / size for _ in range(RESAMPLES)]


def working_seconds(events: Sequence[Event]) -> float:
    """Time from the first event to the last, without the gaps between attempts and without pauses."""
    total, paused = 0.0, False
    for before, after in pairwise(events):
        if before["k"] == "ack" and before.get("ok") and before.get("verb") in ("pause", "resume"):
            paused = before["verb"] == "pause"
        if not paused and before.get("att") == after.get("att"):
            total += max(0.0, after.get("t", 0.0) - before.get("t", 0.0))
    return total


def mean_over(values: Sequence[float | None]) -> Mean | None:
    """Mean over runs and its standard error over them; None as long as one of them lacks the figure."""
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None
    return Mean(fmean(known), stdev(known) / sqrt(len(known)) if len(known) > 1 else None, len(known))


def _evaluations(baseline: Sequence[Event], online: Sequence[Event], field: str, scale: Scale) -> list[float]:
    """What evaluations of the frozen policy with the online ones' number of episodes give."""
    size = len(_episodes(online[0]))
    if not size or not all(_episodes(event) for event in baseline):
        return [event[field] for event in baseline]
    return resampled([scale(each) for event in baseline for each in _episodes(event)], size)


def _dip(
    before: Mean | None, online: Sequence[Event], baseline: Sequence[Event], field: str, scale: Scale
) -> Dip | None:
    """The interval has the noise of the lowest evaluation and that of the frozen policy's mean, in quadrature."""
    if before is None or not online:
        return None
    depth = before.value - min(event[field] for event in online)
    if len(baseline) < 2:
        return Dip(depth)
    count, chance = len(online), _evaluations(baseline, online, field, scale)
    null = before.value - lowest(chance, count)
    most, least = (before.value - lowest_quantile(chance, count, q) for q in (0.025, 0.975))
    margin = Z95 * (before.error or 0.0)
    net = depth - null
    return Dip(depth, null, net, net - hypot(most - null, margin), net + hypot(null - least, margin))


def _difference(before: Mean | None, after: Mean | None) -> float | None:
    """after - before in standard errors; infinite where neither varies."""
    if before is None or after is None or before.error is None or after.error is None:
        return None
    gain, error = after.value - before.value, hypot(before.error, after.error)
    return gain / error if error else (0.0 if gain == 0 else inf * gain)


def _data_mean(events: Sequence[Event], scale: Scale) -> float | None:
    """Mean return of the data set's episodes, in the run's unit; None if that cannot be told."""
    means = [_number(event, "data_return_mean") for event in events if event["k"] == "run"]
    return next((scale(mean) for mean in means if mean is not None and scale.slope), None)


def _episodes(event: Event) -> list[float]:
    """Returns of an evaluation's episodes; none if one of them is not finite."""
    returns = event.get("returns")
    finite = isinstance(returns, list) and all(isinstance(each, int | float) for each in returns)
    return returns if finite and returns is not None else []


def _number(event: Event, field: str) -> float | None:
    """A finite number, else None (an evaluation that gave nan counts for nothing)."""
    value = event.get(field)
    return float(value) if isinstance(value, int | float) else None
