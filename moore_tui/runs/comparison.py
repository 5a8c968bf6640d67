"""Marked runs side by side: grouped by what they differ in beside the seed, a row of figures for each run and group.

Groups are summed up as the charts are, by interquartile mean and quartiles. Standard library only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any

from moore_engine.rundir import RunDir
from moore_tui.runs import lineage
from moore_tui.runs.aggregate import Figures, iqm, quantile
from moore_tui.runs.compare import Mean
from moore_tui.runs.outlook import text


@dataclass(frozen=True)
class Group:
    """Runs that differ in the seed only; `label` says in what the groups differ."""

    label: str
    ids: tuple[str, ...]


@dataclass(frozen=True)
class Grouping:
    """The groups, and the keys in which they differ with each group's value; `unreadable` runs are in none."""

    groups: tuple[Group, ...] = ()
    differences: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cell:
    """A figure and what it may as well be; None where it is not known."""

    value: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Row:
    """A group or, under it, one of its runs. `unit` is that of all figures but `epochs_to`."""

    name: str
    group: int
    ids: tuple[str, ...]
    member: int | None = None
    unit: str = ""
    cells: Mapping[str, Cell] = field(default_factory=dict)


COLUMNS = ("offline", "dip", "epochs_to", "final", "auc")


def grouping(ids: Sequence[str], runs_dir: Path) -> Grouping:
    """Read the runs' configurations, each once; a run that cannot be read is told, not raised."""
    values: dict[str, dict[str, Any]] = {}
    unreadable = []
    for name in ids:
        try:
            values[name] = lineage.settings(RunDir(runs_dir / name))
        except (OSError, ValueError, AttributeError):
            unreadable.append(name)
    names = list(values)
    members = [tuple(names[place] for place in places) for places in lineage.equal(list(values.values()))]
    found = lineage.differences([values[ids[0]] for ids in members])
    different = tuple((key, tuple(each)) for key, each in found)
    groups = tuple(Group(label(different, place, ids), ids) for place, ids in enumerate(members))
    return Grouping(groups, different, tuple(unreadable))


def value(key: str, found: Any) -> str:
    """A group's value of a key, as it is written."""
    return text(lineage.brief(key, found))


def label(differences: Sequence[tuple[str, tuple[Any, ...]]], place: int, ids: Sequence[str]) -> str:
    """What tells a group from the others, without the keys' sections; of an only group, what its runs are called."""
    if not differences:
        return shared_name(ids)
    names = [key.partition(".")[2] for key, _ in differences]
    return ", ".join(
        f"{name if names.count(name) == 1 else key}={value(key, found[place])}"
        for name, (key, found) in zip(names, differences, strict=True)
        if found[place] is not lineage.NO_EFFECT
    )


def shared_name(ids: Sequence[str]) -> str:
    """What the names of runs begin with, without a seed cut in two."""
    if len(ids) == 1:
        return ids[0]
    alike = takewhile(lambda letters: len(set(letters)) == 1, zip(*ids, strict=False))
    return "".join(letters[0] for letters in alike).removesuffix("s").rstrip("-_. ") or "runs"


def rows(grouping: Grouping, figures: Mapping[str, Figures]) -> list[Row]:
    """A row for each group and, where it has several runs, one for each of these below it."""
    found = []
    for number, group in enumerate(grouping.groups):
        known = [figures[name] for name in group.ids if name in figures]
        units = {each.outcome.unit for each in known if each.outcome.evaluations}
        unit = units.pop() if len(units) == 1 else ""
        alone = len(group.ids) == 1
        name = group.ids[0] if alone else f"{group.label} ({len(group.ids)} runs)"
        name += f" ({group.label})" if alone and group.label != name else ""
        whole = _own(known[0]) if alone and known else _together(known) if unit else {}
        found.append(Row(name, number, group.ids, None, unit, whole))
        for member, run in enumerate(() if alone else group.ids):
            own = figures.get(run)
            found.append(Row(run, number, (run,), member, own.outcome.unit if own else "", _own(own) if own else {}))
    return found


def _own(run: Figures) -> dict[str, Cell]:
    """A run's figures with one standard error, the dip with the limits of its noise."""
    outcome, dip = run.outcome, run.outcome.dip
    if dip is None:
        fall = Cell()
    else:
        fall = Cell(dip.depth if dip.net is None else dip.net, dip.low, dip.high)
    return {
        "offline": _with_error(outcome.offline),
        "dip": fall,
        "epochs_to": Cell(None if run.epochs_to is None else float(run.epochs_to)),
        "final": _with_error(outcome.final),
        "auc": Cell(run.auc),
    }


def _with_error(mean: Mean | None) -> Cell:
    if mean is None:
        return Cell()
    error = mean.error
    return Cell(mean.value) if error is None else Cell(mean.value, mean.value - error, mean.value + error)


def _together(runs: Sequence[Figures]) -> dict[str, Cell]:
    """Interquartile mean and quartiles over the runs that have the figure."""
    cells = [_own(run) for run in runs]
    return {name: _summed([each[name].value for each in cells]) for name in COLUMNS}


def _summed(values: Sequence[float | None]) -> Cell:
    known = [value for value in values if value is not None]
    spread: Callable[[float], float | None] = lambda q: quantile(known, q) if len(known) > 1 else None  # noqa: E731
    return Cell(iqm(known), spread(0.25), spread(0.75)) if known else Cell()
