"""A pane with a chart and, below it, lines of figures."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from textual.app import ComposeResult

from moore_tui.widgets import curves
from moore_tui.widgets.chart_view import AXIS_LABELS, Mark, Series
from moore_tui.widgets.curve_plot import CurvePlot
from moore_tui.widgets.pane import Pane, RunView, yet
from moore_tui.widgets.sheet import Line, Sheet


@dataclass
class Chart:
    """What a pane draws: `left` and `right` go into its caption, `info` below the chart."""

    series: Sequence[Series] = ()
    left: Line = ()
    right: Line = ()
    info: Sequence[Line] = field(default_factory=list)
    stacked: bool = False
    subject: Hashable = None
    empty: str = "no data yet"


class ChartPane(Pane):
    """Subclasses name the kinds of events they show (`kinds`) and make the Chart.

    `info_rows` are the lines of figures that are worth a row each, `metrics` what [ and ] choose from.
    """

    kinds: ClassVar[tuple[str, ...]] = ()
    info_rows: ClassVar[int] = 1
    metrics: ClassVar[tuple[str, ...]] = ()
    log_y: ClassVar[bool] = False

    DEFAULT_CSS = """
    ChartPane > CurvePlot { height: 1fr; margin: 1 1 0 1; }
    ChartPane > .info { height: 1; margin: 0 1 1 1; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.plot = CurvePlot()
        self.plot.set_reactive(CurvePlot.log_y, self.log_y)
        self.info = Sheet(classes="info")
        self.metric = 0

    def compose(self) -> ComposeResult:
        yield self.plot
        yield self.info

    def chart(self, view: RunView) -> Chart:
        """What there is to draw."""
        raise NotImplementedError

    def key(self, view: RunView) -> Hashable:
        others = tuple((one.id, one.number, curves.stamp(one.series, *self.kinds)) for one in view.marked)
        return (
            view.snapshot.id,
            view.plan.algo,
            view.chart,
            view.ascii,
            self.metric,
            yet("", view),
            curves.stamp(view.series, *self.kinds),
            others,
            view.boundary,
            view.horizon,
            curves.interventions(view.series, view.chart.axis),
            None if view.series is None else view.series.loaded,
        )

    def paint(self, view: RunView) -> None:
        drawn = self.chart(view)
        self.plot.visible = True
        self.caption((*(drawn.left or ((self.title, ""),)), *_more(view)), drawn.right)
        self.plot.set_reactive(CurvePlot.ascii, view.ascii)
        self.plot.set_reactive(CurvePlot.view, view.chart)
        axis, reading = view.chart.axis, view.series is None or view.series.loaded < 1.0
        self.plot.plot(
            drawn.series,
            boundary=view.boundary,
            horizon=view.horizon,
            x_label=AXIS_LABELS[axis],
            stacked=drawn.stacked,
            marks=[Mark(x) for x in curves.interventions(view.series, axis)],
            subject=(view.snapshot.id, axis, drawn.subject),
            empty="reading..." if reading else drawn.empty,
        )
        self.info.put(drawn.info[: self._rows_of_info])

    def clear(self) -> None:
        super().clear()
        self.plot.visible = False
        self.info.put([])

    def on_resize(self) -> None:
        rows = self._rows_of_info
        self.info.display = rows > 0
        self.info.styles.height = rows
        self.plot.styles.margin = (1, 1, 0 if rows else 1, 1)
        self.repaint()

    def on_curve_plot_metric_stepped(self, message: CurvePlot.MetricStepped) -> None:
        """Another of the metrics; without any, the screen may know what to do."""
        if self.metrics:
            message.stop()
            self.step_metric(message.step)

    def step_metric(self, by: int) -> None:
        self.metric = (self.metric + by) % len(self.metrics)
        self.show(self.view)

    @property
    def _rows_of_info(self) -> int:
        """All of them where the chart keeps eight rows, one where it keeps four."""
        rows = self.inner_height
        return min(self.info_rows, max(1, rows - 8)) if rows >= 5 else 0


def _more(view: RunView) -> Line:
    """How much of the events was read, as long as it is not all."""
    if view.series is None or view.series.loaded >= 1.0:
        return ()
    return ((f" {view.series.loaded:.0%} read", "dim"),)
