"""The launch screen: nothing wrong ever starts, what is wrong is told at its field, several seeds are several runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from moore_engine import config as configs
from moore_tui.app import MooreConsole
from moore_tui.runs import draft
from moore_tui.runs.draft import ALGO, Draft
from moore_tui.runs.outlook import Outlook
from moore_tui.screens.launch import LaunchScreen
from moore_tui.screens.watch import WatchScreen
from moore_tui.widgets import launch_rows
from moore_tui.widgets.schedule_preview import SchedulePreview
from moore_tui.widgets.sheet import Line, Sheet
from tests.tui.made_runs import make_run
from tests.tui.piloted import SIZES, Body, console, piloted, rows, same_cells, screen_text, until
from tests.tui.workbench import Workbench, workbench

GOLDENS = Path(__file__).parent / "goldens"


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workbench]:
    with workbench(tmp_path, monkeypatch) as made:
        yield made


def launching(body: Body, start: Draft | None = None, size: tuple[int, int] = (80, 24), **options: Any) -> None:
    """Run `body` on the launch screen, opened with `start`."""
    app = console(Path("runs"), **options)

    async def opened(pilot: Pilot[Any]) -> None:
        app.open_launch(start)
        await pilot.pause()
        await body(pilot)

    piloted(app, opened, size)


def screen(pilot: Pilot[Any]) -> LaunchScreen:
    found = pilot.app.screen
    assert isinstance(found, LaunchScreen), screen_text(pilot.app)
    return found


async def looked(pilot: Pilot[Any]) -> LaunchScreen:
    """Once the engine has answered about what is chosen, and the machine is measured."""
    shown = screen(pilot)
    facts = shown.query_one(SchedulePreview).query_one(Sheet)

    def settled() -> bool:
        """The facts have the room that they were given."""
        height = facts.styles.height
        return height is None or not height.is_cells or facts.size.height == height.value

    await until(pilot, lambda: shown.findings.found and not shown.findings.looking, "the engine's answer")
    await pilot.pause()
    await until(pilot, settled, "room for the facts")
    return shown


async def change(pilot: Pilot[Any], name: str, text: str) -> None:
    """Go to a choice or key and type another value over the one that is there."""
    screen(pilot).form.go_to(name)
    await pilot.press("enter")
    pilot.app.screen.query_one(Input).value = text
    await pilot.press("enter")
    await pilot.pause()


def said(pilot: Pilot[Any]) -> str:
    """The two lines beside the button."""
    return " ".join(" ".join(rows(pilot.app)[-3:-1]).split())


@pytest.mark.parametrize("size", SIZES)
def test_the_screen_as_it_opens(size: tuple[int, int], bench: Workbench) -> None:
    async def body(pilot: Pilot[Any]) -> None:
        await looked(pilot)
        same_cells(pilot.app, GOLDENS / f"launch-{size[0]}x{size[1]}.txt")

    launching(body, size=size)


def test_the_preview_follows_alpha_before_the_engine_is_asked_again(bench: Workbench) -> None:
    async def body(pilot: Pilot[Any]) -> None:
        shown = await looked(pilot)
        before = shown.findings.preview().schedule
        assert before is not None and before.half_epoch == 5
        assert "half online epoch 5 of 12" in " ".join(screen_text(pilot.app).split())
        await change(pilot, "online.alpha", "20")
        after = shown.findings.preview().schedule
        assert after is not None and after.half_epoch == 1

    launching(body)


@pytest.mark.parametrize("size", SIZES)
def test_what_a_key_means_is_told_over_the_width_of_its_box_at_once(
    size: tuple[int, int], bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    widths: list[int] = []
    details = launch_rows.details

    def told(key: str, outlook: Outlook, width: int, height: int) -> list[Line]:
        widths.append(width)
        return details(key, outlook, width, height)

    monkeypatch.setattr(launch_rows, "details", told)

    async def body(pilot: Pilot[Any]) -> None:
        shown = await looked(pilot)
        widths.clear()
        await pilot.press("tab")
        await pilot.pause()
        assert set(widths) == {shown.query_one("#launch-details", Sheet).size.width}
        assert '"balanced_replay"' in screen_text(pilot.app)

    launching(body, size=size)


@pytest.mark.parametrize(
    ("algo", "told"),
    [
        ("mopo", "mopo without an online stage has no priority schedule"),
        ("mbpo", "mbpo starts from scratch: every row that it draws is an online one"),
        ("balanced_replay", "balanced_replay draws rows by a density ratio that it learns"),
        ("awac", ""),
        ("cql", ""),
    ],
)
def test_the_plan_of_another_algorithm_is_its_own(algo: str, told: str, bench: Workbench) -> None:
    async def body(pilot: Pilot[Any]) -> None:
        shown = await looked(pilot)
        shown.change(shown.draft.change(ALGO, algo))
        await pilot.pause()
        shown.ask_engine()
        shown = await looked(pilot)
        preview, config = shown.findings.preview(), shown.outlook.config
        assert config is not None and preview.facts[0][0] == "time"
        assert f"algorithm {algo} " in " ".join(screen_text(pilot.app).split())
        assert shown.outlook.names == [f"quickstart-{algo}-s0"]
        if not told:
            rows, steps = 4000, config.online.epochs * config.online.steps_per_epoch
            assert preview.schedule is not None and "half online" in screen_text(pilot.app)
            assert preview.schedule.p_off[-1] == pytest.approx(rows / (rows + steps)), "all rows alike"
        else:
            assert preview.schedule is None and preview.why_none.startswith(told)

    launching(body, size=(160, 50))


def test_an_algorithm_is_chosen_from_a_list_and_its_preset_holds_again_afterwards(bench: Workbench) -> None:
    async def body(pilot: Pilot[Any]) -> None:
        shown = await looked(pilot)
        shown.form.go_to(ALGO)
        await pilot.press("enter")
        await pilot.press(*["down"] * 4, "enter")
        await pilot.pause()
        assert shown.draft == Draft(algo="awac") and shown.outlook.values["online.sampler"] == "uniform"
        await pilot.press("enter", "home", "enter")
        await pilot.pause()
        assert shown.draft == Draft()

    launching(body)


def test_a_value_that_is_not_allowed_is_told_as_typed_and_never_taken(bench: Workbench) -> None:
    async def body(pilot: Pilot[Any]) -> None:
        shown = await looked(pilot)
        shown.form.go_to("model.elites")
        await pilot.press("enter", "end", "ctrl+u", *"many")
        await pilot.pause()
        assert 'model.elites = "many" (typed) is not allowed' in " ".join(screen_text(pilot.app).split())
        await pilot.press("enter")
        assert not isinstance(pilot.app.screen, LaunchScreen)
        await pilot.press("escape")
        assert screen(pilot).draft == Draft()

    launching(body)


def test_values_that_do_not_fit_together_are_marked_and_start_nothing(bench: Workbench) -> None:
    async def body(pilot: Pilot[Any]) -> None:
        shown = await looked(pilot)
        await change(pilot, "model.elites", "9")
        assert shown.outlook.problems == {"model.elites": "model.elites = 9 is more than model.networks = 7."}
        shown.form.go_to("source")
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert shown.form.current == "model.elites" and "▸✗model.elites" in screen_text(pilot.app)
        assert not shown.console.actions.recent, "nothing was asked for"
        assert said(pilot).startswith("Start model.elites = 9 is more than")
        await pilot.press("u")
        assert shown.draft == Draft() and not shown.outlook.problems
        assert bench.made == []

    launching(body)


def test_changed_values_are_marked_counted_filtered_and_put_back(bench: Workbench) -> None:
    async def body(pilot: Pilot[Any]) -> None:
        shown = await looked(pilot)
        await change(pilot, "online.alpha", "0.5")
        assert "▸•online.alpha" in screen_text(pilot.app) and "1 changed" in screen_text(pilot.app)
        await pilot.press("c")
        assert shown.form.keys == ["online.alpha"]
        await pilot.press("c", "slash", *"batch", "enter")
        await pilot.pause()
        assert {"model.batch", "sac.batch"} < set(shown.form.keys) < {key for key in configs.keys() if "a" in key}
        await pilot.press("escape")
        assert len(shown.form.keys) == len(configs.keys())
        shown.form.go_to("online.alpha")
        await pilot.press("u")
        assert shown.draft == Draft()

    launching(body)


def test_a_preset_and_a_profile_are_chosen_from_lists_that_narrow(bench: Workbench) -> None:
    async def body(pilot: Pilot[Any]) -> None:
        shown = await looked(pilot)
        await pilot.press("enter", *"r2d-medium-e", "down", "enter")
        assert shown.draft.source == "walker2d-medium-expert-official"
        assert list(shown.outlook.problems) == ["data.path"]
        await pilot.press("j", "enter", *"cpu", "enter")
        assert shown.draft.profile == "cpu" and shown.outlook.values["offline.epochs"] == "200"
        await pilot.press("enter", *"none", "enter")
        assert shown.draft.profile is None

    launching(body)


def test_several_seeds_start_several_runs_and_the_first_is_watched(bench: Workbench) -> None:
    async def body(pilot: Pilot[Any]) -> None:
        app = pilot.app
        assert isinstance(app, MooreConsole)
        shown = await looked(pilot)
        await change(pilot, "run.seed", "0,3,7")
        assert shown.outlook.names == ["quickstart-s0", "quickstart-s3", "quickstart-s7"]
        await looked(pilot)
        await pilot.press("f10")
        await until(pilot, lambda: shown.started, "the launch")
        app.refresh_facts()
        await pilot.pause()
        assert isinstance(app.screen, WatchScreen) and app.selected == "quickstart-s0"
        assert bench.made == ["quickstart-s0", "quickstart-s3", "quickstart-s7"]
        seeds = [configs.load(bench.console.run_dir(name).config).run.seed for name in bench.made]
        assert seeds == [0, 3, 7]
        assert len(bench.asked) <= 3, "one check serves all seeds"

    launching(body)


def test_a_name_that_is_taken_is_told_at_once(bench: Workbench) -> None:
    make_run(bench.runs, "mine")

    async def body(pilot: Pilot[Any]) -> None:
        await looked(pilot)
        await change(pilot, "run.name", "mine")
        assert "there is already a run 'mine'" in said(pilot)
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert bench.made == ["mine"] and not screen(pilot).console.actions.recent

    launching(body)


@pytest.mark.parametrize("size", [*SIZES, (60, 20)])
def test_titles_fit_and_no_key_is_shown_that_does_nothing(size: tuple[int, int], bench: Workbench) -> None:
    async def body(pilot: Pilot[Any]) -> None:
        await looked(pilot)
        shown = rows(pilot.app)
        frames = [row for row in shown if row.startswith("┌")]
        assert frames and not any("…" in row for row in frames), frames
        assert "zoom" not in shown[-1] and "start" in shown[-1]

    launching(body, size=size)


def test_what_the_engine_refuses_stands_at_its_field_and_starts_nothing(bench: Workbench) -> None:
    bench.tell(refuse={"gone.hdf5": "there is no file gone.hdf5: check data.path."})

    async def body(pilot: Pilot[Any]) -> None:
        shown = await looked(pilot)
        await change(pilot, "data.path", "gone.hdf5")
        await until(pilot, lambda: shown.outlook.problems, "the refusal")
        assert shown.outlook.problems == {"data.path": "there is no file gone.hdf5: check data.path."}
        assert "✗data set" in screen_text(pilot.app)

    launching(body)
    assert bench.made == []


def test_a_refusal_at_the_start_is_told_at_its_field_too(bench: Workbench) -> None:
    async def body(pilot: Pilot[Any]) -> None:
        shown = await looked(pilot)
        bench.tell(refuse={"quickstart": "unknown task 'InvertedPendulum-v5'"})
        await pilot.press("ctrl+s")
        await until(pilot, lambda: shown.refused, "the refusal")
        await pilot.pause()
        assert shown.outlook.problems == {"data.task": "unknown task 'InvertedPendulum-v5'"}
        assert shown.form.current == "data.task" and "unknown task" in said(pilot)
        bench.tell()
        await pilot.press("ctrl+s")
        await until(pilot, lambda: shown.started, "the launch")

    launching(body)
    assert bench.made == ["quickstart-s0"]


def test_code_from_outside_runs_only_once_its_name_was_typed(bench: Workbench) -> None:
    sentence = "task 'Mine-v0' runs code from outside Gymnasium; read that code, then start with --trust-code Mine-v0"
    bench.tell(refuse={"Mine-v0": sentence}, trusted=("Mine-v0",))

    async def body(pilot: Pilot[Any]) -> None:
        shown = await looked(pilot)
        await change(pilot, "data.task", "Mine-v0")
        await until(pilot, lambda: "trust" in shown.outlook.problems, "the refusal")
        assert "--trust-code Mine-v0" in said(pilot) and not any(asked["trust"] for asked in bench.asked)
        await change(pilot, "trust", "Mine-v0")
        await looked(pilot)
        assert not shown.outlook.problems and bench.asked[-1]["trust"] == ["Mine-v0"]

    launching(body)


def test_a_copy_opens_with_the_runs_own_values_and_a_free_name(bench: Workbench) -> None:
    run = make_run(
        bench.runs, "mine-s4", run={"seed": 4, "name": "mine-s4"}, data={"path": "x.hdf5", "task": "Hopper-v4"}
    )

    async def body(pilot: Pilot[Any]) -> None:
        shown = await looked(pilot)
        assert (shown.outlook.names, shown.outlook.values["data.path"]) == (["mine-s4-2"], "x.hdf5")
        assert "copy of mine-s4" in screen_text(pilot.app)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: shown.started, "the launch")

    launching(body, draft.copy(run))
    assert bench.made == ["mine-s4", "mine-s4-2"]


def test_a_branch_opens_with_the_state_it_goes_on_from(bench: Workbench) -> None:
    run = make_run(bench.runs, "mine-s4", data={"path": "x.hdf5", "task": "Hopper-v4"})

    async def body(pilot: Pilot[Any]) -> None:
        shown = await looked(pilot)
        assert "from      mine-s4@switch" in screen_text(pilot.app)
        await change(pilot, "run.from", "nix@switch")
        assert "there is no run 'nix'" in shown.outlook.problems["run.from"]

    launching(body, draft.branch(run))


def test_what_was_changed_is_not_left_without_a_question(bench: Workbench) -> None:
    async def body(pilot: Pilot[Any]) -> None:
        await looked(pilot)
        await change(pilot, "run.name", "mine")
        await pilot.press("escape", "n")
        assert screen(pilot).draft.name == "mine"
        await pilot.press("escape", "y")
        await pilot.pause()
        assert isinstance(pilot.app.screen, WatchScreen)

    launching(body)
    assert bench.made == []


def test_leaving_an_untouched_screen_asks_nothing(bench: Workbench) -> None:
    async def body(pilot: Pilot[Any]) -> None:
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(pilot.app.screen, WatchScreen)

    launching(body)


def test_ascii_has_no_other_character(bench: Workbench) -> None:
    async def body(pilot: Pilot[Any]) -> None:
        await looked(pilot)
        await change(pilot, "online.alpha", "0.5")
        assert "*online.alpha" in screen_text(pilot.app)
        assert screen_text(pilot.app).isascii(), [row for row in rows(pilot.app) if not row.isascii()]

    launching(body, ascii=True)


def test_a_smaller_terminal_shows_what_there_is_room_for(bench: Workbench) -> None:
    async def body(pilot: Pilot[Any]) -> None:
        await looked(pilot)
        for width, height in ((40, 12), (20, 6), (160, 50), (80, 24)):
            await pilot.resize_terminal(width, height)
            await pilot.pause()
        assert "preset    quickstart" in screen_text(pilot.app)

    launching(body)
