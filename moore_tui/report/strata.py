"""Runs by what may be compared: a stratum is one task and data set; in it all are compared at one environment step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from moore_tui.report.figures.choose import dataset
from moore_tui.report.gather import RunFacts
from moore_tui.report.outcomes import Outcome, at_step
from moore_tui.report.provenance import SHA
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
        return f"{self.task}, {dataset(self.dataset)} {self.data_sha256[:SHA]}" if self.data_sha256 else self.task

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
    data |= {(run.task, ""): "" for run in runs if run.task not in tasks}
    found = []
    for (task, sha256), path in data.items():
        members = [run for run in runs if run.task == task and run.data_sha256 in (sha256, "")]
        found.append(_stratum(task, path, sha256, members, step))
    return found


def _stratum(task: str, path: str, sha256: str, runs: Sequence[RunFacts], wanted: int | None) -> Stratum:
    unit, why = _unit(runs)
    step, how = (float(wanted), "as asked for") if wanted is not None else common_step(runs)
    outcomes = tuple(at_step(run, step, unit) for run in runs)
    remarks = [remark for run in runs for remark in run.remarks]
    notes = [*_step_notes(step, how, outcomes), *why, *remarks, *_seed_notes(runs), *_version_notes(runs)]
    return Stratum(task, path, sha256, unit, step, outcomes, tuple(notes))


def _unit(runs: Sequence[RunFacts]) -> tuple[str, list[str]]:
    """("score" or "return", why it is not the score although runs have one)."""
    evaluated = [run for run in runs if run.evaluations]
    units = {run.unit for run in evaluated}
    if units == {"score", "return"}:
        return "return", ["Not every run has a score, so returns are compared."]
    if units == {"score"} and len({(run.config.data.ref_min, run.config.data.ref_max) for run in evaluated}) > 1:
        return "return", ["The runs' scores have different reference returns, so returns are compared."]
    return "return" if "return" in units else "score", []


def _step_notes(step: float | None, how: str, outcomes: Sequence[Outcome]) -> list[str]:
    if step is None:
        notes = ["No run has an evaluation of an online stage, so there is nothing to compare online."]
    else:
        notes = [f"Runs are compared at {step:,.0f} environment steps, {how}."]
    unfinished = [f"{each.run.id} ({each.run.state})" for each in outcomes if not each.run.finished]
    behind = [each.run.id for each in outcomes if not each.reached and each.run.last_step > 0]
    offline = [each.run.id for each in outcomes if each.run.last_step == 0] if step is not None else []
    early = [each.run.id for each in outcomes if each.reached and step not in each.run.online_evals["env_step"]]
    told = (
        ("Unfinished, so shown as far as they have come", unfinished),
        ("Not yet at that step, so without online figures", behind),
        ("Without an evaluation of an online stage", offline),
        ("Evaluated before that step but not at it", early),
    )
    return notes + [f"{what}: {', '.join(which)}." for what, which in told if which]


def _seed_notes(runs: Sequence[RunFacts]) -> list[str]:
    """Groups of one run, and what keeps the runs of a group from being independent."""
    groups = {group: [run for run in runs if run.group == group] for group in dict.fromkeys(run.group for run in runs)}
    lonely = [group for group, members in groups.items() if len(members) == 1]
    seeds = [group for group, members in groups.items() if _repeats([run.seed for run in members])]
    trunks = [group for group, members in groups.items() if _repeats([run.origin for run in members if run.origin])]
    told = (
        ("One run, so no interval and nothing known of the spread over seeds", lonely),
        ("Several runs of the same seed, which are not independent", seeds),
        ("Several runs that share an offline stage, so their intervals know nothing of its spread", trunks),
    )
    return [f"{what}: {'; '.join(which)}." for what, which in told if which]


def _repeats(values: Sequence[object]) -> bool:
    return len(set(values)) < len(values)


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
