"""The log, in its pane and on a screen of its own. To renew a picture in goldens/, delete it and run the test twice."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from moore_engine.rundir import RunDir
from moore_tui import watcher
from moore_tui.runs.logbook import LogBook
from moore_tui.screens.logs import LogsScreen
from moore_tui.widgets.log_pane import LogPane
from tests.tui.piloted import SIZES, console, piloted, rows, same_cells, screen_text, until
from tests.tui.rich_runs import rich_run
from tests.tui.screens.test_watch import GOLDENS, _utc, keys, look

__all__ = ["_utc"]

TROUBLE = [
    "loading bundled:quickstart",
    *(f"step {number}" for number in range(40)),
    "UserWarning: the sampler is slow",
    *(f"step {number}" for number in range(40, 60)),
    "Traceback (most recent call last):",
    '  File "train.py", line 1, in <module>',
    "ValueError: " + "a long message with many words " * 8,
    *(f"step {number}" for number in range(60, 80)),
]


def troubled() -> Path:
    """A crashed run with two attempts and an error in its log."""
    run = rich_run(Path("runs"), "hopper-s0", state="crashed", epochs=2)
    (run.log / "attempt-1.log").write_text("\n".join(TROUBLE) + "\n")
    state = run.state.read_text().replace('"attempt": 1', '"attempt": 2')
    run.state.write_text(state)
    (run.log / "attempt-2.log").write_text("second attempt\nSegmentation fault\n")
    return Path("runs")


async def opened(pilot: Pilot[Any]) -> LogsScreen:
    await keys(pilot, "7")
    await pilot.press("1", "L")
    await look(pilot)
    screen = pilot.app.screen
    assert isinstance(screen, LogsScreen)
    return screen


async def press(pilot: Pilot[Any], *names: str) -> list[str]:
    """Rows of the log's pane after some keys."""
    await pilot.press(*names)
    await look(pilot)
    return [row[1:-1].rstrip() for row in rows(pilot.app)[2:-2]]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_log_screen_is_the_picture(size: tuple[int, int]) -> None:
    async def body(pilot: Pilot[Any]) -> None:
        await opened(pilot)
        same_cells(pilot.app, GOLDENS / f"logs-{size[0]}x{size[1]}.txt")

    piloted(console(troubled()), body, size)


def test_the_log_of_a_run_that_rests_is_read_as_soon_as_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "QUIET_S", 60.0)

    async def whole() -> None:
        app = console(troubled(), hz=4.0)
        async with app.run_test(size=(100, 30)) as pilot:
            await until(pilot, lambda: "Segmentation fault" in screen_text(app), "the end of the log")

    asyncio.run(whole())


def test_until_a_log_has_been_looked_at_it_is_being_read() -> None:
    async def body(pilot: Pilot[Any]) -> None:
        pane = LogPane(id="other")
        await pilot.app.screen.mount(pane)
        pane.styles.height = 9
        await pilot.pause()
        book = LogBook(rich_run(Path("runs"), "quiet-s0", epochs=1))
        for name in ("events.jsonl", "log/attempt-1.log"):
            (book.run.path / name).unlink()
        shown = []
        for each in (None, book):
            pane.show_log("quiet-s0", each)
            shown.append(pane.log_view.lines)
        book.poll()
        pane.show_log("quiet-s0", book)
        shown.append(pane.log_view.lines)
        texts = ["".join(text for text, _ in lines[0]) for lines in shown]
        assert texts == ["reading...", "reading...", "nothing in the log yet"]

    piloted(console(troubled()), body)


def test_next_is_offered_only_while_something_is_searched_for() -> None:
    async def body(pilot: Pilot[Any]) -> None:
        await opened(pilot)
        assert " n next" not in rows(pilot.app)[-1]
        await press(pilot, "slash", *"step", "enter")
        assert " n next" in rows(pilot.app)[-1]
        await press(pilot, "escape")
        assert " n next" not in rows(pilot.app)[-1]

    piloted(console(troubled()), body, (160, 50))


def test_the_end_is_followed_until_the_reader_moves_away() -> None:
    async def body(pilot: Pilot[Any]) -> None:
        await opened(pilot)
        log = RunDir("runs/hopper-s0").log / "attempt-2.log"
        for number in range(3):
            with open(log, "a") as file:
                file.write(f"later {number}\n")
            assert (await press(pilot))[-1].endswith(f"later {number}")
        before = await press(pilot, "k", "k")
        assert "F follows" in screen_text(pilot.app)
        with open(log, "a") as file:
            file.write("unseen\n")
        assert await press(pilot) == before
        assert (await press(pilot, "F"))[-1].endswith("unseen")
        assert "following" in screen_text(pilot.app)

    piloted(console(troubled()), body)


def test_keys_move_by_lines_pages_and_to_the_ends() -> None:
    async def body(pilot: Pilot[Any]) -> None:
        await opened(pilot)
        first = await press(pilot, "g")
        assert (await press(pilot, "j"))[:-1] == first[1:]
        assert await press(pilot, "k") == first
        page = await press(pilot, "pagedown")
        assert page[0] == first[-1]
        assert await press(pilot, "pageup", "pageup") == first
        assert (await press(pilot, "G"))[-1].endswith("Segmentation fault")
        assert "following" in screen_text(pilot.app)

    piloted(console(troubled()), body)


def test_a_search_goes_to_its_hits_forth_and_back_and_around() -> None:
    async def body(pilot: Pilot[Any]) -> None:
        screen = await opened(pilot)
        view = screen.pane.log_view

        def found() -> str:
            assert view.hit is not None
            return view.rows.line(view.hit).text

        await press(pilot, "g", "slash", *"STEP 4", "enter")
        assert found() == "step 4" and "/ STEP 4" in screen_text(pilot.app)
        texts = []
        for key in ("n", "n", "N", "N", "N"):
            await press(pilot, key)
            texts.append(found())
            assert any(row[1:-1].rstrip().endswith(found()) for row in rows(pilot.app))
        assert texts == ["step 40", "step 41", "step 40", "step 4", "step 49"]
        await press(pilot, "escape")
        assert "/ STEP" not in screen_text(pilot.app) and not view.wanted
        assert isinstance(pilot.app.screen, LogsScreen)
        await press(pilot, "escape")
        assert not isinstance(pilot.app.screen, LogsScreen)

    piloted(console(troubled()), body)


def test_e_goes_from_error_to_error_and_takes_a_traceback_as_one() -> None:
    async def body(pilot: Pilot[Any]) -> None:
        view = (await opened(pilot)).pane.log_view
        found = []
        await press(pilot, "g")
        for _ in range(3):
            await press(pilot, "e")
            assert view.hit is not None
            found.append(view.rows.line(view.hit).text)
        assert found == ["Traceback (most recent call last):", "Segmentation fault", found[0]]

    piloted(console(troubled()), body)


def test_long_lines_are_cut_or_wrapped() -> None:
    async def body(pilot: Pilot[Any]) -> None:
        await opened(pilot)
        await press(pilot, "g", "slash", *"ValueError", "enter")
        cut = [row for row in rows(pilot.app) if "message" in row]
        assert len(cut) == 1
        await press(pilot, "w")
        wrapped = [row for row in rows(pilot.app) if "message" in row or "many words" in row]
        assert len(wrapped) > 2
        await press(pilot, "w")
        assert [row for row in rows(pilot.app) if "message" in row] == cut

    piloted(console(troubled()), body)


def test_levels_and_attempts_choose_lines() -> None:
    async def body(pilot: Pilot[Any]) -> None:
        await opened(pilot)
        shown = await press(pilot, "l")
        assert any("the sampler is slow" in row for row in shown) and not any("step" in row for row in shown)
        shown = await press(pilot, "l")
        assert "· errors" in screen_text(pilot.app) and not any("sampler" in row for row in shown)
        await press(pilot, "l", "right_square_bracket", "right_square_bracket")
        shown = await press(pilot, "G")
        assert "attempt 2" in screen_text(pilot.app)
        assert any("second attempt" in row for row in shown) and not any("step 79" in row for row in shown)
        await press(pilot, "right_square_bracket")
        assert "attempt 2 ·" not in rows(pilot.app)[1]

    piloted(console(troubled()), body)


def test_control_characters_and_markup_of_a_log_do_nothing() -> None:
    run = rich_run(Path("runs"), "hopper-s0", state="done", epochs=2)
    (run.log / "attempt-1.log").write_bytes(b"\x1b[2J\x1b]52;c;eHh4\x07[b]bold[/b] caf\xc3\xa9 \xff\n")

    async def body(pilot: Pilot[Any]) -> None:
        await opened(pilot)
        assert "[b]bold[/b] café" in screen_text(pilot.app)
        assert "\x1b" not in screen_text(pilot.app) and "\x07" not in screen_text(pilot.app)

    piloted(console(Path("runs")), body)


def test_a_search_in_the_pane_of_the_watch_screen_begins_where_the_log_has_the_focus() -> None:
    async def body(pilot: Pilot[Any]) -> None:
        await keys(pilot, "7")
        await keys(pilot, "slash", *"sampler", "enter")
        assert "the sampler is slow" in screen_text(pilot.app) and "/ sampler" in screen_text(pilot.app)
        await keys(pilot, "escape")
        assert "/ sampler" not in screen_text(pilot.app)

    piloted(console(troubled()), body)
