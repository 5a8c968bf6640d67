"""What is odd about a run, in short sentences: a dip at the switch that is more than noise, warnings, bad lines."""

from __future__ import annotations

from array import array
from functools import lru_cache
from typing import NamedTuple

from moore_tui.runs.compare import FIRST_EPOCHS, outcome
from moore_tui.runs.model import Snapshot
from moore_tui.runs.series import BASELINE, RunSeries

MOST = 5
"""Warnings that are told one by one."""


class Evaluation(NamedTuple):
    """What a dip is judged by; `baseline` is 0 for an evaluation of the run itself. NaN for what is not known."""

    online: bool
    epoch: int
    return_mean: float
    score: float
    baseline: int
    returns: tuple[float, ...]


def alerts(shot: Snapshot, series: RunSeries | None) -> list[str]:
    """The newest last."""
    found = ["no keeper: nobody restarts it if it dies"] if unkept(shot) else []
    if series is None:
        return found
    if told := dip(first_evaluations(series)):
        found.append(told)
    warnings = [str(event.get("what")) for event in series.warns]
    if len(warnings) > MOST:
        found.append(f"{len(warnings) - MOST} earlier warnings")
    found += warnings[-MOST:]
    if series.bad:
        found.append(f"{series.bad} lines of events.jsonl could not be read")
    return found


def unkept(shot: Snapshot) -> bool:
    """It runs on this host, and nobody would restart it."""
    return shot.state in ("live", "paused", "stalled") and not shot.kept and not shot.detail.startswith("on ")


@lru_cache(64)
def dip(evaluations: tuple[Evaluation, ...]) -> str:
    """The fall after the switch, if it exceeds what an unchanged policy's evaluations would show."""
    events = [
        {
            "k": "eval",
            "t": 0.0,
            "stage": "online" if each.online else "offline",
            "epoch": each.epoch,
            "return_mean": None if each.return_mean != each.return_mean else each.return_mean,
            "score": None if each.score != each.score else each.score,
            "returns": list(each.returns),
            **({"baseline": each.baseline} if each.baseline else {}),
        }
        for each in evaluations
    ]
    found = outcome(events)
    fall = found.dip
    if fall is None or fall.net is None or fall.low is None or fall.high is None or fall.low <= 0.0:
        return ""
    return f"net dip of {fall.net:.3g} in {found.unit} at the switch (95 %: {fall.low:.3g} to {fall.high:.3g})"


def first_evaluations(series: RunSeries) -> tuple[Evaluation, ...]:
    """The evaluations that a dip is judged by: those of the frozen policy and the first online ones."""
    found: list[Evaluation] = []
    for kind in ("eval", BASELINE):
        table = series.table(kind)
        start = _first_online(table.column("online")) if kind == "eval" else 0
        columns = [table.column(name, start) for name in ("epoch", "online", "return_mean", "score")]
        for row, (epoch, online, mean, score) in enumerate(zip(*columns, strict=False), start):
            if online and epoch > FIRST_EPOCHS:
                break
            own = row - table.inherited
            returns = tuple(table.episodes(own)) if own >= 0 else ()
            number = row + 1 if kind == BASELINE else 0
            found.append(Evaluation(bool(online), int(epoch) if epoch == epoch else 0, mean, score, number, returns))
    return tuple(found)


def _first_online(online: array[float]) -> int:
    """Its row; the number of rows where there is none."""
    return online.index(1) if 1 in online else len(online)
