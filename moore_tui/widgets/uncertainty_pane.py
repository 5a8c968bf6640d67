"""Pane 4: the ensemble's uncertainty on model rollouts, mean and 20-80 % band, on a logarithmic axis."""

from __future__ import annotations

from typing import ClassVar

from moore_tui.runs import algorithms
from moore_tui.widgets import curves
from moore_tui.widgets.chart_pane import Chart, ChartPane
from moore_tui.widgets.figures import count, number, span
from moore_tui.widgets.model_pane import without_models
from moore_tui.widgets.pane import RunView
from moore_tui.widgets.sheet import Line, fitting


class UncertaintyPane(ChartPane):
    number = 4
    title = "Uncertainty"
    kinds: ClassVar[tuple[str, ...]] = ("unc", "rue")
    info_rows = 2
    HELP: ClassVar[str] = (
        "The ensemble's uncertainty u(s, a) on each model rollout: its mean, and a band from the 20th to the 80th "
        "percentile. The half-life is fitted to the online part: the updates (or the time) in which the mean halves. "
        "Below it is the Relative Uncertainty Error of the epoch before: how much the newer model changed the "
        "uncertainty of the same policy and starts, relative to the learned reward (MOORe, Sec. 4.3)."
    )
    log_y = True

    def chart(self, view: RunView) -> Chart:
        if view.series is None:
            return Chart()
        axis, modelled = view.chart.axis, algorithms.has_models(view.plan.algo)
        whole = curves.curve(view.series, "unc", "mean", axis, "p20", "p80")
        halves = curves.half_life(whole)
        parts: list[list[Line]] = [[(("now ", "dim"), (number(whole.last), "strong"))]] if modelled else []
        if halves is not None:
            shown = span(halves) if axis == "wall" else count(halves)
            parts.append([(("half-life ", "dim"), (shown, ""))])
        if whole.low is not None and whole.high is not None and whole.y.size:
            band = (f"{number(whole.low[-1])}–{number(whole.high[-1])}", "")
            parts.append([(("p20–80 ", "dim"), band), (band,)])
        info = [fitting(parts, self.inner_width)]
        if rue := view.series.last("rue"):
            value = rue.get("value")
            error = (number(value if isinstance(value, int | float) else None), "")
            names = ("relative uncertainty error ", "RUE ")
            info.append(fitting([[((name, "dim"), error) for name in names]], self.inner_width))
        left: Line = (("Uncertainty", ""), (" (σ of the ensemble)", "dim"))
        found = curves.parts(whole, "mean, 20–80 %")
        empty = "no rollout yet" if modelled else without_models(view)
        return Chart(found, left, ((number(whole.last), "strong"),), info, empty=empty)

    def summary(self, view: RunView) -> str:
        if not algorithms.has_models(view.plan.algo):
            return "no models"
        last = view.series.last("unc") if view.series is not None else None
        mean = last.get("mean") if last else None
        return f"unc {number(mean if isinstance(mean, int | float) else None)}"
