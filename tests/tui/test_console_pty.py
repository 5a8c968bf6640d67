"""The console on a real terminal: what hang-ups, a terminal that stops reading, resizing and a second console do."""

from __future__ import annotations

import os
import random
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from moore_engine.rundir import RunDir
from moore_tui.runs import identity
from moore_tui.runs.feed import NEAR
from moore_tui.runs.tail import EventLog
from tests.tui.console_process import Console, wait_for
from tests.tui.made_runs import event, keeper_of, make_run, trainer_of, write_events
from tests.tui.screen_terminal import ScreenTerminal

CURVE = range(0x2801, 0x2900)
"""Braille patterns with a dot."""


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    made = Console(tmp_path)
    made.env |= {name: str(tmp_path / "home") for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")}
    yield made
    made.close()


@pytest.fixture
def terminals() -> Iterator[list[ScreenTerminal]]:
    opened: list[ScreenTerminal] = []
    yield opened
    for terminal in opened:
        terminal.end()


def hold(console: Console) -> None:
    """Trainers made from now on make ten evaluations and wait, alive."""
    script = [{"do": "wait", "value": "go", "update": 50}]
    console.tell(epochs=20, updates_per_epoch=5, script=script)


def held_run(console: Console) -> RunDir:
    """A run whose trainer waits so."""
    hold(console)
    assert console("run", "quickstart", "--name", "r", "--detach").returncode == 0
    wait_for(lambda: console.snapshot("r").update == 50, "update 50")
    return console.run_dir("r")


def drawn(screen: str) -> list[str]:
    """The curve's cells of a screen, row by row, all else blank."""
    return ["".join(cell if ord(cell) in CURVE else " " for cell in row).rstrip() for row in screen.split("\n")]


def curve(terminal: ScreenTerminal) -> list[str]:
    """The curve once it stands still."""
    terminal.until("r")
    last: list[str] = []

    def still() -> bool:
        nonlocal last
        before, last = last, drawn(terminal.text())
        return any(last) and before == last

    wait_for(still, "a curve that stands still")
    return last


def updates(run: RunDir) -> int:
    return sum(event["k"] == "loss" for event in EventLog(run.events).read_all())


def test_a_hang_up_ends_the_console_alone_and_a_new_one_shows_the_same_curve(
    console: Console, terminals: list[ScreenTerminal]
) -> None:
    hold(console)
    first = ScreenTerminal(console, "run", "quickstart", "--name", "r", "--watch")
    terminals.append(first)
    run = console.run_dir("r")
    wait_for(lambda: first.text() and run.exists() and console.snapshot("r").update == 50, "update 50")
    shown = curve(first)
    first.hang_up()
    wait_for(lambda: first.process.poll() is not None, "the console's end")
    assert identity.alive(trainer_of(run))
    assert identity.alive(keeper_of(run)["identity"])
    second = ScreenTerminal(console)
    terminals.append(second)
    assert curve(second) == shown


def test_a_signal_to_the_consoles_whole_process_group_reaches_no_run(
    console: Console, terminals: list[ScreenTerminal]
) -> None:
    hold(console)
    terminal = ScreenTerminal(console, "run", "quickstart", "--name", "r")
    terminals.append(terminal)
    run = console.run_dir("r")
    wait_for(lambda: terminal.text() and run.exists() and console.snapshot("r").update == 50, "update 50")
    trainer, keeper = trainer_of(run), keeper_of(run)["identity"]
    os.killpg(terminal.process.pid, signal.SIGKILL)
    terminal.process.wait()
    (run.path / "go").touch()
    assert console.until("r", "done", "interrupted", "lost").state == "done", "the trainer was killed too"
    wait_for(lambda: not identity.alive(keeper), "the keeper's end")
    attempts = keeper_of(run)["attempts"]
    assert [(one["identity"]["pid"], one["exit"]) for one in attempts] == [(trainer["pid"], 0)], "the keeper saw it"


def stalled_share(console: Console, terminals: list[ScreenTerminal], seconds: float) -> float:
    """Updates a second while the terminal reads nothing, as a share of those while it reads."""
    console.tell(epochs=100_000, updates_per_epoch=50, checkpoint_every=10**9, pause_s=0.01)
    assert console("run", "quickstart", "--name", "r", "--detach").returncode == 0
    run = console.run_dir("r")
    terminal = ScreenTerminal(console)
    terminals.append(terminal)
    curve_seen = lambda: any(drawn(terminal.text()))  # noqa: E731
    wait_for(curve_seen, "a curve")

    def rate(read: bool) -> float:
        before, began = updates(run), time.monotonic()
        while (spent := time.monotonic() - began) < seconds:
            if read:
                terminal.text()
            else:
                time.sleep(0.05)
        return (updates(run) - before) / spent

    return rate(False) / rate(True)


def test_a_terminal_that_reads_nothing_for_five_seconds_slows_no_training(
    console: Console, terminals: list[ScreenTerminal]
) -> None:
    assert stalled_share(console, terminals, 5.0) > 0.7


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_terminal_that_reads_nothing_for_a_minute_slows_no_training(
    console: Console, terminals: list[ScreenTerminal]
) -> None:
    assert stalled_share(console, terminals, 60.0) > 0.7
    assert terminals[0].until("r")


def test_after_a_storm_of_resizes_the_screen_is_that_of_a_fresh_console(
    console: Console, terminals: list[ScreenTerminal]
) -> None:
    held_run(console)
    tossed = ScreenTerminal(console)
    terminals.append(tossed)
    curve(tossed)
    sizes = random.Random(0)
    for _ in range(60):
        tossed.resize(sizes.randint(1, 220), sizes.randint(1, 60))
        if sizes.random() < 0.3:
            tossed.text()
    tossed.resize(80, 24)
    fresh = ScreenTerminal(console)
    terminals.append(fresh)
    wait_for(lambda: fresh.text() == tossed.text() and any(drawn(fresh.text())), "both screens to be the same")


def test_two_consoles_show_one_run_and_what_one_asks_the_other_sees(
    console: Console, terminals: list[ScreenTerminal]
) -> None:
    held_run(console)
    terminals += [ScreenTerminal(console), ScreenTerminal(console, columns=120, lines=40)]
    one, other = terminals
    curve(one), curve(other)
    one.press("p")
    one.until("paused")
    other.until("paused")
    other.press("p")
    wait_for(lambda: console.snapshot("r").state == "live", "the run to go on")
    one.until("live")


def test_q_leaves_the_run_alone_and_the_terminal_as_it_was(console: Console, terminals: list[ScreenTerminal]) -> None:
    run = held_run(console)
    terminal = ScreenTerminal(console)
    terminals.append(terminal)
    curve(terminal)
    terminal.press("q")
    assert terminal.leave() == 0
    assert "\x1b[?1049l" in terminal.seen
    assert identity.alive(trainer_of(run))


def test_without_colour_no_colour_is_sent(console: Console, terminals: list[ScreenTerminal]) -> None:
    held_run(console)
    console.env |= {"NO_COLOR": "1"}
    terminal = ScreenTerminal(console)
    terminals.append(terminal)
    curve(terminal)
    attributes = {code for codes in re.findall(r"\x1b\[([0-9;]*)m", terminal.seen) for code in codes.split(";")}
    assert attributes <= {"", "0", "1", "2", "3", "4", "7", "22", "27", "39", "49"}, attributes


@pytest.mark.parametrize("words", [(), ("attach", "run-000")])
def test_runs_beyond_those_that_the_first_screen_waits_for_are_listed_soon_after(
    console: Console, terminals: list[ScreenTerminal], words: tuple[str, ...]
) -> None:
    for number in range(NEAR + 6):
        run = make_run(console.runs, f"run-{number:03}")
        write_events(run, *(event(seq, "eval", epoch=seq, return_mean=float(seq), score=1.0) for seq in range(1, 9)))
        os.utime(run.path, (number, number))
    terminal = ScreenTerminal(console, *words)
    terminals.append(terminal)
    curve(terminal)
    terminal.until(f"{NEAR + 6} interrupted")
    assert f"· {'run-000' if words else f'run-{NEAR + 5:03}'} ─" in terminal.text()


def test_nothing_is_sent_while_nothing_runs(console: Console, terminals: list[ScreenTerminal]) -> None:
    console.tell(epochs=3)
    assert console("run", "quickstart", "--name", "r").returncode == 0
    terminal = ScreenTerminal(console)
    terminals.append(terminal)
    curve(terminal)
    sent_in_turn: list[int] = []

    def silent() -> bool:
        sent, deadline = terminal.bytes, time.monotonic() + 4.0
        while time.monotonic() < deadline:
            terminal.text()
        sent_in_turn.append(terminal.bytes - sent)
        return len(sent_in_turn) > 1

    wait_for(silent, "two spans of four seconds")
    assert sent_in_turn[-1] == 0
