"""What the groups come to over their seeds: an estimate of every figure, and how probably one group beats another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from moore_tui.report.outcomes import MEASURES
from moore_tui.report.statistics import Estimate, estimate, improvement
from moore_tui.report.strata import Stratum

JUDGED = "final"
"""The figure by which groups are set against each other."""

SEED = 0
"""Of the bootstrap: the same runs give the same intervals."""


@dataclass(frozen=True)
class GroupRow:
    """A group of so many runs with an estimate of each figure that one of them has; `seeds` in order."""

    group: str
    runs: int
    seeds: tuple[int, ...]
    estimates: dict[str, Estimate]


@dataclass(frozen=True)
class Versus:
    """Probability that a run of `group` ends above one of `other`."""

    group: str
    other: str
    estimate: Estimate


@dataclass(frozen=True)
class Summary:
    """Of one stratum, or of several together (`name` ""). `equal_epochs`: one is as many steps in all runs."""

    name: str
    unit: str
    equal_epochs: bool
    rows: tuple[GroupRow, ...]
    versus: tuple[Versus, ...]


def of_stratum(stratum: Stratum) -> Summary:
    """Every group of the stratum."""
    return _summary(stratum.name, stratum.unit, [stratum], stratum.groups)


def together(strata: Sequence[Stratum]) -> Summary | None:
    """Groups that are in all strata, by name, over all of these; None unless there are several, all with scores.

    Returns of different tasks have no common scale. Steps to 90 % and regrets depend on how far a stratum went.
    """
    if len(strata) < 2 or any(stratum.unit != "score" for stratum in strata):
        return None
    shared = [group for group in strata[0].groups if all(group in stratum.groups for stratum in strata)]
    return _summary("", "score", strata, shared) if shared else None


def _summary(name: str, unit: str, strata: Sequence[Stratum], groups: Sequence[str]) -> Summary:
    rows = []
    for group in groups:
        members = [each.run for stratum in strata for each in stratum.members(group)]
        seeds = tuple(sorted({run.seed for run in members}))
        found = {
            measure.name: estimate([stratum.values(group, measure.name) for stratum in strata], _generator())
            for measure in MEASURES
        }
        told = {key: each for key, each in found.items() if each is not None}
        rows.append(GroupRow(group, len(members), seeds, told))
    versus = []
    for group, other in combinations(groups, 2):
        x, y = ([stratum.values(each, JUDGED) for stratum in strata] for each in (group, other))
        found_one = improvement(x, y, _generator())
        if found_one is not None:
            versus += [Versus(group, other, found_one), Versus(other, group, found_one.opposite)]
    lengths = {run.config.online.steps_per_epoch for stratum in strata for run in stratum.runs if run.last_step}
    return Summary(name, unit, len(lengths) <= 1, tuple(rows), tuple(versus))


def _generator() -> np.random.Generator:
    return np.random.default_rng(SEED)
