"""CurvePlot on a screen: what it sends, and what its keys do."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from textual import events
from textual.app import ComposeResult
from textual.pilot import Pilot

from moore_tui.messages import WindowChanged
from moore_tui.widgets.chart_view import ChartView, Mark, Series
from moore_tui.widgets.curve_plot import CurvePlot
from tests.tui.piloted import piloted
from tests.tui.sent import Sent

SIZE = (70, 20)
HORIZON = (0.0, 1000.0)


class Plots(Sent):
    """Two charts that share a view, as the panes of a screen do."""

    CSS = "CurvePlot { height: 1fr; }"

    def __init__(self, size: tuple[int, int] = SIZE) -> None:
        super().__init__(*size)
        self.plots = (CurvePlot(), CurvePlot(log_y=True))
        self.views: list[ChartView] = []
        self.steps: list[int] = []
        self.cursor: tuple[float | None, list[tuple[str, float | None]]] | None = None

    def compose(self) -> ComposeResult:
        yield from self.plots

    def on_window_changed(self, message: WindowChanged) -> None:
        self.views.append(message.view)
        for plot in self.plots:
            plot.view = message.view

    def on_curve_plot_metric_stepped(self, message: CurvePlot.MetricStepped) -> None:
        self.steps.append(message.step)

    def on_curve_plot_cursor_moved(self, message: CurvePlot.CursorMoved) -> None:
        self.cursor = message.x, message.values


def curve(count: int, seed: int = 0, name: str = "a", **looks: Any) -> Series:
    x = np.arange(count) * 10.0
    y = np.abs(np.cumsum(np.random.default_rng(seed).normal(size=200)))[:count] + 1.0
    return Series(name, x, y, y * 0.8, y * 1.2, **looks)


def shown(app: Plots) -> str:
    return "\n".join("".join(cell[0] for cell in row).rstrip() for row in app.shown())


@pytest.mark.parametrize("seed", range(3))
def test_after_any_change_the_terminal_shows_what_a_fresh_one_would(seed: int) -> None:
    rng, app = random.Random(seed), Plots()

    async def body(pilot: Pilot[Any]) -> None:
        app.plots[0].focus()
        count = 2
        for step in range(20):
            count += rng.randrange(3)
            series = [curve(count, n, f"run-{n}", color=f"series-{n}", dash="dashed") for n in range(1, 3)]
            if rng.random() < 0.2:
                series[0].y[rng.randrange(count)] *= rng.choice([3.0, np.nan, np.inf])
            for plot in app.plots:
                plot.plot(series, boundary=150.0, horizon=HORIZON, marks=[Mark(count * 10.0)], x_label="update")
            if rng.random() < 0.4:
                await pilot.press(rng.choice(["h", "l", "plus", "minus", "S", "b", "L", "v", "0"]))
            await pilot.pause()
            assert app.shown() == app.fresh(), f"step {step}"

    piloted(app, body, SIZE)


def test_one_more_point_sends_few_bytes() -> None:
    app = Plots((160, 50))

    async def body(pilot: Pilot[Any]) -> None:
        sizes = []
        for count in range(50, 80):
            app.sent.clear()
            for plot in app.plots:
                plot.plot([curve(count, 3)], horizon=HORIZON, boundary=200.0)
            await pilot.pause()
            sizes.append(sum(map(len, app.sent)))
        assert sorted(sizes)[len(sizes) // 2] < 700

    piloted(app, body, (160, 50))


def test_the_same_series_again_send_nothing() -> None:
    app = Plots()

    async def body(pilot: Pilot[Any]) -> None:
        for plot in app.plots:
            plot.plot([curve(50)], horizon=HORIZON)
        await pilot.pause()
        app.sent.clear()
        for plot in app.plots:
            plot.plot([curve(50)], horizon=HORIZON)
        await pilot.pause()
        assert "".join(app.sent) == ""

    piloted(app, body, SIZE)


def test_the_keys_change_the_view_of_every_chart() -> None:
    app = Plots()

    async def body(pilot: Pilot[Any]) -> None:
        first, second = app.plots
        for plot in app.plots:
            plot.plot([curve(101)], horizon=HORIZON)
        first.focus()
        await pilot.press("plus")
        low, high = first.view.window or (0.0, 0.0)
        assert second.view == first.view
        assert high == pytest.approx(1000.0) and low == pytest.approx(1000.0 / 3)
        await pilot.press("h")
        assert first.view.window == pytest.approx((low - (high - low) / 8, high - (high - low) / 8))
        await pilot.press("l", "l", "l")
        assert first.view.window == pytest.approx((low, high))
        await pilot.press("minus", "minus")
        assert first.view.window is None
        await pilot.press("plus", "0")
        assert first.view.window is None
        await pilot.press("S")
        assert second.view.smoothing == 0.6
        await pilot.press("S")
        assert second.view.smoothing == 0.9
        await pilot.press("S", "b")
        assert second.view == ChartView(band=False)

    piloted(app, body, SIZE)


def test_zooming_keeps_the_newest_point_or_the_cursor_where_it_is() -> None:
    app = Plots()

    async def body(pilot: Pilot[Any]) -> None:
        plot = app.plots[0]
        plot.plot([curve(41)], horizon=HORIZON)
        plot.focus()
        await pilot.press("plus")
        low, high = plot.view.window or (0.0, 0.0)
        assert (400.0 - low) / (high - low) == pytest.approx(0.4)
        plot.cursor = low + (high - low) * 0.25
        await pilot.press("plus", "plus")
        low, high = plot.view.window or (0.0, 0.0)
        assert (plot.cursor - low) / (high - low) == pytest.approx(0.25)

    piloted(app, body, SIZE)


def test_zooming_and_panning_stay_within_what_there_is() -> None:
    app = Plots()

    async def body(pilot: Pilot[Any]) -> None:
        plot = app.plots[0]
        plot.plot([curve(101)], horizon=HORIZON)
        plot.focus()
        for _ in range(60):
            plot.action_zoom(1)
        low, high = plot.view.window or (0.0, 0.0)
        assert 0.0 <= low < high <= 1000.0
        for _ in range(40):
            plot.action_zoom(-1) if _ % 2 else plot.action_pan(-1)
        low, high = plot.view.window or (0.0, 0.0)
        assert 0.0 <= low < high <= 1000.0
        await pilot.press("0", "h", "l")
        assert plot.view.window is None

    piloted(app, body, SIZE)


def test_the_cursor_shows_the_values_and_moves_by_cells() -> None:
    app = Plots()

    async def body(pilot: Pilot[Any]) -> None:
        plot = app.plots[0]
        plot.plot([curve(50, 1, "hopper"), curve(50, 2, "walker", dash="dashed")], horizon=HORIZON, x_label="update")
        plot.focus()
        await pilot.press("v")
        assert plot.cursor == 490.0
        await pilot.pause()
        assert app.cursor is not None and [name for name, _ in app.cursor[1]] == ["hopper", "walker"]
        assert app.cursor[1][0][1] == curve(50, 1).y[-1]
        assert "update 490" in shown(app) and "│" in shown(app).split("\n")[2][10:]
        await pilot.press("h", "h")
        assert plot.cursor == pytest.approx(490.0 - 2 * plot.chart.cell_width)
        for _ in range(100):
            plot.action_pan(-1)
        assert plot.cursor == 0.0
        assert plot.view.window is None
        await pilot.press("v")
        await pilot.pause()
        assert plot.cursor is None and app.cursor is not None and app.cursor[0] is None

    piloted(app, body, SIZE)


def test_the_cursor_goes_when_the_axis_changes() -> None:
    app = Plots()

    async def body(pilot: Pilot[Any]) -> None:
        plot = app.plots[0]
        plot.plot([curve(50)], horizon=HORIZON)
        plot.focus()
        await pilot.press("v", "a")
        await pilot.pause()
        assert plot.view.axis == "wall"
        assert plot.cursor is None and app.cursor == (None, [])

    piloted(app, body, SIZE)


def test_a_chart_without_values_has_no_cursor() -> None:
    app = Plots()

    async def body(pilot: Pilot[Any]) -> None:
        app.plots[0].focus()
        await pilot.press("v", "plus", "minus", "h", "l", "0", "L")
        assert app.plots[0].cursor is None

    piloted(app, body, SIZE)


def test_a_logarithmic_axis_belongs_to_one_chart() -> None:
    app = Plots()

    async def body(pilot: Pilot[Any]) -> None:
        app.plots[0].focus()
        await pilot.press("L")
        assert [plot.log_y for plot in app.plots] == [True, True]
        await pilot.press("L")
        assert [plot.log_y for plot in app.plots] == [False, True]

    piloted(app, body, SIZE)


def test_the_owner_is_asked_for_the_next_axis_and_metric() -> None:
    app = Plots()

    async def body(pilot: Pilot[Any]) -> None:
        app.plots[0].focus()
        await pilot.press("plus", "a", "right_square_bracket", "left_square_bracket")
        await pilot.pause()
        assert app.views[-1] == ChartView(axis="wall")
        assert app.steps == [1, -1]

    piloted(app, body, SIZE)


def test_the_mouse_zooms_and_sets_the_cursor() -> None:
    app = Plots()

    async def body(pilot: Pilot[Any]) -> None:
        plot = app.plots[0]
        plot.plot([curve(101)], horizon=HORIZON)
        await pilot.pause()
        await pilot.click(plot, offset=(7 + 30, 4))
        assert plot.cursor == pytest.approx(1000.0 * 30.5 / 63, abs=8.0)
        plot.post_message(events.MouseScrollUp(plot, 30, 4, 0, 0, 0, False, False, False))
        await pilot.pause()
        assert plot.view.window is not None

    piloted(app, body, SIZE)


def test_another_theme_brings_other_colours_at_once() -> None:
    app = Plots()

    async def body(pilot: Pilot[Any]) -> None:
        for plot in app.plots:
            plot.plot([curve(60)], horizon=HORIZON)
        await pilot.pause()
        dark = {cell[1:] for row in app.shown() for cell in row}
        app.theme = "textual-light"
        await pilot.pause()
        await pilot.pause()
        assert app.shown() == app.fresh()
        assert not dark & {cell[1:] for row in app.shown() for cell in row if cell[0] != " "}

    piloted(app, body, SIZE)


def test_another_ground_below_is_painted_too() -> None:
    app = Plots()

    async def body(pilot: Pilot[Any]) -> None:
        for plot in app.plots:
            plot.plot([curve(60)], horizon=HORIZON)
        await pilot.pause()
        before = app.shown()[3][3][2]
        app.screen.styles.background = "#d03020"
        await pilot.pause()
        assert before != app.shown()[3][3][2]
        assert app.shown() == app.fresh()

    piloted(app, body, SIZE)


@pytest.mark.parametrize("size", [(1, 1), (5, 2), (12, 4), (13, 9), (200, 60)])
def test_it_can_be_shown_at_any_size_and_resized(size: tuple[int, int]) -> None:
    app = Plots()

    async def body(pilot: Pilot[Any]) -> None:
        for plot in app.plots:
            plot.plot([curve(60), curve(60, 2, "another")], horizon=HORIZON, boundary=100.0)
        await pilot.resize_terminal(*size)
        await pilot.pause()
        await pilot.resize_terminal(*SIZE)
        await pilot.pause()
        assert app.shown() == app.fresh()
        assert "another" in shown(app) and "1000" in shown(app)

    piloted(app, body, SIZE)


def test_series_are_kept_until_there_is_a_screen_to_draw_on() -> None:
    app = Plots()
    app.plots[0].plot([curve(60)], horizon=HORIZON)

    async def body(pilot: Pilot[Any]) -> None:
        assert "⠤" in shown(app) or "⠒" in shown(app)

    piloted(app, body, SIZE)


def test_view_and_series_can_change_together() -> None:
    app = Plots()

    async def body(pilot: Pilot[Any]) -> None:
        plot = app.plots[0]
        plot.plot([curve(60)], view=ChartView(axis="wall"), horizon=(0.0, 7200.0), x_label="time")
        await pilot.pause()
        assert "1h" in shown(app)
        assert app.views == []

    piloted(app, body, SIZE)
