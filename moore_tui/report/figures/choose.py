"""Which runs each figure shows, in which panel (a task with its data) and group, and why some are not in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Any

import numpy as np

from moore_tui.report.gather import NOT_TELLING, RunFacts, labelled
from moore_tui.runs import lineage

ALGORITHMS = ("moore", "mbpo", "awac", "balanced_replay", "cql", "mopo")
"""In a legend's order; others come after them."""
SAMPLERS = ("priority", "uniform", "half_half", "online_only", "custom")
SAMPLER, ALPHA, PRIORITY = "online.sampler", "online.alpha", "online.priority"
USUAL = {SAMPLER: "priority", ALPHA: 1.0}
"""What MOORe is compared with its rivals at, where runs of it differ in these."""
NAMES = {
    "moore": "MOORe",
    "mbpo": "MBPO",
    "awac": "AWAC",
    "balanced_replay": "Balanced Replay",
    "cql": "CQL",
    "mopo": "MOPO",
}
"""Algorithms as papers write them."""
MOST = 8
"""Groups in one panel that can still be told apart."""
FEWEST_ERRORS = 5
"""Values of the relative uncertainty error below which a density says nothing."""


@dataclass(frozen=True)
class Group:
    """Runs that are one curve; `key` is what its style goes by: an algorithm, a sampler, a value of alpha, a label."""

    key: Any
    label: str
    runs: tuple[RunFacts, ...]


@dataclass(frozen=True)
class Panel:
    """`unit` is "score" where every run has one, by the same reference returns; else "return"."""

    title: str
    unit: str
    groups: tuple[Group, ...]

    @property
    def runs(self) -> list[RunFacts]:
        return [run for group in self.groups for run in group.runs]


@dataclass(frozen=True)
class Plan:
    """A figure to be: `kind` is "algorithms", "samplers", "alpha" or "uncertainty"; without panels it is left out."""

    name: str
    title: str
    kind: str
    panels: tuple[Panel, ...] = ()
    notes: tuple[str, ...] = field(default=())


def figures(runs: Sequence[RunFacts]) -> list[Plan]:
    """The four figures in order, those that are left out too."""
    return [
        _plan("figure-1", "Learning curves of the algorithms", "algorithms", runs, _algorithms),
        _plan("figure-2", "Samplers of the online stage", "samplers", runs, _samplers),
        _plan("figure-3", "Sweep over alpha", "alpha", runs, _alphas),
        _plan("figure-4", "Decay of the uncertainty and its relative error", "uncertainty", runs, _uncertain),
    ]


def _plan(
    name: str,
    title: str,
    kind: str,
    runs: Sequence[RunFacts],
    chosen: Callable[[list[RunFacts], list[str]], list[Group]],
) -> Plan:
    """One panel for each task with its data that has something to show."""
    panels, notes = [], []
    for heading, members in _places(runs):
        said: list[str] = []
        groups = chosen(members, said)
        notes += [f"{heading}: {text}" if len(runs) > len(members) else text for text in said]
        if groups:
            panels.append(Panel(heading, _unit([run for group in groups for run in group.runs]), tuple(groups)))
    return Plan(name, title, kind, tuple(panels), tuple(notes) or (() if panels else ("There are no runs.",)))


def _places(runs: Sequence[RunFacts]) -> list[tuple[str, list[RunFacts]]]:
    """Runs by task and data; those that know no data, as MBPO's, stand beside every data set of their task."""
    keys = dict.fromkeys((run.task, run.data_sha256) for run in runs if run.data_sha256)
    keys |= dict.fromkeys((run.task, "") for run in runs if run.task not in {task for task, _ in keys})
    found = []
    for task, sha256 in keys:
        members = [run for run in runs if run.task == task and run.data_sha256 in ("", sha256)]
        data = next((dataset(run.dataset) for run in members if run.data_sha256), "")
        found.append((f"{task}, {data}" if data else task, members))
    return found


def _unit(runs: Sequence[RunFacts]) -> str:
    scores = {(run.config.data.ref_min, run.config.data.ref_max) for run in runs}
    return "score" if len(scores) == 1 and all(run.unit == "score" for run in runs) else "return"


def dataset(reference: str) -> str:
    """A data set's name as a reader knows it: without the folders and the ending of a file."""
    kind, colon, name = reference.partition(":")
    if colon and kind in ("bundled", "minari"):
        return name
    return PurePath(reference).name.removesuffix(".hdf5").removesuffix(".h5")


def _algorithms(runs: list[RunFacts], notes: list[str]) -> list[Group]:
    """One curve an algorithm, of MOORe the usual one; several where an algorithm's runs differ in other keys too."""
    known = [run for run in runs if run.last_step > 0]
    if not known:
        notes.append("No run has an evaluation of an online stage.")
        return []
    if len(known) < len(runs):
        notes.append(f"{_counted(len(runs) - len(known))} without an evaluation of an online stage not drawn.")
    found: list[Group] = []
    for algo in _ordered({run.algo for run in known}, ALGORITHMS):
        every = [run for run in known if run.algo == algo]
        usual = _usual(every) if algo == "moore" else every
        if len(usual) < len(every):
            notes.append(f"{_counted(len(every) - len(usual))} with another sampler or alpha left to Figures 2 and 3.")
        members = _by_label(usual)
        found += [
            Group(algo if len(members) == 1 else label, label.replace(algo, NAMES.get(algo, algo), 1), each)
            for label, each in members.items()
        ]
    if len(found) > MOST:
        notes.append(f"Only the first {MOST} of {len(found)} groups are drawn; {_names(found[MOST:])} are not.")
    return found[:MOST]


def _samplers(runs: list[RunFacts], notes: list[str]) -> list[Group]:
    """Runs of MOORe that differ in the sampler alone (alpha has no effect but for `priority`)."""
    known = [run for run in runs if run.algo == "moore" and run.last_step > 0]
    family = _family(known, (SAMPLER, ALPHA, PRIORITY), lambda run: run.settings[SAMPLER])
    family = [run for run in family if run.settings[SAMPLER] != "priority" or run in _usual(family)]
    found = []
    for sampler in _ordered({run.settings[SAMPLER] for run in family}, SAMPLERS):
        members = tuple(run for run in family if run.settings[SAMPLER] == sampler)
        found.append(Group(sampler, str(sampler).replace("_", " "), members))
    if len(found) < 2:
        notes.append("There are no runs of MOORe with two samplers or more and all else equal.")
        return []
    _tell_trunks(found, notes)
    return found


def _alphas(runs: list[RunFacts], notes: list[str]) -> list[Group]:
    """Runs of MOORe with the sampler `priority` that differ in alpha alone, by rising alpha; "auto" comes last."""
    known = [run for run in runs if run.algo == "moore" and run.settings[SAMPLER] == "priority" and run.last_step > 0]
    live = [run for run in known if isinstance(run.settings[ALPHA], lineage.Changed)]
    if live:
        notes.append(f"{_counted(len(live))} whose alpha was changed on the way not drawn.")
    known = [run for run in known if run not in live]
    family = _family(known, (ALPHA,), lambda run: run.settings[ALPHA])
    values = sorted({run.settings[ALPHA] for run in family}, key=lambda alpha: (isinstance(alpha, str), alpha))
    if len(values) < 2:
        notes.append("There are no runs of MOORe with two values of alpha or more and all else equal.")
        return []
    found = [
        Group(alpha, f"α = {alpha}" if isinstance(alpha, str) else f"α = {alpha:g}",
              tuple(run for run in family if run.settings[ALPHA] == alpha))
        for alpha in values
    ]  # fmt: skip
    _tell_trunks(found, notes)
    return found


def _uncertain(runs: list[RunFacts], notes: list[str]) -> list[Group]:
    """Those of Figure 2 if there are, else of Figure 1, that measured their uncertainty online."""
    quiet: list[str] = []
    groups = _samplers(runs, quiet) or _algorithms(runs, quiet)
    found = []
    for group in groups:
        members = tuple(run for run in group.runs if decay(run)[0].max(initial=0.0) > 0)
        if members:
            found.append(replace(group, runs=members))
    if not found:
        notes.append("No run measured its uncertainty in an online stage.")
    return found


def decay(run: RunFacts) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(env_step, mean, p20, p80) of the rollouts of the online stage, (rows,) float64; those that are finite."""
    rows = run.unc["stage"] == "online"
    found = np.stack([run.unc[name][rows] for name in ("env_step", "mean", "p20", "p80")])
    step, mean, p20, p80 = found[:, np.isfinite(found).all(axis=0)]
    return step, mean, p20, p80


def errors(runs: Iterable[RunFacts]) -> np.ndarray:
    """Relative uncertainty errors of every epoch of these runs that has one, (n,) float64."""
    values = np.concatenate([run.rue["value"] for run in runs] or [np.empty(0)])
    return values[np.isfinite(values)]


def _usual(runs: Sequence[RunFacts]) -> list[RunFacts]:
    """Those of USUAL's values; of a key in which none has it, all."""
    found = list(runs)
    for key, value in USUAL.items():
        found = [run for run in found if run.settings.get(key) == value] or found
    return found


def _family(runs: Sequence[RunFacts], swept: Sequence[str], value: Callable[[RunFacts], Any]) -> list[RunFacts]:
    """Of runs that differ in the keys `swept` alone, those with the most values; of equals those with the most runs."""
    families = lineage.equal([_telling(run.settings, swept) for run in runs])
    every = [[runs[place] for place in places] for places in families]
    return max(every, key=lambda each: (len({value(run) for run in each}), len(each)), default=[])


def _telling(settings: Mapping[str, Any], swept: Sequence[str]) -> dict[str, Any]:
    return {
        key: each for key, each in settings.items() if key not in (*NOT_TELLING, *swept) and not key.startswith("eval.")
    }


def _by_label(runs: Sequence[RunFacts]) -> dict[str, tuple[RunFacts, ...]]:
    """By their labels among themselves."""
    found: dict[str, list[RunFacts]] = {}
    for run in labelled(runs):
        found.setdefault(run.group, []).append(run)
    return {label: tuple(members) for label, members in found.items()}


def _ordered(found: set[Any], order: Sequence[Any]) -> list[Any]:
    return sorted(found, key=lambda each: (order.index(each) if each in order else len(order), str(each)))


def _names(groups: Sequence[Group]) -> str:
    return ", ".join(group.label for group in groups)


def _counted(number: int) -> str:
    return f"{number} run{'s' * (number > 1)}"


def _tell_trunks(groups: Sequence[Group], notes: list[str]) -> None:
    """Whether the groups' runs of each seed share one offline stage, as a comparison of online stages should."""
    stages: dict[int, set[bytes]] = {}
    for run in (run for group in groups for run in group.runs):
        stages.setdefault(run.seed, set()).add(run.offline_evals["return_mean"].tobytes())
    if any(b"" in each for each in stages.values()):
        return
    if all(len(each) == 1 for each in stages.values()):
        notes.append("The runs of a seed share one offline stage.")
    else:
        apart = sorted(seed for seed, each in stages.items() if len(each) > 1)
        notes.append(f"The runs of seed {', '.join(map(str, apart))} have offline stages of their own.")
