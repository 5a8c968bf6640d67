"""Pane 5: the losses of the updates, temperature, entropy and mean Q; one at a time, chosen with [ and ]."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from moore_tui.widgets import curves
from moore_tui.widgets.chart_pane import Chart, ChartPane
from moore_tui.widgets.figures import number
from moore_tui.widgets.pane import RunView
from moore_tui.widgets.sheet import Line, fitting, length

NAMES = {
    "q": "Q loss", "actor": "actor loss", "temperature": "temperature", "entropy": "entropy", "q_mean": "mean Q",
    "conservative": "conservative term", "ratio": "ratio loss",
}  # fmt: skip
SOME = ("conservative", "ratio")
"""What only some algorithms report: CQL's log Z - Q, the loss of Balanced Replay's density ratio."""

SIGNS = (
    ("q", "q", "q "), ("actor", "actor", "π "), ("temperature", "temperature", "α "), ("entropy", "entropy", "H "),
    ("q_mean", "Q", "Q "), ("conservative", "log Z − Q", "C "), ("ratio", "ratio", "w "),
)  # fmt: skip
"""Short names for the line below the chart, and shorter ones."""


class LossPane(ChartPane):
    number = 5
    title = "Losses"
    kinds: ClassVar[tuple[str, ...]] = ("loss",)
    HELP: ClassVar[str] = (
        "What the updates report, one figure at a time: [ and ] choose the Q loss, the actor loss, the temperature, "
        "the entropy, the mean Q value, and what else the algorithm has: CQL's conservative term log Z - Q, the loss "
        "of Balanced Replay's density ratio. The line below has the newest value of each."
    )

    @property
    def metrics(self) -> tuple[str, ...]:  # type: ignore[override]
        """What the run reports, the same for every algorithm first."""
        return metrics(self.view)

    def chart(self, view: RunView) -> Chart:
        if view.series is None:
            return Chart()
        chosen, axis = self._chosen(view), view.chart.axis
        whole = curves.curve(view.series, "loss", chosen, axis)
        own = next((one.number for one in view.marked if one.id == view.snapshot.id), 0)
        found = curves.parts(whole, view.snapshot.id, own or (len(view.marked) + 1 if view.marked else 0))
        for one in view.marked:
            if one.series is not None and one.id != view.snapshot.id:
                found += curves.parts(curves.curve(one.series, "loss", chosen, axis), one.id, one.number)
        left: Line = (("Losses · ", ""), (NAMES[chosen], "strong"), (" [ ]", "dim"))
        now: Line = ((number(whole.last), "strong"),)
        return Chart(found, left, now, [self._all(view)], subject=chosen, empty=self._empty(view))

    def _chosen(self, view: RunView) -> str:
        """Another run may report less."""
        found = metrics(view)
        return found[min(self.metric, len(found) - 1)]

    def _empty(self, view: RunView) -> str:
        """In place of the chart: not a number is what does not exist in this algorithm."""
        return f"{view.plan.algo}: no {NAMES[self._chosen(view)]}" if _last(view) else "no update yet"

    def summary(self, view: RunView) -> str:
        value = _last(view).get("q")
        return f"q loss {number(value if isinstance(value, int | float) else None)}"

    def _all(self, view: RunView) -> Line:
        """The newest value of each metric."""
        last, chosen = _last(view), self._chosen(view)
        told: dict[str, list[Line]] = {}
        for name, label, sign in SIGNS:
            if name not in metrics(view):
                continue
            value = last.get(name)
            shown = (number(value if isinstance(value, int | float) else None), "strong" if name == chosen else "")
            told[name] = [((f"{label} ", "dim"), shown), ((sign, "dim"), shown)]
        for form, gap in ((0, 2), (1, 2), (1, 1)):
            line = fitting([[each[form]] for each in told.values()], 1000, gap)
            if length(line) <= self.inner_width:
                return line
        others = [[each[1]] for name, each in told.items() if name != chosen]
        return fitting([[told[chosen][1]], *others], self.inner_width, 1)


def metrics(view: RunView | None) -> tuple[str, ...]:
    """What a run reports: the same for every algorithm, and what this one has besides."""
    last = _last(view)
    return tuple(name for name in NAMES if name not in SOME or name in last)


def _last(view: RunView | None) -> Mapping[str, Any]:
    """The newest `loss` event; empty where there is none."""
    return (view.series.last("loss") if view is not None and view.series is not None else None) or {}
