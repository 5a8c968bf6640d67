"""Pane 5: the losses of SAC, its temperature, entropy and mean Q; one at a time, chosen with [ and ]."""

from __future__ import annotations

from typing import ClassVar

from moore_tui.widgets import curves
from moore_tui.widgets.chart_pane import Chart, ChartPane
from moore_tui.widgets.figures import number
from moore_tui.widgets.pane import RunView
from moore_tui.widgets.sheet import Line, fitting, length

NAMES = {
    "q": "Q loss", "actor": "actor loss", "temperature": "temperature", "entropy": "entropy", "q_mean": "mean Q",
}  # fmt: skip

SIGNS = (
    ("q", "q", "q "), ("actor", "actor", "π "), ("temperature", "temperature", "α "), ("entropy", "entropy", "H "),
    ("q_mean", "Q", "Q "),
)  # fmt: skip
"""Short names for the line below the chart, and shorter ones."""


class LossPane(ChartPane):
    number = 5
    title = "Losses"
    kinds: ClassVar[tuple[str, ...]] = ("loss",)
    metrics: ClassVar[tuple[str, ...]] = tuple(NAMES)
    HELP: ClassVar[str] = (
        "What SAC reports of its updates, one figure at a time: [ and ] choose the Q loss, the actor loss, the "
        "temperature, the entropy or the mean Q value. The line below has the newest value of each."
    )

    def chart(self, view: RunView) -> Chart:
        if view.series is None:
            return Chart()
        chosen, axis = self.metrics[self.metric], view.chart.axis
        whole = curves.curve(view.series, "loss", chosen, axis)
        own = next((one.number for one in view.marked if one.id == view.snapshot.id), 0)
        found = curves.parts(whole, view.snapshot.id, own or (len(view.marked) + 1 if view.marked else 0))
        for one in view.marked:
            if one.series is not None and one.id != view.snapshot.id:
                found += curves.parts(curves.curve(one.series, "loss", chosen, axis), one.id, one.number)
        left: Line = (("Losses · ", ""), (NAMES[chosen], "strong"), (" [ ]", "dim"))
        now: Line = ((number(whole.last), "strong"),)
        return Chart(found, left, now, [self._all(view)], subject=chosen, empty="no update yet")

    def summary(self, view: RunView) -> str:
        last = view.series.last("loss") if view.series is not None else None
        value = last.get("q") if last else None
        return f"q loss {number(value if isinstance(value, int | float) else None)}"

    def _all(self, view: RunView) -> Line:
        """The newest value of each metric."""
        last = (view.series.last("loss") if view.series is not None else None) or {}
        chosen = self.metrics[self.metric]
        told: dict[str, list[Line]] = {}
        for name, label, sign in SIGNS:
            value = last.get(name)
            shown = (number(value if isinstance(value, int | float) else None), "strong" if name == chosen else "")
            told[name] = [((f"{label} ", "dim"), shown), ((sign, "dim"), shown)]
        for form, gap in ((0, 2), (1, 2), (1, 1)):
            line = fitting([[each[form]] for each in told.values()], 1000, gap)
            if length(line) <= self.inner_width:
                return line
        others = [[each[1]] for name, each in told.items() if name != chosen]
        return fitting([[told[chosen][1]], *others], self.inner_width, 1)
