"""What stands below a figure: what it shows, then runs, seeds, data, task and package versions."""

from __future__ import annotations

from collections.abc import Sequence

from moore_tui.report.figures import choose, learning, uncertainty
from moore_tui.report.figures.choose import Plan
from moore_tui.report.gather import RunFacts
from moore_tui.report.provenance import SHA, versions
from moore_tui.report.statistics import LEVEL


def text(plan: Plan) -> str:
    """The whole caption, one paragraph."""
    said = _decay(plan) if plan.kind == "uncertainty" else _learning(plan)
    going = dict.fromkeys(run.id for panel in plan.panels for run in panel.runs if not run.finished)
    said += [f"Not finished: {', '.join(going)}."] if going else []
    return " ".join([*said, *plan.notes, *_made_of(plan)])


def keywords(plan: Plan) -> str:
    """Every run with its seed, and the digest of its data set in full, for the files' metadata."""
    runs = {run.id: run for panel in plan.panels for run in panel.runs}
    return ", ".join(f"{run.id} (seed {run.seed}, data {run.data_sha256 or 'none'})" for run in runs.values())


def _learning(plan: Plan) -> list[str]:
    what = {
        "algorithms": "Learning curves",
        "samplers": "MOORe's samplers of the online stage",
        "alpha": "MOORe with several values of alpha (priority of an offline row 1/(alpha t))",
    }[plan.kind]
    units = " and ".join(dict.fromkeys(learning.UNITS[panel.unit] for panel in plan.panels))
    said = [f"{what} on {'; '.join(panel.title for panel in plan.panels)}: {units} of the evaluations."]
    if any(len(run.offline_evals["update"]) for panel in plan.panels for run in panel.runs):
        said.append(
            "Left of the switch, in grey, the offline stage against gradient updates; right of it, in colour, the "
            "online stage against environment steps, from the frozen policy's evaluation at 0."
        )
    else:
        said.append("The online stage against environment steps.")
    fresh = _without_offline(plan, trunk=False)
    said += [f"{', '.join(fresh)}: from scratch at the switch."] if fresh else []
    lost = _without_offline(plan, trunk=True)
    said += [f"{', '.join(lost)}: offline stage not known, for the run it was branched off is gone."] if lost else []
    said.append(_over_seeds(plan))
    return said + _ends(plan)


def _without_offline(plan: Plan, trunk: bool) -> list[str]:
    """Labels of the groups that show no offline stage, and were (or were not) branched off a run that had one."""
    groups = [group for panel in plan.panels for group in panel.groups]
    bare = [group for group in groups if not any(len(run.offline_evals["update"]) for run in group.runs)]
    return list(dict.fromkeys(group.label for group in bare if any(run.trunk for run in group.runs) == trunk))


def _decay(plan: Plan) -> list[str]:
    said = [
        f"The model's uncertainty on {'; '.join(panel.title for panel in plan.panels)}. Left: mean (line) and 20th "
        "to 80th percentile (band) of u over the rows of each model rollout of the online stage, of several seeds the "
        "interquartile mean; a few very uncertain rows can lift the mean above the band. Right: density over epochs "
        "and seeds of the relative uncertainty error |U(t) - U(t+1)| / |eta(t)| (Gaussian kernel, Silverman's width, "
        "folded at 0), a mark below for each epoch."
    ]
    for panel in plan.panels:
        found = uncertainty.densities(panel)
        few = [group.label for group in panel.groups if group not in found]
        said += [f"Too few epochs for a density: {', '.join(few)}."] if few else []
        beyond = int(sum((values > uncertainty.reach(found)).sum() for values in found.values())) if found else 0
        said += [f"{beyond} of {sum(map(len, found.values()))} errors lie beyond the axis."] if beyond else []
    return said


def _over_seeds(plan: Plan) -> str:
    counts = {len(group.runs) for panel in plan.panels for group in panel.groups}
    if counts == {1}:
        return "One run each, so there is no band."
    band = f"band: its {LEVEL:.0%} bootstrap interval".replace("%", " %")
    some = " (none for a single run)" if 1 in counts else ""
    return f"Line: interquartile mean over seeds; {band}{some}; each as far as all its seeds have come."


def _ends(plan: Plan) -> list[str]:
    """Curves that go on beyond the axis, or end before it."""
    said = []
    for panel in plan.panels:
        end = learning.horizon(panel)
        last = {group: min(run.last_step for run in group.runs) for group in panel.groups}
        on = [f"{group.label} goes on to {step:,.0f}" for group, step in last.items() if step > end]
        short = [f"{group.label} ends at {step:,.0f}" for group, step in last.items() if step < end]
        said += [f"Cut at {end:,.0f} environment steps (arrowhead): {', '.join(on)}."] if on else []
        said += [f"Before {end:,.0f} environment steps (bar): {', '.join(short)}."] if short else []
    return said


def _made_of(plan: Plan) -> list[str]:
    """Groups with their seeds and runs, data sets by the beginning of their digest, tasks, versions."""
    groups: dict[str, dict[str, RunFacts]] = {}
    for group in (group for panel in plan.panels for group in panel.groups):
        groups.setdefault(group.label, {}).update({run.id: run for run in group.runs})
    runs = {run.id: run for members in groups.values() for run in members.values()}
    data = dict.fromkeys((choose.dataset(run.dataset), run.data_sha256) for run in runs.values() if run.data_sha256)
    said = [f"{label}: {_seeds(list(members.values()))} ({', '.join(members)})" for label, members in groups.items()]
    sets = [f"{name} sha256 {sha256[:SHA]}" for name, sha256 in data]
    return [
        f"Runs: {'; '.join(said)}.",
        f"Data: {', '.join(sets) or 'none'}.",
        f"Task: {', '.join(dict.fromkeys(run.task for run in runs.values()))}.",
        f"Versions: {versions(list(runs.values()))}.",
    ]


def _seeds(runs: Sequence[RunFacts]) -> str:
    seeds = sorted({run.seed for run in runs})
    return f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"
