"""What is odd about a run, in short sentences: a dip at the switch that is more than noise, warnings, bad lines."""

from __future__ import annotations

from typing import Any

from moore_tui.runs.compare import outcome
from moore_tui.runs.model import Snapshot
from moore_tui.runs.series import BASELINE, RunSeries

MOST = 5
"""Warnings that are told one by one."""


def alerts(shot: Snapshot, series: RunSeries | None) -> list[str]:
    """The newest last."""
    if series is None:
        return []
    found = [text for text in (dip(series), unkept(shot, series)) if text]
    warnings = [str(event.get("what")) for event in series.warns]
    if len(warnings) > MOST:
        found.append(f"{len(warnings) - MOST} earlier warnings")
    found += warnings[-MOST:]
    if series.bad:
        found.append(f"{series.bad} lines of events.jsonl could not be read")
    return found


def dip(series: RunSeries) -> str:
    """The return's fall after the switch, if it exceeds what an unchanged policy's evaluations would show."""
    result = outcome(_evals(series)).dip
    if result is None or result.net is None or result.low is None or result.high is None or result.low <= 0.0:
        return ""
    return f"net dip of {result.net:.3g} at the switch (95 %: {result.low:.3g} to {result.high:.3g})"


def unkept(shot: Snapshot, series: RunSeries) -> str:
    """Nobody would restart a running run."""
    if shot.state in ("live", "paused", "stalled") and not shot.kept and not shot.detail.startswith("on "):
        return "no keeper: nobody restarts it if it dies"
    return ""


def _evals(series: RunSeries) -> list[dict[str, Any]]:
    """The evaluations as events, as far as the tables keep them."""
    found = []
    for kind in ("eval", BASELINE):
        table = series.table(kind)
        names = ("seq", "epoch", "online", "return_mean", "score")
        columns = [table.column(name) for name in names]
        for row, (seq, epoch, online, mean, score) in enumerate(zip(*columns, strict=False)):
            event: dict[str, Any] = {
                "k": "eval",
                "seq": int(seq),
                "t": 0.0,
                "epoch": int(epoch),
                "stage": "online" if online else "offline",
                "return_mean": mean if mean == mean else None,
                "score": score if score == score else None,
            }
            own = row - table.inherited
            if own >= 0:
                event["returns"] = table.episodes(own)
            if kind == BASELINE:
                event["baseline"] = row + 1
            found.append(event)
    return found
