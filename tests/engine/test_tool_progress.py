"""The tools' progress line: its words, when it is told, and that a terminal is left as it was found."""

from __future__ import annotations

import io
import sys

import pytest

from moore_engine.tools import progress
from moore_engine.tools.progress import Bar, amount, duration
from moore_engine.tools.table import folded, pairs, plain, table


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch, seconds: int, total: int | None) -> str:
    """What a work of 10 units a second writes."""
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress, "_columns", lambda: 60)
    clock = Clock()
    with Bar("work", total, "rows", clock) as bar:
        for step in range(seconds * 10):
            bar.update(step)
            clock.now += 0.1
    return stream.getvalue()


def test_on_a_terminal_the_line_is_rewritten_and_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    text = run(Terminal(), monkeypatch, 4, 40)
    lines = text.split("\r")[1:]
    assert len(lines) > 12 and "\n" not in text
    assert lines[-1] == "\x1b[K"
    assert lines[-2] == "work  [###################.] 95 %  38 of 40 rows  10 rows/s\x1b[K"
    assert all(len(line.removesuffix("\x1b[K")) <= 59 for line in lines)


def test_elsewhere_there_is_a_plain_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    text = run(io.StringIO(), monkeypatch, 35, 350)
    lines = text.splitlines()
    assert len(lines) == 3 and "\r" not in text and "\x1b" not in text
    assert lines[0] == "work  [#####...............] 28 %  101 of 350 rows  10 rows/s  ETA 25s"


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_a_short_work_says_nothing(stream: type[io.StringIO], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(stream(), monkeypatch, 0, 3) == ""


def test_the_rate_is_that_of_the_last_seconds() -> None:
    clock = Clock()
    bar = Bar("x", 10_000, "B", clock)
    for done in (*range(0, 1000, 500), *range(1000, 2000, 10)):
        bar.update(done)
        clock.now += 1
    assert bar.line(clock.now, 2000) == "x  [####................] 20 %  2.0 kB of 10.0 kB  10 B/s  ETA 13m20s"
    bar.update(2000, total=0)
    assert bar.line(clock.now, 2000) == "x  2.0 kB  10 B/s"


def test_a_line_that_stays_stands_above_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    clock = Clock()
    with Bar("x", 10, "rows", clock) as bar:
        clock.now += 1
        bar.update(5)
        bar.say("something happened")
    assert stream.getvalue().endswith("\r\x1b[Ksomething happened\n")


def test_a_terminal_that_is_gone_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(Terminal):
        def write(self, text: str) -> int:
            raise OSError

    run(Gone(), monkeypatch, 3, 30)


def test_amounts_and_durations_read_well() -> None:
    assert [amount(n, "B") for n in (12, 1500, 75_854_457, 2_946_805_796)] == ["12 B", "1.5 kB", "75.9 MB", "2.9 GB"]
    assert amount(402_000, "rows") == "402,000 rows"
    assert [duration(s) for s in (7.6, 185, 7620, -1)] == ["8s", "3m05s", "2h07m", "0s"]


def test_tables_are_aligned_and_nothing_trails() -> None:
    assert table(("NAME", "N"), [("a", "1"), ("longer", "22")], right=("N",)) == ("NAME     N\na        1\nlonger  22")
    assert pairs([("a", "1"), ("long", "")]) == "a     1\nlong"


def test_sentences_are_folded_at_words_and_tables_are_not() -> None:
    assert folded("some words and /a/long-path-that-stays whole", 12) == (
        "some words\nand\n/a/long-path-that-stays\nwhole"
    )
    row = "name  value  and more than fits"
    assert folded(row, 12) == row
    assert folded("not on a terminal, so as it is", None) == "not on a terminal, so as it is"


def test_nothing_that_a_terminal_obeys_comes_through() -> None:
    assert plain("\x1b[31mred\x1b[0m \x1b]0;title\x07x\ty\nz\x9b2J") == "red x y z 2J"
    assert "\x1b" not in table(("A",), [("\x1b[2J",)]) + pairs([("a", "\x1b[2J")])
