"""The few figures that `run` ends with: score when it went online, last score, and the dip between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from moore_tui.runs.compare import Mean, lowest, outcome

__all__ = ["Summary", "collected", "lowest", "summarise"]

ENVELOPE = ("v", "seq", "att", "t", "stage", "epoch", "update", "env_step", "k")
"""Fields that every event has."""


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
    """Of all visible events of a run; moore_tui.runs.compare says how each figure is defined."""
    found = outcome(events)
    final = found.final or found.offline_last or found.offline
    return Summary(
        unit=found.unit,
        offline=_value(found.offline),
        final=_value(final),
        dip=found.dip.depth if found.dip else None,
        net_dip=found.dip.net if found.dip else None,
        evaluations=found.evaluations,
    )


def collected(events: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What a collecting run has made so far, from its last `data` event; empty for other runs."""
    told: dict[str, Any] = next((event for event in reversed(events) if event["k"] == "data"), {})
    return {key: value for key, value in told.items() if key not in ENVELOPE}


def _value(mean: Mean | None) -> float | None:
    return None if mean is None else mean.value
