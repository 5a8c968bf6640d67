"""The screen to watch runs on: their list, and the panes of the one under the cursor."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.timer import Timer

from moore_engine.rundir import RunDir
from moore_tui.keys import bindings
from moore_tui.messages import MarksChanged, RunSelected, WindowChanged
from moore_tui.runs.model import Snapshot
from moore_tui.runs.usage import Meter, Usage
from moore_tui.screens.frame import Framed
from moore_tui.widgets import curves
from moore_tui.widgets.board import HIDDEN, Board
from moore_tui.widgets.curve_plot import CurvePlot
from moore_tui.widgets.details_pane import DetailsPane
from moore_tui.widgets.hidden_line import HiddenLine
from moore_tui.widgets.log_pane import LogPane
from moore_tui.widgets.loss_pane import LossPane
from moore_tui.widgets.mass_pane import MassPane
from moore_tui.widgets.model_pane import ModelPane
from moore_tui.widgets.pane import Marked, Pane, RunView
from moore_tui.widgets.return_pane import ReturnPane
from moore_tui.widgets.run_list import RunList, RunRows
from moore_tui.widgets.speed_pane import SpeedPane
from moore_tui.widgets.uncertainty_pane import UncertaintyPane

USAGE_EVERY_S = 4.0
"""Between two looks at what the trainer's process uses."""
REST_S = 0.08
"""For which the cursor rests on a run before its curves are drawn."""


class WatchScreen(Framed):
    """The list selects a run, every pane shows it; curves of marked runs lie over its own."""

    BINDINGS: ClassVar[list[BindingType]] = list(bindings("control"))
    AUTO_FOCUS = "RunRows"

    def __init__(self) -> None:
        super().__init__()
        self.run_list = RunList(id="runs")
        self.log_pane = LogPane(id="log")
        self.panes: list[Pane] = [
            self.run_list,
            ReturnPane(id="return"),
            MassPane(id="mass"),
            UncertaintyPane(id="uncertainty"),
            LossPane(id="loss"),
            SpeedPane(id="speed"),
            self.log_pane,
            ModelPane(id="model"),
            DetailsPane(id="details"),
        ]
        self.hidden_line = HiddenLine(id=HIDDEN)
        self.board = Board(*self.panes, self.hidden_line)
        self._snapshots: Mapping[str, Snapshot] | None = None
        self._others: object = None
        self._marked: list[str] = []
        self._soon: Timer | None = None
        self._meter = Meter()
        self._usage: tuple[float, str, Usage | None] = (0.0, "", None)
        self._horizons = curves.Horizons()
        self._settings: dict[tuple[str, float | None], Mapping[str, Any]] = {}

    def body(self) -> ComposeResult:
        yield self.board

    def facts_changed(self) -> None:
        self._list()
        if self._soon is None:
            self._show()

    def _list(self) -> None:
        """The runs, if any of them, their marks or tags changed."""
        console = self.console
        snapshots, rows = console.feed.snapshots, self.run_list.rows
        rows.marked = console.marked
        tags = self._tags(snapshots) if self.run_list.filter.text else {}
        others = (sorted(console.marked), tags, console.selected, self._nothing())
        if snapshots is not self._snapshots or others != self._others:
            self._snapshots, self._others = snapshots, others
            self.run_list.list_runs(snapshots, tags, console.selected, console.ascii, self._nothing())

    def _nothing(self) -> tuple[str, ...]:
        """What to do about a folder without runs."""
        console = self.console
        if console.feed.trouble:
            return (console.feed.trouble,)
        start = () if console.actions.readonly else ("n starts one",)
        return (f"no runs in {console.feed.runs_dir}", *start, "moore-console replay example shows a recorded one")

    def _tags(self, snapshots: Mapping[str, Snapshot]) -> dict[str, Sequence[str]]:
        return {name: self.console.feed.note(name).tags for name in snapshots}

    def _show(self) -> None:
        """The selected run in every pane on screen, and in the line of those that are not."""
        if self._soon is not None:
            self._soon.stop()
            self._soon = None
        view = self._view()
        for pane in self.board.shown:
            if pane is not self.run_list:
                pane.show(view)
        self.hidden_line.show(self.board.hidden, view)
        if self.console.feed.more:
            self.console.nudge()

    def _view(self) -> RunView | None:
        console, feed = self.console, self.console.feed
        shot = feed.snapshots.get(console.selected or "")
        if shot is None:
            return None
        order = self._in_order()
        feed.open([shot.id, *order])
        marked = tuple(Marked(name, number, feed.series(name), feed.plan(name)) for number, name in enumerate(order, 1))
        axis = console.chart.axis
        ends = [self._horizons(name, feed.series(name), feed.plan(name), axis) for name in (shot.id, *order)]
        known = [each for each in ends if each is not None]
        other = next((name for name in order if name != shot.id), None)
        return RunView(
            snapshot=shot,
            chart=console.chart,
            plan=feed.plan(shot.id),
            series=feed.series(shot.id),
            log=feed.log(shot.id) if console.prepared else None,
            note=feed.note(shot.id),
            marked=marked,
            boundary=curves.boundary(feed.series(shot.id), axis),
            horizon=(min(start for start, _ in known), max(end for _, end in known)) if known else None,
            usage=self._used(shot),
            machine=console.gauge.machine,
            settings=self._values(shot.id) if console.prepared else None,
            differs=differences(self._values(shot.id), self._values(other)) if other else None,
            ascii=console.ascii,
        )

    def _in_order(self) -> list[str]:
        """The marked runs in the order in which they were marked."""
        marked, snapshots = self.console.marked, self.console.feed.snapshots
        known = [name for name in self._marked if name in marked]
        self._marked = known + sorted(name for name in marked if name not in known and name in snapshots)
        return self._marked

    def _used(self, shot: Snapshot) -> Usage | None:
        """What the trainer's process uses, looked at now and then; nothing on another host."""
        at, name, usage = self._usage
        now = time.monotonic()
        if name != shot.id or now - at >= USAGE_EVERY_S:
            here = shot.running and shot.pid is not None and not shot.detail.startswith("on ")
            usage = self._meter.look(shot.pid, now) if here and shot.pid is not None else None
            if usage is not None:
                cores = None if usage.cores is None else round(usage.cores, 1)
                usage = Usage(cores, float(f"{usage.rss_mb:.2g}"))
            self._usage = (now, shot.id, usage)
        return usage

    def _values(self, name: str) -> Mapping[str, Any]:
        """The configuration of a run, read once."""
        shot = self.console.feed.snapshots.get(name)
        key = (name, shot.created if shot else None)
        if key not in self._settings:
            from moore_tui.runs.lineage import settings

            try:
                self._settings[key] = settings(RunDir(self.console.feed.runs_dir / name))
            except (OSError, ValueError):
                return {}
        return self._settings[key]

    def on_run_selected(self, message: RunSelected) -> None:
        if message.run_id == self.console.selected:
            return
        first = self.console.selected is None
        self.console.selected = message.run_id
        self._look_up(0.0 if first else REST_S)

    def on_marks_changed(self, message: MarksChanged) -> None:
        self._look_up(0.0)

    def _look_up(self, rest_s: float) -> None:
        """Have the curves read, and show them once the cursor rests: the list is painted first."""
        console = self.console
        console.feed.open([name for name in (console.selected, *self._in_order()) if name])
        console.nudge()
        if self._soon is not None:
            self._soon.stop()
            self._soon = None
        if rest_s:
            self._soon = self.set_timer(rest_s, self._show)
        else:
            self._show()

    def on_window_changed(self, message: WindowChanged) -> None:
        """One chart shows another part: all do."""
        message.stop()
        self.console.chart = message.view
        self._show()

    def on_board_arranged(self) -> None:
        """Other panes are on screen."""
        self.call_after_refresh(self._show)

    def on_run_rows_opened(self) -> None:
        self.go_to(2)

    def on_curve_plot_metric_stepped(self, message: CurvePlot.MetricStepped) -> None:
        """A chart without other metrics: the next pair of panes."""
        first = self.board.turn(message.step)
        self.go_to(next(pane.number for pane in self.panes if pane.id == first))

    def action_filter(self) -> None:
        """Search where the log has the focus; else filter the runs."""
        if self.log_pane.log_view.has_focus:
            self.log_pane.search()
        else:
            self.board.uncover("runs")
            self.run_list.ask_filter()

    def go_to(self, number: int) -> None:
        """Put a pane on the screen and give it the focus."""
        pane = next((pane for pane in self.panes if pane.number == number), None)
        if pane is not None:
            self.board.uncover(str(pane.id))
            target = next((each for each in pane.query("*") if each.can_focus and each.display), None)
            self.set_focus(target)

    def maximise(self) -> None:
        pane = self._focused_pane()
        if pane is not None:
            self.board.zoom(str(pane.id))

    def close_layer(self) -> bool:
        if super().close_layer():
            return True
        if self.board.arrangement.zoomed:
            self.board.zoom("")
            return True
        pane = self._focused_pane()
        if isinstance(pane, LogPane) and pane.back():
            return True
        return self.run_list.back()

    def copied(self) -> str:
        """The line of the log that was found."""
        return self.log_pane.log_view.copied() if self.log_pane.log_view.has_focus else ""

    def _focused_pane(self) -> Pane | None:
        focused = self.focused
        chain = focused.ancestors_with_self if focused is not None else []
        return next((each for each in chain if isinstance(each, Pane)), None)


def differences(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Their values by key where they are others than mine."""
    return {key: theirs.get(key, "not set") for key in sorted({*mine, *theirs}) if mine.get(key) != theirs.get(key)}


__all__ = ["RunRows", "WatchScreen", "differences"]
