"""One run as a line, in any width."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from moore_tui.runs.model import Snapshot
from moore_tui.widgets.run_rows import SORTS, bar, heading, ordered, row
from moore_tui.widgets.sheet import Line, length
from tests.tui.widgets.test_states import STATES


def shot(name: str = "hopper-mr-s3", state: str = "live", **fields: Any) -> Snapshot:
    known = {
        "detail": "", "kept": True, "stage": "online", "progress": 0.62, "return_mean": 2914.2, "return_std": 121.3,
        "env_steps_per_s": 1934.0, "eta_s": 2300.0, "update": 412_300,
    }  # fmt: skip
    return Snapshot(name, Path(name), state, **{**known, **fields})


def text(line: Line) -> str:
    return "".join(part for part, _ in line)


@pytest.mark.parametrize("state", STATES)
def test_a_line_fills_its_width_whatever_the_state(state: str) -> None:
    long = "attempt 2 of 6 in 4 s after SIGSEGV, and more words than will fit"
    for width, detail in product(range(20, 130), ("", long)):
        line = row(shot(state=state, detail=detail), width, cursor=True, marked=True, focus=True)
        assert width - 2 <= length(line) <= width, text(line)
        assert text(line).startswith("▸■")
        assert length(heading(width)) <= width


def test_at_eighty_columns_every_figure_is_there() -> None:
    line = text(row(shot(), 78, cursor=False, marked=False, focus=False))
    for piece in ("● hopper-mr-s3", "online", "62%", "ret 2914 ±121", "1.93k st/s", "eta 38m"):
        assert piece in line


def test_words_stand_beside_the_return_where_both_fit_and_else_alone() -> None:
    paused = text(row(shot(state="paused"), 78, cursor=False, marked=False, focus=False))
    assert "2914 ±121" in paused and "paused @ 412k" in paused
    crashed = text(row(shot(state="crashed", detail="SIGSEGV; the last line of its log"), 78, False, False, False))
    assert "2914" not in crashed and "crashed: SIGSEGV; the last line of" in crashed


def test_a_long_name_takes_room_from_the_bar() -> None:
    long = "a-long-name-of-a-run-s10"
    assert "a-long-name" in text(row(shot(long), 78, False, False, False, longest=len(long)))
    short, wide = (text(row(shot(), 78, False, False, False, longest=size)) for size in (12, 24))
    assert short.count("█") > wide.count("█")


@pytest.mark.parametrize(
    ("share", "drawn"),
    [(0.0, "░░░░"), (0.5, "██░░"), (1.0, "████"), (0.53125, "██▏░"), (None, "░░░░"), (7.0, "████"), (-1.0, "░░░░")],
)
def test_a_bar_goes_by_eighths_of_a_cell(share: float | None, drawn: str) -> None:
    assert bar(share, 4) == drawn


def test_orders() -> None:
    runs = [
        shot("b", "done", created=3.0, return_mean=1.0, progress=1.0),
        shot("c", "live", created=1.0, return_mean=None, progress=None),
        shot("a", "crashed", created=2.0, return_mean=9.0, progress=0.5),
        shot("d", "live", created=4.0, return_mean=float("nan"), progress=0.1),
    ]
    found = {sort: "".join(run.id for run in ordered(runs, sort)) for sort in SORTS}
    assert found == {"state": "adcb", "age": "dbac", "name": "abcd", "return": "abdc", "progress": "badc"}
