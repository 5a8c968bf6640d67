"""Dialogs: only what is asked for says yes, escape never does, what is wrong stands under the field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest
from textual.app import App
from textual.pilot import Pilot

from moore_tui.screens.dialogs import Ask, Choose, Confirm, ConfirmName
from moore_tui.screens.dialogs.dialog import Dialog
from tests.tui.piloted import piloted, screen_text

OPEN = "still open"


class Case(NamedTuple):
    """Before the last key the screen shows `shows`; after it the dialog has given `answer`, or is OPEN."""

    dialog: Dialog[Any]
    keys: Sequence[str]
    answer: Any
    shows: str = ""


def hold(*cases: Case) -> None:
    """Every case in turn, in one application."""
    app: App[None] = App()

    async def body(pilot: Pilot[Any]) -> None:
        for case in cases:
            answers: list[Any] = []
            app.push_screen(case.dialog, answers.append)
            await pilot.pause()
            await pilot.press(*case.keys[:-1])
            await pilot.pause()
            shown = " ".join(screen_text(app).replace("│", " ").split())
            assert case.shows in shown, screen_text(app)
            await pilot.press(case.keys[-1])
            await pilot.pause()
            assert (answers or [OPEN]) == [case.answer], (case, screen_text(app))
            if not answers:
                await app.pop_screen()

    piloted(app, body)


def even(text: str) -> str | None:
    return None if text.isdecimal() and int(text) % 2 == 0 else f"{text!r} is not even"


def test_confirm_says_yes_only_to_yes() -> None:
    def stop() -> Confirm:
        return Confirm("Stop", "Stop 3 runs?")

    hold(
        Case(stop(), ["y"], True, "Stop 3 runs?"),
        Case(stop(), ["enter"], True),
        Case(stop(), ["n"], False),
        Case(stop(), ["escape"], False),
        Case(stop(), ["right", "enter"], False),
        Case(stop(), ["tab", "enter"], False),
        Case(stop(), ["x"], OPEN),
    )


def test_a_dangerous_thing_needs_the_whole_name() -> None:
    def delete() -> ConfirmName:
        return ConfirmName("Delete", "Delete it for good?", "s0")

    hold(
        Case(delete(), [*"s0", "enter"], True, "Delete it for good?"),
        Case(delete(), [*"s", "enter"], OPEN),
        Case(delete(), [*"s00", "enter"], OPEN),
        Case(delete(), ["enter"], OPEN),
        Case(delete(), ["y"], OPEN),
        Case(delete(), [*"s0", "escape"], False),
        Case(delete(), [*"sx", "end"], OPEN, "that is not its name"),
        Case(delete(), ["b", "enter", "end"], OPEN, "not done: type s0 exactly"),
    )


def test_a_text_that_is_wrong_is_told_as_typed_and_not_taken() -> None:
    hold(
        Case(Ask("Set", "epochs", "", even), [*"12", "enter"], "12"),
        Case(Ask("Set", "epochs", "", even), [*"13", "enter"], OPEN, "'13' is not even"),
        Case(Ask("Set", "epochs", "4", even), ["2", "enter"], "42"),
        Case(Ask("Set", "epochs", "4", even), ["escape"], None),
        Case(Ask("Set", "epochs", "", even, remark=lambda text: f"{text} is a lot"), [*"80", "enter"], "80", "a lot"),
        Case(
            Ask("Data", "file", complete=lambda typed: [f"{typed}.hdf5"]), [*"ab", "right", "enter"], "ab.hdf5", "ab.h"
        ),
    )


def test_a_choice_is_narrowed_as_typed_and_moved_in_with_arrows() -> None:
    def choose() -> Choose:
        return Choose("Run", [(f"run-{number}", "the paper's" if number == 7 else "") for number in range(30)])

    hold(
        Case(choose(), ["enter"], "run-0"),
        Case(choose(), ["down", "down", "up", "enter"], "run-1"),
        Case(choose(), ["2", "down", "enter"], "run-12"),
        Case(choose(), [*"paper", "enter"], "run-7", "run-7 the paper's"),
        Case(choose(), [*"nix", "enter"], OPEN),
        Case(choose(), ["escape"], None),
        Case(Choose("Data", ["one"], free=True), [*"a.h5", "enter"], "a.h5", "a.h5 as typed"),
        Case(Choose("Data", ["one"], free=True), ["o", "enter"], "one"),
        Case(Choose("Data", ["one"]), [*"two", "enter", "escape"], None, "none of them has this in it"),
        Case(Choose("Data", ["one"]), ["x", "enter", "down", "backspace", "enter"], "one"),
    )


def test_text_in_brackets_is_no_markup() -> None:
    hold(
        Case(Confirm("Stop [red]x", "runs [b]a[/b] [link='x']"), ["n"], False, "runs [b]a[/b] [link='x']"),
        Case(Choose("Run [1]", [("[red]a", "[/] b")]), ["escape"], None, "[red]a [/] b"),
        Case(Ask("Set [x]", "[b]key", "[/]"), ["enter"], "[/]", "[b]key"),
    )


@pytest.mark.parametrize("size", [(80, 24), (40, 12)])
def test_the_answers_are_in_sight_however_long_the_text(size: tuple[int, int]) -> None:
    app: App[None] = App()

    async def body(pilot: Pilot[Any]) -> None:
        app.push_screen(Confirm("Stop 60 runs", "\n".join(f"run-{number}" for number in range(60))))
        await pilot.pause()
        shown = screen_text(app)
        assert "Yes" in shown and "y yes" in shown and "run-0" in shown, shown
        await pilot.press(*["pagedown"] * 15)
        await pilot.pause()
        assert "run-59" in screen_text(app)

    piloted(app, body, size)
