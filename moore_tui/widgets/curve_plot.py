"""CurvePlot: a chart as a widget. It paints only the cells that changed, and its keys change the view.

The view is shared: a key posts WindowChanged, and whoever owns the charts gives the view to the others.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Region
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from moore_tui.keys import bindings
from moore_tui.messages import WindowChanged
from moore_tui.widgets.cells import Cells, Painting
from moore_tui.widgets.chart import Chart, Content
from moore_tui.widgets.chart_view import ChartView, Mark, Series
from moore_tui.widgets.palette import Palette, palette

__all__ = ["ChartView", "CurvePlot", "Mark", "Series"]

PAN_SHARE = 0.125
ZOOM = 1.5
NARROWEST = 1e-6
"""Smallest window as a share of the whole x axis."""


class CurvePlot(Widget, can_focus=True):
    """`plot` shows series; `view` is what the charts of a screen share, the other attributes are this chart's own."""

    DEFAULT_CSS = """
    CurvePlot { width: 1fr; height: 1fr; }
    """
    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = list(bindings("charts"))

    view: reactive[ChartView] = reactive(ChartView(), repaint=False, init=False)
    log_y: reactive[bool] = reactive(False, repaint=False, init=False)
    ascii: reactive[bool] = reactive(False, repaint=False, init=False)
    legend: reactive[bool] = reactive(True, repaint=False, init=False)
    cursor: reactive[float | None] = reactive(None, repaint=False, init=False)
    """The x value under the cursor; None while there is no cursor."""

    class MetricStepped(Message):
        """The next (1) or previous (-1) metric is wanted."""

        def __init__(self, step: int) -> None:
            super().__init__()
            self.step = step

    class CursorMoved(Message):
        """The cursor stands at `x` (None: it is gone); `values` holds each series' name and value there."""

        def __init__(self, x: float | None, values: list[tuple[str, float | None]]) -> None:
            super().__init__()
            self.x, self.values = x, values

    def __init__(
        self,
        *,
        log_y: bool = False,
        ascii: bool = False,
        legend: bool = True,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.chart = Chart()
        self.set_reactive(CurvePlot.log_y, log_y)
        self.set_reactive(CurvePlot.ascii, ascii)
        self.set_reactive(CurvePlot.legend, legend)
        self._cells: Cells | None = None
        self._painting: Painting | None = None
        self._strips: dict[int, Strip] = {}
        self._styles: list[Style] = []
        self._ground: Style | None = None
        self._looked = False
        self._palette: Palette | None = None

    def plot(
        self,
        series: Sequence[Series],
        *,
        view: ChartView | None = None,
        boundary: float | None = None,
        horizon: tuple[float, float] | None = None,
        x_label: str = "",
        stacked: bool = False,
        marks: Sequence[Mark] = (),
        y_range: tuple[float, float] | None = None,
        subject: Hashable = None,
        empty: str = "no evaluations yet",
    ) -> None:
        """Show these series, the first before the others; a screen that shows them already is left as it is.

        `view` is the new view, if it changes with the series; `boundary` is the x of the switch; for the others see
        moore_tui.widgets.chart.Content.
        """
        if view is not None:
            self.set_reactive(CurvePlot.view, view)
        self.chart.content = Content(series, boundary, horizon, x_label, stacked, marks, y_range, subject, empty)
        self._draw()

    def render_line(self, y: int) -> Strip:
        self._look_below()
        if self._cells is None or (self._cells.width, self._cells.height) != self.size:
            self._compute()
        assert self._cells is not None
        if y >= self._cells.height:
            return Strip.blank(self.size.width, self._ground)
        if y not in self._strips:
            self._painting = self._painting or self._cells.painting()
            self._strips[y] = self._painting.strip(y, self._known_styles())
        return self._strips[y]

    def render_lines(self, crop: Region) -> list[Strip]:
        self._looked = False
        return super().render_lines(crop)

    def _look_below(self) -> None:
        """Once a paint, and only if a line is painted: what lies below may have another colour than it had."""
        if not self._looked:
            self._looked = True
            ground = self.rich_style
            if ground != self._ground:
                self._forget_styles()
                self._ground = ground

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._forget_styles()

    def on_resize(self) -> None:
        self._draw()

    def watch_view(self) -> None:
        self._draw()

    def watch_log_y(self) -> None:
        self._draw()

    def watch_ascii(self) -> None:
        self._draw()

    def watch_legend(self) -> None:
        self._draw()

    def watch_cursor(self) -> None:
        self._draw()
        values = [(series.name, value) for series, value in self.chart.readings(self.chart.edge)]
        self.post_message(self.CursorMoved(self.cursor, values))

    def _draw(self) -> None:
        """Draw anew, and paint what differs."""
        if not self.is_mounted or not self.size:
            self._cells = None
            return
        before = self._cells
        self._compute()
        assert self._cells is not None
        regions = self._cells.changes(before)
        if regions is None:
            self.refresh()
        elif regions:
            self.refresh(*regions)

    def _compute(self) -> None:
        chart = self.chart
        if chart.view.axis != self.view.axis and self.cursor is not None:
            self.set_reactive(CurvePlot.cursor, None)  # its place means nothing on the new axis
            self.post_message(self.CursorMoved(None, []))
        chart.view, chart.log_y, chart.ascii, chart.legend = self.view, self.log_y, self.ascii, self.legend
        chart.cursor = self.cursor
        self._cells = chart.draw(*self.size)
        self._painting = None
        self._strips.clear()

    def _forget_styles(self) -> None:
        self._styles, self._palette = [], None
        self._strips.clear()

    def _known_styles(self) -> list[Style]:
        if self._palette is None:
            self._palette = self._theme_palette()
        ground = self._ground or self.rich_style
        for name, dim, bold in self.chart.looks.known[len(self._styles) :]:
            self._styles.append(ground + self._palette.style(name, dim, bold))
        return self._styles

    def _theme_palette(self) -> Palette:
        theme = self.app.current_theme
        sixteen = self.app.native_ansi_color or self.app.console.color_system == "standard"
        return palette(self.app.theme_variables, theme.dark, sixteen, self.background_colors[1])

    def action_pan(self, way: int) -> None:
        """Move the cursor by a cell, or without one the window by an eighth."""
        chart = self.chart
        if self.cursor is not None:
            low, high = chart.x_scale.low, chart.x_scale.high
            self.cursor = min(max(self.cursor + way * chart.cell_width, low), high)
            return
        span = chart.x_scale.high - chart.x_scale.low
        low = chart.x_scale.low + way * PAN_SHARE * span
        self._show(max(chart.whole.low, min(low, chart.whole.high - span)), span)

    def action_zoom(self, way: int) -> None:
        """Zoom in (1) or out (-1) about the cursor, or about the newest point on the screen."""
        chart = self.chart
        low, high = chart.x_scale.low, chart.x_scale.high
        newest = chart.newest
        about = self.cursor if self.cursor is not None else min(high, high if newest is None else max(newest, low))
        whole = chart.whole.high - chart.whole.low
        span = min(max((high - low) * ZOOM**-way, whole * NARROWEST), whole)
        share = (about - low) / (high - low)
        self._show(about - share * span, span)

    def _show(self, low: float, span: float) -> None:
        whole = self.chart.whole
        low = max(whole.low, min(low, whole.high - span))
        everything = span >= (whole.high - whole.low) * (1 - 1e-9)
        self._change(replace(self.view, window=None if everything else (low, low + span)))

    def action_fit(self) -> None:
        """Show everything, and follow."""
        self._change(replace(self.view, window=None))

    def action_smooth(self) -> None:
        self._change(self.view.next_smoothing())

    def action_band(self) -> None:
        self._change(replace(self.view, band=not self.view.band))

    def action_axis(self) -> None:
        """Ask for the next x axis: the owner has its values."""
        self.post_message(WindowChanged(self.view.next_axis()))

    def action_metric(self, step: int) -> None:
        self.post_message(self.MetricStepped(step))

    def action_log_y(self) -> None:
        self.log_y = not self.log_y

    def action_cursor(self) -> None:
        """Set the cursor on the newest point, or take it away."""
        newest = self.chart.newest
        if self.cursor is not None or newest is None:
            self.cursor = None
        else:
            self.cursor = min(max(newest, self.chart.x_scale.low), self.chart.x_scale.high)

    def _change(self, view: ChartView) -> None:
        if view != self.view:
            self.view = view
            self.post_message(WindowChanged(view))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.action_zoom(1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.action_zoom(-1)

    def on_click(self, event: events.Click) -> None:
        """Set the cursor where the mouse is."""
        field, frame = self.chart.field, self.chart.frame
        if field is not None and frame is not None and 0 <= event.x - frame.left < frame.columns:
            self.cursor = field.x_at(event.x - frame.left)
