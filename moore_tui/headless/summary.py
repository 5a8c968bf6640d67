"""What a run came to: its score when it went online, its last one, and the dip between, net of evaluation noise.

The dip is the offline score minus the lowest of the first ten online evaluations. The lowest of several noisy
evaluations of an unchanged policy lies low as well: that null is measured on the frozen policy at the switch
(`eval` events with `baseline`) and taken off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import comb
from statistics import fmean
from typing import Any

FIRST_EPOCHS = 10


@dataclass(frozen=True)
class Summary:
    """`unit` is "score" where every evaluation has one, else "return"; what a run has not reached is None."""

    unit: str
    offline: float | None = None
    final: float | None = None
    dip: float | None = None
    net_dip: float | None = None
    evaluations: int = 0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def summarise(events: Sequence[dict[str, Any]]) -> Summary:
    """Of all visible events of a run."""
    evals = [event for event in events if event["k"] == "eval"]
    unit = "score" if evals and all(_figure(event, "score") is not None for event in evals) else "return"
    field = "score" if unit == "score" else "return_mean"
    baseline = _figures([event for event in evals if event.get("baseline")], field)
    offline = _figures(
        [event for event in evals if event.get("stage") == "offline" and not event.get("baseline")], field
    )
    online = [event for event in evals if event.get("stage") == "online" and not event.get("baseline")]
    before = fmean(baseline) if baseline else (offline[-1] if offline else None)
    curve = _figures(online, field)
    final = curve[-1] if curve else (offline[-1] if offline else before)
    first = _figures([event for event in online if int(event.get("epoch", 0)) <= FIRST_EPOCHS], field)
    dip = before - min(first) if before is not None and first else None
    net = None
    if dip is not None and len(baseline) >= 2 and before is not None:
        net = dip - (before - lowest(baseline, len(first)))
    return Summary(unit, before, final, dip, net, len(offline) + len(online))


def lowest(values: Sequence[float], count: int) -> float:
    """Mean over all choices of `count` of the values of their minimum (all of them, if there are not more)."""
    ordered, count = sorted(values), min(count, len(values))
    whole = comb(len(ordered), count)
    return sum(value * comb(len(ordered) - i - 1, count - 1) for i, value in enumerate(ordered)) / whole


def _figures(events: Sequence[dict[str, Any]], field: str) -> list[float]:
    return [value for event in events if (value := _figure(event, field)) is not None]


def _figure(event: dict[str, Any], field: str) -> float | None:
    """A finite number, else None (an evaluation that gave nan counts for nothing)."""
    value = event.get(field)
    return float(value) if isinstance(value, int | float) else None
