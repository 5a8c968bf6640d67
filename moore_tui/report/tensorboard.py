"""A run's events as files that TensorBoard reads: every number an event tells is a scalar, named kind/field.

Two folders, for TensorBoard knows one step axis a run: `updates` has all events by gradient update of the whole run,
offline and online in one line; `env_steps` has those since the switch by environment step.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from moore_engine.rundir import RunDir
from moore_tui.runs import lineage
from moore_tui.runs.table import number

Event = dict[str, Any]

KINDS = ("eval", "share", "unc", "rue", "model", "loss", "data", "perf")
"""Kinds of events that are measurements; an `eval` of the frozen policy at the switch is called "frozen"."""
STEPS = {"updates": "update", "env_steps": "env_step"}
"""The folders, and the field of an event that is the step there."""
_NOT_SCALARS = frozenset(("v", "seq", "att", "t", "stage", "epoch", "update", "env_step", "k", "baseline"))
_ABOUT = ("algo", "task", "seed", "dataset", "sha256", "rows", "branched_from", "versions", "cpu", "device")
"""Fields of a `run` event that the text tells."""


class TensorBoardError(Exception):
    """A sentence for the user: the package is missing, there is nothing to write, or the folder is another run's."""


class Scalar(NamedTuple):
    """One point: `t` unix seconds, `step` in the folder's unit."""

    t: float
    step: int
    tag: str
    value: float


@dataclass(frozen=True)
class Header:
    """What a file tells beside its curves; `t` is the time of the run's first event, unix seconds."""

    run: str
    t: float
    texts: Mapping[str, str]
    hparams: Mapping[str, bool | float | str]


@dataclass(frozen=True)
class Written:
    """The files, the tags in them and the number of their points."""

    files: tuple[Path, ...]
    tags: tuple[str, ...]
    points: int


def write(run: RunDir, folder: Path) -> Written:
    """Write the run as it is now below `folder`, in place of what an earlier call wrote there.

    The events of the run that it branched off come before its own. Raises TensorBoardError.
    """
    save = _saver()
    own, earlier = lineage.history(run)
    events = [*earlier, *own]
    places = {name: folder / name / f"events.out.tfevents.{run.id}" for name in STEPS}
    curves = {name: scalars(events, step) for name, step in STEPS.items()}
    if not curves["updates"]:
        raise TensorBoardError(f"run {run.id} has no measurements yet; {run.events} is where they come")
    for path in places.values():
        _claim(path, run)
    told = Header(run.id, number(events[0].get("t")), _texts(run, events), _hparams(run))
    for name, path in places.items():
        if curves[name]:
            save(path, curves[name], told if name == "updates" else Header(run.id, told.t, {}, {}))
        else:
            path.unlink(missing_ok=True)
    tags = dict.fromkeys(each.tag for found in curves.values() for each in found)
    files = tuple(path for name, path in places.items() if curves[name])
    return Written(files, tuple(tags), sum(map(len, curves.values())))


def scalars(events: Iterable[Event], step: str) -> list[Scalar]:
    """All measurements in order, with the field `step` as their step; tags without any finite value are left out.

    By `env_step` only those of the online stage, for before it there are none.
    """
    found = []
    for event in events:
        if event["k"] in KINDS and (step == "update" or event.get("stage") == "online"):
            t, at = number(event.get("t")), number(event.get(step))
            kind = "frozen" if event.get("baseline") else event["k"]
            if math.isfinite(at) and math.isfinite(t):
                found += [Scalar(t, int(at), f"{kind}/{name}", value) for name, value in _numbers(event)]
    known = {each.tag for each in found if math.isfinite(each.value)}
    return [each for each in found if each.tag in known]


def _numbers(event: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Fields that are numbers; of the holdout errors mean, least and greatest, of the phases the share of each."""
    for name, value in event.items():
        if name in _NOT_SCALARS:
            continue
        if isinstance(value, int | float) or value in ("nan", "inf", "-inf"):
            yield name, number(value)
        elif name == "phases" and isinstance(value, dict):
            yield from ((f"phase_{phase}", number(share)) for phase, share in value.items())
        elif name == "holdout" and isinstance(value, list) and value:
            every = [number(one) for one in value]
            yield "holdout_mean", sum(every) / len(every)
            yield "holdout_min", min(every)
            yield "holdout_max", max(every)


def _saver() -> Any:
    """The function that writes a file; it needs the package."""
    try:
        from moore_tui.report.tensorboard_file import save
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in ("moore_tui", "moore_engine"):
            raise
        raise TensorBoardError(
            f"--tensorboard needs the package {missing}: pip install 'moore-console[tensorboard]'"
        ) from error
    return save


def _claim(path: Path, run: RunDir) -> None:
    """Refuse a folder with the curves of something else: TensorBoard would draw them as one."""
    others = [each.name for each in path.parent.glob("*tfevents*") if each != path] if path.parent.is_dir() else []
    if others:
        raise TensorBoardError(
            f"{path.parent} holds the curves of something else, {others[0]}: give run {run.id} a folder of its own"
        )


def _texts(run: RunDir, events: Sequence[Event]) -> dict[str, str]:
    """Markdown: the frozen configuration, what the newest attempt ran on, and the warnings."""
    found = {"config": _verbatim(run.config.read_text(encoding="utf-8"))}
    attempts = [event for event in events if event["k"] == "run"]
    if attempts:
        about = {name: attempts[-1][name] for name in _ABOUT if attempts[-1].get(name)}
        found["run"] = _verbatim("\n".join(f"{name}: {_plain(value)}" for name, value in about.items()))
    warnings = [event for event in events if event["k"] == "warn"]
    if warnings:
        found["warnings"] = _verbatim(
            "\n".join(f"update {event.get('update')}: {event.get('what')}" for event in warnings)
        )
    return found


def _verbatim(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


def _hparams(run: RunDir) -> dict[str, bool | float | str]:
    """Keys of the configuration that have an effect, live changes included, and the seed."""
    seed = tomllib.loads(run.config.read_text(encoding="utf-8")).get("run", {}).get("seed")
    found = {**lineage.settings(run), "run.seed": seed}
    return {
        key: value if isinstance(value, bool | int | float | str) else _plain(value)
        for key, value in sorted(found.items())
        if value is not lineage.NO_EFFECT and value is not None
    }


def _plain(value: Any) -> str:
    return json.dumps(value) if isinstance(value, list | tuple | dict) else str(value)
