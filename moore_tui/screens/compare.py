"""The compare screen: marked runs over one another, aligned at the switch, their figures, and how they differ."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message

from moore_tui.keys import bindings
from moore_tui.messages import WindowChanged
from moore_tui.runs import comparison
from moore_tui.runs.aggregate import Figures, figures
from moore_tui.runs.comparison import Grouping
from moore_tui.runs.series import BASELINE, RunSeries
from moore_tui.screens.frame import Framed
from moore_tui.widgets import compare_curves, curves
from moore_tui.widgets.chart_view import AXIS_LABELS, ChartView
from moore_tui.widgets.compare_curves import METRICS, Metric
from moore_tui.widgets.compare_table import CompareTable
from moore_tui.widgets.curve_plot import CurvePlot
from moore_tui.widgets.rows import Rows
from moore_tui.widgets.sheet import Sheet, longest, wrapped

WIDE = 140
"""Columns from which the differences stand beside the table."""
MOST_NAMES = 4
"""Curves up to which the chart has a legend; the table shows the dash of each."""
HOW = (" · interquartile mean and quartiles of the seeds", " · seeds' mean and quartiles", "")
"""How the chart says, in the room there is, what it shows of a group."""
NOTHING = (
    "No run is marked. Go back with esc, put the cursor on a run and press space to mark it; mark some more, "
    "of other settings or other seeds, and come here again with =."
)


class CompareScreen(Framed):
    """Shows the console's marked runs; its charts have a view of their own, which begins at the switch's axis."""

    DEFAULT_CSS = """
    CompareScreen .box { border: solid $foreground 30%; border-title-color: $foreground; }
    CompareScreen .box:focus-within { border: solid $border; }
    CompareScreen.-ascii .box { border: ascii $foreground 30%; }
    CompareScreen.-ascii .box:focus-within { border: ascii $border; }
    CompareScreen #compare-chart { height: 1fr; }
    CompareScreen.-whole CompareTable { display: none; }
    CompareScreen #compare-nothing { display: none; height: 1fr; padding: 1 2; }
    CompareScreen.-nothing #compare-nothing { display: block; }
    CompareScreen.-nothing .box { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("compare"),
        *(replace(key, action=f"chart({key.action!r})", show=False) for key in bindings("charts")),
    ]
    AUTO_FOCUS = "#compare-rows"

    class Grouped(Message):
        """The configurations were read."""

        def __init__(self, ids: tuple[str, ...], grouping: Grouping) -> None:
            super().__init__()
            self.ids, self.grouping = ids, grouping

    class Figured(Message):
        """A run's figures were worked out."""

        def __init__(self, run_id: str, of: Hashable, figures: Figures) -> None:
            super().__init__()
            self.run_id, self.of, self.figures = run_id, of, figures

    def __init__(self) -> None:
        super().__init__()
        self.view = ChartView(axis="switch")
        self.metric = 0
        self.grouped = True
        self.differing = False
        self.grouping = Grouping()
        self._ids: tuple[str, ...] | None = None
        self._sets: set[str] = set()
        self._figures: dict[str, tuple[Hashable, Figures]] = {}
        self._working: set[str] = set()
        self._horizons = curves.Horizons()
        self._painted: Hashable = None

    def body(self) -> ComposeResult:
        yield Sheet(id="compare-nothing")
        with Vertical(id="compare-chart", classes="box"):
            yield CurvePlot(id="compare-plot")
        yield CompareTable()

    def on_mount(self) -> None:
        self.set_class(self.console.ascii, "-ascii")
        self.plot.set_reactive(CurvePlot.ascii, self.console.ascii)
        self.table.ascii = self.console.ascii

    def on_resize(self) -> None:
        self.paint()

    @property
    def plot(self) -> CurvePlot:
        return self.query_one(CurvePlot)

    @property
    def table(self) -> CompareTable:
        return self.query_one(CompareTable)

    @property
    def shown_metric(self) -> Metric:
        return METRICS[self.metric]

    @property
    def runs(self) -> dict[str, RunSeries]:
        """The curves that were read so far, by run."""
        feed = self.console.feed
        return {name: series for name in self._ids or () if (series := feed.series(name)) is not None}

    def facts_changed(self) -> None:
        """Newer facts: curves at once, groups and figures when a thread has them."""
        console = self.console
        ids = tuple(sorted(name for name in console.marked if name in console.feed.snapshots))
        console.feed.open(ids)
        sets = {repr(ack.get("id")) for series in self.runs.values() for ack in series.acks if ack.get("verb") == "set"}
        if ids != self._ids:
            self._ids, self.grouping = ids, Grouping()
            self._group(ids)
        elif sets != self._sets:
            self._group(ids)
        self._sets = sets
        for name, series in self.runs.items():
            self._figure(name, series)
        key = (ids, *(curves.stamp(series, *self._kinds) for series in self.runs.values()), self.grouping)
        if key != self._painted:
            self._painted = key
            self.paint()

    @property
    def _kinds(self) -> tuple[str, ...]:
        return (*{each.kind for each in METRICS}, BASELINE)

    def _group(self, ids: tuple[str, ...]) -> None:
        folder = self.console.feed.runs_dir

        def read() -> None:
            self.post_message(self.Grouped(ids, comparison.grouping(ids, folder)))

        self.run_worker(read, thread=True, group="grouping", exit_on_error=False)

    def _figure(self, name: str, series: RunSeries) -> None:
        """Work out a run's figures, unless they are known; one thread a run."""
        of = curves.stamp(series, "eval", BASELINE)
        if name in self._working or self._figures.get(name, (None,))[0] == of:
            return
        self._working.add(name)

        def work() -> None:
            self.post_message(self.Figured(name, of, figures(series)))

        self.run_worker(work, thread=True, group="figures", exit_on_error=False)

    @on(Grouped)
    def grouped_(self, message: Grouped) -> None:
        if message.ids == self._ids:
            self.grouping = message.grouping
            self.facts_changed()

    @on(Figured)
    def figured(self, message: Figured) -> None:
        self._figures[message.run_id] = (message.of, message.figures)
        self._working.discard(message.run_id)
        if series := self.runs.get(message.run_id):
            self._figure(message.run_id, series)
        self._paint_table()

    def paint(self) -> None:
        """Show everything as it is now."""
        if not self.stands:
            return
        self.set_class(not self._ids, "-nothing")
        nothing = self.query_one("#compare-nothing", Sheet)
        nothing.put([((line, ""),) for line in wrapped(NOTHING, max(20, self.size.width - 4))])
        self._paint_chart()
        self._paint_table()

    def _paint_chart(self) -> None:
        metric, axis, runs = self.shown_metric, self.view.axis, self.runs
        feed = self.console.feed
        ends = [self._horizons(name, series, feed.plan(name), axis) for name, series in runs.items()]
        known = [each for each in ends if each is not None]
        several = compare_curves.looks(self.grouping.groups, self.grouped)
        self.plot.set_reactive(CurvePlot.legend, len(several) <= MOST_NAMES)
        reading = any(series.loaded < 1.0 for series in runs.values()) or len(runs) < len(self._ids or ())
        self.plot.plot(
            compare_curves.series(self.grouping.groups, runs, metric, axis, self.grouped),
            view=self.view,
            boundary=compare_curves.boundary(list(runs.values()), axis),
            horizon=(min(start for start, _ in known), max(end for _, end in known)) if known else None,
            x_label=AXIS_LABELS[axis],
            y_range=metric.span,
            subject=(self.metric, axis, self._ids),
            empty="reading..." if reading else f"no {metric.title.lower()} yet",
        )
        seeds = any(len(group.ids) > 1 for group in self.grouping.groups)
        told = [f"1 {metric.title}{how}" for how in (HOW if self.grouped and seeds else ("",))]
        self.query_one("#compare-chart").border_title = Content(longest(told, self.size.width - 6))

    def _paint_table(self) -> None:
        self.table.beside(self.size.width >= WIDE, self.differing)
        figures = {name: found for name, (_, found) in self._figures.items()}
        rows = comparison.rows(self.grouping, figures)
        self.table.show(rows, self.grouping, self.grouped, len(self._ids or ()))

    @on(WindowChanged)
    def window_changed(self, message: WindowChanged) -> None:
        message.stop()
        self.view = message.view
        self._paint_chart()

    @on(CurvePlot.MetricStepped)
    def metric_stepped(self, message: CurvePlot.MetricStepped) -> None:
        self.metric = (self.metric + message.step) % len(METRICS)
        self.plot.set_reactive(CurvePlot.log_y, self.shown_metric.log)
        self._paint_chart()

    @on(Rows.Opened)
    def opened(self) -> None:
        self.action_watch()

    async def action_chart(self, action: str) -> None:
        """A chart's key, wherever the focus is."""
        await self.plot.run_action(action)

    def action_seeds(self) -> None:
        self.grouped = not self.grouped
        self.paint()

    def action_differences(self) -> None:
        """The table, or how the configurations differ, where there is no room for both."""
        self.differing = not self.differing
        self.paint()
        (self.table.keys if self.differing else self.table.table).focus()

    def action_unmark(self) -> None:
        """Take the run, or the group, under the cursor out of the comparison."""
        if row := self.table.current:
            self.console.marked -= set(row.ids)
            self.facts_changed()
            self.console.nudge()

    def action_watch(self) -> None:
        """Go and watch the run under the cursor."""
        if row := self.table.current:
            console = self.console
            self.app.pop_screen()
            console.select(row.ids[0])

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "filter" and super().check_action(action, parameters)

    def maximise(self) -> None:
        """The chart alone, or with the table again."""
        self.toggle_class("-whole")

    def close_layer(self) -> bool:
        whole = self.has_class("-whole")
        self.remove_class("-whole")
        return super().close_layer() or whole

    def go_to(self, number: int) -> None:
        """1 is the chart, 2 the table, 3 the configurations."""
        if number in (2, 3) and (number == 3) != self.differing and self.size.width < WIDE:
            self.action_differences()
        elif number in (1, 2, 3):
            (self.plot, self.table.table, self.table.keys)[number - 1].focus()
