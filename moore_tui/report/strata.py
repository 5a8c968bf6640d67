"""Runs by what may be compared: a stratum is one task and data set; in it all are compared at one environment step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from moore_tui.report.gather import RunFacts
from moore_tui.report.outcomes import Outcome, at_step
from moore_tui.runs.errors import ConsoleError


class NothingToCompare(ConsoleError):
    """The runs and the step asked for do not fit, as one sentence."""

    exit_code = 2


@dataclass(frozen=True)
class Stratum:
    """Runs on one task and data set with their figures at `step`, in `unit` ("score" or "return").

    `groups` are their names in the order the runs were given, `notes` sentences that a page must show.
    """

    task: str
    dataset: str
    data_sha256: str
    unit: str
    step: float | None
    outcomes: tuple[Outcome, ...]
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """The task with the data set's name and the beginning of its digest."""
        data = " ".join(each for each in (self.dataset, self.data_sha256[:12]) if each)
        return f"{self.task} · {data}" if data else self.task

    @property
    def runs(self) -> list[RunFacts]:
        return [each.run for each in self.outcomes]

    @property
    def groups(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(run.group for run in self.runs))

    def members(self, group: str) -> list[Outcome]:
        return [each for each in self.outcomes if each.run.group == group]

    def values(self, group: str, measure: str) -> list[float]:
        """The figure of the group's runs that have it."""
        found = (each.figures[measure] for each in self.members(group))
        return [value for value in found if value is not None]


def strata(runs: Sequence[RunFacts], step: int | None = None) -> list[Stratum]:
    """The runs by task and data set; one that uses no data goes with every data set of its task.

    `step` is the environment step to compare at; None takes the last common one. Raises NothingToCompare.
    """
    if step is not None and not any(run.last_step >= step for run in runs):
        furthest = max(runs, key=lambda run: run.last_step)
        raise NothingToCompare(
            f"no run was evaluated at {step} environment steps; {furthest.id} came furthest, to {furthest.last_step:g}"
        )
    data = {(run.task, run.data_sha256): run.dataset for run in runs if run.data_sha256}
    tasks = {task for task, _ in data}
    data |= {(run.task, ""): "" for run in runs if not run.data_sha256 and run.task not in tasks}
    return [
        _stratum(task, dataset, sha256, [run for run in runs if run.task == task and run.data_sha256 in (sha256, "")],
                 step)
        for (task, sha256), dataset in data.items()
    ]  # fmt: skip


def _stratum(task: str, dataset: str, sha256: str, runs: Sequence[RunFacts], wanted: int | None) -> Stratum:
    notes = [warning for run in runs for warning in run.warnings]
    unit = "score" if all(run.unit == "score" for run in runs) else "return"
    references = {(run.config.data.ref_min, run.config.data.ref_max) for run in runs}
    if unit == "score" and len(references) > 1:
        unit = "return"
        notes.append("The runs' scores have different reference returns, so returns are compared.")
    elif unit == "return" and any(run.unit == "score" for run in runs):
        notes.append("Not every run has a score, so returns are compared.")
    step, how = (float(wanted), "as asked for") if wanted is not None else common_step(runs)
    outcomes = tuple(at_step(run, step, unit) for run in runs)
    notes = [*_step_notes(step, how, outcomes), *notes, *_seed_notes(runs), *_version_notes(runs)]
    return Stratum(task, dataset, sha256, unit, step, outcomes, tuple(notes))


def _step_notes(step: float | None, how: str, outcomes: Sequence[Outcome]) -> list[str]:
    if step is None:
        return ["No run has an evaluation of an online stage, so there is nothing to compare online."]
    notes = [f"Runs are compared at {step:,.0f} environment steps, {how}."]
    behind = [each.run.id for each in outcomes if not each.reached and each.run.last_step > 0]
    if behind:
        notes.append(f"Not there yet, and so without online figures: {', '.join(behind)}.")
    early = [each.run.id for each in outcomes if each.reached and step not in each.run.online_evals["env_step"]]
    if early:
        notes.append(f"Evaluated before that step but not at it: {', '.join(early)}.")
    return notes


def _seed_notes(runs: Sequence[RunFacts]) -> list[str]:
    """What keeps the runs of a group from being independent, and groups of one run."""
    notes = []
    for group in dict.fromkeys(run.group for run in runs):
        members = [run for run in runs if run.group == group]
        seeds, trunks = [run.seed for run in members], [run.trunk for run in members if run.trunk]
        if len(members) == 1:
            notes.append(f"{group} has one run, so nothing is known about its spread and it has no interval.")
        if len(set(seeds)) < len(seeds):
            notes.append(f"{group} has runs of the same seed: they are not independent.")
        if len(set(trunks)) < len(trunks):
            notes.append(f"{group} has runs that share an offline stage: they are not independent.")
    return notes


def _version_notes(runs: Sequence[RunFacts]) -> list[str]:
    differ = {
        name
        for run in runs
        for name, version in run.versions.items()
        if any(other.versions.get(name, version) != version for other in runs)
    }
    return [f"The runs were made with different versions of {', '.join(sorted(differ))}."] if differ else []


def common_step(runs: Sequence[RunFacts]) -> tuple[float | None, str]:
    """(the last step that all finished runs were evaluated at, how it was found); None without an online stage.

    Where no run is finished, of all runs. Where they share no step, the least of their last ones.
    """
    online = [run for run in runs if run.last_step > 0]
    if not online:
        return None, ""
    finished = [run for run in online if run.finished]
    which = "finished runs" if finished else "runs"
    steps = [np.unique(run.online_evals["env_step"]) for run in finished or online]
    shared = steps[0]
    for each in steps[1:]:
        shared = np.intersect1d(shared, each)
    shared = shared[shared > 0]
    if len(shared):
        return float(shared[-1]), f"the last at which all {which} were evaluated"
    return float(min(each[-1] for each in steps)), f"where the shortest of the {which} ends"
