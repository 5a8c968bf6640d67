"""Pane 8: the dynamics model: holdout loss of its members (least to greatest) after each fit, and the last fit."""

from __future__ import annotations

from typing import ClassVar

from moore_tui.runs import algorithms
from moore_tui.widgets import curves
from moore_tui.widgets.chart_pane import Chart, ChartPane
from moore_tui.widgets.figures import count, number
from moore_tui.widgets.pane import RunView, yet
from moore_tui.widgets.sheet import Line, fitting


class ModelPane(ChartPane):
    number = 8
    title = "Model"
    kinds: ClassVar[tuple[str, ...]] = ("model",)
    info_rows = 2
    HELP: ClassVar[str] = (
        "The holdout loss of the ensemble after each fit: its mean over the networks, and a band from the least to "
        "the greatest. Below are the elites, which alone make rollouts, and the last fit: its epochs and updates, "
        "whether it was capped or went on until the holdout loss rose, and the effective number of rows it drew from."
    )
    log_y = True

    def chart(self, view: RunView) -> Chart:
        if view.series is None:
            return Chart()
        whole = curves.curve(view.series, "model", "holdout_mean", view.chart.axis, "holdout_min", "holdout_max")
        left: Line = (("Model", ""), (" (holdout loss)", "dim"))
        found = curves.parts(whole, "mean, least to greatest")
        empty = yet("no fit yet", view) if algorithms.has_models(view.plan.algo) else without_models(view)
        return Chart(found, left, ((number(whole.last), "strong"),), self._fit(view), empty=empty)

    def summary(self, view: RunView) -> str:
        if not algorithms.has_models(view.plan.algo):
            return "no models"
        last = view.series.last("model") if view.series is not None else None
        holdout = last.get("holdout") if last else None
        numbers = [each for each in holdout if isinstance(each, int | float)] if isinstance(holdout, list) else []
        return f"holdout {number(sum(numbers) / len(numbers) if numbers else None)}"

    def _fit(self, view: RunView) -> list[Line]:
        """The last fit in words."""
        last = (view.series.last("model") if view.series is not None else None) or {}
        elites = last.get("elites")
        chosen = " ".join(str(each) for each in elites) if isinstance(elites, list) else "–"
        ended = "capped" if last.get("capped") else "converged"
        if not last:
            return []
        epochs, updates, rows = (count(_number(last.get(name))) for name in ("epochs", "updates", "ess"))
        made: list[list[Line]] = [[(("elites ", "dim"), (chosen, ""))], [(("fit ", "dim"), (f"{epochs} epochs", ""))]]
        work: list[list[Line]] = [
            [((f"{updates} updates, {ended}", ""),), ((f"{updates} updates", ""),)],
            [(("effective rows ", "dim"), (rows, "")), (("ESS ", "dim"), (rows, ""))],
        ]
        return [fitting(parts, self.inner_width) for parts in (made, work)]


def without_models(view: RunView) -> str:
    """What stands in place of a chart of models where there are none."""
    return f"{view.plan.algo} has no models"


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
