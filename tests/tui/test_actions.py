"""Actions on runs with real fake trainers: pending at once, then where it took effect, or why it did not."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot

from moore_engine.rundir import RunDir
from moore_tui.actions import Actions, took_effect
from moore_tui.messages import Action, ActionChanged
from moore_tui.runs import control, identity, notes
from moore_tui.runs.launch import Wish
from tests.tui.made_runs import (
    do,
    ended,
    fake_run,
    keeper_of,
    launcher,
    make_run,
    state_of,
    trainer_of,
    wait_at,
    wait_for,
    wait_until_over,
)

Body = Callable[["Asked"], Awaitable[None]]


class Asked(App[None]):
    """An application that only hears what becomes of actions."""

    def __init__(self, runs_dir: Path, **options: Any) -> None:
        super().__init__()
        self.heard: list[Action] = []
        self.actions = Actions(self, runs_dir, **{"launcher": launcher(), **options})

    def on_action_changed(self, message: ActionChanged) -> None:
        self.heard.append(message.action)

    async def until_over(self, pilot: Pilot[None], many: int = 1) -> list[Action]:
        """The last word on each of `many` actions."""
        for _ in range(3000):
            over = [each for each in self.heard if each.state != "pending"]
            if len(over) >= many:
                return over
            await pilot.pause(0.01)
        raise AssertionError(f"heard only {self.heard}")


def asked(folder: Path, ask: Callable[[Actions], None], many: int = 1, **options: Any) -> list[Action]:
    """What is heard of `many` actions, from pending to their ends."""
    app = Asked(folder, **options)

    async def whole() -> None:
        async with app.run_test() as pilot:
            ask(app.actions)
            await pilot.pause()
            await app.until_over(pilot, many)

    asyncio.run(whole())
    return app.heard


@pytest.fixture
def waiting(tmp_path: Path):
    """A run that waits at update 7 for the file `go`."""
    run = fake_run(tmp_path, do("wait", "go", update=7))
    with ended(run):
        launcher().start(run)
        wait_at(run, 7)
        yield run


def test_a_pause_is_pending_at_once_and_then_tells_the_update(waiting: RunDir) -> None:
    first, last = asked(waiting.path.parent, lambda actions: actions.request(["run"], "pause"))
    assert (first.state, first.text, first.number) == ("pending", "pausing run ...", last.number)
    assert (last.state, last.text) == ("done", "run paused @ 7")
    assert state_of(waiting) == "paused"
    _, last = asked(waiting.path.parent, lambda actions: actions.resume(["run"]))
    assert (last.state, last.text) == ("done", "run goes on")


def test_a_checkpoint_tells_its_name_and_a_setting_its_value(waiting: RunDir) -> None:
    assert asked(waiting.path.parent, lambda a: a.request(["run"], "checkpoint"))[-1].text == "run saved @ 7 (ckpt-7)"
    last = asked(waiting.path.parent, lambda a: a.set(["run"], "online.alpha", "0.5"))[-1]
    assert last.text == "run online.alpha = 0.5 @ 7"


def test_a_refusal_says_why(waiting: RunDir) -> None:
    last = asked(waiting.path.parent, lambda actions: actions.set(["run"], "eval.episodes", "3"))[-1]
    assert last.state == "refused" and "cannot set eval.episodes" in last.text


def test_a_trainer_that_does_not_answer_in_time_is_said_to(tmp_path: Path) -> None:
    run = fake_run(tmp_path, do("mute", "go", update=7))
    with ended(run):
        launcher().start(run)
        wait_at(run, 7)
        last = asked(tmp_path, lambda actions: actions.request(["run"], "pause"), timeout=0.2)[-1]
    assert last.state == "timeout" and "has not answered pause within 0.2 s; the request stays" in last.text


def test_what_does_not_run_cannot_be_paused(tmp_path: Path) -> None:
    make_run(tmp_path)
    last = asked(tmp_path, lambda actions: actions.request(["run"], "pause"))[-1]
    assert last.state == "timeout" and "nobody can pause it" in last.text


def test_a_stopped_run_is_resumed_from_its_checkpoint(waiting: RunDir) -> None:
    asked(waiting.path.parent, lambda actions: actions.request(["run"], "stop"))
    wait_until_over(waiting)
    (waiting.path / "go").touch()
    assert asked(waiting.path.parent, lambda actions: actions.resume(["run"]))[-1].text == "run started again"
    assert wait_until_over(waiting)["why"] == "exit 0"


def test_a_run_without_its_keeper_is_adopted(waiting: RunDir) -> None:
    identity.send(keeper_of(waiting)["identity"], signal.SIGKILL)
    wait_for(lambda: not identity.alive(keeper_of(waiting)["identity"]))
    trainer = trainer_of(waiting)["pid"]
    assert asked(waiting.path.parent, lambda a: a.adopt(["run"]))[-1].text == "run has a keeper again"
    assert trainer_of(waiting)["pid"] == trainer and identity.alive(keeper_of(waiting)["identity"])


def test_a_kill_ends_it_and_a_second_finds_nothing(waiting: RunDir) -> None:
    assert asked(waiting.path.parent, lambda actions: actions.kill(["run"]))[-1].text == "run killed"
    assert state_of(waiting) == "interrupted"
    assert asked(waiting.path.parent, lambda actions: actions.kill(["run"]))[-1].text == "run did not run"


def test_several_runs_are_asked_at_once_and_each_answers_for_itself(waiting: RunDir) -> None:
    folder = waiting.path.parent
    make_run(folder, "other")
    heard = asked(folder, lambda actions: actions.request(["run", "other"], "pause"), many=2)
    assert [each.state for each in heard[:2]] == ["pending", "pending"]
    assert {each.run_id: each.state for each in heard[2:]} == {"run": "done", "other": "timeout"}
    assert len({each.batch for each in heard}) == 1 and len({each.number for each in heard}) == 2


def test_extending_a_running_run_sets_its_epochs_and_a_finished_one_goes_on(waiting: RunDir) -> None:
    last = asked(waiting.path.parent, lambda actions: actions.extend("run", 30))[-1]
    assert last.state == "refused" and "cannot set online.epochs" in last.text
    (waiting.path / "go").touch()
    wait_until_over(waiting)
    last = asked(waiting.path.parent, lambda actions: actions.extend("run", 30))[-1]
    assert last.text == "run started again, to 30 online epochs"
    wait_until_over(waiting)


def test_a_run_is_deleted_only_when_nothing_works_in_it(waiting: RunDir) -> None:
    last = asked(waiting.path.parent, lambda actions: actions.delete(["run"]))[-1]
    assert last.state == "refused" and "stop it before deleting it" in last.text and waiting.exists()
    control.kill(waiting)
    assert asked(waiting.path.parent, lambda actions: actions.delete(["run"]))[-1].text == "run deleted"
    assert not waiting.path.exists()


def test_tags_and_notes_are_kept_beside_one_another(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    assert asked(tmp_path, lambda actions: actions.tag(["run"], ["a", "b"]))[-1].text == "run tagged a b"
    assert asked(tmp_path, lambda actions: actions.note("run", "try again"))[-1].text == "run note kept"
    assert notes.read(run) == notes.Note(("a", "b"), "try again")
    assert asked(tmp_path, lambda actions: actions.tag(["run"], []))[-1].text == "run has no tags now"


def test_a_run_that_is_gone_gets_no_tags(tmp_path: Path) -> None:
    last = asked(tmp_path, lambda actions: actions.tag(["run"], ["a"]))[-1]
    assert last.state == "refused" and last.text == "the run run is gone" and list(tmp_path.iterdir()) == []


def test_a_launch_that_is_refused_tells_the_sentence(tmp_path: Path) -> None:
    last = asked(tmp_path, lambda actions: actions.launch(Wish("quickstrat")))[-1]
    assert last.state == "refused" and "did you mean quickstart?" in last.text


def test_a_launch_tells_the_runs_it_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = [RunDir(tmp_path / name) for name in ("quickstart-s0-2", "quickstart-s1")]
    monkeypatch.setattr("moore_tui.runs.launch.launch", lambda wish, runs, tell: begun)
    first, last = asked(tmp_path, lambda actions: actions.launch(Wish("quickstart", seeds=(0, 1))))
    assert (first.run_id, first.made, first.state) == ("quickstart", (), "pending")
    assert (last.run_id, last.made, last.state) == ("quickstart-s0-2", ("quickstart-s0-2", "quickstart-s1"), "done")
    assert last.text == "started quickstart-s0-2, quickstart-s1"


def test_an_error_nobody_foresaw_ends_the_action_with_its_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(run: RunDir, tags: list[str]) -> None:
        raise OSError(28, "No space left on device", "notes.json")

    monkeypatch.setattr(notes, "tag", full)
    make_run(tmp_path)
    last = asked(tmp_path, lambda actions: actions.tag(["run"], ["a"]))[-1]
    assert (last.state, last.text) == ("refused", "cannot tag run: notes.json: No space left on device")


DOING: list[Callable[[Actions], None]] = [
    lambda actions: actions.request(["run"], "pause"),
    lambda actions: actions.set(["run"], "online.alpha", "1"),
    lambda actions: actions.kill(["run"]),
    lambda actions: actions.resume(["run"]),
    lambda actions: actions.adopt(["run"]),
    lambda actions: actions.extend("run", 9),
    lambda actions: actions.delete(["run"]),
    lambda actions: actions.tag(["run"], ["a"]),
    lambda actions: actions.note("run", "a"),
    lambda actions: actions.launch(Wish("quickstart", flags={"name": "run"})),
]


def test_a_read_only_console_refuses_everything_at_once(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    before = sorted(path.name for path in run.path.rglob("*"))

    def everything(actions: Actions) -> None:
        for doing in DOING:
            doing(actions)

    heard = asked(tmp_path, everything, many=len(DOING), readonly=True)
    over = [each for each in heard if each.state != "pending"]
    assert all(each.state == "refused" and "this console is read-only" in each.text for each in over)
    assert len(over) == len(DOING) and sorted(path.name for path in run.path.rglob("*")) == before


def test_what_was_done_has_the_console_look_again(tmp_path: Path) -> None:
    make_run(tmp_path)
    looked: list[bool] = []
    asked(tmp_path, lambda actions: actions.tag(["run"], ["a"]), after=lambda: looked.append(True))
    assert looked == [True]


def test_an_unanswered_request_does_not_hold_the_console_but_a_half_made_thing_does(tmp_path: Path) -> None:
    run = fake_run(tmp_path, do("mute", "go", update=7))
    with ended(run):
        launcher().start(run)
        wait_at(run, 7)
        app = Asked(tmp_path, timeout=20.0)
        app.actions.request(["run"], "pause")
        app.actions.finish(timeout=5.0)
        assert any(thread.is_alive() for thread in app.actions._threads)
        control.kill(run)
        app.actions.resume(["run"])
        app.actions.finish(timeout=20.0)
        assert keeper_of(run)["status"] == "running"


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (None, ""),
        (control.Answer("", "pause", update=12340), " @ 12 340"),
        (control.Answer("", "checkpoint", update=3, path="ckpt-3"), " @ 3 (ckpt-3)"),
        (control.Answer("", "set", update=3, why="from the next epoch on"), " @ 3, from the next epoch on"),
        (control.Answer("", "stop", why="it was between two attempts"), ", it was between two attempts"),
    ],
)
def test_where_it_took_effect(answer: control.Answer | None, text: str) -> None:
    assert took_effect(answer) == text
