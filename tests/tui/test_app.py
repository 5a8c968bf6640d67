"""The console as an application: header, footer, steering with its questions, command line, palette, help, sizes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot

from moore_engine.rundir import RunDir, write_json
from moore_tui.app import MooreConsole
from moore_tui.runs import control
from moore_tui.runs.draft import Draft
from moore_tui.settings import Settings
from moore_tui.widgets.loss_pane import LossPane
from moore_tui.widgets.mass_pane import MassPane
from tests.tui.made_runs import (
    dead_identity,
    do,
    ended,
    event,
    fake_run,
    launcher,
    make_run,
    state_of,
    wait_at,
    wait_for,
    write_events,
)
from tests.tui.piloted import SIZES, console, piloted, rows, screen_text, until

AnyPilot = Pilot[object]


def finished(folder: Path, name: str) -> RunDir:
    """A run that is done, with a few evaluations."""
    run = make_run(folder, name)
    evals = [event(n, "eval", score=float(n), return_mean=n * 10.0, return_std=1.0, returns=[1.0], length_mean=9.0)
             for n in range(1, 6)]  # fmt: skip
    write_events(run, *evals, event(6, "end", state="done", exit=0))
    write_json(run.state, {"attempt": 1, "status": "done", "identity": dead_identity(), "t": 6.0, "update": 6})
    return run


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """A folder with two finished runs."""
    finished(tmp_path, "alpha")
    finished(tmp_path, "beta")
    return tmp_path


@pytest.fixture
def live(tmp_path: Path) -> Iterator[RunDir]:
    """A run that waits at update 7 for the file `go`."""
    run = fake_run(tmp_path, do("wait", "go", update=7))
    with ended(run):
        launcher().start(run)
        wait_at(run, 7)
        yield run


def footer(app: MooreConsole) -> str:
    return rows(app)[-1]


def answer(app: MooreConsole) -> str:
    return rows(app)[-2].strip()


async def told(pilot: AnyPilot, text: str) -> None:
    """Wait for the line above the keys."""
    app = pilot.app
    assert isinstance(app, MooreConsole)
    await until(pilot, lambda: text in answer(app), f"{text!r} above the keys")


async def look(pilot: AnyPilot, text: str) -> None:
    """Look until a text is on the screen."""

    def there() -> bool:
        pilot.app.refresh_facts()  # type: ignore[attr-defined]
        return text in screen_text(pilot.app)

    await until(pilot, there, text)


@pytest.mark.parametrize("size", SIZES)
def test_header_runs_and_footer_stand_on_every_size(two: Path, size: tuple[int, int]) -> None:
    app = console(two)

    async def body(pilot: AnyPilot) -> None:
        shown = rows(app)
        assert len(shown) == size[1] and all(len(row) <= size[0] for row in shown)
        assert "2 runs  ✓2 done" in shown[0]
        assert "alpha" in screen_text(app) and "beta" in screen_text(app)
        assert "? help  q leave" in shown[-1]

    piloted(app, body, size)


def test_a_screen_that_is_made_smaller_and_larger_is_the_same_again(two: Path) -> None:
    app = console(two)

    async def body(pilot: AnyPilot) -> None:
        before = screen_text(app)
        for size in ((160, 50), (20, 6), (3, 2), (100, 30), (80, 24)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
        assert screen_text(app) == before

    piloted(app, body)


def test_the_footer_offers_what_is_valid_for_the_run_under_the_cursor(live: RunDir) -> None:
    finished(live.path.parent, "other")
    app = console(live.path.parent)

    async def body(pilot: AnyPilot) -> None:
        app.select("run")
        await pilot.pause()
        assert all(each in footer(app) for each in ("p pause", "c ckpt", "x stop")) and "resume" not in footer(app)
        app.select("other")
        await pilot.pause()
        assert not any(each in footer(app) for each in ("pause", "ckpt", "stop", "resume"))
        await pilot.press("p")
        await told(pilot, "cannot pause other: it is done")

    piloted(app, body)


def test_the_footer_follows_the_focus(two: Path) -> None:
    app = console(two)

    async def body(pilot: AnyPilot) -> None:
        assert "space mark" in footer(app)
        await pilot.press("2")
        await pilot.pause()
        assert "space mark" not in footer(app) and "a axis" in footer(app)
        await pilot.press("1")
        await pilot.pause()
        assert "space mark" in footer(app)

    piloted(app, body)


def test_pause_is_pending_then_acknowledged_and_the_same_key_lets_it_go_on(live: RunDir) -> None:
    app = console(live.path.parent)

    async def body(pilot: AnyPilot) -> None:
        await pilot.press("p")
        await told(pilot, "run paused @ 7")
        assert [each.state for each in app.actions.recent] == ["pending", "done"]
        await look(pilot, "1 paused")
        await until(pilot, lambda: "p go on" in footer(app))
        await pilot.press("p")
        await told(pilot, "run goes on")
        assert state_of(live) == "live"

    piloted(app, body)


def test_a_kill_is_done_only_once_the_name_is_typed(live: RunDir) -> None:
    app = console(live.path.parent)

    async def body(pilot: AnyPilot) -> None:
        await pilot.press("X")
        await until(pilot, lambda: "Kill run?" in screen_text(app))
        await pilot.press("r", "u", "enter")
        await pilot.pause()
        assert "type run exactly" in screen_text(app) and state_of(live) == "live"
        await pilot.press("escape")
        await pilot.pause()
        assert state_of(live) == "live" and app.actions.recent == type(app.actions.recent)()
        await pilot.press("X")
        await until(pilot, lambda: "Kill run?" in screen_text(app))
        await pilot.press(*"run", "enter")
        await told(pilot, "run killed")
        assert state_of(live) == "interrupted"

    piloted(app, body)


def test_a_crashed_run_is_in_the_header_and_r_starts_it_again(tmp_path: Path) -> None:
    run = fake_run(tmp_path, do("fail", "a matrix is singular", update=3, attempt=1))
    with ended(run):
        launcher("--max-restarts", "0").start(run)
        wait_for(lambda: state_of(run) == "crashed")
        app = MooreConsole(console(tmp_path).options, launcher=launcher())

        async def body(pilot: AnyPilot) -> None:
            assert "✗1 crashed" in rows(app)[0] and "r resume" in footer(app)
            await pilot.press("r")
            await told(pilot, "run started again")
            await look(pilot, "1 done")

        piloted(app, body)


def test_marked_runs_are_steered_together_after_one_question(live: RunDir) -> None:
    finished(live.path.parent, "other")
    app = console(live.path.parent)

    async def body(pilot: AnyPilot) -> None:
        second = fake_run(live.path.parent, do("wait", "go", update=7), name="third")
        with ended(second):
            launcher().start(second)
            wait_at(second, 7)
            app.refresh_facts()
            app.marked |= {"run", "third", "other"}
            await pilot.press("p")
            await until(pilot, lambda: "Pause 2 runs?" in screen_text(app))
            assert "1 other marked run: not possible now" in screen_text(app)
            await pilot.press("n")
            await pilot.pause()
            assert not app.actions.recent
            await pilot.press("p")
            await until(pilot, lambda: "Pause 2 runs?" in screen_text(app))
            await pilot.press("y")
            await told(pilot, "pause: 2 done")
            assert state_of(live) == state_of(second) == "paused"

    piloted(app, body)


def test_a_live_setting_is_checked_as_it_is_typed(live: RunDir) -> None:
    app = console(live.path.parent)

    async def body(pilot: AnyPilot) -> None:
        await pilot.press("e")
        await until(pilot, lambda: "Set a value of run" in screen_text(app))
        await pilot.press("x")
        await until(pilot, lambda: "it takes a number > 0" in screen_text(app))
        await pilot.press("backspace", *"0.25", "enter")
        await told(pilot, "run online.alpha = 0.25 @ 7")

    piloted(app, body)


def test_extend_wants_more_epochs_than_there_are(two: Path) -> None:
    app = console(two)

    async def body(pilot: AnyPilot) -> None:
        planned = app.feed.plan(app.selected or "").online_epochs
        await pilot.press("E")
        await until(pilot, lambda: "How many online epochs" in screen_text(app))
        await pilot.press("1", "enter")
        await until(pilot, lambda: f"a number above {planned}" in screen_text(app))
        await pilot.press("escape")
        await pilot.pause()
        assert not app.actions.recent

    piloted(app, body)


def test_a_copy_and_a_branch_begin_a_run_in_the_making(two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Draft | None] = []
    monkeypatch.setattr(MooreConsole, "open_launch", lambda app, draft: begun.append(draft))
    for name in ("ckpt-4", "ckpt-10", "switch", "tmp-3"):
        (two / "alpha" / "checkpoints" / name).mkdir()
    app = console(two)

    async def body(pilot: AnyPilot) -> None:
        app.select("alpha")
        await pilot.press("n", "d")
        await until(pilot, lambda: len(begun) == 2)
        await pilot.press("B")
        await until(pilot, lambda: "Branch off which state of alpha?" in screen_text(app))
        text = screen_text(app)
        assert text.index("switch") < text.index("ckpt-10") < text.index("ckpt-4") and "tmp-3" not in text
        await pilot.press("down", "enter")
        await until(pilot, lambda: len(begun) == 3)

    piloted(app, body)
    new, copy, branch = begun
    assert new is None and copy is not None and branch is not None
    assert (copy.copy_of, copy.origin) == ("alpha", "") and branch.origin == "alpha@ckpt-10"


def test_tags_and_notes_are_asked_for_with_what_is_there(two: Path) -> None:
    app = console(two)

    async def body(pilot: AnyPilot) -> None:
        app.select("alpha")
        for key, typed, what in (("T", "a b", "tagged a b"), ("N", "try again", "note kept")):
            await pilot.press(key)
            await until(pilot, lambda: len(app.screen_stack) == 2)
            await pilot.press(*(each if each != " " else "space" for each in typed), "enter")
            await told(pilot, f"alpha {what}")
        app.refresh_facts()
        assert app.feed.note("alpha").tags == ("a", "b") and app.feed.note("alpha").note == "try again"

    piloted(app, body)


LINES = [
    ("pause", "cannot pause alpha: it is done"),
    ("pasue", "there is no command 'pasue'; did you mean pause?"),
    ("pause now", ":pause stands alone, without 'now'"),
    ("run", "write :run NAME"),
    ("run gamma", "there is no run 'gamma'"),
    ("theme nrod", "there is no theme 'nrod'; did you mean nord?"),
    ("set online.alpha", "write KEY=VALUE, such as online.alpha=0.5"),
    ("set online.alpa=3", "did you mean online.alpha?"),
    ("set data.path=x", "data.path cannot change while a run is going"),
    ("extend many", "extend takes the new number of online epochs"),
    ("seek 50", "no run is replayed here"),
    ("speed fast", "speed takes how many times faster"),
    ("speed 0", "a replay's speed is a number above 0"),
    ("ckpt", "cannot checkpoint alpha: it is done"),
    ("tag x y", "alpha tagged x y"),
    ("note a b", "alpha note kept"),
]


def test_a_line_after_the_colon_is_done_or_told_what_is_wrong(two: Path) -> None:
    app = console(two)

    async def body(pilot: AnyPilot) -> None:
        app.select("alpha")
        for line, said in LINES:
            await pilot.press("colon")
            await until(pilot, lambda: "Typed" in repr(app.focused))
            app.screen.focused.value = line  # type: ignore[union-attr]
            await pilot.press("enter")
            await told(pilot, said)
            assert "RunRows" in repr(app.focused)

    piloted(app, body)


def test_the_command_line_completes_and_remembers(two: Path, tmp_path: Path) -> None:
    settings = Settings(state_path=tmp_path / "state" / "state.json")
    app = console(two, settings=settings)

    async def body(pilot: AnyPilot) -> None:
        app.select("alpha")
        await pilot.press("colon", *"the")
        await until(pilot, lambda: "theme" in footer(app))
        await pilot.press("tab", "space", *"gruv")
        await until(pilot, lambda: "theme gruvbox" in footer(app))
        await pilot.press("tab", "enter")
        await pilot.pause()
        assert app.theme == "gruvbox" and settings.state() == {"lines": ["theme gruvbox"]}
        await pilot.press("colon", *"ru", "space", "b")
        await pilot.press("backspace", "backspace", "backspace", *"un", "space", *"bet", "tab", "enter")
        await pilot.pause()
        assert app.selected == "beta"
        await pilot.press("colon", "up", "up")
        await until(pilot, lambda: "theme gruvbox" in footer(app))
        await pilot.press("down", "down")
        assert footer(app).strip() == ":"
        await pilot.press("escape")
        await pilot.pause()
        assert "q leave" in footer(app) and settings.state()["lines"] == ["theme gruvbox", "run beta"]

    piloted(app, body)


def test_the_theme_is_kept_for_the_next_session(two: Path, tmp_path: Path) -> None:
    settings = Settings(path=tmp_path / "settings.toml")
    app = console(two, settings=settings)

    async def body(pilot: AnyPilot) -> None:
        app.theme = "nord"
        await until(pilot, lambda: (tmp_path / "settings.toml").exists())

    piloted(app, body)
    assert (tmp_path / "settings.toml").read_text() == 'theme = "nord"\n'
    assert console(two, settings=Settings(theme="dracula")).theme in ("dracula", "ansi-dark")


def test_the_palette_lists_what_makes_sense_now(live: RunDir) -> None:
    app = console(live.path.parent)

    async def body(pilot: AnyPilot) -> None:
        names = [command.title for command in app.get_system_commands(app.screen)]
        assert "pause" in names and "compare" in names and "run" in names and "delete" not in names
        await pilot.press("ctrl+p")
        await until(pilot, lambda: "Search for commands" in screen_text(app))
        await pilot.press(*"pause")
        await until(pilot, lambda: "Pause" in screen_text(app))
        await pilot.press("enter", "enter")
        await told(pilot, "run paused @ 7")

    piloted(app, body)


def test_help_names_the_keys_of_the_pane_as_they_are_now(two: Path) -> None:
    app = console(two, settings=Settings(keymap={"runs.mark": "m"}))

    async def body(pilot: AnyPilot) -> None:
        await pilot.press("question_mark")
        await until(pilot, lambda: "Help · Runs" in screen_text(app))
        text = screen_text(app)
        assert re.search(r"m +Mark the run", text) and not re.search(r"space +Mark", text)
        await pilot.press("escape", "2", "question_mark")
        await until(pilot, lambda: "in a chart" in screen_text(app))
        await pilot.press("q")
        await pilot.pause()
        assert "q leave" in footer(app) and app.return_value is None

    piloted(app, body, (100, 50))


def test_remapped_keys_do_what_they_are_mapped_to_and_no_others(two: Path) -> None:
    app = console(two, settings=Settings(keymap={"runs.mark": "n", "runs.new": "space"}))

    async def body(pilot: AnyPilot) -> None:
        assert "n mark" in footer(app) and "space new" in footer(app)
        await pilot.press("n")
        await pilot.pause()
        assert len(app.marked) == 1 and len(app.screen_stack) == 1

    piloted(app, body)


def test_a_read_only_console_says_so_and_offers_nothing(live: RunDir) -> None:
    app = console(live.path.parent, readonly=True)

    async def body(pilot: AnyPilot) -> None:
        assert "read-only" in rows(app)[0]
        assert not any(each in footer(app) for each in ("pause", "ckpt", "stop", "new", "tag"))
        for key in ("p", "x", "X"):
            await pilot.press(key)
            await told(pilot, "this console is read-only")
            assert len(app.screen_stack) == 1
        await pilot.press("n")
        await told(pilot, "cannot start a run: this console is read-only")

    piloted(app, body)
    assert list(live.control.glob("req-*")) == [] and state_of(live) == "live"


def test_copy_goes_to_the_terminal_and_is_told(two: Path) -> None:
    app = console(two)

    async def body(pilot: AnyPilot) -> None:
        app.select("alpha")
        await pilot.press("y")
        await told(pilot, "copied")
        assert app.clipboard == str((two / "alpha").resolve())

    piloted(app, body)


def test_escape_goes_out_one_layer_at_a_time_and_never_leaves(two: Path) -> None:
    app = console(two)

    async def body(pilot: AnyPilot) -> None:
        await pilot.press("2", "z")
        await pilot.pause()
        assert "alpha" not in rows(app)[2]
        await pilot.press("y")
        await told(pilot, "copied")
        await pilot.press("escape")
        await pilot.pause()
        assert "copied" not in answer(app) and "space mark" not in footer(app)
        await pilot.press("escape", "escape", "escape")
        await pilot.pause()
        assert "Runs" in screen_text(app) and app.return_value is None

    piloted(app, body)


def test_a_click_on_a_key_of_the_footer_presses_it(two: Path) -> None:
    app = console(two)

    async def body(pilot: AnyPilot) -> None:
        await pilot.click("KeyLine", offset=(footer(app).index("? help") + 1, 0))
        await until(pilot, lambda: "Help · Runs" in screen_text(app))

    piloted(app, body)


def test_control_c_says_how_to_leave_and_leaves_nothing(two: Path) -> None:
    app = console(two)

    async def body(pilot: AnyPilot) -> None:
        await pilot.press("ctrl+c")
        await told(pilot, "q leaves the console; the runs go on")
        assert app.return_value is None

    piloted(app, body)


def test_compare_wants_two_marked_runs(two: Path) -> None:
    app = console(two)

    async def body(pilot: AnyPilot) -> None:
        assert "compare" not in footer(app)
        await pilot.press("equals_sign")
        await told(pilot, "mark two runs or more")
        await pilot.press("space", "space")
        await until(pilot, lambda: len(app.marked) == 2)
        await until(pilot, lambda: "= compare" in footer(app))

    piloted(app, body)


def test_attach_begins_on_its_run(two: Path) -> None:
    for name in ("alpha", "beta"):
        app = console(two, attach=name)

        async def body(pilot: AnyPilot, app: MooreConsole = app, name: str = name) -> None:
            assert app.selected == name
            assert any(name in row and row.startswith("│▸") for row in rows(app))

        piloted(app, body)


def test_a_replay_is_held_moved_and_hurried_and_steers_nothing(two: Path) -> None:
    app = console(two, replay=str(two / "alpha"))

    async def body(pilot: AnyPilot) -> None:
        assert "replay 60x" in rows(app)[0] and ". on" in footer(app)
        await pilot.press("p")
        await pilot.pause()
        assert "held" in rows(app)[0] and "p go on" in footer(app)
        await pilot.press("full_stop", "full_stop")
        app.refresh_facts()
        assert app.player.replay is not None and app.player.replay.place == pytest.approx(0.2)
        await pilot.press("comma")
        app.refresh_facts()
        assert app.player.replay.place == pytest.approx(0.1)
        await pilot.press("colon", *"speed", "space", *"120", "enter")
        await pilot.pause()
        assert "replay 120x" in rows(app)[0]
        await pilot.press("colon", *"seek", "space", *"100", "enter")
        await pilot.pause()
        app.refresh_facts()
        assert "over" in rows(app)[0]
        await pilot.press("x")
        await told(pilot, "read-only")

    piloted(app, body)


@pytest.mark.parametrize("size", SIZES)
def test_in_ascii_mode_every_cell_is_ascii(two: Path, size: tuple[int, int]) -> None:
    app = console(two, ascii=True)

    async def body(pilot: AnyPilot) -> None:
        for keys in ([], ["question_mark"], ["escape", "ctrl+p"], ["escape", "X"], ["D"], ["escape", "colon"]):
            await pilot.press(*keys)
            await pilot.pause()
            assert screen_text(app).isascii(), keys
            assert all(len(row) <= size[0] for row in rows(app))

    piloted(app, body, size)


def test_one_message_waits_at_a_time_however_often_facts_change(two: Path) -> None:
    app = console(two)

    async def body(pilot: AnyPilot) -> None:
        posted: list[object] = []
        post, app.post_message = app.post_message, posted.append  # type: ignore[method-assign,assignment]
        for _ in range(50):
            app._found()
        assert len(posted) == 1
        app.post_message = post  # type: ignore[method-assign]
        app.on_facts_changed()
        app._found()
        await pilot.pause()
        assert app._untold is False

    piloted(app, body)


@pytest.mark.parametrize(
    ("env", "chosen", "theme"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "", "textual-dark"),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "nord", "nord"),
        ({"TERM": "linux", "COLORTERM": ""}, "nord", "ansi-dark"),
        ({"TERM": "linux", "COLORTERM": ""}, "ansi-light", "ansi-light"),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor", "NO_COLOR": "1"}, "nord", "ansi-dark"),
    ],
)
def test_the_theme_is_the_chosen_one_where_the_terminal_can_show_it(
    env: dict[str, str], chosen: str, theme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert console(tmp_path, settings=Settings(theme=chosen)).theme == theme


def test_a_feed_that_breaks_is_told_and_the_console_stays(two: Path) -> None:
    app = console(two)

    async def body(pilot: AnyPilot) -> None:
        app._broken(ValueError("cheese"))
        await told(pilot, "the runs cannot be read: ValueError('cheese')")

    piloted(app, body)


@pytest.mark.parametrize("part", ["key", "paint"])
def test_a_pane_that_breaks_says_so_and_leaves_the_others_alone(
    two: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    app = console(two)

    async def body(pilot: AnyPilot) -> None:
        before = screen_text(app)
        assert "cannot show this run" not in before

        def breaks(*_: object) -> None:
            raise KeyError("a made-up error")

        with monkeypatch.context() as patch:
            patch.setattr(MassPane, part, breaks)
            await pilot.press("j")
            await told(pilot, "Priority mass cannot show this run: KeyError: 'a made-up error'; details are in")
            assert "Priority mass cannot show this run" in screen_text(app).replace("─", "")
        assert "a made-up error" in (tmp_path / "moore-console" / "crash.log").read_text()
        await pilot.press("k")
        await until(pilot, lambda: screen_text(app).split("Log")[0] == before.split("Log")[0])

    piloted(app, body, (160, 50), debug=False)


def test_a_pane_on_no_screen_that_breaks_says_so(two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = console(two)

    async def body(pilot: AnyPilot) -> None:
        monkeypatch.setattr(LossPane, "summary", lambda *_: 1 / 0)
        await pilot.press("j")
        await told(pilot, "Losses cannot show this run: ZeroDivisionError")

    piloted(app, body, debug=False)


def test_a_folder_without_runs_says_what_to_do(tmp_path: Path) -> None:
    app = console(tmp_path / "none")

    async def body(pilot: AnyPilot) -> None:
        assert "0 runs" in rows(app)[0]
        await pilot.press("p", "d", "y", "L")
        await told(pilot, "no run is under the cursor")

    piloted(app, body)


def test_requests_that_nobody_answers_do_not_keep_the_console_from_leaving(tmp_path: Path) -> None:
    run = fake_run(tmp_path, do("mute", "go", update=7))
    with ended(run):
        launcher().start(run)
        wait_at(run, 7)
        app = console(tmp_path)

        async def body(pilot: AnyPilot) -> None:
            await pilot.press("c")
            await told(pilot, "saving a checkpoint of run ...")
            await pilot.press("q")

        piloted(app, body)
        assert app.return_value == 0
        assert [each.verb for each in control.control.pending(run)] == ["checkpoint"]
