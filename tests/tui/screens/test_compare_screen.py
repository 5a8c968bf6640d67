"""The compare screen: marked runs over one another, aligned at the switch, seeds grouped, figures and differences."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from textual.pilot import Pilot

from moore_engine.rundir import RunDir, write_json
from moore_tui.app import MooreConsole
from moore_tui.screens.compare import CompareScreen
from moore_tui.screens.watch import WatchScreen
from moore_tui.widgets.curve_plot import CurvePlot
from tests.tui.made_runs import line, make_run
from tests.tui.piloted import SIZES, Body, console, piloted, rows, same_cells, screen_text, until
from tests.tui.rich_runs import OFFLINE, UPDATES, events, rich_run

GOLDENS = Path(__file__).parent / "goldens"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three seeds by priority, two by the uniform sampler, which come to less."""
    monkeypatch.chdir(tmp_path)
    runs = Path("runs")
    for seed in range(3):
        rich_run(runs, f"prio-s{seed}", gain=2.0 + 0.2 * seed)
    for seed in range(2):
        rich_run(runs, f"uni-s{seed}", gain=1.2 + 0.1 * seed, online={"sampler": "uniform"})
    return runs


def comparing(runs: Path, marked: Sequence[str], body: Body, size: tuple[int, int] = (80, 24), **options: Any) -> None:
    """Run `body` on the compare screen once everything about the marked runs is known."""
    app = console(runs, **options)

    async def opened(pilot: Pilot[Any]) -> None:
        app.marked = set(marked)
        app.push_screen(CompareScreen())
        await pilot.pause()
        app.refresh_facts()
        await settled(pilot)
        await body(pilot)

    piloted(app, opened, size)


def screen(pilot: Pilot[Any]) -> CompareScreen:
    found = pilot.app.screen
    assert isinstance(found, CompareScreen), screen_text(pilot.app)
    return found


async def settled(pilot: Pilot[Any]) -> None:
    shown = screen(pilot)

    def known() -> bool:
        grouped = sum(len(group.ids) for group in shown.grouping.groups) + len(shown.grouping.unreadable)
        return grouped == len(shown.console.marked) and all(row.cells for row in shown.table.rows)

    await until(pilot, known, "groups and figures")
    await pilot.pause()


def curves(pilot: Pilot[Any]) -> dict[str, list[Any]]:
    """The series of the chart by name and colour."""
    found: dict[str, list[Any]] = {}
    for each in pilot.app.screen.query_one(CurvePlot).chart.content.series:
        found.setdefault(each.color, []).append(each)
    return found


EVERY = ["prio-s0", "prio-s1", "prio-s2", "uni-s0", "uni-s1"]


@pytest.mark.parametrize("size", SIZES)
def test_the_screen_at_every_size(size: tuple[int, int], folder: Path) -> None:
    async def body(pilot: Pilot[Any]) -> None:
        same_cells(pilot.app, GOLDENS / f"compare-{size[0]}x{size[1]}.txt")

    comparing(folder, EVERY, body, size)


def aligned(pilot: Pilot[Any]) -> None:
    """Each heading ends where the values below it do."""
    shown = rows(pilot.app)
    at = next(y for y, row in enumerate(shown) if "group or run" in row)
    heading, values = shown[at], shown[at + 1]
    for title in ("offline", "net dip", "to 90 %", "final", "AUC"):
        assert title in heading, f"{title}\n{heading}\n{values}"
        end = heading.index(title) + len(title)
        assert values[end - 1] not in " │" and values[end] in " │", f"{title}\n{heading}\n{values}"


@pytest.mark.parametrize("width", [80, 100, 120, 160, 200])
def test_headings_end_where_their_values_do(width: int, folder: Path) -> None:
    async def body(pilot: Pilot[Any]) -> None:
        aligned(pilot)
        await pilot.resize_terminal(width, 40)
        await pilot.pause()
        aligned(pilot)

    comparing(folder, EVERY, body, (160, 40) if width < 160 else (80, 24))


def test_headings_follow_the_room_of_the_table_although_nothing_is_painted_anew(folder: Path) -> None:
    async def body(pilot: Pilot[Any]) -> None:
        for wide in (False, True):
            screen(pilot).table.beside(wide, False)
            await pilot.pause()
            aligned(pilot)

    comparing(folder, EVERY, body, (160, 50))


def test_curves_are_aligned_at_the_switch_and_grouped_by_seed(folder: Path) -> None:
    rich_run(folder, "long-s0", gain=3.0, offline={"epochs": OFFLINE, "penalty_coef": 7.0})

    async def body(pilot: Pilot[Any]) -> None:
        found = curves(pilot)
        content = pilot.app.screen.query_one(CurvePlot).chart.content
        assert content.boundary == 0.0 and content.x_label == "update since the switch"
        online = [each[0] for color, each in sorted(found.items()) if color != "offline"]
        assert [each.x[0] for each in online] == [0.0, 0.0, 0.0] and len(found["offline"]) == 3
        assert all(each.x.max() <= 0 for each in found["offline"])
        banded = [each for each in online if each.low is not None]
        assert len(banded) == 2 and all(np.all(each.low <= each.high) for each in banded)
        await pilot.press("s")
        assert len(curves(pilot)) == 7 and all(each.low is None for some in curves(pilot).values() for each in some)

    comparing(folder, [*EVERY, "long-s0"], body)


def test_no_two_curves_look_alike(folder: Path) -> None:
    for seed in range(3, 10):
        rich_run(folder, f"prio-s{seed}")
    names = [path.name for path in folder.iterdir()]

    async def body(pilot: Pilot[Any]) -> None:
        await pilot.press("s")
        online = [each for color, some in curves(pilot).items() if color != "offline" for each in some]
        looks = {(each.color, each.dash) for each in online}
        assert len(looks) == len(online) == 12

    comparing(folder, names, body)


def test_the_metric_and_the_axis_are_chosen_wherever_the_focus_is(folder: Path) -> None:
    async def body(pilot: Pilot[Any]) -> None:
        plot = pilot.app.screen.query_one(CurvePlot)
        titles = []
        for _ in range(4):
            titles.append(rows(pilot.app)[1].split("─")[1].split(" · ")[0].strip())
            await pilot.press("right_square_bracket")
            await pilot.pause()
        assert titles == ["1 Score", "1 Return", "1 Uncertainty", "1 Offline share of the draws"]
        await pilot.press("left_square_bracket", "left_square_bracket")
        await pilot.pause()
        assert plot.log_y and "Uncertainty" in rows(pilot.app)[1]
        await pilot.press("a", "b")
        await pilot.pause()
        assert plot.chart.content.x_label == "update" and plot.chart.content.boundary == OFFLINE * UPDATES
        assert plot.view.axis == "step" and not plot.view.band

    comparing(folder, EVERY, body)


def test_how_the_configurations_differ_takes_the_tables_place(folder: Path) -> None:
    async def body(pilot: Pilot[Any]) -> None:
        assert "net dip" in screen_text(pilot.app) and "online.sampler" not in screen_text(pilot.app)
        await pilot.press("t")
        await pilot.pause()
        shown = screen_text(pilot.app)
        assert "net dip" not in shown and "online.sampler" in shown and "3 Configurations · 1 key differs" in shown
        assert "priority  sampler=priority" in shown and "uniform  sampler=uniform" in shown

    comparing(folder, EVERY, body)


def test_a_run_or_a_group_can_be_taken_out(folder: Path) -> None:
    async def body(pilot: Pilot[Any]) -> None:
        await pilot.press("j", "space")
        await settled(pilot)
        assert screen(pilot).console.marked == set(EVERY) - {"prio-s0"}
        await pilot.press("g", "space")
        await settled(pilot)
        assert screen(pilot).console.marked == {"uni-s0", "uni-s1"}
        assert [row.name for row in screen(pilot).table.rows] == ["uni (2 runs)", "uni-s0", "uni-s1"]
        await pilot.press("g", "space")
        await pilot.pause()
        assert "No run is marked" in screen_text(pilot.app)

    comparing(folder, EVERY, body)


def test_enter_watches_the_run_under_the_cursor(folder: Path) -> None:
    async def body(pilot: Pilot[Any]) -> None:
        await pilot.press("j", "j", "enter")
        await pilot.pause()
        app = pilot.app
        assert isinstance(app, MooreConsole) and isinstance(app.screen, WatchScreen) and app.selected == "prio-s1"

    comparing(folder, EVERY, body)


def test_a_branch_has_the_offline_curve_of_the_run_it_came_from(folder: Path) -> None:
    parent = RunDir(folder / "prio-s0")
    offline = [event for event in events(20, 2.0, 0.0) if event["stage"] == "offline"]
    saved = parent.checkpoints / "ckpt-8000"
    saved.mkdir()
    write_json(saved / "manifest.json", {"seq": offline[-1]["seq"]})
    branch = rich_run(folder, "branch-s0", gain=3.0, run={"from_": f"{parent.path.resolve()}@ckpt-8000#x"})
    online = [event for event in events(20, 3.0, 0.0) if event["stage"] == "online"]
    branch.events.write_bytes(b"".join(line({**event, "seq": seq}) for seq, event in enumerate(online, 1)))

    async def body(pilot: Pilot[Any]) -> None:
        await pilot.press("s")
        mine, theirs = curves(pilot)["offline"]
        assert np.array_equal(mine.x, theirs.x) and np.array_equal(mine.y, theirs.y)
        offline = {row.name.partition(" ")[0]: row.cells["offline"].value for row in screen(pilot).table.rows}
        assert offline["branch-s0"] is not None

    comparing(folder, ["prio-s0", "branch-s0"], body)


def test_a_running_run_grows_in_the_chart_and_the_table(folder: Path) -> None:
    run = rich_run(folder, "live-s0", state="live", epochs=OFFLINE + 2, gain=1.5)

    async def body(pilot: Pilot[Any]) -> None:
        app = pilot.app
        assert isinstance(app, MooreConsole)

        def online() -> Any:
            return next(each for each in curves(pilot)["series-1"])

        before, auc = online().x[-1], screen(pilot).table.rows[0].cells["auc"].value
        whole = events(OFFLINE + 4, 1.5, 0.0)
        run.events.write_bytes(b"".join(map(line, whole)))
        app.refresh_facts()
        await pilot.pause()
        assert online().x[-1] == before + 2 * UPDATES
        await until(pilot, lambda: screen(pilot).table.rows[0].cells["auc"].value != auc, "the new area")

    comparing(folder, ["live-s0"], body)


def test_a_run_whose_configuration_is_broken_is_told(folder: Path) -> None:
    make_run(folder, "broken").config.write_text("[run\n")

    async def body(pilot: Pilot[Any]) -> None:
        assert "the configuration of broken cannot be read" in screen_text(pilot.app)

    comparing(folder, ["broken", "prio-s0"], body)


def test_ascii_has_no_other_character(folder: Path) -> None:
    async def body(pilot: Pilot[Any]) -> None:
        assert screen_text(pilot.app).isascii(), [row for row in rows(pilot.app) if not row.isascii()]

    comparing(folder, EVERY, body, ascii=True)


def test_zoom_gives_the_chart_all_the_room_and_escape_takes_it_back(folder: Path) -> None:
    async def body(pilot: Pilot[Any]) -> None:
        await pilot.press("z")
        await pilot.pause()
        assert "net dip" not in screen_text(pilot.app)
        await pilot.press("escape")
        await pilot.pause()
        assert "net dip" in screen_text(pilot.app)
        for width, height in ((40, 12), (20, 6), (80, 24)):
            await pilot.resize_terminal(width, height)
            await pilot.pause()
        assert "net dip" in screen_text(pilot.app)

    comparing(folder, EVERY, body)
