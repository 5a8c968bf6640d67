"""The watch screen, cell by cell and key by key. To renew a picture in goldens/, delete it and run the test twice."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from moore_engine.rundir import RunDir
from moore_tui.app import MooreConsole
from moore_tui.runs import notes
from moore_tui.screens.watch import WatchScreen
from moore_tui.widgets import run_list
from moore_tui.widgets.chart_pane import ChartPane
from moore_tui.widgets.curve_plot import CurvePlot
from moore_tui.widgets.pane import Pane
from tests.tui.made_runs import line
from tests.tui.piloted import SIZES, console, piloted, rows, same_cells, screen_text, until
from tests.tui.rich_runs import STATES, at, events, rich_run

GOLDENS = Path(__file__).parent / "goldens"


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Clock times and the path in the header are the same everywhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def few_runs() -> Path:
    """A run in each of four states; the last in the list is done."""
    folder = Path("runs")
    rich_run(folder, "hopper-mr-s3", state="live", epochs=12, age=1)
    rich_run(folder, "cheetah-m-s1", state="paused", epochs=6, gain=1.6, age=2)
    rich_run(folder, "hopper-mr-s2", state="interrupted", epochs=5, age=3)
    rich_run(folder, "hopper-m-s0", state="done", gain=1.2, age=4, online={"alpha": 0.5})
    return folder


async def look(pilot: Pilot[Any]) -> None:
    """Two looks: the first opens a run, the second reads its curves; then paint."""
    for _ in range(2):
        pilot.app.refresh_facts()
        await pilot.pause()


async def keys(pilot: Pilot[Any], *names: str) -> None:
    if names:
        await pilot.press(*names)
    pilot.app.screen._show()
    await look(pilot)


def watch(pilot: Pilot[Any]) -> WatchScreen:
    screen = pilot.app.screen
    assert isinstance(screen, WatchScreen)
    return screen


def selected(pilot: Pilot[Any]) -> str | None:
    assert isinstance(pilot.app, MooreConsole)
    return pilot.app.selected


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_screen_is_the_picture(size: tuple[int, int]) -> None:
    async def body(pilot: Pilot[Any]) -> None:
        await keys(pilot, "G")
        same_cells(pilot.app, GOLDENS / f"watch-{size[0]}x{size[1]}.txt")

    piloted(console(few_runs()), body, size)


@pytest.mark.parametrize(
    ("name", "pressed"),
    [("losses", "5"), ("throughput", "6"), ("log", "7"), ("zoomed", "2z"), ("details", "9z")],
)
def test_each_pane_can_be_reached_on_the_smallest_terminal(name: str, pressed: str) -> None:
    async def body(pilot: Pilot[Any]) -> None:
        await keys(pilot, "G", *pressed)
        same_cells(pilot.app, GOLDENS / f"watch-{name}-80x24.txt")

    piloted(console(few_runs()), body)


def test_marked_runs_are_drawn_over_the_selected_one_and_told_apart_in_the_legend() -> None:
    async def body(pilot: Pilot[Any]) -> None:
        await keys(pilot, "space", "G", "space")
        same_cells(pilot.app, GOLDENS / "watch-marked-160x50.txt")
        plot = watch(pilot).query_one("#return CurvePlot", CurvePlot)
        looks = [(series.color, series.dash) for series in plot.chart.content.series]
        assert len(set(looks)) == len(looks)
        assert "differ from ■ hopper-mr-s3" in screen_text(pilot.app)

    piloted(console(few_runs()), body, (160, 50))


def test_ascii_alone_shows_the_same_in_letters() -> None:
    async def body(pilot: Pilot[Any]) -> None:
        await keys(pilot, "G")
        assert screen_text(pilot.app).isascii()
        same_cells(pilot.app, GOLDENS / "watch-ascii-80x24.txt")

    piloted(console(few_runs(), ascii=True), body)


SAID = {
    "live": ("●", "eta 8m"),
    "paused": ("‖", "paused @ 12k"),
    "stalled": ("◌", "stalled: alive, silent 6 min"),
    "unkept": ("●", "unkept · r adopts"),
    "crashed": ("✗", "crashed: SIGSEGV; two attempts die"),
    "restarting": ("↻", "restarting: attempt 2 of 6 in"),
    "lost": ("?", "lost: on node07, silent for 2 h"),
    "interrupted": ("✗", "interrupted · r → 12k"),
    "done": ("✓", "done"),
}


def all_states() -> Path:
    """A run in each state."""
    for age, state in enumerate(STATES):
        rich_run(Path("runs"), f"run-{state}", state=state, epochs=12, age=age)
    return Path("runs")


def test_each_state_is_told_in_a_glyph_and_in_words() -> None:
    assert SAID.keys() == STATES.keys()

    async def body(pilot: Pilot[Any]) -> None:
        for state, (glyph, words) in SAID.items():
            row = next(row for row in rows(pilot.app) if f" {glyph} run-{state} " in row)
            assert words in row

    piloted(console(all_states()), body, (80, 60))


@pytest.mark.parametrize("size", [(100, 30), (160, 50)], ids=["100", "160"])
def test_the_details_tell_the_state_in_full(size: tuple[int, int]) -> None:
    async def body(pilot: Pilot[Any]) -> None:
        for shot in list(watch(pilot).run_list.rows.shots):
            state = shot.id.removeprefix("run-")
            watch(pilot).run_list.rows.move([each.id for each in watch(pilot).run_list.rows.shots].index(shot.id))
            await pilot.pause()
            await keys(pilot)
            text = " ".join(row[1 : 47 if size[0] == 160 else 35].strip() for row in rows(pilot.app))
            details = text.partition("9 Details")[2]
            for word in SAID[state][1].replace("die", "died").replace("eta 8m", "live").split():
                assert word in details

    piloted(console(all_states()), body, size)


def test_the_configuration_is_read_once_the_console_has_opened() -> None:
    app = console(few_runs())

    async def body(pilot: Pilot[Any]) -> None:
        pane = app.screen.query_one("#details", Pane)
        app.opening, app.prepared = True, False
        app.show_facts()
        assert pane.view is not None and pane.view.settings is None
        app._opened()
        await until(pilot, lambda: pane.view and pane.view.settings, "the values of the configuration")

    piloted(app, body, (160, 50))


def test_keys_move_the_cursor_and_the_panes_follow() -> None:
    async def body(pilot: Pilot[Any]) -> None:
        found = []
        for pressed in ("j", "j", "k", "G", "g", "down", "end", "home"):
            await keys(pilot, pressed)
            found.append(selected(pilot))
            assert f"· {found[-1]} ─" in screen_text(pilot.app)
        order = ["hopper-mr-s3", "cheetah-m-s1", "hopper-mr-s2", "hopper-m-s0"]
        assert found == [order[place] for place in (1, 2, 1, 3, 0, 1, 3, 0)]

    piloted(console(few_runs()), body)


def test_the_cursor_stays_on_its_run_when_the_order_changes() -> None:
    async def body(pilot: Pilot[Any]) -> None:
        await keys(pilot, "j")
        for order in ("age", "name", "return", "progress", "state"):
            await keys(pilot, "s")
            assert f"by {order}" in screen_text(pilot.app)
            assert selected(pilot) == "cheetah-m-s1"
        await keys(pilot, "s", "s")
        listed = [shot.id for shot in watch(pilot).run_list.rows.shots]
        assert listed == sorted(listed)

    piloted(console(few_runs()), body)


def test_a_filter_hides_what_does_not_meet_it_as_it_is_typed_and_escape_takes_it_away() -> None:
    async def body(pilot: Pilot[Any]) -> None:
        await keys(pilot, "slash", *"stage:online")
        assert [shot.id for shot in watch(pilot).run_list.rows.shots] == ["hopper-mr-s3", "hopper-m-s0"]
        await keys(pilot, "enter", "j")
        assert selected(pilot) == "hopper-m-s0"
        assert "/ stage:online" in screen_text(pilot.app) and "2 of 4" in screen_text(pilot.app)
        await keys(pilot, "escape")
        assert len(watch(pilot).run_list.rows.shots) == 4
        assert selected(pilot) == "hopper-m-s0"

    piloted(console(few_runs()), body)


def test_a_filter_by_tag_reads_what_people_wrote() -> None:
    folder = few_runs()
    notes.tag(RunDir(folder / "hopper-m-s0"), ["ablation"])

    async def body(pilot: Pilot[Any]) -> None:
        await keys(pilot, "slash", *"tag:abl", "enter")
        assert [shot.id for shot in watch(pilot).run_list.rows.shots] == ["hopper-m-s0"]

    piloted(console(folder), body)


def test_a_filter_that_makes_no_sense_is_said_so_and_keeps_the_list() -> None:
    async def body(pilot: Pilot[Any]) -> None:
        await keys(pilot, "slash", *"sate:live")
        assert "did you mean state?" in screen_text(pilot.app)
        assert len(watch(pilot).run_list.rows.shots) == 4

    piloted(console(few_runs()), body)


def test_marks_are_shown_and_taken_away_and_the_cursor_goes_on_to_the_last_run() -> None:
    async def body(pilot: Pilot[Any]) -> None:
        await keys(pilot, "space")
        assert "■● hopper-mr-s3" in rows(pilot.app)[2]
        assert pilot.app.marked == {"hopper-mr-s3"} and selected(pilot) == "cheetah-m-s1"
        await keys(pilot, "space", "space", "space", "space")
        assert pilot.app.marked == {"hopper-mr-s3", "cheetah-m-s1", "hopper-mr-s2"} and selected(pilot) == "hopper-m-s0"
        await keys(pilot, "g", "space", "space", "space")
        assert "■" not in screen_text(pilot.app) and not pilot.app.marked

    piloted(console(few_runs()), body)


def test_numbers_go_to_panes_and_brackets_turn_the_pages() -> None:
    async def body(pilot: Pilot[Any]) -> None:
        seen = []
        for pressed in ("3", "right_square_bracket", "8", "right_square_bracket", "7", "1"):
            await keys(pilot, pressed)
            pane = watch(pilot)._focused_pane()
            assert pane is not None and pane.display
            seen.append(pane.number)
        assert seen == [3, 5, 8, 6, 7, 1]

    piloted(console(few_runs()), body)


def test_a_metric_is_chosen_where_there_are_several() -> None:
    async def body(pilot: Pilot[Any]) -> None:
        await keys(pilot, "5", "right_square_bracket")
        assert "Losses · actor loss" in screen_text(pilot.app)
        await keys(pilot, "left_square_bracket", "left_square_bracket")
        assert "Losses · mean Q" in screen_text(pilot.app)
        await keys(pilot, "2")
        assert "2 Score" in screen_text(pilot.app)
        await keys(pilot, "right_square_bracket")
        assert "2 Return" in screen_text(pilot.app)

    piloted(console(few_runs()), body)


def test_escape_leaves_the_zoom_before_anything_else() -> None:
    async def body(pilot: Pilot[Any]) -> None:
        await look(pilot)
        before = screen_text(pilot.app)
        await keys(pilot, "z")
        assert "2 Score" not in screen_text(pilot.app)
        await keys(pilot, "4")
        assert "4 Uncertainty" in rows(pilot.app)[1] and "1 Runs" not in screen_text(pilot.app)
        await keys(pilot, "escape", "1")
        assert screen_text(pilot.app) == before

    piloted(console(few_runs()), body)


def test_enter_goes_to_the_charts_of_the_run() -> None:
    async def body(pilot: Pilot[Any]) -> None:
        await keys(pilot, "enter")
        pane = watch(pilot)._focused_pane()
        assert pane is not None and pane.number == 2

    piloted(console(few_runs()), body)


def test_what_one_chart_shows_all_show_and_the_switch_stands_at_the_same_value() -> None:
    async def body(pilot: Pilot[Any]) -> None:
        await keys(pilot, "2", "plus", "h")
        plots = [pane.plot for pane in watch(pilot).board.shown if isinstance(pane, ChartPane)]
        assert len(plots) == 3
        assert len({plot.view for plot in plots}) == 1 and plots[0].view.window is not None
        assert len({plot.chart.content.boundary for plot in plots}) == 1
        assert len({(plot.chart.x_scale.low, plot.chart.x_scale.high) for plot in plots}) == 1
        await keys(pilot, "a")
        assert {plot.view.axis for plot in plots} == {"wall"}
        assert {plot.chart.content.x_label for plot in plots} == {"time"}

    piloted(console(few_runs()), body, (160, 50))


def test_the_switch_lies_below_itself_in_panes_of_one_width() -> None:
    async def body(pilot: Pilot[Any]) -> None:
        await keys(pilot, "G")
        plots = [watch(pilot).query_one(f"#{name} CurvePlot", CurvePlot) for name in ("mass", "uncertainty")]
        columns = []
        for plot in plots:
            assert plot.chart.field is not None and plot.chart.content.boundary is not None
            columns.append(plot.chart.field.column(plot.chart.content.boundary))
        assert columns[0] == columns[1]

    piloted(console(few_runs()), body)


def test_a_creeping_plan_does_not_move_the_axis() -> None:
    async def body(pilot: Pilot[Any]) -> None:
        run = RunDir(Path("runs/hopper-mr-s3"))
        plot = watch(pilot).query_one("#return CurvePlot", CurvePlot)
        await look(pilot)
        before = plot.chart.x_scale
        assert before.high == 20_000
        last = events(12, 1.0, time.time())[-1]
        with open(run.events, "ab") as file:
            for step in range(1, 4):
                found = {**at([last], "loss", q=1.0), "seq": last["seq"] + step, "env_step": last["env_step"] - step}
                file.write(line(found))
        await look(pilot)
        assert plot.chart.x_scale == before

    piloted(console(few_runs()), body)


class Painted:
    """Counts how often each pane paints."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: list[str] = []
        for kind in Pane.__subclasses__() + ChartPane.__subclasses__():
            if kind is not ChartPane and "paint" in vars(kind):
                self._count(monkeypatch, kind)
        self._count(monkeypatch, ChartPane)

    def _count(self, monkeypatch: pytest.MonkeyPatch, kind: type[Pane]) -> None:
        paint = kind.paint

        def counted(pane: Pane, view: Any) -> None:
            self.names.append(str(pane.id))
            paint(pane, view)

        monkeypatch.setattr(kind, "paint", counted)


def append(kind: str, **fields: Any) -> None:
    """One more event of the live run."""
    run = RunDir(Path("runs/hopper-mr-s3"))
    last = [*events(12, 1.0, time.time() - 1.0)]
    found = at(last, kind, **fields)
    with open(run.events, "ab") as file:
        file.write(line({**found, "seq": last[-1]["seq"] + 1 + run.events.read_bytes().count(b"appended")}))


def test_a_look_without_news_paints_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(pilot: Pilot[Any]) -> None:
        await look(pilot)
        painted = Painted(monkeypatch)
        await look(pilot)
        assert painted.names == []

    piloted(console(few_runs()), body, (160, 50))


def test_an_event_paints_only_the_panes_on_screen_that_show_its_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(pilot: Pilot[Any]) -> None:
        await look(pilot)
        painted = Painted(monkeypatch)
        append("unc", mean=0.5, p20=0.2, p80=0.9, reward_raw=1.0, reward_penalised=0.5)
        await look(pilot)
        assert painted.names == ["uncertainty"]
        assert " 0.500 ┐" in screen_text(pilot.app)
        painted.names.clear()
        append("loss", q=7.5, actor=0.0, temperature=0.1, entropy=1.0, q_mean=2.0, note="appended")
        await look(pilot)
        assert painted.names == []
        assert "q loss 7.50" in screen_text(pilot.app)

    piloted(console(few_runs()), body, (80, 24))


def test_two_hundred_runs_make_only_the_lines_on_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path("runs")
    rich_run(folder, "hopper-s0", epochs=2)
    made: list[str] = []
    line_of_run = run_list.row

    def counted(shot: Any, *rest: Any) -> Any:
        made.append(shot.id)
        return line_of_run(shot, *rest)

    async def body(pilot: Pilot[Any]) -> None:
        await look(pilot)
        shot = pilot.app.feed.snapshots["hopper-s0"]
        many = {f"run-{n:03d}": replace(shot, id=f"run-{n:03d}", created=float(-n)) for n in range(200)}
        monkeypatch.setattr(run_list, "row", counted)
        watch(pilot).run_list.list_runs(many, {}, "run-000")
        assert made == ["run-000", "run-001", "run-002", "run-003"]
        made.clear()
        await pilot.press("G")
        await pilot.pause()
        assert made == ["run-196", "run-197", "run-198", "run-199"]
        assert "197–200 of 200" in screen_text(pilot.app)
        assert "run-199" in rows(pilot.app)[5]

    piloted(console(folder), body)


def test_text_of_a_run_is_shown_as_it_is() -> None:
    folder = Path("runs")
    run = rich_run(folder, "hopper-s0", state="interrupted", epochs=12, data={"task": "[red]Hop[/red]"})
    notes.write(run, notes.Note(("[b]",), "try [link=x]this[/link]"))
    run.log.joinpath("attempt-1.log").write_text("[blink]\x1b[31mred\x1b[0m[/blink]\n")

    async def body(pilot: Pilot[Any]) -> None:
        await look(pilot)
        text = screen_text(pilot.app)
        for piece in ("[red]Hop[/red]", "try [link=x]this[/link]", "[b]", "[blink]", "[/blink]"):
            assert piece in text

    piloted(console(folder), body, (160, 50))


def test_no_run_at_all_leaves_every_pane_empty() -> None:
    async def body(pilot: Pilot[Any]) -> None:
        await look(pilot)
        assert "1 Runs 0" in screen_text(pilot.app)
        text = " ".join(row.strip("│ ") for row in rows(pilot.app)[2:5])
        assert text == "no runs in runs n starts one moore-console replay example shows a recorded one"
        assert not any(word in screen_text(pilot.app) for word in ("reading", "yet", "┤", "┬"))
        await keys(pilot, "j", "k", "G", "space", "enter", "3", "z", "escape", "7", "slash", "x", "enter", "1")
        rich_run(Path("runs"), "hopper-s0", state="live", epochs=12)
        await look(pilot)
        assert selected(pilot) == "hopper-s0" and "2 Score · hopper-s0" in screen_text(pilot.app)

    piloted(console(Path("runs")), body)


@pytest.mark.parametrize("size", [(100, 30), (160, 50)], ids=["100", "160"])
def test_beside_a_list_without_runs_nothing_is_read_or_awaited(size: tuple[int, int]) -> None:
    async def body(pilot: Pilot[Any]) -> None:
        await look(pilot)
        shown = screen_text(pilot.app)
        assert "n starts one" in shown and "recorded one" in shown
        assert not any(word in shown for word in ("reading", "yet", "┤", "┬"))

    piloted(console(Path("runs")), body, size)


def test_a_console_that_only_reads_does_not_offer_to_start_a_run() -> None:
    async def body(pilot: Pilot[Any]) -> None:
        await look(pilot)
        assert "no runs in runs" in screen_text(pilot.app) and "n starts one" not in screen_text(pilot.app)

    piloted(console(Path("runs"), readonly=True), body)


def test_a_filter_that_no_run_meets_says_how_to_get_rid_of_it() -> None:
    async def body(pilot: Pilot[Any]) -> None:
        await keys(pilot, "slash", *"nonesuch", "enter")
        assert "no run meets the filter" in screen_text(pilot.app)
        await keys(pilot, "escape")
        assert "no run meets" not in screen_text(pilot.app) and "hopper-mr-s3" in screen_text(pilot.app)

    piloted(console(few_runs()), body)


def test_a_run_that_is_deleted_hands_the_cursor_on() -> None:
    import shutil

    async def body(pilot: Pilot[Any]) -> None:
        await keys(pilot, "j")
        shutil.rmtree("runs/cheetah-m-s1")
        await look(pilot)
        await look(pilot)
        assert selected(pilot) == "hopper-mr-s2"
        assert "cheetah" not in screen_text(pilot.app)

    piloted(console(few_runs()), body)


def test_a_run_that_begins_online_of_another_shows_its_data_as_it_comes() -> None:
    folder = Path("runs")
    run = rich_run(folder, "hopper-s0", state="live", epochs=1)
    run.events.unlink()

    async def body(pilot: Pilot[Any]) -> None:
        await look(pilot)
        assert "no evaluation yet" in screen_text(pilot.app) and "no rollout yet" in screen_text(pilot.app)
        run.events.write_bytes(b"".join(map(line, events(3, 1.0, time.time()))))
        await look(pilot)
        assert "no evaluation yet" not in screen_text(pilot.app)

    piloted(console(folder), body)


def test_resizing_at_any_time_keeps_the_run_the_window_and_the_picture() -> None:
    sizes = [(160, 50), (81, 24), (40, 12), (100, 30), (20, 6), (99, 60), (230, 70), (3, 2), (120, 15), (80, 24)]

    async def body(pilot: Pilot[Any]) -> None:
        await keys(pilot, "G")
        await keys(pilot, "2", "plus")
        before, view = screen_text(pilot.app), pilot.app.chart
        for size in sizes:
            await pilot.resize_terminal(*size)
            await look(pilot)
            assert selected(pilot) == "hopper-m-s0" and pilot.app.chart == view
            shown = rows(pilot.app)
            assert len(shown) == size[1] and all(len(row) <= size[0] for row in shown)
        assert screen_text(pilot.app) == before

    piloted(console(few_runs()), body)


def test_a_hidden_pane_with_the_focus_is_uncovered_after_a_resize() -> None:
    async def body(pilot: Pilot[Any]) -> None:
        await keys(pilot, "7")
        await pilot.resize_terminal(80, 24)
        await look(pilot)
        pane = watch(pilot)._focused_pane()
        assert pane is not None and pane.number == 7 and pane.display

    piloted(console(few_runs()), body, (160, 50))
