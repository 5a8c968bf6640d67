"""Terminals of other kinds, being ended by a signal, and opening the console from a command line."""

from __future__ import annotations

import re
import signal
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from moore_tui.machine import cards, memory
from moore_tui.messages import Card
from moore_tui.opening import recorded
from moore_tui.runs import identity
from moore_tui.terminal import LEAVE_S, is_ascii
from moore_tui.widgets.plain import plain
from tests.tui.console_process import Console, wait_for
from tests.tui.made_runs import event, make_run, trainer_of, write_events
from tests.tui.screen_terminal import ScreenTerminal

Open = Callable[..., ScreenTerminal]


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    made = Console(tmp_path)
    made.env |= {name: str(tmp_path / "home") for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")}
    make_run(made.runs, "alpha")
    yield made
    made.close()


@pytest.fixture
def opened(console: Console) -> Iterator[Open]:
    terminals: list[ScreenTerminal] = []

    def open_(*words: str, **env: str) -> ScreenTerminal:
        terminals.append(ScreenTerminal(console, *words, env=env))
        return terminals[-1]

    yield open_
    for terminal in terminals:
        terminal.end()


def colours(seen: str) -> set[str]:
    """Every colour that was sent, as its SGR numbers."""
    sent = re.findall(r"\x1b\[([0-9;]*)m", seen)
    return {code for codes in sent for code in re.findall(r"[34]8;[25];[\d;]*|(?:3|4|9|10)\d(?!\d)", codes)}


def test_a_terminal_of_16_colours_is_sent_no_others(opened: Open) -> None:
    terminal = opened(TERM="linux", COLORTERM="")
    terminal.until("alpha", "leave")
    assert colours(terminal.seen) and not [each for each in colours(terminal.seen) if each[1:2] == "8"]
    assert "38;" not in terminal.seen and "48;" not in terminal.seen
    assert not {"40", "44", "100", "104"} & colours(terminal.seen), "the terminal's own background is kept"


def test_a_terminal_of_many_colours_is_sent_the_themes(opened: Open) -> None:
    terminal = opened(COLORTERM="truecolor")
    terminal.until("alpha", "leave")
    assert any(each.startswith("38;2;") for each in colours(terminal.seen))


@pytest.mark.parametrize(("words", "locale"), [(["--ascii"], "C.UTF-8"), ([], "en_US.ISO-8859-1"), ([], "POSIX")])
def test_ascii_is_all_that_is_sent_where_there_is_no_more(opened: Open, words: list[str], locale: str) -> None:
    terminal = opened(*words, LC_ALL=locale)
    terminal.until("alpha", "leave")
    assert terminal.seen.isascii()


def test_the_mouse_is_left_alone_if_told(opened: Open) -> None:
    with_mouse, without = opened(), opened("--no-mouse")
    for terminal in (with_mouse, without):
        terminal.until("alpha", "leave")
    assert "\x1b[?1000h" in with_mouse.seen and "\x1b[?1000h" not in without.seen


def test_a_terminal_that_lost_its_cells_while_its_size_came_back_is_painted_again(opened: Open) -> None:
    terminal = opened()
    terminal.until("alpha", "leave")
    terminal.screen.reset()
    terminal.process.send_signal(signal.SIGWINCH)
    terminal.until("moore", "alpha", "leave")


def test_sigterm_ends_it_in_order_and_leaves_the_terminal_as_it_was(opened: Open) -> None:
    terminal = opened()
    before = termios.tcgetattr(terminal.master)
    terminal.until("alpha", "leave")
    assert termios.tcgetattr(terminal.master) != before
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.leave() == 0
    assert "\x1b[?1049l" in terminal.seen and termios.tcgetattr(terminal.master) == before


def test_sigterm_ends_it_while_its_terminal_has_stopped_reading(console: Console, opened: Open) -> None:
    for number in range(30):
        make_run(console.runs, f"run-{number}")
    terminal = opened()
    terminal.until("run-29", "leave")
    for number in range(400):  # each makes it paint all; nobody reads what it sends
        terminal.resize(100 + number % 2, 40)
        time.sleep(0.002)
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.process.wait(timeout=LEAVE_S + 20) == 0


def test_bad_settings_are_one_sentence_before_the_screen_opens(console: Console, opened: Open) -> None:
    folder = Path(console.env["XDG_CONFIG_HOME"]) / "moore-console"
    folder.mkdir(parents=True)
    for text, told in (
        ('[keys]\n"runs.mrk" = "m"', "did you mean runs.mark?"),
        ('theme = "nrod"', "did you mean nord?"),
    ):
        (folder / "settings.toml").write_text(text)
        terminal = opened()
        assert terminal.leave() == 2
        assert told in " ".join(terminal.seen.split()) and "\x1b[" not in terminal.seen
        assert len(terminal.seen.splitlines()) == 1


def test_a_run_that_is_watched_goes_on_when_the_console_is_left(console: Console, opened: Open) -> None:
    console.tell(script=[{"do": "wait", "value": "go", "update": 7}])
    terminal = opened("run", "quickstart", "--name", "r", "--watch")
    terminal.until("leave", "live")
    wait_for(lambda: console.snapshot("r").update == 7, "update 7")
    assert identity.alive(trainer_of(console.run_dir("r")))
    terminal.press("q")
    assert terminal.leave() == 0
    assert "run r goes on; moore-console attach r shows it again" in terminal.seen
    assert identity.alive(trainer_of(console.run_dir("r")))


def test_attach_opens_on_the_run_and_without_a_terminal_prints_its_status(console: Console, opened: Open) -> None:
    make_run(console.runs, "beta")
    terminal = opened("attach", "alp")
    wait_for(lambda: re.search(r"▸.{3}alpha", terminal.text()), "the cursor on alpha")
    done = console("attach", "alpha")
    assert done.returncode == 0 and done.stdout.startswith("run") and "alpha" in done.stdout
    assert len(done.stderr.splitlines()) == 1 and "no terminal to draw on" in done.stderr


def test_a_replay_plays_a_run_to_its_end(console: Console, opened: Open) -> None:
    run = make_run(console.runs, "old")
    evals = [event(n, "eval", score=1.0, return_mean=n * 10.0, return_std=1.0, returns=[1.0], length_mean=9.0)
             for n in range(1, 20)]  # fmt: skip
    write_events(run, *evals, event(20, "end", state="done", exit=0))
    terminal = opened("replay", "old", "--speed", "1000")
    terminal.until("replay 1000x over", "old")
    refused = console("replay", "old")
    assert refused.returncode == 2 and "a replay needs a terminal to draw on" in refused.stderr


def test_the_example_comes_with_the_package_unless_there_is_a_run_of_that_name(tmp_path: Path) -> None:
    make_run(tmp_path, "example-2")
    assert recorded("example", str(tmp_path)).exists()
    assert recorded("example", str(tmp_path)).path.parent.name == "moore_tui"
    make_run(tmp_path, "example")
    assert recorded("example", str(tmp_path)).path.parent == tmp_path


@pytest.mark.parametrize(
    ("env", "ascii"),
    [
        ({}, False),
        ({"LANG": "C.UTF-8"}, False),
        ({"LANG": "en_US.utf8"}, False),
        ({"LANG": "C"}, True),
        ({"LC_ALL": "POSIX", "LANG": "C.UTF-8"}, True),
        ({"LC_ALL": "", "LC_CTYPE": "C.UTF-8", "LANG": "C"}, False),
        ({"LANG": "de_DE@euro"}, True),
    ],
)
def test_the_locale_says_whether_there_is_more_than_ascii(env: dict[str, str], ascii: bool) -> None:
    assert is_ascii(env) == ascii


def test_ascii_keeps_every_character_in_its_cells() -> None:
    assert plain("┌─ 1 Runs ─┐│▸● ⣿⠁ …") == "+- 1 Runs -+|>* ** ."
    assert plain("日本 é") == "???? ?"
    assert plain("±5 → α") == "~5 > a"


def test_what_the_machine_says_of_its_memory_and_cards() -> None:
    assert memory("MemTotal: 100 kB\nMemFree: 1 kB\nMemAvailable: 59 kB\n") == 0.41
    assert memory("") == 0.0
    assert cards("0, 71, 18637, 81920\n1, [N/A], 3, 4\n") == (Card(0, 0.71, 18637 / 1024, 80.0),)
    assert cards("No devices were found") == ()
