"""Which runs belong together: what a branch inherits from the run it began from, and runs that differ in seed only.

Standard library only.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from moore_engine import events
from moore_engine.rundir import RunDir, read_json
from moore_tui.runs import plan

PER_RUN = ("run.name", "run.seed", "run.from", "run.device", "run.threads", "data.path")
"""Keys in which runs of one group may differ; a data set is known by its sha256."""


def history(run: RunDir) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(visible events of the run, those of the runs it branched off, oldest first, up to the state it began from).

    A run without events, or whose parent is gone, gives empty lists.
    """
    return _visible(run), _inherited(run, frozenset())


def settings(run: RunDir) -> dict[str, Any]:
    """The frozen configuration as "section.key" -> value, without the keys that tell runs of one group apart."""
    table = tomllib.loads(run.config.read_text(encoding="utf-8"))
    flat = {f"{section}.{key}": value for section, keys in table.items() for key, value in keys.items()}
    return {key: value for key, value in flat.items() if key not in PER_RUN}


def groups(runs: Sequence[RunDir]) -> dict[str, list[RunDir]]:
    """Runs by what they differ in beside the seed, as "online.sampler=uniform" -> runs; a single group is called ""."""
    return {label: [runs[i] for i in members] for label, members in alike([settings(run) for run in runs]).items()}


def alike(every: Sequence[Mapping[str, Any]]) -> dict[str, list[int]]:
    """Configurations (as `settings` gives them) that are equal, by place; the label says what tells them apart."""
    telling = [key for key, _ in differences(every)]
    found: dict[tuple[str, ...], list[int]] = {}
    for place, each in enumerate(every):
        found.setdefault(tuple(repr(each.get(key)) for key in telling), []).append(place)
    return {_label(every[members[0]], telling): members for members in found.values()}


def differences(every: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[Any]]]:
    """Keys in which configurations differ, each with its value in every one of them (None where it has none)."""
    keys = sorted({key for each in every for key in each})
    values = [(key, [each.get(key) for each in every]) for key in keys]
    return [(key, found) for key, found in values if len(set(map(repr, found))) > 1]


def _visible(run: RunDir) -> list[dict[str, Any]]:
    return events.visible(events.read(run.events)) if run.events.exists() else []


def _inherited(run: RunDir, seen: frozenset[str]) -> list[dict[str, Any]]:
    origin = (plan.read(run.config).origin or "").partition("#")[0]
    path, _, name = origin.rpartition("@")
    if not path or origin in seen:
        return []
    parent = RunDir(path)
    last = (read_json(parent.checkpoints / name / "manifest.json") or {}).get("seq", 0)
    return _inherited(parent, seen | {origin}) + [event for event in _visible(parent) if event["seq"] <= last]


def _label(values: Mapping[str, Any], keys: Sequence[str]) -> str:
    return ", ".join(f"{key}={str(values.get(key))[:12]}" for key in keys)
