"""An error that nobody foresaw, inside the running console: the terminal is whole, one sentence says what to do."""

from __future__ import annotations

import re
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.worker import WorkerFailed

from moore_tui import crash
from tests.tui.console_process import Console, wait_for
from tests.tui.screen_terminal import ScreenTerminal

BREAK = """
from moore_tui.screens import help

class Broken(help.HelpScreen):
    def compose(self):
        raise ZeroDivisionError("a made-up error")

help.HelpScreen = Broken
"""
"""Run by Python at its start: the help screen raises."""


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    made = Console(tmp_path)
    (tmp_path / "sitecustomize.py").write_text(BREAK)
    made.env["PYTHONPATH"] = f"{tmp_path}:{made.env['PYTHONPATH']}"
    made.env |= {name: str(tmp_path / "home") for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")}
    yield made
    made.close()


def broken(console: Console) -> tuple[str, int, bool]:
    """What was written since the console left the screen, its exit code, whether the terminal echoes as before."""
    terminal = ScreenTerminal(console, columns=200)
    before = termios.tcgetattr(terminal.master)
    try:
        terminal.until("n starts one")
        terminal.press("?")
        wait_for(lambda: terminal.text() and "\x1b[?1049l" in terminal.seen, "the screen to be left")
        code = terminal.leave()
        same = termios.tcgetattr(terminal.master)[:4] == before[:4]
        return terminal.seen.rpartition("\x1b[?1049l")[2], code, same
    finally:
        terminal.end()


def test_a_broken_screen_leaves_the_terminal_whole_one_sentence_and_a_file(console: Console) -> None:
    shown, code, whole = broken(console)
    path = console.folder / "home" / "moore-console" / "crash.log"
    lines = [line for line in re.sub(r"\x1b\[[0-9;?<>=]*[a-zA-Z]", "", shown).split("\r\n") if line.strip()]
    assert lines == [
        f"moore-console: the console broke: ZeroDivisionError: a made-up error; the runs go on; details are in {path}"
    ]
    assert code == 1 and whole
    assert "Traceback (most recent call last)" in (kept := path.read_text()) and "a made-up error" in kept


def test_with_debugging_the_traceback_is_shown(console: Console) -> None:
    console.env["MOORE_DEBUG"] = "1"
    shown, code, whole = broken(console)
    assert "Traceback" in shown and "a made-up error" in shown and "the console broke" not in shown
    assert code == 1 and whole
    assert not (console.folder / "home" / "moore-console" / "crash.log").exists()


def test_details_that_cannot_be_kept_are_no_second_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "moore-console").write_text("in the way")
    assert crash.tell(ValueError("odd\n"), {"XDG_STATE_HOME": str(tmp_path)}) == 1
    told = capsys.readouterr().err
    assert "ValueError: odd" in told and "MOORE_DEBUG=1 shows them" in told and told.count("\n") == 1


def test_an_error_in_a_worker_is_told_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert crash.tell(WorkerFailed(KeyError("x\udcff")), {"XDG_STATE_HOME": str(tmp_path)}) == 1
    assert "the console broke: KeyError" in capsys.readouterr().err
    assert "KeyError" in (tmp_path / "moore-console" / "crash.log").read_text()
