"""The progress line and how figures read."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moore_tui.headless.output import duration, number, paint, pairs, plain, rate, table
from moore_tui.headless.progress import Progress, line

FULL = Progress("online", 3, 10, 0.5, -812.44, 25.06, 41.53, "step/s", 185.0)


def test_a_wide_line_shows_everything() -> None:
    assert line(FULL, 100) == "online 3/10  [##########..........]  score 25.1  return -812.4  ETA 3m05s  41.5 step/s"


def test_a_narrow_line_shrinks_the_bar_and_then_drops_the_least_needed() -> None:
    assert line(FULL, 72) == "online 3/10  [###...]  score 25.1  return -812.4  ETA 3m05s  41.5 step/s"
    assert line(FULL, 45) == "online 3/10  score 25.1  return -812.4"
    assert line(FULL, 8) == "online 3"


def test_what_a_run_does_is_told_while_there_is_no_speed_and_shortened_from_its_end() -> None:
    fit = Progress("offline", 1, 10, speed=0.0, doing="fitting the models, epoch 7, best holdout MSE 0.01")
    assert line(fit, 90) == "offline 1/10  [....................]  fitting the models, epoch 7, best holdout MSE 0.01"
    assert line(fit, 64) == "offline 1/10  fitting the models, epoch 7, best holdout MSE 0.01"
    assert line(fit, 60) == "offline 1/10  [...............]  fitting the models, epoch 7"
    assert line(fit, 33) == "offline 1/10  fitting the models"
    assert line(fit, 20) == "offline 1/10"
    assert line(replace(fit, speed=3.0), 80) == "offline 1/10  [....................]  3.0 update/s"
    assert line(replace(fit, speed=None), 33) == "offline 1/10  fitting the models"


@given(
    st.integers(1, 200),
    st.floats(0, 1),
    st.none() | st.floats(-1e6, 1e6),
    st.none() | st.floats(0, 1e7),
    st.text("ab", max_size=30),
    st.text("ab, ", max_size=60),
)
def test_a_line_never_exceeds_its_width(
    width: int, done: float, result: float | None, eta: float | None, note: str, doing: str
) -> None:
    progress = Progress("offline", 1, 1000, done, result, result, 12.0, "update/s", eta, note)
    assert len(line(progress, width)) <= width
    assert len(line(replace(progress, speed=0.0, doing=doing), width)) <= width


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0.4, "0s"),
        (59.6, "1m00s"),
        (185, "3m05s"),
        (7260, "2h01m"),
        (356400, "4d03h"),
        (float("inf"), "-"),
    ],
)
def test_durations_read(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_figures_read() -> None:
    assert [number(each) for each in (None, 1.25, "nan", float("inf"))] == ["-", "1.2", "nan", "inf"]
    assert (rate(None, "step/s"), rate(99.94, "step/s"), rate(1234.5, "update/s")) == (
        "-",
        "99.9 step/s",
        "1234 update/s",
    )


def test_a_table_has_aligned_columns_and_nothing_after_them() -> None:
    assert table(("NAME", "N"), [("a", "10"), ("long name", "2")], right=("N",)) == (
        "NAME        N\na          10\nlong name   2"
    )
    assert pairs([("a", "x\ny"), ("long", "")]) == "a     x\n      y\nlong"


def test_text_of_a_run_loses_what_a_terminal_would_obey() -> None:
    hostile = "\x1b[31mred\x1b[0m \x1b]0;title\x07\x9b2Jok\x08\x1bc\ttab\x1b]8;;http://x\x1b\\link"
    assert plain(hostile) == "red 2Jok    tablink"


def test_colour_goes_only_to_a_terminal_that_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Tty(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert paint("x", "red", Tty()) == "\x1b[31mx\x1b[0m"
    assert paint("x", "red", io.StringIO()) == "x"
    monkeypatch.setenv("NO_COLOR", "1")
    assert paint("x", "red", Tty()) == "x"
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert paint("x", "red", Tty()) == "x"
