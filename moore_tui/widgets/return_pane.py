"""Pane 2: the return of evaluations, grey while offline, then the online curve; the frozen policy as a dotted level."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from moore_tui.messages import WindowChanged
from moore_tui.runs.series import BASELINE, RunSeries
from moore_tui.widgets import curves
from moore_tui.widgets.chart_pane import Chart, ChartPane
from moore_tui.widgets.chart_view import Axis, Series
from moore_tui.widgets.curves import Curve
from moore_tui.widgets.figures import number
from moore_tui.widgets.pane import RunView, yet
from moore_tui.widgets.sheet import Line


class ReturnPane(ChartPane):
    """The band is one standard deviation over the episodes. [ and ] choose score or raw return."""

    number = 2
    title = "Return"
    kinds: ClassVar[tuple[str, ...]] = ("eval", BASELINE)
    info_rows = 0
    metrics: ClassVar[tuple[str, ...]] = ("score", "return")
    HELP: ClassVar[str] = (
        "Evaluations of the policy without its noise, grey in the offline stage, coloured online. The band is one "
        "standard deviation over an evaluation's episodes; the dotted level is the frozen policy at the switch, "
        "evaluated many times: what the online curve has to beat. [ and ] choose score or raw return. Marked runs "
        "are drawn over it, each with a colour and a dash of its own."
    )

    def chart(self, view: RunView) -> Chart:
        raw = view.chart.raw or not all(_scored(each) for each in _all(view))
        found: list[Series] = []
        if view.series is not None:
            own = next((one.number for one in view.marked if one.id == view.snapshot.id), 0)
            if view.marked and not own:
                own = len(view.marked) + 1
            found += _drawn(view.series, view.chart.axis, raw, view.snapshot.id, own)
        for one in view.marked:
            if one.series is not None and one.id != view.snapshot.id:
                found += _drawn(one.series, view.chart.axis, raw, one.id, one.number, level=False)
        left: Line = (("Return" if raw else "Score", ""), (f" · {view.snapshot.id}", "dim"))
        return Chart(found, left, self._now(view), subject=raw, empty=yet("no evaluation yet", view))

    def step_metric(self, by: int) -> None:
        """Score or raw return, in every chart that has both."""
        if self.view is not None:
            self.post_message(WindowChanged(replace(self.view.chart, raw=not self.view.chart.raw)))

    def summary(self, view: RunView) -> str:
        return f"ret {number(view.snapshot.return_mean)}"

    def _now(self, view: RunView) -> Line:
        """The newest evaluation."""
        event = view.series.last("eval") if view.series is not None else None
        if event is None:
            return ()
        mean, spread, score = (_float(event.get(key)) for key in ("return_mean", "return_std", "score"))
        text: Line = ((number(mean), "strong"), (f" ±{number(spread)}", ""))
        return (*text, (f"  score {number(score)}", "dim")) if score == score else text


def returns(series: RunSeries, axis: Axis, raw: bool) -> Curve:
    """Mean of each evaluation with one standard deviation of its episodes around it."""
    table = "return_mean" if raw else "score"
    whole = curves.curve(series, "eval", table, axis, "return_mean", "return_std")
    mean, spread = whole.low, whole.high
    assert mean is not None and spread is not None
    if not raw:
        spread = spread * slope(mean, whole.y)
    return whole.banded(whole.y - spread, whole.y + spread)


def slope(mean: np.ndarray, score: np.ndarray) -> float:
    """Score per return: of the two evaluations whose returns differ most; 0 if all are equal."""
    known = np.isfinite(mean) & np.isfinite(score)
    if not known.any():
        return 0.0
    mean, score = mean[known], score[known]
    low, high = int(np.argmin(mean)), int(np.argmax(mean))
    width = mean[high] - mean[low]
    return float((score[high] - score[low]) / width) if width > 0 else 0.0


def baseline(series: RunSeries, raw: bool) -> float | None:
    """Mean of the evaluations of the frozen policy at the switch."""
    found = curves.column(series, BASELINE, "return_mean" if raw else "score")
    return float(found.mean()) if found.size and np.isfinite(found).all() else None


def _drawn(series: RunSeries, axis: Axis, raw: bool, name: str, own: int, level: bool = True) -> list[Series]:
    whole, frozen = returns(series, axis, raw), baseline(series, raw)
    found = curves.parts(whole, name, own, frozen)
    start = curves.boundary(series, axis)
    if level and frozen is not None and start is not None and whole.x.size:
        found.append(curves.level("frozen policy", frozen, start, max(float(whole.x[-1]), start)))
    return found


def _scored(series: RunSeries) -> bool:
    """Every evaluation has a score."""
    scores = curves.column(series, "eval", "score")
    return bool(scores.size) and bool(np.isfinite(scores).all())


def _all(view: RunView) -> list[RunSeries]:
    every = [view.series, *(one.series for one in view.marked)]
    return [each for each in every if each is not None and each.table("eval").rows]


def _float(value: object) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")
