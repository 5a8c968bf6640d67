"""One run's figures at a given environment step, so that runs of different lengths are compared at equal steps.

What an evaluation, a dip and an area are is said in moore_tui.runs.compare and moore_tui.runs.aggregate: the console
and the report agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from moore_tui.report.columns import Event
from moore_tui.report.gather import RunFacts
from moore_tui.runs import aggregate, compare
from moore_tui.runs.table import number

BEST = 100.0
"""The score that regret is measured from: the reference's expert."""


class Measure(NamedTuple):
    """A figure of a run; `better` is "more", "less" or "" where neither is; `about` says what it is."""

    name: str
    title: str
    better: str
    about: str


MEASURES = (
    Measure("offline", "Offline", "", "what the run went online with: the frozen policy at the switch, else the last "
            "offline evaluation"),
    Measure("final", "Final", "more", "the last evaluation at or before the step that all are compared at; never the "
            "best one"),
    Measure("net_dip", "Net dip", "less", "offline minus the lowest of the first ten online epochs' evaluations, less "
            "what ten evaluations of the unchanged policy would show"),
    Measure("epochs_to_90", "Epochs to 90 %", "less", "the first online epoch whose evaluation has 90 % of the gain "
            "from offline to final; runs without a gain have none"),
    Measure("steps_to_90", "Steps to 90 %", "less", "that epoch's environment steps"),
    Measure("auc", "AUC", "more", "area under the online curve over its length, from the offline policy at step 0: a "
            "mean over environment steps"),
    Measure("regret", "Regret", "less", "cumulative regret: the area between a score of 100 and the online curve, in "
            "score × 1000 environment steps"),
)  # fmt: skip
"""Everything that the tables tell of a run, in their order."""


@dataclass(frozen=True)
class Outcome:
    """A run's MEASURES at a step in `unit`; None where it has not got there, or has none."""

    run: RunFacts
    unit: str
    reached: bool
    figures: Mapping[str, float | None]
    outcome: compare.Outcome


def at_step(run: RunFacts, step: float | None, unit: str) -> Outcome:
    """The run as it was after `step` environment steps (None: no run has an online stage).

    With `unit` "return" scores are not looked at. A run that has not come so far has no online figures.
    """
    events = [event for event in run.evaluations if _within(event, step)]
    if unit == "return":
        events = [{**event, "score": None} for event in events]
    outcome = compare.outcome(events)
    reached = step is not None and outcome.final is not None and run.last_step >= step
    figures: dict[str, float | None] = {measure.name: None for measure in MEASURES}
    figures["offline"] = outcome.offline.value if outcome.offline else None
    if reached and step is not None:
        figures |= _online(events, outcome, step)
    return Outcome(run, outcome.unit, reached, figures, outcome)


def _online(events: list[Event], outcome: compare.Outcome, step: float) -> dict[str, float | None]:
    field = compare.FIELDS[outcome.unit]
    online = [event for event in events if event["stage"] == "online" and not event.get("baseline")]
    points = [(event["epoch"], event["env_step"], number(event[field])) for event in online if field in event]
    points = [point for point in points if point[2] == point[2]]
    start = outcome.offline.value if outcome.offline else None
    epoch = aggregate.epochs_to(start, [(epoch, value) for epoch, _, value in points])
    area = aggregate.auc(start, [(steps, value) for _, steps, value in points])
    return {
        "final": outcome.final.value if outcome.final else None,
        "net_dip": outcome.dip.net if outcome.dip else None,
        "epochs_to_90": None if epoch is None else float(epoch),
        "steps_to_90": next((float(steps) for each, steps, _ in points if each == epoch), None),
        "auc": area,
        "regret": (BEST - area) * step / 1000 if area is not None and outcome.unit == "score" else None,
    }


def _within(event: Event, step: float | None) -> bool:
    return (
        event["stage"] == "offline" or bool(event.get("baseline")) or (step is not None and event["env_step"] <= step)
    )
